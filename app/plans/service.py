"""Use cases of plans, and the functions that drills, runs and reports call: see `__all__`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from app.access.rules import Actor
from app.access.service import find_person
from app.catalog import service as catalog
from app.catalog.models import Contract, Service
from app.core import audit
from app.core.columns import next_ref
from app.core.errors import FieldError, InvalidInput, not_found
from app.core.messages import say
from app.plans import claims, organisation, versions
from app.plans.errors import AlreadyDecided, NothingApproved, PlanRetired, SecondPersonNeeded
from app.plans.evidence import NewProof, attest, record_proof, review
from app.plans.facts import PlanKind, VersionState, WeakeningKind
from app.plans.judging import judge
from app.plans.models import MvoVersion, Plan, PlanVersion, StatusChange, Weakening
from app.plans.shapes import PlanIn
from app.plans.standing import (
    Standing,
    approved_version,
    claims_of,
    find_plan,
    proofs_of,
    refresh,
    standing,
    status,
    versions_of,
)
from app.plans.sweeping import sweep
from app.plans.versions import approve, edit_version, find_version, new_draft, reject, submit

__all__ = [
    "NewProof",
    "Standing",
    "add_plan",
    "approve",
    "approve_weakening",
    "approved_version",
    "ask_retirement",
    "attest",
    "claims_of",
    "edit_plan",
    "edit_version",
    "find_plan",
    "find_version",
    "history",
    "judge",
    "new_draft",
    "proofs_of",
    "record_proof",
    "refresh",
    "reject",
    "review",
    "standing",
    "status",
    "submit",
    "sweep",
    "versions_of",
]


@dataclass(frozen=True)
class Numbers:
    """The versions of a plan in short."""

    approved: str | None
    draft: str | None


def add_plan(session: Session, given: PlanIn, *, actor: Actor, now: datetime) -> tuple[Plan, PlanVersion]:
    """A new plan with draft 1.0 and its claims. Raises InvalidInput with every fault, NotFound for what it names."""
    _refuse_mode(given)
    service = catalog.find(session, Service, given.service)
    owner_id = find_person(session, given.owner).id if given.owner else actor.person_id
    plan = Plan(
        ref=next_ref(session, "PLN"),
        name=given.name,
        kind=given.kind,
        mode=given.mode,
        service_id=service.id,
        contract_id=catalog.find(session, Contract, given.contract).id if given.contract else None,
        owner_id=owner_id,
        created_by=actor.ref,
        created_at=now,
    )
    session.add(plan)
    session.flush()
    version = PlanVersion(
        plan_id=plan.id,
        major=1,
        minor=0,
        content=given.content.model_dump(mode="json", by_alias=True),
        mvo_version_id=mvo_version(session, given.mvo),
        criticality=service.criticality,
        author=actor.ref,
        editors=[actor.ref],
        first_due_at=given.first_due_at,
        next_review_on=given.next_review_on,
        created_at=now,
    )
    session.add(version)
    session.flush()
    _add_claims(session, plan, version, given)
    audit.record(session, actor.ref, "plan.added", "plan", plan.id, ref=plan.ref)
    versions.settle(session, plan, now=now, why="the plan was made")
    return plan, version


def _add_claims(session: Session, plan: Plan, version: PlanVersion, given: PlanIn) -> None:
    claims.add_all(session, plan, version, given.claims)
    if given.with_default_claims:
        sent = {claim.kind for claim in given.claims}
        offered = [each for each in claims.defaults_for(session, plan, version) if each.kind not in sent]
        claims.add_all(session, plan, version, [claims.from_default(each) for each in offered])


def _refuse_mode(given: PlanIn) -> None:
    if (given.kind is PlanKind.EXIT) == (given.mode is not None):
        return
    reason = say("An exit plan says whether it is planned or stressed; a fallback plan has no mode.")
    raise InvalidInput(reason, errors=[FieldError("mode", "mode-and-kind", reason)])


def mvo_version(session: Session, key: str | None) -> str | None:
    """The version of a minimum viable organisation that a plan leans on: the approved one, else the newest."""
    if key is None:
        return None
    mvo = organisation.find_mvo(session, key)
    wanted = select(MvoVersion).where(MvoVersion.mvo_id == mvo.id).order_by(col(MvoVersion.number).desc())
    rows = session.exec(wanted).all()
    return next((row.id for row in rows if row.state is VersionState.APPROVED), rows[0].id)


def edit_plan(session: Session, plan: Plan, sent: dict[str, Any], *, actor: Actor) -> Plan:
    """Change name, owner or contract; what the plan says changes in a version."""
    values: dict[str, Any] = {}
    if sent.get("name"):
        values["name"] = sent["name"]
    if "owner" in sent:
        values["owner_id"] = find_person(session, sent["owner"]).id if sent["owner"] else None
    if "contract" in sent:
        values["contract_id"] = catalog.find(session, Contract, sent["contract"]).id if sent["contract"] else None
    before = {name: getattr(plan, name) for name in values}
    for name, value in values.items():
        setattr(plan, name, value)
    plan.revision += 1
    session.add(plan)
    audit.record(session, actor.ref, "plan.edited", "plan", plan.id, changes=audit.changes(before, values))
    return plan


def numbers(session: Session, plan: Plan) -> Numbers:
    """Number of the approved version and of the one beside it that is not approved yet."""
    rows = versions_of(session, plan.id)
    opened = (VersionState.DRAFT, VersionState.IN_REVIEW)
    return Numbers(
        next((row.number for row in rows if row.state is VersionState.APPROVED), None),
        next((row.number for row in rows if row.state in opened), None),
    )


def ask_retirement(session: Session, plan: Plan, reason: str, *, actor: Actor, now: datetime) -> Weakening:
    """Ask to end a plan: a weakening that another person approves. A plan that was never approved ends at once."""
    if plan.archived_at is not None:
        raise PlanRetired(say("{ref} was retired already.", ref=plan.ref))
    if not reason:
        sentence = say("Say why the plan can end.")
        raise InvalidInput(sentence, errors=[FieldError("reason", "required", sentence)])
    row = Weakening(
        plan_id=plan.id,
        kind=WeakeningKind.PLAN_RETIRED,
        before=plan.status.value,
        reason=reason,
        requested_by=actor.ref,
        requested_at=now,
    )
    session.add(row)
    session.flush()
    audit.record(session, actor.ref, "plan.retirement-asked", "plan", plan.id, reason=reason)
    return row


def find_weakening(session: Session, key: str, *, of: Plan | None = None) -> Weakening:
    """A line of the auditor's list, `of` this plan where one is named. Raises NotFound."""
    row = session.get(Weakening, key, with_for_update=True) if key.isprintable() else None
    if row is None or (of is not None and row.plan_id != of.id):
        raise not_found("weakening", key)
    return row


def approve_weakening(session: Session, row: Weakening, *, actor: Actor, now: datetime) -> Plan:
    """Another person agrees that a plan ends. A weaker version is approved together with the version itself."""
    if row.approved_at is not None or row.refused_at is not None:
        raise AlreadyDecided(say("Somebody decided on this already."))
    if row.kind is not WeakeningKind.PLAN_RETIRED:
        raise AlreadyDecided(say("This weakening is decided with its version: approve or reject that."))
    if actor.person_id is None or actor.ref == row.requested_by:
        raise SecondPersonNeeded(say("You asked for this. Another person decides on it."))
    plan = find_plan(session, row.plan_id, lock=True)
    row.approver_id, row.approved_at = actor.person_id, now
    session.add(row)
    _end(session, plan, actor=actor, now=now)
    return plan


def _end(session: Session, plan: Plan, *, actor: Actor, now: datetime) -> None:
    version = approved_version(session, plan.id)
    if version is not None:
        version.state, version.retired_at = VersionState.RETIRED, now
        session.add(version)
    plan.archived_at = now
    plan.revision += 1
    session.add(plan)
    audit.record(session, actor.ref, "plan.retired", "plan", plan.id)
    versions.settle(session, plan, now=now, why="the plan was retired")


def archive_draft(session: Session, plan: Plan, *, actor: Actor, now: datetime) -> Plan:
    """End a plan that never had an approved version: nothing rests on it. Raises NothingApproved otherwise."""
    versions.refuse_retired(plan)
    if any(version.approved_at is not None for version in versions_of(session, plan.id)):
        sentence = say("{ref} was approved once: ask for its retirement, with a reason.", ref=plan.ref)
        raise NothingApproved(sentence, nextActions=["ask-retirement"])
    _end(session, plan, actor=actor, now=now)
    return plan


def history(session: Session, plan_id: str, *, at: datetime | None = None) -> list[StatusChange]:
    """Each change of a plan's status up to a moment, the oldest first."""
    wanted = select(StatusChange).where(StatusChange.plan_id == plan_id)
    if at is not None:
        wanted = wanted.where(StatusChange.at <= at)
    return list(session.exec(wanted.order_by(col(StatusChange.at), col(StatusChange.id))))
