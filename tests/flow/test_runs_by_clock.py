"""The clock: due moments become runs once, wait for what they need, and are missed with a reason."""

import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.drills.models import DrillMoment
from app.drills.rules import MomentState
from app.plans.models import ProofRow
from app.playbooks.rules import Mode
from app.runs import answers, service
from app.runs.leases import WorkerLease
from app.runs.models import Run
from app.runs.rules import RunState
from tests.flow.runs_world import LINE, REGISTRY, SWITCH, World, build, failed


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def due(world: World, drill_id: str) -> None:
    """The drill's moment has come, as the drills record it."""
    with world.database.transaction() as session:
        session.add(
            DrillMoment(
                drill_id=drill_id,
                nominal_local="2027-01-10T11:00:00",
                due_at=world.now,
                state=MomentState.PLANNED,
                created_at=world.now,
            )
        )


def tick(world: World, **span: float) -> Run:
    """A beat of the clock after this span; the one run."""
    service.tick(world.database, REGISTRY, now=world.later(**span))
    with world.database.transaction() as session:
        return session.exec(select(Run)).one()


def living(world: World, sites: str = "*") -> None:
    with world.database.transaction() as session:
        session.add(
            WorkerLease(
                boot_id=sites,
                host="h",
                pid=1,
                sites=sites,
                started_at=world.now,
                expires_at=world.now + timedelta(days=30),
            )
        )


def test_a_due_moment_becomes_one_run_however_often_the_clock_beats(world: World) -> None:
    due(world, world.drill(LINE, Mode.REHEARSAL))
    tick(world)
    run = tick(world, seconds=1)
    assert (run.state, run.starter, run.nominal) == (RunState.RUNNING, "person:operator", "2027-01-10T11:00:00")


def test_a_run_without_its_approvals_is_missed_after_the_grace_with_the_reason(world: World) -> None:
    due(world, world.switch(grace_s=600))
    assert tick(world).state is RunState.AWAITING_APPROVAL
    run = tick(world, seconds=601)
    assert (run.state, run.end_reason["code"], run.verdict) == (RunState.MISSED, "not-approved", "aborted")
    with world.database.transaction() as session:
        moment = session.exec(select(DrillMoment)).one()
        assert (moment.state, moment.reason_code) == (MomentState.MISSED, "not-approved")
    assert world.proofs() == {}


def test_a_run_whose_environment_is_held_waits_in_the_queue_and_starts_when_it_is_free(world: World) -> None:
    first = world.started(world.switch())
    second = world.planned(world.switch())
    world.approve(second)
    assert world.held(second).run.state is RunState.QUEUED
    world.command("abort", first)
    service.tick(world.database, REGISTRY, now=world.later(seconds=1))
    assert world.held(second).run.state is RunState.RUNNING


def test_a_drill_that_can_not_run_now_is_missed_with_the_reason_and_stops_no_other(world: World) -> None:
    sides = {"pair": "pair", "from": "fallback", "to": "primary"}
    due(world, world.drill(SWITCH, Mode.LIVE, pair_id="pair", direction="back", inputs=sides))
    due(world, world.drill(LINE, Mode.REHEARSAL))
    run = tick(world)
    assert run.playbook_name == "test-line"
    with world.database.transaction() as session:
        reasons = {row.state: row.reason_code for row in session.exec(select(DrillMoment))}
    assert reasons == {MomentState.MISSED: "drill-not-ready", MomentState.PLANNED: ""}


def test_a_wait_ends_at_its_moment(world: World) -> None:
    text = copy.deepcopy(LINE)
    text["playbook"] = "test-wait"
    text["steps"].insert(1, {"id": "hold", "wait": "PT1H", "needs": ["restore"]})
    text["steps"][2]["needs"] = ["hold"]
    run_id = world.started(world.drill(text, Mode.REHEARSAL))
    living(world)
    world.do(step="restore")
    tick(world, minutes=59)
    assert world.ready() == []
    tick(world, minutes=2)
    assert world.do() == "rows"
    assert world.held(run_id).run.state is RunState.COMPLETED


def test_a_step_at_a_site_without_a_worker_could_not_be_looked_at_and_is_not_passed(world: World) -> None:
    run_id = world.started(world.switch())
    living(world, "dc-fallback")
    tick(world, seconds=30)
    assert world.states(run_id)["lag"] == "ready"
    tick(world, seconds=61)
    assert world.states(run_id)["lag"] == "unknown"
    assert world.held(run_id).run.state is RunState.PAUSED_BY_FAILED_STEP


def test_a_check_is_tried_again_by_itself_as_often_as_the_playbook_says(world: World) -> None:
    text = copy.deepcopy(LINE)
    text["playbook"] = "test-retry"
    text["steps"][1]["retries"] = {"times": 1, "wait": 30}
    run_id = world.started(world.drill(text, Mode.REHEARSAL))
    living(world)
    world.do(step="restore")
    world.finish(world.begin(), failed())
    assert world.held(run_id).run.state is RunState.RUNNING
    tick(world, seconds=31)
    world.finish(world.begin(), failed())
    assert world.held(run_id).run.state is RunState.FAILED


def by_hand(text: dict[str, Any]) -> dict[str, Any]:
    copied = copy.deepcopy(text)
    copied["playbook"] = "test-by-hand"
    copied["steps"][1]["role"] = None
    return copied


def test_by_hand_people_act_the_probes_stay_and_it_counts_as_the_whole_chain(world: World) -> None:
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    drill = world.drill(by_hand(SWITCH), Mode.LIVE, pair_id="pair", direction="over", inputs=inputs)
    run_id = world.started(drill, by_hand=True)
    world.do(step="lag")
    say(world, run_id, "go", "go")
    say(world, run_id, "fence", "done")
    world.do(step="fenced")
    say(world, run_id, "promote", "done")
    world.do(step="serve")
    assert world.proofs() == {"over": ("pass", 4)}
    say(world, run_id, "owner", "done", "owner")
    assert world.held(run_id).run.state is RunState.COMPLETED


def test_a_switch_that_only_people_do_is_timed_from_when_they_were_asked_to_stop_the_old_side(world: World) -> None:
    text = by_hand(SWITCH)
    for step in text["steps"]:
        if step["id"] in ("fence", "promote"):
            asked = {"ask": {"nl": "Doe dit.", "en": "Do this."}, "role": "operator"}
            kept = {name: step[name] for name in ("id", "needs", "phase", "starts_outage") if name in step}
            step.clear()
            step.update(kept | asked)
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    run_id = world.started(world.drill(text, Mode.LIVE, pair_id="pair", direction="over", inputs=inputs))
    world.do(step="lag")
    say(world, run_id, "go", "go")
    world.later(seconds=60)
    say(world, run_id, "fence", "done")
    world.do(step="fenced")
    say(world, run_id, "promote", "done")
    world.do(step="serve")
    with world.database.transaction() as session:
        proof = session.exec(select(ProofRow).where(ProofRow.run_id == run_id)).one()
    assert proof.rto_ms is not None
    assert proof.rto_ms >= 60_000


def test_a_step_by_hand_that_stands_is_undone_by_hand(world: World) -> None:
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    drill = world.drill(by_hand(SWITCH), Mode.LIVE, pair_id="pair", direction="over", inputs=inputs)
    run_id = world.started(drill, by_hand=True)
    world.do(step="lag")
    say(world, run_id, "go", "go")
    say(world, run_id, "fence", "done")
    world.command("undo", run_id)
    world.command("abort", run_id)
    assert world.states(run_id)["fence"] == "succeeded"
    world.command("undo", run_id)
    say(world, run_id, "fence", "done")
    assert world.states(run_id)["fence"] == "undone"


def say(world: World, run_id: str, step: str, option: str, by: str = "operator") -> None:
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
