"""The chain: as the last thing in a transaction each of its events gets the next number and the hash of its line.

On PostgreSQL that happens under a lock that is held until the commit. It is the last lock that a transaction takes, so
it can't be part of a deadlock; and who has it sees the end that the one before committed. SQLite has one writer at a
time anyway. A number that a transaction took and did not commit is given out again: there are no gaps.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, event, exists, func, insert, text
from sqlalchemy.orm import Session as AnySession
from sqlmodel import Field, Session, SQLModel, col, select

from app.core.audit.events import WAITING, AuditEvent, record
from app.core.audit.private import AuditPrivate
from app.core.audit.verify_audit import FORMAT, NONE, Head, Told, canonical, lines_of_database, sha256
from app.core.columns import moment, new_id

_LOCK = 0x5155_1551
"""Advisory lock of PostgreSQL."""
SYSTEM = "system"


class AuditLink(SQLModel, table=True):
    """The place of an event in the chain. Insert only."""

    __tablename__ = "audit_link"
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    event_id: int = Field(foreign_key="audit_event.id", unique=True)
    hash: str = Field(max_length=64)
    """SHA-256 of the event's line, which holds that of the event before."""


class AuditCheckpoint(SQLModel, table=True):
    """A signature of the chain's end at some moment. Insert only."""

    __tablename__ = "audit_checkpoint"
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(foreign_key="audit_link.seq", unique=True)
    hash: str = Field(max_length=64)
    at: datetime = moment()
    prev: str = Field(max_length=64)
    """SHA-256 of the checkpoint before."""
    key: str = Field(max_length=64)
    signature: str = Field(max_length=128)


def one_at_a_time(session: Session) -> None:
    """Hold the end of the chain until the commit; the last lock that a transaction takes."""
    if session.get_bind().dialect.name != "sqlite":
        session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def end(session: Session) -> tuple[int, str] | None:
    """Number and hash of the last event; None where the chain has not begun."""
    found = session.execute(
        select(col(AuditLink.seq), col(AuditLink.hash)).order_by(col(AuditLink.seq).desc()).limit(1)
    ).first()
    return (found[0], found[1]) if found else None


def head(session: Session) -> Head:
    """The end of the chain as it is printed, with its last signature."""
    seq, hash_ = end(session) or (0, NONE)
    last = last_checkpoint(session)
    return Head(seq, hash_, last.number, last.signature) if last else Head(seq, hash_)


def last_checkpoint(session: Session) -> AuditCheckpoint | None:
    """The newest signature."""
    return session.exec(select(AuditCheckpoint).order_by(col(AuditCheckpoint.number).desc()).limit(1)).first()


def name(session: Session) -> str:
    """The name of this chain, which its first event tells."""
    wanted = select(AuditEvent.object_id).join(AuditLink, col(AuditLink.event_id) == AuditEvent.id)
    return session.exec(wanted.where(AuditLink.seq == 1)).one()


def seal(session: Session) -> None:
    """Give the events of this transaction their places in the chain; nothing may be written after it."""
    waiting = [(row, kept) for row, kept in session.info.get(WAITING, ()) if row in session]  # not: rolled back
    if not waiting:
        session.info.pop(WAITING, None)
        return
    session.flush()
    session.info.pop(WAITING)
    privates = [each | {"event_id": row.id} for row, kept in waiting for each in map(vars, kept)]
    if privates:
        session.execute(insert(AuditPrivate), privates)
    one_at_a_time(session)
    _append(session, end(session) or _begin(session, {row.id for row, _ in waiting}), [row for row, _ in waiting])


def _append(session: Session, after: tuple[int, str], rows: Iterable[AuditEvent]) -> tuple[int, str]:
    """Link rows behind `after`; the new end."""
    seq, prev, links = *after, []
    for row in rows:
        seq += 1
        prev = sha256(line(row, seq, prev))
        links.append({"seq": seq, "event_id": row.id, "hash": prev})
    if links:
        session.execute(insert(AuditLink), links)
    return seq, prev


def line(row: AuditEvent, seq: int, prev: str) -> bytes:
    """The line of an event, whose SHA-256 is its hash."""
    return canonical(
        {
            "action": row.action,
            "actor": row.actor,
            "at": row.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "detail": row.detail,
            "object": {"id": row.object_id, "kind": row.object_kind},
            "origin": row.origin,
            "prev": prev,
            "result": row.result,
            "seq": seq,
        }
    )


def _begin(session: Session, ours: set[int | None]) -> tuple[int, str]:
    """The first event, which says where the chain begins, and all that was written before there was a chain."""
    chain = new_id()
    before = [row for row in _outside(session) if row.id not in ours]
    record(session, SYSTEM, "audit.chain-began", "audit", chain, rows=len(before))
    first, _ = session.info.pop(WAITING)[0]
    session.flush()
    return _append(session, (0, sha256(canonical({"chain": chain, "format": FORMAT}))), [first, *before])


def _outside(session: Session) -> list[AuditEvent]:
    """Rows without a place in the chain, in their order."""
    linked = exists().where(col(AuditLink.event_id) == AuditEvent.id)
    return list(session.exec(select(AuditEvent).where(~linked).order_by(col(AuditEvent.id))))


def take_in(session: Session) -> int:
    """At a start: begin the chain, or take in what processes of the version before wrote past it; how many rows."""
    counted = session.execute(
        select(select(func.count()).select_from(AuditEvent).scalar_subquery(),
               select(func.count()).select_from(AuditLink).scalar_subquery())
    ).one()  # fmt: skip
    if counted[0] == counted[1] > 0:
        return 0
    one_at_a_time(session)
    last = end(session)
    if last is None:
        _begin(session, set())
        return 0
    left = _outside(session)
    if left:
        record(session, SYSTEM, "audit.rows-taken-in", "audit", name(session), rows=len(left))
        told, _ = session.info.pop(WAITING)[0]
        session.flush()
        _append(session, last, [told, *left])
    return len(left)


def lines(connection: Connection) -> Iterator[Told]:
    """The whole log as lines, as an export holds them; of one snapshot, if `connection` reads one."""
    return lines_of_database(lambda statement: connection.exec_driver_sql(statement), connection.dialect.name)


@event.listens_for(AnySession, "before_commit")
def _at_the_commit(session: Any) -> None:
    if not session.in_nested_transaction():
        seal(session)
