"""Wissel's own PostgreSQL killed under load and in the middle of a switch, and moved to a promoted standby."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.lab.pair import NOBODY, LabServer, postgres_binaries
from tests.reliability import slow
from tests.reliability.database import server
from tests.reliability.figures import times, told
from tests.reliability.processes import Ground, ground, playbook, step, until
from tests.reliability.served import Load, Served, data

KILLS = times(3, 20)
LEASE = {"WISSEL_LEASE_SECONDS": "120"}
SHORT = 5.0
"""Seconds of a lease that an absence of the database outlasts."""


@pytest.fixture
def own(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LabServer, Served]]:
    """A served Wissel on a PostgreSQL of its own; the parameter: the length of its lease."""
    with server() as (database, url):
        monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        made = ground(tmp_path, url)
        served = Served(made, data(tmp_path / "data") | getattr(request, "param", LEASE))
        try:
            served.start().sign_in("operator")
            yield database, served
        finally:
            served.end()
            made.end()


def wait_begun(served: Served, run_id: str, name: str) -> None:
    """Until the body of a step has begun; if it does not, what the run and the service say."""
    real = served.ground
    try:
        until(lambda: any(call.startswith(f"{name} ") for call in real.told(slow.CALLS)), f"{name} began", 90)
    except AssertionError as error:
        steps = {each.step_id: (each.state, each.outcome) for each in real.world.held(run_id).steps.values()}
        told = f"{calm(real, run_id)} {real.world.held(run_id).run.pause_reason} {steps[name]}"
        raise AssertionError(f"{error}: {told}\n{served.log()[-4000:]}") from error


def calm(real: Ground, run_id: str) -> str:
    """The state of the run; the database may be away while we look."""
    try:
        return real.state(run_id)
    except Exception:
        return "not seen"


def test_its_database_is_killed_under_load_and_in_a_switch_and_nothing_acknowledged_is_lost(own) -> None:
    database, served = own
    real, names = served.ground, [f"s{number}" for number in range(KILLS)]
    chain = [step(each, real.folder, needs=names[max(0, n - 1) : n], late=n % 2 == 1) for n, each in enumerate(names)]
    run_id = real.begun(playbook("test-own-database", *chain))
    away = []
    with Load(served) as load:
        load.wait_for(5)
        for each in names:
            wait_begun(served, run_id, each)
            begun = time.monotonic()
            database.kill()
            real.go(each)  # its outcome comes while there is no database
            time.sleep(0.3)
            database.start()
            load.wait_for(3, 90)
            away.append(time.monotonic() - begun)
        until(lambda: calm(real, run_id) == "completed", "the run went on to its end", 90)
        load.wait_for(3)
    lost, twice = load.lost_and_twice()
    told(
        "own database killed under load and in a switch",
        f"{KILLS} kills, {len(load.acknowledged)} rows acknowledged: {len(lost)} lost, {len(twice)} twice; "
        f"{load.codes}; serving again after at most {max(away):.1f} s (kill, restart and recovery of it included)",
    )
    assert (lost, twice, load.wrong) == ([], [], [])
    assert sum(count for code, count in load.codes.items() if code.startswith("503")) > 0, "the kills were not felt"
    assert real.told(slow.EFFECTS) == names


@pytest.mark.parametrize("own", [{"WISSEL_LEASE_SECONDS": f"{SHORT:g}"}], indirect=True)
def test_its_database_is_away_for_longer_than_the_lease_and_no_step_needs_a_person(own) -> None:
    database, served = own
    real, names = served.ground, ["kept", "ended", "last"]
    chain = [step(each, real.folder, needs=names[max(0, n - 1) : n], late=True) for n, each in enumerate(names)]
    run_id = real.begun(playbook("test-longer-than-the-lease", *chain))
    wait_begun(served, run_id, "kept")
    database.kill()
    real.go("kept")  # its outcome comes while there is no database, and outlasts the lease
    until(lambda: "kept" in real.told(slow.EFFECTS), "its effect is there")
    time.sleep(2 * SHORT)
    database.start()
    wait_begun(served, run_id, "ended")
    database.kill()
    until(lambda: not real.body_alive(), "its body ended with the lease", 20 * SHORT)
    database.start()
    until(lambda: sum(call.startswith("ended ") for call in real.told(slow.CALLS)) == 2, "it began again", 90)
    real.go()
    until(lambda: calm(real, run_id) == "completed", "the run went on to its end", 90)
    assert real.told(slow.EFFECTS) == names
    assert real.told(slow.CALLS)[-1] == f"last {run_id}:last:1"


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LabServer, LabServer, Served]]:
    """A served Wissel on a pair of servers, by the address that names both; what is acknowledged is on both."""
    folder = Path(tempfile.mkdtemp(prefix="wissel-own-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    one, two = (LabServer(folder, name, postgres_binaries()) for name in ("one", "two"))
    one.create()
    one.start()
    two.clone(one)
    two.start()
    one.sql("alter system set synchronous_standby_names = '*'")
    one.sql("select pg_reload_conf()")
    until(lambda: one.sql("select 1 from pg_stat_replication where sync_state = 'sync'"), "it follows")
    one.sql("create database wissel")
    hosts = f"127.0.0.1:{one.port},127.0.0.1:{two.port}"
    url = f"postgresql://postgres@{hosts}/wissel"
    alone = f"postgresql+psycopg://postgres@127.0.0.1:{one.port}/wissel"
    monkeypatch.setenv("WISSEL_TEST_POSTGRES", alone)
    made = ground(tmp_path, url)
    served = Served(made, data(tmp_path / "data") | LEASE)
    try:
        served.start().sign_in("operator")
        yield one, two, served
    finally:
        served.end()
        made.end()
        one.end()
        two.end()
        shutil.rmtree(folder, ignore_errors=True)


def test_its_database_moves_to_the_standby_and_the_old_primary_that_comes_back_read_only_is_not_used(pair) -> None:
    one, two, served = pair
    with Load(served) as load:
        load.wait_for(10)
        begun = time.monotonic()
        one.kill()
        two.run("pg_ctl", "promote", "-w", "-D", str(two.data))
        two.sql("alter system set synchronous_standby_names = ''")
        two.sql("select pg_reload_conf()")
        load.wait_for(5, 90)
        took = time.monotonic() - begun
        (one.data / "postgresql.auto.conf").open("a").write("\ndefault_transaction_read_only = on\n")
        one.start()
        load.wait_for(20, 90)
    lost, twice = load.lost_and_twice()
    told(
        "own database fails over",
        f"{len(load.acknowledged)} rows acknowledged: {len(lost)} lost, {len(twice)} twice; {load.codes}; "
        f"serving again after {took:.1f} s, promotion included",
    )
    assert (lost, twice, load.wrong) == ([], [], [])
    with psycopg.connect(f"host=127.0.0.1 port={one.port} user=postgres dbname=wissel") as old:
        known = {row[0] for row in old.execute("select name from supplier")}
    assert set(load.acknowledged) - known, "the old primary can't know what came after it"


def test_a_primary_that_becomes_read_only_under_open_connections_is_left_for_the_other(pair) -> None:
    one, two, served = pair
    with Load(served) as load:
        load.wait_for(5)
        one.sql("alter system set default_transaction_read_only = on")
        one.sql("select pg_reload_conf()")  # open sessions take it over at once: each write is refused with 25006
        two.run("pg_ctl", "promote", "-w", "-D", str(two.data))
        two.sql("alter system set synchronous_standby_names = ''")
        two.sql("select pg_reload_conf()")
        load.wait_for(10, 90)
    lost, twice = load.lost_and_twice()
    assert (lost, twice, load.wrong) == ([], [], [])
    assert threading.active_count() < 50
