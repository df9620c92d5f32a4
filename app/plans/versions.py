"""Versions of a plan: drafts and their claims, submission, another person's approval, the next draft."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

from sqlmodel import Session, select

from app.access.behind import people_behind
from app.access.rules import Actor
from app.catalog import service as catalog
from app.catalog.models import Service
from app.core import audit
from app.core.errors import FieldError, not_found
from app.core.messages import say
from app.core.shapes import NextAction
from app.plans import claims as claim_rows
from app.plans import judging, standing
from app.plans.content import PlanContent
from app.plans.defaults import LEAST_LEVEL, valid_days
from app.plans.errors import (
    AuthorCannotApprove,
    DraftExists,
    NothingApproved,
    PlanRetired,
    VersionImmutable,
    VersionNotInReview,
    WeakeningNeedsReason,
)
from app.plans.facts import PlanKind, VersionState
from app.plans.models import Plan, PlanClaim, PlanVersion, Weakening
from app.plans.weakening import Default, Demand, Weaker, lower_criticality, weaker_than_before, weaker_than_default

LONGEST_TOLD = 500
"""Characters of what was and what became; a claim may rest on hundreds of objects."""
_OPEN = (VersionState.DRAFT, VersionState.IN_REVIEW)


def find_version(session: Session, plan: Plan, key: str) -> PlanVersion:
    """A version of the plan by its number (``1.0``) or id. Raises NotFound."""
    found = next((v for v in standing.versions_of(session, plan.id) if key in (v.number, v.id)), None)
    if found is None:
        raise not_found("version", key)
    return found


def require_draft(version: PlanVersion) -> None:
    """Refuse an edit of what is no draft."""
    if version.state is not VersionState.DRAFT:
        sentence = say(
            "Version {number} is {state}: make a new draft to change it.",
            number=version.number,
            state=version.state.value,
        )
        raise VersionImmutable(sentence, nextActions=next_operations(version))


_OF_PLAN = {"make-draft": "versions", "review": "reviews", "attest": "attestations", "ask-retirement": "retirements"}
_OF_VERSION = {"edit": "", "add-claim": "/claims", "submit": "/submissions", "approve": "/approvals"}
_OF_VERSION |= {"reject": "/rejections"}
"""Operations and the sub-resource that each is sent to."""


def next_operations(version: PlanVersion) -> list[str]:
    """What can be done with the version now."""
    match version.state:
        case VersionState.DRAFT:
            return ["edit", "add-claim", "submit"]
        case VersionState.IN_REVIEW:
            return ["approve", "reject"]
        case VersionState.APPROVED:
            return list(_OF_PLAN)
        case VersionState.RETIRED:
            return []
        case _:
            assert_never(version.state)


def next_actions(version: PlanVersion) -> list[NextAction]:
    """What can be done with the version now, and where to send it."""
    plan = f"/api/v1/plans/{version.plan_id}"
    own = {name: f"{plan}/versions/{version.number}{place}" for name, place in _OF_VERSION.items()}
    places = own | {name: f"{plan}/{place}" for name, place in _OF_PLAN.items()}
    return [NextAction(operation=each, href=places[each]) for each in next_operations(version)]


def touch(session: Session, version: PlanVersion, actor: Actor) -> None:
    """Note that `actor` wrote in the version: they cannot approve it any more."""
    if actor.ref not in version.editors:
        version.editors = [*version.editors, actor.ref]
    version.revision += 1
    session.add(version)
    session.flush()


def edit_version(
    session: Session, plan: Plan, version: PlanVersion, values: dict[str, Any], *, actor: Actor, now: datetime
) -> PlanVersion:
    """Change a draft. Raises VersionImmutable."""
    require_draft(version)
    before = {name: getattr(version, name) for name in values}
    for name, value in values.items():
        setattr(version, name, value)
    touch(session, version, actor)
    names = [name for name, value in values.items() if before[name] != value]
    audit.record(session, actor.ref, "plan.draft-edited", "plan", plan.id, version=version.number, fields=names)
    settle(session, plan, now=now, why="the draft was edited")
    return version


def settle(session: Session, plan: Plan, *, now: datetime, why: str) -> None:
    """After a change of a plan: hold it against the rules, compute its status, tell the catalogue."""
    session.flush()
    if plan.archived_at is None:
        judging.judge(session, plan, now=now)
    standing.refresh(session, now=now, plan_ids=[plan.id], why=why)
    if plan.kind is PlanKind.EXIT:
        exits = select(Plan.id).where(Plan.service_id == plan.service_id, Plan.kind == PlanKind.EXIT)
        approved = select(PlanVersion.id).where(
            PlanVersion.plan_id.in_(exits),  # type: ignore[attr-defined]
            PlanVersion.state == VersionState.APPROVED,
        )
        catalog.record_exit_plan_exists(session, plan.service_id, session.exec(approved).first() is not None)


def new_draft(session: Session, plan: Plan, *, major: bool, actor: Actor, now: datetime) -> PlanVersion:
    """A draft made from the approved version, its claims with the same keys. Raises DraftExists, NothingApproved."""
    refuse_retired(plan)
    versions = standing.versions_of(session, plan.id)
    for version in versions:
        if version.state in _OPEN:
            raise DraftExists(say("Version {number} is not approved yet. Finish that first.", number=version.number))
    base = standing.approved_version(session, plan.id)
    if base is None:
        raise NothingApproved(say("{ref} has no approved version to start from.", ref=plan.ref))
    draft = PlanVersion(
        plan_id=plan.id,
        major=base.major + 1 if major else base.major,
        minor=0 if major else base.minor + 1,
        content=base.content,
        mvo_version_id=base.mvo_version_id,
        criticality=base.criticality,
        author=actor.ref,
        editors=[actor.ref],
        first_due_at=base.first_due_at,
        next_review_on=base.next_review_on,
        created_at=now,
    )
    session.add(draft)
    session.flush()
    claim_rows.copy(session, base, draft)
    audit.record(session, actor.ref, "plan.draft-made", "plan", plan.id, version=draft.number)
    return draft


def refuse_retired(plan: Plan) -> None:
    """Refuse work on a plan that ended."""
    if plan.archived_at is not None:
        raise PlanRetired(say("{ref} was retired. Make a new plan.", ref=plan.ref))


def weaker(session: Session, plan: Plan, version: PlanVersion) -> list[Weaker]:
    """In what ways the version asks less than the approved one; its new claims are held against the defaults."""
    service = catalog.find(session, Service, plan.service_id)
    rows = standing.claims_of(session, version.id)
    base = standing.approved_version(session, plan.id)
    if base is not None and (base.major, base.minor) >= (version.major, version.minor):
        base = None
    before = demands(standing.claims_of(session, base.id)) if base else []
    content = PlanContent.model_validate(version.content)
    defaults = {
        row.key: Default(
            LEAST_LEVEL[row.kind], valid_days(row.kind, criticality=service.criticality, swap=content.swap.policy)
        )
        for row in rows
    }
    known = frozenset(demand.claim.key for demand in before)
    found = weaker_than_before(before, demands(rows)) + weaker_than_default(demands(rows), defaults, known)
    return found + (lower_criticality(base.criticality, service.criticality) if base else [])


def demands(rows: Sequence[PlanClaim]) -> list[Demand]:
    """Claims with their families, as weakening compares them."""
    return [Demand(standing.as_claim(row), frozenset(row.families), row.kind.value) for row in rows]


def submit(
    session: Session, plan: Plan, version: PlanVersion, *, reason: str, actor: Actor, now: datetime
) -> PlanVersion:
    """Offer a draft for approval. Raises WeakeningNeedsReason where it asks less and nobody says why."""
    refuse_retired(plan)
    require_draft(version)
    found = weaker(session, plan, version)
    if found and not reason:
        raise _needs_reason(found)
    version.state = VersionState.IN_REVIEW
    version.weakening_reason = reason if found else ""
    version.criticality = catalog.find(session, Service, plan.service_id).criticality
    version.submitted_at, version.submitted_by = now, actor.ref
    touch(session, version, actor)
    for each in found:
        session.add(
            Weakening(
                plan_id=plan.id,
                plan_version_id=version.id,
                reason=reason,
                requested_by=actor.ref,
                requested_at=now,
                kind=each.kind,
                claim_key=each.claim_key,
                before=each.before[:LONGEST_TOLD],
                after=each.after[:LONGEST_TOLD],
            )
        )
    audit.record(
        session, actor.ref, "plan.submitted", "plan", plan.id, version=version.number, weaker=len(found), reason=reason
    )
    return version


def _needs_reason(found: Sequence[Weaker]) -> WeakeningNeedsReason:
    sentence = say("This version asks less than before, or than the default. Say why in weakeningReason.")
    errors = [
        FieldError(
            f"claims/{each.claim_key}" if each.claim_key else "criticality",
            each.kind.value,
            say("{before} became {after}.", before=each.before, after=each.after or "–"),
        )
        for each in found
    ]
    return WeakeningNeedsReason(sentence, errors=[FieldError("weakeningReason", "required", sentence), *errors])


def _weakenings(session: Session, version: PlanVersion) -> list[Weakening]:
    wanted = select(Weakening).where(Weakening.plan_version_id == version.id)
    return [each for each in session.exec(wanted) if each.approved_at is None and each.refused_at is None]


def _require_other_person(session: Session, version: PlanVersion, actor: Actor) -> None:
    if version.state is not VersionState.IN_REVIEW:
        sentence = say("Version {number} is {state}, not in review.", number=version.number, state=version.state.value)
        raise VersionNotInReview(sentence, nextActions=next_operations(version))
    wrote = people_behind(session, [version.author, version.submitted_by, *version.editors])
    if actor.person_id is None or actor.person_id in wrote:
        raise AuthorCannotApprove(say("You wrote in this version or submitted it. Another person decides on it."))


def approve(session: Session, plan: Plan, version: PlanVersion, *, actor: Actor, now: datetime) -> PlanVersion:
    """Another person approves: the version comes into force and can never be changed; the one before is retired."""
    refuse_retired(plan)
    _require_other_person(session, version, actor)
    base = standing.approved_version(session, plan.id)
    if base is not None:
        base.state, base.retired_at = VersionState.RETIRED, now
        session.add(base)
        session.flush()
    version.state, version.approver_id, version.approved_at = VersionState.APPROVED, actor.person_id, now
    if version.first_due_at is None:
        days = min((claim.valid_days for claim in standing.claims_of(session, version.id)), default=365)
        version.first_due_at = now + timedelta(days=days)
    version.revision += 1
    session.add(version)
    for each in _weakenings(session, version):
        each.approver_id, each.approved_at = actor.person_id, now
        session.add(each)
    audit.record(session, actor.ref, "plan.approved", "plan", plan.id, version=version.number)
    settle(session, plan, now=now, why=f"version {version.number} was approved")
    return version


def reject(
    session: Session, plan: Plan, version: PlanVersion, *, reason: str, actor: Actor, now: datetime
) -> PlanVersion:
    """Another person sends the version back: it is a draft again; what it weakened was not granted."""
    _require_other_person(session, version, actor)
    version.state, version.submitted_at, version.submitted_by = VersionState.DRAFT, None, ""
    version.revision += 1
    session.add(version)
    for each in _weakenings(session, version):
        each.approver_id, each.refused_at = actor.person_id, now
        session.add(each)
    audit.record(session, actor.ref, "plan.rejected", "plan", plan.id, version=version.number, reason=reason)
    settle(session, plan, now=now, why=f"version {version.number} was sent back")
    return version
