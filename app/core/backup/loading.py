"""Puts a checked backup into an empty database and an empty evidence store, and migrates it forward."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, inspect

from app.core import migrations
from app.core.backup import rows
from app.core.backup.reading import Backup
from app.core.backup.shape import BackupRefused
from app.core.backup.writing import Told
from app.core.db import Database
from app.core.evidence import EvidenceStore

UNFINISHED = "restore-is-under-way"
"""Name of the file that stands in a data folder while it is restored to."""


def refuse_newer(backup: Backup) -> None:
    """A backup of a newer Wissel can't be read by this one."""
    if not migrations.is_known(backup.manifest.revision):
        raise BackupRefused(
            f"It was made by Wissel {backup.manifest.version[:40]}, whose database is newer than this program knows "
            f"(revision {backup.manifest.revision}). Install that version or a later one, and restore with it."
        )


def make_fresh(folder: Path, own: set[str]) -> None:
    """Claim an empty data folder; one in which a restore was cut off counts as empty. `own`: names it may have left."""
    folder.mkdir(parents=True, exist_ok=True)
    there = {each.name for each in folder.iterdir()} - {"lost+found"}
    mark = folder / UNFINISHED
    if there and (UNFINISHED not in there or there - own - {UNFINISHED}):
        raise BackupRefused(f"{folder} is not empty ({sorted(there)[0]}). Restore only into a fresh folder.")
    mark.touch()


def refuse_half(folder: Path) -> None:
    """A folder in which a restore was cut off holds half of what there was: nothing may start on it."""
    if (folder / UNFINISHED).exists():
        raise BackupRefused(f"A restore into {folder} was cut off. Run `wissel restore` again, then start.")


def refuse_filled(connection: Connection) -> None:
    """Restore only into an empty database, the engine's own tables included."""
    names = sorted(inspect(connection).get_table_names())
    schemas = [] if connection.dialect.name == "sqlite" else inspect(connection).get_schema_names()
    if names or "dbos" in schemas:
        what = names[0] if names else "schema dbos"
        raise BackupRefused(f"The database is not empty ({what}). Restore only into an empty one.")


def evidence(backup: Backup, store: EvidenceStore, told: Told) -> None:
    """Every evidence file into the store."""
    for number, sha256 in enumerate(backup.manifest.evidence, 1):
        told("evidence", number, len(backup.manifest.evidence))
        store.put_stream(backup.content(sha256), expected=sha256)


def database(backup: Backup, into: Database, after: Callable[[Connection], None], told: Told) -> None:
    """Schema as it was, rows, migrations forward, then `after`: all in one transaction, or nothing."""
    with migrations.migrating(into) as connection:  # also by rows that refer to a table which is made anew
        if not into.is_sqlite:
            migrations.one_at_a_time(connection)
        refuse_filled(connection)
        migrations.upgrade_to(connection, backup.manifest.revision)
        _rows(backup, connection, told)
        migrations.upgrade_to(connection, "head")
        after(connection)


def _rows(backup: Backup, connection: Connection, told: Told) -> None:
    found = rows.tables(connection)
    unknown = set(backup.manifest.tables) ^ {table.name for table in found}
    if unknown:
        raise BackupRefused(f"Its tables are not those of revision {backup.manifest.revision}: {sorted(unknown)[0]}")
    for number, table in enumerate(found, 1):
        told("tables", number, len(found))
        rows.write(connection, table, backup.lines(table.name))
