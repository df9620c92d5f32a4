"""Pages of the catalogue: services, suppliers and objects, each as a list, a page of its own and a form."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session
from starlette.responses import Response

from app.access.models import Person
from app.access.rules import Action, Actor, may
from app.catalog import contract_pages, crud, form_pages, insight, lists, pictures, place_pages, resources
from app.catalog.form_pages import Editor, Reader, Sent
from app.catalog.resource import Resource
from app.catalog.rules import Criticality, Holder, ObjectKind, WatchLevel
from app.core import clock, labels, sheets
from app.core.db import SessionDep
from app.core.routers import add
from app.core.web import render

router = APIRouter(include_in_schema=False)


def _list(request: Request, session: Session, actor: Actor, resource: Resource, **more: Any) -> Response:
    query = sheets.query(resource.shape_query, request)
    rows, total = lists.listed(session, resource, query)
    shown = lists.shown(session, resource, rows)
    if sheets.asked(request):
        return sheets.sheet(session, resource.path, resource.shape_out, shown)
    context: dict[str, Any] = {
        "rows": shown,
        "query": query,
        "total": total,
        "may_edit": may(actor, Action.EDIT_CATALOG),
    }
    return render(request, f"catalog/{resource.path}.html", section="services", **context, **more)


@router.get("/services")
def services(request: Request, session: SessionDep, actor: Reader) -> Response:
    """The services, searched, filtered and sorted by the address."""
    return _list(request, session, actor, resources.SERVICE, criticalities=labels.options(Criticality))


@router.get("/suppliers")
def suppliers(request: Request, session: SessionDep, actor: Reader) -> Response:
    """The suppliers, with how much hangs on each."""
    found, _ = insight.concentration(session, insight.Dimension.SUPPLIER)
    hanging = {share.key: share for share in found.shares}
    return _list(request, session, actor, resources.SUPPLIER, hanging=hanging, levels=labels.options(WatchLevel))


@router.get("/objects")
def objects(request: Request, session: SessionDep, actor: Reader) -> Response:
    """Everything that the services need."""
    more = {"kinds": labels.options(ObjectKind), "holders": labels.options(Holder), "today": clock.now().date()}
    return _list(request, session, actor, resources.OBJECT, **more)


@router.get("/services/new")
def new_service(request: Request, session: SessionDep, actor: Editor) -> HTMLResponse:
    """The form of a new service."""
    return form_pages.show(request, session, resources.SERVICE, {})


@router.post("/services")
def create_service(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make a service."""
    return form_pages.create(request, session, actor, resources.SERVICE, fields, "dependsOn")


@router.get("/services/{key}")
def service(request: Request, session: SessionDep, actor: Reader, key: str) -> HTMLResponse:
    """One service: its goals, sides, objects, chain and neighbours."""
    row = crud.find(session, resources.SERVICE, key)
    shown = {
        "service": row,
        "owner": session.get(Person, row.process_owner_id) if row.process_owner_id else None,
        "pairs": pictures.pairs(session, row),
        "chain": pictures.chain(session, row),
        "contracts": pictures.contracts(session, row),
        "unpaired": pictures.unpaired(session, row),
        "complete": pictures.completeness(session, row, today=clock.now().date()),
        "around": insight.dependencies(session, row),
        "may_edit": may(actor, Action.EDIT_CATALOG),
        "may_plan": may(actor, Action.EDIT_PLAN),
    }
    return render(request, "catalog/service.html", section="services", **shown)


@router.get("/services/{key}/edit")
def edit_service_page(request: Request, session: SessionDep, actor: Editor, key: str) -> HTMLResponse:
    """The form of a service."""
    return form_pages.edit_page(request, session, resources.SERVICE, key)


@router.post("/services/{key}/edit")
def edit_service(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change a service."""
    return form_pages.edit(request, session, actor, resources.SERVICE, key, fields, "dependsOn")


@router.get("/suppliers/new")
def new_supplier(request: Request, session: SessionDep, actor: Editor) -> HTMLResponse:
    """The form of a new supplier."""
    return form_pages.show(request, session, resources.SUPPLIER, {})


@router.post("/suppliers")
def create_supplier(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make a supplier."""
    return form_pages.create(request, session, actor, resources.SUPPLIER, fields)


@router.get("/suppliers/{key}")
def supplier(request: Request, session: SessionDep, actor: Reader, key: str) -> HTMLResponse:
    """One supplier: how it fares, and what hangs on it."""
    row = crud.find(session, resources.SUPPLIER, key)
    shown = lists.shown(session, resources.SUPPLIER, [row])[0]
    more: dict[str, Any] = {"used": pictures.used(session, row), "may_edit": may(actor, Action.EDIT_CATALOG)}
    return render(request, "catalog/supplier.html", section="services", supplier=shown, **more)


@router.get("/suppliers/{key}/edit")
def edit_supplier_page(request: Request, session: SessionDep, actor: Editor, key: str) -> HTMLResponse:
    """The form of a supplier."""
    return form_pages.edit_page(request, session, resources.SUPPLIER, key)


@router.post("/suppliers/{key}/edit")
def edit_supplier(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change a supplier."""
    return form_pages.edit(request, session, actor, resources.SUPPLIER, key, fields)


@router.get("/objects/new")
def new_object(request: Request, session: SessionDep, actor: Editor, service: str = "") -> HTMLResponse:
    """The form of a new object, with the service from whose page it was asked."""
    return form_pages.show(request, session, resources.OBJECT, {"services": [service]} if service else {})


@router.post("/objects")
def create_object(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make an object."""
    return form_pages.create(request, session, actor, resources.OBJECT, fields, "services")


@router.get("/objects/{key}")
def object_page(request: Request, session: SessionDep, actor: Reader, key: str) -> HTMLResponse:
    """One object: who holds it, how we get in, and which services need it."""
    row = crud.find(session, resources.OBJECT, key)
    shown = lists.shown(session, resources.OBJECT, [row])[0]
    more: dict[str, Any] = {"may_edit": may(actor, Action.EDIT_CATALOG), "today": clock.now().date()}
    return render(request, "catalog/object.html", section="services", object=shown, **more)


@router.get("/objects/{key}/edit")
def edit_object_page(request: Request, session: SessionDep, actor: Editor, key: str) -> HTMLResponse:
    """The form of an object."""
    return form_pages.edit_page(request, session, resources.OBJECT, key)


@router.post("/objects/{key}/edit")
def edit_object(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change an object."""
    return form_pages.edit(request, session, actor, resources.OBJECT, key, fields, "services")


add(router, place_pages.router)
add(router, contract_pages.router)
add(router, form_pages.router)
