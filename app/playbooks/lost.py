"""Checks what a playbook says about a lost side: what may be passed over then, and what must not rest on it."""

from typing import Any

from app.core.messages import say
from app.playbooks import references
from app.playbooks.references import MeasurementReference, NotAReference
from app.playbooks.refusals import Notes
from app.playbooks.rules import Lost, Playbook, Step
from app.playbooks.yaml_text import Path
from runners.contract import Effect, Registry


def check(playbook: Playbook, notes: Notes, registry: Registry) -> None:
    """Note what can't be passed over, values that would be missing then, and debts that nobody would owe."""
    if ("steps",) in notes.broken:
        return
    passed_over = {step.id for step in playbook.steps if step.lost is Lost.SKIP}
    for index, step in enumerate(playbook.steps):
        path: Path = ("steps", index)
        if step.lost is Lost.SKIP:
            _check_skipped(step, path, playbook, notes, registry)
        else:
            _check_debt(step, path, notes)
            _check_values(step, path, passed_over, notes)


def _check_skipped(step: Step, path: Path, playbook: Playbook, notes: Notes, registry: Registry) -> None:
    place = (*path, "lost")
    if step.signs is not None or _provides(step, playbook, registry):
        reason = say(
            "This step proves a safety fact, so nothing may pass over it. Prove it from the other side, with a step of "
            "its own."
        )
        notes.add(place, "lost-skips-fact", reason)
    if step.point_of_no_return or step.ends_outage:
        reason = say("Without this step the service is not moved. It cannot be passed over; remove 'lost: skip'.")
        notes.add(place, "lost-skips-switch", reason)
    if any(step.id in steps for steps in playbook.proves.values()):
        reason = say("This step carries a claim under 'proves'. Let the claim rest on a step that is always done.")
        notes.add(place, "lost-skips-proof", reason)


def _provides(step: Step, playbook: Playbook, registry: Registry) -> bool:
    """Whether the step's runner proves a fact that a step which is always done rests on; acting proves nothing."""
    runner = registry.get(step.uses or "")
    if runner is None or runner.effect is not Effect.OBSERVES:
        return False
    always = [registry.get(each.uses or "") for each in playbook.steps if each.lost is not Lost.SKIP]
    required = {fact.kind for each in always if each is not None for fact in each.requires}
    return any(fact.kind in required for fact in runner.provides)


def _check_debt(step: Step, path: Path, notes: Notes) -> None:
    if step.debt is not None:
        reason = say("A debt is what a passed-over step leaves. Write 'lost: skip' beside it, or remove it.")
        notes.add((*path, "debt"), "debt-without-skip", reason)


def _check_values(step: Step, path: Path, passed_over: set[str], notes: Notes) -> None:
    for where, value in references.places(_raw(step)):
        found = _measured(value)
        if found is not None and found.step in passed_over:
            reason = say(
                "'{step}' is passed over when its side is lost, and measures nothing then. Use a value that is always "
                "measured.",
                step=found.step,
            )
            notes.add((*path, *where), "lost-value-missing", reason)


def _raw(step: Step) -> dict[str, Any]:
    undo = {"undo": {"with": step.undo.with_}} if step.undo else {}
    return {"with": step.with_, **undo}


def _measured(value: Any) -> MeasurementReference | None:
    try:
        found = references.parse(value)
    except NotAReference:
        return None  # told elsewhere
    return found if isinstance(found, MeasurementReference) else None
