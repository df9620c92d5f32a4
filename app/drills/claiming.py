"""Looks which moments have come and which will: each becomes one row, planned, skipped or missed, with a reason."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from app.access.rules import SYSTEM
from app.core import audit
from app.drills import calendar
from app.drills.models import Blackout, Drill, DrillMoment
from app.drills.moments import Nominal, in_window, moments
from app.drills.rules import MomentState, OnceAt, Recurring, Schedule, Trigger, Window
from app.plans.evidence import forget_missed, record_missed
from runners.contract import Text

log = structlog.get_logger()
_SCHEDULE: TypeAdapter[OnceAt | Recurring] = TypeAdapter(Schedule)
_WINDOWS: TypeAdapter[list[Window]] = TypeAdapter(list[Window])
FAR_AHEAD = timedelta(minutes=15)
"""A drill that was looked at up to so far after now was looked at by a clock that was wrong."""
CLOCK_WAS_AHEAD = "clock-was-ahead"
"""Why a moment that was dealt with too early does not count."""
MOST_AT_ONCE = 500
"""Moments of one drill that one look records; after a longer absence the next look goes on."""


@dataclass(frozen=True)
class Judged:
    """What becomes of a moment."""

    state: MomentState
    code: str = ""
    reason: Text | None = None

    def told(self) -> dict[str, str]:
        """The reason in both languages, for a row or an answer."""
        return self.reason.model_dump() if self.reason else {}


PLANNED = Judged(MomentState.PLANNED)


def judge_place(local: datetime, windows: Sequence[Window], freeze: Blackout | None) -> Judged:
    """Whether a moment may be used at all: not in a freeze, and in a window."""
    if freeze is not None:
        text = Text(
            nl=f"Overgeslagen: dit moment valt in de wisselpauze {freeze.ref} ({freeze.name}).",
            en=f"Skipped: this moment lies in the freeze {freeze.ref} ({freeze.name}).",
        )
        return Judged(MomentState.SKIPPED, "blackout", text)
    if not in_window(local, list(windows)):
        text = Text(
            nl="Overgeslagen: dit moment valt buiten de toegestane tijden.",
            en="Skipped: this moment lies outside the windows of the drill.",
        )
        return Judged(MomentState.SKIPPED, "outside-window", text)
    return PLANNED


def judge_time(due: datetime, *, now: datetime, grace_s: int, later_due: bool) -> Judged:
    """Whether a moment that may be used is still in time; of several that are, only the last is run."""
    late = int((now - due).total_seconds())
    if late > grace_s:
        text = Text(
            nl=f"Gemist: de planner zag dit moment pas {late} seconden later. Toegestaan is {grace_s} seconden.",
            en=f"Missed: the clock saw this moment only {late} seconds later. Permitted are {grace_s} seconds.",
        )
        return Judged(MomentState.MISSED, "too-late", text)
    if later_due:
        text = Text(
            nl="Gemist: een later moment van dezelfde oefening was ook al aan de beurt.",
            en="Missed: a later moment of the same drill had come as well.",
        )
        return Judged(MomentState.MISSED, "overtaken", text)
    return PLANNED


def schedule_of(drill: Drill) -> OnceAt | Recurring | None:
    """The schedule of a drill as its shape."""
    return None if drill.schedule is None else _SCHEDULE.validate_python(drill.schedule)


def windows_of(drill: Drill) -> list[Window]:
    """The windows of a drill as shapes."""
    return _WINDOWS.validate_python(drill.windows)


def next_due(drill: Drill, *, after: datetime) -> datetime | None:
    """The first moment of a drill later than `after`."""
    schedule = schedule_of(drill)
    found = next(iter(moments(schedule, after=after)), None) if schedule else None
    return found.due if found else None


def coming(
    session: Session,
    schedule: OnceAt | Recurring,
    windows: list[Window],
    service_id: str | None,
    *,
    after: datetime,
    count: int,
) -> list[tuple[Nominal, Judged]]:
    """The next moments of a schedule, and for each whether it would be skipped."""
    found = islice(moments(schedule, after=after), count)
    return [
        (each, judge_place(each.local, windows, calendar.covering(session, each.due, service_id))) for each in found
    ]


def due_drills(session: Session, *, now: datetime) -> list[str]:
    """Ids of the drills of which a moment has come; one look in an index, however many drills there are."""
    due = select(Drill.id).where(col(Drill.archived_at).is_(None), col(Drill.next_due_at) <= now)
    return list(session.exec(due.order_by(col(Drill.next_due_at), col(Drill.id))))


def claim_due_moments(session: Session, *, now: datetime, drill_ids: Sequence[str] | None = None) -> list[DrillMoment]:
    """Record every moment that has come since the last look; answers those that are to be run now (state planned).

    Any number of instances may look at once: each moment becomes one row, and one instance gets it. `drill_ids`: of
    these drills only; None: of all of which a moment has come.
    """
    ids = due_drills(session, now=now) if drill_ids is None else drill_ids
    statement = select(Drill).where(col(Drill.id).in_(ids), col(Drill.next_due_at) <= now)
    claimed: list[DrillMoment] = []
    for drill in session.exec(statement.order_by(col(Drill.next_due_at), col(Drill.id))).all():
        claimed.extend(row for row in _claimed(session, drill, now) if row.state is MomentState.PLANNED)
    return claimed


def mend_cursors(session: Session, *, now: datetime) -> int:
    """Let drills count from now that were looked at by a clock far ahead of it; how many that were.

    What was written as missed or skipped of moments that are still to come is kept under another name, so that each
    of them can come. Less far ahead nothing needs mending: those moments were dealt with, and none comes twice.
    """
    ahead = select(Drill).where(col(Drill.archived_at).is_(None), col(Drill.planned_until) > now + FAR_AHEAD)
    found = session.exec(ahead.with_for_update()).all()
    for drill in found:
        _free_moments(session, drill, now)
        detail: dict[str, Any] = {"lookedUpTo": drill.planned_until.isoformat() if drill.planned_until else ""}
        audit.record(session, SYSTEM.ref, "drill.clock-was-ahead", "drill", drill.id, **detail)
        begin_from(drill, now=now)
        session.add(drill)
    return len(found)


def _free_moments(session: Session, drill: Drill, now: datetime) -> None:
    wanted = select(DrillMoment).where(
        DrillMoment.drill_id == drill.id,
        DrillMoment.state != MomentState.PLANNED,
        DrillMoment.trigger == Trigger.SCHEDULE,
        DrillMoment.reason_code != CLOCK_WAS_AHEAD,  # freed before: its name is as long as one may be
        col(DrillMoment.due_at) > now,
    )
    text = Text(
        nl="De klok van de planner liep voor: dit moment was nog niet geweest. Het telt niet.",
        en="The clock of the planner was ahead: this moment had not come yet. It does not count.",
    )
    for row in session.exec(wanted):
        row.nominal_local = f"{row.nominal_local}#{row.id[-12:]}"
        row.reason_code, row.reason = CLOCK_WAS_AHEAD, text.model_dump()
        session.add(row)
        forget_missed(session, row.id)


def _claimed(session: Session, drill: Drill, now: datetime) -> list[DrillMoment]:
    """The moments of one drill; what is wrong with it does not keep the others from their moment."""
    try:
        with session.begin_nested():
            return list(_claim(session, drill, now))
    except Exception:  # one drill with bad data must not silence all others
        log.exception("drill.claim-failed", drill=drill.ref)
        return []


def _claim(session: Session, drill: Drill, now: datetime) -> Iterator[DrillMoment]:
    schedule = schedule_of(drill)
    since = drill.planned_until or drill.created_at
    found = [] if schedule is None else list(islice(_until(moments(schedule, after=since), now), MOST_AT_ONCE + 1))
    due, more = found[:MOST_AT_ONCE], len(found) > MOST_AT_ONCE
    windows = windows_of(drill)
    places = [judge_place(each.local, windows, calendar.covering(session, each.due, drill.service_id)) for each in due]
    usable = [each.due for each, judged in zip(due, places, strict=True) if judged is PLANNED]
    for each, judged in zip(due, places, strict=True):
        if judged is PLANNED:
            judged = judge_time(each.due, now=now, grace_s=drill.grace_s, later_due=more or each.due < usable[-1])
        row = _record(session, drill, each, judged, now)
        if row is not None:
            yield row
    drill.planned_until = due[-1].due if more else now
    drill.next_due_at = next_due(drill, after=drill.planned_until)
    session.add(drill)


def _until(found: Iterator[Nominal], now: datetime) -> Iterator[Nominal]:
    for each in found:
        if each.due > now:
            return
        yield each


def _record(session: Session, drill: Drill, each: Nominal, judged: Judged, now: datetime) -> DrillMoment | None:
    """The row of a moment; None where another instance was first."""
    row = DrillMoment(
        drill_id=drill.id,
        nominal_local=each.key,
        due_at=each.due,
        state=judged.state,
        reason_code=judged.code,
        reason=judged.told(),
        created_at=now,
    )
    if not _inserted(session, row):
        return None
    if row.state is MomentState.MISSED:
        _tell_plan(session, drill, row, now)
    detail: dict[str, Any] = {"moment": each.key, "reason": judged.code}
    audit.record(session, SYSTEM.ref, f"drill.moment-{judged.state.value}", "drill", drill.id, **detail)
    return row


def miss(session: Session, moment: DrillMoment, *, code: str, reason: dict[str, str], now: datetime) -> None:
    """A moment that was planned did not become a run that began: say why, and tell the plan."""
    moment.state, moment.reason_code, moment.reason = MomentState.MISSED, code[:40], reason
    session.add(moment)
    _tell_plan(session, session.get_one(Drill, moment.drill_id), moment, now)


def _tell_plan(session: Session, drill: Drill, moment: DrillMoment, now: datetime) -> None:
    record_missed(session, drill.plan_id, moment_id=moment.id, at=moment.due_at, code=moment.reason_code, now=now)


def _inserted(session: Session, row: DrillMoment) -> bool:
    """Whether this instance wrote the row: the unique key decides, never a look beforehand."""
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        return False
    return True


def moment_by_hand(session: Session, drill: Drill, *, now: datetime) -> DrillMoment:
    """The moment of a start by a person, now."""
    row = DrillMoment(
        drill_id=drill.id,
        nominal_local="",
        due_at=now,
        state=MomentState.PLANNED,
        trigger=Trigger.PERSON,
        created_at=now,
    )
    row.nominal_local = f"by-hand:{row.id[-30:]}"
    session.add(row)
    session.flush()
    return row


def begin_from(drill: Drill, *, now: datetime) -> None:
    """A drill is new, or got another schedule: its moments count from now on."""
    drill.planned_until = now
    drill.next_due_at = next_due(drill, after=now)
