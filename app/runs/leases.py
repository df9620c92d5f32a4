"""Leases of worker processes: who lives, who is gone, and which sites are served.

Nobody is held for dead by the clock on the wall, for that one can be set and differs between machines: whoever looks
measures, by the time that passes at itself, for how long a lease was not renewed (`Watch`). A process in its turn lets
its runner hosts act for `ACT_FOR` of the lease only, counted from before it asked for the renewal (`runners.term`):
so its hosts have ended before anybody else can hold it for dead, however the clocks are set.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlmodel import Field, Session, SQLModel, col, select

from app.core.columns import moment

ACT_FOR = 0.8
"""The part of a lease in which the runner hosts of its owner may act."""


class WorkerLease(SQLModel, table=True):
    """One process that runs steps, beaten by the process itself and never by a runner host."""

    __tablename__ = "worker_lease"
    boot_id: str = Field(primary_key=True, max_length=36)
    """New at each start of the process, so that a former self is a stranger."""
    host: str
    pid: int
    sites: str
    """Comma-separated names; ``*`` = all."""
    started_at: datetime = moment()
    expires_at: datetime = moment(index=True)
    """New at each beat, by the owner's own clock: for people, and so that others see that it lives."""
    ended_at: datetime | None = moment(optional=True)


def beat(session: Session, lease: WorkerLease, *, now: datetime, seconds: float) -> bool:
    """Renew the lease; False when it was declared dead in the meantime and its steps were taken over."""
    row = session.get(WorkerLease, lease.boot_id, with_for_update=True, populate_existing=True)
    if row is None:
        row = lease
    if row.ended_at is not None:
        return False
    row.expires_at = now + timedelta(seconds=seconds)
    session.add(row)
    return True


def is_buried(session: Session, boot_id: str) -> bool:
    """Whether this life of a process was declared dead, so that its steps are others' now."""
    row = session.get(WorkerLease, boot_id, populate_existing=True)
    return row is not None and row.ended_at is not None


def revive(session: Session, boot_id: str, *, now: datetime, seconds: float) -> None:
    """Live on after having been declared dead. Only once nothing of the former life runs any more."""
    row = session.get(WorkerLease, boot_id, with_for_update=True, populate_existing=True)
    if row is not None:
        row.ended_at, row.expires_at = None, now + timedelta(seconds=seconds)
        session.add(row)


def end(session: Session, boot_id: str, *, now: datetime) -> None:
    """Sign off."""
    row = session.get(WorkerLease, boot_id, with_for_update=True)
    if row is not None and row.ended_at is None:
        row.ended_at = now
        session.add(row)


class Watch:
    """What one process saw of the leases of the others, and for how long each has stood still."""

    def __init__(self, seconds: float, longest_step: float = 2.0) -> None:
        self._seconds, self._longest = seconds, longest_step
        self._seen: dict[str, tuple[datetime, float]] = {}
        self._looked: float | None = None

    def silent(self, leases: Iterable[WorkerLease], *, passed: float) -> set[str]:
        """Boot ids of those that were not renewed for the length of a lease; `passed`: `clock.passed` now.

        Only time in which this process looked counts, each look for `longest_step` at most: after its own sleep, or
        after the database was away, it would else bury everybody who is about to beat again.
        """
        step = 0.0 if self._looked is None else min(max(passed - self._looked, 0.0), self._longest)
        self._looked = passed
        found: dict[str, tuple[datetime, float]] = {}
        for each in leases:
            at, still = self._seen.get(each.boot_id, (each.expires_at, 0.0))
            found[each.boot_id] = (each.expires_at, still + step if at == each.expires_at else 0.0)
        self._seen = found
        return {boot_id for boot_id, (_, still) in found.items() if still >= self._seconds}


def bury(
    session: Session,
    *,
    now: datetime,
    host: str,
    me: str,
    watch: Watch,
    passed: float,
    dead_pids: Iterable[int] = (),
) -> list[str]:
    """Declare dead who stood still for a whole lease, and this host's processes that are no more; never `me`."""
    gone = set(dead_pids)
    wanted = select(WorkerLease).where(col(WorkerLease.ended_at).is_(None)).with_for_update()
    others = [row for row in session.exec(wanted).all() if row.boot_id != me]
    silent = watch.silent(others, passed=passed)
    dead = [row for row in others if row.boot_id in silent or (row.host == host and row.pid in gone)]
    for row in dead:
        row.ended_at = now
        session.add(row)
    return [row.boot_id for row in dead]


def living(session: Session) -> list[WorkerLease]:
    """The processes that nobody has held for dead."""
    return list(session.exec(select(WorkerLease).where(col(WorkerLease.ended_at).is_(None))))


def is_served(site: str, leases: Iterable[WorkerLease]) -> bool:
    """Whether some living process runs the steps of `site`."""
    return any({site, "*"} & set(lease.sites.split(",")) for lease in leases)
