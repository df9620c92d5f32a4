"""Brings each signed head of the audit log elsewhere: to a file, to an address, to a time-stamping authority.

Whoever may rewrite this database can't rewrite what is there. Each is tried again until it takes the head; the file
and the address may be told one more than once, and never miss one for good.
"""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from app.core import outgoing
from app.core.audit import chain, der
from app.core.audit.chain import AuditCheckpoint
from app.core.audit.outside import AuditStamp
from app.core.audit.signing import as_line
from app.core.audit.verify_audit import Head, canonical
from app.core.db import Database
from app.core.durable import sync_folder
from app.core.settings import Settings

log = structlog.get_logger()
AT_ONCE = 1_000
"""Heads that are brought away in one go; the rest follows in the next."""
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"


class NotTaken(Exception):
    """Somebody did not take a head; it is tried again."""


class Pusher:
    """What the settings ask for, and how far each is."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._told: dict[str, int] = {}
        """Number of the last checkpoint that each took, as far as this process knows."""
        self.trouble: dict[str, str] = {}

    def push(self, *, now: datetime) -> None:
        """Bring away what is not there yet; what fails is told, and tried again the next time."""
        ways: dict[str, tuple[object, Callable[[AuditCheckpoint, str], None]]] = {
            "file": (self._settings.audit_push_file, self._to_file),
            "address": (self._settings.audit_push_url, self._to_address),
            "time stamp": (self._settings.audit_stamp_url, lambda row, _: self._to_be_stamped(row, now)),
        }
        for way, (wanted, bring) in ways.items():
            if wanted:
                self._bring(way, bring)

    def _bring(self, way: str, bring: Callable[[AuditCheckpoint, str], None]) -> None:
        with self._database.transaction(write=False) as session:
            done = self._told.setdefault(way, self._known(session, way))
            wanted = select(AuditCheckpoint).where(AuditCheckpoint.number > done).order_by(col(AuditCheckpoint.number))
            left = list(session.exec(wanted.limit(AT_ONCE)))
            name = chain.name(session) if left else ""
        if way == "time stamp":
            left = left[-1:]  # the newest stands for all before it
        for row in left:
            try:
                bring(row, name)
            except (NotTaken, OSError, outgoing.HTTPError) as error:
                self.trouble[way] = f"{type(error).__name__}: {error}"
                log.warning("a head of the audit log was not taken", by=way, number=row.number, error=str(error))
                return
            self._told[way] = row.number
        self.trouble.pop(way, None)

    def _known(self, session: Session, way: str) -> int:
        """The last that is there already; an address is told the newest again, which it may not have had."""
        if way == "file":
            return _last_in(self._settings.audit_push_file)
        last = chain.last_checkpoint(session)
        if way == "address":
            return last.number - 1 if last else 0
        return session.exec(select(AuditStamp.number).order_by(col(AuditStamp.number).desc())).first() or 0

    def _line(self, row: AuditCheckpoint, name: str) -> bytes:
        head = Head(row.seq, row.hash, row.number, row.signature)
        return canonical({"checkpoint": as_line(row, name), "head": str(head)})

    def _to_file(self, row: AuditCheckpoint, name: str) -> None:
        path = self._settings.audit_push_file
        assert path is not None  # noqa: S101 - only called where there is one
        new = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, self._line(row, name) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            sync_folder(path.parent)

    def _to_address(self, row: AuditCheckpoint, name: str) -> None:
        url = str(self._settings.audit_push_url)
        headers = {"Content-Type": "application/json"}
        with outgoing.client(self._settings) as client:
            answer = client.post(url, content=self._line(row, name), headers=headers)
        if not answer.is_success:
            raise NotTaken(f"it answered {answer.status_code}")

    def _to_be_stamped(self, row: AuditCheckpoint, now: datetime) -> None:
        with self._database.transaction(write=False) as session:
            line = canonical(as_line(row, chain.name(session)))
        authority = str(self._settings.audit_stamp_url)
        with outgoing.client(self._settings) as client:
            nonce = secrets.randbits(63)
            query = der.stamp_query(hashlib.sha256(line).digest(), nonce)
            answer = client.post(authority, content=query, headers={"Content-Type": QUERY})
        if not answer.is_success:
            raise NotTaken(f"it answered {answer.status_code}")
        if not der.is_granted(answer.content, hashlib.sha256(line).digest(), nonce):
            raise NotTaken("it gave no stamp for what it was asked")
        told = base64.b64encode(answer.content).decode()
        try:
            with self._database.transaction() as session:
                session.add(AuditStamp(number=row.number, authority=authority[:400], at=now, answer=told))
        except IntegrityError:
            log.info("another instance had it stamped already", number=row.number)


def _last_in(path: Path | None) -> int:
    """The number of the last checkpoint in the file; 0 where there is none that can be read."""
    try:
        with open(str(path), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 64 * 1024))
            lines = file.read().splitlines()
        told: dict[str, Any] = json.loads(lines[-1])
        return int(told["checkpoint"]["number"])
    except (OSError, ValueError, LookupError, TypeError):
        return 0
