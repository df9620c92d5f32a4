"""Checks what is handed to runners: they exist, their parameters are known, typed and complete, references resolve."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.core.messages import Message, say
from app.playbooks import literals, references, samples
from app.playbooks.references import InputReference, MeasurementReference, NotAReference
from app.playbooks.refusals import Notes
from app.playbooks.rules import Mode, Playbook, Step, StepKind, in_mode
from app.playbooks.yaml_text import Path
from runners.contract import Effect, Registry, Runner


@dataclass(frozen=True)
class Call:
    """A runner with its parameters, where it stands, and which steps' measurements it may use."""

    uses: str
    given: Mapping[str, Any]
    path: Path
    before: frozenset[str]
    modes: frozenset[Mode]


def check(playbook: Playbook, notes: Notes, registry: Registry) -> None:
    """Note everything about runners and their parameters that is refused."""
    for name, each in playbook.inputs.items():
        literals.check({name: each.default}, ("inputs",), notes, inside=("default",))
    for call in calls(playbook):
        runner = _runner(call, notes, registry)
        literals.check(call.given, (*call.path, "with"), notes)
        sound = _check_references(call, playbook, notes)
        if runner is not None and sound:
            _check_typed(call, runner, playbook, notes)
    for index, step in enumerate(playbook.steps):
        _check_effect(step, ("steps", index), notes, registry)
        _check_own_references(step, playbook, ("steps", index), notes)
    for index, guard in enumerate(playbook.guards):
        found = registry.get(guard.uses)
        if found is not None and found.effect is not Effect.OBSERVES:
            reason = say(
                "A guard only looks; '{uses}' {effect}. Use a check.", uses=guard.uses, effect=found.effect.value
            )
            notes.add(("guards", index, "uses"), "guard-acts", reason)


def calls(playbook: Playbook) -> Iterator[Call]:
    """Every call of a runner in steps, undos and guards."""
    every = frozenset(playbook.modes)
    for index, step in enumerate(playbook.steps):
        path: Path = ("steps", index)
        before = playbook.ancestors(step.id) - {step.id} if step.with_ or step.undo else frozenset()
        modes = frozenset(mode for mode in playbook.modes if in_mode(step, mode))
        if step.uses is not None:
            yield Call(step.uses, step.with_, path, before, modes)
        if step.undo is not None:
            yield Call(step.undo.uses, step.undo.with_, (*path, "undo"), before | {step.id}, modes)
    for index, guard in enumerate(playbook.guards):
        before = playbook.ancestors(guard.from_) | {guard.from_}
        yield Call(guard.uses, guard.with_, ("guards", index), before, frozenset(guard.modes or every))


def _runner(call: Call, notes: Notes, registry: Registry) -> Runner | None:
    runner = registry.get(call.uses)
    if runner is None:
        close = get_close_matches(call.uses, list(registry), n=1)
        if close:
            reason = say("No runner is called '{uses}'. Did you mean '{close}'?", uses=call.uses, close=close[0])
        else:
            reason = say("No runner is called '{uses}'. Install it, or use one of the catalogue.", uses=call.uses)
        notes.add((*call.path, "uses"), "unknown-runner", reason)
    return runner


def _check_references(call: Call, playbook: Playbook, notes: Notes) -> bool:
    """Whether every reference of the call is known, so that types can be checked."""
    before = len(notes.found)
    known = True
    for place, value in references.places(call.given):
        found = _check_one(value, (*call.path, "with", *place), call, playbook, notes)
        known = known and found
    return known and len(notes.found) == before


def _whole(value: Any) -> Message:
    return say(
        "'{value}' is no whole reference. Write ${{input}}, ${{input.field}} or ${{steps.ID.measurements.NAME}} alone.",
        value=value,
    )


def _check_input(found: InputReference, playbook: Playbook, path: Path, notes: Notes) -> None:
    if found.name not in playbook.inputs:
        if ("inputs", found.name) in notes.broken or ("inputs",) in notes.broken:
            return
        known = ", ".join(playbook.inputs) or "–"
        reason = say(
            "There is no input '{name}'. Declare it under 'inputs' (known: {known}).", name=found.name, known=known
        )
        notes.add(path, "unknown-reference", reason)
        return
    kind = playbook.inputs[found.name].type
    fields = samples.fields(kind, found.path)
    if fields is not None:
        reason = say(
            "An input of type {kind} has no field '{field}' here. Known: {known}.",
            kind=kind.value,
            field=".".join(found.path),
            known=", ".join(fields) or "–",
        )
        notes.add(path, "unknown-field", reason)


def _check_measured(found: MeasurementReference, playbook: Playbook, call: Call, path: Path, notes: Notes) -> None:
    step = next((each for each in playbook.steps if each.id == found.step), None)
    if step is None:
        reason = say("There is no step '{step}' to take a measurement from.", step=found.step)
        notes.add(path, "unknown-reference", reason)
    elif found.step not in call.before:
        reason = say("Step '{step}' does not come before this one. Add it to 'needs'.", step=found.step)
        notes.add(path, "later-reference", reason)
    elif step.kinds() and step.kind not in {StepKind.USES, StepKind.ASK}:
        reason = say("Step '{step}' measures nothing: it is of kind '{kind}'.", step=found.step, kind=step.kind.value)
        notes.add(path, "unknown-reference", reason)
    elif left_out := sorted(mode.value for mode in call.modes if not in_mode(step, mode)):
        reason = say(
            "Step '{step}' does not exist in mode {modes}, and this one does.", step=found.step, modes=left_out[0]
        )
        notes.add(path, "later-reference", reason)


def _check_typed(call: Call, runner: Runner, playbook: Playbook, notes: Notes) -> None:
    """Hold the parameters against the runner's own model, with samples in the place of references."""
    where = (*call.path, "with")
    tries = [_problems(runner.Params, samples.fill(call.given, playbook.inputs, swap)) for swap in (False, True)]
    own = [{(each["loc"], each["type"]) for each in problems} for problems in tries]
    for problem in tries[0]:
        if (problem["loc"], problem["type"]) not in own[1]:
            continue  # it depends on which side is which, which is said at planning
        place = _given_place(problem["loc"], call.given)
        referred = _referred(place, call.given)
        if referred is not None and not _is_type_clash(problem, referred):
            continue
        notes.add((*where, *place), *_explained(problem, place, runner, referred))


def _problems(params: type[BaseModel], filled: Any) -> list[ErrorDetails]:
    unknown = _unknown_keys(params, filled)
    try:
        params.model_validate_json(json.dumps({k: v for k, v in filled.items() if k not in unknown}), strict=True)
    except ValidationError as error:
        return [*error.errors(), *unknown.values()]
    except (TypeError, ValueError, AttributeError) as error:  # a foreign Params may judge in code of its own
        return [{"type": "value_error", "loc": (), "msg": str(error), "input": None}, *unknown.values()]
    return list(unknown.values())


def _unknown_keys(params: type[BaseModel], filled: Mapping[str, Any]) -> dict[str, ErrorDetails]:
    """Keys that the model would pass over in silence or refuse; none where it takes any."""
    if params.model_config.get("extra") == "allow":
        return {}
    known = {info.alias or name for name, info in params.model_fields.items()}
    if params.model_config.get("populate_by_name"):
        known |= set(params.model_fields)
    return {
        key: {"type": "extra_forbidden", "loc": (key,), "msg": "unknown", "input": None}
        for key in filled
        if key not in known
    }


def _given_place(loc: tuple[int | str, ...], given: Mapping[str, Any]) -> Path:
    place: list[str | int] = []
    here: Any = given
    for part in loc:
        inside = (isinstance(here, Mapping) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and part < len(here)
        )
        if not inside:
            if isinstance(here, Mapping) and not place:
                place.append(part)
            break
        here = here[part]
        place.append(part)
    return tuple(place)


def _referred(place: Path, given: Mapping[str, Any]) -> str | None:
    """The reference that stands at a place; None for a literal."""
    here: Any = given
    for part in place:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            return None
    return here if isinstance(here, str) and here.startswith("${") else None


def _is_type_clash(problem: ErrorDetails, referred: str) -> bool:
    """Whether a reference is of a wrong kind altogether; limits and forms are held against the value at planning."""
    clash = problem["type"].endswith("_type") or problem["type"] in {"enum", "extra_forbidden", "missing"}
    return clash and not (referred.startswith("${steps.") and problem["type"] not in {"model_type", "dict_type"})


def _explained(problem: ErrorDetails, place: Path, runner: Runner, referred: str | None) -> tuple[str, Message]:
    name = ".".join(str(part) for part in place)
    known = ", ".join(info.alias or key for key, info in runner.Params.model_fields.items())
    if problem["type"] == "extra_forbidden":
        reason = say(
            "Runner '{runner}' has no parameter '{name}'. It has: {known}.", runner=runner.name, name=name, known=known
        )
        return "unknown-parameter", reason
    if problem["type"] == "missing" and referred is None:
        missing = ".".join(str(part) for part in problem["loc"])
        reason = say("Runner '{runner}' needs the parameter '{name}'. Add it.", runner=runner.name, name=missing)
        return "parameter-missing", reason
    if referred is not None:
        reason = say(
            "{referred} is not of the type that '{name}' needs. Refer to another value.", referred=referred, name=name
        )
        return "reference-type", reason
    if "secret://" in problem["msg"]:
        return "secret-inline", say("'{name}' is a secret. Keep it at the site and write 'secret://NAME'.", name=name)
    reason = say(
        "Runner '{runner}' refuses '{name}': {problem}.",
        runner=runner.name,
        name=name or "with",
        problem=problem["msg"],
    )
    return "parameter-value", reason


def _check_effect(step: Step, path: Path, notes: Notes, registry: Registry) -> None:
    runner = registry.get(step.uses or "")
    if runner is None:
        return
    if step.retries is not None and runner.effect is Effect.CHANGES:
        reason = say("'{uses}' changes something: it is not repeated blindly. Remove 'retries'.", uses=step.uses)
        notes.add((*path, "retries"), "retries-on-change", reason)
    if runner.effect is Effect.CHANGES and _acts(step) and step.undo is None and not step.irrevocable:
        reason = say("This step changes something. Add 'undo: {{uses: …}}', or say 'irreversible: true'.")
        notes.add((*path, "undo"), "undo-missing", reason)
    undo = registry.get(step.undo.uses) if step.undo else None
    if undo is not None and undo.effect is Effect.OBSERVES:
        reason = say("'{uses}' only looks, so it undoes nothing. Name a runner that changes it back.", uses=undo.name)
        notes.add((*path, "undo", "uses"), "undo-only-looks", reason)


def _acts(step: Step) -> bool:
    """Whether any mode carries the step out; in a tabletop it is only talked through."""
    return step.modes is None or any(mode is not Mode.TABLETOP for mode in step.modes)


def _check_own_references(step: Step, playbook: Playbook, path: Path, notes: Notes) -> None:
    """References outside runner calls: where it runs, how long it waits, what is handed to a played playbook."""
    given: dict[str, Any] = {"at": step.at}
    if step.wait is not None:
        given["wait"] = next((each for each in (step.wait.for_, step.wait.until) if isinstance(each, str)), None)
    if step.play is not None:
        given["with"] = step.with_
        literals.check(step.with_, (*path, "with"), notes)
        if step.play == playbook.name:
            notes.add((*path, "play"), "plays-itself", say("A playbook cannot play itself. Name another one."))
    before = playbook.ancestors(step.id) - {step.id} if step.with_ else frozenset()
    for key, value in given.items():
        for place, leaf in references.places(value):
            call = Call("", {}, path, before, frozenset(playbook.modes))
            _check_one(leaf, (*path, key, *place), call, playbook, notes)
    samples.check_kinds(step, playbook, path, notes)


def _check_one(value: Any, path: Path, call: Call, playbook: Playbook, notes: Notes) -> bool:
    """Whether a value is a literal or a reference of which the type is known."""
    try:
        found = references.parse(value)
    except NotAReference:
        notes.add(path, "reference-not-whole", _whole(value))
        return False
    if isinstance(found, InputReference):
        _check_input(found, playbook, path, notes)
        return found.name in playbook.inputs
    if isinstance(found, MeasurementReference):
        _check_measured(found, playbook, call, path, notes)
    return True
