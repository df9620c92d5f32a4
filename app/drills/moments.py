"""Computes when a drill falls: local wall times from the cron fields, and the one moment each of them stands for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger

from app.drills.rules import OnceAt, Recurring, Window

HORIZON_YEARS = 9
"""29 February comes within eight years; what does not come within nine never does."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Nominal(NamedTuple):
    """A planned moment: the wall time that names it, and when it is."""

    local: datetime
    """Naive, in the zone of the schedule."""
    due: datetime
    """UTC."""

    @property
    def key(self) -> str:
        """The wall time as text: what makes the moment unique within its drill."""
        return self.local.isoformat(timespec="seconds")


class UnknownZone(ValueError):
    """There is no such time zone."""


class ImpossibleCron(ValueError):
    """The cron fields say nothing that can be understood."""


def zone(name: str) -> ZoneInfo:
    """The time zone of the IANA name. Raises `UnknownZone`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZone(name) from error


def in_gap(local: datetime, place: ZoneInfo) -> bool:
    """Whether the clock skips this wall time in spring."""
    return local.replace(tzinfo=place).astimezone(UTC).astimezone(place).replace(tzinfo=None) != local


def instant(local: datetime, place: ZoneInfo) -> datetime:
    """The one moment of a wall time: in autumn its first pass; in the spring gap the moment at which the gap ends."""
    if not in_gap(local, place):
        return local.replace(tzinfo=place, fold=0).astimezone(UTC)
    after, before = local.replace(tzinfo=place, fold=0), local.replace(tzinfo=place, fold=1)
    low, high = before.astimezone(UTC), after.astimezone(UTC)
    offset = low.astimezone(place).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (middle, high) if middle.astimezone(place).utcoffset() == offset else (low, middle)
    return high


def wall(moment: datetime, place: ZoneInfo) -> datetime:
    """What the clock on the wall shows at a moment, naive."""
    return moment.astimezone(place).replace(tzinfo=None)


def moments(schedule: OnceAt | Recurring, *, after: datetime) -> Iterator[Nominal]:
    """The moments later than `after`, in order; each instant once.

    Raises `UnknownZone` and `ImpossibleCron`.
    """
    place = zone(schedule.time_zone)
    if isinstance(schedule, OnceAt):
        once = once_at(schedule, place)
        return iter([once] if once.due > after else [])
    return _recurring(schedule, place, after)


def once_at(schedule: OnceAt, place: ZoneInfo) -> Nominal:
    """The moment of a once-schedule."""
    if schedule.at.tzinfo is not None:
        return Nominal(wall(schedule.at, place), schedule.at.astimezone(UTC))
    return Nominal(schedule.at, instant(schedule.at, place))


def _recurring(schedule: Recurring, place: ZoneInfo, after: datetime) -> Iterator[Nominal]:
    counted = schedule.every > 1 and schedule.starts_at is not None
    start = schedule.starts_at if counted and schedule.starts_at else after
    last: datetime | None = None
    number = -1
    for local in _walls(schedule, wall(start, place) - timedelta(hours=3), place):
        due = instant(local, place)
        if schedule.ends_at is not None and due > schedule.ends_at:
            return
        if due < start or due == last or (schedule.starts_at is not None and due < schedule.starts_at):
            continue
        last, number = due, number + 1
        if due > after and (not counted or number % schedule.every == schedule.offset % schedule.every):
            yield Nominal(local, due)


def _walls(schedule: Recurring, start: datetime, place: ZoneInfo) -> Iterator[datetime]:
    """Wall times from `start` on; the trigger counts in UTC, where no hour is missing or doubled."""
    fields = schedule.fields()
    limit = start + timedelta(days=366 * HORIZON_YEARS)
    fields.setdefault("year", f"{start.year}-{limit.year + 1}")
    try:
        trigger = CronTrigger(timezone=UTC, **fields)
    except (ValueError, TypeError) as error:
        raise ImpossibleCron(str(error)) from error
    seen: datetime | None = None
    while (found := _next(trigger, seen or start.replace(tzinfo=UTC), seen)) is not None:
        if _gap_twin(found, place, trigger):
            seen = found
            continue
        yield found.replace(tzinfo=None)
        seen = found


def _next(trigger: CronTrigger, now: datetime, previous: datetime | None) -> datetime | None:
    found: Any = trigger.get_next_fire_time(previous, now)
    return found if isinstance(found, datetime) else None


def _gap_twin(found: datetime, place: ZoneInfo, trigger: CronTrigger) -> bool:
    """Whether a skipped wall time shares its moment with a real one of the same schedule, which then counts."""
    local = found.replace(tzinfo=None)
    if not in_gap(local, place):
        return False
    real = wall(instant(local, place), place).replace(tzinfo=UTC)
    return _next(trigger, real - timedelta(seconds=1), None) == real


def closest(schedule: Recurring, *, after: datetime, count: int = 200) -> timedelta | None:
    """The shortest time between two of the next `count` moments; None where there are not two."""
    dues = [each.due for each in islice(moments(schedule, after=after), count)]
    gaps = [later - earlier for earlier, later in pairwise(dues)]
    return min(gaps, default=None)


def in_window(local: datetime, windows: list[Window]) -> bool:
    """Whether a wall time lies in one of the windows; without windows it does. A window may pass midnight."""
    clock = local.strftime("%H:%M")
    today, yesterday = _DAYS[local.weekday()], _DAYS[(local.weekday() - 1) % 7]
    for window in windows:
        if window.starts <= window.ends:
            if today in window.days and window.starts <= clock <= window.ends:
                return True
        elif (today in window.days and clock >= window.starts) or (yesterday in window.days and clock <= window.ends):
            return True
    return not windows
