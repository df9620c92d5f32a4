"""What lies within somebody's sight and reach: rows of services that are not theirs are not there for them.

No route and no list says so itself. Which services a row belongs to follows from the foreign keys of its table: to a
service, or to a row that belongs to one; where those are empty, the row is the whole organisation's.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Select, Table, and_, event, false, or_, select
from sqlalchemy.orm import ORMExecuteState, UOWTransaction, with_loader_criteria
from sqlmodel import Session, SQLModel

from app.access.rules import Action, Actor, Part, Place, Sight, may, sight
from app.core.errors import NotAllowed, not_found
from app.core.messages import say

_WORK = "work"
_SERVICE = "service"
_NOBODY_ELSES = frozenset({"catalog_change"})
"""Tables that name rows of every unit without a foreign key: hidden from whoever does not see all."""
_COLLECTIONS = {"people": "person", "kits": _SERVICE, "playbooks": "playbook_version", "run-approvals": "run_approval"}
"""Tables of the collections in addresses whose name does not follow from that of the collection."""

_ORGANISATIONS = frozenset({"supplier", "site", "playbook_version", "person", "machine_token"})
"""Tables of which each row is the whole organisation's."""


@dataclass(frozen=True)
class _Work:
    """For whom a session works, and what they asked for."""

    actor: Actor
    action: Action
    seen: Sight | None
    """What they may read, where that is not everything and they only look."""


def work_for(session: Session, actor: Actor, action: Action, *, only_look: bool) -> None:
    """From here on `session` works for `actor`: it refuses new rows out of their reach.

    Where they only look, it finds nothing out of their sight either. Where they change something it does: what is
    judged and stored then must not be judged by a part; so what they name is looked for by `find`.
    """
    session.info[_WORK] = _Work(actor, action, sight(actor) if only_look else None)


def find(session: Session, table: type[Any], key: str, label: str, *, lock: bool = False) -> Any:
    """The row with this id or reference. Raises NotFound where there is none, and where who asks may not see it."""
    row = lookup(session, table, key, lock=lock)
    if row is None:
        raise not_found(label, key)
    return row


def lookup(session: Session, table: type[Any], key: str, *, lock: bool = False) -> Any:
    """The row with this id or reference; None where there is none that whoever asks may see."""
    wanted = select(table).where(_keyed(table.__table__, key))
    if lock:
        # key_share: others may meanwhile refer to the row, else two edits that refer to each other's would deadlock.
        wanted = wanted.with_for_update(key_share=True).execution_options(populate_existing=True)
    row = session.scalars(wanted).first() if key.isprintable() else None
    return row if row is not None and _may_see(session, row) else None


def _may_see(session: Session, row: Any) -> bool:
    work: _Work | None = session.info.get(_WORK)
    if work is None or not work.actor.grants or not is_placed(row.__table__):
        return True
    return may(work.actor, Action.READ, _place(session, row.__table__, row.__table__.c.id == row.id))


@event.listens_for(Session, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    work: _Work | None = state.session.info.get(_WORK)
    if work is None or work.seen is None or not state.is_select:
        return
    seen = work.seen
    state.statement = state.statement.options(
        *(with_loader_criteria(each, _within(each.__table__, seen), include_aliases=True) for each in _placed())
    )


@event.listens_for(Session, "before_flush")
def _refuse_strangers(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    work: _Work | None = session.info.get(_WORK)
    if work is None or not work.actor.grants:
        return
    with session.no_autoflush:
        for row in session.new:
            place = _place_of_new(session, row)
            if place is None or may(work.actor, work.action, place):
                continue
            if not may(work.actor, Action.READ, place):
                raise not_found(_SERVICE, next(iter(place.parts)).service_id)
            raise NotAllowed(say("Your role does not permit this ({action}).", action=work.action.value))


def _place_of_new(session: Session, row: Any) -> Place | None:
    """Where a row that is to be written will stand; None where that follows from other rows, or does not matter."""
    table = row.__table__
    if table.name in _ORGANISATIONS:
        return Place()
    if not is_placed(table) or table.name == _SERVICE:
        return Place(frozenset({Part(row.id, row.unit)})) if table.name == _SERVICE else None
    for key in _ways(table):
        there, value = key.column.table, getattr(row, key.parent.name)
        if value is not None and session.execute(select(key.column).where(key.column == value)).first() is not None:
            return _place(session, there, key.column == value)
    return None


@cache
def _placed() -> tuple[Any, ...]:
    """The mapped classes whose rows belong to services."""
    mapped = [mapper.class_ for mapper in SQLModel._sa_registry.mappers]
    return tuple(each for each in mapped if is_placed(each.__table__))


def is_placed(table: Table, *, above: frozenset[str] = frozenset()) -> bool:
    """Whether rows of this table belong to services, or may."""
    if table.name == _SERVICE or table.name in _NOBODY_ELSES or _between(table) is not None:
        return True
    return any(
        is_placed(key.column.table, above=above | {table.name})
        for key in table.foreign_keys
        if key.column.table.name not in above | {table.name}
    )


def _within(table: Table, seen: Sight) -> ColumnElement[bool]:
    """The condition that a row is within this sight."""
    if table.name in _NOBODY_ELSES:
        return false()
    if table.name == _SERVICE:
        return or_(table.c.unit.in_(seen.units), table.c.id.in_(seen.services))
    if (between := _between(table)) is not None:
        theirs = _ids(table.metadata.tables[_SERVICE], seen)
        mine = select(between.c[f"{table.name}_id"])
        return or_(table.c.id.not_in(mine), table.c.id.in_(mine.where(between.c.service_id.in_(theirs))))
    return and_(*(_by(key, seen) for key in _ways(table)))


def _by(key: ForeignKey, seen: Sight) -> ColumnElement[bool]:
    there = key.parent.in_(_ids(key.column.table, seen))
    return or_(key.parent.is_(None), there) if key.parent.nullable else there


def _ids(table: Table, seen: Sight) -> Select[Any]:
    return select(next(iter(table.primary_key))).where(_within(table, seen))


def _between(table: Table) -> Table | None:
    """The table that says to which services rows of this one belong, where that may be several."""
    return table.metadata.tables.get(f"{table.name}_service")


def table_of(collection: str) -> Table | None:
    """The table whose rows an address such as ``/plans/{key}`` names; None where it names no rows of ours."""
    tables = SQLModel.metadata.tables
    singular = collection.removesuffix("s").replace("-", "_")
    return tables.get(_COLLECTIONS.get(collection, singular))


def named_by(path: str) -> tuple[str, str] | None:
    """The collection and the path parameter of the first thing that a route's address names; None: it names none."""
    pieces = path.removeprefix("/api/v1").split("/")
    for collection, piece in pairwise(pieces):
        if piece.startswith("{"):
            return collection, piece.strip("{}").partition(":")[0]
    return None


def place_of(session: Session, table: Table, key: str) -> Place | None:
    """Where the row with this id or reference stands; None where there is none."""
    keyed = _keyed(table, key)
    if not key.isprintable() or session.execute(select(table.c.id).where(keyed)).first() is None:
        return None
    return _place(session, table, keyed)


def _keyed(table: Table, key: str) -> ColumnElement[bool]:
    by_ref = [table.c.ref == key.upper()] if "ref" in table.c else []
    return or_(table.c.id == key, *by_ref)


def _place(session: Session, table: Table, which: ColumnElement[bool]) -> Place:
    service = table.metadata.tables[_SERVICE]
    theirs = _services(table, select(table.c.id).where(which))
    rows = session.execute(select(service.c.id, service.c.unit).where(service.c.id.in_(theirs)))
    return Place(frozenset(Part(*row) for row in rows))


def _services(table: Table, ids: Select[Any]) -> Select[Any]:
    """The services that these rows belong to."""
    if table.name == _SERVICE:
        return ids
    if (between := _between(table)) is not None:
        return select(between.c.service_id).where(between.c[f"{table.name}_id"].in_(ids))
    way = min(_ways(table), key=lambda key: key.parent.nullable)  # one that is there suffices: they agree
    return _services(way.column.table, select(way.parent).where(table.c.id.in_(ids)))


def _ways(table: Table) -> list[ForeignKey]:
    """The foreign keys by which rows of this table belong to services: straight to one, else by what belongs to one."""
    keys = [key for key in table.foreign_keys if key.column.table is not table and is_placed(key.column.table)]
    return [key for key in keys if key.column.table.name == _SERVICE] or keys
