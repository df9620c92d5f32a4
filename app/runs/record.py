"""Tables of what people say and decide in a run: approvals, answers, decisions, observations."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from app.core.columns import document, key, link, moment, word


class ApprovalVerdict(StrEnum):
    """What an approver said; one deny vetoes."""

    APPROVED = "approved"
    DENIED = "denied"


class Approval(SQLModel, table=True):
    """One person's yes or no to exactly what a digest names, for a limited time and for one run."""

    __tablename__ = "run_approval"
    id: str = key()
    drill_id: str = link("drill.id")
    run_id: str | None = link("run.id", optional=True)
    """The run it was given for; None while it waits, beforehand, for the drill's next run."""
    digest: str = Field(max_length=64, index=True)
    person_id: str = link("person.id")
    as_owner: bool = False
    """Whether this person is the process owner of the service."""
    stands_in_for: list[str] = document(list)
    """Ids of those for whom this person stood in when it was given: they fill one seat with each of them."""
    verdict: ApprovalVerdict = word(ApprovalVerdict)
    comment: str = Field(default="", max_length=2000)
    at: datetime = moment()
    valid_from: datetime = moment()
    valid_until: datetime = moment()
    revoked_at: datetime | None = moment(optional=True)
    used_at: datetime | None = moment(optional=True)


class Answer(SQLModel, table=True):
    """One person's answer to a question, or vote in a decision; a vote can't be changed."""

    __tablename__ = "run_answer"
    __table_args__ = (UniqueConstraint("step_run_id", "attempt", "person"),)
    id: str = key()
    run_id: str = link("run.id")
    step_run_id: str = link("step_run.id")
    attempt: int
    person: str = Field(max_length=80)
    """Actor as the audit log names it."""
    option: str = Field(max_length=60)
    """An option of the decision; ``done`` or ``failed`` for an ask."""
    comment: str = Field(default="", max_length=2000)
    at: datetime = moment()


class Decision(SQLModel, table=True):
    """What was decided in a run, by whom, why: commands of people as well as outcomes of `decide` steps."""

    __tablename__ = "run_decision"
    id: str = key()
    run_id: str = link("run.id")
    step_id: str | None = Field(default=None, max_length=40)
    question: dict[str, Any] = document()
    options: list[str] = document(list)
    chosen: str = Field(max_length=60)
    decider: str = Field(max_length=200)
    mandate: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=2000)
    at: datetime = moment()
    reversible: bool = True


class Observation(SQLModel, table=True):
    """What somebody noted during a run: a strength or an improvement."""

    __tablename__ = "run_observation"
    id: str = key()
    run_id: str = link("run.id")
    by: str = Field(max_length=80)
    at: datetime = moment()
    objective: str = Field(default="", max_length=200)
    text: str = Field(max_length=20_000)
    kind: str = Field(max_length=20)
    """``strength``, ``improvement`` or ``note``."""
