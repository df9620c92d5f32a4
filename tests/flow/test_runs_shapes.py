"""Switches of another shape: by hand with the probe, with parallel steps, and one that only looks and waits."""

import copy
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.plans.models import Plan, ProofRow
from app.playbooks.rules import Mode
from app.runs import steps
from app.runs.models import Run
from app.runs.progress import advance
from app.runs.rules import RunState
from app.runs.view import hold
from tests.flow.runs_world import ME, SWITCH, World, build, passed
from tests.flow.test_runs_stays import answer

INPUTS = {"pair": "pair", "from": "primary", "to": "fallback"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def over(world: World, text: dict[str, Any]) -> str:
    return world.started(world.drill(text, Mode.LIVE, pair_id="pair", direction="over", inputs=INPUTS))


def test_a_switch_by_hand_with_the_probe_counts_for_the_whole_chain(world: World) -> None:
    run_id = world.started(world.switch(), by_hand=True)
    world.do(step="lag")
    answer(world, run_id, "go", "go", "operator")
    answer(world, run_id, "fence", "done", "operator")
    world.do(step="fenced")
    answer(world, run_id, "promote", "done", "operator")
    world.do(step="serve")
    assert world.proofs() == {"over": ("pass", 4)}


def test_looking_and_waiting_alone_proves_nothing_says_why_and_changes_no_status(world: World) -> None:
    text = copy.deepcopy(SWITCH)
    text["playbook"] = "test-looks"
    text["proves"] = {"switchover": ["lag", "serve"]}
    text["steps"] = [text["steps"][0], {"id": "pause", "wait": {"for": 5}, "needs": ["lag"]}, text["steps"][5]]
    text["steps"][2]["needs"] = ["pause"]
    over(world, text)
    world.do(step="lag")
    world.later(seconds=6)
    with world.database.transaction() as session:
        advance(session, hold(session, session.exec(select(Run.id)).one()), now=world.now)
    world.do(step="serve")
    with world.database.transaction() as session:
        proof, plan = session.exec(select(ProofRow)).one(), session.get_one(Plan, "plan")
    assert (proof.level, bool(proof.level_why)) == (0, True)
    assert plan.status == "never_tested", "a level 1 would have made it paper only"


def test_steps_that_do_not_wait_for_each_other_are_ready_together_and_the_next_waits_for_all(world: World) -> None:
    text = copy.deepcopy(SWITCH)
    text["playbook"] = "test-parallel"
    beside = [
        {"id": name, "uses": "test.isolated", "timeout": 60, "needs": ["promote"], "phase": "over"}
        for name in ("dns", "mail", "cache")
    ]
    text["steps"][5]["needs"] = [each["id"] for each in beside]
    text["steps"][5:5] = beside
    run_id = over(world, text)
    world.do(step="lag")
    answer(world, run_id, "go", "go", "operator")
    world.do(passed(final_lsn="1"), step="fence")
    world.do(step="fenced")
    world.do(step="promote")
    ready = world.ready()
    assert len(ready) == 3
    for n, each in enumerate(reversed(ready)):
        with world.database.transaction() as session:
            work = steps.begin(session, each.step_run_id, each.attempt, owner=ME, now=world.now)
        assert work is not None
        left = world.finish(work, passed())
        assert len(left) == (n == 2)
    world.do(step="serve")
    answer(world, run_id, "owner", "done", "owner")
    assert (world.held(run_id).run.state, world.proofs()) == (RunState.COMPLETED, {"over": ("pass", 4)})
