"""Pages of the places where services run: sites, environments, and the pairs that a switch changes over."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from app.access.rules import Action, may
from app.catalog import crud, form_pages, lists, resources
from app.catalog.form_pages import Editor, Reader, Sent
from app.core import forms
from app.core.db import SessionDep
from app.core.web import render

router = APIRouter(include_in_schema=False)


@router.get("/sites")
def sites(request: Request, session: SessionDep, actor: Reader) -> HTMLResponse:
    """The sites with what they can carry."""
    query = forms.query(resources.SITE.shape_query, request)
    rows, total = lists.listed(session, resources.SITE, query)
    context: dict[str, Any] = {
        "rows": lists.shown(session, resources.SITE, rows),
        "query": query,
        "total": total,
        "may_edit": may(actor, Action.EDIT_CATALOG),
    }
    return render(request, "catalog/sites.html", section="services", **context)


@router.get("/sites/new")
def new_site(request: Request, session: SessionDep, actor: Editor) -> HTMLResponse:
    """The form of a new site."""
    return form_pages.show(request, session, resources.SITE, {})


@router.post("/sites")
def create_site(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make a site."""
    return form_pages.create(request, session, actor, resources.SITE, fields)


@router.get("/sites/{key}/edit")
def edit_site_page(request: Request, session: SessionDep, actor: Editor, key: str) -> HTMLResponse:
    """The form of a site."""
    return form_pages.edit_page(request, session, resources.SITE, key)


@router.post("/sites/{key}/edit")
def edit_site(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change a site."""
    return form_pages.edit(request, session, actor, resources.SITE, key, fields)


@router.get("/environments/new")
def new_environment(request: Request, session: SessionDep, actor: Editor, service: str = "") -> HTMLResponse:
    """The form of a new environment, for the service from whose page it was asked."""
    return form_pages.show(request, session, resources.ENVIRONMENT, {"service": service})


@router.post("/environments")
def create_environment(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make an environment."""
    return form_pages.create(request, session, actor, resources.ENVIRONMENT, fields)


@router.get("/environments/{key}/edit")
def edit_environment_page(request: Request, session: SessionDep, actor: Editor, key: str) -> HTMLResponse:
    """The form of an environment."""
    return form_pages.edit_page(request, session, resources.ENVIRONMENT, key)


@router.post("/environments/{key}/edit")
def edit_environment(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change an environment."""
    return form_pages.edit(request, session, actor, resources.ENVIRONMENT, key, fields)


@router.get("/environment-pairs/new")
def new_pair(request: Request, session: SessionDep, actor: Editor, service: str = "") -> HTMLResponse:
    """The form of a new pair of two environments of one service."""
    found = crud.find(session, resources.SERVICE, service)
    return form_pages.show(request, session, resources.PAIR, {"service": found.ref, "name": found.name})


@router.post("/environment-pairs")
def create_pair(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make a pair."""
    return form_pages.create(request, session, actor, resources.PAIR, fields)


@router.get("/environment-pairs/{key}/edit")
def edit_pair_page(request: Request, session: SessionDep, actor: Editor, key: str) -> HTMLResponse:
    """The form of a pair."""
    return form_pages.edit_page(request, session, resources.PAIR, key)


@router.post("/environment-pairs/{key}/edit")
def edit_pair(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change a pair; its home side changes by a run only."""
    return form_pages.edit(request, session, actor, resources.PAIR, key, fields)
