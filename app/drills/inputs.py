"""Fills a playbook's inputs from the catalogue: what the drill names becomes the shapes that runners take."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from sqlmodel import Session, col, select

from app.catalog import service as catalog
from app.catalog.models import CatalogObject, Environment, Site
from app.catalog.models import EnvironmentPair as PairRow
from app.core.errors import FieldError, InvalidInput, NotFound
from app.core.messages import Message, say
from app.core.shapes import Duration, Moment
from app.drills.models import Drill
from app.playbooks.literals import address_fault, looks_secret
from app.playbooks.rules import Input, InputType, Playbook, opposed
from runners.contract import Backup, Deposit, EnvironmentPair, Node, Proxy, Side

Shaped = TypeVar("Shaped", bound=BaseModel)
_DURATION: TypeAdapter[int] = TypeAdapter(Duration)
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


class InputsInvalid(InvalidInput):
    """Inputs of the playbook are missing, or name what cannot be used; `errors` names each."""

    code: ClassVar[str] = "inputs-invalid"


class _Bad(Exception):
    """One input cannot be filled."""

    def __init__(self, code: str, reason: Message) -> None:
        super().__init__(str(reason))
        self.code, self.reason = code, reason


def resolve_inputs(session: Session, drill: Drill, playbook: Playbook) -> dict[str, Any]:
    """Every input by name: shapes of `runners.contract` for pairs, sides, backups, deposits; else plain values.

    Durations come as whole seconds, moments as timezone-aware datetimes. Raises `InputsInvalid` with all at once.
    """
    given = dict(drill.inputs)
    for name, each in playbook.inputs.items():
        if each.type is InputType.ENVIRONMENT_PAIR and name not in given and drill.pair_id:
            given[name] = drill.pair_id
    values, faults = resolve(session, given, playbook, service_id=drill.service_id)
    if faults:
        raise InputsInvalid(
            say("The playbook's inputs cannot be filled. Mend the drill or the catalogue."), errors=faults
        )
    return values


def resolve(
    session: Session, given: Mapping[str, Any], playbook: Playbook, *, service_id: str | None
) -> tuple[dict[str, Any], list[FieldError]]:
    """The filled inputs, and a fault for each one that cannot be."""
    values: dict[str, Any] = {}
    faults = [
        FieldError(f"inputs/{name}", "unknown-input", say("The playbook has no input '{name}'. Remove it.", name=name))
        for name in given
        if name not in playbook.inputs
    ]
    for name, declared in playbook.inputs.items():
        try:
            value = given.get(name, declared.default)
            if isinstance(value, str) and looks_secret(name, value):
                reason = say("A secret stands here in plain text. Keep it at the site and write 'secret://NAME'.")
                raise _Bad("secret-inline", reason)
            values[name] = _one(session, declared, value, service_id)
        except _Bad as bad:
            faults.append(FieldError(f"inputs/{name}", bad.code, bad.reason))
    sides = opposed(playbook.inputs)
    if sides and sides[0] in values and values[sides[0]] is values.get(sides[1]):
        reason = say("'{one}' and '{other}' are the same side. Give each another one.", one=sides[0], other=sides[1])
        faults.append(FieldError(f"inputs/{sides[1]}", "source-is-target", reason))
    return values, faults


def _one(session: Session, declared: Input, given: Any, service_id: str | None) -> Any:
    kind = declared.type
    if kind is InputType.ENVIRONMENT_PAIR:
        return pair_shape(session, pair_row(session, given, service_id))
    if given is None:
        raise _Bad("input-missing", say("This input is missing. Give a value of type {kind}.", kind=kind.value))
    match kind:
        case InputType.SIDE:
            if given not in set(Side):
                raise _Bad("wrong-value", say("Write 'primary' or 'fallback'."))
            return Side(given)
        case InputType.BACKUP:
            return _described(session, given, Backup)
        case InputType.DEPOSIT:
            return _described(session, given, Deposit)
        case _:
            return _plain(kind, given)


def pair_row(session: Session, given: Any, service_id: str | None) -> PairRow:
    """The pair that a drill names, or the only one of its service. It must be of that service and in use."""
    if given is None:
        rows = session.exec(
            select(PairRow).where(PairRow.service_id == service_id, col(PairRow.archived_at).is_(None))
        ).all()
        if len(rows) != 1:
            reason = say("Name the environment pair: this service has {count}.", count=len(rows))
            raise _Bad("input-missing", reason)
        return rows[0]
    row: PairRow = _found(session, PairRow, given)
    if row.archived_at is not None:
        raise _Bad("archived", say("Environment pair {ref} is archived. Choose another one.", ref=row.ref))
    if service_id is not None and row.service_id != service_id:
        raise _Bad("other-service", say("Environment pair {ref} is of another service than the plan.", ref=row.ref))
    return row


def pair_id(session: Session, given: Any, service_id: str | None) -> str | None:
    """Id of the pair that a drill names, or of the only one of its service; None where that cannot be told."""
    try:
        return pair_row(session, given, service_id).id
    except _Bad:
        return None


def _found(session: Session, table: Any, given: Any) -> Any:
    try:
        return catalog.find(session, table, str(given))
    except NotFound as error:
        raise _Bad("not-found", say("There is no '{key}'. Check the reference.", key=str(given))) from error


def pair_shape(session: Session, row: PairRow) -> EnvironmentPair:
    """What the runners get to know of a pair. Raises the fault where its drivers' data cannot be used."""
    return EnvironmentPair(
        name=row.ref,
        primary=_node(session, row.primary_id),
        fallback=_node(session, row.fallback_id),
        service=row.service_url or None,
        proxy=_shape(Proxy, row.proxy, row.ref) if row.proxy else None,
    )


def _node(session: Session, environment_id: str) -> Node:
    environment = session.get_one(Environment, environment_id)
    if environment.archived_at is not None:
        raise _Bad("archived", say("Environment {ref} is archived. Mend the pair.", ref=environment.ref))
    site = session.get_one(Site, environment.site_id)
    return _shape(Node, {**environment.driver, "site": site.name}, environment.ref)


def _described(session: Session, given: Any, shape: type[Shaped]) -> Shaped:
    row: CatalogObject = _found(session, CatalogObject, given)
    if row.archived_at is not None:
        raise _Bad("archived", say("Object {ref} is archived. Choose another one.", ref=row.ref))
    if not row.driver:
        reason = say("Object {ref} does not say how it is reached. Fill its driver fields.", ref=row.ref)
        raise _Bad("driver-missing", reason)
    return _shape(shape, row.driver, row.ref)


def _shape(shape: type[Shaped], data: dict[str, Any], ref: str) -> Shaped:
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors())
        raise _Bad(
            "driver-invalid", say("The driver fields of {ref} are wrong: {told}.", ref=ref, told=told)
        ) from error


def _plain(kind: InputType, given: Any) -> Any:
    try:
        match kind:
            case InputType.INTEGER if isinstance(given, int) and not isinstance(given, bool):
                return given
            case InputType.NUMBER if isinstance(given, int | float) and not isinstance(given, bool):
                return given
            case InputType.BOOLEAN if isinstance(given, bool):
                return given
            case InputType.DURATION:
                return _DURATION.validate_python(given)
            case InputType.MOMENT:
                return _MOMENT.validate_python(given)
            case InputType.TEXT if isinstance(given, str):
                return _text(given)
            case InputType.URL if isinstance(given, str):
                return _url(given)
            case _:
                pass
    except ValidationError as error:
        told = error.errors()[0]["msg"]
        raise _Bad("wrong-value", say("This is no {kind}: {told}.", kind=kind.value, told=told)) from error
    raise _Bad("wrong-value", say("This is no {kind}. Give a value of that type.", kind=kind.value))


def _text(given: str) -> str:
    if given.startswith("-"):
        raise _Bad("leading-dash", say("A value must not start with '-': a command would read it as an option."))
    if re.search(r"[\x00-\x1f\x7f]", given):
        raise _Bad("wrong-value", say("A value must not contain control characters."))
    if "{{" in given or "${" in given:
        raise _Bad("template", say("A value is taken as it is; references and templates are refused."))
    return given


def _url(given: str) -> str:
    fault = address_fault(given)
    if fault is not None or "${" in given or "{{" in given:
        raise _Bad("wrong-value", fault or say("A value is taken as it is; references and templates are refused."))
    return given
