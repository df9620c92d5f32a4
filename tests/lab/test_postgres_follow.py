"""The old side rejoins as a standby, or says truly why it cannot."""

from pathlib import Path

from runners.contract import Verdict
from tests.lab.pair import LabPair, until
from tests.lab.postgres_drivers import FALLBACK, PRIMARY, Drivers
from tests.unit.runners.fake_context import figures


def _lose_half_a_thousand_rows(pair: LabPair) -> None:
    """The primary writes on without its standby and dies; the standby becomes the primary."""
    pair.fallback.stop()
    pair.primary.sql("insert into written select generate_series(1001, 1500)")
    pair.primary.kill()
    pair.fallback.start()
    pair.fallback.run("pg_ctl", "promote", "-w", "-D", str(pair.fallback.data))
    pair.fallback.sql("insert into written select generate_series(1, 10)")


def test_a_diverged_node_is_left_alone_without_rewind(pair: LabPair, drivers: Drivers) -> None:
    _lose_half_a_thousand_rows(pair)
    outcome = drivers.follow(PRIMARY, FALLBACK)
    assert outcome.verdict is Verdict.FAILED
    assert figures(outcome)["diverged"] is True
    assert figures(outcome)["divergence_lsn"] in outcome.reason.en


def test_a_rewind_takes_a_diverged_node_back_and_lists_what_it_throws_away(
    pair: LabPair, drivers: Drivers, tmp_path: Path
) -> None:
    _lose_half_a_thousand_rows(pair)
    refused = drivers.follow(PRIMARY, FALLBACK, rewind=True)
    assert (refused.verdict, "not listed yet" in refused.reason.en) == (Verdict.FAILED, True)
    drivers.divergence(PRIMARY)
    outcome = drivers.follow(PRIMARY, FALLBACK, rewind=True)
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    assert [each.path for each in outcome.evidence] == ["divergence.txt"]
    assert "COMMIT" in (tmp_path / "divergence.txt").read_text()
    rows = pair.fallback.sql("select n from written order by n")
    until(lambda: pair.primary.sql("select n from written order by n") == rows)
    assert len(rows) == 10
    assert drivers.lag(FALLBACK, PRIMARY).verdict is Verdict.PASSED


def test_a_node_that_was_restarted_writable_after_the_switch_is_noticed(pair: LabPair, drivers: Drivers) -> None:
    drivers.fence(PRIMARY)
    drivers.promote(FALLBACK)
    (pair.primary.data / "standby.signal").unlink()
    pair.primary.start()
    assert drivers.follow(PRIMARY, FALLBACK).verdict is Verdict.FAILED  # it takes writes: fence it first
    pair.primary.sql("insert into written values (99)")
    pair.primary.stop()
    outcome = drivers.follow(PRIMARY, FALLBACK)
    assert (outcome.verdict, figures(outcome)["diverged"]) == (Verdict.FAILED, True)
    assert figures(drivers.divergence(PRIMARY))["lost_rows"] == 1
    assert drivers.follow(PRIMARY, FALLBACK, rewind=True).verdict is Verdict.PASSED
    until(lambda: pair.primary.sql("select count(*) from written") == [(0,)])


def test_a_crashed_primary_whose_standby_had_everything_needs_no_rewind(pair: LabPair, drivers: Drivers) -> None:
    drivers.check_writable(PRIMARY)
    assert drivers.lag(PRIMARY, FALLBACK).verdict is Verdict.PASSED
    pair.primary.kill()
    until(lambda: not pair.fallback.sql("select 1 from pg_stat_wal_receiver where status = 'streaming'"))
    assert drivers.promote(FALLBACK).verdict is Verdict.PASSED
    outcome = drivers.follow(PRIMARY, FALLBACK)
    if outcome.verdict is not Verdict.PASSED:
        # The primary may have logged something of its own (a checkpoint, a running-transactions record) at the end.
        assert figures(outcome)["diverged"] is True
        assert figures(drivers.divergence(PRIMARY))["lost_rows"] == 0
        assert drivers.follow(PRIMARY, FALLBACK, rewind=True).verdict is Verdict.PASSED


def test_following_a_standby_or_itself_is_refused(drivers: Drivers) -> None:
    assert drivers.follow(PRIMARY, FALLBACK).verdict is Verdict.FAILED
    assert drivers.follow(PRIMARY, PRIMARY).verdict is Verdict.FAILED


def test_a_standby_that_already_follows_is_restarted_and_follows_again(pair: LabPair, drivers: Drivers) -> None:
    assert drivers.follow(FALLBACK, PRIMARY).verdict is Verdict.PASSED
    assert drivers.lag(PRIMARY, FALLBACK).verdict is Verdict.PASSED


def test_a_foreign_database_is_never_rewound(pair: LabPair, drivers: Drivers) -> None:
    pair.fallback.end()
    stranger = pair.fallback
    stranger.data = stranger.data.with_name("stranger")
    stranger.create()
    stranger.start()
    stranger.stop()
    outcome = drivers.follow(FALLBACK, PRIMARY, rewind=True)
    assert outcome.verdict is Verdict.FAILED
    assert "not copies" in outcome.reason.en


def test_a_node_without_hints_or_checksums_is_not_rewound(pair: LabPair, drivers: Drivers) -> None:
    _lose_half_a_thousand_rows(pair)
    with (pair.primary.data / "postgresql.conf").open("a") as file:
        file.write("wal_log_hints = off\n")
    pair.primary.start()
    pair.primary.stop()
    pair.primary.run("pg_checksums", "--disable", "-D", str(pair.primary.data))
    outcome = drivers.follow(PRIMARY, FALLBACK, rewind=True)
    assert outcome.verdict is Verdict.FAILED
    assert "wal_log_hints" in outcome.reason.en
