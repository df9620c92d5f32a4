"""What all forms of the catalogue share: choices, what was typed, making, editing, archiving and bringing back."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from pydantic.alias_generators import to_snake
from sqlmodel import Session, col, select
from starlette.responses import Response

import app.catalog.labels  # noqa: F401 – the words of the catalogue
from app.access import reach
from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.catalog import crud, lists, models, resources, typed
from app.catalog.resource import NameTaken, Resource
from app.catalog.rules import (
    Access,
    ContractKind,
    Criticality,
    Holder,
    Known,
    MeasureKind,
    ObjectKind,
    Placement,
    SideRole,
    Substitutability,
    Survival,
    Trigger,
    WatchLevel,
)
from app.core import forms, labels
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import InvalidInput
from app.core.web import field_errors, redirect, render

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Editor = Annotated[Actor, Depends(allowed(Action.EDIT_CATALOG))]
Sent = Annotated[Fields, Depends(form)]


def template(resource: Resource) -> str:
    """The form of this kind."""
    return f"catalog/{resource.kind}_form.html"


def _service_page(session: Session, row: Any) -> str:
    return f"/services/{session.get_one(models.Service, row.service_id).ref}"


def _contract_page(session: Session, row: Any) -> str:
    return f"/contracts/{session.get_one(models.Contract, row.contract_id).ref}"


_SHOWN_ON: dict[str, Callable[[Session, Any], str]] = {
    "site": lambda _session, _row: "/sites",
    "environment": _service_page,
    "environment_pair": _service_page,
    "measure": _contract_page,
}


def page_of(session: Session, resource: Resource, row: Any) -> str:
    """Where a row is shown: its own page, or that of what it belongs to."""
    found = _SHOWN_ON.get(resource.kind)
    return found(session, row) if found else f"/{resource.path}/{row.ref}"


def _named(session: Session, resource: Resource) -> list[tuple[str, str]]:
    """All rows that are not archived, by name; a form must offer every one."""
    wanted = select(resource.table).where(col(resource.table.archived_at).is_(None))
    rows = session.exec(wanted.order_by(col(resource.table.name))).all()
    return [(row.ref, f"{row.name} ({row.ref})") for row in rows]


def choices(session: Session) -> dict[str, Any]:
    """What the forms of the catalogue choose from."""
    nothing = ("", "–")
    sites = _named(session, resources.SITE)
    return {
        "services": _named(session, resources.SERVICE),
        "suppliers": [nothing, *_named(session, resources.SUPPLIER)],
        "sites": [nothing, *sites],
        "criticalities": labels.options(Criticality),
        "substitutabilities": labels.options(Substitutability),
        "kinds": labels.options(ObjectKind),
        "holders": labels.options(Holder),
        "placements": labels.options(Placement),
        "known": labels.options(Known),
        "accesses": labels.options(Access, [Access.YES, Access.NO, Access.UNKNOWN]),
        "levels": labels.options(WatchLevel),
        "sides": labels.options(SideRole),
        "contract_kinds": labels.options(ContractKind),
        "measure_kinds": labels.options(MeasureKind),
        "triggers": labels.options(Trigger),
        "survivals": labels.options(Survival),
    }


def show(
    request: Request,
    session: Session,
    resource: Resource,
    values: Mapping[str, Any],
    *,
    row: Any = None,
    problem: InvalidInput | NameTaken | None = None,
) -> HTMLResponse:
    """The form with these values, and what is wrong with them."""
    reach.only_look(session)
    errors = field_errors(problem) if problem else {}
    if problem and not errors:
        errors = {"name": str(problem)}
    context: dict[str, Any] = {
        "values": forms.Typed(values),
        "errors": forms.Typed(errors),
        "row": row,
        "back": page_of(session, resource, row) if row else "",
        **choices(session),
        **_of_service(session, resource, values, row),
    }
    status = problem.status if problem else 200
    return render(request, template(resource), status=status, section="services", **context)


def _of_service(session: Session, resource: Resource, values: Mapping[str, Any], row: Any) -> dict[str, Any]:
    """What hangs together with the service or contract of the form."""
    if resource is resources.PAIR:
        key = session.get_one(models.Service, row.service_id).ref if row else values.get("service", "")
        service = crud.find(session, resources.SERVICE, key)
        wanted = select(models.Environment).where(
            models.Environment.service_id == service.id, col(models.Environment.archived_at).is_(None)
        )
        rows = session.exec(wanted.order_by(col(models.Environment.name))).all()
        named = {role.value: [(each.ref, each.name) for each in rows if each.role is role] for role in SideRole}
        return {"service": service, "environments": named}
    if resource is resources.CONTRACT:
        return {"contracts": [("", "–"), *_named(session, resources.CONTRACT)]}
    if resource is resources.MEASURE:
        key = session.get_one(models.Contract, row.contract_id).ref if row else values.get("contract", "")
        return {"contract": crud.find(session, resources.CONTRACT, key)}
    return {}


def create(
    request: Request, session: Session, actor: Actor, resource: Resource, fields: Fields, *lists_of: str
) -> Response:
    """Make a row of what was typed, or show the form again with every fault."""
    values = {name: value for name, value in typed.values(fields, lists_of).items() if value not in (None, "")}
    try:
        data = forms.read(resource.shape_in, typed.given(values, fields), durations=typed.DURATIONS)
        with session.begin_nested():
            row = crud.create(session, resource, data, actor)
    except (InvalidInput, NameTaken) as problem:
        return show(request, session, resource, values, problem=problem)
    return redirect(page_of(session, resource, row))


def edit(
    request: Request, session: Session, actor: Actor, resource: Resource, key: str, fields: Fields, *lists_of: str
) -> Response:
    """Change a row as typed, or show the form again with every fault; refused where another changed it meanwhile."""
    row = crud.find(session, resource, key)
    values = typed.values(fields, lists_of)
    revision = values.pop("revision", "")
    try:
        given = typed.given(values, fields, row)
        patch = forms.read(resource.shape_patch, given, durations=typed.DURATIONS)
        with session.begin_nested():
            crud.edit(session, resource, key, patch, actor, if_match=f'"{revision}"' if revision else None)
    except (InvalidInput, NameTaken) as problem:
        session.refresh(row)
        return show(request, session, resource, values | {"revision": revision}, row=row, problem=problem)
    return redirect(page_of(session, resource, row))


def edit_page(request: Request, session: Session, resource: Resource, key: str) -> HTMLResponse:
    """The form of a row that exists."""
    row = crud.find(session, resource, key)
    return show(request, session, resource, present(session, resource, row), row=row)


def present(session: Session, resource: Resource, row: Any) -> dict[str, Any]:
    """A row as its form shows it, by the API's names."""
    shown = lists.shown(session, resource, [row])[0].model_dump(by_alias=True)
    for name, value in shown.items():
        if name in typed.DURATIONS:
            shown[name] = forms.spoken(value)
        elif isinstance(value, dict) and "ref" in value:
            shown[name] = value["ref"]
        elif isinstance(value, list) and to_snake(name) in resource.lists:
            shown[name] = [each["ref"] for each in value]
        elif isinstance(value, float):
            shown[name] = f"{value:.15g}"
        elif value is None:
            shown[name] = ""
    return shown | typed.spread(shown)


def _moving(resource: Resource) -> None:
    """The two forms that every kind has: take a row out of the lists, and bring it back."""

    def archive(session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
        row = crud.archive(session, resource, key, actor, reason=fields.text("comment"))
        own_page = page_of(session, resource, row) == f"/{resource.path}/{row.ref}"
        return redirect(f"/{resource.path}" if own_page else page_of(session, resource, row))

    def restore(session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
        row = crud.restore(session, resource, key, actor)
        return redirect(page_of(session, resource, row))

    router.add_api_route(f"/{resource.path}/{{key}}/archive", archive, methods=["POST"])
    router.add_api_route(f"/{resource.path}/{{key}}/restore", restore, methods=["POST"])


for each in (
    resources.SERVICE,
    resources.SUPPLIER,
    resources.OBJECT,
    resources.SITE,
    resources.ENVIRONMENT,
    resources.PAIR,
    resources.CONTRACT,
    resources.MEASURE,
):
    _moving(each)
