"""What the drivers must refuse or notice on real servers: two primaries, a loss, an unproven fence."""

import os
import signal
import socket
import threading
import time
from contextlib import suppress

import psycopg

from runners.contract import Seen, Verdict
from runners.postgres.fence import CheckFenced, Fence
from tests.lab.pair import LabPair, until
from tests.lab.postgres_drivers import FALLBACK, PRIMARY, Drivers
from tests.unit.runners.fake_context import figures


def test_a_running_primary_is_never_called_fenced(drivers: Drivers) -> None:
    assert drivers.check_fenced(PRIMARY).verdict is Verdict.FAILED


def test_an_accidental_restart_after_the_fence_takes_no_writes(pair: LabPair, drivers: Drivers) -> None:
    drivers.fence(PRIMARY)
    pair.primary.start()
    assert pair.primary.sql("select pg_is_in_recovery()") == [(True,)]
    assert drivers.check_fenced(PRIMARY).verdict is Verdict.FAILED
    assert drivers.observe(Fence(), node=PRIMARY).seen is Seen.NOT_DONE


def test_a_primary_that_somebody_else_stopped_is_fenced_with_a_warning(pair: LabPair, drivers: Drivers) -> None:
    pair.primary.stop()
    outcome = drivers.check_fenced(PRIMARY)
    assert (outcome.verdict, outcome.warning) == (Verdict.PASSED, True)
    assert drivers.observe(Fence(), node=PRIMARY).seen is Seen.NOT_DONE


def test_an_orphan_of_a_killed_postmaster_speaks_against_the_fence(pair: LabPair, drivers: Drivers) -> None:
    busy = threading.Thread(target=_spin, args=(pair.primary.dsn,))
    busy.start()
    until(lambda: pair.primary.sql("select 1 from pg_stat_activity where query like 'do %' and state = 'active'"))
    os.kill(pair.primary.pid(), signal.SIGKILL)
    until(lambda: _refuses(pair.primary.dsn))
    outcome = drivers.check_fenced(PRIMARY)
    pair.primary.kill()
    busy.join()
    assert outcome.verdict is Verdict.FAILED
    assert "Processes of this database" in outcome.reason.en
    assert drivers.check_fenced(PRIMARY).verdict is Verdict.PASSED


def _spin(dsn: str) -> None:
    with suppress(psycopg.Error), psycopg.connect(dsn, autocommit=True) as link:
        link.execute("do $$ begin loop perform 1; end loop; end $$")


def _refuses(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return True
    return False


def test_something_else_at_the_address_of_a_stopped_server_is_not_a_fence(pair: LabPair, drivers: Drivers) -> None:
    drivers.fence(PRIMARY)
    with socket.create_server(("127.0.0.1", pair.primary.port)):
        outcome = drivers.check_fenced(PRIMARY)
    assert outcome.verdict is Verdict.FAILED
    assert "still listens" in outcome.reason.en


def test_a_fence_that_cannot_be_looked_at_is_unknown_and_never_fenced(pair: LabPair, drivers: Drivers) -> None:
    pair.primary.stop()
    node = pair.environment.primary
    for gap in ({"data_directory": None}, {"data_directory": "/nowhere"}, {"dsn": None}, {"dsn": "secret://other"}):
        environment = pair.environment.model_copy(update={"primary": node.model_copy(update=gap)})
        params = CheckFenced.Params.model_validate({"pair": environment, "node": PRIMARY})
        assert CheckFenced().run(params, drivers.context.give(5)).verdict is Verdict.UNKNOWN, gap


def test_a_dead_primary_is_not_fenced_again_but_reported(pair: LabPair, drivers: Drivers) -> None:
    pair.primary.kill()
    outcome = drivers.fence(PRIMARY)
    assert outcome.verdict is Verdict.FAILED
    assert figures(outcome)["primary_reachable"] is False


def test_a_standby_is_not_fenced(pair: LabPair, drivers: Drivers) -> None:
    assert drivers.fence(FALLBACK).verdict is Verdict.FAILED
    assert pair.fallback.sql("select 1") == [(1,)]


def test_a_fence_notices_that_the_standby_did_not_get_everything(pair: LabPair, drivers: Drivers) -> None:
    pair.fallback.stop()
    fenced = drivers.fence(PRIMARY)
    assert (fenced.verdict, fenced.warning, figures(fenced)["sent_all"]) == (Verdict.PASSED, True, False)
    pair.fallback.start()
    late = drivers.caught_up(FALLBACK, figures(fenced)["final_lsn"], seconds=1)
    assert late.verdict is Verdict.FAILED
    assert figures(late)["missing_bytes"] > 0


def test_a_walsender_that_hangs_keeps_the_fence_from_passing(pair: LabPair, drivers: Drivers) -> None:
    stuck = [row[0] for row in pair.fallback.sql("select pid from pg_stat_wal_receiver")]
    os.kill(int(str(stuck[0])), signal.SIGSTOP)
    try:
        outcome = drivers.fence(PRIMARY, seconds=2)
        assert outcome.verdict is Verdict.FAILED
        assert "still shutting down" in outcome.reason.en
        assert drivers.check_fenced(PRIMARY).verdict is Verdict.FAILED
    finally:
        os.kill(int(str(stuck[0])), signal.SIGCONT)
    until(lambda: drivers.observe(Fence(), node=PRIMARY).seen is Seen.DONE)


def test_unfence_never_makes_a_second_primary(pair: LabPair, drivers: Drivers) -> None:
    drivers.fence(PRIMARY)
    drivers.promote(FALLBACK)
    outcome = drivers.unfence(PRIMARY)
    assert outcome.verdict is Verdict.FAILED
    assert not (pair.primary.data / "postmaster.pid").exists()
    assert (pair.primary.data / "standby.signal").exists()


def test_unfence_waits_for_a_person_while_the_other_side_cannot_be_seen(pair: LabPair, drivers: Drivers) -> None:
    drivers.fence(PRIMARY)
    drivers.context.close()
    del drivers.context.secrets["secret://lab.fallback"]
    assert drivers.unfence(PRIMARY).verdict is Verdict.UNKNOWN
    assert not (pair.primary.data / "postmaster.pid").exists()


def test_unfence_accepts_a_standby_that_is_provably_stopped_on_this_machine(pair: LabPair, drivers: Drivers) -> None:
    drivers.fence(PRIMARY)
    pair.fallback.stop()
    assert drivers.unfence(PRIMARY).verdict is Verdict.PASSED
    assert pair.primary.sql("select pg_is_in_recovery()") == [(False,)]


def test_promotion_is_refused_while_the_old_primary_still_sends(pair: LabPair, drivers: Drivers) -> None:
    outcome = drivers.promote(FALLBACK)
    assert outcome.verdict is Verdict.FAILED
    assert pair.fallback.sql("select pg_is_in_recovery()") == [(True,)]


def test_only_a_standby_can_be_promoted(drivers: Drivers) -> None:
    assert drivers.promote(PRIMARY).verdict is Verdict.FAILED


def test_caught_up_waits_for_replay_and_not_for_receipt(pair: LabPair, drivers: Drivers) -> None:
    pair.fallback.sql("select pg_wal_replay_pause()")
    pair.primary.sql("insert into written values (1)")
    final = figures(drivers.fence(PRIMARY))["final_lsn"]
    assert drivers.caught_up(FALLBACK, final, seconds=1).verdict is Verdict.FAILED
    pair.fallback.sql("select pg_wal_replay_resume()")
    assert drivers.caught_up(FALLBACK, final).verdict is Verdict.PASSED
    pair.fallback.stop()
    assert drivers.caught_up(FALLBACK, final).verdict is Verdict.FAILED


def test_a_lost_last_write_is_found_and_its_loss_measured(pair: LabPair, drivers: Drivers) -> None:
    drivers.check_writable(PRIMARY)
    until(lambda: pair.fallback.sql("select 1 from pg_class where relname = 'wissel_canary'"))
    pair.fallback.stop()
    time.sleep(0.2)  # what is written after this moment is lost, so the loss is at least this long
    canary = figures(drivers.fence(PRIMARY))["canary"]
    pair.fallback.start()
    pair.fallback.run("pg_ctl", "promote", "-w", "-D", str(pair.fallback.data))
    outcome = drivers.check_writable(FALLBACK, canary)
    assert outcome.verdict is Verdict.FAILED
    assert 200 <= figures(outcome)["rpa_ms"] < 20_000


def test_a_standby_and_a_dead_server_are_not_writable(pair: LabPair, drivers: Drivers) -> None:
    assert drivers.check_writable(FALLBACK).verdict is Verdict.FAILED
    pair.fallback.stop()
    outcome = drivers.check_writable(FALLBACK)
    assert outcome.verdict is Verdict.FAILED
    assert figures(outcome)["reachable"] is False
