"""Over, the stay, and back: home side, guards, and what each proves."""

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.catalog.models import EnvironmentPair
from app.findings.models import Finding
from app.plans.models import Plan, ProofRow
from app.playbooks.rules import Mode
from app.runs import answers, guards
from app.runs.models import Stay
from app.runs.rules import RunState, RunVerdict
from runners.contract import Outcome, Verdict
from tests.flow.runs_world import SWITCH, WORDS, World, build, failed, passed

GUARDED: dict[str, Any] = {
    **SWITCH,
    "playbook": "test-guarded",
    "guards": [
        {
            "id": "alive",
            "uses": "test.serve",
            "with": {"pair": "${pair}", "node": "${to}"},
            "every": 5,
            "from": "serve",
            "until": "owner",
            "tolerate": 10,
        }
    ],
}
UNKNOWN = Outcome(verdict=Verdict.UNKNOWN, reason=WORDS)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def switch(world: World, direction: str, **more: Any) -> str:
    sides = ("primary", "fallback") if direction == "over" else ("fallback", "primary")
    drill = world.drill(
        {**GUARDED, **more},
        Mode.LIVE,
        pair_id="pair",
        direction=direction,
        inputs={"pair": "pair", "from": sides[0], "to": sides[1]},
    )
    run_id = world.started(drill)
    world.do(step="lag")
    answer(world, run_id, "go", "go", "operator")
    world.do(passed(final_lsn="1"), step="fence")
    for step in ("fenced", "promote", "serve"):
        world.do(step=step)
    return run_id


def answer(world: World, run_id: str, step: str, option: str, by: str) -> None:
    with world.database.transaction() as session:
        answers.answer(
            session, run_id, step, option=option, comment="", evidence=[], actor=world.actor(by), now=world.now
        )


def look(world: World, outcome: Outcome) -> list[str]:
    """What is due is looked at; the ids of the guards."""
    with world.database.transaction(write=False) as session:
        due = guards.due(session, None, now=world.now)
    for each in due:
        with world.database.transaction() as session:
            guards.seen(session, each.run_id, each.guard_id, outcome, now=world.now)
    return [each.guard_id for each in due]


def test_over_and_back_prove_the_switch_the_stay_and_the_way_back(world: World) -> None:
    over = switch(world, "over")
    assert home(world) == "fallback"
    assert look(world, passed()) == ["alive"]
    answer(world, over, "owner", "done", "owner")
    for _ in range(3):
        world.later(seconds=6)
        assert look(world, passed()) == ["alive"]
    back = switch(world, "back")
    assert home(world) == "primary"
    answer(world, back, "owner", "done", "owner")
    assert world.proofs() == {"over": ("pass", 4), "stay": ("pass", 5), "back": ("pass", 4)}
    with world.database.transaction() as session:
        assert session.get_one(Plan, "plan").status == "partially_proven"


def home(world: World) -> str:
    with world.database.transaction() as session:
        return session.get_one(EnvironmentPair, "pair").home_side.value


def test_the_same_steps_prove_the_switch_on_the_way_over_and_the_way_back_on_the_way_back(world: World) -> None:
    both = {"switchover": ["fenced", "serve"], "way-back": ["fenced", "serve"]}
    over = switch(world, "over", proves=both)
    assert set(world.proofs()) == {"over"}
    answer(world, over, "owner", "done", "owner")
    switch(world, "back", proves=both)
    assert set(world.proofs()) == {"over", "stay", "back"}


def test_a_stay_that_nobody_looked_at_proves_no_hold(world: World) -> None:
    over = switch(world, "over")
    answer(world, over, "owner", "done", "owner")
    switch(world, "back")
    assert world.proofs()["stay"] == ("inconclusive", 4)


def test_a_breach_within_its_tolerance_does_nothing_and_beyond_it_pauses(world: World) -> None:
    run_id = switch(world, "over")
    look(world, passed())
    world.later(seconds=5)
    look(world, failed())
    assert world.held(run_id).run.state is RunState.WAITING
    world.later(seconds=11)
    look(world, failed())
    assert world.held(run_id).run.state is RunState.PAUSED_BY_GUARD


def test_a_breach_after_the_claim_was_proven_fails_the_claim_and_the_run_and_opens_a_finding(world: World) -> None:
    run_id = switch(world, "over")
    assert world.proofs()["over"] == ("pass", 4)
    look(world, failed())
    world.later(seconds=11)
    look(world, failed())
    assert verdicts(world) == ["pass", "fail"]
    with world.database.transaction() as session:
        assert [each.claim_key for each in session.exec(select(Finding))] == ["over"]
        assert session.get_one(Plan, "plan").status == "failed"
    world.command("resume", run_id)
    answer(world, run_id, "owner", "done", "owner")
    assert world.held(run_id).run.verdict is RunVerdict.FAILED
    assert verdicts(world) == ["pass", "fail"]


def verdicts(world: World) -> list[str]:
    """Of the proofs of the switch, in the order of time."""
    with world.database.transaction(write=False) as session:
        rows = session.exec(select(ProofRow).where(ProofRow.claim_key == "over").order_by("at"))
        return [row.verdict.value for row in rows]


def test_a_guard_that_can_not_look_pauses_and_never_undoes(world: World) -> None:
    run_id = switch(world, "over")
    look(world, UNKNOWN)
    world.later(seconds=11)
    look(world, UNKNOWN)
    held = world.held(run_id)
    assert (held.run.state, held.run.undoing) == (RunState.PAUSED_BY_GUARD, False)


def test_a_guard_is_not_due_again_before_its_interval(world: World) -> None:
    switch(world, "over")
    assert look(world, passed()) == ["alive"]
    world.later(seconds=4)
    assert look(world, passed()) == []


def test_the_measured_length_of_the_stay_is_kept(world: World) -> None:
    over = switch(world, "over")
    answer(world, over, "owner", "done", "owner")
    world.later(hours=2)
    switch(world, "back")
    with world.database.transaction() as session:
        first = session.exec(select(Stay).where(Stay.side == "fallback")).one()
        assert first.ended_at is not None
        assert (first.ended_at - first.since).total_seconds() == pytest.approx(2 * 3600, abs=30)
