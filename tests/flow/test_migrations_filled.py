"""An installation of the version before, full of rows that refer to each other, comes up to date with all of them."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Connection, Date, DateTime, Integer, MetaData, Numeric, Table, insert, text

from app import keeping
from app.core import migrations
from app.core.db import Database
from tests.flow.whole import settings_in

FIRST = "f8fda56ba31a"
"""Schema of the version before the real thing, and before backups."""
DAY = date(2026, 1, 1)
WORDS = {"mode": "live", "home_side": "primary", "ended": "completed", "state": "completed"}


def value_of(kind: Any) -> Any:
    if isinstance(kind, JSON):
        return {}
    for type_, value in ((Boolean, False), (Integer, 1), (Numeric, 1), (Date, DAY)):
        if isinstance(kind, type_):
            return value
    return datetime(2026, 1, 1, tzinfo=UTC) if isinstance(kind, DateTime) else "x"


def with_a_row(connection: Connection, table: Table, done: dict[str, Any]) -> None:
    """A row, after one in each table that it must refer to."""
    if table.name in done:
        return
    given: dict[str, Any] = {}
    for column in table.columns:
        parent = next((key.column for key in column.foreign_keys if key.column.table is not table), None)
        if parent is not None and not column.nullable:
            with_a_row(connection, parent.table, done)
            given[column.name] = done[parent.table.name][parent.name]
        elif not column.nullable and not column.foreign_keys:
            given[column.name] = WORDS.get(column.name) or value_of(column.type)
        elif column.name == "ended" and table.name == "run":
            given[column.name] = WORDS[column.name]
    if connection.dialect.name == "sqlite":
        for name, value in given.items():
            given[name] = value.replace(tzinfo=None) if isinstance(value, datetime) else value
    connection.execute(insert(table), given)
    done[table.name] = given


def fill_as_before(database: Database) -> dict[str, int]:
    """The first schema with a run, its steps and what it owes; rows by table."""
    with migrations.migrating(database) as connection:
        migrations.upgrade_to(connection, FIRST)
        found = MetaData()
        found.reflect(connection)
        done: dict[str, Any] = {}
        for name in ("run_event", "step_run", "obligation", "run_decision", "stay"):
            with_a_row(connection, found.tables[name], done)
    return rows(database, list(done))


def rows(database: Database, tables: list[str]) -> dict[str, int]:
    with database.transaction(write=False) as session:
        counted = {name: session.connection().scalar(text(f"SELECT count(*) FROM {name}")) for name in tables}
    return {name: int(number or 0) for name, number in counted.items()}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_filled_database_is_brought_up_to_date_and_keeps_every_row(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = None if kind == "sqlite" else request.getfixturevalue("postgres").empty()
    database = Database(settings_in(tmp_path, database_url=url).url)
    before = fill_as_before(database)
    migrations.upgrade(database)
    assert migrations.is_current(database)
    assert rows(database, list(before)) == before
    with database.transaction(write=False) as session:
        ours = session.connection()
        assert ours.execute(text("SELECT kind, bars, step_id FROM obligation")).one() == ("clean-up", False, None)
        assert ours.execute(text("SELECT activation, outage_at FROM run")).one() == (False, None)
    database.dispose()


def test_a_backup_of_it_is_restored_with_every_row(tmp_path: Path) -> None:
    old = settings_in(tmp_path / "old")
    old.data_dir.mkdir()
    database = Database(old.url)
    before = fill_as_before(database)
    database.dispose()
    keeping.backup(old, tmp_path / "one", told=lambda *_: None)
    into = settings_in(tmp_path / "new")
    keeping.restore(into, tmp_path / "one", expected=None, told=lambda *_: None)
    restored = Database(into.url)
    assert migrations.is_current(restored)
    assert {name: rows(restored, [name])[name] for name in ("run", "step_run", "obligation")} == {
        name: before[name] for name in ("run", "step_run", "obligation")
    }
    restored.dispose()
