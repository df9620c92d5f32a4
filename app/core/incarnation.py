"""Lives of this installation: each restore begins a new one, whose fencing tokens lie above all that were handed out.

A restored database knows nothing of the tokens that the lost one gave after the backup was taken, for locks that it
may not even have had. So every token of a new life begins at a floor: the seconds since 2020. No life hands out more
than a token a second for one lock, so the floor lies above every earlier life, also where the same old backup is
restored twice. Where the clock is evidently wrong (a token of the backup is higher), a large step is taken instead.
"""

from datetime import UTC, datetime

from sqlmodel import Field, Session, SQLModel, col, select

from app.core.columns import key, moment

_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
STEP = 1_000_000


class Incarnation(SQLModel, table=True):
    """A life of this installation that began with a restore. Insert only."""

    __tablename__ = "incarnation"
    id: str = key()
    began_at: datetime = moment()
    taken_at: datetime = moment()
    """Moment of the backup that it was restored from: what happened later is not known."""
    sha256: str = Field(max_length=64)
    """Of the backup file."""
    version: str = Field(max_length=40)
    """Of the Wissel that made the backup."""
    token_floor: int


def floor_above(highest: int, *, now: datetime) -> int:
    """The floor of a life that begins now, where `highest` is the highest token that the backup knows."""
    floor = int((now - _SINCE).total_seconds())
    return floor if floor > highest else highest + STEP


def latest(session: Session) -> Incarnation | None:
    """The present life; None where nothing was ever restored."""
    return session.exec(select(Incarnation).order_by(col(Incarnation.token_floor).desc())).first()


def token_floor(session: Session) -> int:
    """No token handed out now may lie at or below this."""
    found = latest(session)
    return found.token_floor if found else 0
