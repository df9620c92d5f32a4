"""A run whose step kills the worker itself, each time: it is parked for a person, and the others go on."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.runs.handover import POISON
from tests.reliability.figures import told
from tests.reliability.processes import Ground, ground, playbook, target, until


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Ground]:
    made = ground(tmp_path)
    yield made
    made.end()


def test_a_step_that_kills_its_worker_each_time_is_parked_and_the_runs_beside_it_go_on(real: Ground) -> None:
    worker, deaths = real.worker(lease_seconds=3), 0
    poison = real.begun(playbook("test-poison", target("bad", real.folder, "poison", before=0.5)))
    beside = real.begun(playbook("test-beside", target("long", real.folder, "keyed", before=3)))
    worker.start()

    def parked() -> bool:
        nonlocal deaths
        if not worker.alive:
            deaths += 1
            worker.launch()
        return real.state(poison) == "interrupted"

    until(parked, "the poison is parked", 240)
    after = real.begun(playbook("test-after", target("short", real.folder, "keyed")))
    for each in (beside, after):
        real.wait_state(each, "completed", 60)
        assert real.complaints(each) == []
    assert deaths == POISON
    assert worker.alive, "it lives on once the step is parked"
    assert {each.command.value for each in real.world.held(poison).legal()} >= {"abort", "retry"}
    worker.kill()
    worker.start()
    time.sleep(2)
    assert (real.state(poison), worker.alive) == ("interrupted", True), "a restart does not pick it up again"
    told("poison", f"a step that kills its worker: parked after {deaths} deaths, 2 of 2 other runs completed")
    real.command("abort", poison)
    real.command("leave", poison)
    assert real.state(poison) == "aborted"
