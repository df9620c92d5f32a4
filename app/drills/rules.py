"""Words and shapes of a drill's planning: schedule, windows, approval policy, and which moments fall when."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from app.core.shapes import Duration, Line, Moment, Name, Shape, written_moment


class Attendance(StrEnum):
    """Whether people answer during the run, or everything was answered beforehand."""

    ATTENDED = "attended"
    UNATTENDED = "unattended"


class MomentState(StrEnum):
    """What came of a moment."""

    PLANNED = "planned"
    SKIPPED = "skipped"
    MISSED = "missed"


class Trigger(StrEnum):
    """Who made the moment."""

    SCHEDULE = "schedule"
    PERSON = "person"


class Direction(StrEnum):
    """Away from the primary side, or back to it."""

    OVER = "over"
    BACK = "back"


def _cron_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Cron = Annotated[str, BeforeValidator(_cron_text), Field(min_length=1, max_length=60, pattern=r"^[0-9a-z,*/ -]+$")]
"""A field of a cron trigger, in small letters: ``1,4,7,10``, ``*/2``, ``mon-fri``, ``1st sun``, ``last``."""


def _near(value: datetime) -> datetime:
    if not 2000 <= value.year <= 2200:
        raise ValueError("give a moment between the years 2000 and 2200")
    return value


NearMoment = Annotated[Moment, AfterValidator(_near)]
"""A moment that calendars can count with."""


class OnceAt(Shape):
    """One moment: local wall time in a zone."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "at"]})
    kind: Literal["once"] = "once"
    at: Annotated[datetime, BeforeValidator(written_moment), AfterValidator(_near)]
    """Without offset: wall time in `timeZone`; with an offset: that moment."""
    time_zone: Name = "Europe/Amsterdam"


class Recurring(Shape):
    """Moments by the fields of a cron trigger.

    Fields below the smallest given one are at their least (hour 2 means 02:00), those above it are free.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})
    kind: Literal["recurring"] = "recurring"
    year: Cron | None = None
    month: Cron | None = None
    day: Cron | None = None
    """Day of the month, or ``1st sun``, ``last fri``, ``last``."""
    day_of_week: Cron | None = None
    hour: Cron | None = None
    minute: Cron | None = None
    second: Cron | None = None
    time_zone: Name = "Europe/Amsterdam"
    starts_at: NearMoment | None = None
    """No moment falls before this one."""
    ends_at: NearMoment | None = None
    every: int = Field(default=1, ge=1, le=12)
    """Of the moments from `startsAt` on only each so-many-th …"""
    offset: int = Field(default=0, ge=0, le=11)
    """… beginning with this one, counted from 0. An alternating pair has every 2 and offsets 0 and 1."""

    def fields(self) -> dict[str, str]:
        """The given fields by APScheduler's names."""
        names = ("year", "month", "day", "day_of_week", "hour", "minute", "second")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


Schedule = Annotated[OnceAt | Recurring, Field(discriminator="kind")]


class Window(Shape):
    """Days and hours (local) in which a drill may be started."""

    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(min_length=1, max_length=7)
    starts: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    ends: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class ApprovalPolicy(Shape):
    """How many other people must approve, and for how long an approval holds."""

    needed: int = Field(default=2, ge=1, le=10)
    process_owner: bool = True
    """Whether the process owner of the service must be one of them (BIO2 8.31.01)."""
    valid_for: Duration = 14 * 86400


class Objective(Shape):
    """What the drill wants to see, with a measure where there is one."""

    text: Name
    measure: Line = ""
    target: float | None = None
    unit: Line = ""


class Participant(Shape):
    """A person and the role played in this drill."""

    person_id: str = Field(max_length=36)
    role: Name


class Limits(Shape):
    """How far it may go: whom it may touch, the word that stops it, and the longest time."""

    blast_radius: Line = ""
    stop_word: Line = ""
    latest_end: Duration | None = None
    """Seconds after the start."""
