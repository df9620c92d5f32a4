"""Runs whose worker is killed at random, up to three times: nothing twice, lost or out of order, and soon resumed."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability import database
from tests.reliability.figures import times, told
from tests.reliability.processes import Ground, ground
from tests.reliability.random_kills import Tally, batch

RESUMED_WITHIN = 5.0
"""Seconds, promised; asserted twenty times as wide, for the machine that tests may do much else."""
SEED = int(os.environ.get("WISSEL_SEED", "0")) or random.SystemRandom().getrandbits(32)


@pytest.fixture(params=["sqlite", "postgresql"])
def real(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    with database.url(request.param, tmp_path) as url:
        if url is not None:
            monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        made = ground(tmp_path, url)
        yield made
        made.end()


def test_runs_whose_worker_is_killed_at_random_have_every_effect_once_and_in_order(
    real: Ground, request: pytest.FixtureRequest
) -> None:
    dice, tally = random.Random(SEED), Tally()
    size = times(6, 10)
    worker = real.worker().start()
    for _ in range(times(1, 50)):
        batch(real, worker, dice, tally, size=size, kills=3)
    told(f"crash anywhere ({request.node.callspec.params['real']})", str(tally))
    assert tally.complaints == [], f"WISSEL_SEED={SEED}"
    assert tally.states == {"completed": tally.runs}, f"WISSEL_SEED={SEED}"
    assert tally.interrupted > 0, "no kill found a run at work, so nothing was shown"
    assert max(tally.resumed) < 20 * RESUMED_WITHIN
