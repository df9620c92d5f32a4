"""Creates, edits, archives and restores everything in the catalogue, as its `Resource` says."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic.alias_generators import to_camel
from pydantic_core import to_jsonable_python
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from app.access import reach
from app.access.rules import Actor
from app.catalog import changes
from app.catalog.models import stamp
from app.catalog.resource import Draft, Many, NameTaken, Resource, StillArchived
from app.catalog.rules import normalised
from app.catalog.shapes import CatalogPatch, NotSubstantive
from app.core import audit, clock
from app.core.columns import next_ref
from app.core.edits import require_match
from app.core.errors import Conflict, FieldError, InvalidInput
from app.core.messages import say
from app.core.shapes import Shape


def find(session: Session, resource: Resource, key: str, *, lock: bool = False) -> Any:
    """The row with this id or reference. Raises NotFound."""
    return reach.find(session, resource.table, key, resource.label, lock=lock)


def create(session: Session, resource: Resource, data: Shape, actor: Actor) -> Any:
    """A new row. Raises InvalidInput with every fault at once, NameTaken for a twin."""
    now = clock.now()
    row = resource.table(ref="", name="", created_at=now, updated_at=now)
    draft = _drafted(session, resource, row, _values(data))
    row.ref = next_ref(session, resource.prefix)
    session.add(row)
    _write(session, resource, draft)
    resource.settled(session, row, frozenset({"created"}), actor)
    changes.record(session, resource.kind, row, ("created",), actor, None)
    audit.record(session, actor.ref, f"{resource.kind}.created", resource.kind, row.id, ref=row.ref)
    return row


def edit(
    session: Session, resource: Resource, key: str, patch: CatalogPatch, actor: Actor, *, if_match: str | None
) -> Any:
    """Change the fields that were sent; nothing is written where nothing differs. Raises StaleEdit, StillArchived."""
    row = find(session, resource, key, lock=True)
    require_match(if_match, row)
    if row.archived_at is not None:
        raise StillArchived(say("{ref} is archived. Restore it before you edit it.", ref=row.ref))
    values = _values(patch)
    waived = patch.not_substantive
    values.pop("not_substantive", None)
    before = view(session, resource, row)
    draft = _drafted(session, resource, row, values)
    after = view(session, resource, row) | {name: sorted(ids) for name, ids in draft.lists.items()}
    differing = audit.changes(before, after)
    if not differing:
        return row
    stamp(row)
    _write(session, resource, draft)
    resource.settled(session, row, frozenset(differing), actor)
    _record_edit(session, resource, row, differing, actor, waived)
    return row


def _record_edit(
    session: Session, resource: Resource, row: Any, differing: dict[str, Any], actor: Actor, waived: Any
) -> None:
    reason: NotSubstantive | None = waived
    changes.record(session, resource.kind, row, tuple(differing), actor, reason)
    detail = {"ref": row.ref, "changes": differing} | ({"not_substantive": reason.reason} if reason else {})
    audit.record(session, actor.ref, f"{resource.kind}.edited", resource.kind, row.id, **detail)


def archive(session: Session, resource: Resource, key: str, actor: Actor, *, reason: str) -> Any:
    """Take a row out of the lists without losing what rests on it; archiving twice changes nothing."""
    row = find(session, resource, key, lock=True)
    if row.archived_at is None:
        row.archived_at, row.twin_key = clock.now(), None
        _moved(session, resource, row, actor, "archived", reason)
    return row


def restore(session: Session, resource: Resource, key: str, actor: Actor) -> Any:
    """Bring an archived row back. Raises NameTaken where its name was given to another since."""
    row = find(session, resource, key, lock=True)
    if row.archived_at is not None:
        row.archived_at = None
        row.twin_key = _twin_key(session, resource, row)
        _moved(session, resource, row, actor, "restored", "")
    return row


def _moved(session: Session, resource: Resource, row: Any, actor: Actor, what: str, reason: str) -> None:
    stamp(row)
    session.add(row)
    session.flush()
    resource.settled(session, row, frozenset({"archived"}), actor)
    changes.record(session, resource.kind, row, ("archived",), actor, None)
    audit.record(session, actor.ref, f"{resource.kind}.{what}", resource.kind, row.id, ref=row.ref, reason=reason)


def _values(data: Shape) -> dict[str, Any]:
    return data.sent() if isinstance(data, CatalogPatch) else data.model_dump()


def _drafted(session: Session, resource: Resource, row: Any, values: Mapping[str, Any]) -> Draft:
    """Fill the row in memory and check it as a whole; nothing reaches the database before all of it is right."""
    with session.no_autoflush:
        lists = {name: current_ids(session, many, row.id) for name, many in resource.lists.items()}
        faults: list[FieldError] = []
        for name, value in values.items():
            if name in resource.links:
                faults += _set_link(session, resource, row, name, value)
            elif name in resource.lists:
                hidden = reach.unseen(session, resource.lists[name].target, lists[name])
                named, wrong = _ids_of(session, resource.lists[name], name, value)
                lists[name], faults = [*named, *hidden], faults + wrong
            else:
                setattr(row, name, to_jsonable_python(value) if resource.is_document(name) else value)
        draft = Draft(row, lists)
        faults += resource.check(session, draft)
        if faults:
            raise InvalidInput(say("Some fields are not right. Nothing was saved."), errors=_once_each(faults))
        if resource.named is not None:
            row.name = resource.named(session, row)
        row.twin_key = _twin_key(session, resource, row)
    return draft


def _once_each(faults: Iterable[FieldError]) -> list[FieldError]:
    return list({(fault.field, fault.code): fault for fault in faults}.values())


def _set_link(session: Session, resource: Resource, row: Any, name: str, key: str | None) -> list[FieldError]:
    if key is None:
        setattr(row, f"{name}_id", None)
        return []
    found, fault = _referred(session, resource.links[name], to_camel(name), key)
    if found is not None and found.id != getattr(row, f"{name}_id"):
        fault = fault or _archived_fault(found, to_camel(name))
        setattr(row, f"{name}_id", found.id)
    return [fault] if fault else []


def _ids_of(session: Session, many: Many, name: str, keys: Sequence[str]) -> tuple[list[str], list[FieldError]]:
    faults: list[FieldError] = []
    ids: dict[str, None] = {}
    for number, key in enumerate(keys):
        at = f"{to_camel(name)}.{number}"
        found, fault = _referred(session, many.target, at, key)
        fault = fault or (None if found is None else _archived_fault(found, at))
        faults += [fault] if fault else []
        ids |= {} if found is None else {found.id: None}
    return list(ids), faults


def _referred(session: Session, target: type[Any], at: str, key: str) -> tuple[Any, FieldError | None]:
    found = reach.lookup(session, target, key)
    if found is not None:
        return found, None
    kind = str(target.__tablename__).replace("_", " ")
    return None, FieldError(at, "not-found", say("There is no {kind} '{key}'.", kind=kind, key=key))


def _archived_fault(found: Any, at: str) -> FieldError | None:
    if found.archived_at is None:
        return None
    return FieldError(at, "archived", say("{ref} is archived. Restore it or choose another.", ref=found.ref))


def _twin_key(session: Session, resource: Resource, row: Any) -> str:
    parts = "\x1f".join((resource.kind, *(normalised(part) for part in resource.twin(row))))
    key = hashlib.sha256(parts.encode()).hexdigest()
    with session.no_autoflush:
        table = resource.table
        twin = session.exec(select(table).where(table.twin_key == key, table.id != row.id)).first()
    if twin is not None and reach.unseen(session, table, [twin.id]):
        sentence = say("Another unit has this name already. Choose another name.")
        raise NameTaken(sentence, errors=[FieldError("name", "name-taken", sentence)])
    if twin is not None:
        sentence = say(
            "{ref} has this name already: {name}. Use that one, or choose another name.", ref=twin.ref, name=twin.name
        )
        raise NameTaken(sentence, errors=[FieldError("name", "name-taken", sentence)], existing=twin.ref)
    return key


def _write(session: Session, resource: Resource, draft: Draft) -> None:
    session.add(draft.row)
    try:
        session.flush()
    except IntegrityError as error:
        if "unique" not in str(error.orig).lower():
            raise
        # Two writers at once, of whom the check for a twin saw neither.
        raise Conflict(say("Somebody saved the same at this very moment. Read it again and repeat.")) from error
    for name, many in resource.lists.items():
        _replace(session, many, draft.row.id, draft.lists[name])


def _replace(session: Session, many: Many, own_id: str, ids: Iterable[str]) -> None:
    """Only what differs is written: what stays may be a link that whoever saves may neither see nor make."""
    own, other = getattr(many.table, many.own), getattr(many.table, many.other)
    before, after = set(current_ids(session, many, own_id)), set(ids)
    session.execute(delete(many.table).where(own == own_id, other.in_(before - after)))
    session.add_all([many.table(**{many.own: own_id, many.other: each}) for each in sorted(after - before)])
    session.flush()


def current_ids(session: Session, many: Many, own_id: str) -> list[str]:
    """Ids in a list of references as it is stored."""
    own, other = getattr(many.table, many.own), getattr(many.table, many.other)
    return list(session.scalars(select(other).where(own == own_id).order_by(other)))


def view(session: Session, resource: Resource, row: Any) -> dict[str, Any]:
    """What people typed about a row, in JSON values, references as ids: what two moments are compared by."""
    seen: dict[str, Any] = {}
    for name in resource.shape_in.model_fields:
        if name in resource.links:
            seen[name] = getattr(row, f"{name}_id")
        elif name in resource.lists:
            with session.no_autoflush:
                seen[name] = sorted(current_ids(session, resource.lists[name], row.id))
        else:
            seen[name] = to_jsonable_python(getattr(row, name))
    return seen
