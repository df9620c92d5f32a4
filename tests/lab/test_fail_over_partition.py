"""The line between the sites breaks while the old primary lives on, with a client of its own that writes to it."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from runners.contract import Verdict
from tests.lab.conftest import Writer
from tests.lab.pair import LabPair, until
from tests.lab.postgres_drivers import FALLBACK, PRIMARY, Drivers
from tests.lab.test_fail_over import fail_over, lost_to_the_writer
from tests.lab.two_networks import Line, two_sites
from tests.reliability.figures import told
from tests.unit.runners.fake_context import figures

THERE = 1_000_000
"""Numbers from here on are written by the client at the lost side."""


@pytest.fixture
def sites() -> Iterator[tuple[LabPair, Line]]:
    with two_sites() as made:
        yield made


@pytest.fixture
def drivers(sites: tuple[LabPair, Line], tmp_path: Path) -> Iterator[Drivers]:
    made = Drivers(sites[0], tmp_path)
    yield made
    made.context.close()


def written_there(line: Line, pair: LabPair, first: int) -> set[int]:
    """Ten rows that a client at the lost side gets acknowledged while the line is broken."""
    numbers = set(range(first, first + 10))
    with line.lost.inside(), psycopg.connect(pair.primary.dsn, autocommit=True) as link:
        for number in sorted(numbers):
            link.execute("insert into written values (%s)", [number])
    return numbers


def test_a_side_that_is_only_cut_off_is_left_behind_and_what_it_wrote_meanwhile_is_listed_when_it_returns(
    sites: tuple[LabPair, Line], drivers: Drivers, tmp_path: Path
) -> None:
    pair, line = sites
    pair.primary.sql("alter table written add at timestamptz not null default clock_timestamp()")
    with Writer(pair.proxy.dsn) as writer:
        writer.wait_for(20)
        line.cut()
        there = written_there(line, pair, THERE)
        started = time.monotonic()
        done = fail_over(drivers)
        took = time.monotonic() - started
        assert [each.verdict for each in done] == [Verdict.PASSED] * 8, [each.reason.en for each in done]
        there |= written_there(line, pair, THERE + 10)
        writer.wait_for(20)
    cut_at = figures(done[0])["cut_at"]
    with line.lost.inside():  # nobody of our side wrote to the old side after the cut
        after = pair.primary.sql(f"select n from written where n < {THERE} and at > '{cut_at}'")
    assert after == []
    lost = lost_to_the_writer(pair, writer)
    line.mend()
    until(lambda: pair.primary.sql("select 1"))
    assert drivers.check_cut_off(PRIMARY).verdict is Verdict.FAILED  # it is back, and writable
    assert drivers.fence_returned(PRIMARY).verdict is Verdict.PASSED
    outcome = drivers.divergence(PRIMARY)
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    with (tmp_path / "lost-rows.csv").open(encoding="utf-8", newline="") as text:
        listed = {int(row["key"].split('"')[3]) for row in csv.DictReader(text) if row["kind"] == "missing"}
    assert listed == there | lost
    with line.lost.inside():  # where that side's own worker starts it
        rejoined = drivers.rejoin(PRIMARY, FALLBACK)
    assert rejoined.verdict is Verdict.PASSED, rejoined.reason.en
    until(lambda: pair.primary.sql("select count(*) from written") == pair.fallback.sql("select count(*) from written"))
    figure = f"taken over in {took:.1f} s; {len(there)} rows of the other side listed; 0 of ours written there after it"
    told("fail-over from a primary that lives on behind a broken line", figure)


def test_a_line_that_is_mended_before_the_promotion_stops_it(sites: tuple[LabPair, Line], drivers: Drivers) -> None:
    pair, line = sites
    line.cut()
    assert drivers.cut_off(PRIMARY).verdict is Verdict.PASSED
    assert drivers.check_cut_off(PRIMARY).verdict is Verdict.PASSED
    line.mend()
    outcome = drivers.check_cut_off(PRIMARY)
    assert (outcome.verdict, figures(outcome)["takes_writes"]) == (Verdict.FAILED, True)
    assert pair.fallback.sql("select pg_is_in_recovery()") == [(True,)]
