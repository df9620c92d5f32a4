"""What is done for the audit log again and again: sign it, bring its heads away, verify it, tell when it is broken."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlmodel import Session

from app.core.audit import chain
from app.core.audit.outside import AuditLook, last_look
from app.core.audit.pushing import Pusher
from app.core.audit.signing import Signer
from app.core.audit.verify_audit import NONE, Head, run
from app.core.db import Database
from app.core.settings import Settings

log = structlog.get_logger()
EACH_DAY = timedelta(days=1)


class Keeper:
    """Looks after the log of one process; two processes do each thing once, but for verifying."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self.signer, self.pusher = Signer(settings), Pusher(settings, database)
        self._looked = False

    def look(self, *, now: datetime) -> None:
        """Once, at a start, verify; then sign what is due and bring it away; verify again each day."""
        if self._is_due(now):
            self.verify(now=now)
            self._looked = True
        self.signer.sign(self._database, now=now)
        self.pusher.push(now=now)

    def _is_due(self, now: datetime) -> bool:
        if not self._looked:
            return True
        with self._database.transaction(write=False) as session:
            last = last_look(session)
        return last is None or abs(now - last.at) >= EACH_DAY

    def verify(self, *, now: datetime) -> dict[str, Any]:
        """Verify the whole log against what was found the last time, and keep what was found."""
        with self._database.transaction(write=False) as session:
            kept = _kept(session)
        report, status = verified(self._database, kept)
        if status == 3:
            raise RuntimeError(str(report["broken"]))
        head = Head.of(report["head"]) if report["ok"] else (kept[0] if kept else Head(0, NONE))
        with self._database.transaction() as session:
            session.add(AuditLook(at=now, seq=head.seq, hash=head.hash, broken=report.get("broken", "")))
        if not report["ok"]:
            log.error("the audit log is broken", why=report["broken"])
        return report


def _kept(session: Session) -> list[Head]:
    """The head of the last verification, to be met again: whoever cuts the log must cut that too."""
    last = last_look(session)
    return [Head(last.seq, last.hash)] if last and last.seq else []


def verified(database: Database, kept: list[Head], trusted: list[str] | None = None) -> tuple[dict[str, Any], int]:
    """The report on the log of this database, read as one state while others write, and the exit status."""
    with snapshot(database) as connection:
        return run(chain.lines(connection), kept, trusted or ())


def snapshot(database: Database) -> Connection:
    """A connection that reads one state while others write; to be closed."""
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    if database.is_sqlite:
        options = {"writes": False}
    return database.engine.execution_options(**options).connect()
