"""Stand-ins for values that are only known at planning, so that a playbook's types can be checked when it is read."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from app.core.messages import say
from app.playbooks import references
from app.playbooks.references import InputReference, NotAReference
from app.playbooks.refusals import Notes
from app.playbooks.rules import Input, InputType, Playbook, Step
from app.playbooks.yaml_text import Path
from runners.contract import Backup, Deposit, EnvironmentPair, ExpectedTable, Node, Proxy, Side

_NODE = Node(
    site="site",
    dsn="secret://dsn",
    data_directory="/data",
    binaries="/bin",
    health="http://127.0.0.1:1/health",
    slot="slot",
)
_SHAPES: dict[InputType, BaseModel] = {
    InputType.ENVIRONMENT_PAIR: EnvironmentPair(
        name="pair",
        primary=_NODE,
        fallback=_NODE,
        service="http://127.0.0.1:1/",
        proxy=Proxy(socket="/socket", backend="service", primary="a", fallback="b"),
    ),
    InputType.BACKUP: Backup(kind="dump", path="/backup", tables=(ExpectedTable(name="table"),)),
    InputType.DEPOSIT: Deposit(archive="/deposit.tar", signature="/deposit.sig", public_key="AAAA", version="1.0"),
}
_PLAIN: dict[InputType, Any] = {
    InputType.URL: "http://127.0.0.1:1/",
    InputType.TEXT: "text",
    InputType.INTEGER: 1,
    InputType.NUMBER: 1.5,
    InputType.BOOLEAN: True,
    InputType.DURATION: "PT10S",
    InputType.MOMENT: "2030-01-01T00:00:00Z",
}


def fields(kind: InputType, path: tuple[str, ...]) -> list[str] | None:
    """None where the path is a field of the type; else the names that are known at the place where it goes wrong."""
    here: Any = _SHAPES.get(kind)
    for name in path:
        known = list(type(here).model_fields) if isinstance(here, BaseModel) else []
        if name not in known:
            return known
        here = getattr(here, name)
    return None


def fill(given: Mapping[str, Any], inputs: Mapping[str, Input], swapped: bool) -> dict[str, Any]:
    """The parameters as JSON values, with a sample for each reference; `swapped` turns the sides round."""
    return {key: _filled(value, inputs, swapped) for key, value in given.items()}


def _filled(value: Any, inputs: Mapping[str, Input], swapped: bool) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(each, inputs, swapped) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(each, inputs, swapped) for each in value]
    found = references.parse(value)
    if found is None:
        return value
    return _sample(found, inputs, swapped) if isinstance(found, InputReference) else "1"


def _sample(found: InputReference, inputs: Mapping[str, Input], swapped: bool) -> Any:
    kind = inputs[found.name].type
    if kind is InputType.SIDE:
        sides = [name for name, each in inputs.items() if each.type is InputType.SIDE]
        first = (sides.index(found.name) % 2 == 0) is not swapped
        return Side.PRIMARY.value if first else Side.FALLBACK.value
    if kind in _PLAIN:
        return _PLAIN[kind]
    here: Any = _SHAPES[kind]
    for name in found.path:
        here = getattr(here, name)
    return here.model_dump(mode="json") if isinstance(here, BaseModel) else here


def check_kinds(step: Step, playbook: Playbook, path: Path, notes: Notes) -> None:
    """Note references outside runner calls that are of a wrong type."""
    if step.at is not None and step.at not in {*Side, "orchestrator"}:
        _expect(step.at, {InputType.SIDE}, playbook, (*path, "at"), notes)
    if step.wait is not None:
        if isinstance(step.wait.for_, str):
            kinds = {InputType.DURATION, InputType.MOMENT}
            _expect(step.wait.for_, kinds, playbook, (*path, "wait"), notes)
        if isinstance(step.wait.until, str):
            _expect(step.wait.until, {InputType.MOMENT}, playbook, (*path, "wait"), notes)
        if (step.wait.for_ is None) is (step.wait.until is None):
            notes.add((*path, "wait"), "wrong-value", say("Give a duration ('wait: PT72H') or a moment, not both."))
    if step.signs is not None:
        _expect(step.signs.pair, {InputType.ENVIRONMENT_PAIR}, playbook, (*path, "signs", "pair"), notes)
        if step.signs.node not in set(Side):
            _expect(step.signs.node, {InputType.SIDE}, playbook, (*path, "signs", "node"), notes)


def _expect(value: str, kinds: set[InputType], playbook: Playbook, path: Path, notes: Notes) -> None:
    try:
        found = references.parse(value)
    except NotAReference:
        found = None
    good = isinstance(found, InputReference) and not found.path and found.name in playbook.inputs
    if good and isinstance(found, InputReference) and playbook.inputs[found.name].type in kinds:
        return
    wanted = ", ".join(sorted(kind.value for kind in kinds))
    reason = say("'{value}' does not fit here. Refer to an input of type {wanted}.", value=value, wanted=wanted)
    notes.add(path, "reference-type", reason)
