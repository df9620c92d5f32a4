"""Pages of the catalogue: services, suppliers and objects, each as a list, a page of its own and a form."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from pydantic.alias_generators import to_snake
from sqlmodel import Session, col, select
from starlette.responses import Response

import app.catalog.labels  # noqa: F401 – the words of the catalogue
from app.access.guard import allowed
from app.access.rules import Action, Actor, may
from app.catalog import crud, insight, lists, pictures, resources
from app.catalog.resource import NameTaken, Resource
from app.catalog.rules import Access, Criticality, Holder, Known, ObjectKind, Placement, Substitutability, WatchLevel
from app.core import clock, forms, labels
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import InvalidInput
from app.core.web import field_errors, redirect, render

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Editor = Annotated[Actor, Depends(allowed(Action.EDIT_CATALOG))]
Sent = Annotated[Fields, Depends(form)]
DURATIONS = {"mtpd", "rto", "rpo", "replaceableIn"}
EMPTY_IS_NONE = (
    DURATIONS
    | {"mbcoNumber", "assessedOn", "expiresOn", "verifiedOn", "ownReviewOn", "watchSince"}
    | {
        "supplier",
        "site",
        "ultimateParent",
        "code",
        "codeType",
    }
)
TEMPLATES = {"service": "catalog/service_form.html", "supplier": "catalog/supplier_form.html"} | {
    "object": "catalog/object_form.html"
}


def _list(request: Request, session: Session, actor: Actor, resource: Resource, **more: Any) -> HTMLResponse:
    query = forms.query(resource.shape_query, request)
    rows, total = lists.listed(session, resource, query)
    shown = lists.shown(session, resource, rows)
    context: dict[str, Any] = {
        "rows": shown,
        "query": query,
        "total": total,
        "may_edit": may(actor, Action.EDIT_CATALOG),
    }
    return render(request, f"catalog/{resource.path}.html", section="services", **context, **more)


@router.get("/services")
def services(request: Request, session: SessionDep, actor: Reader) -> HTMLResponse:
    """The services, searched, filtered and sorted by the address."""
    return _list(request, session, actor, resources.SERVICE, criticalities=labels.options(Criticality))


@router.get("/suppliers")
def suppliers(request: Request, session: SessionDep, actor: Reader) -> HTMLResponse:
    """The suppliers, with how much hangs on each."""
    found, _ = insight.concentration(session, insight.Dimension.SUPPLIER)
    hanging = {share.key: share for share in found.shares}
    return _list(request, session, actor, resources.SUPPLIER, hanging=hanging, levels=labels.options(WatchLevel))


@router.get("/objects")
def objects(request: Request, session: SessionDep, actor: Reader) -> HTMLResponse:
    """Everything that the services need."""
    more = {"kinds": labels.options(ObjectKind), "holders": labels.options(Holder), "today": clock.now().date()}
    return _list(request, session, actor, resources.OBJECT, **more)


def _choices(session: Session) -> dict[str, Any]:
    """What the forms of the catalogue choose from."""
    services, suppliers, sites = (
        [(row.ref, f"{row.name} ({row.ref})") for row in _rows(session, each)]
        for each in (resources.SERVICE, resources.SUPPLIER, resources.SITE)
    )
    return {
        "services": services,
        "suppliers": [("", "–"), *suppliers],
        "sites": [("", "–"), *sites],
        "criticalities": labels.options(Criticality),
        "substitutabilities": labels.options(Substitutability),
        "kinds": labels.options(ObjectKind),
        "holders": labels.options(Holder),
        "placements": labels.options(Placement),
        "known": labels.options(Known),
        "accesses": labels.options(Access, [Access.YES, Access.NO, Access.UNKNOWN]),
        "levels": labels.options(WatchLevel),
    }


def _rows(session: Session, resource: Resource) -> list[Any]:
    """All rows that are not archived, by name; a form must offer every one."""
    wanted = select(resource.table).where(col(resource.table.archived_at).is_(None))
    return list(session.exec(wanted.order_by(col(resource.table.name))).all())


def _form(
    request: Request,
    session: Session,
    resource: Resource,
    values: Mapping[str, Any],
    *,
    row: Any = None,
    problem: InvalidInput | NameTaken | None = None,
) -> HTMLResponse:
    errors = field_errors(problem) if problem else {}
    if problem and not errors:
        errors = {"name": str(problem)}
    shown = {"values": forms.Typed(values), "errors": forms.Typed(errors), "row": row, **_choices(session)}
    return render(
        request, TEMPLATES[resource.kind], status=problem.status if problem else 200, section="services", **shown
    )


def _typed(fields: Fields, *lists_of: str) -> dict[str, Any]:
    """What was typed, by the API's names; a field that was left empty says that nothing is known."""
    values: dict[str, Any] = {
        name: (None if not text and name in EMPTY_IS_NONE else text) for name, text in fields.items()
    }
    if values.get("mbcoNumber"):
        values["mbcoNumber"] = values["mbcoNumber"].replace(",", ".")
    return values | {name: fields.every(name) for name in lists_of}


def _create(
    request: Request, session: Session, actor: Actor, resource: Resource, fields: Fields, *lists_of: str
) -> Response:
    values = {name: value for name, value in _typed(fields, *lists_of).items() if value not in (None, "")}
    try:
        data = forms.read(resource.shape_in, values, durations=DURATIONS)
        with session.begin_nested():
            row = crud.create(session, resource, data, actor)
    except (InvalidInput, NameTaken) as problem:
        return _form(request, session, resource, values, problem=problem)
    return redirect(f"/{resource.path}/{row.ref}")


def _edit(
    request: Request, session: Session, actor: Actor, resource: Resource, key: str, fields: Fields, *lists_of: str
) -> Response:
    row = crud.find(session, resource, key)
    values = _typed(fields, *lists_of)
    revision = values.pop("revision", "")
    try:
        patch = forms.read(resource.shape_patch, values, durations=DURATIONS)
        with session.begin_nested():
            crud.edit(session, resource, key, patch, actor, if_match=f'"{revision}"' if revision else None)
    except (InvalidInput, NameTaken) as problem:
        return _form(request, session, resource, values | {"revision": revision}, row=row, problem=problem)
    return redirect(f"/{resource.path}/{row.ref}")


def _present(session: Session, resource: Resource, row: Any) -> dict[str, Any]:
    """A row as its form shows it, by the API's names."""
    shown = lists.shown(session, resource, [row])[0].model_dump(by_alias=True)
    for name, value in shown.items():
        if name in DURATIONS:
            shown[name] = forms.spoken(value)
        elif isinstance(value, dict) and "ref" in value:
            shown[name] = value["ref"]
        elif isinstance(value, list) and to_snake(name) in resource.lists:
            shown[name] = [each["ref"] for each in value]
        elif isinstance(value, float):
            shown[name] = f"{value:.15g}"
        elif value is None:
            shown[name] = ""
    return shown


@router.get("/services/new")
def new_service(request: Request, session: SessionDep, actor: Editor) -> HTMLResponse:
    """The form of a new service."""
    return _form(request, session, resources.SERVICE, {})


@router.post("/services")
def create_service(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make a service."""
    return _create(request, session, actor, resources.SERVICE, fields, "dependsOn")


@router.get("/services/{key}")
def service(request: Request, session: SessionDep, actor: Reader, key: str) -> HTMLResponse:
    """One service: its goals, sides, objects, chain and neighbours."""
    row = crud.find(session, resources.SERVICE, key)
    shown = {
        "service": row,
        "pairs": pictures.pairs(session, row),
        "chain": pictures.chain(session, row),
        "contracts": pictures.contracts(session, row),
        "complete": pictures.completeness(session, row, today=clock.now().date()),
        "around": insight.dependencies(session, row),
        "may_edit": may(actor, Action.EDIT_CATALOG),
        "may_plan": may(actor, Action.EDIT_PLAN),
    }
    return render(request, "catalog/service.html", section="services", **shown)


@router.get("/services/{key}/edit")
def edit_service_page(request: Request, session: SessionDep, actor: Editor, key: str) -> HTMLResponse:
    """The form of a service."""
    row = crud.find(session, resources.SERVICE, key)
    return _form(request, session, resources.SERVICE, _present(session, resources.SERVICE, row), row=row)


@router.post("/services/{key}/edit")
def edit_service(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change a service."""
    return _edit(request, session, actor, resources.SERVICE, key, fields, "dependsOn")


@router.post("/services/{key}/archive")
def archive_service(session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Take a service out of the lists; nothing that rests on it is lost."""
    crud.archive(session, resources.SERVICE, key, actor, reason=fields.text("comment"))
    return redirect("/services")


@router.get("/suppliers/new")
def new_supplier(request: Request, session: SessionDep, actor: Editor) -> HTMLResponse:
    """The form of a new supplier."""
    return _form(request, session, resources.SUPPLIER, {})


@router.post("/suppliers")
def create_supplier(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make a supplier."""
    return _create(request, session, actor, resources.SUPPLIER, fields)


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
    row = crud.find(session, resources.SUPPLIER, key)
    return _form(request, session, resources.SUPPLIER, _present(session, resources.SUPPLIER, row), row=row)


@router.post("/suppliers/{key}/edit")
def edit_supplier(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change a supplier."""
    return _edit(request, session, actor, resources.SUPPLIER, key, fields)


@router.get("/objects/new")
def new_object(request: Request, session: SessionDep, actor: Editor, service: str = "") -> HTMLResponse:
    """The form of a new object, with the service from whose page it was asked."""
    return _form(request, session, resources.OBJECT, {"services": [service]} if service else {})


@router.post("/objects")
def create_object(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make an object."""
    return _create(request, session, actor, resources.OBJECT, fields, "services")


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
    row = crud.find(session, resources.OBJECT, key)
    return _form(request, session, resources.OBJECT, _present(session, resources.OBJECT, row), row=row)


@router.post("/objects/{key}/edit")
def edit_object(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change an object."""
    return _edit(request, session, actor, resources.OBJECT, key, fields, "services")
