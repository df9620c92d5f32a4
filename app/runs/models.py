"""Tables of a run itself: the run, its steps, the facts they saw, locks, events and evidence files."""

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from app.core.columns import document, key, link, moment, word
from app.playbooks.rules import Mode
from app.runs.loss import ObligationKind
from app.runs.real import Activation, RunAddition
from app.runs.record import Answer, Approval, Decision, Observation
from app.runs.rules import Call, Direction, Pause, RunState, RunVerdict, StepState
from runners.contract import Effect, Verdict

__all__ = [
    "Activation",
    "Answer",
    "Approval",
    "Decision",
    "EnvironmentLock",
    "EvidenceFile",
    "GuardState",
    "Obligation",
    "Observation",
    "Run",
    "RunAddition",
    "RunEvent",
    "SeenFact",
    "Stay",
    "StayLook",
    "StepRun",
]


class Run(SQLModel, table=True):
    """One execution of a playbook for a drill, with its own copy of everything that it runs."""

    __tablename__ = "run"
    __table_args__ = (UniqueConstraint("drill_id", "nominal"),)
    id: str = key()
    ref: str = Field(max_length=20, unique=True)
    drill_id: str = link("drill.id")
    moment_id: str | None = Field(default=None, max_length=36, index=True)
    """The due moment that planned it; None where a person started it now."""
    nominal: str | None = Field(default=None, max_length=40)
    """Nominal local time of that moment; with the drill it makes the run unique."""
    plan_id: str = link("plan.id")
    plan_version_id: str = Field(max_length=36)
    plan_major: int
    service_id: str | None = link("service.id", optional=True)
    playbook_name: str = Field(max_length=80, index=True)
    playbook_version_id: str = Field(max_length=36)
    playbook_sha256: str = Field(max_length=64)
    playbook: dict[str, Any] = document()
    """The playbook as this run's mode has it (and by hand, where so asked)."""
    mode: Mode = word(Mode)
    direction: Direction = word(Direction, default=Direction.NONE)
    by_hand: bool = False
    unattended: bool = False
    inputs: dict[str, Any] = document()
    """Resolved input values by name, as the runners' shapes."""
    joined: list[dict[str, Any]] = document(list)
    """Who was asked in while it ran, beside the drill's participants: ``{personId, role, by, at, reason}``."""
    lock_keys: list[str] = document(list)
    tokens: dict[str, Any] = document()
    """Fencing token per lock held."""
    pair_id: str | None = Field(default=None, max_length=36, index=True)
    digest: str = Field(max_length=64, index=True)
    starter: str = Field(max_length=80)
    """Who planned or started it, as the audit log names actors."""
    started_by: str = Field(default="", max_length=80)
    """Who set a planned run going; the last approval and the clock do so for nobody."""
    author: str = Field(default="", max_length=80)
    """Who wrote the playbook version."""
    state: RunState = word(RunState, default=RunState.PLANNED, index=True)
    ended: RunState | None = word(RunState, optional=True)
    end_reason: dict[str, Any] = document()
    """Why it is missed, or why it can't start yet: ``{code, text}``."""
    needs_approval: bool = False
    paused: Pause | None = word(Pause, optional=True)
    pause_reason: dict[str, Any] = document()
    """``{nl, en}``; a person's own words stand in both."""
    aborting: bool = False
    abort_reason: dict[str, Any] = document()
    """``{nl, en}`` as well."""
    undoing: bool = False
    real: bool = False
    """Whether a person said *this is real*, or the real thing took its place: it stopped being a drill."""
    activation: bool = False
    """Whether it is no drill but the real thing; the row in `activation` tells of it."""
    planned_at: datetime = moment(index=True)
    latest_start_at: datetime | None = moment(optional=True)
    latest_end_at: datetime | None = moment(optional=True)
    queued_at: datetime | None = moment(optional=True)
    alarm_at: datetime | None = moment(optional=True)
    outage_at: datetime | None = moment(optional=True)
    """When the service went away, where no step of this run took it away: told, else the alarm."""
    started_at: datetime | None = moment(optional=True)
    served_at: datetime | None = moment(optional=True)
    """When a probe had seen the target side serve; the home side moved then."""
    ended_at: datetime | None = moment(optional=True, index=True)
    verdict: RunVerdict | None = word(RunVerdict, optional=True)
    verdict_reason: dict[str, Any] = document()
    rta_ms: int | None = None
    rpa_ms: int | None = None
    decision_ms: int | None = None
    technical_ms: int | None = None
    proven: list[str] = document(list)
    """Claim keys whose proof row was written."""
    created_at: datetime = moment()
    revision: int = 1


class StepRun(SQLModel, table=True):
    """A step of a run: its present attempt, its last outcome, and what its driver is like."""

    __tablename__ = "step_run"
    __table_args__ = (UniqueConstraint("run_id", "step_id"),)
    id: str = key()
    run_id: str = link("run.id")
    step_id: str = Field(max_length=40)
    position: int
    state: StepState = word(StepState, default=StepState.NOT_STARTED, index=True)
    before_undo: StepState | None = word(StepState, optional=True)
    call: Call = word(Call, default=Call.RUN)
    attempt: int = 0
    """Grows with each dispatch, whatever for."""
    generation: int = 1
    """Part of the effect key; grows only after an observed *not done* or a person's decision."""
    tries: int = 0
    takeovers: int = 0
    """How often a worker was lost while it held the present attempt."""
    site: str = Field(default="orchestrator", max_length=200, index=True)
    driver: dict[str, Any] = document()
    """Runner, effect, repeat, probe, facts provided and required, undo; as they were when the run was planned."""
    effect: Effect | None = word(Effect, optional=True)
    boot_id: str | None = Field(default=None, max_length=80, index=True)
    executor: str | None = Field(default=None, max_length=200)
    ready_at: datetime | None = moment(optional=True)
    intent_at: datetime | None = moment(optional=True)
    """When the present or last attempt began."""
    first_intent_at: datetime | None = moment(optional=True)
    order: int = 0
    intended: bool = False
    absent: bool = False
    crashed: bool = False
    opened_at: datetime | None = moment(optional=True)
    due_at: datetime | None = moment(optional=True, index=True)
    """When a wait is over or a question times out."""
    retry_at: datetime | None = moment(optional=True, index=True)
    finished_at: datetime | None = moment(optional=True)
    effective_at: datetime | None = moment(optional=True)
    verdict: Verdict | None = word(Verdict, optional=True)
    outcome: dict[str, Any] = document()
    """The last outcome as the runners' shape, without its evidence."""
    chosen: str | None = Field(default=None, max_length=60)
    by: str | None = Field(default=None, max_length=80)
    comment: str = Field(default="", max_length=2000)
    progress: dict[str, Any] = document()
    log: str = ""


class SeenFact(SQLModel, table=True):
    """A safety fact as it was last seen in a run; only a recent one that holds opens the way."""

    __tablename__ = "seen_fact"
    __table_args__ = (UniqueConstraint("run_id", "fact"),)
    id: str = key()
    run_id: str = link("run.id")
    fact: str = Field(max_length=300)
    holds: bool
    at: datetime = moment()
    step_id: str = Field(max_length=40)
    signed_by: str | None = Field(default=None, max_length=80)


class EnvironmentLock(SQLModel, table=True):
    """The one lock of an environment or shared resource: at most one run holds it, each under a higher token."""

    __tablename__ = "environment_lock"
    key: str = Field(primary_key=True, max_length=120)
    token: int = 0
    run_id: str | None = Field(default=None, max_length=36, index=True)
    since: datetime | None = moment(optional=True)


class RunEvent(SQLModel, table=True):
    """Something that happened in a run, in order; pages replay from the last id they saw."""

    __tablename__ = "run_event"
    __table_args__ = {"sqlite_autoincrement": True}
    id: int | None = Field(default=None, primary_key=True)
    run_id: str = link("run.id")
    at: datetime = moment()
    kind: str = Field(max_length=60)
    step_id: str | None = Field(default=None, max_length=40)
    actor: str = Field(default="system", max_length=80)
    detail: dict[str, Any] = document()


class EvidenceFile(SQLModel, table=True):
    """A file in the evidence store that belongs to a step attempt."""

    __tablename__ = "evidence_file"
    id: str = key()
    run_id: str = link("run.id")
    step_run_id: str | None = link("step_run.id", optional=True)
    attempt: int = 0
    sha256: str = Field(max_length=64, index=True)
    size: int
    media_type: str = Field(max_length=120)
    title: str = Field(default="", max_length=200)
    at: datetime = moment()


class Obligation(SQLModel, table=True):
    """Something that must still be done after a run: cleaned up (it has not passed before), caught up, or reviewed."""

    __tablename__ = "obligation"
    id: str = key()
    run_id: str = link("run.id")
    kind: ObligationKind = word(ObligationKind, default=ObligationKind.CLEAN_UP, index=True)
    what: str = Field(max_length=500)
    text: dict[str, Any] = document()
    """``{nl, en}`` where the playbook says it in both languages; else empty, and `what` stands."""
    step_id: str | None = Field(default=None, max_length=40)
    """The step that was passed over, or that left it."""
    pair_id: str | None = Field(default=None, max_length=36, index=True)
    side: str | None = Field(default=None, max_length=20)
    """The side that is owed something."""
    runner: str | None = Field(default=None, max_length=80)
    """A later step of this runner on that side settles it; None: only a person can."""
    bars: bool = False
    """Whether that side may not take part again before it is settled."""
    settled_by: str | None = Field(default=None, max_length=36)
    """The run that settled it."""
    evidence: list[str] = document(list)
    """SHA-256 of the files with which a person settled it."""
    created_at: datetime = moment()
    """Since when it is owed: what shows that it was done is younger."""
    due_at: datetime = moment(index=True)
    done_at: datetime | None = moment(optional=True)
    done_by: str | None = Field(default=None, max_length=80)
    forced: bool = False
    """Let be instead of cleaned up: the run never passes then."""
    reason: str = Field(default="", max_length=2000)


class GuardState(SQLModel, table=True):
    """What a guard last saw, and since when; a row per guard of a run."""

    __tablename__ = "guard_state"
    __table_args__ = (UniqueConstraint("run_id", "guard_id"),)
    id: str = key()
    run_id: str = link("run.id")
    guard_id: str = Field(max_length=40)
    seen: Verdict = word(Verdict, default=Verdict.PASSED)
    since: datetime = moment()
    looked_at: datetime | None = moment(optional=True)
    acted_at: datetime | None = moment(optional=True)
    """When a breach that outlasted the tolerance was acted upon; the claim of the run then fails."""
    paused_at: datetime | None = moment(optional=True)
    """When it last paused the run."""
    reason: dict[str, Any] = document()


class Stay(SQLModel, table=True):
    """Production's stay on a side, from one proven switch to the next one away."""

    __tablename__ = "stay"
    id: str = key()
    pair_id: str = Field(max_length=36, index=True)
    service_id: str | None = link("service.id", optional=True)
    plan_id: str = link("plan.id")
    side: str = Field(max_length=20)
    run_id: str = link("run.id")
    """The run whose switch began it."""
    since: datetime = moment()
    ended_at: datetime | None = moment(optional=True)
    ended_by: str | None = Field(default=None, max_length=36)
    every_s: int = 60
    """How often it was to be looked at, by the guards of the run that began it."""
    looks: int = 0
    misses: int = 0
    """Looks that did not see the service work."""
    looked_at: datetime | None = moment(optional=True)
    longest_gap_ms: int = 0
    """Longest time between two looks."""
    least_level: float | None = None
    """Lowest level that was measured or told, in the unit of the service's MBCO."""


class StayLook(SQLModel, table=True):
    """A look at a stay that told something new: a change of what is seen, a new low, or a figure told by a person."""

    __tablename__ = "stay_look"
    id: str = key()
    stay_id: str = link("stay.id")
    at: datetime = moment()
    verdict: Verdict = word(Verdict)
    level: float | None = None
    """Measured level in the unit of the service's MBCO."""
    by: str = Field(default="system", max_length=80)
