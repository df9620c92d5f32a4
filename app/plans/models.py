"""Tables of plans: versions, claims, proofs, missed tests, status changes, weakenings, minimum viable organisations."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel, UniqueConstraint

from app.catalog.rules import Criticality
from app.core.columns import document, key, link, moment, word
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


class Plan(SQLModel, table=True):
    """An exit or fallback plan of one service; what it says stands in its versions."""

    __tablename__ = "plan"
    id: str = key()
    ref: str = Field(unique=True, max_length=20)
    name: str = Field(max_length=200, index=True)
    kind: PlanKind = word(PlanKind, index=True)
    mode: ExitMode | None = word(ExitMode, optional=True)
    """Only of an exit plan."""
    service_id: str = link("service.id")
    contract_id: str | None = link("contract.id", optional=True)
    owner_id: str | None = link("person.id", optional=True)
    status: Status = word(Status, default=Status.DRAFT, index=True)
    """Computed; stored only to make lists quick (pages of one plan and ``asOf`` compute it afresh)."""
    proven_until: datetime | None = moment(optional=True)
    overdue_since: datetime | None = moment(optional=True)
    created_by: str = Field(max_length=80)
    created_at: datetime = moment(index=True)
    archived_at: datetime | None = moment(optional=True, index=True)
    """When it was retired: it is no plan since."""
    revision: int = 1


class PlanVersion(SQLModel, table=True):
    """One version of a plan: editable while a draft, immutable once approved."""

    __tablename__ = "plan_version"
    __table_args__ = (UniqueConstraint("plan_id", "major", "minor"),)
    id: str = key()
    plan_id: str = link("plan.id")
    major: int
    minor: int
    state: VersionState = word(VersionState, default=VersionState.DRAFT, index=True)
    content: dict[str, Any] = document()
    """`app.plans.content.PlanContent` as JSON."""
    mvo_version_id: str | None = link("mvo_version.id", optional=True)
    criticality: Criticality = word(Criticality, default=Criticality.NOT_ASSESSED)
    """Of the service when the version was submitted; a lower one in the next version is a weakening."""
    author: str = Field(max_length=80)
    """``person:ID`` or ``machine:ID``."""
    editors: list[str] = document(list)
    """Everybody who wrote in it; none of them can approve it."""
    weakening_reason: str = ""
    first_due_at: datetime | None = moment(optional=True)
    """When the first test of a claim is to be done."""
    next_review_on: date | None = None
    submitted_at: datetime | None = moment(optional=True)
    submitted_by: str = Field(default="", max_length=80)
    approver_id: str | None = link("person.id", optional=True)
    approved_at: datetime | None = moment(optional=True, index=True)
    retired_at: datetime | None = moment(optional=True)
    """When the next version, or nothing, took its place."""
    created_at: datetime = moment()
    revision: int = 1

    @property
    def number(self) -> str:
        """``2.1``."""
        return f"{self.major}.{self.minor}"


class PlanClaim(SQLModel, table=True):
    """What a version says it can do, for which scenario families, and what must be shown for it."""

    __tablename__ = "plan_claim"
    __table_args__ = (UniqueConstraint("plan_version_id", "key"),)
    id: str = key()
    plan_version_id: str = link("plan_version.id")
    position: int
    key: str = Field(max_length=100)
    """Stable over versions: proofs, failures and findings follow it."""
    kind: ClaimKind = word(ClaimKind)
    says: str = ""
    families: list[str] = document(list)
    min_level: int
    valid_days: int
    rto_s: int | None = Field(default=None, sa_type=BigInteger)
    rpo_s: int | None = Field(default=None, sa_type=BigInteger)
    min_hold_s: int | None = Field(default=None, sa_type=BigInteger)
    mbco: float | None = None
    mbco_unit: str = Field(default="", max_length=100)
    without_supplier: bool = False
    object_ids: list[str] = document(list)
    measure_ids: list[str] = document(list)


class ProofRow(SQLModel, table=True):
    """What one run, review or outside test showed of one claim. Insert only."""

    __tablename__ = "proof"
    __table_args__ = (UniqueConstraint("run_id", "plan_id", "claim_key", "at"),)
    id: str = key()
    plan_id: str = link("plan.id")
    plan_major: int
    claim_key: str = Field(max_length=100, index=True)
    source: ProofSource = word(ProofSource)
    level: int
    verdict: Verdict = word(Verdict)
    at: datetime = moment(index=True)
    """When it was performed."""
    recorded_at: datetime = moment(index=True)
    recorded_by: str = Field(max_length=80)
    rto_ms: int | None = Field(default=None, sa_type=BigInteger)
    rpo_ms: int | None = Field(default=None, sa_type=BigInteger)
    hold_ms: int | None = Field(default=None, sa_type=BigInteger)
    mbco: float | None = None
    without_supplier: WithoutSupplier = word(WithoutSupplier, default=WithoutSupplier.UNKNOWN)
    mandatory_skipped: bool = False
    simulated: bool = False
    attested: bool = False
    run_id: str | None = Field(default=None, max_length=36, index=True)
    """No foreign key: runs stand right of plans and are written in the same transaction."""
    reason_nl: str = ""
    reason_en: str = ""
    level_why: dict[str, Any] = document()
    """Why the level is not higher, as a sentence to translate (`text`, `values`); empty where nobody told."""
    signed_at: datetime | None = moment(optional=True)
    evidence: list[dict[str, Any]] = document(list)
    """Files of an outside test: name, sha256, size in bytes, moment taken."""


class StatusChange(SQLModel, table=True):
    """The status of a plan, or of one of its claims, became another one. Insert only."""

    __tablename__ = "plan_status_change"
    id: int | None = Field(default=None, primary_key=True)
    plan_id: str = link("plan.id")
    at: datetime = moment(index=True)
    old: Status | None = word(Status, optional=True)
    new: Status = word(Status)
    why: str = Field(max_length=200)
    claims: dict[str, str] = document()
    """Status per claim key after the change."""
    proven_until: datetime | None = moment(optional=True)
    overdue_since: datetime | None = moment(optional=True)


class Weakening(SQLModel, table=True):
    """A plan asks less of itself than before, or than the default: on the auditor's list for good."""

    __tablename__ = "weakening"
    id: str = key()
    plan_id: str = link("plan.id")
    plan_version_id: str | None = link("plan_version.id", optional=True)
    claim_key: str | None = Field(default=None, max_length=100)
    kind: WeakeningKind = word(WeakeningKind)
    before: str = Field(default="", max_length=500)
    after: str = Field(default="", max_length=500)
    reason: str
    requested_by: str = Field(max_length=80)
    requested_at: datetime = moment()
    approver_id: str | None = link("person.id", optional=True)
    """Another person than who asked; empty while nobody answered."""
    approved_at: datetime | None = moment(optional=True)
    refused_at: datetime | None = moment(optional=True)
    """When that other person did not agree."""


class MissedTest(SQLModel, table=True):
    """A test of a plan that was planned and did not begin; told by drills. Insert only."""

    __tablename__ = "missed_test"
    id: str = key()
    """That of the drill's moment: each counts once."""
    plan_id: str = link("plan.id")
    at: datetime = moment(index=True)
    """When it was to begin."""
    reason_code: str = Field(default="", max_length=40)
    created_at: datetime = moment()


class Mvo(SQLModel, table=True):
    """A minimum viable organisation: of the organisation, of a unit, or of one plan."""

    __tablename__ = "mvo"
    id: str = key()
    ref: str = Field(unique=True, max_length=20)
    name: str = Field(max_length=200, index=True)
    unit: str = Field(default="", max_length=200)
    plan_id: str | None = link("plan.id", optional=True)
    created_at: datetime = moment(index=True)
    archived_at: datetime | None = moment(optional=True)
    revision: int = 1


class MvoVersion(SQLModel, table=True):
    """One version of a minimum viable organisation; immutable once approved."""

    __tablename__ = "mvo_version"
    __table_args__ = (UniqueConstraint("mvo_id", "number"),)
    id: str = key()
    mvo_id: str = link("mvo.id")
    number: int
    state: VersionState = word(VersionState, default=VersionState.DRAFT)
    content: dict[str, Any] = document()
    """`app.plans.content.MvoContent` as JSON."""
    author: str = Field(max_length=80)
    approver_id: str | None = link("person.id", optional=True)
    approved_at: datetime | None = moment(optional=True)
    board_approved_on: date | None = None
    """Day on which the board decided, as the approver tells."""
    created_at: datetime = moment()
    revision: int = 1
