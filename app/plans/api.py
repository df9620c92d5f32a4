"""JSON routes of plans, their versions, claims and approval; evidence, status and organisations stand beside it."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response
from sqlmodel import Session, col, select

from app.catalog import service as catalog
from app.catalog.models import Service
from app.catalog.rules import Criticality
from app.core import clock
from app.core.db import SessionDep
from app.core.edits import IfMatch, require_match, show_etag
from app.core.i18n import pick
from app.core.idempotency import OnceDep
from app.core.listing import Page, link_header, paged
from app.core.routers import add, api_router
from app.core.shapes import Prose, Shape
from app.plans import claims, evidence_api, mvo_api, service, versions
from app.plans.defaults import SwapPolicy, default_claims
from app.plans.facts import ExitMode, PlanKind
from app.plans.models import Plan, PlanVersion
from app.plans.parameters import Approver, ClaimPath, Editor, PlanKey, Reader, VersionKey
from app.plans.shapes import (
    ClaimIn,
    ClaimOut,
    ClaimPatch,
    PlanIn,
    PlanOut,
    PlanPatch,
    PlanQuery,
    SubmissionIn,
    TemplateClaimOut,
    TemplateOut,
    VersionIn,
    VersionOut,
    VersionPatch,
)
from app.plans.shown import claim_out, plan_out, version_out

router = api_router(tag="plans")


class RejectionIn(Shape):
    """Sends a version back."""

    reason: Prose = ""


def _version(session: Session, plan_key: str, version_key: str) -> tuple[Plan, PlanVersion]:
    plan = service.find_plan(session, plan_key, lock=True)
    return plan, service.find_version(session, plan, version_key)


@router.get("/plan-templates", operation_id="getPlanTemplate", summary="Default claims of a kind of plan")
def get_template(
    session: SessionDep,
    _actor: Reader,
    kind: PlanKind,
    mode: ExitMode | None = None,
    service_key: Annotated[str | None, Query(alias="service", max_length=64)] = None,
    swap: SwapPolicy = SwapPolicy.NONE,
) -> TemplateOut:
    """What a new draft is offered; the criticality of the service decides how long a restore is good."""
    found = catalog.find(session, Service, service_key) if service_key else None
    criticality = found.criticality if found else Criticality.NOT_ASSESSED
    offered = [
        TemplateClaimOut(
            key=each.kind.value,
            kind=each.kind,
            says=pick(each.says),
            families=list(each.families),
            min_level=each.min_level,
            valid_days=each.valid_days,
            without_supplier=each.without_supplier,
        )
        for each in default_claims(kind, mode, criticality=criticality, swap=swap)
    ]
    return TemplateOut(kind=kind, mode=mode, claims=offered)


@router.get("/plans", operation_id="listPlans", summary="List plans")
def list_plans(
    request: Request, response: Response, session: SessionDep, _actor: Reader, query: Annotated[PlanQuery, Depends()]
) -> Page[PlanOut]:
    """Plans with the status as last computed."""
    wanted = select(Plan).where(
        col(Plan.archived_at).is_not(None) if query.archived else col(Plan.archived_at).is_(None)
    )
    for name in ("kind", "mode", "status"):
        if (value := getattr(query, name)) is not None:
            wanted = wanted.where(getattr(Plan, name) == value)
    if query.service is not None:
        wanted = wanted.where(Plan.service_id == catalog.find(session, Service, query.service).id)
    rows, total = paged(
        session,
        wanted,
        query,
        sortable={
            "ref": col(Plan.ref),
            "name": col(Plan.name),
            "status": col(Plan.status),
            "createdAt": col(Plan.created_at),
            "provenUntil": col(Plan.proven_until),
            "overdueSince": col(Plan.overdue_since),
        },
        searched=[col(Plan.name), col(Plan.ref)],
        default="ref",
        tie=col(Plan.id),
    )
    link_header(request, response, query, total)
    items = [plan_out(session, row) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.post("/plans", status_code=201, operation_id="addPlan", summary="Make a plan")
def add_plan(response: Response, session: SessionDep, actor: Editor, given: PlanIn, once: OnceDep) -> PlanOut:
    """A plan with draft 1.0; its status is computed, never given."""

    def make() -> PlanOut:
        plan, _ = service.add_plan(session, given, actor=actor, now=clock.now())
        response.headers["Location"] = f"/api/v1/plans/{plan.id}"
        return plan_out(session, plan)

    answer: PlanOut = once(make, response)
    return answer


@router.get("/plans/{key}", operation_id="getPlan", summary="Read a plan")
def get_plan(response: Response, session: SessionDep, _actor: Reader, key: PlanKey) -> PlanOut:
    """One plan in short."""
    plan = service.find_plan(session, key)
    show_etag(response, plan)
    return plan_out(session, plan)


@router.patch("/plans/{key}", operation_id="editPlan", summary="Edit a plan")
def edit_plan(
    response: Response, session: SessionDep, actor: Editor, key: PlanKey, patch: PlanPatch, if_match: IfMatch = None
) -> PlanOut:
    """Change name, owner or contract."""
    plan = service.find_plan(session, key, lock=True)
    require_match(if_match, plan)
    service.edit_plan(session, plan, patch.sent(), actor=actor)
    show_etag(response, plan)
    return plan_out(session, plan)


@router.post("/plans/{key}/archivals", operation_id="archivePlan", summary="End a plan that was never approved")
def archive_plan(session: SessionDep, actor: Editor, key: PlanKey) -> PlanOut:
    """Ends a draft that nothing rests on; a plan that was approved once is retired, by two people."""
    plan = service.find_plan(session, key, lock=True)
    return plan_out(session, service.archive_draft(session, plan, actor=actor, now=clock.now()))


@router.get("/plans/{key}/versions", operation_id="listPlanVersions", summary="Versions of a plan")
def list_versions(session: SessionDep, _actor: Reader, key: PlanKey) -> list[VersionOut]:
    """All versions, the newest first."""
    plan = service.find_plan(session, key)
    return [version_out(session, plan, version) for version in service.versions_of(session, plan.id)]


@router.post("/plans/{key}/versions", status_code=201, operation_id="draftPlanVersion", summary="Make a new draft")
def draft_version(response: Response, session: SessionDep, actor: Editor, key: PlanKey, given: VersionIn) -> VersionOut:
    """A draft made from the approved version."""
    plan = service.find_plan(session, key, lock=True)
    version = service.new_draft(session, plan, major=given.major, actor=actor, now=clock.now())
    response.headers["Location"] = f"/api/v1/plans/{plan.id}/versions/{version.number}"
    return version_out(session, plan, version)


@router.get("/plans/{key}/versions/{version}", operation_id="getPlanVersion", summary="Read a version")
def get_version(
    response: Response, session: SessionDep, _actor: Reader, key: PlanKey, version: VersionKey
) -> VersionOut:
    """A version with its content and claims."""
    plan = service.find_plan(session, key)
    row = service.find_version(session, plan, version)
    show_etag(response, row)
    return version_out(session, plan, row)


@router.patch("/plans/{key}/versions/{version}", operation_id="editPlanVersion", summary="Edit a draft")
def edit_version(
    response: Response,
    session: SessionDep,
    actor: Editor,
    key: PlanKey,
    version: VersionKey,
    patch: VersionPatch,
    if_match: IfMatch = None,
) -> VersionOut:
    """Change what was sent; only a draft can be changed."""
    plan, row = _version(session, key, version)
    require_match(if_match, row)
    values = patch.sent()
    if "content" in values:
        values["content"] = patch.content.model_dump(mode="json", by_alias=True) if patch.content else {}
    if "mvo" in values:
        values["mvo_version_id"] = service.mvo_version(session, values.pop("mvo"))
    service.edit_version(session, plan, row, values, actor=actor, now=clock.now())
    show_etag(response, row)
    return version_out(session, plan, row)


@router.post(
    "/plans/{key}/versions/{version}/claims", status_code=201, operation_id="addClaim", summary="Add a claim to a draft"
)
def add_claim(
    response: Response, session: SessionDep, actor: Editor, key: PlanKey, version: VersionKey, given: ClaimIn
) -> ClaimOut:
    """What is left out gets the default of the kind."""
    plan, row = _version(session, key, version)
    versions.require_draft(row)
    (claim,) = claims.add_all(session, plan, row, [given])
    versions.touch(session, row, actor)
    versions.settle(session, plan, now=clock.now(), why="a claim was added to the draft")
    response.headers["Location"] = f"/api/v1/plans/{plan.id}/versions/{row.number}/claims/{claim.key}"
    return claim_out(claim)


@router.get("/plans/{key}/versions/{version}/claims/{claim}", operation_id="getClaim", summary="Read a claim")
def get_claim(
    response: Response, session: SessionDep, _actor: Reader, key: PlanKey, version: VersionKey, claim: ClaimPath
) -> ClaimOut:
    """One claim of a version; its ETag is that of the version."""
    row = service.find_version(session, service.find_plan(session, key), version)
    show_etag(response, row)
    return claim_out(claims.find(session, row, claim))


@router.patch("/plans/{key}/versions/{version}/claims/{claim}", operation_id="editClaim", summary="Edit a claim")
def edit_claim(
    response: Response,
    session: SessionDep,
    actor: Editor,
    key: PlanKey,
    version: VersionKey,
    claim: ClaimPath,
    patch: ClaimPatch,
    if_match: IfMatch = None,
) -> ClaimOut:
    """Only in a draft; its key and kind stay."""
    plan, row = _version(session, key, version)
    require_match(if_match, row)
    versions.require_draft(row)
    edited = claims.edit(session, claims.find(session, row, claim), patch)
    versions.touch(session, row, actor)
    versions.settle(session, plan, now=clock.now(), why="a claim of the draft was edited")
    show_etag(response, row)
    return claim_out(edited)


@router.delete(
    "/plans/{key}/versions/{version}/claims/{claim}",
    status_code=204,
    operation_id="removeClaim",
    summary="Take a claim out of a draft",
)
def remove_claim(
    session: SessionDep,
    actor: Editor,
    key: PlanKey,
    version: VersionKey,
    claim: ClaimPath,
    if_match: IfMatch = None,
) -> None:
    """Where the approved version makes the claim, this is a weakening: it needs a reason when submitted."""
    plan, row = _version(session, key, version)
    require_match(if_match, row)
    versions.require_draft(row)
    claims.remove(session, claims.find(session, row, claim))
    versions.touch(session, row, actor)
    versions.settle(session, plan, now=clock.now(), why="a claim was taken out of the draft")


@router.post(
    "/plans/{key}/versions/{version}/submissions",
    operation_id="submitPlanVersion",
    summary="Offer a draft for approval",
)
def submit(
    session: SessionDep, actor: Editor, key: PlanKey, version: VersionKey, given: SubmissionIn | None = None
) -> VersionOut:
    """Where it asks less than before, a reason is required."""
    plan, row = _version(session, key, version)
    reason = given.weakening_reason if given else ""
    service.submit(session, plan, row, reason=reason, actor=actor, now=clock.now())
    return version_out(session, plan, row)


@router.post(
    "/plans/{key}/versions/{version}/approvals", operation_id="approvePlanVersion", summary="Approve a version"
)
def approve(session: SessionDep, actor: Approver, key: PlanKey, version: VersionKey) -> VersionOut:
    """By a person who did not write in it; from then on nobody can change it."""
    plan, row = _version(session, key, version)
    return version_out(session, plan, service.approve(session, plan, row, actor=actor, now=clock.now()))


@router.post(
    "/plans/{key}/versions/{version}/rejections", operation_id="rejectPlanVersion", summary="Send a version back"
)
def reject(
    session: SessionDep, actor: Approver, key: PlanKey, version: VersionKey, given: RejectionIn | None = None
) -> VersionOut:
    """It becomes a draft again."""
    plan, row = _version(session, key, version)
    reason = given.reason if given else ""
    return version_out(session, plan, service.reject(session, plan, row, reason=reason, actor=actor, now=clock.now()))


add(router, evidence_api.router)
add(router, mvo_api.router)
