"""A worker killed in the middle of a step, and started again: nothing twice, nothing lost, a person knows."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.reliability import slow
from tests.reliability.figures import told
from tests.reliability.processes import Ground, ground, playbook, step, until

RESUMED_WITHIN = 5.0


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Ground]:
    made = ground(tmp_path)
    yield made
    made.end()


def killed(real: Ground, *steps: dict[str, Any]) -> str:
    """A run whose worker is killed while its first body runs, then started again; its id."""
    worker = real.worker().start()
    run_id = real.begun(playbook("test-killed", *steps))
    real.wait_called(1)
    worker.kill()
    until(lambda: not real.body_alive(), "the body ended with its worker")
    worker.start()
    return run_id


def test_a_keyed_effect_is_asked_for_again_under_its_key_and_happens_once(real: Ground) -> None:
    run_id = killed(real, step("one", real.folder, "keyed"))
    real.wait_called(2, RESUMED_WITHIN)
    real.go()
    real.wait_state(run_id, "completed")
    assert (real.told(slow.EFFECTS), real.told(slow.CALLS)) == (["one"], [f"one {run_id}:one:1"] * 2)


def test_an_observable_effect_that_is_there_is_adopted_and_not_made_again(real: Ground) -> None:
    run_id = killed(real, step("one", real.folder))
    real.wait_state(run_id, "completed", RESUMED_WITHIN)
    assert (real.told(slow.EFFECTS), len(real.told(slow.CALLS))) == (["one"], 1)


def test_an_observable_effect_that_is_not_there_is_made_once_under_a_new_key(real: Ground) -> None:
    run_id = killed(real, step("one", real.folder, late=True))
    real.wait_called(2, RESUMED_WITHIN)
    real.go()
    real.wait_state(run_id, "completed")
    assert real.told(slow.EFFECTS) == ["one"]
    assert real.told(slow.CALLS) == [f"one {run_id}:one:1", f"one {run_id}:one:2"]


def test_what_an_orderly_stop_ends_is_done_again_by_the_next_start_as_after_a_kill(real: Ground) -> None:
    worker = real.worker().start()
    run_id = real.begun(playbook("test-stopped", step("one", real.folder, late=True)))
    real.wait_called(1)
    worker.end()
    until(lambda: not real.body_alive(), "the body ended with its worker")
    assert real.steps(run_id) == {"one": "started"}
    worker.start()
    real.wait_called(2, 10 * RESUMED_WITHIN)
    real.go()
    real.wait_state(run_id, "completed")
    assert real.told(slow.EFFECTS) == ["one"]


def test_an_effect_that_nobody_can_see_is_never_made_again_without_a_person(real: Ground) -> None:
    run_id = killed(real, step("one", real.folder, "never"))
    real.wait_state(run_id, "interrupted", RESUMED_WITHIN)
    assert real.steps(run_id) == {"one": "unknown"}
    assert {each.command.value for each in real.world.held(run_id).legal()} >= {"abort", "retry"}
    real.go()
    real.command("retry", run_id, "one")
    real.wait_state(run_id, "completed")
    assert len(real.told(slow.CALLS)) == 2


def test_a_check_is_done_again(real: Ground) -> None:
    run_id = killed(real, step("one", real.folder, "look"))
    real.wait_called(2, RESUMED_WITHIN)
    real.go()
    real.wait_state(run_id, "completed")


def test_a_chain_whose_worker_is_killed_in_each_step_has_every_effect_once_and_in_order(real: Ground) -> None:
    names = ["one", "two", "three", "four"]
    chain = [step(each, real.folder, needs=names[max(0, n - 1) : n], late=n % 2 == 1) for n, each in enumerate(names)]
    worker = real.worker().start()
    run_id = real.begun(playbook("test-chain", *chain))
    for each in names:
        until(lambda each=each: any(call.startswith(f"{each} ") for call in real.told(slow.CALLS)), f"{each} began")
        worker.kill()
        real.go(each)
        worker.start()
    real.wait_state(run_id, "completed")
    assert real.told(slow.EFFECTS) == names


def test_steps_that_need_not_wait_for_each_other_run_at_the_same_time(real: Ground) -> None:
    real.worker().start()
    first, last = step("first", real.folder), step("last", real.folder, needs=["left", "right"])
    left, right = (step(each, real.folder, needs=["first"]) for each in ("left", "right"))
    run_id = real.begun(playbook("test-parallel", first, left, right, last))
    real.wait_called(1)
    real.go("first")
    real.wait_called(3)  # none of the three may end yet, so the two stand beside each other
    real.go()
    real.wait_state(run_id, "completed")
    assert sorted(real.told(slow.EFFECTS)) == ["first", "last", "left", "right"]


def test_an_abort_kills_the_running_body_and_the_change_that_stands_keeps_it_unfinished(
    real: Ground,
) -> None:
    real.worker().start()
    run_id = real.begun(playbook("test-abort", step("one", real.folder), step("two", real.folder, needs=["one"])))
    real.wait_called(1)
    begun = datetime.now(UTC)
    real.command("abort", run_id)
    until(lambda: not real.body_alive(), "the body ended")
    told("an abort reaches a running body", f"after {(datetime.now(UTC) - begun).total_seconds():.2f} s (wanted: < 1)")
    until(lambda: real.steps(run_id)["one"] == "succeeded", "it was looked for")
    assert (real.state(run_id), real.steps(run_id)["two"]) == ("aborting", "not started")
    real.command("leave", run_id)
    assert real.state(run_id) == "aborted"


def test_an_abort_of_what_had_no_effect_yet_ends_the_run(real: Ground) -> None:
    real.worker().start()
    run_id = real.begun(playbook("test-abort-early", step("one", real.folder, late=True)))
    real.wait_called(1)
    real.command("abort", run_id)
    real.wait_state(run_id, "aborted")
    assert real.told(slow.EFFECTS) == []


def test_a_body_that_does_not_heed_its_time_out_is_killed_and_looked_at(real: Ground) -> None:
    real.worker().start()
    run_id = real.begun(playbook("test-late", step("one", real.folder, late=True, timeout=1)))
    real.wait_state(run_id, "paused by failed step")
    assert (real.steps(run_id), real.body_alive()) == ({"one": "failed"}, False)
    assert len(real.told(slow.CALLS)) == 1


def test_a_paused_run_stays_paused_over_a_restart_and_goes_on_when_resumed(real: Ground) -> None:
    worker = real.worker().start()
    run_id = real.begun(playbook("test-pause", step("one", real.folder), step("two", real.folder, needs=["one"])))
    real.wait_called(1)
    real.command("pause", run_id)
    real.go("one")
    until(lambda: real.steps(run_id)["one"] == "succeeded", "what ran was finished")
    worker.kill()
    worker.start()
    assert (real.state(run_id), real.steps(run_id)["two"]) == ("paused by operator", "not started")
    real.go()
    real.command("resume", run_id)
    real.wait_state(run_id, "completed")
    assert real.told(slow.EFFECTS) == ["one", "two"]
