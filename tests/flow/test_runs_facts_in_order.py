"""What was seen of a side counts only until something changes it, whatever the order of the playbook."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.playbooks.rules import Mode
from app.runs import answers, facts, steps
from app.runs.models import Run, SeenFact, StepRun
from tests.flow.runs_world import ME, SWITCH, World, build, passed


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def between(world: World, node: str, **more: Any) -> str:
    """A switch with one more changing step between the proof of the fence and the promotion; it stands at that step.

    The loader refuses this order on the side that was proven: here the run itself must see it.
    """
    given = {"pair": "${pair}", "node": node}
    extra = {"id": "extra", "uses": "test.keyed", "with": given, "timeout": 60, "needs": ["fenced"], **more}
    text = deepcopy(SWITCH)
    at = next(n for n, each in enumerate(text["steps"]) if each["id"] == "promote")
    text["steps"][at]["needs"] = ["extra"]
    text["steps"].insert(at, {**extra, "irreversible": True})
    text["playbook"] = f"extra-{len(node)}"
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    run_id = world.started(world.drill(text, Mode.LIVE, pair_id="pair", direction="over", inputs=inputs))
    world.do(step="lag")
    with world.database.transaction() as session:
        said: dict[str, Any] = {"option": "go", "comment": "", "evidence": [], "now": world.now}
        answers.answer(session, run_id, "go", actor=world.actor("operator"), **said)
    world.do(passed(final_lsn="0/1"), step="fence")
    world.do(step="fenced")
    return run_id


def test_a_proof_of_the_fence_from_before_the_last_change_of_that_side_does_not_count(world: World) -> None:
    run_id = between(world, "${from}")
    world.do(step="extra")
    [promote] = world.ready()
    with world.database.transaction() as session:
        assert steps.begin(session, promote.step_run_id, promote.attempt, owner=ME, now=world.now) is None
    assert world.states(run_id)["promote"] == "not started"
    world.do(step="fenced")  # looked at again, though the former look is seconds old
    assert world.begin().runner == "test.promote"


def test_a_change_that_is_only_begun_voids_the_proof_as_well(world: World) -> None:
    run_id = between(world, "${from}")
    world.begin()
    with world.database.transaction(write=False) as session:
        fact = session.exec(select(SeenFact).where(SeenFact.run_id == run_id)).one()
    assert (fact.fact, fact.holds) == ("fenced:PAIR-001:primary", False)


def test_a_change_of_the_other_side_leaves_the_proof_and_so_does_the_step_that_rests_on_it(world: World) -> None:
    between(world, "${to}")
    world.do(step="extra")
    work = world.begin()
    assert work.runner == "test.promote"
    with world.database.transaction(write=False) as session:
        row = session.get_one(StepRun, work.step_run_id)
        fact = session.exec(select(SeenFact).where(SeenFact.run_id == row.run_id)).one()
        assert (row.driver["touches"], fact.holds) == (["PAIR-001:fallback"], True)


def test_caught_up_is_about_both_sides_and_counts_for_the_step_itself_until_it_has_succeeded(world: World) -> None:
    run_id = between(world, "${to}")
    facts_of = {"caught-up:PAIR-001:fallback": True, "divergence-listed:PAIR-001:fallback": True}
    with world.database.transaction() as session:
        run = session.get_one(Run, run_id)
        row = session.exec(select(StepRun).where(StepRun.run_id == run_id, StepRun.step_id == "fence")).one()
        for fact in facts_of:
            facts.note(session, run, fact, holds=True, step_id="lag", now=world.now)
        facts.disturb(session, run, row)  # the fence changes the other side
        row.driver = {"touches": ["PAIR-001:fallback"], "requires": ["caught-up:PAIR-001:fallback"]}
        facts.note(session, run, "caught-up:PAIR-001:fallback", holds=True, step_id="lag", now=world.now)
        facts.disturb(session, run, row)
        held = {each.fact: each.holds for each in session.exec(select(SeenFact).where(SeenFact.run_id == run_id))}
        assert held == {**facts_of, "fenced:PAIR-001:primary": False, "divergence-listed:PAIR-001:fallback": False}
        facts.disturb(session, run, row, done=True)
        assert not any(each.holds for each in session.exec(select(SeenFact).where(SeenFact.run_id == run_id)))
        session.rollback()
