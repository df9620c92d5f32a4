"""How one kind in the catalogue is described, so that one mechanism creates, edits, lists and archives all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import JSON, ColumnElement
from sqlmodel import Session, SQLModel

from app.access.rules import Actor
from app.catalog.models import CatalogRow
from app.catalog.shapes import CatalogOut, CatalogPatch, CatalogQuery
from app.core.errors import Conflict, FieldError
from app.core.shapes import Shape


class NameTaken(Conflict):
    """Something of this kind has this name already, however it is written."""

    code = "name-taken"


class StillArchived(Conflict):
    """It is archived: restore it before editing it."""

    code = "archived"


@dataclass(frozen=True)
class Many:
    """A list of references, kept in a table of pairs."""

    table: type[SQLModel]
    own: str
    other: str
    target: type[CatalogRow]


@dataclass(frozen=True)
class Draft:
    """A row as it will be, before anything is written."""

    row: Any
    lists: Mapping[str, list[str]]
    """Wanted ids per list of references."""


def _nothing_wrong(_session: Session, _draft: Draft) -> list[FieldError]:
    return []


def _nothing_more(_session: Session, _row: Any, _changed: frozenset[str], _actor: Actor) -> None:
    return None


@dataclass(frozen=True)
class Resource:
    """One kind in the catalogue: its table, its shapes, and what is particular to it."""

    kind: str
    """Its word in audit rows and changes."""
    one: str
    many: str
    """Singular and plural as operation ids have them: Service, Services."""
    path: str
    prefix: str
    table: type[CatalogRow]
    shape_in: type[Shape]
    shape_patch: type[CatalogPatch]
    shape_out: type[CatalogOut]
    shape_query: type[CatalogQuery]
    twin: Callable[[Any], tuple[str, ...]]
    """What makes a row one of a kind; compared as `rules.normalised` says."""
    links: Mapping[str, type[CatalogRow]] = field(default_factory=dict)
    """References by field; the column is the field's name with ``_id``."""
    lists: Mapping[str, Many] = field(default_factory=dict)
    searched: tuple[str, ...] = ()
    """Columns in which ``q`` looks beside ref and name."""
    filters: Mapping[str, Callable[[Any], ColumnElement[bool]]] = field(default_factory=dict)
    """Filters that do not just compare the column of the same name."""
    shown_by: Mapping[str, str] = field(default_factory=dict)
    """Attribute that is shown for a field, where that is not the column of the same name."""
    check: Callable[[Session, Draft], list[FieldError]] = _nothing_wrong
    settled: Callable[[Session, Any, frozenset[str], Actor], None] = _nothing_more
    """What follows from a write: called after it, with the names of the changed fields."""
    named: Callable[[Session, Any], str] | None = None
    """Makes the name of a kind whose rows have no typed name."""

    @property
    def label(self) -> str:
        """Its word in sentences."""
        return self.kind.replace("_", " ")

    def column(self, name: str) -> ColumnElement[Any]:
        """A column of the table."""
        found: ColumnElement[Any] = getattr(self.table, name)
        return found

    def is_document(self, name: str) -> bool:
        """Whether the field is kept as JSON."""
        columns = SQLModel.metadata.tables[str(self.table.__tablename__)].c
        return name in columns and isinstance(columns[name].type, JSON)
