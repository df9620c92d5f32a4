"""JSON routes of what plans are worth: proofs, reviews, attestations, status, history, weakenings, coverage."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response
from sqlmodel import col, select

from app.catalog import service as catalog
from app.catalog.models import Service
from app.core import clock
from app.core.db import SessionDep
from app.core.listing import ListQuery, Page, link_header, paged
from app.core.routers import api_router
from app.plans import service
from app.plans.evidence_shapes import (
    AttestationIn,
    CoverageOut,
    PlanStatusOut,
    ProofOut,
    ProofQuery,
    ReviewIn,
    StatusChangeOut,
    WeakeningOut,
)
from app.plans.landscape import covered
from app.plans.models import ProofRow, StatusChange, Weakening
from app.plans.parameters import Approver, AsOf, Editor, PlanKey, Reader, Reviewer
from app.plans.shapes import PlanOut, RetirementIn
from app.plans.shown import cell_out, change_out, plan_out, proof_out, status_out

router = api_router(tag="plans")
ServiceKey = Annotated[str | None, Query(alias="service", max_length=64)]


@router.get("/plans/{key}/status", operation_id="getPlanStatus", summary="Status of a plan at any moment")
def get_status(session: SessionDep, _actor: Reader, key: PlanKey, now: AsOf) -> PlanStatusOut:
    """Computed from claims, proofs, changes and findings as they were at that moment."""
    plan = service.find_plan(session, key)
    return status_out(session, plan, service.standing(session, plan, now=now), now=now)


@router.get("/plans/{key}/status-changes", operation_id="listStatusChanges", summary="History of a plan's status")
def list_changes(
    request: Request,
    response: Response,
    session: SessionDep,
    _actor: Reader,
    key: PlanKey,
    query: Annotated[ListQuery, Depends()],
) -> Page[StatusChangeOut]:
    """Each change of the plan's or a claim's status, the latest first."""
    plan = service.find_plan(session, key)
    rows, total = paged(
        session,
        select(StatusChange).where(StatusChange.plan_id == plan.id),
        query,
        sortable={"at": col(StatusChange.id)},
        default="-at",
        tie=col(StatusChange.id).desc(),
    )
    link_header(request, response, query, total)
    items = [change_out(row) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.get("/plans/{key}/proofs", operation_id="listProofs", summary="Proofs of a plan")
def list_proofs(
    request: Request,
    response: Response,
    session: SessionDep,
    _actor: Reader,
    key: PlanKey,
    query: Annotated[ProofQuery, Depends()],
) -> Page[ProofOut]:
    """What runs, reviews and outside tests showed, the latest first."""
    plan = service.find_plan(session, key)
    wanted = select(ProofRow).where(ProofRow.plan_id == plan.id)
    if query.claim is not None:
        wanted = wanted.where(ProofRow.claim_key == query.claim)
    if query.source is not None:
        wanted = wanted.where(ProofRow.source == query.source)
    if query.verdict is not None:
        wanted = wanted.where(ProofRow.verdict == query.verdict)
    rows, total = paged(
        session,
        wanted,
        query,
        sortable={"at": col(ProofRow.at), "level": col(ProofRow.level), "claim": col(ProofRow.claim_key)},
        default="-at",
        tie=col(ProofRow.id),
    )
    link_header(request, response, query, total)
    items = [proof_out(row) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.post("/plans/{key}/reviews", status_code=201, operation_id="reviewPlan", summary="Record a review")
def review(session: SessionDep, actor: Reviewer, key: PlanKey, given: ReviewIn) -> list[ProofOut]:
    """Level 1, by someone who did not write the version."""
    plan = service.find_plan(session, key, lock=True)
    return [proof_out(row) for row in service.review(session, plan, given, actor=actor, now=clock.now())]


@router.post("/plans/{key}/attestations", status_code=201, operation_id="attestTest", summary="Attest an outside test")
def attest(session: SessionDep, actor: Reviewer, key: PlanKey, given: AttestationIn) -> ProofOut:
    """Whoever sends it signs for it and does not own the plan; level 3 at most, and it clears no failure."""
    plan = service.find_plan(session, key, lock=True)
    return proof_out(service.attest(session, plan, given, actor=actor, now=clock.now()))


@router.post("/plans/{key}/retirements", status_code=201, operation_id="askPlanRetirement", summary="Ask to end a plan")
def ask_retirement(
    response: Response, session: SessionDep, actor: Editor, key: PlanKey, given: RetirementIn
) -> WeakeningOut:
    """A weakening: it takes effect when another person approves it."""
    plan = service.find_plan(session, key, lock=True)
    row = service.ask_retirement(session, plan, given.reason, actor=actor, now=clock.now())
    response.headers["Location"] = f"/api/v1/weakenings/{row.id}"
    return WeakeningOut.model_validate(row)


class WeakeningQuery(ListQuery):
    """Filters of the auditor's list."""

    plan: str | None = None
    decided: bool | None = None


@router.get("/weakenings", operation_id="listWeakenings", summary="The auditor's list of weakenings")
def list_weakenings(
    request: Request,
    response: Response,
    session: SessionDep,
    _actor: Reader,
    query: Annotated[WeakeningQuery, Depends()],
) -> Page[WeakeningOut]:
    """Where plans came to ask less of themselves: why, who asked, who agreed."""
    wanted = select(Weakening)
    if query.plan is not None:
        wanted = wanted.where(Weakening.plan_id == service.find_plan(session, query.plan).id)
    if query.decided is not None:
        undecided = col(Weakening.approved_at).is_(None) & col(Weakening.refused_at).is_(None)
        wanted = wanted.where(~undecided if query.decided else undecided)
    rows, total = paged(
        session,
        wanted,
        query,
        sortable={"requestedAt": col(Weakening.requested_at), "kind": col(Weakening.kind)},
        searched=[col(Weakening.reason)],
        default="-requestedAt",
        tie=col(Weakening.id),
    )
    link_header(request, response, query, total)
    items = [WeakeningOut.model_validate(row) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.get("/weakenings/{key}", operation_id="getWeakening", summary="Read a weakening")
def get_weakening(session: SessionDep, _actor: Reader, key: PlanKey) -> WeakeningOut:
    """One line of the auditor's list."""
    return WeakeningOut.model_validate(service.find_weakening(session, key))


@router.post("/weakenings/{key}/approvals", operation_id="approveWeakening", summary="Agree that a plan ends")
def approve_weakening(session: SessionDep, actor: Approver, key: PlanKey) -> PlanOut:
    """By another person than who asked."""
    row = service.find_weakening(session, key)
    return plan_out(session, service.approve_weakening(session, row, actor=actor, now=clock.now()))


@router.get("/coverage", operation_id="getCoverage", summary="Coverage: service × scenario family")
def get_coverage(session: SessionDep, _actor: Reader, now: AsOf, service_key: ServiceKey = None) -> CoverageOut:
    """What is proven per scenario family, and which claims name a family without counting for it."""
    wanted = select(Service).where(col(Service.archived_at).is_(None)).order_by(col(Service.ref))
    rows = [catalog.find(session, Service, service_key)] if service_key else list(session.exec(wanted).all())
    by_id = {row.id: row for row in rows}
    return CoverageOut(as_of=now, cells=[cell_out(cell, by_id) for cell in covered(session, rows, now=now)])
