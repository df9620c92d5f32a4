"""Steps whose workers are lost, or that cannot even be begun: who is parked, who goes on, what a late body may tell."""

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.playbooks.rules import Mode
from app.runs import handover, steps
from app.runs.models import RunEvent, StepRun
from app.runs.rules import Command
from app.runs.work import Owner, Work
from tests.flow.runs_world import World, build, passed


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def beside_each_other(world: World, *names: str) -> str:
    """A run of steps that need not wait for each other; its id."""
    made: list[dict[str, Any]] = [
        {"id": name, "uses": "test.keyed", "timeout": 60, "irreversible": True} for name in names
    ]
    text = {"playbook": "test-beside", "title": {"nl": "Naast", "en": "Beside"}, "modes": ["live"], "steps": made}
    return world.started(world.drill(text, Mode.LIVE))


def begin_all(world: World, life: int) -> dict[str, Work]:
    """Every step that may be begun now is begun by this life of a worker; by name."""
    begun = {}
    for ready in world.ready():
        with world.database.transaction() as session:
            owner = Owner(f"boot-{life}", f"here:{life}")
            work = steps.begin(session, ready.step_run_id, ready.attempt, owner=owner, now=world.now)
            assert work is not None
            begun[session.get_one(StepRun, ready.step_run_id).step_id] = work
    return begun


def die(world: World, life: int) -> None:
    with world.database.transaction() as session:
        handover.take_over(session, [f"boot-{life}"], now=world.later(seconds=5))


def test_of_steps_that_lost_many_workers_each_is_tried_alone_so_that_only_the_one_that_kills_is_parked(
    world: World,
) -> None:
    run_id = beside_each_other(world, "poison", "innocent")
    for life in range(steps.SUSPECT):
        assert set(begin_all(world, life)) == {"poison", "innocent"}
        die(world, life)
    assert set(begin_all(world, 8)) == {"poison"}
    assert world.ready() == []
    die(world, 8)
    assert world.states(run_id)["poison"] == "unknown"
    begun = begin_all(world, 9)
    assert set(begun) == {"innocent"}
    world.finish(begun["innocent"], passed(), owner=Owner("boot-9", "here:9"))
    assert world.states(run_id) == {"poison": "unknown", "innocent": "succeeded"}
    assert {Command.RETRY, Command.ABORT} <= {each.command for each in world.held(run_id).legal()}


def test_a_suspect_at_one_site_holds_up_no_suspect_at_another(world: World) -> None:
    beside_each_other(world, "near", "far")
    with world.database.transaction() as session:
        for row in session.exec(select(StepRun)):
            row.takeovers, row.site = steps.SUSPECT, row.step_id
            session.add(row)
    assert {each.site for each in world.ready()} == {"near", "far"}


def test_a_step_that_cannot_be_begun_waits_for_a_person_with_the_reason(world: World) -> None:
    run_id = beside_each_other(world, "one")
    [ready] = world.ready()
    with world.database.transaction() as session:
        handover.cannot_begin(session, ready.step_run_id, ready.attempt, now=world.now)
    held = world.held(run_id)
    assert (held.run.state, held.steps["one"].state) == ("paused by failed step", "unknown")
    assert "could not be begun" in held.steps["one"].outcome["reason"]["en"]
    assert {Command.RETRY, Command.SKIP, Command.ABORT} <= {each.command for each in held.legal()}


def events(world: World, run_id: str) -> list[str]:
    with world.database.transaction(write=False) as session:
        rows = session.exec(select(RunEvent).where(RunEvent.run_id == run_id).order_by("id"))
        return [row.kind for row in rows]


def note(world: World, work: Work, line: str) -> None:
    with world.database.transaction() as session:
        steps.note(session, work.step_run_id, work.attempt, lines=[line], progress={"done": 1}, now=world.now)


def test_what_a_body_tells_after_its_outcome_is_kept_in_the_log_and_told_no_more(world: World) -> None:
    run_id = beside_each_other(world, "one", "two")
    begun = begin_all(world, 1)
    note(world, begun["one"], "in time")
    world.finish(begun["one"], passed(), owner=Owner("boot-1", "here:1"))
    note(world, begun["one"], "late")
    with world.database.transaction(write=False) as session:
        assert session.get_one(StepRun, begun["one"].step_run_id).log == "in time\nlate\n"
    assert events(world, run_id).count("step.progress") == 1


def test_a_body_whose_step_was_given_to_another_is_killed_and_tells_nothing(world: World) -> None:
    run_id = beside_each_other(world, "one")
    old = begin_all(world, 1)["one"]
    die(world, 1)
    new = begin_all(world, 2)["one"]
    note(world, old, "of the old body")
    with world.database.transaction() as session:
        assert steps.kill_wanted(session, old.step_run_id, old.attempt)
        assert not steps.kill_wanted(session, new.step_run_id, new.attempt)
    assert world.held(run_id).steps["one"].progress == {}
    assert "step.progress" not in events(world, run_id)
