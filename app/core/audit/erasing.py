"""Takes texts about a person out of the audit log: the chain keeps its commitments to them and verifies as before."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, String, cast, delete, func, or_
from sqlalchemy import select as plain_select
from sqlmodel import Session, SQLModel, col, select

from app.core.audit.chain import AuditLink
from app.core.audit.events import AuditEvent, record
from app.core.audit.private import AuditPrivate
from app.core.db import after_commit

ERASED = "audit.erased"


def erase(session: Session, actor: str, person_id: str, words: Iterable[str]) -> int:
    """Delete each text that holds one of `words`, and all of events about that person; how many.

    The log says of which events, so that a text which is missing without that is noticed.
    """
    wanted = [word.casefold() for word in words if word.strip()]
    about = select(AuditEvent.id).where(AuditEvent.object_kind == "person", AuditEvent.object_id == person_id)
    own = set(session.exec(about))
    _shred(session)
    gone: dict[int, int] = {}
    for row in session.exec(select(AuditPrivate)).all():
        told = json.dumps(row.value, ensure_ascii=False).casefold()
        if row.event_id in own or any(word in told for word in wanted):
            chosen = (col(AuditPrivate.event_id) == row.event_id, col(AuditPrivate.path) == row.path)
            session.execute(delete(AuditPrivate).where(*chosen))
            gone[row.event_id] = gone.get(row.event_id, 0) + 1
    seqs = session.exec(select(AuditLink.seq).where(col(AuditLink.event_id).in_(gone)).order_by(col(AuditLink.seq)))
    record(session, actor, ERASED, "person", person_id, events=list(seqs), texts=sum(gone.values()))
    return sum(gone.values())


def _shred(session: Session) -> None:
    """SQLite would leave what is deleted in free pages of its file, and in its log."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return
    connection.exec_driver_sql("PRAGMA secure_delete=ON")
    engine = connection.engine

    def empty_the_log() -> None:
        with engine.connect() as other:
            raw: Any = other.connection.dbapi_connection
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    after_commit(session, empty_the_log)


def still_in(session: Session, words: Iterable[str]) -> dict[str, int]:
    """Where else these words stand: rows by table. Texts that people wrote elsewhere are for people to change."""
    wanted = [word for word in words if word.strip()]
    found: dict[str, int] = {}
    for table in SQLModel.metadata.sorted_tables:
        texts = [column for column in table.columns if isinstance(column.type, String | JSON)]
        spelled = {each for word in wanted for each in (word, json.dumps(word)[1:-1])}
        holds = [cast(column, String).icontains(each, autoescape=True) for column in texts for each in spelled]
        number = session.scalar(plain_select(func.count()).select_from(table).where(or_(*holds))) if holds else 0
        if number:
            found[table.name] = number
    return found
