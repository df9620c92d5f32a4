"""What lies within somebody's sight and reach: rows of services that are not theirs are not there for them.

No route and no list says so itself. Which services a row belongs to follows from the foreign keys of its table: to a
service, or to a row that belongs to one; where those are empty, the row is the whole organisation's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Select, Table, and_, event, false, inspect, or_, select
from sqlalchemy.orm import ORMExecuteState, UOWTransaction, with_loader_criteria
from sqlmodel import Session, SQLModel

from app.access.rules import Action, Actor, Part, Place, Sight, may, sight
from app.core.errors import NotAllowed, not_found
from app.core.messages import say

_WORK = "work"
_SERVICE = "service"
_NOBODY_ELSES = frozenset({"catalog_change"})
"""Tables that name rows of every unit without a foreign key: hidden from whoever does not see all."""
_LINKS = {"environment_lock": {"run_id": "run"}}
"""Columns that name rows of another table without a foreign key, since the row outlives what it names."""
_COLLECTIONS = {
    "people": "person",
    "kits": _SERVICE,
    "playbooks": "playbook_version",
    "run-approvals": "run_approval",
    "sessions": "user_session",
}
"""Tables of the collections in addresses whose name does not follow from that of the collection."""
_WITHOUT_ROWS = frozenset({"providers", "runners"})
"""Collections in addresses that are no rows of ours, and the whole organisation's."""
_ORGANISATIONS = frozenset({"supplier", "site", "playbook_version", "person", "machine_token"})
"""Tables of which each row is the whole organisation's."""
_BY_PEOPLE = _ORGANISATIONS | {
    *("blackout", "contract_service", "drill", "environment", "environment_pair", "finding", "measure", "mvo"),
    *("object_service", "plan", _SERVICE, "service_dependency", "supply_chain_link"),
}
"""Tables whose rows people make, and say to which service they belong. Other rows follow from what is there."""

Row = TypeVar("Row")


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


def only_look(session: Session) -> None:
    """From here on the session only tells whoever asks something: it finds nothing out of their sight any more.

    For the answer to a change: the form that is shown again with its faults, and the row as it was saved.
    """
    work: _Work | None = session.info.get(_WORK)
    if work is not None:
        session.info[_WORK] = replace(work, seen=sight(work.actor))


def find(session: Session, table: type[Row], key: str, label: str, *, lock: bool = False) -> Row:
    """The row with this id or reference. Raises NotFound where there is none, and where who asks may not see it."""
    row = lookup(session, table, key, lock=lock)
    if row is None:
        raise not_found(label, key)
    return row


def lookup(session: Session, table: type[Row], key: str, *, lock: bool = False) -> Row | None:
    """The row with this id or reference; None where there is none that whoever asks may see."""
    wanted = select(table).where(_keyed(_table(table), key))
    if lock:
        # key_share: others may meanwhile refer to the row, else two edits that refer to each other's would deadlock.
        wanted = wanted.with_for_update(key_share=True).execution_options(populate_existing=True)
    row = session.scalars(wanted).first() if key.isprintable() else None
    return row if row is not None and _may_see(session, row) else None


def unseen(session: Session, table: type[Any], ids: Iterable[str]) -> list[str]:
    """Which of these rows whoever asks may not see: what they send cannot name them, and leaves them as they are."""
    work: _Work | None = session.info.get(_WORK)
    seen = sight(work.actor) if work is not None else None
    if seen is None or not is_placed(_table(table)):
        return []
    within = set(session.scalars(_ids(_table(table), seen)))
    return [each for each in ids if each not in within]


def _may_see(session: Session, row: Any) -> bool:
    work: _Work | None = session.info.get(_WORK)
    table = _table(type(row))
    if work is None or not work.actor.grants or not is_placed(table):
        return True
    return may(work.actor, Action.READ, place_of_row(session, row))


def _table(mapped: type[Any]) -> Table:
    table: Table = mapped.__table__
    return table


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
        for row in [*session.new, *(each for each in session.dirty if _moves(each))]:
            place = _place_to_be(session, row)
            if place is None or may(work.actor, work.action, place):
                continue
            named = next((part.service_id for part in place.parts), "")
            if named and row.__table__.name != _SERVICE and not may(work.actor, Action.READ, place):
                raise not_found(_SERVICE, named)
            raise NotAllowed(say("Your role does not permit this ({action}).", action=work.action.value))


def _moves(row: Any) -> bool:
    """Whether a row is about to belong to another service, or to another unit."""
    table = row.__table__
    if table.name not in _BY_PEOPLE:
        return False
    names = [column.name for column, _ in _ways(table)] + (["unit"] if "unit" in table.c else [])
    state = inspect(row)
    return any(state.attrs[name].history.has_changes() for name in names)


def _place_to_be(session: Session, row: Any) -> Place | None:
    """Where a row that is to be written will stand; None where that follows from rows that are there."""
    table = row.__table__
    if table.name not in _BY_PEOPLE:
        return None
    if table.name == _SERVICE:
        return Place(frozenset({Part(row.id, row.unit or "")}))
    parts: frozenset[Part] = frozenset()
    for column, there in _ways(table):
        value = getattr(row, column.name)
        if value is not None:
            parts |= _place(session, there, there.c.id == value).parts
    own = getattr(row, "unit", "")
    return Place(parts or (frozenset({Part("", own)}) if own else frozenset()))


@cache
def _placed() -> tuple[Any, ...]:
    """The mapped classes whose rows belong to services."""
    mapped = [mapper.class_ for mapper in SQLModel._sa_registry.mappers]
    return tuple(each for each in mapped if is_placed(each.__table__))


@cache
def is_placed(table: Table) -> bool:
    """Whether rows of this table belong to services, or may."""
    return _leads(table, frozenset()) is not None


def _leads(table: Table, above: frozenset[str]) -> int | None:
    """Over how many rows rows of this table lead to a service, by the shortest way; None: they never do."""
    if table.name == _SERVICE or table.name in _NOBODY_ELSES:
        return 0
    if _between(table) is not None:
        return 1
    above |= {table.name}
    steps = [_leads(there, above) for _, there in _links(table) if there.name not in above]
    return min((each + 1 for each in steps if each is not None), default=None)


def _links(table: Table) -> list[tuple[Column[Any], Table]]:
    """The columns by which rows of this table name rows of others, with the table of those."""
    told = [(table.c[name], table.metadata.tables[there]) for name, there in _LINKS.get(table.name, {}).items()]
    return [(key.parent, key.column.table) for key in table.foreign_keys] + told


@cache
def _ways(table: Table) -> list[tuple[Column[Any], Table]]:
    """The columns by which rows of this table belong to services: the nearest that each row has, else all."""
    links = [(column, there) for column, there in _links(table) if there is not table and is_placed(there)]
    always = [(column, there) for column, there in links if not column.nullable]
    nearest = min((_leads(there, frozenset()) or 0 for _, there in always), default=0)
    return [(column, there) for column, there in always if (_leads(there, frozenset()) or 0) == nearest] or links


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
    of_unit = [or_(_has_way(table), table.c.unit == "", table.c.unit.in_(seen.units))] if "unit" in table.c else []
    return and_(*(_by(column, there, seen) for column, there in _ways(table)), *of_unit)


def _has_way(table: Table) -> ColumnElement[bool]:
    """That a row which may say its unit itself belongs to a service, and so to that service's unit."""
    return or_(false(), *(column.is_not(None) for column, _ in _ways(table)))


def _by(column: Column[Any], there: Table, seen: Sight) -> ColumnElement[bool]:
    known = column.in_(_ids(there, seen))
    return or_(column.is_(None), known) if column.nullable else known


def _ids(table: Table, seen: Sight) -> Select[Any]:
    return select(_id(table)).where(_within(table, seen))


def ids_within(table: Table, seen: Sight) -> Select[Any]:
    """The ids of the rows of this table that are within this sight."""
    return _ids(table, seen)


def _between(table: Table) -> Table | None:
    """The table that says to which services rows of this one belong, where that may be several."""
    return table.metadata.tables.get(f"{table.name}_service")


def table_of(collection: str) -> Table | None:
    """The table whose rows an address such as ``/plans/{key}`` names; None where it names no rows of ours."""
    tables = SQLModel.metadata.tables
    singular = collection.removesuffix("s").replace("-", "_")
    return tables.get(_COLLECTIONS.get(collection, singular))


def is_known(collection: str) -> bool:
    """Whether it can be told where the things that an address of this collection names stand."""
    return collection in _WITHOUT_ROWS or table_of(collection) is not None


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
    if not key.isprintable() or session.execute(select(_id(table)).where(keyed)).first() is None:
        return None
    return _place(session, table, keyed)


def place_of_row(session: Session, row: Any) -> Place:
    """Where a row that is at hand stands."""
    table = _table(type(row))
    return _place(session, table, table.c.id == row.id) if is_placed(table) else Place()


def _id(table: Table) -> Column[Any]:
    return next(iter(table.primary_key))


def _keyed(table: Table, key: str) -> ColumnElement[bool]:
    by_ref = [table.c.ref == key.upper()] if "ref" in table.c else []
    return or_(_id(table) == key, *by_ref)


def _place(session: Session, table: Table, which: ColumnElement[bool]) -> Place:
    service = table.metadata.tables[_SERVICE]
    theirs = [service.c.id.in_(each) for each in _services(table, select(_id(table)).where(which))]
    rows = session.execute(select(service.c.id, service.c.unit).where(or_(false(), *theirs))).all()
    if not rows and table.name != _SERVICE and "unit" in table.c:
        units = session.scalars(select(table.c.unit).where(which, table.c.unit != ""))
        return Place(frozenset(Part("", unit) for unit in units))
    return Place(frozenset(Part(*row) for row in rows))


def _services(table: Table, ids: Select[Any]) -> list[Select[Any]]:
    """The services that these rows belong to, by each way that leads there."""
    if table.name == _SERVICE:
        return [ids]
    if (between := _between(table)) is not None:
        return [select(between.c.service_id).where(between.c[f"{table.name}_id"].in_(ids))]
    found = []
    for column, there in _ways(table):
        found += _services(there, select(column).where(_id(table).in_(ids)))
    return found
