"""Lists by the NLGov rules: paging, sorting, searching and plain filters, the same for API and pages."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request, Response
from pydantic import ConfigDict, Field
from sqlalchemy import ColumnElement, false, func, or_, select
from sqlmodel import Session

from app.core.errors import FieldError, InvalidInput
from app.core.messages import say
from app.core.shapes import Line, Shape

Item = TypeVar("Item")
Column = Any
"""A mapped column, as ``col(Table.field)`` gives it; SQLAlchemy has no one public type for these."""
LARGEST_PAGE = 100


class ListQuery(Shape):
    """Query of a list; a subclass adds its filters as plain optional fields. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 20
    sort: Annotated[str, Field(max_length=200)] | None = None
    """Comma-separated camelCase fields, a minus for descending: ``-plannedAt,name``."""
    q: Annotated[Line, Field(max_length=200)] | None = None
    """Words that must all occur."""

    def filters(self) -> dict[str, Any]:
        """The filters that were given, by Python name."""
        own = set(type(self).model_fields) - set(ListQuery.model_fields)
        return {name: getattr(self, name) for name in own if getattr(self, name) is not None}


class Page(Shape, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    total: int
    page: int
    page_size: int


def ordering(sort: str | None, sortable: Mapping[str, Column], default: str) -> list[ColumnElement[Any]]:
    """The ORDER BY of a ``sort`` text; an unknown field is refused with the known ones."""
    columns: list[ColumnElement[Any]] = []
    for part in (sort or default).split(","):
        name = part.strip().removeprefix("-")
        if name not in sortable:
            reason = say("Cannot sort by '{name}'. Sort by: {known}.", name=name, known=", ".join(sorted(sortable)))
            raise InvalidInput(reason, errors=[FieldError("sort", "unknown-sort", reason)])
        columns.append(sortable[name].desc() if part.strip().startswith("-") else sortable[name].asc())
    return columns


def searching(q: str | None, searched: Sequence[Column]) -> list[ColumnElement[bool]]:
    """Conditions that each word of `q` occurs in one of the columns, whatever its case."""
    words = (q or "").split()
    return [or_(false(), *(column.icontains(word, autoescape=True) for column in searched)) for word in words]


def paged(
    session: Session,
    statement: Any,
    query: ListQuery,
    *,
    sortable: Mapping[str, Column],
    searched: Sequence[Column] = (),
    default: str,
    tie: Column,
) -> tuple[list[Any], int]:
    """Rows of one page and the total number; `tie` (the id) makes the order of equal rows stable."""
    statement = statement.where(*searching(query.q, searched))
    total = session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
    ordered = statement.order_by(*ordering(query.sort, sortable, default), tie)
    rows = session.scalars(ordered.limit(query.page_size).offset((query.page - 1) * query.page_size)).all()
    return list(rows), total


def link_header(request: Request, response: Response, query: ListQuery, total: int) -> None:
    """Set ``Link`` with first, prev, next and last, keeping the filters of the request."""
    last = max(1, -(-total // query.page_size))
    wanted = {"first": 1, "prev": query.page - 1, "next": query.page + 1, "last": last}
    given = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
    links = [
        f'<{request.url.path}?{urlencode([*given, ("page", number)])}>; rel="{relation}"'
        for relation, number in wanted.items()
        if 1 <= number <= last
    ]
    response.headers["Link"] = ", ".join(links)
