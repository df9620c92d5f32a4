"""The status of a claim and of a plan, computed from proofs, changes, findings and the clock; never typed in."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from app.plans.facts import (
    Change,
    Claim,
    ClaimStatus,
    Facts,
    Finding,
    FindingSeverity,
    PlanFacts,
    PlanStatus,
    Proof,
    Status,
    Verdict,
    WithoutSupplier,
    Worth,
)
from app.plans.levels import Did, Level, Mode, Performance, Probe, proof_level
from app.plans.worth import worth

__all__ = [
    "Change",
    "Claim",
    "ClaimStatus",
    "Did",
    "Facts",
    "Finding",
    "FindingSeverity",
    "Level",
    "Mode",
    "Performance",
    "PlanFacts",
    "PlanStatus",
    "Probe",
    "Proof",
    "Status",
    "Verdict",
    "WithoutSupplier",
    "Worth",
    "changed_since",
    "claim_status",
    "plan_status",
    "proof_level",
    "standing_failure",
    "summary",
    "worth",
]


def plan_status(facts: Facts, *, now: datetime) -> PlanStatus:
    """The status of a plan at `now`: worst first, over its claims. Facts later than `now` are passed over."""
    claims = tuple(claim_status(claim, facts, now=now) for claim in facts.claims)
    status = _plan_word(facts.plan, [claim.status for claim in claims])
    until = min((c.until for c in claims if c.until), default=None) if status is Status.PROVEN else None
    return PlanStatus(status, claims, until, _overdue_since(facts.plan, claims, now=now))


def _plan_word(plan: PlanFacts, claims: Sequence[Status]) -> Status:
    if not plan.exists:
        return Status.NO_PLAN
    if not plan.approved:
        return Status.DRAFT
    return summary(claims)


def summary(claims: Sequence[Status]) -> Status:
    """One word over several claims, worst first; no claims at all is never tested."""
    if Status.FAILED in claims:
        return Status.FAILED
    if claims and all(status is Status.PROVEN for status in claims):
        return Status.PROVEN
    if Status.PROVEN in claims and not {Status.STALE, Status.OVERDUE} & set(claims):
        return Status.PARTIALLY_PROVEN
    order = (Status.STALE, Status.OVERDUE, Status.PARTIALLY_PROVEN, Status.PAPER_ONLY)
    return next((status for status in order if status in claims), Status.NEVER_TESTED)


def _overdue_since(plan: PlanFacts, claims: Sequence[ClaimStatus], *, now: datetime) -> datetime | None:
    moments = [claim.overdue_since for claim in claims if claim.overdue_since]
    untested = any(claim.status in (Status.NEVER_TESTED, Status.PAPER_ONLY) for claim in claims)
    if untested and plan.first_due is not None and plan.first_due <= now:
        moments.append(plan.first_due)
    return min(moments, default=None)


def claim_status(claim: Claim, facts: Facts, *, now: datetime) -> ClaimStatus:
    """The status of one claim at `now`, by the eight rules of the design in their order."""
    worths = [worth(claim, proof) for proof in facts.proofs if proof.claim == claim.key and proof.at <= now]
    overdue_since = _expired(claim, worths, now=now)
    fail = standing_failure(worths)
    if fail is not None:
        return ClaimStatus(claim.key, Status.FAILED, None, overdue_since, fail.proof)
    decisive = _latest(worths, lambda each: _counts(each) and each.level >= claim.min_level, facts.plan.major)
    if decisive is not None:
        return _decided(claim, facts, decisive, overdue_since, now=now)
    paper = _latest(worths, _counts, facts.plan.major)
    if paper is None:
        return ClaimStatus(claim.key, Status.NEVER_TESTED)
    current = paper.proof.plan_major == facts.plan.major
    return ClaimStatus(claim.key, Status.PAPER_ONLY if current else Status.STALE, proof=paper.proof)


def _decided(
    claim: Claim, facts: Facts, decisive: Worth, overdue_since: datetime | None, *, now: datetime
) -> ClaimStatus:
    proof = decisive.proof
    until = proof.at + timedelta(days=claim.valid_days)
    if proof.plan_major != facts.plan.major or changed_since(claim, facts.changes, proof.at, now=now):
        status = Status.STALE
    elif decisive.verdict is Verdict.PARTIAL:
        status = Status.PARTIALLY_PROVEN
    elif now >= until:
        status = Status.OVERDUE
    elif any(_caps(finding, claim, now=now) for finding in facts.findings):
        status = Status.PARTIALLY_PROVEN
    else:
        status = Status.PROVEN
    return ClaimStatus(claim.key, status, until if status is Status.PROVEN else None, overdue_since, proof)


def changed_since(claim: Claim, changes: Sequence[Change], since: datetime, *, now: datetime) -> bool:
    """Whether something that `claim` rests on changed substantively after `since`, up to `now`."""
    return any(since < c.at <= now and (c.whole_plan or c.objects & claim.objects) for c in changes)


def _caps(finding: Finding, claim: Claim, *, now: datetime) -> bool:
    if finding.severity is not FindingSeverity.HIGH or finding.claim not in (None, claim.key):
        return False
    return finding.opened <= now and not (finding.retested is not None and finding.retested <= now)


def standing_failure(worths: Sequence[Worth]) -> Worth | None:
    """The last failure without a later pass at its level or higher; at one instant the failure counts.

    What was told from outside never clears a failure, and neither does a change of the plan or time.
    """
    passes = [w for w in worths if w.verdict is Verdict.PASS and w.level > 0 and not w.proof.attested]
    standing = [
        fail
        for fail in worths
        if fail.verdict is Verdict.FAIL
        and not any(p.level >= fail.level and p.proof.at > fail.proof.at for p in passes)
    ]
    return max(standing, key=lambda each: (each.proof.at, each.level), default=None)


def _counts(each: Worth) -> bool:
    return each.verdict in (Verdict.PASS, Verdict.PARTIAL) and each.level > 0


def _latest(worths: Sequence[Worth], wanted: Callable[[Worth], bool], major: int) -> Worth | None:
    """The latest that is wanted; at one instant the worse: a partial, then one of another major version."""
    found = [each for each in worths if wanted(each)]
    return max(
        found,
        key=lambda each: (each.proof.at, each.verdict is Verdict.PARTIAL, each.proof.plan_major != major),
        default=None,
    )


def _expired(claim: Claim, worths: Sequence[Worth], *, now: datetime) -> datetime | None:
    passes = [w.proof.at for w in worths if w.verdict is Verdict.PASS and w.level >= claim.min_level]
    if not passes:
        return None
    until = max(passes) + timedelta(days=claim.valid_days)
    return until if now >= until else None
