"""Drills, the moments at which they fall, and the calendar of days on which nothing is switched."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel, UniqueConstraint

from app.core.columns import document, key, link, moment, word
from app.drills.rules import Attendance, MomentState, Trigger
from app.playbooks.rules import Mode


class Drill(SQLModel, table=True):
    """A playbook planned for a plan: once, or again and again."""

    __tablename__ = "drill"
    id: str = key()
    ref: str = Field(unique=True, max_length=20)
    title: str = Field(max_length=200)
    plan_id: str = link("plan.id")
    plan_version_id: str = link("plan_version.id")
    """The approved version at the time of planning."""
    service_id: str | None = link("service.id", optional=True)
    pair_id: str | None = link("environment_pair.id", optional=True)
    """The pair that the playbook switches, where it has an input of that type."""
    scenario: str = Field(default="", max_length=40)
    """Scenario family."""
    playbook_id: str = link("playbook_version.id")
    mode: Mode = word(Mode)
    """Fixed when the drill is made."""
    direction: str | None = Field(default=None, max_length=10)
    """``over`` (away from the primary side), ``back``, or None for what does not switch."""
    partner_id: str | None = link("drill.id", optional=True)
    """The other half of an alternating pair."""
    inputs: dict[str, Any] = document()
    """Input name → reference of a catalogue row, or a plain value in JSON."""
    schedule: dict[str, Any] | None = Field(default=None, sa_type=document().sa_type, nullable=True)
    """`app.drills.rules.OnceAt` or `Recurring` as JSON; None: started by hand only."""
    time_zone: str = Field(default="Europe/Amsterdam", max_length=60)
    windows: list[dict[str, Any]] = document(list)
    grace_s: int = 900
    """How long after its moment a drill may still be started by the clock, seconds."""
    attendance: Attendance = word(Attendance, default=Attendance.ATTENDED)
    on_call_id: str | None = link("person.id", optional=True)
    approvals: dict[str, Any] | None = Field(default=None, sa_type=document().sa_type, nullable=True)
    """`app.drills.rules.ApprovalPolicy` as JSON."""
    participants: list[dict[str, Any]] = document(list)
    """``{personId, role}``."""
    objectives: list[dict[str, Any]] = document(list)
    """``{text, measure, target, unit}``."""
    limits: dict[str, Any] = document()
    """``{blastRadius, stopWord, latestEndSeconds}``."""
    claims: dict[str, str] = document()
    """Claim kind of the playbook's `proves` → key of the plan's claim."""
    owner_id: str | None = link("person.id", optional=True)
    created_by: str = Field(default="system", max_length=80)
    editors: list[str] = document(list)
    """Who changed it since, as the audit log names them: they approve no run of it."""
    created_at: datetime = moment()
    planned_until: datetime | None = moment(optional=True)
    """Moments up to here have been looked at; None: none yet."""
    next_due_at: datetime | None = moment(optional=True, index=True)
    """The first moment after that; None where nothing is to come."""
    archived_at: datetime | None = moment(optional=True)
    revision: int = 1


class DrillMoment(SQLModel, table=True):
    """One moment of a drill that has come: planned, skipped or missed, with the reason; one row each."""

    __tablename__ = "drill_moment"
    __table_args__ = (UniqueConstraint("drill_id", "nominal_local"),)
    id: str = key()
    drill_id: str = link("drill.id")
    nominal_local: str = Field(max_length=40)
    """Wall time in the drill's zone (``2027-01-31T02:30:00``), or ``by-hand:ID`` for a start by a person."""
    due_at: datetime = moment(index=True)
    state: MomentState = word(MomentState, index=True)
    trigger: Trigger = word(Trigger, default=Trigger.SCHEDULE)
    reason_code: str = Field(default="", max_length=40)
    reason: dict[str, Any] = document()
    """``{nl, en}``; empty for a planned one."""
    run_id: str | None = Field(default=None, max_length=36, index=True)
    """The run that came of it; written by runs."""
    created_at: datetime = moment()


class Blackout(SQLModel, table=True):
    """A time in which no drill is started: for one service, or for the whole organisation."""

    __tablename__ = "blackout"
    id: str = key()
    ref: str = Field(unique=True, max_length=20)
    name: str = Field(max_length=200)
    starts_at: datetime = moment(index=True)
    ends_at: datetime = moment(index=True)
    service_id: str | None = link("service.id", optional=True)
    """None: for all services."""
    reason: str = ""
    created_at: datetime = moment()
    archived_at: datetime | None = moment(optional=True)
    revision: int = 1
