"""Tables of findings, their actions, the acceptance of what risk is left, and each step from state to state."""

from datetime import date, datetime
from typing import Any

from sqlmodel import Field, SQLModel

from app.core.columns import document, key, link, moment, word
from app.findings.rules import AcceptanceState, Cause, Control, Impact, Operation, Severity, Source, State


class Finding(SQLModel, table=True):
    """Something that must be mended, or knowingly accepted."""

    __tablename__ = "finding"
    id: str = key()
    ref: str = Field(unique=True, max_length=20)
    key: str = Field(max_length=300, index=True)
    """Names the fact: the same fact found again while this one is not closed is this finding."""
    open_key: str | None = Field(default=None, unique=True, max_length=300)
    """`key` while not closed, else empty: the database permits one open finding per fact."""
    plan_id: str | None = link("plan.id", optional=True)
    plan_version: str = Field(default="", max_length=20)
    claim_key: str | None = Field(default=None, max_length=100)
    service_id: str | None = link("service.id", optional=True)
    run_id: str | None = Field(default=None, max_length=36, index=True)
    """The run that found it; no foreign key, for a run and its findings are written in one transaction."""
    object_ids: list[str] = document(list)
    source: Source = word(Source, index=True)
    cause: Cause | None = word(Cause, optional=True, index=True)
    severity: Severity = word(Severity, index=True)
    level: int | None = None
    """Evidence level (0–5) at which the claim failed."""
    title_nl: str = Field(max_length=300)
    title_en: str = Field(max_length=300)
    description: str = ""
    state: State = word(State, default=State.OPEN, index=True)
    owner_id: str | None = link("person.id", optional=True)
    due_on: date | None = Field(default=None, index=True)
    impact_now: Impact | None = word(Impact, optional=True)
    control_now: Control | None = word(Control, optional=True)
    impact_after: Impact | None = word(Impact, optional=True)
    control_after: Control | None = word(Control, optional=True)
    opened_by: str = Field(max_length=80)
    opened_at: datetime = moment(index=True)
    retested_at: datetime | None = moment(optional=True)
    """When a passing retest verified it."""
    retest_run_id: str | None = Field(default=None, max_length=36)
    closed_at: datetime | None = moment(optional=True)
    revision: int = 1


class FindingTransition(SQLModel, table=True):
    """A finding went from one state to another. Insert only."""

    __tablename__ = "finding_transition"
    id: int | None = Field(default=None, primary_key=True)
    finding_id: str = link("finding.id")
    at: datetime = moment()
    actor: str = Field(max_length=80)
    operation: Operation = word(Operation)
    before: State = word(State)
    after: State = word(State)
    reason: str = ""
    run_id: str | None = Field(default=None, max_length=36)


class FindingAction(SQLModel, table=True):
    """What somebody will do about a finding."""

    __tablename__ = "finding_action"
    id: str = key()
    finding_id: str = link("finding.id")
    what: str = Field(max_length=500)
    owner_id: str | None = link("person.id", optional=True)
    due_on: date | None = None
    done_at: datetime | None = moment(optional=True)
    done_by: str = Field(default="", max_length=80)
    note: str = ""
    created_at: datetime = moment()
    revision: int = 1


class Acceptance(SQLModel, table=True):
    """A request to accept the risk that is left, and what became of it."""

    __tablename__ = "acceptance"
    id: str = key()
    finding_id: str = link("finding.id")
    state: AcceptanceState = word(AcceptanceState, default=AcceptanceState.REQUESTED, index=True)
    what_can_happen: str
    impact: Impact = word(Impact)
    control: Control = word(Control)
    alternatives: list[dict[str, Any]] = document(list)
    conditions: str = ""
    evidence_seen: str = ""
    until: datetime = moment(index=True)
    requested_by_id: str = link("person.id")
    requested_at: datetime = moment()
    decided_by_id: str | None = link("person.id", optional=True)
    """Accepted or refused by this person, never the one who requested it."""
    decided_at: datetime | None = moment(optional=True)
    mandate: str = Field(default="", max_length=200)
    """On what ground this person may accept it."""
    decision_reason: str = ""
    ended_at: datetime | None = moment(optional=True)
