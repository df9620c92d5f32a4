"""Brings the database to the newest schema, and says whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.core.db import Database

FOLDER = Path(__file__).resolve().parents[2] / "migrations"
_LOCK = 0x5155_1550
"""Advisory lock of PostgreSQL, so that two instances that start at once do not both migrate."""


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Run all migrations that are not there yet; harmless when repeated, also by two processes at once."""
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        command.upgrade(_config(connection), "head")


def is_current(database: Database) -> bool:
    """Whether the schema is the newest."""
    with database.engine.connect() as connection:
        config = _config(connection)
        here = MigrationContext.configure(connection).get_current_heads()
        return set(here) == set(ScriptDirectory.from_config(config).get_heads())
