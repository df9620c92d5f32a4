"""A run from plan to proof, with outcomes handed in where a runner's body would be."""

from pathlib import Path

import pytest
from sqlmodel import select

from app.findings.models import Finding
from app.plans.models import Plan
from app.playbooks.rules import Mode
from app.runs import answers
from app.runs.rules import RunState
from tests.flow.runs_world import LINE, World, build, failed, passed


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def test_two_steps_that_pass_prove_their_claim_at_the_level_of_what_they_did(world: World) -> None:
    run_id = world.started(world.drill(LINE, Mode.REHEARSAL))
    assert world.do() == "restore"
    assert world.do() == "rows"
    run = world.held(run_id).run
    assert (run.state, run.verdict) == (RunState.COMPLETED, "passed")
    assert world.proofs() == {"restore": ("pass", 3)}


def test_a_failed_step_ends_a_run_in_which_nothing_stands_and_opens_a_finding_with_its_reason(world: World) -> None:
    run_id = world.started(world.drill(LINE, Mode.REHEARSAL))
    world.do(failed())
    run = world.held(run_id).run
    assert (run.state, run.verdict) == (RunState.FAILED, "failed")
    assert world.proofs() == {"restore": ("fail", 3)}
    with world.database.transaction() as session:
        finding = session.exec(select(Finding)).one()
        plan = session.get_one(Plan, "plan")
    assert (finding.severity, finding.cause, finding.level) == ("high", "technique", 3)
    assert finding.title_en == "restore: So it is. (step restore)"
    assert plan.status == "failed"


def test_a_switch_moves_the_home_side_and_proves_its_claim_before_the_last_question(world: World) -> None:
    run_id = world.started(world.switch())
    world.do(step="lag")
    _answer(world, run_id, "go", "go", "operator")
    world.do(passed(final_lsn="0/1"), step="fence")
    world.do(step="fenced")
    work = world.begin()
    assert work.params["lsn"] == "0/1"
    assert (work.site, work.fencing_token) == ("dc-fallback", 1)
    world.finish(work, passed())
    world.do(step="serve")
    assert world.proofs() == {"over": ("pass", 4)}
    assert world.held(run_id).run.state is RunState.WAITING
    _answer(world, run_id, "owner", "done", "owner")
    run = world.held(run_id).run
    assert (run.state, run.verdict, run.rta_ms) == (RunState.COMPLETED, "passed", 4000)


def _answer(world: World, run_id: str, step: str, option: str, by: str) -> None:
    with world.database.transaction() as session:
        answers.answer(
            session,
            run_id,
            step,
            option=option,
            comment="",
            evidence=[],
            actor=world.actor(by),
            now=world.later(seconds=1),
        )
