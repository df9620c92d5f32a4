"""A real switch of PostgreSQL under load whose worker is killed at random: no write lost, never two that take them."""

import random

import pytest

from app.runs.rules import ENDS, Command
from tests.lab.conftest import Writer, pair, writer
from tests.lab.pair import LabPair
from tests.lab.test_run_switch import begin, real
from tests.reliability.figures import times, told
from tests.reliability.processes import Ground, until
from tests.reliability.test_random_kills import SEED
from tests.reliability.writable import BothSides

__all__ = ["pair", "real", "writer"]
KILLS = 3


@pytest.mark.parametrize("number", range(times(1, 20)))
def test_a_switch_whose_worker_is_killed_loses_no_write_and_never_has_two_that_take_them(
    real: Ground, pair: LabPair, writer: Writer, number: int
) -> None:
    dice = random.Random(SEED + number)
    with BothSides(pair) as both:
        until(lambda: len(both.primary.taken) > 3, "the primary takes writes")
        run_id = begin(real)
        kills, asked = killed(real, run_id, dice)
        writer.wait_for(20)
    writer.__exit__()
    state = real.state(run_id)
    lost = (set(writer.acknowledged) | both.acknowledged()) - rows(pair)
    told(
        "crash anywhere (real switches, worker killed)",
        f"{kills} kills, {asked} times asked a person, {state}: {len(lost)} acknowledged writes lost, "
        f"both took writes for {max(0.0, both.overlap()) * 1000:.0f} ms",
    )
    assert state in {"completed", "undone"}, f"WISSEL_SEED={SEED}"
    assert lost == set(), f"WISSEL_SEED={SEED}"
    assert both.overlap() <= 0, f"WISSEL_SEED={SEED}"


def rows(pair: LabPair) -> set[object]:
    """What the side that takes writes now holds."""
    for server in (pair.fallback, pair.primary):
        if server.processes() and server.sql("select pg_is_in_recovery()") == [(False,)]:
            return {row[0] for row in server.sql("select n from written")}
    raise AssertionError("no side takes writes")


def killed(real: Ground, run_id: str, dice: random.Random) -> tuple[int, int]:
    """Kill the worker at random moments while the run goes on, and play the person who is asked; how often each."""
    [worker], kills, asked = real.workers, 0, 0
    for _ in range(KILLS):
        moment = dice.uniform(0.1, 2.0)
        try:
            until(lambda: real.world.held(run_id).run.state in ENDS, "it is over", moment, 0.02)
            break
        except AssertionError:
            worker.kill()
            worker.start()
            kills += 1

    def over() -> bool:
        nonlocal asked
        held = real.world.held(run_id)
        for each in held.legal():
            if each.command is Command.RETRY and each.step is not None:
                real.command("retry", run_id, each.step)
                asked += 1
                break
        return held.run.state in ENDS

    until(over, f"the switch ended: {real.steps(run_id)}", 180, 0.5)
    return kills, asked
