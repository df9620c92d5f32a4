"""The primary is lost: the cut is proven from our side, the loss is measured, and what contradicts it stops all."""

import os
import signal
import threading
import time
from pathlib import Path

import psycopg
import pytest

from runners.contract import CommandTemplate, Measurement, Outcome, Seen, SitePolicy, Verdict
from runners.postgres.cut_off import CutOff
from runners.postgres.cut_off_check import CheckCutOff
from runners.postgres.paths import proxy_shut
from runners.switch.haproxy import Haproxy
from runners.switch.haproxy_socket import ask
from tests.lab.conftest import Writer
from tests.lab.pair import LabPair, until
from tests.lab.postgres_drivers import FALLBACK, PRIMARY, Drivers
from tests.unit.runners.fake_context import figures

GAP = 0.5
"""Seconds between the loss of the replication and the loss of the primary: what is written in them is lost."""


def replication_lost(pair: LabPair) -> None:
    """The standby hears nothing any more, as when the line between the sites breaks first."""
    pair.fallback.sql("alter system set primary_conninfo = 'host=127.0.0.1 port=1 connect_timeout=1'")
    pair.fallback.sql("select pg_reload_conf()")
    until(lambda: not pair.fallback.sql("select 1 from pg_stat_wal_receiver where status = 'streaming'"))


def lose_the_primary(pair: LabPair) -> None:
    """The replication breaks, half a second later the primary is killed as by a power cut."""
    replication_lost(pair)
    time.sleep(GAP)
    pair.primary.kill()


def fail_over(drivers: Drivers) -> list[Outcome]:
    """The steps of the playbook fail-over, in its order."""
    cut = drivers.cut_off(PRIMARY)
    moment = figures(cut)["cut_at"]
    seen = drivers.check_cut_off(PRIMARY)
    loss = drivers.measure_loss(FALLBACK, moment)
    again = drivers.check_cut_off(PRIMARY)
    accepted = drivers.accepted_loss(FALLBACK, loss, moment)
    done = [cut, seen, loss, again, accepted, drivers.promote(FALLBACK)]
    return [*done, drivers.check_writable(FALLBACK), drivers.redirect(FALLBACK)]


def lost_to_the_writer(pair: LabPair, writer: Writer) -> set[int]:
    """What was acknowledged and is not on the side that serves now."""
    held = {int(str(row[0])) for row in pair.fallback.sql("select n from written")}
    return set(writer.acknowledged) - held


def test_a_killed_primary_is_cut_off_and_the_other_side_serves_with_a_measured_loss(
    pair: LabPair, drivers: Drivers, writer: Writer
) -> None:
    lose_the_primary(pair)
    done = fail_over(drivers)
    assert [each.verdict for each in done] == [Verdict.PASSED] * 8, [each.reason.en for each in done]
    writer.wait_for(20)
    writer.__exit__()
    loss = figures(done[2])
    lost = lost_to_the_writer(pair, writer)
    assert lost
    assert loss["loss_ms"] >= GAP * 1000
    print(f"measured loss at most {loss['loss_ms']:.0f} ms, {len(lost)} acknowledged rows lost")


def test_a_primary_that_answers_after_all_is_never_cut_off(pair: LabPair, drivers: Drivers, tmp_path: Path) -> None:
    assert drivers.cut_off(PRIMARY).verdict is Verdict.PASSED
    outcome = drivers.check_cut_off(PRIMARY)
    assert outcome.verdict is Verdict.FAILED
    assert (figures(outcome)["address"], figures(outcome)["takes_writes"]) == ("listens", True)
    assert "not done" in (tmp_path / "cut-off.txt").read_text()


def test_a_primary_that_answers_to_the_last_of_many_looks_is_never_cut_off(pair: LabPair, drivers: Drivers) -> None:
    drivers.cut_off(PRIMARY)
    pair.primary.stop()
    assert drivers.check_cut_off(PRIMARY).verdict is Verdict.PASSED
    pair.primary.start()
    assert drivers.check_cut_off(PRIMARY).verdict is Verdict.FAILED


def test_a_side_that_still_streams_or_still_gets_users_is_never_cut_off(pair: LabPair, drivers: Drivers) -> None:
    pair.primary.kill()
    outcome = drivers.check_cut_off(PRIMARY)
    assert outcome.verdict is Verdict.FAILED
    drivers.cut_off(PRIMARY)
    assert drivers.check_cut_off(PRIMARY).verdict is Verdict.PASSED
    drivers.run(Haproxy(), to=PRIMARY, seconds=1)  # somebody opens the way again
    outcome = drivers.check_cut_off(PRIMARY)
    assert (outcome.verdict, "still sends users" in outcome.reason.en) == (Verdict.FAILED, True)


def test_a_session_that_lingers_in_the_proxy_speaks_against_the_cut(pair: LabPair, drivers: Drivers) -> None:
    proxy = pair.environment.proxy
    assert proxy is not None
    with psycopg.connect(pair.proxy.dsn) as client:
        client.execute("select 1")
        ask(proxy, "set server db/one state maint", drivers.context)  # nobody new, but this one writes on
        left = proxy_shut(pair.environment, PRIMARY, drivers.context)
        assert (left.seen, figures(left)["proxy_sessions"]) == (Seen.NOT_DONE, 1)
        ask(proxy, "shutdown sessions server db/one", drivers.context)
        until(lambda: proxy_shut(pair.environment, PRIMARY, drivers.context).seen is Seen.DONE)
        with pytest.raises(psycopg.OperationalError):
            client.execute("select 1")


def test_what_cannot_be_looked_at_is_unknown_and_never_cut_off(pair: LabPair, drivers: Drivers) -> None:
    pair.primary.kill()
    drivers.cut_off(PRIMARY)
    witness = drivers.check_cut_off(PRIMARY, witness="127.0.0.1:1")
    assert witness.verdict is Verdict.UNKNOWN
    pair.fallback.stop()
    assert drivers.check_cut_off(PRIMARY).verdict is Verdict.UNKNOWN
    pair.fallback.start()
    assert drivers.check_cut_off(PRIMARY).verdict is Verdict.PASSED
    pair.proxy.end()
    pair.proxy.socket.unlink(missing_ok=True)
    assert drivers.check_cut_off(PRIMARY).verdict is Verdict.UNKNOWN


def test_a_cut_is_seen_done_and_can_be_taken_back(pair: LabPair, drivers: Drivers) -> None:
    assert drivers.observe(CutOff(), node=PRIMARY).seen is Seen.NOT_DONE
    assert drivers.cut_off(PRIMARY).verdict is Verdict.PASSED
    assert drivers.observe(CutOff(), node=PRIMARY).seen is Seen.DONE
    params = CutOff.Params.model_validate({"pair": pair.environment, "node": PRIMARY})
    outcome = CutOff().undo(params, drivers.context.give(20))
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    until(lambda: drivers.lag(PRIMARY, FALLBACK).verdict is Verdict.PASSED)
    assert drivers.observe(CutOff(), node=PRIMARY).seen is Seen.NOT_DONE


def test_nothing_is_cut_where_nobody_could_take_over(pair: LabPair, drivers: Drivers) -> None:
    pair.fallback.stop()
    assert drivers.cut_off(PRIMARY).verdict is Verdict.FAILED
    pair.primary.sql("insert into written values (1)")


def test_a_loss_that_grew_after_it_was_accepted_stops_the_promotion(pair: LabPair, drivers: Drivers) -> None:
    lose_the_primary(pair)
    moment = figures(drivers.cut_off(PRIMARY))["cut_at"]
    loss = drivers.measure_loss(FALLBACK, moment)
    less = loss.model_copy(
        update={"measurements": tuple(_less(each) for each in loss.measurements)},
    )
    assert drivers.accepted_loss(FALLBACK, less, moment).verdict is Verdict.FAILED
    assert drivers.accepted_loss(FALLBACK, loss, moment).verdict is Verdict.PASSED


def _less(each: Measurement) -> Measurement:
    return each.model_copy(update={"value": float(each.value) - 1}) if each.name == "loss_ms" else each


def test_a_standby_that_replays_no_further_has_no_known_loss(pair: LabPair, drivers: Drivers) -> None:
    pair.fallback.sql("select pg_wal_replay_pause()")
    pair.primary.sql("insert into written values (1)")
    drivers.cut_off(PRIMARY)
    assert drivers.measure_loss(FALLBACK, seconds=2).verdict is Verdict.FAILED
    pair.fallback.sql("select pg_wal_replay_resume()")
    assert drivers.measure_loss(FALLBACK).verdict is Verdict.PASSED
    assert pair.fallback.sql("select n from written") == [(1,)]


def startup_process(pair: LabPair) -> int:
    """Of the standby: the process that replays, and that alone ends the receiver when it is told to."""
    return int(str(pair.fallback.sql("select pid from pg_stat_activity where backend_type = 'startup'")[0][0]))


def test_a_receiver_that_was_told_to_end_is_waited_for_within_the_time_of_the_step(
    pair: LabPair, drivers: Drivers
) -> None:
    streaming = "still receives changes (streaming)"
    connected = drivers.measure_loss(FALLBACK)
    assert (connected.verdict, streaming in connected.reason.en) == (Verdict.FAILED, True)
    startup = startup_process(pair)
    os.kill(startup, signal.SIGSTOP)
    goes_on = threading.Timer(2, os.kill, (startup, signal.SIGCONT))
    try:
        pair.fallback.sql("alter system set primary_conninfo = ''")
        pair.fallback.sql("select pg_reload_conf()")
        until(lambda: pair.fallback.sql("show primary_conninfo") == [("",)])
        late = drivers.measure_loss(FALLBACK, seconds=1)
        assert (late.verdict, streaming in late.reason.en) == (Verdict.FAILED, True), late.reason.en
        goes_on.start()
        outcome = drivers.measure_loss(FALLBACK)
        assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    finally:
        goes_on.cancel()
        os.kill(startup, signal.SIGCONT)


def test_the_sites_own_command_that_cuts_the_network_is_run_and_asked_again(
    pair: LabPair, drivers: Drivers, tmp_path: Path
) -> None:
    sign = tmp_path / "cut"
    command = CommandTemplate(
        argv=("/usr/bin/touch", str(sign)), observe=("/usr/bin/test", "-e", str(sign)), undo=("/usr/bin/rm", str(sign))
    )
    drivers.context.policy = SitePolicy(commands={"close-the-line": command})
    pair.primary.kill()
    assert drivers.run(CutOff(), node=PRIMARY, command="no-such-command").verdict is Verdict.FAILED
    assert drivers.run(CutOff(), node=PRIMARY, command="close-the-line").verdict is Verdict.PASSED
    assert drivers.check_cut_off(PRIMARY, command="close-the-line").verdict is Verdict.PASSED
    sign.unlink()  # somebody opened the line again
    assert drivers.check_cut_off(PRIMARY, command="close-the-line").verdict is Verdict.FAILED
    assert drivers.check_cut_off(PRIMARY, command="no-such-command").verdict is Verdict.UNKNOWN


def test_without_any_way_that_could_be_shut_nothing_is_called_cut_off(pair: LabPair, drivers: Drivers) -> None:
    pair.primary.kill()
    without = pair.environment.model_copy(update={"proxy": None})
    for runner in (CutOff(), CheckCutOff()):
        params = runner.Params.model_validate({"pair": without, "node": PRIMARY})
        assert runner.run(params, drivers.context.give(20)).verdict in (Verdict.UNKNOWN, Verdict.FAILED)
