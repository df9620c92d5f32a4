"""Rows of any schema as lines of JSON and back, by what the database itself says of its tables."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    cast,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from app.core.backup.shape import ENGINE, LEFT_OUT, BackupRefused

BATCH = 500
_CARRIED = (DateTime, Date, Boolean, Integer, Float, String, JSON)


def tables(connection: Connection) -> list[Table]:
    """The tables that a backup holds, each after those that it refers to."""
    reflected = MetaData()
    reflected.reflect(connection, only=lambda name, _: name not in LEFT_OUT and not name.startswith(ENGINE))
    # Also reflected: what is left out, where another table refers to it.
    found = [table for table in reflected.sorted_tables if table.name not in LEFT_OUT]
    for table in found:
        for column in table.columns:
            if not isinstance(column.type, _CARRIED):
                raise TypeError(f"{table.name}.{column.name}: a backup can't carry {column.type!r}")
    return found


def read(connection: Connection, table: Table) -> Iterator[bytes]:
    """Each row as a line of JSON; a document as the text that the database holds, so that nothing in it changes.

    A row that refers to one that is left out is left out with it.
    """
    lost = [key.parent for key in table.foreign_keys if key.column.table.name in LEFT_OUT]
    wanted: list[ColumnElement[Any]] = [
        cast(column, String).label(column.name) if isinstance(column.type, JSON) else column for column in table.columns
    ]
    statement = select(*wanted).where(*(column.is_(None) for column in lost)).order_by(*table.primary_key.columns)
    for row in connection.execution_options(stream_results=True, yield_per=BATCH).execute(statement).mappings():
        plain = {name: _plain(value) for name, value in row.items()}
        yield json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def write(connection: Connection, table: Table, lines: Iterable[bytes]) -> int:
    """Insert the rows; how many. Raises `BackupRefused` for a line that is no row of this table."""
    own = [column for column in table.columns for key in column.foreign_keys if key.column.table is table]
    later: list[tuple[dict[str, Any], dict[str, Any]]] = []
    batch: list[dict[str, Any]] = []
    count = 0
    for number, line in enumerate(lines, 1):
        row = _row(connection, table, line, number)
        known = {column.name: row[column.name] for column in own if row[column.name] is not None}
        if known:  # a row that refers to its own table may come before the one that it means
            later.append(({column.name: row[column.name] for column in table.primary_key.columns}, known))
            row |= dict.fromkeys(known)
        batch.append(row)
        count += 1
        if len(batch) >= BATCH:
            _insert(connection, table, batch)
            batch = []
    if batch:
        _insert(connection, table, batch)
    for which, known in later:
        chosen = [table.columns[name] == value for name, value in which.items()]
        connection.execute(update(table).where(*chosen).values(known))
    _count_on(connection, table)
    return count


def _row(connection: Connection, table: Table, line: bytes, number: int) -> dict[str, Any]:
    try:
        given = json.loads(line)
    except ValueError as error:
        raise BackupRefused(f"table {table.name}, line {number}: no JSON ({error})") from error
    if not isinstance(given, dict) or set(given) != set(table.columns.keys()):
        raise BackupRefused(f"table {table.name}, line {number}: its columns are not those of the table")
    try:
        return {name: _value(connection, table.columns[name], value) for name, value in given.items()}
    except (TypeError, ValueError) as error:
        raise BackupRefused(f"table {table.name}, line {number}: {error}") from error


def _value(connection: Connection, column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    kind: TypeEngine[Any] = column.type
    if isinstance(kind, DateTime):
        moment = datetime.fromisoformat(_word(column, value))
        return moment.astimezone(UTC).replace(tzinfo=None) if connection.dialect.name == "sqlite" else moment
    if isinstance(kind, Date):
        return date.fromisoformat(_word(column, value))
    if isinstance(kind, JSON):
        json.loads(_word(column, value))
        return value
    wanted: tuple[type, ...] = (bool,) if isinstance(kind, Boolean) else (int,) if isinstance(kind, Integer) else (str,)
    if isinstance(kind, Float):
        wanted = (int, float)
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise ValueError(f"'{column.name}' is not of its kind")
    return value


def _word(column: Column[Any], value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"'{column.name}' is not of its kind")
    return value


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """A document goes in as the text that it was."""
    names = [column.name for column in table.columns]
    quoted = connection.dialect.identifier_preparer.quote
    values = [
        f"CAST(:{name} AS JSON)" if isinstance(table.columns[name].type, JSON) and _has_json(connection) else f":{name}"
        for name in names
    ]
    documents = {name for name in names if isinstance(table.columns[name].type, JSON)}
    if not documents:
        connection.execute(insert(table), rows)
        return
    columns = ", ".join(quoted(name) for name in names)
    statement = text(f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({', '.join(values)})")  # noqa: S608 - names of our own schema
    typed = [_typed(table, name) for name in names if name not in documents]
    connection.execute(statement.bindparams(*typed), rows)


def _typed(table: Table, name: str) -> Any:
    from sqlalchemy import bindparam

    return bindparam(name, type_=table.columns[name].type)


def _has_json(connection: Connection) -> bool:
    return connection.dialect.name != "sqlite"


def _count_on(connection: Connection, table: Table) -> None:
    """Numbers that the database gives out go on after the highest; SQLite sees to that itself."""
    keys = list(table.primary_key.columns)
    if connection.dialect.name == "sqlite" or len(keys) != 1 or not isinstance(keys[0].type, Integer):
        return
    quoted = connection.dialect.identifier_preparer.quote
    column, name = quoted(keys[0].name), quoted(table.name)
    highest = f"SELECT setval(s, GREATEST((SELECT MAX({column}) FROM {name}), 1)) FROM pg_get_serial_sequence(:t, :c) s"  # noqa: S608 - names of our own schema
    connection.execute(text(f"{highest} WHERE s IS NOT NULL"), {"t": name, "c": keys[0].name})
