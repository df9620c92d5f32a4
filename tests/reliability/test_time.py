"""Time that misbehaves: both clock changes, a clock that is set during a run, days of absence, a freeze added late."""

import copy
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from app.core import audit
from app.drills.claiming import begin_from, next_due
from app.drills.models import Blackout, Drill, DrillMoment
from app.plans.models import MissedTest
from app.playbooks.rules import Mode
from app.runs import facts, guards, planning, service
from app.runs.leases import WorkerLease
from app.runs.models import GuardState, Run, RunEvent, SeenFact
from app.runs.planning import InFreeze
from app.runs.rules import RunState
from tests.flow.runs_world import LINE, REGISTRY, World, build, failed
from tests.reliability import database, slow
from tests.reliability.figures import times, told
from tests.reliability.other_worker import set_clock, with_a_clock_to_set
from tests.reliability.processes import Ground, ground, playbook, step

YEAR, TEN_MINUTES = 365 * 86_400.0, 600.0


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.delenv("WISSEL_TEST_POSTGRES", raising=False)
    made = build(tmp_path)
    yield made
    made.database.dispose()


def beat(world: World, at: datetime) -> None:
    """A beat of the clock at this moment."""
    world.now = at
    service.tick(world.database, REGISTRY, now=at)


def planned(world: World, schedule: dict[str, Any], since: datetime, **more: Any) -> str:
    """A rehearsal with this schedule, planned at `since`; its id."""
    drill_id = world.drill(LINE, Mode.REHEARSAL, schedule={"kind": "recurring", **schedule}, **more)
    with world.database.transaction() as session:
        drill = session.get_one(Drill, drill_id)
        begin_from(drill, now=since)
        session.add(drill)
    return drill_id


def moments(world: World) -> list[tuple[str, str, str]]:
    with world.database.transaction(write=False) as session:
        rows = session.exec(select(DrillMoment).order_by(col(DrillMoment.due_at), col(DrillMoment.nominal_local)))
        return [(row.nominal_local, row.state.value, row.reason_code) for row in rows]


def runs(world: World) -> int:
    with world.database.transaction(write=False) as session:
        return len(session.exec(select(Run.id)).all())


@pytest.mark.parametrize(
    ("told_of", "begin", "schedule", "expected"),
    [
        ("half past two does not exist", "2027-03-28T00:00", {"hour": "2", "minute": "30"}, ["2027-03-28T02:30:00"]),
        ("half past two comes twice", "2027-10-30T23:00", {"hour": "2", "minute": "30"}, ["2027-10-31T02:30:00"]),
        (
            "each hour of the night without a second hour",
            "2027-03-27T23:30",
            {"hour": "1,2,3"},
            ["2027-03-28T01:00:00", "2027-03-28T03:00:00"],
        ),
        (
            "each hour of the night with two second hours",
            "2027-10-30T22:30",
            {"hour": "1,2,3"},
            ["2027-10-31T01:00:00", "2027-10-31T02:00:00", "2027-10-31T03:00:00"],
        ),
    ],
)
def test_a_moment_fires_once_over_both_clock_changes(
    world: World, told_of: str, begin: str, schedule: dict[str, Any], expected: list[str]
) -> None:
    since = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    planned(world, schedule, since, grace_s=3600)
    for minutes in range(0, 300, 5):
        beat(world, since + timedelta(minutes=minutes))
    found = [row for row in moments(world) if row[0] <= expected[-1]]
    assert found == [(each, "planned", "") for each in expected], told_of
    assert runs(world) == len(expected)


@pytest.mark.parametrize("night", ["2027-03-28T00:30", "2027-10-31T00:30"], ids=["spring", "autumn"])
def test_a_wait_of_an_hour_lasts_an_hour_while_the_clocks_change(world: World, night: str) -> None:
    text = copy.deepcopy(LINE)
    text["playbook"] = "test-wait"
    text["steps"].insert(1, {"id": "hold", "wait": "PT1H", "needs": ["restore"]})
    text["steps"][2]["needs"] = ["hold"]
    world.now = datetime.fromisoformat(night).replace(tzinfo=UTC)
    world.started(world.drill(text, Mode.REHEARSAL))
    world.do(step="restore")
    beat(world, world.now + timedelta(minutes=59))
    assert world.ready() == []
    beat(world, world.now + timedelta(minutes=1, seconds=1))
    assert len(world.ready()) == 1


def test_after_days_of_absence_each_moment_is_there_with_its_reason_and_only_one_is_run(world: World) -> None:
    since = datetime(2027, 1, 11, 6, 30, tzinfo=UTC)
    planned(world, {"hour": "*/2"}, since, grace_s=3 * 3600)
    beat(world, since + timedelta(days=3, minutes=45))
    found = moments(world)
    assert len(found) == 37
    assert [state for _, state, _ in found] == ["missed"] * 36 + ["planned"]
    assert {code for _, _, code in found[:35]} == {"too-late"}
    assert found[35][2] == "overtaken"
    assert runs(world) == 1
    with world.database.transaction(write=False) as session:
        assert len(session.exec(select(MissedTest)).all()) == 36
    told("three days down, a moment every two hours", "37 moments: 1 run, 36 missed, each with its reason")


def test_a_clock_that_showed_next_year_for_a_while_costs_no_moment_of_this_year(world: World) -> None:
    now = datetime(2027, 1, 11, 6, 30, tzinfo=UTC)
    drill_id = planned(world, {"month": "*", "day": "1"}, now, grace_s=600)
    beat(world, now + timedelta(days=365))
    assert [state for _, state, _ in moments(world)] == ["missed"] * 12
    beat(world, now + timedelta(minutes=1))
    assert {code for _, _, code in moments(world)} == {"clock-was-ahead"}
    with world.database.transaction(write=False) as session:
        assert session.exec(select(MissedTest)).all() == []
        drill = session.get_one(Drill, drill_id)
        assert drill.next_due_at == next_due(drill, after=now)
    for month in range(2, 13):
        beat(world, datetime(2027, month, 1, tzinfo=UTC) - timedelta(hours=1 if month in (2, 3, 11, 12) else 2))
        beat(world, world.now + timedelta(minutes=1))
    assert sum(state == "planned" for _, state, _ in moments(world)) == runs(world) == 11


def test_a_clock_that_showed_next_year_twice_leaves_names_that_the_table_can_hold(world: World) -> None:
    now = datetime(2027, 1, 11, 6, 30, tzinfo=UTC)
    planned(world, {"month": "*", "day": "1"}, now, grace_s=600)
    for minutes in (1, 2, 3):
        beat(world, now + timedelta(days=365, minutes=minutes))
        beat(world, now + timedelta(minutes=minutes))
    names = [name for name, _, _ in moments(world)]
    assert len(set(names)) == len(names) == 36
    assert max(len(name) for name in names) <= 40  # PostgreSQL refuses a longer one, and the clock would stand still


def test_a_clock_set_back_ten_minutes_brings_no_moment_twice(world: World) -> None:
    now = datetime(2027, 1, 11, 6, 55, tzinfo=UTC)
    planned(world, {"hour": "*", "minute": "0,5"}, now, grace_s=900)
    for minutes in (6, 11, *range(1, 16)):  # eleven minutes, then the same ones again
        beat(world, now + timedelta(minutes=minutes))
    assert runs(world) == 2
    assert [state for _, state, _ in moments(world)] == ["planned", "planned"]


def seen(world: World, run_id: str, at: datetime, **more: Any) -> None:
    fact = "fenced:PAIR-001:primary"
    with world.database.transaction() as session:
        session.add(SeenFact(run_id=run_id, fact=fact, holds=True, at=at, step_id="fenced", **more))


@pytest.mark.parametrize(
    ("age", "holds"),
    [(0, True), (59, True), (61, False), (-1, True), (-3, False), (-599, False), (-YEAR, False), (YEAR, False)],
)
def test_a_fact_from_a_clock_that_was_set_is_not_fresh(world: World, age: float, holds: bool) -> None:
    run_id = world.started(world.switch())
    seen(world, run_id, world.now - timedelta(seconds=age))
    with world.database.transaction() as session:
        row = next(each for each in world.held(run_id).steps.values() if each.step_id == "promote")
        assert (facts.missing(session, session.get_one(Run, run_id), row, now=world.now) == []) is holds


def test_when_the_clock_was_set_nothing_that_was_seen_before_holds(world: World) -> None:
    run_id = world.started(world.switch())
    seen(world, run_id, world.now, signed_by="person:operator")
    with world.database.transaction() as session:
        assert facts.void_all(session) == 1
    with world.database.transaction() as session:
        row = next(each for each in world.held(run_id).steps.values() if each.step_id == "promote")
        assert facts.missing(session, session.get_one(Run, run_id), row, now=world.now) != []


GUARDED: dict[str, Any] = {
    **copy.deepcopy(LINE),
    "playbook": "test-guarded",
    "guards": [{"id": "served", "uses": "test.look", "from": "restore", "until": "rows", "every": 30, "tolerate": 60}],
}


def test_a_guard_goes_on_looking_after_the_clock_was_set_back_and_acts_after_its_tolerance(world: World) -> None:
    run_id = world.started(world.drill(GUARDED, Mode.REHEARSAL))
    world.do(step="restore")

    def look(outcome: Any) -> int:
        with world.database.transaction() as session:
            due = guards.due(session, None, now=world.now)
            for each in due:
                guards.seen(session, each.run_id, each.guard_id, outcome, now=world.now)
        return len(due)

    assert look(failed()) == 1
    world.later(minutes=-10)
    assert look(failed()) == 1, "it would else not look for ten minutes"
    with world.database.transaction(write=False) as session:
        assert session.exec(select(GuardState)).one().since == world.now
    world.later(seconds=61)
    assert look(failed()) == 1
    assert world.held(run_id).run.state is RunState.PAUSED_BY_GUARD


def freeze(world: World, begin: datetime, hours: float) -> None:
    with world.database.transaction() as session:
        end, number = begin + timedelta(hours=hours), len(session.exec(select(Blackout.id)).all()) + 1
        session.add(
            Blackout(ref=f"BLK-{number:03}", name="Verkiezingen", starts_at=begin, ends_at=end, created_at=begin)
        )


def test_a_freeze_added_between_claim_and_start_keeps_the_run_from_starting(world: World) -> None:
    run_id = world.planned(world.switch())
    freeze(world, world.now - timedelta(minutes=1), 2)
    world.approve(run_id)
    held = world.held(run_id).run
    assert (held.started_at, held.end_reason["code"]) == (None, "blackout")
    with pytest.raises(InFreeze, match="Verkiezingen"), world.database.transaction() as session:
        planning.start(session, run_id, actor=world.actor("operator"), now=world.now)
    beat(world, world.now + timedelta(hours=1))
    assert world.held(run_id).run.started_at is None
    beat(world, world.now + timedelta(hours=1))
    assert world.held(run_id).run.state is RunState.RUNNING


def test_a_run_of_the_clock_that_a_late_freeze_outlasts_is_missed_with_that_reason(world: World) -> None:
    at = datetime(2027, 1, 11, 6, 55, tzinfo=UTC)
    world.now = at
    drill_id = world.switch(grace_s=900, schedule={"kind": "recurring", "hour": "8"})
    with world.database.transaction() as session:
        begin_from(session.get_one(Drill, drill_id), now=at)
    beat(world, at + timedelta(minutes=6))
    with world.database.transaction(write=False) as session:
        [run_id] = session.exec(select(Run.id)).all()
    freeze(world, world.now, 3)
    world.approve(run_id)
    beat(world, world.now + timedelta(minutes=16))
    run = world.held(run_id).run
    assert (run.state, run.end_reason["code"], run.started_at) == (RunState.MISSED, "blackout", None)
    assert moments(world) == [("2027-01-11T08:00:00", "missed", "blackout")]


def many_drills(session: Session, like: str, count: int, now: datetime) -> None:
    fields = session.get_one(Drill, like).model_dump(exclude={"id", "ref", "schedule", "next_due_at"})
    for number in range(count):
        drill = Drill(**fields, ref=f"DRL-{number + 2:06}")
        drill.schedule = {"kind": "recurring", "month": "1,4,7,10", "day": "1st sun", "hour": str(number % 24)}
        drill.planned_until, drill.next_due_at = now, now + timedelta(days=80, seconds=number)
        session.add(drill)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_beat_over_ten_thousand_schedules_is_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    count = times(3_000, 10_000)
    with database.url(kind, tmp_path) as url:
        monkeypatch.delenv("WISSEL_TEST_POSTGRES", raising=False)
        if url is not None:
            monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        world = build(tmp_path)
        due = [planned(world, {"hour": "12", "minute": "0"}, world.now) for _ in range(5)]
        with world.database.transaction() as session:
            many_drills(session, due[0], count, world.now)
        at, took = datetime(2027, 1, 10, 11, 0, 1, tzinfo=UTC), []
        for seconds in range(5):
            begun = time.monotonic()
            beat(world, at + timedelta(seconds=seconds))
            took.append(time.monotonic() - begun)
        assert runs(world) == len(due)
        world.database.dispose()
    told(
        f"a tick over {count} schedules ({kind})",
        f"{min(took[1:]) * 1000:.0f} ms with none due, {took[0] * 1000:.0f} ms with {len(due)} due",
    )
    assert min(took) < 5, took


LEASE = 6.0


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    with database.url("postgresql", tmp_path) as url:
        assert url is not None
        monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        made = ground(tmp_path, url)
        yield made
        made.end()


def happened(real: Ground, run_id: str) -> list[str]:
    with real.world.database.transaction(write=False) as session:
        return list(session.exec(select(RunEvent.kind).where(RunEvent.run_id == run_id)))


def test_a_clock_set_during_a_run_buries_nobody_and_wakes_no_dead(real: Ground) -> None:
    workers = [with_a_clock_to_set(real, name, LEASE).start() for name in ("one", "two")]
    for number, seconds in enumerate((-TEN_MINUTES, YEAR)):
        run_id = real.begun(playbook(f"test-set-{number}", step(f"s{number}", real.folder, "never")))
        real.wait_called(number + 1)
        for each in workers:
            set_clock(each, seconds)
            time.sleep(1.5 * LEASE)  # one before the other: for so long their clocks differ
        assert real.state(run_id) == "running"
        real.go(f"s{number}")
        real.wait_state(run_id, "completed", 20 * LEASE)
        assert "step.worker-lost" not in happened(real, run_id)
        for each in workers:
            set_clock(each, 0)
        time.sleep(0.5 * LEASE)
    with real.world.database.transaction(write=False) as session:
        assert [row.ended_at for row in session.exec(select(WorkerLease))] == [None, None]
        events = session.exec(select(audit.AuditEvent).where(audit.AuditEvent.action == "clock.set")).all()
        assert len(events) >= 6
    dying, other = workers
    run_id = real.begun(playbook("test-dead-ahead", step("last", real.folder)))
    real.wait_called(3)
    with real.world.database.transaction(write=False) as session:
        boots = {row.pid: row.boot_id for row in session.exec(select(WorkerLease))}
        owner = next(row.boot_id for row in real.world.held(run_id).steps.values())
    dying = dying if dying.process and boots[dying.process.pid] == owner else other
    set_clock(dying, YEAR)
    time.sleep(0.5 * LEASE)  # it beats: by the clock of the living its lease lasts a year from here on
    dying.kill()
    begun = time.monotonic()
    real.go()
    real.wait_state(run_id, "completed", 20 * LEASE)
    took = time.monotonic() - begun
    assert real.told(slow.EFFECTS).count("last") == 1
    told(
        "clock set back 10 minutes and forward a year during a run (2 workers, PostgreSQL)",
        f"0 living workers buried, 0 effects twice; a dead one whose lease ends next year taken over in {took:.1f} s "
        f"(lease {LEASE:.0f} s)",
    )
