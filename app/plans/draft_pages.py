"""Pages of one version of a plan: its text and claims, the forms of a draft, review and approval."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

from app.access import reach
from app.access.models import Person
from app.access.rules import Action, Actor, may
from app.catalog.models import CatalogObject, ObjectService, Service
from app.catalog.rules import ScenarioFamily
from app.core import clock, forms, labels
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import InvalidInput
from app.core.web import field_errors, redirect, render
from app.plans import claims, service, typed, versions
from app.plans.completeness import time_needed
from app.plans.content import MvoContent, PlanContent
from app.plans.defaults import SwapPolicy
from app.plans.errors import ClaimExists, WeakeningNeedsReason
from app.plans.models import Mvo, MvoVersion, Plan, PlanClaim, PlanVersion
from app.plans.parameters import Approver, Editor, Reader
from app.plans.shapes import ClaimIn, ClaimPatch
from app.playbooks.rules import ClaimKind

router = APIRouter(include_in_schema=False)
Sent = Annotated[Fields, Depends(form)]
DURATIONS = ("rto", "rpo", "minHold")


def _found(session: Session, key: str, number: str, *, lock: bool = False) -> tuple[Plan, PlanVersion]:
    plan = service.find_plan(session, key, lock=lock)
    return plan, service.find_version(session, plan, number)


def _mvo(session: Session, version: PlanVersion) -> tuple[Mvo, MvoContent] | None:
    row = session.get(MvoVersion, version.mvo_version_id) if version.mvo_version_id else None
    return (session.get_one(Mvo, row.mvo_id), MvoContent.model_validate(row.content)) if row else None


def _objects(session: Session, plan: Plan) -> list[CatalogObject]:
    wanted = (
        select(CatalogObject)
        .join(ObjectService, col(ObjectService.object_id) == CatalogObject.id)
        .where(ObjectService.service_id == plan.service_id, col(CatalogObject.archived_at).is_(None))
    )
    return list(session.exec(wanted.order_by(col(CatalogObject.name))).all())


def _page(
    request: Request,
    session: Session,
    actor: Actor,
    plan: Plan,
    version: PlanVersion,
    problem: InvalidInput | None = None,
) -> HTMLResponse:
    content = PlanContent.model_validate(version.content)
    approver = session.get(Person, version.approver_id) if version.approver_id else None
    context: dict[str, Any] = {
        "plan": plan,
        "edition": version,
        "content": content,
        "claims": service.claims_of(session, version.id),
        "weaker": versions.weaker(session, plan, version) if version.approved_at is None else [],
        "needed": time_needed(content.work()),
        "service": session.get_one(Service, plan.service_id),
        "mvo": _mvo(session, version),
        "objects": {row.id: row for row in _objects(session, plan)},
        "versions": service.versions_of(session, plan.id),
        "approver": approver,
        "families": {family.value: family for family in ScenarioFamily},
        "wrote": actor.ref in {version.author, *version.editors},
        "may_edit": may(actor, Action.EDIT_PLAN),
        "may_approve": may(actor, Action.APPROVE_PLAN),
        "errors": forms.Typed(field_errors(problem) if problem else {}),
        "refused": problem.detail if problem else "",
    }
    return render(
        request, "plans/version.html", status=problem.status if problem else 200, section="services", **context
    )


@router.get("/plans/{key}/versions/{number}")
def version_page(request: Request, session: SessionDep, actor: Reader, key: str, number: str) -> HTMLResponse:
    """What a version says, and what can be done with it now."""
    return _page(request, session, actor, *_found(session, key, number))


def _shown(content: PlanContent) -> dict[str, Any]:
    """The text of a plan with empty rows below each list of rows, to write in."""
    shown = content.model_dump(by_alias=True)
    for name in typed.ROWS:
        shown[name] = [forms.Typed(row) for row in (*shown[name], *[{}] * typed.BLANK_ROWS)]
    return shown


def _content_form(
    request: Request,
    plan: Plan,
    version: PlanVersion,
    session: Session,
    fields: Fields | None,
    problem: InvalidInput | None,
) -> HTMLResponse:
    reach.only_look(session)
    context: dict[str, Any] = {
        "plan": plan,
        "edition": version,
        "content": _shown(PlanContent.model_validate(version.content)),
        "typed": dict(fields) if fields else None,
        "errors": forms.Typed(field_errors(problem) if problem else {}),
        "policies": labels.options(SwapPolicy),
        "mvos": [("", "–"), *[(row.ref, row.name) for row in session.exec(select(Mvo)).all()]],
        "mvo": found[0].ref if (found := _mvo(session, version)) else "",
    }
    status = problem.status if problem else 200
    return render(request, "plans/content_form.html", status=status, section="services", **context)


@router.get("/plans/{key}/versions/{number}/edit")
def edit_content(request: Request, session: SessionDep, actor: Editor, key: str, number: str) -> HTMLResponse:
    """The form of a draft's text."""
    plan, version = _found(session, key, number)
    versions.require_draft(version)
    return _content_form(request, plan, version, session, None, None)


@router.post("/plans/{key}/versions/{number}/edit")
def save_content(request: Request, session: SessionDep, actor: Editor, key: str, number: str, fields: Sent) -> Response:
    """Change a draft's text."""
    plan, version = _found(session, key, number, lock=True)
    try:
        made = typed.content(fields, version.content)
    except InvalidInput as problem:
        return _content_form(request, plan, version, session, fields, problem)
    values: dict[str, Any] = {"content": made.model_dump(mode="json", by_alias=True)}
    if "mvo" in fields:
        values["mvo_version_id"] = service.mvo_version(session, fields.text("mvo") or None)
    service.edit_version(session, plan, version, values, actor=actor, now=clock.now())
    return redirect(f"/plans/{plan.ref}/versions/{version.number}")


def _claim_form(
    request: Request,
    session: Session,
    plan: Plan,
    version: PlanVersion,
    values: dict[str, Any],
    *,
    claim: PlanClaim | None = None,
    problem: InvalidInput | ClaimExists | None = None,
) -> HTMLResponse:
    reach.only_look(session)
    context: dict[str, Any] = {
        "plan": plan,
        "edition": version,
        "claim": claim,
        "values": forms.Typed(values),
        "errors": forms.Typed(field_errors(problem) if problem else {}),
        "kinds": labels.options(ClaimKind),
        "families": labels.options(ScenarioFamily),
        "objects": [(row.ref, row.name) for row in _objects(session, plan)],
    }
    status = problem.status if problem else 200
    return render(request, "plans/claim_form.html", status=status, section="services", **context)


def _whole(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _claim_values(fields: Fields) -> dict[str, Any]:
    """What was typed of a claim; levels and days are whole numbers for the API, text in a form."""
    values: dict[str, Any] = fields.filled()
    for name in ("minLevel", "validDays"):
        if name in values:
            values[name] = _whole(values[name])
    if "mbco" in values:
        values["mbco"] = values["mbco"].replace(",", ".")
    values["withoutSupplier"] = "withoutSupplier" in values
    return values | {"families": fields.every("families"), "objects": fields.every("objects")}


@router.get("/plans/{key}/versions/{number}/claims/new")
def new_claim(request: Request, session: SessionDep, actor: Editor, key: str, number: str) -> HTMLResponse:
    """The form of a new claim."""
    plan, version = _found(session, key, number)
    versions.require_draft(version)
    return _claim_form(request, session, plan, version, {})


@router.post("/plans/{key}/versions/{number}/claims")
def add_claim(request: Request, session: SessionDep, actor: Editor, key: str, number: str, fields: Sent) -> Response:
    """Add a claim to a draft; families that are left open are those of its kind."""
    plan, version = _found(session, key, number, lock=True)
    versions.require_draft(version)
    values = _claim_values(fields)
    given = values | {"families": values["families"] or None, "withoutSupplier": values["withoutSupplier"] or None}
    try:
        claims.add_all(session, plan, version, [forms.read(ClaimIn, given, durations=DURATIONS)])
    except (InvalidInput, ClaimExists) as problem:
        return _claim_form(request, session, plan, version, values, problem=problem)
    versions.touch(session, version, actor)
    versions.settle(session, plan, now=clock.now(), why="a claim was added to the draft")
    return redirect(f"/plans/{plan.ref}/versions/{version.number}")


@router.get("/plans/{key}/versions/{number}/claims/{claim}/edit")
def edit_claim(request: Request, session: SessionDep, actor: Editor, key: str, number: str, claim: str) -> HTMLResponse:
    """The form of a claim."""
    plan, version = _found(session, key, number)
    versions.require_draft(version)
    row = claims.find(session, version, claim)
    chosen = [each.ref for each in _objects(session, plan) if each.id in row.object_ids]
    values = {
        "says": row.says,
        "families": row.families,
        "minLevel": row.min_level,
        "validDays": row.valid_days,
        "rto": forms.spoken(row.rto_s),
        "rpo": forms.spoken(row.rpo_s),
        "minHold": forms.spoken(row.min_hold_s),
        "mbco": "" if row.mbco is None else f"{row.mbco:.15g}",
        "mbcoUnit": row.mbco_unit,
        "withoutSupplier": row.without_supplier,
        "objects": chosen,
    }
    return _claim_form(request, session, plan, version, values, claim=row)


@router.post("/plans/{key}/versions/{number}/claims/{claim}/edit")
def save_claim(
    request: Request, session: SessionDep, actor: Editor, key: str, number: str, claim: str, fields: Sent
) -> Response:
    """Change a claim of a draft."""
    plan, version = _found(session, key, number, lock=True)
    versions.require_draft(version)
    row = claims.find(session, version, claim)
    values = {**dict.fromkeys((*DURATIONS, "mbco")), "says": "", "mbcoUnit": "", **_claim_values(fields)}
    try:
        claims.edit(session, row, forms.read(ClaimPatch, values, durations=DURATIONS))
    except InvalidInput as problem:
        return _claim_form(request, session, plan, version, _claim_values(fields), claim=row, problem=problem)
    versions.touch(session, version, actor)
    versions.settle(session, plan, now=clock.now(), why="a claim of the draft was edited")
    return redirect(f"/plans/{plan.ref}/versions/{version.number}")


@router.post("/plans/{key}/versions/{number}/claims/{claim}/removals")
def remove_claim(
    session: SessionDep, actor: Editor, key: str, number: str, claim: str, fields: Sent
) -> RedirectResponse:
    """Take a claim out of a draft; where the approved version makes it, submitting needs a reason."""
    plan, version = _found(session, key, number, lock=True)
    versions.require_draft(version)
    claims.remove(session, claims.find(session, version, claim))
    versions.touch(session, version, actor)
    versions.settle(session, plan, now=clock.now(), why="a claim was taken out of the draft")
    return redirect(f"/plans/{plan.ref}/versions/{version.number}")


@router.post("/plans/{key}/versions/{number}/submissions")
def submit(request: Request, session: SessionDep, actor: Editor, key: str, number: str, fields: Sent) -> Response:
    """Offer a draft for approval."""
    plan, version = _found(session, key, number, lock=True)
    try:
        with session.begin_nested():
            service.submit(session, plan, version, reason=fields.text("reason"), actor=actor, now=clock.now())
    except WeakeningNeedsReason as problem:
        return _page(request, session, actor, plan, version, problem)
    return redirect(f"/plans/{plan.ref}/versions/{version.number}")


@router.post("/plans/{key}/versions/{number}/approvals")
def approve(session: SessionDep, actor: Approver, key: str, number: str, fields: Sent) -> RedirectResponse:
    """Approve a version that others wrote."""
    plan, version = _found(session, key, number, lock=True)
    service.approve(session, plan, version, actor=actor, now=clock.now())
    return redirect(f"/plans/{plan.ref}")


@router.post("/plans/{key}/versions/{number}/rejections")
def reject(session: SessionDep, actor: Approver, key: str, number: str, fields: Sent) -> RedirectResponse:
    """Send a version back to its authors."""
    plan, version = _found(session, key, number, lock=True)
    service.reject(session, plan, version, reason=fields.text("comment"), actor=actor, now=clock.now())
    return redirect(f"/plans/{plan.ref}/versions/{version.number}")
