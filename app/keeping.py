"""Keeps Wissel itself: a backup in one file while it works, and a restore that says what to check."""

import hashlib
import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

import app.tables  # noqa: F401 - the rows of every domain
from app.core import audit, clock
from app.core.backup import loading, writing
from app.core.backup.reading import Backup
from app.core.backup.shape import BackupRefused, Manifest
from app.core.backup.writing import Told
from app.core.db import Database
from app.core.evidence import EvidenceStore
from app.core.incarnation import Incarnation, floor_above
from app.core.migrations import Dangling
from app.core.settings import Settings
from app.runs import locks, restored

_CHUNK = 1024 * 1024
OWN = {"evidence", "wissel.db", "wissel.db-wal", "wissel.db-shm", "wissel.db-journal"}
"""What a restore that was cut off may have left in its folder."""


@dataclass(frozen=True)
class BackedUp:
    """A backup that was made."""

    file: Path
    sha256: str
    manifest: Manifest

    @property
    def whole(self) -> bool:
        """Whether it holds all evidence that its rows name."""
        return not self.manifest.missing

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"file": str(self.file), "sha256": self.sha256, **writing.told_as_json(self.manifest)}


@dataclass(frozen=True)
class Restored:
    """What came out of a backup, and what a person must look at."""

    manifest: Manifest
    sha256: str
    token_floor: int
    runs: list[restored.Found]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "sha256": self.sha256,
            "tokenFloor": self.token_floor,
            **writing.told_as_json(self.manifest),
            "runs": [run.as_json() for run in self.runs],
        }


def backup(settings: Settings, file: Path, *, told: Told) -> BackedUp:
    """Back up database and evidence to `file`. Raises `BackupRefused`, and what the database or the disk raises."""
    if not settings.names_a_database:
        raise BackupRefused(f"There is no database of Wissel in {settings.data_dir}. Look at WISSEL_DATA_DIR.")
    database = Database(settings.url)
    with _plainly(file, database):
        made = writing.write(
            file,
            database,
            EvidenceStore(settings.evidence_dir),
            lambda connection: restored.evidence_named(Session(connection)),
            version=version(),
            organisation=settings.organisation,
            now=clock.now,
            told=told,
        )
    return BackedUp(file, sha256_of(file), made)


def restore(settings: Settings, file: Path, *, expected: str | None, told: Told) -> Restored:
    """Restore into a fresh folder and an empty database; nothing in it goes on by itself afterwards.

    Everything is read and checked first. `expected`: the SHA-256 that was told when the backup was made.
    """
    found = sha256_of(file)
    if expected is not None and expected.lower() != found:
        raise BackupRefused(f"{file} has the SHA-256 {found}, which is not the one you gave.")
    with Backup(file) as opened:
        loading.refuse_newer(opened)
        for number, _ in enumerate(opened.verify(), 1):
            told("check", number, opened.parts)
        return _load(settings, opened, found, told)


def _load(settings: Settings, opened: Backup, sha256: str, told: Told) -> Restored:
    loading.make_fresh(settings.data_dir, OWN)
    runs: list[restored.Found] = []
    life: list[Incarnation] = []

    def after(connection: Connection) -> None:
        session = Session(connection, autoflush=True, expire_on_commit=False)
        now = clock.now()
        life.append(_new_life(session, opened.manifest, sha256, now))
        runs.extend(restored.come_up(session, life[0], now=now))
        session.flush()
        audit.seal(session)  # the connection commits, so the session does not see it coming

    if settings.database_url is None:
        for name in OWN - {"evidence"}:
            (settings.data_dir / name).unlink(missing_ok=True)
    database = Database(settings.url)
    with _plainly(settings.data_dir, database):
        loading.evidence(opened, EvidenceStore(settings.evidence_dir), told)
        loading.database(opened, database, after, told)
    (settings.data_dir / loading.UNFINISHED).unlink()
    return Restored(opened.manifest, sha256, life[0].token_floor, runs)


@contextmanager
def _plainly(place: Path, database: Database) -> Iterator[None]:
    """What a disk or a database refuses, as one sentence; the connections are closed afterwards."""
    try:
        yield
    except OSError as error:
        raise BackupRefused(f"{error.filename or place}: {error.strerror or error}") from error
    except (DBAPIError, ValueError, Dangling) as error:
        raise BackupRefused(str(error).splitlines()[0]) from error
    finally:
        database.dispose()


def _new_life(session: Session, manifest: Manifest, sha256: str, now: datetime) -> Incarnation:
    return Incarnation(
        began_at=now,
        taken_at=manifest.taken_at.astimezone(UTC),
        sha256=sha256,
        version=manifest.version[:40],
        token_floor=floor_above(locks.highest(session), now=now),
    )


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file. Raises `BackupRefused` where it can't be read."""
    digest = hashlib.sha256()
    try:
        with file.open("rb") as reader:
            while chunk := reader.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise BackupRefused(f"{file} can't be read: {error.strerror}") from error
    return digest.hexdigest()


def version() -> str:
    """Of this Wissel."""
    return importlib.metadata.version("wissel")
