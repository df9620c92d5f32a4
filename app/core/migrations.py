"""Brings the database to the newest schema, and says whether it is there.

Alembic is loaded only where it is needed: on most starts the schema is there, and it costs time and memory for good.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from app.core.db import Database

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).resolve().parents[2] / "migrations"
_TABLE = "alembic_version"
_NAMED = re.compile(r"^(revision|down_revision)(?::[^=]*)? = (.+)$", re.MULTILINE)
_LOCK = 0x5155_1550
"""Advisory lock of PostgreSQL, so that two instances that start at once do not both migrate."""


class Dangling(RuntimeError):
    """A migration would leave rows that point at nothing; nothing of it was kept."""


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Run all migrations that are not there yet; harmless when repeated, also by two processes at once."""
    if is_current(database):
        return
    with migrating(database) as connection:
        if not database.is_sqlite:
            one_at_a_time(connection)
        upgrade_to(connection, "head")


@contextmanager
def migrating(database: Database) -> Iterator[Connection]:
    """A transaction in which tables may change.

    SQLite changes a table by making it anew and dropping the old one, which its foreign keys would forbid as soon as
    there are rows: they are off meanwhile, and all of them are checked before the commit. Raises `Dangling`.
    """
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            with connection.begin():
                yield connection
            return
        raw = connection.connection.cursor()
        raw.execute("PRAGMA foreign_keys=OFF")  # before BEGIN, within a transaction it does nothing
        try:
            with connection.begin():
                yield connection
                if left := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
                    raise Dangling(f"after the migration {len(left)} rows point nowhere, the first: {left[0]}")
        finally:
            raw.execute("PRAGMA foreign_keys=ON")
            raw.close()


def one_at_a_time(connection: Connection) -> None:
    """Wait until no other process migrates this PostgreSQL; ours until the end of the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def upgrade_to(connection: Connection, revision: str) -> None:
    """Migrate forward to a revision within this transaction."""
    from alembic import command

    command.upgrade(_config(connection), revision)


def revision(connection: Connection) -> str | None:
    """The revision of the schema; None where there is none."""
    return next(iter(_here(connection)), None)


def is_known(wanted: str) -> bool:
    """Whether this program has that revision; one that it has not is newer, or foreign."""
    return wanted in _revisions()


def is_current(database: Database) -> bool:
    """Whether the schema is the newest."""
    with database.transaction(write=False) as session:
        return _here(session.connection()) == _heads()


def _here(connection: Connection) -> frozenset[str]:
    """What Alembic's own table says; none where it is not there."""
    if not inspect(connection).has_table(_TABLE):
        return frozenset()
    return frozenset(connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalars())  # noqa: S608 - our own


@cache
def _revisions() -> dict[str, str | None]:
    """Each revision that this program has, with the one that it follows."""
    found: dict[str, str | None] = {}
    for file in (FOLDER / "versions").glob("*.py"):
        named = dict(_NAMED.findall(file.read_text("utf-8")))
        found[named["revision"].strip("\"'")] = named["down_revision"].strip("\"'").replace("None", "") or None
    return found


@cache
def _heads() -> frozenset[str]:
    return frozenset(_revisions()) - frozenset(_revisions().values())
