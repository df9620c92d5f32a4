"""Checks how steps hang together: kinds and their keys, ids, needs, decisions, guards, proofs, locks."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from app.core.messages import say
from app.playbooks.draft import given_kinds
from app.playbooks.refusals import Notes
from app.playbooks.rules import Choice, InputType, Playbook, Step, StepKind, reached
from app.playbooks.yaml_text import Path
from runners.contract import Side

_COMMON = {"id", "title", "phase", "modes", "needs", "estimate", "role", "manual"}
_RUNS = {"with", "timeout", "on_failure", "starts_outage", "ends_outage", "point_of_no_return"}
_RUNS |= {"irreversible", "undo", "at", "retries", "lost", "debt"}
_PEOPLE = {"timeout", "on_failure", "evidence", "unattended", "starts_outage", "ends_outage", "point_of_no_return"}
_FITTING: dict[StepKind, set[str]] = {
    StepKind.USES: _COMMON | _RUNS,
    StepKind.ASK: _COMMON | _PEOPLE | {"signs", "quorum", "lost", "debt"},
    StepKind.DECIDE: _COMMON | _PEOPLE | {"options", "quorum", "veto", "on_timeout"},
    StepKind.WAIT: _COMMON | {"starts_outage", "ends_outage"},
    StepKind.PLAY: _COMMON | _RUNS,
    StepKind.INJECT: _COMMON | {"after", "evidence"},
}


def check(playbook: Playbook, notes: Notes) -> None:
    """Note everything about the structure that is refused; of steps that could not be read at all, nothing hangs."""
    if ("steps",) in notes.broken:
        return
    _check_ids(playbook, notes)
    for index, step in enumerate(playbook.steps):
        path: Path = ("steps", index)
        _check_kind(step, path, notes)
        _check_needs(playbook, step, path, notes)
        _check_answers(playbook, step, path, notes)
        _check_modes(playbook, step.modes, path, notes)
    _check_cycles(playbook, notes)
    _check_injects(playbook, notes)
    _check_guards(playbook, notes)
    _check_proves(playbook, notes)
    _check_locks(playbook, notes)
    _check_defaults(playbook, notes)


def _named(playbook: Playbook) -> Iterator[tuple[Path, str]]:
    for index, step in enumerate(playbook.steps):
        yield ("steps", index), step.id
    for index, guard in enumerate(playbook.guards):
        yield ("guards", index), guard.id
    for index, inject in enumerate(playbook.injects):
        yield ("injects", index), inject.id


def _check_ids(playbook: Playbook, notes: Notes) -> None:
    first: dict[str, int] = {}
    for path, name in _named(playbook):
        line = notes.document.line((*path, "id"))
        if name in first:
            reason = say("The id '{name}' is taken (line {line}). Give this one another.", name=name, line=first[name])
            notes.add((*path, "id"), "duplicate-id", reason)
        first.setdefault(name, line)


def _check_kind(step: Step, path: Path, notes: Notes) -> None:
    raw = _raw(notes, path)
    kinds = given_kinds(raw)
    if not kinds:
        reason = say("This step says not what it does. Give it one of: uses, ask, decide, wait, play, inject.")
        notes.add(path, "unknown-step-kind", reason)
        return
    if len(kinds) > 1:
        reason = say("One step does one thing, this has {kinds}. Split it.", kinds=" and ".join(kinds))
        notes.add((*path, kinds[1]), "two-kinds", reason)
        return
    kind = StepKind(kinds[0])
    for key in raw:
        if key not in _FITTING[kind] | {kind.value} and key in _every_key():
            reason = say("'{key}' means nothing in a step of kind '{kind}'. Remove it.", key=key, kind=kind.value)
            notes.add((*path, key), "key-does-not-fit", reason)
    if kind is StepKind.USES and step.timeout is None:
        reason = say("A time-out is missing. Add 'timeout: PT1M' (the longest time it may take).")
        notes.add((*path, "timeout"), "timeout-missing", reason)


def _every_key() -> set[str]:
    return set().union(*_FITTING.values())


def _raw(notes: Notes, path: Path) -> dict[str, Any]:
    found: Any = notes.document.data
    for part in path:
        found = found[part]
    return found if isinstance(found, dict) else {}


def _check_needs(playbook: Playbook, step: Step, path: Path, notes: Notes) -> None:
    known = [each.id for each in playbook.steps]
    for index, need in enumerate(step.needs):
        place = (*path, "needs", index)
        if need == step.id:
            notes.add(place, "needs-itself", say("Step '{need}' cannot need itself. Remove it here.", need=need))
        elif need not in known:
            notes.add(place, "unknown-step", _no_step(need, known))
        elif need in step.needs[:index]:
            notes.add(place, "duplicate-need", say("'{need}' stands here twice. Keep one.", need=need))


def _no_step(name: str, known: list[str]) -> Any:
    close = get_close_matches(name, known, n=1)
    if close:
        return say("There is no step '{name}'. Did you mean '{close}'?", name=name, close=close[0])
    return say("There is no step '{name}'. Name a step of this playbook.", name=name)


def _check_cycles(playbook: Playbook, notes: Notes) -> None:
    needs = {step.id: tuple(need for need in step.needs if need != step.id) for step in playbook.steps}
    told: set[str] = set()
    for index, step in enumerate(playbook.steps):
        ahead = reached(step.id, needs)
        if step.id not in ahead or step.id in told:
            continue
        circle = [each for each in needs if each in ahead and step.id in reached(each, needs)]
        told.update(circle)
        reason = say(
            "These steps wait for each other: {circle}. Remove one of their needs.", circle=_round(circle, needs)
        )
        notes.add(("steps", index, "needs"), "cycle", reason)


def _round(circle: list[str], needs: dict[str, tuple[str, ...]]) -> str:
    """One walk round the circle, each step before what it needs."""
    walk = [circle[0]]
    while walk[-1] not in walk[:-1]:
        walk.append(next(need for need in needs[walk[-1]] if need in circle))
    return " → ".join(walk[walk.index(walk[-1]) :])


def _check_answers(playbook: Playbook, step: Step, path: Path, notes: Notes) -> None:
    if step.decide is not None:
        _check_decision(playbook, step, path, notes)
    if step.ask is not None and step.unattended not in {None, "skip"}:
        reason = say("Without people a question can only be skipped. Write 'unattended: skip', or leave it out.")
        notes.add((*path, "unattended"), "unknown-option", reason)
    if step.signs is not None and step.unattended is not None:
        reason = say("A signature needs a person. Remove 'unattended': this playbook then runs attended only.")
        notes.add((*path, "unattended"), "signature-skipped", reason)


def _check_decision(playbook: Playbook, step: Step, path: Path, notes: Notes) -> None:
    if not step.options:
        reason = say("A decision needs options: 'options: {{go: continue, no-go: stop}}'.")
        notes.add((*path, "options"), "options-missing", reason)
        return
    if step.on_timeout is None:
        reason = say("Say which option is taken when nobody decides in time: 'on_timeout: OPTION'.")
        notes.add((*path, "on_timeout"), "on-timeout-missing", reason)
    written = _raw(notes, (*path, "options"))
    for key in ("on_timeout", "unattended", "veto"):
        chosen = getattr(step, key)
        if chosen is not None and chosen not in written:
            known = ", ".join(written)
            reason = say("'{chosen}' is no option of this decision. Choose from: {known}.", chosen=chosen, known=known)
            notes.add((*path, key), "unknown-option", reason)
    for name in step.options:
        effect = step.effect(name)
        if effect.choice is Choice.GOTO and effect.step not in {each.id for each in playbook.steps}:
            reason = _no_step(effect.step or "", [each.id for each in playbook.steps])
            notes.add((*path, "options", name), "unknown-step", reason)


def _check_modes(playbook: Playbook, modes: tuple[Any, ...] | None, path: Path, notes: Notes) -> None:
    for index, mode in enumerate(modes or ()):
        if mode not in playbook.modes:
            reason = say(
                "The playbook has no mode '{mode}'. Add it to 'modes' above, or remove it here.", mode=mode.value
            )
            notes.add((*path, "modes", index), "mode-not-permitted", reason)
    if modes == ():
        notes.add((*path, "modes"), "mode-missing", say("Name at least one mode, or leave 'modes' out."))


def _check_injects(playbook: Playbook, notes: Notes) -> None:
    for index, step in enumerate(playbook.injects):
        path: Path = ("injects", index)
        if given_kinds(_raw(notes, path)) != ["inject"]:
            notes.add(path, "not-an-inject", say("Only steps with 'inject: {{nl: …, en: …}}' stand under 'injects'."))
        _check_kind(step, path, notes)
        _check_needs(playbook, step, path, notes)


def _check_guards(playbook: Playbook, notes: Notes) -> None:
    known = [step.id for step in playbook.steps]
    for index, guard in enumerate(playbook.guards):
        path: Path = ("guards", index)
        for key, name in (("from", guard.from_), ("until", guard.until)):
            if name not in known:
                notes.add((*path, key), "unknown-step", _no_step(name, known))
        if guard.from_ == guard.until or guard.until in playbook.ancestors(guard.from_):
            reason = say("The guard would end before it begins: 'until' must be a step after 'from'. Swap them.")
            notes.add((*path, "until"), "guard-ends-first", reason)
        _check_modes(playbook, guard.modes, path, notes)


def _check_proves(playbook: Playbook, notes: Notes) -> None:
    known = [step.id for step in playbook.steps]
    for kind, steps in playbook.proves.items():
        for index, name in enumerate(steps):
            if name not in known:
                notes.add(("proves", kind.value, index), "unknown-step", _no_step(name, known))


def _check_locks(playbook: Playbook, notes: Notes) -> None:
    pairs = [name for name, each in playbook.inputs.items() if each.type is InputType.ENVIRONMENT_PAIR]
    for index, name in enumerate(playbook.locks):
        if name in playbook.locks[:index]:
            notes.add(("locks", index), "duplicate-lock", say("'{name}' stands here twice. Keep one.", name=name))
        elif ("inputs", name) not in notes.broken and name not in pairs:
            reason = say(
                "'{name}' is no input of type environment-pair, so it cannot be locked. Known: {pairs}.",
                name=name,
                pairs=", ".join(pairs) or "–",
            )
            notes.add(("locks", index), "unknown-lock", reason)


def _check_defaults(playbook: Playbook, notes: Notes) -> None:
    for name, each in playbook.inputs.items():
        if each.default is not None and not _fits(each.type, each.default):
            reason = say("This is no value of type {kind}. Mend it, or leave 'default' out.", kind=each.type.value)
            notes.add(("inputs", name, "default"), "default-type", reason)


def _fits(kind: InputType, value: str | int | float | bool) -> bool:
    match kind:
        case InputType.BOOLEAN:
            return isinstance(value, bool)
        case InputType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case InputType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case InputType.SIDE:
            return value in set(Side)
        case _:
            return isinstance(value, str)
