"""Registers the same six routes for each kind of the catalogue: list, create, read, edit, archive, restore."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.access import reach
from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.catalog import crud, lists
from app.catalog.resource import Resource
from app.catalog.shapes import Archival
from app.core.db import SessionDep
from app.core.edits import IfMatch, show_etag
from app.core.idempotency import OnceDep
from app.core.listing import Page, link_header

Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Editor = Annotated[Actor, Depends(allowed(Action.EDIT_CATALOG))]
RowKey = Annotated[str, Path(max_length=64, description="Id or human reference, such as SVC-001")]


def register(router: APIRouter, resource: Resource) -> None:
    """Add the routes of one kind, typed with its own shapes."""
    collection, item = f"/{resource.path}", f"/{resource.path}/{{key}}"
    routes: tuple[tuple[str, str, str, int, Any, Callable[..., Any]], ...] = (
        ("GET", collection, f"list{resource.many}", 200, Page[resource.shape_out], _list(resource)),  # type: ignore[name-defined]
        ("POST", collection, f"create{resource.one}", 201, resource.shape_out, _create(resource)),
        ("GET", item, f"get{resource.one}", 200, resource.shape_out, _read(resource)),
        ("PATCH", item, f"edit{resource.one}", 200, resource.shape_out, _edit(resource)),
        ("POST", f"{item}/archivals", f"archive{resource.one}", 201, resource.shape_out, _archive(resource)),
        ("POST", f"{item}/restorations", f"restore{resource.one}", 201, resource.shape_out, _restore(resource)),
    )
    for method, path, operation, status, answer, route in routes:
        router.add_api_route(
            path,
            route,
            methods=[method],
            operation_id=operation,
            status_code=status,
            response_model=answer,
            summary=(route.__doc__ or "").format(one=resource.label),
            description="",
        )


def _typed(route: Callable[..., Any], **annotations: Any) -> Callable[..., Any]:
    """Give the route the shapes of its kind, for FastAPI reads the annotations."""
    route.__annotations__ |= annotations
    return route


def _shown(session: Any, resource: Resource, row: Any, response: Response) -> Any:
    reach.only_look(session)
    show_etag(response, row)
    return lists.shown(session, resource, [row])[0]


def _list(resource: Resource) -> Callable[..., Any]:
    def rows(session: SessionDep, _actor: Reader, request: Request, response: Response, query: Any) -> Any:
        """A page of the list of every {one}."""
        found, total = lists.listed(session, resource, query)
        link_header(request, response, query, total)
        items = lists.shown(session, resource, found)
        return {"items": items, "total": total, "page": query.page, "pageSize": query.page_size}

    return _typed(rows, query=Annotated[resource.shape_query, Query()])


def _create(resource: Resource) -> Callable[..., Any]:
    def create(session: SessionDep, actor: Editor, once: OnceDep, response: Response, data: Any) -> Any:
        """Create a {one}."""

        def make() -> Any:
            row = crud.create(session, resource, data, actor)
            response.headers["Location"] = f"/api/v1/{resource.path}/{row.id}"
            return _shown(session, resource, row, response)

        return once(make, response)

    return _typed(create, data=resource.shape_in)


def _read(resource: Resource) -> Callable[..., Any]:
    def read(session: SessionDep, _actor: Reader, response: Response, key: RowKey) -> Any:
        """One {one}."""
        return _shown(session, resource, crud.find(session, resource, key), response)

    return read


def _edit(resource: Resource) -> Callable[..., Any]:
    def edit(
        session: SessionDep, actor: Editor, response: Response, key: RowKey, patch: Any, if_match: IfMatch = None
    ) -> Any:
        """Change some fields of a {one}."""
        row = crud.edit(session, resource, key, patch, actor, if_match=if_match)
        return _shown(session, resource, row, response)

    return _typed(edit, patch=resource.shape_patch)


def _archive(resource: Resource) -> Callable[..., Any]:
    def archive(
        session: SessionDep, actor: Editor, response: Response, key: RowKey, archival: Archival | None = None
    ) -> Any:
        """Archive a {one}: it leaves the lists, and nothing that rests on it is lost."""
        row = crud.archive(session, resource, key, actor, reason=archival.reason if archival else "")
        return _shown(session, resource, row, response)

    return archive


def _restore(resource: Resource) -> Callable[..., Any]:
    def restore(session: SessionDep, actor: Editor, response: Response, key: RowKey) -> Any:
        """Bring an archived {one} back."""
        row = crud.restore(session, resource, key, actor)
        return _shown(session, resource, row, response)

    return restore
