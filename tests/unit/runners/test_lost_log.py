"""What a node committed on its own is read from pg_waldump's lines, and a list of rows is fit for a spreadsheet."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runners.postgres.divergence import Divergence
from runners.postgres.folder import Folder
from runners.postgres.lost_list import LostList
from runners.postgres.lost_log import LostLog, Place, lost_log
from runners.postgres.lost_rows import Kind, Lost, Row, Table
from runners.postgres.record import Record
from tests.unit.runners.fake_context import FakeContext

BEFORE = "rmgr: Standby     len (rec/tot):     50/    50, tx:          0, lsn: 0/0A000028, prev 0/0A000000, desc: RUNNING_XACTS nextXid {next} latestCompletedXid 755 oldestRunningXid 755"  # noqa: E501 - a line of pg_waldump
LINES = """
rmgr: Heap        len (rec/tot):     61/    61, tx:        754, lsn: 0/0A000098, prev 0/0A000028, desc: INSERT off: 3, flags: 0x00, blkref #0: rel 1663/5/16390 blk 7
rmgr: Transaction len (rec/tot):     34/    34, tx:        754, lsn: 0/0A0000D8, prev 0/0A000098, desc: COMMIT 2026-11-23 16:12:06.000000 UTC
rmgr: Heap        len (rec/tot):     80/    80, tx:        756, lsn: 0/0B000058, prev 0/0B000028, desc: UPDATE old_xmax: 756, old_off: 1, flags: 0x00, new_off: 123, blkref #0: rel 1663/5/16390 blk 3, blkref #1: rel 1663/5/16390 blk 0
rmgr: Heap        len (rec/tot):     54/    54, tx:        755, lsn: 0/0B0000A8, prev 0/0B000058, desc: DELETE xmax: 755, off: 2, infobits: [KEYS_UPDATED], flags: 0x00, blkref #0: rel 1663/5/16390 blk 0
rmgr: Heap        len (rec/tot):     54/    54, tx:        758, lsn: 0/0B0000E8, prev 0/0B0000A8, desc: DELETE xmax: 758, off: 2, infobits: [KEYS_UPDATED], flags: 0x00, blkref #0: rel 1663/5/16390 blk 0
rmgr: Heap2       len (rec/tot):     59/    59, tx:          0, lsn: 0/0B000128, prev 0/0B0000E8, desc: VISIBLE snapshotConflictHorizon: 0, flags: 0x03, blkref #0: rel 1663/5/16390 fork vm blk 0, blkref #1: rel 1663/5/16390 blk 9
rmgr: Transaction len (rec/tot):     34/    34, tx:        758, lsn: 0/0B000168, prev 0/0B000128, desc: ABORT 2026-11-23 16:12:07.100000 UTC
rmgr: Transaction len (rec/tot):     50/    50, tx:        755, lsn: 0/0B0001A8, prev 0/0B000168, desc: COMMIT 2026-11-23 16:12:07.772397 UTC; subxacts: 756 757
rmgr: Transaction len (rec/tot):     50/    50, tx:          0, lsn: 0/0B0001E8, prev 0/0B0001A8, desc: COMMIT_PREPARED 760: 2026-11-23 16:12:08 UTC
"""  # noqa: E501 - lines of pg_waldump
TABLE = Table("public", "permit", 1, False, 1663, 5, 16390, ["id"], [["id", "integer"]])


class Told(Folder):
    """A data directory whose programs say what the test wants."""

    def control(self, seconds: float = 5.0) -> dict[str, str]:
        return {"Bytes per WAL segment": "16777216"}

    def lines(self, program: str, *arguments: str, seconds: float) -> Iterator[str]:
        running = BEFORE.format(next=self.binaries.name)
        yield from [running] if "--rmgr=Standby" in arguments else [running, *LINES.strip().split("\n")]


def read(next_xid: int, context: FakeContext) -> LostLog:
    place = Told(Path("/data"), Path(str(next_xid)), 0, 0)
    return lost_log(place, 1, "0/0B000000", "0/0B000200", context)


def test_what_was_committed_after_the_fork_is_found_with_its_subtransactions(context: FakeContext) -> None:
    found = read(755, context)
    assert sorted(found.commits) == [755, 756, 757, 760]  # 754 reached the other side, 758 never happened
    assert found.commits[757] == datetime(2026, 11, 23, 16, 12, 7, 772397, UTC)
    assert found.transactions == 2
    assert found.blocks[Place(1663, 5, 16390)] == {0, 3, 7, 9}
    assert found.deletes == {Place(1663, 5, 16390): 1}


@pytest.mark.parametrize(("next_xid", "older"), [(755, False), (756, True), (4_294_967_290, False), (761, True)])
def test_a_transaction_that_was_open_at_the_fork_makes_every_block_suspect(
    next_xid: int, older: bool, context: FakeContext
) -> None:
    assert read(next_xid, context).older is older


def test_a_record_covers_a_node_only_while_it_wrote_nothing_more() -> None:
    record = Record("0/A0", "0/B0", "", 0, True, "")
    assert record.covers(Divergence(True, "0/A0", last="0/B0"))
    assert not record.covers(Divergence(True, "0/A0", last="0/B1"))
    assert not record.covers(Divergence(True, "0/A1", last="0/B0"))


@pytest.mark.parametrize("content", ["=cmd()", "+1", "-1", "@sum", "\x1b[31mred", "\u202egnp.exe"])
def test_no_cell_of_the_list_is_a_formula_or_a_control_code(content: str) -> None:
    text = io.StringIO()
    LostList(text, 10, content=True).add("db", Lost(TABLE, Kind.MISSING, Row(1, "x", content, ("1",)), None))
    cell = text.getvalue().splitlines()[1].split(",")[5]
    assert not cell.startswith(("=", "+", "-", "@"))
    assert "\x1b" not in cell
    assert "\u202e" not in cell


def test_what_does_not_fit_the_list_is_counted() -> None:
    text = io.StringIO()
    listing = LostList(text, 2, content=False)
    for number in range(5):
        listing.add("db", Lost(TABLE, Kind.MISSING, Row(1, "x", "secret", (str(number),)), None))
    assert (listing.lost, listing.unlisted, "secret" in text.getvalue()) == (5, 3, False)
    assert len(text.getvalue().splitlines()) == 3
