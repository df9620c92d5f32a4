"""What goes in and comes out about what plans are worth: proofs, reviews, outside tests, status, coverage."""

from typing import Annotated, Any

from pydantic import Field

from app.catalog.rules import ScenarioFamily
from app.catalog.shapes import Amount
from app.core.listing import ListQuery
from app.core.shapes import Duration, Moment, Name, Prose, Shape
from app.plans.facts import ProofSource, Status, Verdict, WeakeningKind, WithoutSupplier
from app.plans.shapes import ClaimKey, Level
from app.playbooks.rules import ClaimKind

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class WeakeningOut(Shape):
    """A line of the auditor's list."""

    id: str
    plan_id: str
    plan_version_id: str | None
    claim_key: str | None
    kind: WeakeningKind
    before: str
    after: str
    reason: str
    requested_by: str
    requested_at: Moment
    approver_id: str | None
    approved_at: Moment | None
    refused_at: Moment | None


class LampOut(Shape):
    """A lamp beside the status, and what keeps it dark."""

    lit: bool
    missing: list[str]


class ProofOut(Shape):
    """A proof as recorded, and what it counts for."""

    id: str
    claim_key: str
    source: ProofSource
    level: int
    verdict: Verdict
    at: Moment
    recorded_at: Moment
    recorded_by: str
    plan_major: int
    rto_ms: int | None
    rpo_ms: int | None
    hold_ms: int | None
    mbco: float | None
    without_supplier: WithoutSupplier
    mandatory_skipped: bool
    simulated: bool
    attested: bool
    run_id: str | None
    reason: dict[str, str]
    level_why: str
    """Why the level is not higher; empty where nobody told."""
    signed_at: Moment | None
    evidence: list[dict[str, Any]]


class ClaimStatusOut(Shape):
    """Where a claim stands."""

    key: str
    kind: ClaimKind | None
    """Empty for a claim that no approved version makes any more."""
    status: Status
    proven_until: Moment | None
    overdue_since: Moment | None
    proof_id: str | None
    proof_level: int | None
    """What the deciding proof counts for, which may be less than what was recorded."""
    proof_verdict: Verdict | None


class SeriesOut(Shape):
    """The tests of the last year by what became of them."""

    planned: int
    done: int
    passed: int
    inconclusive: int
    missed: int


class PlanStatusOut(Shape):
    """The status of a plan at one moment, with its two other lamps and its words."""

    plan_id: str
    as_of: Moment
    status: Status
    words: str
    proven_until: Moment | None
    overdue_since: Moment | None
    version: str | None
    claims: list[ClaimStatusOut]
    dropped_failures: list[ClaimStatusOut]
    """Failures of claims that a later version dropped: they stay in sight."""
    complete: LampOut
    current: LampOut
    time_needed: Duration | None
    audit: str
    """design, existence, operating or none."""
    series: SeriesOut


class ReviewIn(Shape):
    """A recorded review: the plan or clause was read by someone other than the author."""

    claims: Annotated[list[ClaimKey], Field(min_length=1, max_length=100)]
    verdict: Verdict = Verdict.PASS
    note: Prose = ""


class EvidenceIn(Shape):
    """A file that shows what was done outside."""

    name: Name
    sha256: Sha256
    size: Annotated[int, Field(ge=0, le=10**12)] | None = None
    taken_at: Moment


class AttestationIn(Shape):
    """A test that was done outside; whoever sends it signs for it."""

    claim: ClaimKey
    level: Level
    """What was done; it counts for level 3 at most."""
    verdict: Verdict
    performed_at: Moment
    signed_at: Moment | None = None
    """When the statement was signed; now where left out."""
    rto: Duration | None = None
    rpo: Duration | None = None
    hold: Duration | None = None
    mbco: Amount | None = None
    without_supplier: WithoutSupplier = WithoutSupplier.UNKNOWN
    mandatory_skipped: bool = False
    note: Prose = ""
    evidence: Annotated[list[EvidenceIn], Field(min_length=1, max_length=100)]


class ProofQuery(ListQuery):
    """Filters of a plan's proofs."""

    claim: ClaimKey | None = None
    source: ProofSource | None = None
    verdict: Verdict | None = None


class StatusChangeOut(Shape):
    """A change of status."""

    id: int
    at: Moment
    old: Status | None
    new: Status
    why: str
    claims: dict[str, Status]
    proven_until: Moment | None
    overdue_since: Moment | None


class CoverageClaimOut(Shape):
    """A claim that counts for a cell."""

    plan: str
    claim: str
    status: Status


class RefusedOut(Shape):
    """A claim that names a family and does not count for it, and why."""

    plan: str
    claim: str
    why: str


class CoverageCellOut(Shape):
    """One service and one scenario family."""

    service: str
    service_name: str
    family: ScenarioFamily
    status: Status
    claims: list[CoverageClaimOut]
    not_counting: list[RefusedOut]


class CoverageOut(Shape):
    """Service × scenario family."""

    as_of: Moment
    cells: list[CoverageCellOut]
