"""What the measured lag says of a real pair that is well, behind, cut off, or half dead."""

import psycopg

from runners.contract import Verdict
from tests.lab.pair import LabPair, until
from tests.lab.postgres_drivers import FALLBACK, PRIMARY, Drivers
from tests.unit.runners.fake_context import figures


def test_a_streaming_standby_is_not_behind(pair: LabPair, drivers: Drivers) -> None:
    outcome = drivers.lag(PRIMARY, FALLBACK)
    assert outcome.verdict is Verdict.PASSED
    assert figures(outcome)["primary_reachable"] is True
    assert figures(outcome)["lag_seconds"] < 5


def test_a_stopped_standby_allows_no_switch(pair: LabPair, drivers: Drivers) -> None:
    pair.fallback.stop()
    outcome = drivers.lag(PRIMARY, FALLBACK)
    assert outcome.verdict is Verdict.FAILED
    assert "standby is unreachable" in outcome.reason.en
    assert figures(outcome)["primary_reachable"] is True


def test_a_killed_primary_is_named_as_the_reason(pair: LabPair, drivers: Drivers) -> None:
    drivers.lag(PRIMARY, FALLBACK)  # with connections kept from before it died
    pair.primary.kill()
    outcome = drivers.lag(PRIMARY, FALLBACK)
    assert outcome.verdict is Verdict.FAILED
    assert "Primary unreachable" in outcome.reason.en
    assert figures(outcome)["primary_reachable"] is False


def test_a_standby_that_is_too_far_behind_allows_no_switch(pair: LabPair, drivers: Drivers) -> None:
    pair.fallback.sql("select pg_wal_replay_pause()")
    pair.primary.sql("insert into written select generate_series(1, 10000)")
    outcome = drivers.lag(PRIMARY, FALLBACK, at_most=0.3)
    assert outcome.verdict is Verdict.FAILED
    assert figures(outcome)["lag_bytes"] > 100_000
    assert figures(outcome)["lag_seconds"] >= 0.3


def test_a_standby_that_runs_but_receives_nothing_allows_no_switch(pair: LabPair, drivers: Drivers) -> None:
    pair.fallback.sql("alter system set primary_conninfo = ''")
    pair.fallback.sql("select pg_reload_conf()")
    until(lambda: not pair.fallback.sql("select 1 from pg_stat_wal_receiver"))
    outcome = drivers.lag(PRIMARY, FALLBACK)
    assert outcome.verdict is Verdict.FAILED
    assert "not streaming" in outcome.reason.en


def test_lag_that_cannot_be_seen_is_unknown(pair: LabPair, drivers: Drivers) -> None:
    drivers.context.secrets.pop("secret://lab.fallback")
    assert drivers.lag(PRIMARY, FALLBACK).verdict is Verdict.UNKNOWN
    drivers.context.secrets["secret://lab.fallback"] = pair.fallback.dsn.replace("user=postgres", "user=nobody")
    assert drivers.lag(PRIMARY, FALLBACK).verdict is Verdict.UNKNOWN


def test_a_silent_primary_is_not_mistaken_for_one_without_lag(pair: LabPair, drivers: Drivers) -> None:
    drivers.context.secrets["secret://lab.primary"] = "host=192.0.2.1 user=postgres dbname=postgres"
    assert drivers.lag(PRIMARY, FALLBACK, seconds=8).verdict is not Verdict.PASSED


def test_lag_in_the_wrong_direction_is_refused(drivers: Drivers) -> None:
    assert drivers.lag(FALLBACK, PRIMARY).verdict is Verdict.FAILED
    assert drivers.lag(PRIMARY, PRIMARY).verdict is Verdict.FAILED


def test_the_canary_table_is_made_once_by_whoever_comes_first(pair: LabPair, drivers: Drivers) -> None:
    drivers.check_writable(PRIMARY)
    drivers.check_writable(PRIMARY)
    with psycopg.connect(pair.primary.dsn) as link:
        assert link.execute("select count(*), max(n) from wissel_canary").fetchone() == (2, 2)
