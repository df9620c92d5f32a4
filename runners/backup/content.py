"""Looks at what a restored database holds, and compares it with what was expected of it.

The checksum of a table (`ExpectedTable.checksum`) is the SHA-256 (64 hex characters) or MD5 (32) over its rows in the
order of the primary key (text columns of the key by COLLATE "C"), each as its text form, joined by newlines, in UTF-8:

    SET TimeZone='UTC'; SET DateStyle='ISO, YMD'; SET IntervalStyle='postgres'; SET bytea_output='hex';
    SET extra_float_digits=1;
    SELECT encode(sha256(convert_to(string_agg(t::text, E'\\n' ORDER BY t.id), 'UTF8')), 'hex') FROM permit AS t;

An empty table has the checksum of no bytes at all.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg
from psycopg import sql

from runners.backup.tools import BackupWrong, CannotLook
from runners.contract import ExpectedTable, Measurement

Connection = psycopg.Connection[tuple[object, ...]]
SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "row_security": "off",
}
BATCH = 2_000
LONGEST_BACKUP = timedelta(days=1)
"""A row may be this much newer than the beginning of its backup."""


@dataclass(frozen=True)
class Table:
    """What was seen of one table."""

    name: str
    rows: int
    checksum: str | None = None
    newest: datetime | None = None
    age: timedelta | None = None
    ahead: bool = False
    """Whether its newest row is dated long after the backup, so that its age says nothing."""


def prepare(connection: Connection, seconds: float) -> None:
    """Settings under which the text form of a row is always the same, and a limit on each statement."""
    for name, value in {**SETTINGS, "statement_timeout": f"{int(seconds * 1000)}"}.items():
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    # Some encodings of servers are unknown to Python; of a server that knows none we want the bytes as they are.
    asked = "SQL_ASCII" if encoding(connection) == "SQL_ASCII" else "UTF8"
    connection.execute("SELECT set_config('client_encoding', %s, false)", [asked])


def encoding(connection: Connection) -> str:
    """The encoding of the database."""
    # Not asked in SQL: of a server without an encoding every text comes as bytes, this one too.
    return connection.info.parameter_status("server_encoding") or ""


def look(connection: Connection, expected: ExpectedTable, since: datetime, max_age: timedelta | None) -> Table:
    """Compare one table with what is expected; `since` is the moment that the age of its newest row counts back from.

    Raises `BackupWrong` with the first difference, `CannotLook` where it cannot be compared.
    """
    try:
        name = _existing(connection, expected.name)
        rows = _rows(connection, name, expected)
        checksum_found = _checksum(connection, name, expected)
        newest = _newest(connection, name, expected)
        if expected.text is not None:
            _text(connection, name, expected.name, expected.text)
    except psycopg.errors.QueryCanceled as error:
        raise CannotLook(
            "De tijd was om voordat alles was bekeken.", "The time was up before all was looked at."
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise CannotLook(
            f"De rol mag de tabel {expected.name} niet lezen.", f"The role may not read table {expected.name}."
        ) from error
    except psycopg.errors.UndefinedColumn as error:
        raise BackupWrong(
            f"Tabel {expected.name} mist een verwachte kolom: {_short(error)}.",
            f"Table {expected.name} lacks an expected column: {_short(error)}.",
        ) from error
    except psycopg.Error as error:
        raise BackupWrong(
            f"Tabel {expected.name} is niet te lezen: {_short(error)}.",
            f"Table {expected.name} cannot be read: {_short(error)}.",
        ) from error
    ahead = newest is not None and newest - since > LONGEST_BACKUP
    age = max(since - newest, timedelta()) if newest is not None and not ahead else None
    if age is not None and max_age is not None and age > max_age:
        raise BackupWrong(
            f"De nieuwste rij van {expected.name} is {_told(age)} oud; toegestaan is {_told(max_age)}.",
            f"The newest row of {expected.name} is {_told(age)} old; allowed is {_told(max_age)}.",
        )
    return Table(expected.name, rows, checksum_found, newest, age, ahead)


def checksum(connection: Connection, table: str, algorithm: str = "sha256") -> str:
    """The checksum of a table's content, as this module describes it. Raises `CannotLook` without a primary key."""
    name = _existing(connection, table)
    key = _primary_key(connection, table)
    if not key:
        raise CannotLook(
            f"Tabel {table} heeft geen primaire sleutel, dus geen vaste volgorde voor een controlegetal.",
            f"Table {table} has no primary key, so no fixed order for a checksum.",
        )
    order = sql.SQL(", ").join(
        sql.SQL('t.{} COLLATE "C"' if collated else "t.{}").format(sql.Identifier(column)) for column, collated in key
    )
    query = sql.SQL("SELECT convert_to(t::text, 'UTF8') FROM {} AS t ORDER BY {}").format(name, order)
    digest, first = hashlib.new(algorithm, usedforsecurity=False), True
    with connection.transaction(), connection.cursor(name="checksum") as cursor:
        cursor.itersize = BATCH
        for row in cursor.execute(query):
            digest.update(b"" if first else b"\n")
            digest.update(_bytes(row[0]))
            first = False
    return digest.hexdigest()


def measurements(tables: Sequence[Table]) -> list[Measurement]:
    """Rows of all tables together, and the RPA: the largest age of a newest row."""
    found = [Measurement(name="rows", value=sum(table.rows for table in tables), unit="rows")]
    ages = [table.age for table in tables if table.age is not None]
    if ages:
        found.append(Measurement(name="rpa_ms", value=round(max(ages).total_seconds() * 1000), unit="ms"))
    newest = [table.newest for table in tables if table.newest is not None]
    if newest:
        found.append(Measurement(name="newest_row", value=max(newest).isoformat()))
    return found


def _existing(connection: Connection, table: str) -> sql.Composable:
    query = sql.SQL(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.oid = to_regclass(%s)"
    )
    parts = [part.strip('"') for part in table.split(".", 1)]
    for written in (table, ".".join('"' + part.replace('"', '""') + '"' for part in parts)):
        try:
            row = connection.execute(query, [written]).fetchone()
        except psycopg.errors.Error:
            continue
        if row is not None:
            return sql.Identifier(_word(row[0]), _word(row[1]))
    raise BackupWrong(
        f"Tabel {table} ontbreekt in de teruggezette back-up.", f"The restored backup lacks table {table}."
    )


def _rows(connection: Connection, name: sql.Composable, expected: ExpectedTable) -> int:
    rows = int(str(_one(connection, sql.SQL("SELECT count(*) FROM {}").format(name))))
    if expected.rows is not None and rows != expected.rows:
        raise BackupWrong(
            f"Tabel {expected.name} heeft {rows} rijen; bij de back-up waren het er {expected.rows}.",
            f"Table {expected.name} has {rows} rows; at the backup there were {expected.rows}.",
        )
    if rows < expected.min_rows:
        raise BackupWrong(
            f"Tabel {expected.name} heeft {rows} rijen; verwacht werden er ten minste {expected.min_rows}.",
            f"Table {expected.name} has {rows} rows; at least {expected.min_rows} were expected.",
        )
    return rows


def _checksum(connection: Connection, name: sql.Composable, expected: ExpectedTable) -> str | None:
    del name
    if expected.checksum is None:
        return None
    wanted = expected.checksum.lower().removeprefix("sha256:").removeprefix("md5:")
    algorithm = {64: "sha256", 32: "md5"}.get(len(wanted))
    if algorithm is None:
        raise CannotLook(
            f"Het verwachte controlegetal van {expected.name} is geen SHA-256 of MD5.",
            f"The expected checksum of {expected.name} is no SHA-256 or MD5.",
        )
    found = checksum(connection, expected.name, algorithm)
    if found != wanted:
        raise BackupWrong(
            f"De inhoud van tabel {expected.name} heeft een ander controlegetal dan bij de back-up.",
            f"The content of table {expected.name} has another checksum than at the backup.",
        )
    return found


def _newest(connection: Connection, name: sql.Composable, expected: ExpectedTable) -> datetime | None:
    if expected.newest is None:
        return None
    query = sql.SQL("SELECT max({}) FROM {}").format(sql.Identifier(expected.newest), name)
    found: Any = _one(connection, query)
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime.combine(found, time())
    if isinstance(found, datetime):
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    if found is None:
        raise BackupWrong(
            f"Kolom {expected.newest} van tabel {expected.name} is overal leeg.",
            f"Column {expected.newest} of table {expected.name} is empty everywhere.",
        )
    raise CannotLook(
        f"Kolom {expected.newest} van tabel {expected.name} bevat geen tijdstippen.",
        f"Column {expected.newest} of table {expected.name} holds no times.",
    )


def _text(connection: Connection, name: sql.Composable, table: str, column: str) -> None:
    """Whether text outside ASCII is still what it was: in a wrong encoding it turns into recognisable nonsense."""
    query = sql.SQL("SELECT {0}::text FROM {1} WHERE {0}::text ~ '[^[:ascii:]]' LIMIT 10000").format(
        sql.Identifier(column), name
    )
    found = [row[0] for row in connection.execute(query)]
    for value in found:
        problem = _nonsense(value)
        if problem:
            raise BackupWrong(
                f"Kolom {column} van tabel {table} staat in een verkeerde tekencodering: {problem}.",
                f"Column {column} of table {table} is stored in a wrong encoding: {problem}.",
            )
    if not found:
        raise BackupWrong(
            f"Kolom {column} van tabel {table} heeft geen tekens meer buiten ASCII: de tekencodering is verloren.",
            f"Column {column} of table {table} has no characters outside ASCII any more: its encoding was lost.",
        )


def _nonsense(value: object) -> str | None:
    """The text that shows it, or None where the value looks right."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return ascii(value)[:60]
    text = str(value)
    if "\ufffd" in text:
        return text[:60]
    for wrong in ("cp1252", "latin-1"):
        try:
            if text.encode(wrong).decode() != text:
                return text[:60]
        except UnicodeError:
            continue
    return None


def _primary_key(connection: Connection, table: str) -> list[tuple[str, bool]]:
    name = _existing(connection, table)
    query = (
        "SELECT a.attname, a.attcollation <> 0 FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) "
        "WITH ORDINALITY AS k(number, place) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number "
        "WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY k.place"
    )
    rows = connection.execute(query, [name.as_string(connection)]).fetchall()
    return [(_word(column), bool(collated)) for column, collated in rows]


def _one(connection: Connection, query: sql.SQL | sql.Composed) -> object:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _word(value: object) -> str:
    """A name; a server without an encoding gives its bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _short(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip()[:300].rstrip(".")


def _told(duration: timedelta) -> str:
    return str(timedelta(seconds=round(duration.total_seconds())))
