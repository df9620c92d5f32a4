"""Where plans stand: loads the rows as they were at a moment, asks the rules, and records each change of status."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from app.access import reach
from app.access.rules import SYSTEM
from app.catalog import service as catalog
from app.catalog.models import EnvironmentPair
from app.catalog.rules import ObjectChange
from app.core import audit
from app.findings import service as findings
from app.plans import rules
from app.plans.coverage import ACROSS_SIDES
from app.plans.facts import Claim, ClaimStatus, Facts, PlanFacts, PlanStatus, Proof, Status, VersionState
from app.plans.models import Plan, PlanClaim, PlanVersion, ProofRow, StatusChange

_WHOLE_PLAN = frozenset({"service", "supplier", "supply_chain_link"})
"""Kinds of which a substantive change touches every claim of the plans of a service."""


@dataclass(frozen=True)
class Standing:
    """A plan at one moment: its status, what that was computed from, and failures of claims that were dropped."""

    status: PlanStatus
    facts: Facts
    version: PlanVersion | None
    """The version approved at that moment."""
    dropped: tuple[ClaimStatus, ...]
    proof_ids: dict[Proof, str]
    changes: tuple[datetime, ...]
    """Moments of the substantive changes that touch a claim or the whole plan."""


def find_plan(session: Session, key: str, *, lock: bool = False) -> Plan:
    """The plan with this id or reference. Raises NotFound."""
    return reach.find(session, Plan, key, "plan", lock=lock)


def versions_of(session: Session, plan_id: str) -> list[PlanVersion]:
    """All versions of a plan, the newest first."""
    wanted = select(PlanVersion).where(PlanVersion.plan_id == plan_id)
    return list(session.exec(wanted.order_by(col(PlanVersion.major).desc(), col(PlanVersion.minor).desc())))


def approved_version(session: Session, plan_id: str, *, at: datetime | None = None) -> PlanVersion | None:
    """The version in force now, or the one that was in force at a moment."""
    versions = versions_of(session, plan_id)
    if at is None:
        return next((version for version in versions if version.state is VersionState.APPROVED), None)
    return next((version for version in versions if _in_force(version, at)), None)


def _in_force(version: PlanVersion, at: datetime) -> bool:
    if version.approved_at is None or version.approved_at > at:
        return False
    return version.retired_at is None or version.retired_at > at


def claims_of(session: Session, plan_version_id: str) -> list[PlanClaim]:
    """The claims that a version makes, in its order."""
    wanted = select(PlanClaim).where(PlanClaim.plan_version_id == plan_version_id)
    return list(session.exec(wanted.order_by(col(PlanClaim.position))))


def proofs_of(session: Session, plan_id: str, *, at: datetime) -> list[ProofRow]:
    """Proofs of a plan that were performed and recorded up to `at`, the oldest first."""
    wanted = select(ProofRow).where(ProofRow.plan_id == plan_id, ProofRow.at <= at, ProofRow.recorded_at <= at)
    return list(session.exec(wanted.order_by(col(ProofRow.at), col(ProofRow.id))))


def as_claim(row: PlanClaim, pair_ids: Iterable[str] = ()) -> Claim:
    """The row as the rules take it; claims about the other side also rest on the environment pair."""
    rests_on = {*row.object_ids, *row.measure_ids, *(pair_ids if row.kind in ACROSS_SIDES else ())}
    return Claim(
        key=row.key,
        min_level=row.min_level,
        valid_days=row.valid_days,
        rto_s=row.rto_s,
        rpo_s=row.rpo_s,
        min_hold_s=row.min_hold_s,
        mbco=row.mbco,
        without_supplier=row.without_supplier,
        objects=frozenset(rests_on),
    )


def as_proof(row: ProofRow) -> Proof:
    """The row as the rules take it."""
    return Proof(
        claim=row.claim_key,
        level=row.level,
        verdict=row.verdict,
        at=row.at,
        plan_major=row.plan_major,
        rto_ms=row.rto_ms,
        rpo_ms=row.rpo_ms,
        hold_ms=row.hold_ms,
        mbco=row.mbco,
        without_supplier=row.without_supplier,
        mandatory_skipped=row.mandatory_skipped,
        simulated=row.simulated,
        attested=row.attested,
    )


def status(session: Session, plan: Plan, *, now: datetime) -> PlanStatus:
    """The status of a plan at any moment, past ones too, from the rows as they were then."""
    return standing(session, plan, now=now).status


def standing(session: Session, plan: Plan, *, now: datetime, changes: Sequence[ObjectChange] | None = None) -> Standing:
    """A plan at any moment; `changes` saves reading the catalogue's changes again."""
    if plan.created_at > now or (plan.archived_at is not None and plan.archived_at <= now):
        facts = Facts(PlanFacts(exists=False, approved=False, major=0), ())
        return Standing(rules.plan_status(facts, now=now), facts, None, (), {}, ())
    version = approved_version(session, plan.id, at=now)
    told = version or next((each for each in versions_of(session, plan.id) if each.created_at <= now), None)
    rows = proofs_of(session, plan.id, at=now)
    pairs = session.exec(select(EnvironmentPair.id).where(EnvironmentPair.service_id == plan.service_id)).all()
    facts = Facts(
        plan=PlanFacts(True, version is not None, told.major if told else 0, told.first_due_at if told else None),
        claims=[as_claim(row, pairs) for row in (claims_of(session, told.id) if told else [])],
        proofs=[as_proof(row) for row in rows],
        changes=_changes(session, plan, changes),
        findings=_findings(session, plan, at=now),
    )
    touching = [c.at for c in facts.changes if c.at <= now and _touches(c, facts.claims)]
    ids = {as_proof(row): row.id for row in rows}
    return Standing(rules.plan_status(facts, now=now), facts, version, _dropped(facts, now=now), ids, tuple(touching))


def _touches(change: rules.Change, claims: Sequence[Claim]) -> bool:
    return change.whole_plan or any(change.objects & claim.objects for claim in claims)


def _changes(session: Session, plan: Plan, known: Sequence[ObjectChange] | None) -> list[rules.Change]:
    found = catalog.substantive_changes(session) if known is None else known
    return [
        rules.Change(
            at=change.at,
            objects=change.object_ids | change.measure_ids | change.contract_ids | change.pair_ids,
            whole_plan=(change.kind in _WHOLE_PLAN and plan.service_id in change.service_ids)
            or (change.kind == "contract" and change.row_id == plan.contract_id),
        )
        for change in found
    ]


def _findings(session: Session, plan: Plan, *, at: datetime) -> list[rules.Finding]:
    return [
        rules.Finding(fact.claim_key, rules.FindingSeverity(fact.severity.value), fact.opened, fact.retested)
        for fact in findings.facts(session, plan.id, at=at)
    ]


def _dropped(facts: Facts, *, now: datetime) -> tuple[ClaimStatus, ...]:
    """Failures that still stand of claims which no version in force makes any more."""
    known = {claim.key for claim in facts.claims}
    gone = dict.fromkeys(proof.claim for proof in facts.proofs if proof.claim not in known)
    found = [rules.claim_status(Claim(key, min_level=1, valid_days=0), facts, now=now) for key in gone]
    return tuple(each for each in found if each.status is Status.FAILED)


def refresh(
    session: Session,
    *,
    now: datetime,
    plan_ids: Iterable[str] | None = None,
    why: str,
    changes: Sequence[ObjectChange] | None = None,
) -> list[StatusChange]:
    """Compute the stored status of these plans (all where None) anew; answers and records what became another one.

    `changes`: those of the catalogue, where the caller has read them already.
    """
    wanted = select(Plan)
    if plan_ids is not None:
        wanted = wanted.where(col(Plan.id).in_(list(plan_ids)))
    known = catalog.substantive_changes(session) if changes is None else changes
    found = [_settle(session, plan, known, now=now, why=why) for plan in session.exec(wanted).all()]
    return [change for change in found if change is not None]


def is_outdated(session: Session, plan: Plan, changes: Sequence[ObjectChange], *, now: datetime) -> bool:
    """Whether `refresh` would write anything for this plan; reads only."""
    found, last = standing(session, plan, now=now, changes=changes).status, _last_change(session, plan)
    return last is None or not _says(last, found, _as_kept(found))


def _last_change(session: Session, plan: Plan) -> StatusChange | None:
    wanted = select(StatusChange).where(StatusChange.plan_id == plan.id)
    return session.exec(wanted.order_by(col(StatusChange.id).desc())).first()


def _as_kept(found: PlanStatus) -> dict[str, Any]:
    return {
        "claims": {claim.key: claim.status.value for claim in found.claims},
        "proven_until": found.until,
        "overdue_since": found.overdue_since,
    }


def _says(last: StatusChange, found: PlanStatus, after: dict[str, Any]) -> bool:
    return last.new is found.status and all(getattr(last, key) == value for key, value in after.items())


def _settle(
    session: Session, plan: Plan, changes: Sequence[ObjectChange], *, now: datetime, why: str
) -> StatusChange | None:
    found = standing(session, plan, now=now, changes=changes).status
    last, after = _last_change(session, plan), _as_kept(found)
    if last is not None and _says(last, found, after):
        return None
    plan.status, plan.proven_until, plan.overdue_since = found.status, found.until, found.overdue_since
    change = StatusChange(
        plan_id=plan.id, at=now, old=last.new if last else None, new=found.status, why=why[:200], **after
    )
    session.add_all([plan, change])
    session.flush()
    audit.record(
        session, SYSTEM.ref, "plan.status-changed", "plan", plan.id, old=change.old, new=change.new.value, why=why
    )
    return change
