"""What goes in and out of the API of runs; no input carries an approver, a state, a verdict or a time of its own."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.core.listing import ListQuery
from app.core.shapes import Line, Moment, Name, Prose, Shape
from app.drills.held import Held
from app.playbooks.rules import Mode
from app.runs.activation_shapes import ActivationOut, AdditionOut
from app.runs.rules import Direction, Pause, RunState, RunVerdict, StepState
from app.runs.seats import Void
from runners.contract import Effect, Verdict

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Word = Annotated[str, Field(min_length=1, max_length=60)]


class RunIn(Shape):
    """How to start a drill now."""

    by_hand: bool = False
    """Each acting step is done and reported by a person; what only looks stays automatic."""


class ReasonIn(Shape):
    """Why; kept with the run."""

    reason: Line = ""


class MustReasonIn(Shape):
    """Why: a comment is required, and shows in the verdict."""

    reason: Name


class JoinIn(Shape):
    """Who is asked to take part, in which role, and why."""

    person_id: Annotated[str, Field(max_length=36)]
    """Id or reference of an active person."""
    role: Name
    """One in which this run asks people something."""
    reason: Name


class CancellationIn(Shape):
    """Abort; or, once aborted, end the run as it stands."""

    reason: Line = ""
    leave_as_is: bool = False
    """End a run that was aborted, or whose undo failed, as it stands; asks a reason, keeps its locks."""


class ApprovalIn(Shape):
    """A yes or no to exactly what was seen."""

    digest: Sha256
    verdict: Literal["approved", "denied"]
    comment: Line = ""
    valid_from: Moment | None = None
    valid_until: Moment | None = None


class AnswerIn(Shape):
    """What a person reports for an ask."""

    step: Word
    answer: Literal["done", "failed"]
    comment: Line = ""
    evidence: Annotated[list[Sha256], Field(max_length=50)] = []
    """Hashes of files that were uploaded to this step."""


class DecisionIn(Shape):
    """A vote in a decision; it can't be changed."""

    step: Word
    option: Word
    comment: Line = ""


class ObservationIn(Shape):
    """What somebody noted."""

    kind: Literal["strength", "improvement", "note"] = "note"
    objective: Line = ""
    text: Annotated[Prose, Field(min_length=1)]


class RunQuery(ListQuery):
    """Which runs."""

    state: RunState | None = None
    verdict: RunVerdict | None = None
    mode: Mode | None = None
    drill: Annotated[str, Field(max_length=64)] | None = None
    plan: Annotated[str, Field(max_length=64)] | None = None
    service: Annotated[str, Field(max_length=64)] | None = None
    finished: bool | None = None
    activation: bool | None = None
    """Only the real thing, or only drills."""
    paused: Pause | None = None
    """Only what is paused so; ``restored``: what came out of a backup and waits for a person to look."""


class ActionOut(Shape):
    """Something that is legal now."""

    command: str
    step: str | None = None


class StepOut(Shape):
    """A step of a run."""

    id: str
    title: dict[str, str] | None
    kind: str
    phase: str | None
    state: StepState
    call: str
    needs: list[str]
    attempt: int
    site: str
    uses: str | None
    effect: Effect | None
    role: str | None
    options: dict[str, str]
    question: dict[str, str] | None
    manual: dict[str, str] | None
    chosen: str | None
    votes: list[dict[str, str]]
    by: str | None
    comment: str
    verdict: Verdict | None
    reason: dict[str, str] | None
    measurements: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    progress: dict[str, Any]
    log: str
    started_at: Moment | None
    finished_at: Moment | None
    effective_at: Moment | None
    due_at: Moment | None
    point_of_no_return: bool
    irreversible: bool
    next_actions: list[ActionOut]


class ClocksOut(Shape):
    """Measured times in milliseconds beside the goals in seconds."""

    alarm_at: Moment | None
    """When it was noticed; of an activation, and of a drill that turned out to be real."""
    outage_since_at: Moment | None
    rta_ms: int | None
    rpa_ms: int | None
    decision_ms: int | None
    technical_ms: int | None
    rto_goal_seconds: int | None
    rpo_goal_seconds: int | None
    expected_end_at: Moment | None


class SideOut(Shape):
    """What is where: a side of the pair, its site, and what was last seen of it."""

    side: str
    site: str
    home: bool
    facts: dict[str, bool]
    last_seen: dict[str, Any] | None


class CheckOut(Shape):
    """What a person must look at in the world before a run out of a backup goes on."""

    what: str
    subject: str
    look: dict[str, str]


class ParticipantOut(Shape):
    """Who takes part in a run."""

    person_id: str
    name: str
    role: str


class RunRow(Shape):
    """A run in a list."""

    id: str
    ref: str
    drill: str
    drill_title: str
    plan: str
    service: str | None
    playbook: str
    mode: Mode
    direction: Direction
    state: RunState
    verdict: RunVerdict | None
    triggered_by: str
    unattended: bool
    by_hand: bool
    activation: bool
    """Whether it is the real thing and no drill."""
    planned_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    rta_ms: int | None
    rpa_ms: int | None
    decision_ms: int | None
    technical_ms: int | None


class RunOut(RunRow):
    """A run with its steps, clocks and what may be done now."""

    digest: str
    starter: str
    paused: Pause | None
    pause_reason: dict[str, str]
    to_check: list[CheckOut]
    """While it is paused since a restore: what to look at first."""
    abort_reason: dict[str, str]
    end_reason: dict[str, Any]
    verdict_reason: dict[str, Any]
    real: bool
    """A drill that turned out to be real, or that had to make room for the real thing."""
    became_run: str | None
    """The activation that it became."""
    activated: ActivationOut | None
    """Of an activation: its alarm, what is lost, and what to look at first."""
    additions: list[AdditionOut]
    """What became known after the proof was written."""
    latest_start_at: Moment | None
    participants: list[ParticipantOut]
    steps: list[StepOut]
    clocks: ClocksOut
    next_actions: list[ActionOut]
    where: list[SideOut]
    proofs: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    obligations: list[dict[str, Any]]
    last_event: int


class ApprovalOut(Shape):
    """An approval."""

    id: str
    run_id: str | None
    drill_id: str
    person: str
    person_id: str
    as_owner: bool
    """Whether it was given as the process owner, or in their place."""
    stands_in_for: list[str]
    """Ids of those in whose seat it was given: with each of them it fills one seat."""
    verdict: str
    void: Void | None
    """Why it does not count, as things are now; null where it counts."""
    digest: str
    comment: str
    at: Moment
    valid_from: Moment
    valid_until: Moment | None
    """None: a no to a run counts until who gave it takes it back."""
    revoked_at: Moment | None
    used_at: Moment | None


class EventOut(Shape):
    """Something that happened."""

    id: int
    at: Moment
    kind: str
    step_id: str | None
    actor: str
    detail: dict[str, Any]


class ObservationOut(Shape):
    """A note."""

    id: str
    at: Moment
    by: str
    kind: str
    objective: str
    text: str


class LockOut(Shape):
    """An environment's lock."""

    key: str
    token: int
    run_id: str | None
    since: Moment | None


class SecretOut(Shape):
    """A secret that a step needs at its site, by its name; nobody but the worker there ever has the value."""

    name: str
    held: Held
    """Whether the site's worker says that it holds it; *unknown* where nobody could look."""


class CallOut(Shape):
    """What a step would do, in resolved calls."""

    step: str
    runner: str
    site: str
    effect: str
    calls: list[str]
    changes: dict[str, str] | None
    undo: dict[str, str] | None
    irreversible: bool
    secrets: list[SecretOut]
    refused: str | None
    """Why the calls could not be shown."""


class PreviewOut(Shape):
    """Everything that would run, under the digest that an approver signs."""

    digest: str
    direction: Direction
    unattended: bool
    locks: list[str]
    inputs: dict[str, Any]
    exceptions: list[dict[str, Any]]
    """The accepted risks of the plan, with the values that were accepted; the digest names them too."""
    runners: dict[str, str]
    """Version of each runner as installed here: the hash of its source."""
    calls: list[CallOut]


class EvidenceOut(Shape):
    """A stored file."""

    sha256: Sha256
    size: int
    media_type: str
    title: str
    at: Moment
