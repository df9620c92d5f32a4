"""Locks on environments and shared resources: one row each, a token that only grows."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from app.core import incarnation
from app.core.db import locked
from app.core.errors import Conflict, not_found
from app.core.listing import ListQuery, paged
from app.core.messages import say
from app.runs.models import EnvironmentLock, Run


class EnvironmentBusy(Conflict):
    """Another run holds an environment that this one needs."""

    code = "environment-busy"


def take(session: Session, run: Run, *, now: datetime) -> None:
    """Take all locks of `run` or none; raises `EnvironmentBusy` naming who holds the first that is taken."""
    rows = [_row(session, key) for key in sorted(set(run.lock_keys))]
    for row in rows:
        if row.run_id is not None and row.run_id != run.id:
            raise _busy(session, row)
    for row in rows:
        if row.run_id is None:
            row.run_id, row.since = run.id, now
    _give_token(session, run, rows)


def renew(session: Session, run: Run) -> None:
    """A higher token for the locks that `run` holds: what acts under the former one is refused from now on.

    For a step that is taken over: its former worker may only be asleep, and the lock stays with the same run.
    """
    if run.lock_keys and still_held(session, run):
        _give_token(session, run, [_row(session, key) for key in sorted(set(run.lock_keys))])


def _give_token(session: Session, run: Run, rows: Sequence[EnvironmentLock]) -> None:
    """One new token for all locks of a run, higher than any before: a target need not know by which lock it is held."""
    token = 1 + max(highest(session), incarnation.token_floor(session))
    for row in rows:
        row.token = token
        session.add(row)
    run.tokens = {row.key: row.token for row in rows}
    session.add(run)
    session.flush()


def highest(session: Session) -> int:
    """The highest token that any lock was given."""
    return session.exec(select(func.max(EnvironmentLock.token))).one() or 0


def _busy(session: Session, row: EnvironmentLock) -> EnvironmentBusy:
    holder = session.get(Run, row.run_id)
    name = holder.ref if holder else str(row.run_id)
    reason = say("The environment is held by run {run}. Wait for it to end, or end it first.", run=name)
    return EnvironmentBusy(reason, heldBy=name)


def _row(session: Session, key: str) -> EnvironmentLock:
    row: EnvironmentLock | None = locked(session, EnvironmentLock, key)
    if row is None:
        try:
            with session.begin_nested():
                session.add(EnvironmentLock(key=key))
        except IntegrityError:
            pass  # somebody else made it a moment ago: the lock on it decides
        row = locked(session, EnvironmentLock, key)
    if row is None:
        raise not_found("environment lock", key)
    return row


def still_held(session: Session, run: Run) -> bool:
    """Whether the run still holds each of its locks under the token it was given."""
    for key in run.lock_keys:
        row = locked(session, EnvironmentLock, key)
        if row is None or row.run_id != run.id or row.token != run.tokens.get(key):
            return False
    return True


def token(run: Run) -> int:
    """The run's fencing token: the highest of its locks; 0 where it locks nothing."""
    return max((int(value) for value in run.tokens.values()), default=0)


def release(session: Session, run: Run) -> None:
    """Give back what the run holds."""
    session.flush()
    for row in session.exec(select(EnvironmentLock).where(EnvironmentLock.run_id == run.id).with_for_update()):
        row.run_id, row.since = None, None
        session.add(row)


def held_locks(session: Session) -> Sequence[EnvironmentLock]:
    """All locks, the held ones first."""
    return session.exec(select(EnvironmentLock).order_by(col(EnvironmentLock.run_id).is_(None), "key")).all()


def listed(session: Session, query: ListQuery) -> tuple[list[EnvironmentLock], int]:
    """One page of all locks, the longest held ones first, and how many there are."""
    free, since, key = col(EnvironmentLock.run_id).is_(None), col(EnvironmentLock.since), col(EnvironmentLock.key)
    found = select(EnvironmentLock) if query.sort else select(EnvironmentLock).order_by(free)
    return paged(session, found, query, sortable={"key": key, "since": since}, searched=[key], default="since", tie=key)
