"""What is known of a step before it runs: its parameters so far, and the site that will run it."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.core.errors import Conflict
from app.core.messages import say
from app.playbooks.references import InputReference, MeasurementReference, Unresolved, parse, resolve
from app.playbooks.rules import InputType, Playbook, Step
from runners.contract import Runner, Side

ORCHESTRATOR = "orchestrator"
"""Name of the site that carries out what names no node."""


class ValueMissing(Conflict):
    """A playbook's parameter refers to something that the catalogue or the drill does not say."""

    code = "value-missing"


def known(raw: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """The parameters that can be resolved before the run: all that is not measured by an earlier step."""
    plain = {name: value for name, value in raw.items() if not _later(value)}
    try:
        found: dict[str, Any] = {name: resolve(value, inputs, {}) for name, value in plain.items()}
    except Unresolved as missing:
        raise ValueMissing(
            say("{value} has no value. Fill it in the catalogue or in the drill.", value=missing)
        ) from None
    return found


def _later(value: Any) -> bool:
    return isinstance(parse(value) if isinstance(value, str) else None, MeasurementReference)


def site_of(step: Step, runner: Runner, params: dict[str, Any], playbook: Playbook, inputs: dict[str, Any]) -> str:
    """Where a step runs: `at`, else the site of the node that it names, else the orchestrator's."""
    if step.at is not None:
        return _at(step.at, playbook, inputs)
    fields = runner.Params.model_fields
    values = {name: typed(fields[name].annotation, value) for name, value in params.items() if name in fields}
    return runner.site(runner.Params.model_construct(**values)) or ORCHESTRATOR


def typed(annotation: Any, value: Any) -> Any:
    """The value as the type of its parameter; itself where it is none."""
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return value  # the loader checked the playbook; a wrong value of an input is the runner's to refuse


def _at(at: str, playbook: Playbook, inputs: dict[str, Any]) -> str:
    reference = parse(at)
    side = resolve(at, inputs, {}) if isinstance(reference, InputReference) else at
    pair = next((n for n, each in playbook.inputs.items() if each.type is InputType.ENVIRONMENT_PAIR), None)
    if side not in (*Side,) or pair is None:
        return ORCHESTRATOR
    site: str = inputs[pair].node(Side(side)).site
    return site
