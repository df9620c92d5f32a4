"""Which environment pairs a run of a playbook holds: those it names under `locks`, and those that a step changes."""

from typing import Any

from app.playbooks import references
from app.playbooks.references import InputReference, NotAReference
from app.playbooks.rules import InputType, Playbook
from runners.contract import Effect, Registry


def held(playbook: Playbook, registry: Registry) -> tuple[str, ...]:
    """Names of the inputs to lock; a pair in the hands of a changing step is held without being asked for."""
    pairs = {name for name, each in playbook.inputs.items() if each.type is InputType.ENVIRONMENT_PAIR}
    changed = {
        _input_named(value)
        for step in playbook.steps
        if (runner := registry.get(step.uses or "")) is not None and runner.effect is Effect.CHANGES
        for _, value in references.places(step.with_)
    }
    return tuple(sorted({*playbook.locks, *(changed & pairs)}))


def _input_named(value: Any) -> str:
    """The input that a value refers to; empty where it refers to none."""
    try:
        found = references.parse(value)
    except NotAReference:
        return ""
    return found.name if isinstance(found, InputReference) else ""
