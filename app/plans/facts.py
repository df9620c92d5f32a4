"""The words and facts that plan status is computed from: plan, claims, proofs, changes, findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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


class PlanKind(StrEnum):
    """What a plan is for."""

    EXIT = "exit"
    FALLBACK = "fallback"


class ExitMode(StrEnum):
    """Whether the supplier helps: a planned exit proves nothing for a stressed one."""

    PLANNED = "planned"
    STRESSED = "stressed"


class VersionState(StrEnum):
    """Where a version of a plan stands."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    RETIRED = "retired"


class ProofSource(StrEnum):
    """Where a proof came from."""

    RUN = "run"
    REVIEW = "review"
    ATTESTED = "attested"


class WeakeningKind(StrEnum):
    """How a plan can come to ask less."""

    CLAIM_DROPPED = "claim-dropped"
    LOWER_LEVEL = "lower-level"
    LONGER_VALIDITY = "longer-validity"
    LOOSER_GOAL = "looser-goal"
    WITH_SUPPLIER = "with-supplier"
    RESTS_ON_LESS = "rests-on-less"
    FEWER_FAMILIES = "fewer-families"
    LOWER_CRITICALITY = "lower-criticality"
    PLAN_RETIRED = "plan-retired"


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
