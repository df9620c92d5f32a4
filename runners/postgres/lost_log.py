"""Reads from a node's own log what it committed after the fork: which transactions, when, and where they wrote."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from runners.contract import Context
from runners.postgres.divergence import position
from runners.postgres.folder import Folder, ProgramFailed

_HEAD = re.compile(r"rmgr: (\w+) .*?tx: +(\d+), lsn: ([0-9A-F]+/[0-9A-F]+), prev [0-9A-F/]+, desc: (.*)$")
_COMMIT = re.compile(r"COMMIT(?:_PREPARED (\d+):)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC(.*)$")
_SUBXACTS = re.compile(r"subxacts: ([\d ]+)")
_BLOCK = re.compile(r"blkref #\d+: rel (\d+)/(\d+)/(\d+) (?:fork (\w+) )?blk (\d+)")
_RUNNING = re.compile(r"RUNNING_XACTS nextXid (\d+) ")
_DELETES = re.compile(r"DELETE ")
BACK = 64
"""Segments of the log that are looked at before the fork, to learn which transactions were open there."""
HALF = 1 << 31


@dataclass(frozen=True)
class Place:
    """Where a table's rows are: tablespace, database and file number."""

    tablespace: int
    database: int
    file: int


@dataclass
class LostLog:
    """What the log says was committed after the fork, and never reached the other side."""

    commits: dict[int, datetime] = field(default_factory=dict)
    """Moment of commit of each transaction, subtransactions included."""
    transactions: int = 0
    blocks: dict[Place, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Blocks that were written since the last moment before the fork at which the open transactions are known."""
    deletes: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    older: bool = True
    """Whether some of them may have written before that moment, so that any block may hold their rows."""


def lost_log(place: Folder, timeline: int, fork: str, end: str, context: Context) -> LostLog:
    """Read the log of the stopped node from the fork to `end`, all of it. Raises `ProgramFailed` where it cannot be."""
    found = LostLog()
    known = _open_before(place, timeline, fork, context)
    start, next_xid = known or (fork, None)
    deleted: list[tuple[int, Place]] = []
    beyond = position(fork)
    for manager, xid, lsn, said in _records(place, timeline, start, end, context):
        if manager == "Transaction":
            if position(lsn) >= beyond:
                _commit(found, xid, said)
            continue
        for tablespace, database, file, fork_name, block in _BLOCK.findall(said):
            if not fork_name or fork_name == "main":
                found.blocks[Place(int(tablespace), int(database), int(file))].add(int(block))
        if manager == "Heap" and _DELETES.match(said) and (at := _BLOCK.search(said)):
            deleted.append((xid, Place(int(at[1]), int(at[2]), int(at[3]))))
    for xid, where in deleted:
        if xid in found.commits:
            found.deletes[where] += 1
    found.older = next_xid is None or any(_before(xid, next_xid) for xid in found.commits)
    return found


def _commit(found: LostLog, xid: int, said: str) -> None:
    commit = _COMMIT.match(said)
    if commit is None:
        return
    moment = datetime.fromisoformat(commit[2]).replace(tzinfo=UTC)
    subs = _SUBXACTS.search(commit[3])
    found.transactions += 1
    for each in (int(commit[1] or xid), *map(int, subs[1].split() if subs else ())):
        found.commits[each] = moment


def _open_before(place: Folder, timeline: int, fork: str, context: Context) -> tuple[str, int] | None:
    """The last record before the fork that says which transactions were open: its place, and the next number then."""
    size = int(place.control()["Bytes per WAL segment"])
    segment = max(0, position(fork) - 1) // size
    for back in range(BACK):
        start = (segment - back) * size
        if start <= 0:
            return None
        last: tuple[str, int] | None = None
        try:
            for _, _, lsn, said in _records(place, timeline, _lsn(start), fork, context, "--rmgr=Standby"):
                if running := _RUNNING.match(said):
                    last = (lsn, int(running[1]))
        except ProgramFailed:
            return None  # that part of the log is gone
        if last is not None:
            return last
    return None


def _records(
    place: Folder, timeline: int, start: str, end: str, context: Context, *more: str
) -> Iterator[tuple[str, int, str, str]]:
    arguments = ("-p", str(place.path / "pg_wal"), "-t", str(timeline), "-s", start, "-e", end, *more)
    for line in place.lines("pg_waldump", *arguments, seconds=context.remaining()):
        if head := _HEAD.match(line):
            yield head[1], int(head[2]), head[3], head[4]


def _lsn(number: int) -> str:
    high, low = divmod(number, 1 << 32)
    return f"{high:X}/{low:X}"


def _before(xid: int, other: int) -> bool:
    """Whether a transaction number is older than another, on the circle that they run on."""
    return (other - xid) % (1 << 32) < HALF and xid != other
