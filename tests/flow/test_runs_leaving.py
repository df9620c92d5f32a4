"""The end of a stay: what is seen once the switch away has begun is no longer the stay's."""

from pathlib import Path

import pytest

from app.playbooks.rules import Mode
from tests.flow.runs_world import World, build, failed, passed
from tests.flow.test_runs_stays import GUARDED, answer, look, switch


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def leave(world: World) -> str:
    """Begin the switch back, up to the point where the old side is stopped."""
    inputs = {"pair": "pair", "from": "fallback", "to": "primary"}
    run_id = world.started(world.drill(GUARDED, Mode.LIVE, pair_id="pair", direction="back", inputs=inputs))
    world.do(step="lag")
    answer(world, run_id, "go", "go", "operator")
    world.do(passed(final_lsn="2"), step="fence")
    return run_id


def test_the_outage_of_the_switch_away_does_not_spoil_the_stay(world: World) -> None:
    over = switch(world, "over")
    answer(world, over, "owner", "done", "owner")
    look(world, passed())
    leave(world)
    world.later(seconds=6)
    assert look(world, failed()) == ["alive"]
    for step in ("fenced", "promote", "serve"):
        world.do(step=step)
    assert world.proofs()["stay"] == ("pass", 5)


def test_an_outage_before_the_switch_away_began_does(world: World) -> None:
    over = switch(world, "over")
    answer(world, over, "owner", "done", "owner")
    look(world, passed())
    world.later(seconds=6)
    look(world, failed())
    leave(world)
    for step in ("fenced", "promote", "serve"):
        world.do(step=step)
    assert world.proofs()["stay"] == ("partial", 5)
