"""Writes a backup while Wissel works: one snapshot of all tables, and the evidence that its rows name."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.core import migrations
from app.core.backup import rows
from app.core.backup.shape import (
    FORMAT,
    LEFT_OUT,
    MANIFEST,
    BackupRefused,
    Manifest,
    Part,
    evidence_part,
    table_part,
)
from app.core.db import Database
from app.core.durable import half
from app.core.evidence import EvidenceStore

Told = Callable[[str, int, int], None]
"""What is being done, how far it is, and of how many."""
Named = Callable[[Connection], Iterable[str]]
"""The SHA-256 of all evidence that rows of the snapshot name."""


def write(
    target: Path,
    database: Database,
    store: EvidenceStore,
    named: Named,
    *,
    version: str,
    organisation: str,
    now: Callable[[], datetime],
    told: Told,
) -> Manifest:
    """Write the backup to `target`, durably, whole or not at all; never over a file that is there."""
    there = BackupRefused(f"{target} is there already. Choose another name: a backup is never written over.")
    if target.exists():
        raise there
    if not target.absolute().parent.is_dir():
        raise BackupRefused(f"There is no folder {target.absolute().parent}. Make it, or choose another one.")
    try:
        with half(target.absolute().parent) as written:
            taken_at = now()  # before the snapshot, so that all that was acknowledged by then is in it
            with zipfile.ZipFile(written.file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                with snapshot(database) as (connection, revision):
                    made = _manifest(connection, version, revision, taken_at, organisation)
                    _tables(archive, connection, made, told)
                    hashes = sorted(set(named(connection)))
                _evidence(archive, store, hashes, made, told)
                _part(archive, MANIFEST, [made.model_dump_json(indent=1).encode()], made.taken_at)
            written.keep(target.absolute(), over=False)
    except FileExistsError as error:
        raise there from error
    return made


def _manifest(connection: Connection, version: str, revision: str, taken_at: datetime, organisation: str) -> Manifest:
    return Manifest(
        format=FORMAT,
        version=version,
        revision=revision,
        taken_at=taken_at,
        database=connection.dialect.name,
        organisation=organisation,
        tables={},
        evidence={},
        left_out=sorted(LEFT_OUT),
    )


@contextmanager
def snapshot(database: Database) -> Iterator[tuple[Connection, str]]:
    """One state of the whole database, read while others write; and the revision of its schema."""
    postgres = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    options: dict[str, Any] = {"writes": False} if database.is_sqlite else postgres
    with database.engine.execution_options(**options).connect() as connection:
        revision = migrations.revision(connection)  # the first read, which fixes the snapshot
        if revision is None:
            raise BackupRefused("There is no database of Wissel here. Look at WISSEL_DATA_DIR and WISSEL_DATABASE_URL.")
        yield connection, revision


def _tables(archive: zipfile.ZipFile, connection: Connection, made: Manifest, told: Told) -> None:
    found = rows.tables(connection)
    for number, table in enumerate(found, 1):
        told("tables", number, len(found))
        made.tables[table.name] = _part(archive, table_part(table.name), rows.read(connection, table), made.taken_at)


def _evidence(archive: zipfile.ZipFile, store: EvidenceStore, hashes: list[str], made: Manifest, told: Told) -> None:
    for number, sha256 in enumerate(hashes, 1):
        told("evidence", number, len(hashes))
        if not store.holds(sha256):
            made.missing.append(sha256)
            continue
        made.evidence[sha256] = _part(archive, evidence_part(sha256), store.read(sha256), made.taken_at).size


def _part(archive: zipfile.ZipFile, name: str, chunks: Iterable[bytes], at: datetime) -> Part:
    entry = zipfile.ZipInfo(name, at.astimezone(UTC).timetuple()[:6])
    entry.external_attr = 0o600 << 16
    digest, size, count = hashlib.sha256(), 0, 0
    with archive.open(entry, "w", force_zip64=True) as writer:
        for chunk in chunks:
            writer.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            count += 1
    return Part(sha256=digest.hexdigest(), size=size, rows=count if name.startswith("tables/") else 0)


def told_as_json(made: Manifest) -> dict[str, object]:
    """The manifest without its long lists, for a program that made a backup."""
    plain: dict[str, object] = json.loads(made.model_dump_json(exclude={"tables", "evidence"}))
    return plain | {"tables": len(made.tables), "rows": made.rows, "evidence": len(made.evidence)}
