"""What a restore means for the schedules: moments that came since the backup were the lost life's, or nobody's."""

from datetime import datetime

from sqlmodel import Session, col, select

from app.drills import claiming
from app.drills.models import Drill, DrillMoment
from app.drills.rules import MomentState

MISSED = "restored"


def pass_over(session: Session, *, reason: dict[str, str], now: datetime) -> int:
    """Record every moment up to now that has no run as missed, with the reason; how many. None of them is caught up."""
    _record_all(session, now)
    open_ones = select(DrillMoment).where(DrillMoment.state == MomentState.PLANNED, col(DrillMoment.run_id).is_(None))
    found = session.exec(open_ones).all()
    for moment in found:
        claiming.miss(session, moment, code=MISSED, reason=reason, now=now)
    session.flush()
    return len(found)


def _record_all(session: Session, now: datetime) -> None:
    """A long absence is recorded in parts; a drill whose data are bad stays where it is."""
    due = select(Drill.id, Drill.next_due_at).where(col(Drill.archived_at).is_(None), col(Drill.next_due_at) <= now)
    before: set[tuple[str, datetime | None]] = set()
    while (left := set(session.exec(due))) and left != before:
        claiming.claim_due_moments(session, now=now)
        session.flush()
        before = left
