"""What lies within somebody's sight: rows of services that are not theirs are not there for them.

No route and no list says so itself. Which service a row belongs to follows from the foreign keys of its table: to a
service, or to a row that belongs to one; where both may be empty, the row is the whole organisation's.
"""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Select, Table, and_, event, false, or_, select
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlmodel import Session, SQLModel

from app.access.rules import Part, Place, Sight

_SIGHT = "sight"
_SERVICE = "service"
_NOBODY_ELSES = frozenset({"catalog_change"})
"""Tables that name rows of every unit without a foreign key: hidden from whoever does not see all."""


def look_as(session: Session, seen: Sight) -> None:
    """From here on `session` reads only what is within this sight."""
    session.info[_SIGHT] = seen


@event.listens_for(Session, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    seen: Sight | None = state.session.info.get(_SIGHT)
    if seen is None or not state.is_select:
        return
    state.statement = state.statement.options(
        *(with_loader_criteria(each, _within(each.__table__, seen), include_aliases=True) for each in _placed())
    )


@cache
def _placed() -> tuple[Any, ...]:
    """The mapped classes whose rows belong to services."""
    mapped = [mapper.class_ for mapper in SQLModel._sa_registry.mappers]  # noqa: SLF001 - no public way in SQLModel
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


_COLLECTIONS = {"people": "person", "kits": _SERVICE, "playbooks": "playbook_version", "run-approvals": "run_approval"}
"""Tables of the collections in addresses whose name does not follow from that of the collection."""


def table_of(collection: str) -> Table | None:
    """The table whose rows an address such as ``/plans/{key}`` names; None where it names no rows of ours."""
    tables = SQLModel.metadata.tables
    singular = collection.removesuffix("s").replace("-", "_")
    return tables.get(_COLLECTIONS.get(collection, singular))


def named_by(path: str) -> tuple[str, str] | None:
    """The collection and the path parameter of the first thing that a route's address names; None where it names none."""
    pieces = path.removeprefix("/api/v1").split("/")
    for collection, piece in zip(pieces, pieces[1:], strict=False):
        if piece.startswith("{"):
            return collection, piece.strip("{}").partition(":")[0]
    return None


def place_of(session: Session, table: Table, key: str) -> Place | None:
    """Where the row with this id or reference stands; None where there is none."""
    named = [table.c.id == key, *([table.c.ref == key.upper()] if "ref" in table.c else [])]
    ids = select(table.c.id).where(or_(*named))
    if session.execute(ids).first() is None:
        return None
    service = table.metadata.tables[_SERVICE]
    theirs = select(service.c.id, service.c.unit).where(service.c.id.in_(_services(table, ids)))
    return Place(frozenset(Part(*row) for row in session.execute(theirs)))


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
