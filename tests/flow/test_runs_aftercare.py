"""After a run: what it left must be cleaned up before it has passed, and people look at the stay it began."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from app.catalog.models import Service
from app.core.errors import InvalidInput
from app.findings.models import Finding
from app.playbooks.rules import Mode
from app.runs import obligations, stays
from app.runs.models import Obligation, StayLook
from app.runs.rules import RunVerdict
from tests.flow.runs_world import LINE, World, build, passed
from tests.flow.test_runs_stays import answer, switch


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def leaving(world: World) -> str:
    """A rehearsal in which every step passed and one left a server running."""
    run_id = world.started(world.drill(LINE, Mode.REHEARSAL))
    world.do(passed(left_behind="a throwaway server on port 5555"), step="restore")
    world.do(step="rows")
    return run_id


def owed(world: World) -> Obligation:
    with world.database.transaction() as session:
        return session.exec(select(Obligation)).one()


def complete(world: World, *, forced: bool = False) -> None:
    with world.database.transaction() as session:
        given = {"actor": world.actor("operator"), "reason": "stopped it", "forced": forced, "now": world.now}
        obligations.complete(session, session.exec(select(Obligation)).one().id, **given)


def test_a_run_that_left_something_has_not_passed_before_it_is_cleaned_up(world: World) -> None:
    run_id = leaving(world)
    run = world.held(run_id).run
    assert (run.verdict, "opgeruimd" in run.verdict_reason["nl"]) == (RunVerdict.PARTIAL, True)
    assert owed(world).what == "restore: a throwaway server on port 5555"
    complete(world)
    assert world.held(run_id).run.verdict is RunVerdict.PASSED
    assert owed(world).done_by == "person:operator"


def test_what_is_let_be_never_makes_the_run_pass(world: World) -> None:
    run_id = leaving(world)
    complete(world, forced=True)
    assert world.held(run_id).run.verdict is RunVerdict.PARTIAL


def test_an_obligation_is_met_once(world: World) -> None:
    leaving(world)
    complete(world)
    with pytest.raises(obligations.DoneBefore):
        complete(world)


def test_an_obligation_that_is_late_opens_one_finding(world: World) -> None:
    leaving(world)
    for hours in (23, 25, 26):
        with world.database.transaction() as session:
            obligations.remind(session, now=world.now + timedelta(hours=hours))
            found = len(session.exec(select(Finding)).all())
        assert found == (hours > 24)


def tell(world: World, level: float | None, *, works: bool = True) -> None:
    with world.database.transaction() as session:
        given = {"works": works, "level": level, "actor": world.actor("owner"), "now": world.later(seconds=5)}
        stays.told(session, "pair", **given)


def give_unit(world: World) -> None:
    with world.database.transaction() as session:
        service = session.get_one(Service, "service")
        service.mbco_unit = "permits/day"
        session.add(service)


def test_a_person_counts_the_level_during_a_stay_and_the_lowest_stands(world: World) -> None:
    give_unit(world)
    answer(world, switch(world, "over"), "owner", "done", "owner")
    for level in (40, 30, 50):
        tell(world, level)
    with world.database.transaction() as session:
        looks = session.exec(select(StayLook).order_by("at")).all()
    assert [(each.by, each.level) for each in looks] == [("person:owner", level) for level in (40, 30, 50)]
    switch(world, "back")
    assert world.proofs()["stay"][0] == "pass"


def test_a_level_without_a_unit_and_a_look_without_a_stay_are_refused(world: World) -> None:
    with pytest.raises(stays.NoStay):
        tell(world, None)
    answer(world, switch(world, "over"), "owner", "done", "owner")
    with pytest.raises(InvalidInput):
        tell(world, 3)
