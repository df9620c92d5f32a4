"""Pages of plans: the list, one plan with its claims and proof, coverage, and the plans of a service."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

import app.catalog.labels
import app.findings.labels  # noqa: F401 – the words on these pages
from app.access import reach
from app.access.models import Person
from app.access.rules import Action, may
from app.catalog import service as catalog
from app.catalog.models import Contract, Service
from app.catalog.rules import ScenarioFamily
from app.core import clock, forms, labels, sheets
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import InvalidInput, NotFound
from app.core.listing import paged
from app.core.routers import add
from app.core.web import field_errors, redirect, render
from app.plans import attest_pages, draft_pages, mvo_pages, service
from app.plans.evidence_shapes import ReviewIn
from app.plans.facts import ExitMode, PlanKind, Status, VersionState
from app.plans.labels import reason
from app.plans.landscape import covered
from app.plans.models import Mvo, Plan, Weakening
from app.plans.parameters import Approver, AsOf, Editor, Reader, Reviewer
from app.plans.portrait import portrait, sentence
from app.plans.shapes import PlanIn, PlanOut, PlanQuery, VersionIn
from app.plans.shown import plan_out

router = APIRouter(include_in_schema=False)
Sent = Annotated[Fields, Depends(form)]
SORTABLE = {
    "ref": col(Plan.ref),
    "name": col(Plan.name),
    "status": col(Plan.status),
    "provenUntil": col(Plan.proven_until),
    "overdueSince": col(Plan.overdue_since),
}


def listed(session: Session, query: PlanQuery) -> tuple[list[Plan], int]:
    """One page of plans by the filters of the address, and how many there are in all."""
    archived = col(Plan.archived_at)
    wanted = select(Plan).where(archived.is_not(None) if query.archived else archived.is_(None))
    for name in ("kind", "mode", "status"):
        if (value := getattr(query, name)) is not None:
            wanted = wanted.where(getattr(Plan, name) == value)
    if query.service is not None:
        wanted = wanted.where(Plan.service_id == catalog.find(session, Service, query.service).id)
    searched = [col(Plan.name), col(Plan.ref)]
    return paged(session, wanted, query, sortable=SORTABLE, searched=searched, default="ref", tie=col(Plan.id))


def rows_of(session: Session, plans: list[Plan]) -> list[dict[str, Any]]:
    """Plans as a table shows them: with their service and the numbers of their versions."""
    services = {row.id: row for row in session.exec(select(Service)).all()}
    return [
        {"plan": plan, "service": services[plan.service_id], "numbers": service.numbers(session, plan)}
        for plan in plans
    ]


@router.get("/plans")
def plans(request: Request, session: SessionDep, actor: Reader) -> Response:
    """The plans with their status."""
    query = sheets.query(PlanQuery, request)
    found, total = listed(session, query)
    if sheets.asked(request):
        return sheets.sheet(session, "plans", PlanOut, [plan_out(session, row) for row in found])
    context: dict[str, Any] = {
        "rows": rows_of(session, found),
        "query": query,
        "total": total,
        "kinds": labels.options(PlanKind),
        "statuses": labels.options(Status),
        "may_plan": may(actor, Action.EDIT_PLAN),
    }
    return render(request, "plans/plans.html", section="services", **context)


@router.get("/services/{key}/plans")
def plans_of_service(request: Request, session: SessionDep, actor: Reader, key: str) -> HTMLResponse:
    """The plans of one service."""
    row = catalog.find(session, Service, key)
    wanted = select(Plan).where(Plan.service_id == row.id, col(Plan.archived_at).is_(None)).order_by(col(Plan.ref))
    now = clock.now()
    found = list(session.exec(wanted).all())
    context: dict[str, Any] = {
        "service": row,
        "rows": rows_of(session, found),
        "sentences": {plan.id: sentence(service.standing(session, plan, now=now), now=now) for plan in found},
        "may_plan": may(actor, Action.EDIT_PLAN),
    }
    return render(request, "plans/service_plans.html", section="services", **context)


@router.get("/coverage")
def coverage(request: Request, session: SessionDep, actor: Reader, now: AsOf) -> HTMLResponse:
    """Service × scenario family: for which disasters something has been shown."""
    rows = session.exec(select(Service).where(col(Service.archived_at).is_(None)).order_by(col(Service.name))).all()
    cells = covered(session, rows, now=now)
    by_service = {row.id: [cell for cell in cells if cell.service_id == row.id] for row in rows}
    context: dict[str, Any] = {"services": rows, "by_service": by_service, "families": list(ScenarioFamily), "at": now}
    return render(request, "plans/coverage.html", section="services", **context)


def _new(
    request: Request, session: Session, values: dict[str, Any], problem: InvalidInput | NotFound | None = None
) -> HTMLResponse:
    reach.only_look(session)
    services = session.exec(select(Service).where(col(Service.archived_at).is_(None)).order_by(col(Service.name))).all()
    contracts = session.exec(select(Contract).where(col(Contract.archived_at).is_(None))).all()
    people = session.exec(select(Person).where(col(Person.active)).order_by(col(Person.name))).all()
    context: dict[str, Any] = {
        "values": forms.Typed(values),
        "errors": forms.Typed((field_errors(problem) or {"service": str(problem)}) if problem else {}),
        "services": [(row.ref, f"{row.name} ({row.ref})") for row in services],
        "contracts": [("", "–"), *[(row.ref, row.name) for row in contracts]],
        "people": [("", "–"), *[(row.ref, row.name) for row in people]],
        "mvos": [("", "–"), *[(row.ref, row.name) for row in session.exec(select(Mvo)).all()]],
        "kinds": labels.options(PlanKind),
        "modes": [("", "–"), *labels.options(ExitMode)],
    }
    status = problem.status if problem else 200
    return render(request, "plans/plan_form.html", status=status, section="services", **context)


@router.get("/plans/new")
def new_plan(request: Request, session: SessionDep, actor: Editor, service: str = "") -> HTMLResponse:
    """The form of a new plan."""
    return _new(request, session, {"service": service, "withDefaultClaims": "yes"})


@router.post("/plans")
def create_plan(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make a plan with its first draft; what it says follows on the draft's page."""
    values: dict[str, Any] = fields.filled()
    given = values | {"withDefaultClaims": "withDefaultClaims" in values}
    if first := values.get("firstDueAt"):
        given["firstDueAt"] = f"{first}T11:00:00Z"
    try:
        data = forms.read(PlanIn, given)
        with session.begin_nested():
            plan, version = service.add_plan(session, data, actor=actor, now=clock.now())
    except (InvalidInput, NotFound) as problem:
        return _new(request, session, values, problem)
    return redirect(f"/plans/{plan.ref}/versions/{version.number}")


@router.get("/plans/{key}")
def plan(request: Request, session: SessionDep, actor: Reader, key: str, now: AsOf) -> HTMLResponse:
    """One plan: its status, why, with what proof, and what to do now."""
    row = service.find_plan(session, key)
    found = portrait(session, row, now=now)
    newest = found.versions[0] if found.versions else None
    asked = session.exec(
        select(Weakening).where(
            Weakening.plan_id == row.id,
            col(Weakening.plan_version_id).is_(None),
            col(Weakening.approved_at).is_(None),
            col(Weakening.refused_at).is_(None),
        )
    ).all()
    context: dict[str, Any] = {
        "found": found,
        "plan": row,
        "service": found.service,
        "owner": session.get(Person, row.owner_id) if row.owner_id else None,
        "newest": newest,
        "proofs": list(reversed(service.proofs_of(session, row.id, at=now))),
        "history": list(reversed(service.history(session, row.id, at=now))),
        "retirements": asked,
        "reason": reason,
        "at": now,
        "as_of": request.query_params.get("asOf", ""),
        "may_edit": may(actor, Action.EDIT_PLAN),
        "may_review": may(actor, Action.REVIEW_PLAN),
        "may_approve": may(actor, Action.APPROVE_PLAN),
        "may_drill": may(actor, Action.PLAN_DRILL),
        "may_activate": may(actor, Action.OPERATE_RUN),
        "wrote": newest is not None and actor.ref in {newest.author, *newest.editors},
        "me": actor.ref,
        "open_draft": newest is not None and newest.state in (VersionState.DRAFT, VersionState.IN_REVIEW),
    }
    return render(request, "plans/plan.html", section="services", **context)


@router.post("/plans/{key}/versions")
def new_draft(session: SessionDep, actor: Editor, key: str, fields: Sent) -> RedirectResponse:
    """A new draft made from the approved version."""
    row = service.find_plan(session, key, lock=True)
    asked = VersionIn(major=fields.text("major") == "yes")
    version = service.new_draft(session, row, major=asked.major, actor=actor, now=clock.now())
    return redirect(f"/plans/{row.ref}/versions/{version.number}")


@router.post("/plans/{key}/reviews")
def review(session: SessionDep, actor: Reviewer, key: str, fields: Sent) -> RedirectResponse:
    """Record that somebody other than the author read these claims."""
    row = service.find_plan(session, key, lock=True)
    values = {"claims": fields.every("claims"), "verdict": fields.text("verdict"), "note": fields.text("note")}
    service.review(session, row, forms.read(ReviewIn, values), actor=actor, now=clock.now())
    return redirect(f"/plans/{row.ref}")


@router.post("/plans/{key}/retirements")
def ask_retirement(session: SessionDep, actor: Editor, key: str, fields: Sent) -> RedirectResponse:
    """Ask to end the plan; another person decides. A plan that was never approved ends at once."""
    row, now = service.find_plan(session, key, lock=True), clock.now()
    if any(version.approved_at for version in service.versions_of(session, row.id)):
        service.ask_retirement(session, row, fields.text("comment"), actor=actor, now=now)
    else:
        service.archive_draft(session, row, actor=actor, now=now)
    return redirect(f"/plans/{row.ref}")


@router.post("/plans/{key}/retirements/{weakening}/approvals")
def approve_retirement(
    session: SessionDep, actor: Approver, key: str, weakening: str, fields: Sent
) -> RedirectResponse:
    """Another person agrees that the plan ends."""
    row = service.find_weakening(session, weakening, of=service.find_plan(session, key))
    ended = service.approve_weakening(session, row, actor=actor, now=clock.now())
    return redirect(f"/plans/{ended.ref}")


add(router, draft_pages.router)
add(router, attest_pages.router)
add(router, mvo_pages.router)
