"""Lists of everything in the catalogue, filtered, sorted and searched, and rows as they go out."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.alias_generators import to_camel
from sqlalchemy import false
from sqlmodel import Session, SQLModel, col, select

from app.access.reach import lookup
from app.catalog.models import CatalogRow
from app.catalog.resource import Many, Resource
from app.catalog.shapes import CatalogOut, CatalogQuery, Reference
from app.core.listing import paged


def listed(session: Session, resource: Resource, query: CatalogQuery) -> tuple[list[Any], int]:
    """One page of rows, and how many there are in all."""
    conditions = [_condition(session, resource, name, value) for name, value in query.filters().items()]
    columns = SQLModel.metadata.tables[str(resource.table.__tablename__)].c
    hidden = {"id", "twin_key"} | {f"{name}_id" for name in resource.links}
    names = [c.name for c in columns if c.name not in hidden and not resource.is_document(c.name)]
    return paged(
        session,
        select(resource.table).where(*conditions),
        query,
        sortable={to_camel(name): resource.column(name) for name in names},
        searched=[resource.column(name) for name in ("ref", "name", *resource.searched)],
        default="name",
        tie=resource.column("id"),
    )


def _condition(session: Session, resource: Resource, name: str, value: Any) -> Any:
    if name == "archived":
        column = col(resource.table.archived_at)
        return column.is_not(None) if value else column.is_(None)
    if name in resource.filters:
        return resource.filters[name](value)
    if name in resource.links:
        found = lookup(session, resource.links[name], value)
        return false() if found is None else resource.column(f"{name}_id") == found.id
    if name in resource.lists:
        many = resource.lists[name]
        found = lookup(session, many.target, value)
        own, other = getattr(many.table, many.own), getattr(many.table, many.other)
        return false() if found is None else col(resource.table.id).in_(select(own).where(other == found.id))
    return resource.column(name) == value


def shown(session: Session, resource: Resource, rows: Sequence[Any]) -> list[CatalogOut]:
    """Rows as they go out, their references looked up once for the whole page."""
    links = {name: _link_references(session, target, name, rows) for name, target in resource.links.items()}
    lists = {name: _list_references(session, many, rows) for name, many in resource.lists.items()}
    return [_out(resource, row, links, lists) for row in rows]


def _out(
    resource: Resource,
    row: Any,
    links: Mapping[str, Mapping[str, Reference]],
    lists: Mapping[str, Mapping[str, list[Reference]]],
) -> CatalogOut:
    values: dict[str, Any] = {}
    for name in resource.shape_out.model_fields:
        if name in links:
            values[name] = links[name].get(getattr(row, f"{name}_id"))
        elif name in lists:
            values[name] = lists[name].get(row.id, [])
        else:
            values[name] = getattr(row, resource.shown_by.get(name, name))
    return resource.shape_out.model_validate(values)


def _link_references(
    session: Session, target: type[CatalogRow], name: str, rows: Sequence[Any]
) -> Mapping[str, Reference]:
    wanted = {getattr(row, f"{name}_id") for row in rows} - {None}
    if not wanted:
        return {}
    statement = select(target.id, target.ref, target.name).where(col(target.id).in_(wanted))
    return {id: Reference(id=id, ref=ref, name=title) for id, ref, title in session.exec(statement)}


def _list_references(session: Session, many: Many, rows: Sequence[Any]) -> Mapping[str, list[Reference]]:
    own, other, target = getattr(many.table, many.own), getattr(many.table, many.other), many.target
    statement = (
        select(own, target.id, target.ref, target.name)
        .join(target, col(target.id) == other)
        .where(own.in_([row.id for row in rows]))
        .order_by(col(target.ref))
    )
    found: dict[str, list[Reference]] = {}
    for owner, id, ref, title in session.exec(statement):
        found.setdefault(owner, []).append(Reference(id=id, ref=ref, name=title))
    return found
