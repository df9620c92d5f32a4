"""Tables of the real thing: an activation of a plan, and what was learnt of it afterwards."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from app.core.columns import document, key, link, moment


class Activation(SQLModel, table=True):
    """A plan put to work because something really happened: when it was noticed, what is lost, who said so."""

    __tablename__ = "activation"
    id: str = key()
    run_id: str = Field(foreign_key="run.id", max_length=36, unique=True)
    """The run that does it."""
    alarm_at: datetime = moment()
    """When it was noticed: from here the time to decide counts."""
    outage_at: datetime | None = moment(optional=True)
    """When the service went away, where that is known; it counts from the alarm else."""
    reason: str = Field(max_length=2000)
    scenario: str = Field(default="", max_length=40)
    """Scenario family."""
    lost: dict[str, Any] = document()
    """``{sides: [...], sites: [names], suppliers: [refs]}`` as they were told and worked out."""
    declared_by: str = Field(max_length=80)
    """Who started it and says what is lost, as the audit log names actors."""
    break_glass: bool = False
    """Begun before two others approved it: every approver was told, and one of them reviews it."""
    alerted: list[str] = document(list)
    """Ids of the people who were told."""
    drill_run_id: str | None = Field(default=None, max_length=36, index=True)
    """The drill that turned out to be real."""
    carried: list[dict[str, Any]] = document(list)
    """What stopped drills may have left in the world, to be looked at first: ``{run, step, title, state, sides}``."""
    created_at: datetime = moment()


class RunAddition(SQLModel, table=True):
    """A figure that became known after a run's proof was written; the proof stands, this stands beside it."""

    __tablename__ = "run_addition"
    id: str = key()
    run_id: str = link("run.id")
    """The run of which it tells."""
    at: datetime = moment()
    source_run_id: str = link("run.id")
    """The run that measured it."""
    step_id: str = Field(max_length=40)
    kind: str = Field(max_length=40)
    """``loss``: the rows that were really lost."""
    figures: dict[str, Any] = document()
    """Measurements by name: ``lost_rows``, ``lost_seconds``, ``divergence_lsn``."""
    reason: dict[str, Any] = document()
    """``{nl, en}``: what the step said."""
    evidence: list[str] = document(list)
    """SHA-256 of the files that show it."""
