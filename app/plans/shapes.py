"""What goes in and comes out about plans, versions, claims and their evidence; no status, state or approver goes in."""

from datetime import date
from typing import Annotated, Any

from pydantic import Field

from app.catalog.rules import Criticality, ScenarioFamily
from app.catalog.shapes import Amount, Day, Key, Reference
from app.core.listing import ListQuery
from app.core.shapes import Duration, Line, Moment, Name, Patch, Prose, Shape
from app.plans.content import PlanContent
from app.plans.facts import (
    ExitMode,
    PlanKind,
    ProofSource,
    Status,
    Verdict,
    VersionState,
    WeakeningKind,
    WithoutSupplier,
)
from app.playbooks.rules import ClaimKind

ClaimKey = Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,99}$")]
Level = Annotated[int, Field(ge=1, le=5, strict=True)]
Days = Annotated[int, Field(ge=1, le=36_600, strict=True)]
Families = Annotated[list[ScenarioFamily], Field(max_length=20)]
Ids = Annotated[list[Key], Field(max_length=500)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ClaimIn(Shape):
    """A claim of a draft; what is left out gets the default of its kind."""

    key: ClaimKey | None = None
    """Stable over versions; the kind where left out."""
    kind: ClaimKind
    says: Prose = ""
    families: Families | None = None
    min_level: Level | None = None
    valid_days: Days | None = None
    rto: Duration | None = None
    rpo: Duration | None = None
    min_hold: Duration | None = None
    mbco: Amount | None = None
    mbco_unit: Annotated[Line, Field(max_length=100)] = ""
    without_supplier: bool | None = None
    objects: Ids = []
    """Ids or references of the objects that it rests on."""
    measures: Ids = []
    """Ids or references of the contract measures that it rests on."""


class ClaimPatch(Patch):
    """What may change of a claim in a draft; its key and kind stay."""

    says: Prose | None = None
    families: Families | None = None
    min_level: Level | None = None
    valid_days: Days | None = None
    rto: Duration | None = None
    rpo: Duration | None = None
    min_hold: Duration | None = None
    mbco: Amount | None = None
    mbco_unit: Annotated[Line, Field(max_length=100)] | None = None
    without_supplier: bool | None = None
    objects: Ids | None = None
    measures: Ids | None = None


class ClaimOut(Shape):
    """A claim as a version makes it."""

    key: str
    kind: ClaimKind
    says: str
    families: list[ScenarioFamily]
    min_level: int
    valid_days: int
    rto: Duration | None
    rpo: Duration | None
    min_hold: Duration | None
    mbco: float | None
    mbco_unit: str
    without_supplier: bool
    object_ids: list[str]
    measure_ids: list[str]


class PlanIn(Shape):
    """A new plan with its first draft, version 1.0."""

    name: Name
    kind: PlanKind
    mode: ExitMode | None = None
    """Asked of an exit plan, refused of a fallback plan."""
    service: Key
    contract: Key | None = None
    owner: Key | None = None
    """Person, by id, reference or e-mail; who makes the plan where left out."""
    content: PlanContent = PlanContent()
    mvo: Key | None = None
    claims: Annotated[list[ClaimIn], Field(max_length=100)] = []
    with_default_claims: bool = False
    """Also make the default claims of this kind of plan (see ``/plan-templates``)."""
    first_due_at: Moment | None = None
    next_review_on: Day | None = None


class PlanPatch(Patch):
    """What may change of a plan outside its versions."""

    name: Name | None = None
    owner: Key | None = None
    contract: Key | None = None


class VersionIn(Shape):
    """A new draft, made from the approved version."""

    major: bool = False
    """A major version makes earlier proof stale; a minor one does not."""


class VersionPatch(Patch):
    """What may change of a draft."""

    content: PlanContent | None = None
    mvo: Key | None = None
    first_due_at: Moment | None = None
    next_review_on: Day | None = None


class SubmissionIn(Shape):
    """Offers a draft for approval."""

    weakening_reason: Prose = ""
    """Why the plan asks less than before; required where it does."""


class RetirementIn(Shape):
    """Asks to end a plan, which is a weakening."""

    reason: Prose


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


class WeakerOut(Shape):
    """In what way a draft asks less than before or than the default."""

    kind: WeakeningKind
    claim_key: str | None
    before: str
    after: str


class VersionOut(Shape):
    """A version of a plan with its claims."""

    id: str
    plan_id: str
    version: str
    major: int
    minor: int
    state: VersionState
    content: PlanContent
    mvo_version_id: str | None
    criticality: Criticality
    author: str
    editors: list[str]
    weakening_reason: str
    weaker: list[WeakerOut]
    first_due_at: Moment | None
    next_review_on: date | None
    submitted_at: Moment | None
    approver_id: str | None
    approved_at: Moment | None
    retired_at: Moment | None
    created_at: Moment
    revision: int
    claims: list[ClaimOut]
    next_actions: list[str]


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


class PlanOut(Shape):
    """A plan in short, with the status as last computed."""

    id: str
    ref: str
    name: str
    kind: PlanKind
    mode: ExitMode | None
    service: Reference
    service_id: str
    contract_id: str | None
    owner_id: str | None
    status: Status
    proven_until: Moment | None
    overdue_since: Moment | None
    version: str | None
    """Number of the approved version."""
    draft: str | None
    """Number of the draft or of the version in review beside it."""
    created_at: Moment
    archived_at: Moment | None
    revision: int


class PlanQuery(ListQuery):
    """Filters of the list of plans."""

    kind: PlanKind | None = None
    mode: ExitMode | None = None
    status: Status | None = None
    service: Annotated[str, Field(max_length=64)] | None = None
    archived: bool = False


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


class TemplateClaimOut(Shape):
    """A claim as offered for a new draft."""

    key: str
    kind: ClaimKind
    says: str
    families: list[ScenarioFamily]
    min_level: int
    valid_days: int
    without_supplier: bool


class TemplateOut(Shape):
    """What a new draft of this kind of plan is offered."""

    kind: PlanKind
    mode: ExitMode | None
    claims: list[TemplateClaimOut]


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
