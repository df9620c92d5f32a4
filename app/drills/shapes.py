"""What goes in and out over the API about drills, their moments and the blackout calendar."""

from typing import Annotated, Any

from pydantic import Field

from app.core.listing import ListQuery
from app.core.shapes import Duration, Line, Moment, Name, Patch, Prose, Shape
from app.drills.models import Blackout, Drill, DrillMoment
from app.drills.rules import (
    ApprovalPolicy,
    Attendance,
    Limits,
    MomentState,
    NearMoment,
    Objective,
    Participant,
    Schedule,
    Trigger,
    Window,
)
from app.playbooks.rules import Mode

Key = Annotated[Line, Field(min_length=1, max_length=80)]
InputValue = Annotated[str, Field(max_length=2000)] | bool | int | float


class DrillBase(Shape):
    """What one drill and both halves of an alternating pair are told alike."""

    title: Name
    plan_id: Key
    """Id or reference of the plan."""
    playbook: Key
    """Name (then the newest published version) or id of a version."""
    mode: Mode
    scenario: Annotated[Line, Field(max_length=40)] = ""
    inputs: dict[Annotated[str, Field(max_length=40)], InputValue] = {}
    """Input name → id or reference of a catalogue row, or a plain value."""
    windows: Annotated[list[Window], Field(max_length=20)] = []
    grace: Annotated[Duration, Field(ge=1, le=86_400)] = 900
    """How long after its moment the clock may still start it."""
    attendance: Attendance = Attendance.ATTENDED
    on_call_id: Key | None = None
    """Who can abort an unattended run; needed for one."""
    approvals: ApprovalPolicy | None = None
    participants: Annotated[list[Participant], Field(max_length=100)] = []
    objectives: Annotated[list[Objective], Field(max_length=50)] = []
    limits: Limits = Limits()
    claims: dict[str, Key] = {}
    """Claim kind of the playbook → key of the plan's claim; empty: by kind."""
    owner_id: Key | None = None


class DrillIn(DrillBase):
    """A drill to plan; without a schedule it is started by hand only."""

    schedule: Schedule | None = None


class HalfIn(Shape):
    """What one half of an alternating pair has of its own."""

    title: Name | None = None
    attendance: Attendance | None = None
    on_call_id: Key | None = None
    approvals: ApprovalPolicy | None = None


class AlternationIn(DrillBase):
    """Two drills of one switch in one rhythm: the first moment goes over, the second back, and so on."""

    schedule: Schedule
    pair: Key | None = None
    """Id or reference of the environment pair; default: the only one of the service."""
    hold: Duration = 0
    """The least stay between two switches; a rhythm that is quicker is refused."""
    over: HalfIn = HalfIn()
    back: HalfIn = HalfIn()


class DrillPatch(Patch):
    """What may change of a drill. `mode` is here only to be refused in clear words."""

    title: Name | None = None
    mode: Mode | None = None
    schedule: Schedule | None = None
    windows: Annotated[list[Window], Field(max_length=20)] | None = None
    grace: Annotated[Duration, Field(ge=1, le=86_400)] | None = None
    inputs: dict[Annotated[str, Field(max_length=40)], InputValue] | None = None
    attendance: Attendance | None = None
    on_call_id: Key | None = None
    approvals: ApprovalPolicy | None = None
    participants: Annotated[list[Participant], Field(max_length=100)] | None = None
    objectives: Annotated[list[Objective], Field(max_length=50)] | None = None
    limits: Limits | None = None
    claims: dict[str, Key] | None = None
    owner_id: Key | None = None
    scenario: Annotated[Line, Field(max_length=40)] | None = None


class DrillQuery(ListQuery):
    """Filters of the list of drills."""

    plan_id: Key | None = None
    service_id: Key | None = None
    mode: Mode | None = None
    attendance: Attendance | None = None
    archived: bool = False


class MomentQuery(ListQuery):
    """Filters of the list of moments that have come."""

    drill_id: Key | None = None
    state: MomentState | None = None


class BlackoutQuery(ListQuery):
    """Filters of the blackout calendar."""

    service_id: Key | None = None
    archived: bool = False


class DrillOut(Shape):
    """A drill."""

    id: str
    ref: str
    title: str
    plan_id: str
    plan_version_id: str
    service_id: str | None
    pair_id: str | None
    scenario: str
    playbook_id: str
    mode: Mode
    direction: str | None
    partner_id: str | None
    inputs: dict[str, Any]
    schedule: dict[str, Any] | None
    time_zone: str
    windows: list[dict[str, Any]]
    grace: Duration
    attendance: Attendance
    on_call_id: str | None
    approvals: ApprovalPolicy | None
    participants: list[dict[str, Any]]
    objectives: list[dict[str, Any]]
    limits: Limits
    claims: dict[str, str]
    owner_id: str | None
    next_due_at: Moment | None
    created_at: Moment
    archived_at: Moment | None
    revision: int


class ComingOut(Shape):
    """A moment to come, and whether it would be skipped."""

    drill_id: str | None = None
    nominal_local: str
    due_at: Moment
    state: MomentState
    reason_code: str = ""
    reason: dict[str, str] = {}


class PreviewIn(Shape):
    """A schedule to look at before a drill is planned with it."""

    schedule: Schedule
    windows: Annotated[list[Window], Field(max_length=20)] = []
    service_id: Key | None = None
    next: Annotated[int, Field(ge=1, le=100)] = 5
    after: NearMoment | None = None


class PreviewOut(Shape):
    """The next moments of a schedule."""

    items: list[ComingOut]


class AlternationOut(Shape):
    """Both drills of an alternating pair, and their next moments together."""

    over: DrillOut
    back: DrillOut
    moments: list[ComingOut]


class MomentOut(Shape):
    """A moment that has come."""

    id: str
    drill_id: str
    nominal_local: str
    due_at: Moment
    state: MomentState
    trigger: Trigger
    reason_code: str
    reason: dict[str, str]
    run_id: str | None
    created_at: Moment


class LackOut(Shape):
    """One thing that is missing before a drill can run."""

    code: str
    field: str
    reason: str


class ReadinessOut(Shape):
    """Whether a drill could run now, by what is known without touching anything."""

    ready: bool
    lacks: list[LackOut]


class BlackoutIn(Shape):
    """A time in which no drill is started."""

    name: Name
    starts_at: NearMoment
    ends_at: NearMoment
    service_id: Key | None = None
    reason: Prose = ""


class BlackoutPatch(Patch):
    """What may change of a blackout."""

    name: Name | None = None
    starts_at: NearMoment | None = None
    ends_at: NearMoment | None = None
    reason: Prose | None = None


class BlackoutOut(Shape):
    """A time in which no drill is started."""

    id: str
    ref: str
    name: str
    starts_at: Moment
    ends_at: Moment
    service_id: str | None
    reason: str
    created_at: Moment
    archived_at: Moment | None
    revision: int


class Archival(Shape):
    """Why something is archived."""

    reason: Prose = ""


def drill_out(row: Drill) -> DrillOut:
    """The drill as shown."""
    shown = row.model_dump(exclude={"planned_until", "created_by", "editors", "grace_s"})
    return DrillOut.model_validate({**shown, "grace": row.grace_s})


def moment_out(row: DrillMoment) -> MomentOut:
    """The moment as shown."""
    return MomentOut.model_validate(row)


def blackout_out(row: Blackout) -> BlackoutOut:
    """The blackout as shown."""
    return BlackoutOut.model_validate(row)
