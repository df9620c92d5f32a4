"""Finds the rows that one node committed after the fork and that the node which serves now does not hold."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from psycopg import sql

from runners.postgres.connection import Connection
from runners.postgres.lost_log import HALF, LostLog, Place

BATCH = 500
FAR = 32
"""Blocks between two that were written, from which on it is better to ask for them apart."""
SAME_TEXT = (
    "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set bytea_output = 'hex';"
    " set extra_float_digits = 1; set row_security = off; set default_transaction_read_only = on"
)
"""So that equal rows have equal texts on both sides, and nobody's policy hides a row from the comparison."""
_TABLES = """
select n.nspname, c.relname, c.oid::int8, c.relnamespace = 'pg_catalog'::regnamespace and c.relname = 'pg_class',
       case when c.reltablespace = 0 then d.dattablespace else c.reltablespace end::int8, d.oid::int8,
       pg_relation_filenode(c.oid)::int8,
       array(select a.attname::text from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
             order by a.attnum),
       (select array(select array[a.attname::text, format_type(a.atttypid, a.atttypmod)]
                     from unnest(i.indkey) with ordinality as k(num, ord) join pg_attribute a on a.attrelid = c.oid
                     and a.attnum = k.num where k.ord <= i.indnkeyatts order by k.ord)
        from pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate
        and i.indpred is null and i.indexprs is null and not exists (
            select 1 from unnest(i.indkey) as k(num) join pg_attribute a on a.attrelid = c.oid and a.attnum = k.num
            where not a.attnotnull)
        order by i.indisprimary desc, i.indexrelid limit 1)
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_database d on d.datname = current_database()
where c.relkind = 'r' and c.relpersistence = 'p'
  and (n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
       or (n.nspname = 'pg_catalog' and c.relname in ('pg_class', 'pg_largeobject')))
  and c.relname <> 'wissel_canary'
order by 1, 2
"""


class Kind(StrEnum):
    """Words of the list: what became of a row."""

    MISSING = "missing"
    CHANGED = "changed"
    DEFINITION = "definition"
    DELETED = "deleted"


class Table(NamedTuple):
    """A table as the old side has it."""

    schema: str
    name: str
    oid: int
    definitions: bool
    tablespace: int
    database: int
    file: int
    columns: list[str]
    key: list[list[str]] | None
    """Name and type of each column of the primary key, or of another key that is never null."""

    @property
    def place(self) -> Place:
        """Where the log says that its rows are."""
        return Place(self.tablespace, self.database, self.file)


@dataclass(frozen=True)
class Row:
    """A row of the old side that was committed after the fork."""

    xid: int
    digest: str
    content: str
    key: tuple[str, ...]


@dataclass(frozen=True)
class Lost:
    """One line of the list; `key` and `content` are JSON."""

    table: Table
    kind: str
    row: Row | None
    committed_at: datetime | None
    count: int = 1


def alike(link: Connection) -> Connection:
    """Make a session write values as every other one of ours does."""
    link.execute(SAME_TEXT)
    return link


def tables(old: Connection) -> list[Table]:
    """The permanent tables of this database, leaves of partitioned ones included; ours is left out."""
    return [Table(*row) for row in old.execute(_TABLES).fetchall()]


def lost_in(table: Table, old: Connection, new: Connection | None, log: LostLog) -> Iterator[Lost]:
    """The rows of `table` that `new` lacks or holds otherwise. Raises `psycopg.Error`."""
    rows = _written(table, old, log)
    if table.definitions:
        found: Iterator[tuple[str, Row]] = ((Kind.DEFINITION, row) for row in rows)
    elif new is None or not _exists(table, new):
        found = ((Kind.MISSING, row) for row in rows)
    elif table.key:
        found = _by_key(table, new, rows)
    else:
        found = _by_content(table, old, new, rows)
    for kind, row in found:
        yield Lost(table, kind, row, log.commits.get(row.xid))


def _written(table: Table, old: Connection, log: LostLog) -> Iterator[Row]:
    """Visible rows that a lost transaction made; looks only into the blocks that were written, where they are known."""
    numbers = sorted(log.commits)
    if not numbers:
        return
    first, last = (
        (numbers[0], numbers[-1]) if numbers[-1] - numbers[0] < HALF else (0, 2 * HALF)
    )  # they run in a circle
    ranges = [(0, 0xFFFFFFFE)] if log.older else list(_ranges(log.blocks.get(table.place, ())))
    query = sql.SQL(
        "select t.xmin::text::int8, md5(({row})::text), row_to_json(t)::text, array[{key}]::text[]"
        " from only {table} as t where t.ctid >= {low} and t.ctid <= {high}"
        " and t.xmin::text::int8 between {first} and {last}"
    )
    key = sql.SQL(", ").join(sql.SQL("t.{}::text").format(sql.Identifier(name)) for name, _ in table.key or ())
    for low, high in ranges:
        asked = query.format(
            row=_row(table),
            key=key,
            table=sql.Identifier(table.schema, table.name),
            low=sql.Literal(f"({low},0)"),
            high=sql.Literal(f"({high},65535)"),
            first=sql.Literal(first),
            last=sql.Literal(last),
        )
        with old.transaction(), old.cursor(name="lost") as cursor:
            cursor.itersize = BATCH
            cursor.execute(asked)
            for xid, digest, content, values in cursor:
                if xid in log.commits:
                    yield Row(xid, digest, content, tuple(values))


def _row(table: Table) -> sql.Composable:
    return sql.SQL("row({})").format(
        sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in table.columns)
    )


def _ranges(blocks: Iterable[int]) -> Iterator[tuple[int, int]]:
    low = high = None
    for block in sorted(blocks):
        if low is None or high is None:
            low = high = block
        elif block - high <= FAR:
            high = block
        else:
            yield low, high
            low = high = block
    if low is not None and high is not None:
        yield low, high


def _exists(table: Table, new: Connection) -> bool:
    name = sql.Identifier(table.schema, table.name).as_string(new)
    return new.execute("select to_regclass(%s)", [name]).fetchone() != (None,)


def _by_key(table: Table, new: Connection, rows: Iterator[Row]) -> Iterator[tuple[str, Row]]:
    key = table.key or []
    places = [sql.Identifier(f"k{number}") for number in range(len(key))]
    query = sql.SQL(
        "select k.i, md5(({row})::text) from (select * from unnest({arrays}) with ordinality as k({names}, i)) as k"
        " join only {table} as t on {same}"
    ).format(
        row=_row(table),
        arrays=sql.SQL(", ").join(sql.SQL("%s::text[]") for _ in key),
        names=sql.SQL(", ").join(places),
        table=sql.Identifier(table.schema, table.name),
        same=sql.SQL(" and ").join(
            sql.SQL("t.{} = k.{}::" + kind).format(sql.Identifier(name), place)  # the type is PostgreSQL's own text
            for (name, kind), place in zip(key, places, strict=True)
        ),
    )
    for batch in _batches(rows):
        values = [[row.key[number] for row in batch] for number in range(len(key))]
        held = {int(str(index)): digest for index, digest in new.execute(query, values).fetchall()}
        for index, row in enumerate(batch, 1):
            if index not in held:
                yield Kind.MISSING, row
            elif held[index] != row.digest:
                yield Kind.CHANGED, row


def _by_content(table: Table, old: Connection, new: Connection, rows: Iterator[Row]) -> Iterator[tuple[str, Row]]:
    """Rows without a key are counted by their content: as many are lost as the new side holds fewer."""
    written = list(rows)
    query = sql.SQL(
        "select md5(({row})::text), count(*) from only {table} as t where md5(({row})::text) = any(%s) group by 1"
    ).format(row=_row(table), table=sql.Identifier(table.schema, table.name))
    wanted = sorted({row.digest for row in written})
    counts: list[Counter[str]] = []
    for link in (old, new):
        counts.append(Counter({str(digest): int(str(n)) for digest, n in link.execute(query, [wanted]).fetchall()}))
    lacking = counts[0] - counts[1]
    for row in written:
        if lacking[row.digest] > 0:
            lacking[row.digest] -= 1
            yield Kind.MISSING, row


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch


def deleted(log: LostLog, known: list[Table]) -> Iterator[Lost]:
    """How many rows each table lost by deletes that never reached the other side: those stand there still."""
    places = {table.place: table for table in known if not table.definitions}
    for place, count in log.deletes.items():
        if place in places and count:
            yield Lost(places[place], Kind.DELETED, None, None, count)


def key_of(lost: Lost) -> dict[str, Any]:
    """The key of a line by its columns' names; empty for a table without one."""
    names = [name for name, _ in lost.table.key or ()]
    return dict(zip(names, lost.row.key, strict=True)) if lost.row else {}
