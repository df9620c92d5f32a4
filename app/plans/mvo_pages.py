"""Pages of minimum viable organisations: the list, one with its functions, its draft, and the board's approval."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

from app.access import reach
from app.access.models import Person
from app.access.rules import Action, Actor, may
from app.catalog.models import CatalogObject, Service, Site, Supplier
from app.core import clock, forms
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.edits import require_match
from app.core.errors import InvalidInput, NotFound
from app.core.listing import paged
from app.core.web import field_errors, redirect, render
from app.plans import mvo_typed, organisation
from app.plans.content import MvoContent
from app.plans.facts import VersionState
from app.plans.models import Mvo, Plan
from app.plans.mvo_shapes import MvoApprovalIn, MvoIn, MvoPatch, MvoQuery
from app.plans.parameters import Approver, Editor, Reader

router = APIRouter(include_in_schema=False)
Sent = Annotated[Fields, Depends(form)]


@router.get("/mvos")
def mvos(request: Request, session: SessionDep, actor: Reader) -> HTMLResponse:
    """The minimum viable organisations of the organisation, its units and its plans."""
    query = forms.query(MvoQuery, request)
    archived = col(Mvo.archived_at)
    rows, total = paged(
        session,
        select(Mvo).where(archived.is_not(None) if query.archived else archived.is_(None)),
        query,
        sortable={"ref": col(Mvo.ref), "name": col(Mvo.name), "createdAt": col(Mvo.created_at)},
        searched=[col(Mvo.name), col(Mvo.unit)],
        default="ref",
        tie=col(Mvo.id),
    )
    context: dict[str, Any] = {
        "rows": [_row(session, row) for row in rows],
        "query": query,
        "total": total,
        "may_plan": may(actor, Action.EDIT_PLAN),
    }
    return render(request, "plans/mvos.html", section="services", **context)


def _row(session: Session, mvo: Mvo) -> dict[str, Any]:
    editions = organisation.mvo_versions(session, mvo)
    approved = next((row for row in editions if row.state is VersionState.APPROVED), None)
    content = MvoContent.model_validate((approved or editions[0]).content)
    return {"mvo": mvo, "newest": editions[0], "approved": approved, "content": content, "plan": _plan(session, mvo)}


def _plan(session: Session, mvo: Mvo) -> Plan | None:
    return session.get(Plan, mvo.plan_id) if mvo.plan_id else None


def _new(
    request: Request, session: Session, values: dict[str, Any], problem: InvalidInput | NotFound | None = None
) -> HTMLResponse:
    reach.only_look(session)
    wanted = select(Plan).where(col(Plan.archived_at).is_(None)).order_by(col(Plan.name))
    context: dict[str, Any] = {
        "values": forms.Typed(values),
        "errors": forms.Typed((field_errors(problem) or {"plan": str(problem)}) if problem else {}),
        "plans": [("", "–"), *[(row.ref, f"{row.name} ({row.ref})") for row in session.exec(wanted).all()]],
    }
    status = problem.status if problem else 200
    return render(request, "plans/mvo_new.html", status=status, section="services", **context)


@router.get("/mvos/new")
def new_mvo(request: Request, session: SessionDep, actor: Editor) -> HTMLResponse:
    """The form of a new one."""
    return _new(request, session, {})


@router.post("/mvos")
def create_mvo(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make one with its first draft; its functions follow on the draft's form."""
    values: dict[str, Any] = fields.filled()
    try:
        given = forms.read(MvoIn, values)
        with session.begin_nested():
            mvo = organisation.add_mvo(session, given, actor=actor, now=clock.now())
    except (InvalidInput, NotFound) as problem:
        return _new(request, session, values, problem)
    return redirect(f"/mvos/{mvo.ref}/edit")


@router.get("/mvos/{key}")
def mvo_page(request: Request, session: SessionDep, actor: Reader, key: str, site: str = "") -> HTMLResponse:
    """One minimum viable organisation: its functions by rank, and whether they fit the site that is asked for."""
    return _page(request, session, actor, organisation.find_mvo(session, key), site=site)


def _page(
    request: Request,
    session: Session,
    actor: Actor,
    mvo: Mvo,
    *,
    site: str = "",
    problem: InvalidInput | None = None,
) -> HTMLResponse:
    editions = organisation.mvo_versions(session, mvo)
    sites = session.exec(select(Site).where(col(Site.archived_at).is_(None)).order_by(col(Site.name))).all()
    content = MvoContent.model_validate(editions[0].content)
    context: dict[str, Any] = {
        "mvo": mvo,
        "plan": _plan(session, mvo),
        "editions": editions,
        "newest": editions[0],
        "content": content,
        "names": _names(session, content),
        "approvers": {row.id: row.name for row in session.exec(select(Person)).all()},
        "sites": [(row.ref, row.name) for row in sites],
        "site": site,
        "fit": organisation.fit_check(session, mvo, site) if site else None,
        "wrote": actor.ref == editions[0].author,
        "today": clock.now().date(),
        "errors": forms.Typed(field_errors(problem) if problem else {}),
        "may_plan": may(actor, Action.EDIT_PLAN),
        "may_approve": may(actor, Action.APPROVE_PLAN),
    }
    status = problem.status if problem else 200
    return render(request, "plans/mvo.html", status=status, section="services", **context)


def _names(session: Session, content: MvoContent) -> dict[str, tuple[str, str]]:
    """Name and address of each row that a function names, by the key with which it does."""
    found: dict[str, tuple[str, str]] = {}
    kinds: list[tuple[Any, str]] = [(Service, "services"), (Supplier, "suppliers"), (CatalogObject, "objects")]
    for table, path in kinds:
        keys = {key for each in content.functions for key in getattr(each, path)}
        for row in session.exec(select(table).where(col(table.ref).in_(keys) | col(table.id).in_(keys))).all():
            found |= {row.ref: (row.name, f"/{path}/{row.ref}"), row.id: (row.name, f"/{path}/{row.ref}")}
    return found


def _form(
    request: Request, mvo: Mvo, values: dict[str, Any], revision: str, problem: InvalidInput | None = None
) -> HTMLResponse:
    blank = {f"functions.{_count(values, 'functions')}.fallsBackTogether": "yes"}
    context: dict[str, Any] = {
        "mvo": mvo,
        "values": forms.Typed({**values, **blank}),
        "revision": revision,
        "errors": forms.Typed(field_errors(problem) if problem else {}),
        "functions": _count(values, "functions") + mvo_typed.BLANK_FUNCTIONS,
        "left_out": _count(values, "notInMvo") + mvo_typed.BLANK_ROWS,
    }
    status = problem.status if problem else 200
    return render(request, "plans/mvo_form.html", status=status, section="services", **context)


def _count(values: dict[str, Any], name: str) -> int:
    """How many rows were shown and filled."""
    filled = (key.split(".") for key, value in values.items() if value not in ("", None) and key.endswith(".name"))
    return max((int(parts[1]) + 1 for parts in filled if parts[0] == name), default=0)


@router.get("/mvos/{key}/edit")
def edit_page(request: Request, session: SessionDep, actor: Editor, key: str) -> HTMLResponse:
    """The form of the draft."""
    mvo = organisation.find_mvo(session, key)
    content = MvoContent.model_validate(organisation.mvo_versions(session, mvo)[0].content)
    values = {"name": mvo.name, "unit": mvo.unit, **mvo_typed.spread(content)}
    return _form(request, mvo, values, str(mvo.revision))


@router.post("/mvos/{key}/edit")
def save(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change the name, the unit and the draft's content; refused where another changed it meanwhile."""
    mvo = organisation.find_mvo(session, key)
    revision = fields.text("revision")
    require_match(f'"{revision}"' if revision else None, mvo)
    try:
        named = forms.read(MvoPatch, {"name": fields.text("name"), "unit": fields.text("unit")})
        content = mvo_typed.content(fields, organisation.mvo_versions(session, mvo)[0].content)
    except InvalidInput as problem:
        return _form(request, mvo, dict(fields), revision, problem)
    sent = named.sent() | {"content": content.model_dump(by_alias=True)}
    organisation.edit_mvo(session, mvo, sent, actor=actor)
    return redirect(f"/mvos/{mvo.ref}")


@router.post("/mvos/{key}/versions")
def draft(session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """A new draft made from the newest version."""
    mvo = organisation.find_mvo(session, key)
    organisation.new_mvo_draft(session, mvo, actor=actor, now=clock.now())
    return redirect(f"/mvos/{mvo.ref}/edit")


@router.post("/mvos/{key}/approvals")
def approve(request: Request, session: SessionDep, actor: Approver, key: str, fields: Sent) -> Response:
    """Another person than the author records that the board approved."""
    mvo = organisation.find_mvo(session, key)
    try:
        given = forms.read(MvoApprovalIn, {"boardApprovedOn": fields.text("boardApprovedOn")})
    except InvalidInput as problem:
        return _page(request, session, actor, mvo, problem=problem)
    organisation.approve_mvo(session, mvo, given.board_approved_on, actor=actor, now=clock.now())
    return redirect(f"/mvos/{mvo.ref}")


@router.post("/mvos/{key}/archive")
def archive(session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Take it out of the lists; what leans on it stays readable."""
    organisation.archive_mvo(session, organisation.find_mvo(session, key), actor=actor, now=clock.now())
    return redirect("/mvos")
