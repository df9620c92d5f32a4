"""Real backups of the running primary: a good dump, the same dump cut off, and a base backup with its manifest."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from app.lab.postgres import DATABASE, ROLE, PostgresServer, ServerFailed, binaries, tool
from runners.contract import Backup, ExpectedTable

TABLE = "permit"


@dataclass(frozen=True)
class Snapshot:
    """A moment of the database that a dump can be told to look at."""

    name: str
    taken_at: datetime
    table: ExpectedTable


@contextmanager
def snapshot(server: PostgresServer) -> Iterator[Snapshot]:
    """Hold a moment still while the writer goes on, and say what was in the table at that moment."""
    with psycopg.connect(server.dsn()) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        name = str(_one(connection, "SELECT pg_export_snapshot()"))
        taken_at = datetime.now(UTC)
        rows = int(str(_one(connection, "SELECT count(*) FROM permit")))
        yield Snapshot(name, taken_at, _expected(rows=rows))


def _one(connection: psycopg.Connection[tuple[object, ...]], sql: str) -> object:
    row = connection.execute(sql).fetchone()
    return row[0] if row else None


def _expected(*, rows: int | None = None, min_rows: int = 1) -> ExpectedTable:
    return ExpectedTable(
        name=TABLE, rows=rows, min_rows=rows if rows is not None else min_rows, newest="filed_at", text="applicant"
    )


def dump(server: PostgresServer, file: Path) -> Backup:
    """A dump in PostgreSQL's custom format, with the exact number of rows that it must hold."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with snapshot(server) as moment:
        tool("pg_dump", "-Fc", "-d", server.dsn(), f"--snapshot={moment.name}", "-f", file)
    return Backup(
        kind="dump",
        path=str(file),
        binaries=str(binaries()),
        taken_at=moment.taken_at,
        database=DATABASE,
        tables=(moment.table,),
    )


def cut_off(good: Backup, file: Path) -> Backup:
    """The same dump as if the disk had been full: its table of contents is whole, its data is not.

    Raises `ServerFailed` where the cut would be seen by listing it, or would not be seen by reading it all.
    """
    whole = Path(good.path).read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    if not is_listed(file) or is_readable(file):
        raise ServerFailed(f"{file} is not damaged in the way that was meant")
    return good.model_copy(update={"path": str(file)})


def is_listed(file: Path) -> bool:
    """What the cheap check says: whether `pg_restore -l` is content."""
    return _succeeds("-l", file)


def is_readable(file: Path) -> bool:
    """Whether all data can be read: `pg_restore` writes it out as SQL."""
    return _succeeds("-f", "/dev/null", file)


def _succeeds(*arguments: str | Path) -> bool:
    try:
        tool("pg_restore", *arguments)
    except ServerFailed:
        return False
    return True


def base_backup(server: PostgresServer, folder: Path) -> Backup:
    """A base backup with SHA-256 manifest and the WAL that it needs."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with server.connect() as connection:
        before = int(str(_one(connection, "SELECT count(*) FROM permit")))
    way = ["-X", "stream", "-c", "fast", "--manifest-checksums=SHA256"]
    tool("pg_basebackup", "-d", server.dsn(), "-D", folder, *way)
    return Backup(
        kind="basebackup",
        path=str(folder),
        binaries=str(binaries()),
        taken_at=datetime.now(UTC),
        database=DATABASE,
        role=ROLE,
        tables=(_expected(min_rows=before),),
    )
