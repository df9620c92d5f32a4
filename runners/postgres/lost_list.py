"""The list of lost rows as it grows: one line of CSV each, and what could not be compared."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import make_conninfo

from runners.cleaning import plain
from runners.contract import Context
from runners.postgres import lost_rows
from runners.postgres.connection import Connection
from runners.postgres.lost_log import LostLog
from runners.postgres.lost_rows import Kind, Lost
from runners.postgres.private import Private
from runners.postgres.standing import one_line

MARGIN = 5.0
"""Seconds of the step's time that are kept for stopping the server and telling the outcome."""
LONGEST = 20_000
"""Characters of a row's content that are listed; a longer one is cut, and its hash still tells it apart."""
COLUMNS = ("database", "schema", "table", "kind", "key", "content", "md5", "committed_at", "rows")
_DATABASES = "select datname from pg_database where datallowconn and not datistemplate order by 1"


@dataclass
class LostList:
    """The list as it grows, row by row, in a file."""

    text: io.TextIOBase
    at_most: int
    content: bool
    rows: Counter[str] = field(default_factory=Counter)
    tables: set[tuple[str, str, str]] = field(default_factory=set)
    gaps: list[str] = field(default_factory=list)
    """What could not be compared, in words; empty only where everything was."""
    listed: int = 0
    unlisted: int = 0

    def __post_init__(self) -> None:
        self.writer = csv.writer(self.text)
        self.writer.writerow(COLUMNS)

    def add(self, database: str, lost: Lost) -> None:
        """One more line; beyond the limit it is counted and no longer listed."""
        self.rows[lost.kind] += lost.count
        if lost.kind in (Kind.MISSING, Kind.CHANGED):
            self.tables.add((database, lost.table.schema, lost.table.name))
        if lost.row is not None and self.listed >= self.at_most:
            self.unlisted += 1
            return
        self.listed += 1
        content = lost.row.content if lost.row and self.content else ""
        line = (
            *(database, lost.table.schema, lost.table.name, lost.kind),
            json.dumps(lost_rows.key_of(lost), ensure_ascii=False) if lost.row else "",
            *(content[:LONGEST], lost.row.digest if lost.row else ""),
            *(lost.committed_at.isoformat() if lost.committed_at else "", lost.count),
        )
        self.writer.writerow([_cell(str(each)) for each in line])

    @property
    def lost(self) -> int:
        """Rows that are missing or other on the side that serves."""
        return self.rows[Kind.MISSING] + self.rows[Kind.CHANGED]


def _cell(text: str) -> str:
    """Fit to be opened in a spreadsheet: no control codes, and nothing that it would take for a formula."""
    shown = plain(text, LONGEST)
    return "'" + shown if shown.startswith(("=", "+", "-", "@", "\t", "\r")) else shown


def compare(server: Private, serving: str, log: LostLog, listing: LostList, context: Context) -> None:
    """Put into `listing` every row of `server` that was committed as `log` says and is not so on the side `serving`.

    `serving`: connection string. What cannot be compared is a gap of the list. Raises `psycopg.Error`.
    """
    with server.connect("template1") as link:
        databases = [str(row[0]) for row in link.execute(_DATABASES).fetchall()]
    for number, database in enumerate(databases):
        context.progress(number, len(databases), database)
        with closing(lost_rows.alike(server.connect(database))) as old:
            new = _serving(serving, database, listing)
            try:
                for lost in _in_database(old, new, log, database, listing, context):
                    listing.add(database, lost)
            finally:
                if new is not None:
                    new.close()


def _serving(dsn: str, database: str, listing: LostList) -> Connection | None:
    """A connection to the same database on the side that serves; None where it does not have that database."""
    try:
        info = make_conninfo(dsn, dbname=database, application_name="wissel", connect_timeout=5)
        return lost_rows.alike(psycopg.connect(info, autocommit=True))
    except psycopg.OperationalError as error:
        if f'database "{database}" does not exist' not in str(error):
            listing.gaps.append(f"{database}: {one_line(error)}")
        return None


def _in_database(
    old: Connection, new: Connection | None, log: LostLog, database: str, listing: LostList, context: Context
) -> Iterator[Lost]:
    known = lost_rows.tables(old)
    for table in known:
        try:
            for link in (old, new):
                if link is not None:
                    left = max(1, int((context.remaining() - MARGIN) * 1000))
                    link.execute("select set_config('statement_timeout', %s, false)", [str(left)])
            for count, lost in enumerate(lost_rows.lost_in(table, old, new, log)):
                yield lost
                if count % 1000 == 0 and context.remaining() < MARGIN:
                    raise TimeoutError("the time was up")
        except (psycopg.Error, TimeoutError) as error:
            listing.gaps.append(f"{database}.{table.schema}.{table.name}: {one_line(error)}")
            if context.remaining() < MARGIN:
                return
    yield from lost_rows.deleted(log, known)
