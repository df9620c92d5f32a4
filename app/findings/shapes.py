"""What goes in and comes out about findings, their actions and the acceptance of what risk is left."""

from typing import Annotated, Literal

from pydantic import Field

from app.catalog.shapes import Cents, Currency, Key, Reference
from app.core.listing import ListQuery
from app.core.shapes import Day, Line, Moment, Name, NextAction, Patch, Prose, Shape
from app.findings.rules import AcceptanceState, Cause, Control, Impact, Operation, Severity, Source, State

ClaimKey = Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,100}$")]
RunId = Annotated[str, Field(pattern="^[A-Za-z0-9-]{1,36}$")]


class TitleShape(Shape):
    """A title in both languages."""

    nl: Annotated[Name, Field(max_length=200)]
    en: Annotated[Name, Field(max_length=200)]


class TitleOut(Shape):
    """The title of a finding, which Wissel may have written itself from longer words of a runner."""

    nl: str
    en: str


class PlanReference(Shape):
    """The plan that a finding is about."""

    id: str
    ref: str


class FindingIn(Shape):
    """A finding that a person enters: from an exercise, an audit or an incident."""

    source: Literal[Source.EXERCISE, Source.AUDIT, Source.INCIDENT]
    severity: Severity
    title: TitleShape
    description: Prose = ""
    cause: Cause | None = None
    plan: Key | None = None
    plan_version: Annotated[str, Field(pattern=r"^[0-9.]{0,20}$")] = ""
    claim_key: ClaimKey | None = None
    level: Annotated[int, Field(ge=0, le=5)] | None = None
    service: Key | None = None
    objects: Annotated[list[Key], Field(max_length=200)] = []
    owner: Key | None = None
    due_on: Day | None = None


class FindingEdit(Shape):
    """What people say of a finding. The organisation places it on the axes: nothing is filled in beforehand."""

    cause: Cause | None = None
    owner: Key | None = None
    due_on: Day | None = None
    impact_now: Impact | None = None
    control_now: Control | None = None
    impact_after: Impact | None = None
    control_after: Control | None = None


FindingPatch = Patch.of(FindingEdit, "FindingPatch")


class NextOperation(NextAction):
    """Something that can be done with a finding now."""

    operation: Operation


class FindingOut(Shape):
    """A finding."""

    id: str
    ref: str
    plan: PlanReference | None
    plan_version: str
    claim_key: str | None
    service: Reference | None
    run_id: str | None
    objects: list[Reference]
    source: Source
    cause: Cause | None
    severity: Severity
    level: int | None
    title: TitleOut
    description: str
    state: State
    owner: Reference | None
    due_on: Day | None
    impact_now: Impact | None
    control_now: Control | None
    impact_after: Impact | None
    control_after: Control | None
    opened_by: str
    opened_at: Moment
    retested_at: Moment | None
    retest_run_id: str | None
    closed_at: Moment | None
    revision: int
    next_actions: list[NextOperation]


class FindingQuery(ListQuery):
    """Which findings."""

    state: State | None = None
    closed: bool | None = None
    severity: Severity | None = None
    source: Source | None = None
    cause: Cause | None = None
    plan: Key | None = None
    claim_key: ClaimKey | None = None
    service: Key | None = None
    owner: Key | None = None
    run_id: RunId | None = None
    due_before: Day | None = None


class TransitionIn(Shape):
    """An operation on a finding."""

    operation: Literal[
        Operation.START_ACTION,
        Operation.REQUEST_RETEST,
        Operation.RETURN_TO_ACTION,
        Operation.REOPEN,
        Operation.END_ACCEPTANCE,
    ]
    reason: Prose = ""


class TransitionOut(Shape):
    """A step of a finding from one state to another."""

    at: Moment
    actor: str
    operation: Operation
    before: State
    after: State
    reason: str
    run_id: str | None


class RejectionIn(Shape):
    """Why this is no finding."""

    reason: Annotated[Prose, Field(min_length=1)]


class ActionIn(Shape):
    """What somebody will do about a finding."""

    what: Annotated[Line, Field(min_length=1)]
    owner: Key | None = None
    due_on: Day | None = None
    note: Prose = ""


ActionPatch = Patch.of(ActionIn, "NextOperationPatch")


class CompletionIn(Shape):
    """How an action was finished."""

    note: Prose = ""


class ActionOut(Shape):
    """An action."""

    id: str
    what: str
    owner: Reference | None
    due_on: Day | None
    note: str
    done_at: Moment | None
    done_by: str
    created_at: Moment
    revision: int


class Alternative(Shape):
    """What could be done instead of accepting the risk, and what it costs."""

    text: Annotated[Line, Field(min_length=1)]
    cost_cents: Cents | None = None
    currency: Currency = "EUR"


class AcceptanceIn(Shape):
    """A request to accept the risk that is left, until a moment at most twelve months on."""

    what_can_happen: Annotated[Prose, Field(min_length=1)]
    impact: Impact
    control: Control
    until: Moment
    alternatives: Annotated[list[Alternative], Field(max_length=20)] = []
    conditions: Prose = ""
    evidence_seen: Prose = ""


class DecisionIn(Shape):
    """A decision on a request, with the mandate on which it rests."""

    accepted: bool
    mandate: Name
    reason: Prose = ""


class AcceptanceOut(Shape):
    """A request to accept the risk that is left, and what became of it."""

    id: str
    state: AcceptanceState
    what_can_happen: str
    impact: Impact
    control: Control
    until: Moment
    alternatives: list[Alternative]
    conditions: str
    evidence_seen: str
    requested_by: Reference
    requested_at: Moment
    decided_by: Reference | None
    decided_at: Moment | None
    mandate: str
    decision_reason: str
    ended_at: Moment | None
