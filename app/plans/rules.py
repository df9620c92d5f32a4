"""The status of a claim and of a plan, computed from proofs, changes, findings and the clock; never typed in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

TOLD_AT_MOST = 3
"""Highest level of what was attested: done outside and told, not measured."""
WITH_HELP_AT_MOST = 2
"""Highest level where a claim asks *without the supplier* and the proof does not say yes."""
MEASURED_FROM = 4
"""From this level on a goal that was not measured leaves the proof inconclusive."""


class Status(StrEnum):
    """What a plan or claim is worth today."""

    NO_PLAN = "no_plan"
    DRAFT = "draft"
    FAILED = "failed"
    STALE = "stale"
    OVERDUE = "overdue"
    PARTIALLY_PROVEN = "partially_proven"
    PROVEN = "proven"
    PAPER_ONLY = "paper_only"
    NEVER_TESTED = "never_tested"


class Verdict(StrEnum):
    """What a proof says of its claim."""

    PASS = "pass"  # noqa: S105 – a verdict
    PARTIAL = "partial"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class WithoutSupplier(StrEnum):
    """Whether a test was done without any help, account, site or network of the supplier."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class FindingSeverity(StrEnum):
    """How bad a finding is; only a high one caps a claim."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True)
class PlanFacts:
    """What the status asks of the plan itself."""

    exists: bool
    approved: bool
    """Whether a version is approved now; a draft of the next beside it changes nothing."""
    major: int
    """Major number of the approved version."""
    first_due: datetime | None = None
    """When the first test of its claims was to be done."""


@dataclass(frozen=True)
class Claim:
    """What an approved plan says it can do, and what must be shown for it; durations in seconds."""

    key: str
    """Stable over versions."""
    min_level: int
    valid_days: int
    rto_s: int | None = None
    rpo_s: int | None = None
    min_hold_s: int | None = None
    mbco: float | None = None
    without_supplier: bool = False
    objects: frozenset[str] = frozenset()
    """Ids of the objects and contract measures that it rests on."""


@dataclass(frozen=True)
class Proof:
    """What one test showed of one claim; durations in milliseconds."""

    claim: str
    level: int
    verdict: Verdict
    at: datetime
    plan_major: int
    rto_ms: int | None = None
    rpo_ms: int | None = None
    hold_ms: int | None = None
    mbco: float | None = None
    without_supplier: WithoutSupplier = WithoutSupplier.UNKNOWN
    mandatory_skipped: bool = False
    simulated: bool = False
    attested: bool = False


@dataclass(frozen=True)
class Change:
    """A substantive change by a person or an import."""

    at: datetime
    objects: frozenset[str]
    whole_plan: bool = False


@dataclass(frozen=True)
class Finding:
    """A finding about a claim, or about the whole plan where `claim` is None."""

    claim: str | None
    severity: FindingSeverity
    opened: datetime
    retested: datetime | None = None
    """When a passing retest verified it. A residual-risk acceptance is no retest and is not asked for here."""


@dataclass(frozen=True)
class Facts:
    """Everything that a status follows from, the clock excepted."""

    plan: PlanFacts
    claims: Sequence[Claim]
    proofs: Sequence[Proof] = ()
    changes: Sequence[Change] = ()
    findings: Sequence[Finding] = ()


@dataclass(frozen=True)
class Worth:
    """A proof after what it counts for was decided: its level and verdict may be lower than what was recorded."""

    proof: Proof
    level: int
    verdict: Verdict


@dataclass(frozen=True)
class ClaimStatus:
    """Where a claim stands, and what that rests on."""

    key: str
    status: Status
    until: datetime | None = None
    """End of the proof; only where proven."""
    overdue_since: datetime | None = None
    """End of the last pass, once past; told beside any status."""
    proof: Proof | None = None
    """The proof that decided, None where there is none."""


@dataclass(frozen=True)
class PlanStatus:
    """Where a plan stands, its claims in the order of the plan."""

    status: Status
    claims: tuple[ClaimStatus, ...] = ()
    until: datetime | None = None
    overdue_since: datetime | None = None


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


def worth(claim: Claim, proof: Proof) -> Worth:
    """What `proof` counts for as proof of `claim`; a failure keeps the level it failed at."""
    match proof.verdict:
        case Verdict.INCONCLUSIVE:
            return Worth(proof, proof.level, Verdict.INCONCLUSIVE)
        case Verdict.FAIL:
            return Worth(proof, proof.level, Verdict.INCONCLUSIVE if proof.simulated else Verdict.FAIL)
        case Verdict.PARTIAL:
            verdict = Verdict.INCONCLUSIVE if proof.simulated else Verdict.PARTIAL
            return Worth(proof, _level(claim, proof), verdict)
        case Verdict.PASS:
            level = _level(claim, proof)
            return Worth(proof, level, _pass_weighed(claim, proof, level))
        case _:
            assert_never(proof.verdict)


def _level(claim: Claim, proof: Proof) -> int:
    level = min(proof.level, 1) if proof.simulated else proof.level
    if proof.attested:
        level = min(level, TOLD_AT_MOST)
    if claim.without_supplier and proof.without_supplier is not WithoutSupplier.YES:
        level = min(level, WITH_HELP_AT_MOST)
    return level


def _pass_weighed(claim: Claim, proof: Proof, level: int) -> Verdict:
    """A pass against what was skipped and against the goals; what is known to be too little outweighs the unmeasured."""
    goals = _goals(claim, proof)
    if proof.mandatory_skipped or any(met is False for met in goals):
        return Verdict.PARTIAL
    if level >= MEASURED_FROM and any(met is None for met in goals):
        return Verdict.INCONCLUSIVE
    return Verdict.PASS


def _goals(claim: Claim, proof: Proof) -> list[bool | None]:
    """Per goal of the claim: met, not met, or None where it was not measured."""

    def at_most(goal: int | None, measured: int | None) -> bool | None:
        return None if measured is None or goal is None else measured <= goal * 1000

    def at_least(goal: float | None, measured: float | None) -> bool | None:
        return None if measured is None or goal is None else measured >= goal

    hold_goal = None if claim.min_hold_s is None else claim.min_hold_s * 1000
    told = (
        (claim.rto_s, at_most(claim.rto_s, proof.rto_ms)),
        (claim.rpo_s, at_most(claim.rpo_s, proof.rpo_ms)),
        (hold_goal, at_least(hold_goal, proof.hold_ms)),
        (claim.mbco, at_least(claim.mbco, proof.mbco)),
    )
    return [met for goal, met in told if goal is not None]
