"""Two workers at two sites on one PostgreSQL: a step lands at its own site only, also after its worker died."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlmodel import select

from app.runs.leases import WorkerLease
from app.runs.models import StepRun
from tests.lab.pair import NOBODY, LabServer, postgres_binaries
from tests.reliability import slow
from tests.reliability.processes import Ground, ground, playbook, step, until

LEASE = 3.0


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="wissel-two-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    server = LabServer(folder, "database", postgres_binaries())
    server.create()
    server.start()
    with psycopg.connect(server.dsn, autocommit=True) as link:
        link.execute("create database wissel")
    url = f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/wissel"
    monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
    made = ground(tmp_path, url)
    yield made
    made.end()
    server.end()
    shutil.rmtree(folder, ignore_errors=True)


def executors(shared: Ground) -> dict[str, str | None]:
    """Per step the lease's sites of the process that did it last."""
    with shared.world.database.transaction(write=False) as session:
        sites = {row.boot_id: row.sites for row in session.exec(select(WorkerLease))}
        return {row.step_id: sites.get(row.boot_id or "") for row in session.exec(select(StepRun))}


def test_each_step_is_done_by_the_worker_of_its_own_site(shared: Ground) -> None:
    north = shared.worker("north", sites="orchestrator,north", lease_seconds=LEASE).start()
    shared.worker("south", sites="south", lease_seconds=LEASE).start()
    shared.go()
    names = ["n1", "s1", "s2", "n2"]
    chain = [
        step(each, shared.folder, needs=names[max(0, n - 1) : n], site="north" if each[0] == "n" else "south")
        for n, each in enumerate(names)
    ]
    run_id = shared.begun(playbook("test-sites", *chain))
    shared.wait_state(run_id, "completed", 40)
    assert executors(shared) == {
        "n1": "north,orchestrator",
        "s1": "south",
        "s2": "south",
        "n2": "north,orchestrator",
    }
    assert shared.told(slow.EFFECTS) == names
    assert north.process is not None


def test_a_step_of_a_dead_worker_waits_for_its_own_site_and_never_lands_on_the_other(shared: Ground) -> None:
    shared.worker("north", sites="orchestrator,north", lease_seconds=LEASE).start()
    south = shared.worker("south", sites="south", lease_seconds=LEASE).start()
    run_id = shared.begun(playbook("test-dead-site", step("s1", shared.folder, "keyed", site="south")))
    shared.wait_called(1)
    south.kill()
    until(lambda: shared.steps(run_id)["s1"] == "ready", "the living worker handed the step back", 6 * LEASE)
    until(lambda: not shared.body_alive(), "the body ended with its worker")
    assert len(shared.told(slow.CALLS)) == 1
    shared.worker("south-again", sites="south", lease_seconds=LEASE).start()
    shared.wait_called(2)
    shared.go()
    shared.wait_state(run_id, "completed")
    assert executors(shared) == {"s1": "south"}
    assert shared.told(slow.EFFECTS) == ["s1"]


def test_a_second_worker_of_the_same_site_takes_over_what_a_dead_one_held(shared: Ground) -> None:
    first = shared.worker("first", sites="*", lease_seconds=LEASE).start()
    run_id = shared.begun(playbook("test-taken-over", step("one", shared.folder)))
    shared.wait_called(1)
    shared.worker("second", sites="*", lease_seconds=LEASE).start()
    first.kill()
    took = shared.wait_state(run_id, "completed", 6 * LEASE)
    assert took < 2 * LEASE + 5, f"{took:.1f} s"
    assert (shared.told(slow.EFFECTS), len(shared.told(slow.CALLS))) == (["one"], 1)
