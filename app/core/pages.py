"""Room within the SQLite file itself: free pages and a write-ahead log of some size, which nobody else can fill.

What the reserve of the data folder gives back, others may take at once. Pages that the file has already are its own:
with them an abort can still be written while the disk is full to the last byte.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Engine

FILLER = "reserve_of_pages"
"""A table that exists only while pages are claimed."""


SIZE = 2 * 1024 * 1024
"""Bytes to claim, in pages and in the log: some hundred times what an abort writes."""
PIECE = 64 * 1024


def claim(engine: Engine) -> None:
    """See to it that at least half of `SIZE` is there in free pages. Raises sqlite3.Error where it can't be."""
    with _cursor(engine) as cursor:
        _asked(
            cursor, "wal_checkpoint(PASSIVE)"
        )  # what a killed process left in the log; it is written over from here on
        if _asked(cursor, "freelist_count") * _asked(cursor, "page_size") < SIZE // 2:
            # In two transactions: pages that are freed in the one that claimed them are never written to the disk.
            make = f"CREATE TABLE IF NOT EXISTS {FILLER} (filler BLOB)"
            fill = f"INSERT INTO {FILLER} VALUES (randomblob({PIECE}))"  # noqa: S608 - names and numbers of our own
            _at_once(cursor, make, *[fill] * (SIZE // PIECE))
            _asked(cursor, "wal_checkpoint(PASSIVE)")
        if cursor.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (FILLER,)).fetchone():
            _at_once(cursor, f"DROP TABLE {FILLER}")
            _asked(cursor, "wal_checkpoint(PASSIVE)")


def reuse_log(engine: Engine) -> None:
    """Bring the write-ahead log into the file, so that what follows is written over it and needs no new room."""
    with _cursor(engine) as cursor:
        _asked(cursor, "wal_checkpoint(PASSIVE)")


@contextmanager
def _cursor(engine: Engine) -> Iterator[Any]:
    connection = engine.raw_connection()
    try:
        yield connection.cursor()
    finally:
        connection.close()


def _asked(cursor: Any, pragma: str) -> int:
    return int(cursor.execute(f"PRAGMA {pragma}").fetchone()[0])


def _at_once(cursor: Any, *statements: str) -> None:
    cursor.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("COMMIT")
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            cursor.execute("ROLLBACK")
        raise
