"""Finds out whether a stopped node wrote on after the moment at which the upstream's timeline left its own."""

import re
from dataclasses import dataclass

from runners.contract import Context
from runners.postgres.connection import Connection
from runners.postgres.folder import Folder, ProgramFailed

_TIMELINE = "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
_LSN = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+), prev")
LISTED = 200_000
"""Characters of the list of thrown-away records that are kept as evidence."""


@dataclass(frozen=True)
class Divergence:
    """What was found; `fork` is the last place that both share, `last` where the node's own last record starts."""

    diverged: bool
    fork: str = ""
    last: str = "0/0"
    timeline: int = 0
    """Of the node itself."""
    foreign: bool = False
    rewindable: bool = False
    listing: str = ""
    """The records after the fork, as pg_waldump shows them, cut to `LISTED` characters."""


def position(lsn: str) -> int:
    """An LSN as a number of bytes since the beginning of the log."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def divergence(place: Folder, upstream: Connection, context: Context) -> Divergence:
    """Compare the stopped node in `place` with `upstream`. Raises `ProgramFailed` or `psycopg.Error`."""
    control = place.control(context.remaining())
    row = upstream.execute("select system_identifier::text from pg_control_system()").fetchone()
    if row is None or row[0] != control["Database system identifier"]:
        return Divergence(diverged=True, foreign=True)
    timeline, last = _last_record(place, control, context)
    fork = _fork(upstream, timeline)
    checksums = control.get("Data page checksum version", "0") != "0"
    rewindable = checksums or control.get("wal_log_hints setting") == "on"
    if fork is not None and position(last) < position(fork):
        return Divergence(False, fork, last, timeline, rewindable=rewindable)
    where = fork or control["Latest checkpoint location"]
    listing = _listing(place, timeline, where, context)
    return Divergence(True, where, last, timeline, rewindable=rewindable, listing=listing)


def _last_record(place: Folder, control: dict[str, str], context: Context) -> tuple[int, str]:
    """Timeline and start of the last record that the node has applied, or may apply when it starts."""
    timeline = int(control["Latest checkpoint's TimeLineID"])
    last = control["Latest checkpoint location"]
    ending, its = control["Minimum recovery ending location"], int(control["Min recovery ending loc's timeline"])
    if position(ending) > position(last):
        # A standby: it went on to this place without a checkpoint of its own. The place is the *end* of a record.
        high, low = divmod(position(ending) - 1, 1 << 32)
        timeline, last = its, f"{high:X}/{low:X}"
    if control["Database cluster state"] in ("shut down", "shut down in recovery"):
        return timeline, last
    # It crashed: what it will replay from its own log when it starts counts as well.
    try:
        said = _records(place, timeline, control["Latest checkpoint's REDO location"], context)
    except ProgramFailed:
        return timeline, last
    found = _LSN.findall(said)
    return timeline, max([last, *found[-1:]], key=position)


def _records(place: Folder, timeline: int, start: str, context: Context) -> str:
    wal = ("-p", str(place.path / "pg_wal"), "-t", str(timeline), "-s", start)
    # The log ends somewhere, which pg_waldump calls an error after it listed everything.
    return place.run("pg_waldump", *wal, seconds=context.remaining() / 2, tolerate=(0, 1))


def _listing(place: Folder, timeline: int, start: str, context: Context) -> str:
    try:
        return _records(place, timeline, start, context)[:LISTED]
    except ProgramFailed as error:
        return f"The records after {start} could not be listed: {error}"


def _fork(upstream: Connection, timeline: int) -> str | None:
    """Where the upstream left `timeline` (its own end where it is still on it); None where it was never on it."""
    row = upstream.execute(_TIMELINE).fetchone()
    current = int(row[0]) if row else 0
    if current == timeline:
        end = upstream.execute("select pg_current_wal_flush_lsn()::text").fetchone()
        return str(end[0]) if end else None
    name = f"pg_wal/{current:08X}.history"
    history = upstream.execute("select pg_read_file(%s, true)", [name]).fetchone()
    for line in str(history[0] if history and history[0] else "").splitlines():
        parts = line.split()
        if len(parts) >= 2 and parts[0] == str(timeline):
            return parts[1]
    return None
