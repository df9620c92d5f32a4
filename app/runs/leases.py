"""Leases of worker processes: who lives, who is gone, and which sites are served."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlmodel import Field, Session, SQLModel, col, select

from app.core.columns import moment


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


def bury(session: Session, *, now: datetime, host: str, me: str, dead_pids: Iterable[int] = ()) -> list[str]:
    """Declare dead whose lease ran out, and this host's processes that are no more; their boot ids, never `me`."""
    gone = set(dead_pids)
    living = session.exec(select(WorkerLease).where(col(WorkerLease.ended_at).is_(None)).with_for_update()).all()
    others = [row for row in living if row.boot_id != me]
    dead = [row for row in others if row.expires_at < now or (row.host == host and row.pid in gone)]
    for row in dead:
        row.ended_at = now
        session.add(row)
    return [row.boot_id for row in dead]


def living(session: Session, *, now: datetime) -> list[WorkerLease]:
    """The processes that are believed to live."""
    wanted = select(WorkerLease).where(col(WorkerLease.ended_at).is_(None), WorkerLease.expires_at >= now)
    return list(session.exec(wanted))


def is_served(site: str, leases: Iterable[WorkerLease]) -> bool:
    """Whether some living process runs the steps of `site`."""
    return any({site, "*"} & set(lease.sites.split(",")) for lease in leases)
