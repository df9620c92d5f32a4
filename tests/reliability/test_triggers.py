"""Planned moments that come while several instances look, and while they are killed at the very second: once each."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from app.drills.claiming import begin_from
from app.drills.models import Drill, DrillMoment
from app.playbooks.rules import Mode
from app.runs.models import Run
from tests.reliability import database
from tests.reliability.figures import times, told
from tests.reliability.processes import Ground, ground, playbook, step, until


@pytest.fixture(params=["sqlite", "postgresql"])
def many(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    with database.url(request.param, tmp_path) as url:
        if url is not None:
            monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        else:
            monkeypatch.delenv("WISSEL_TEST_POSTGRES", raising=False)
        made = ground(tmp_path, url)
        made.environment["WISSEL_TICK_SECONDS"] = "0.3"
        yield made
        made.end()


def planned(real: Ground, count: int, at: datetime, text: dict[str, Any]) -> list[str]:
    """So many drills that fall at this moment; their runs wait for approval, so that no step is ever begun."""
    first = real.world.drill(text, Mode.LIVE)
    with real.world.database.transaction() as session:
        like = session.get_one(Drill, first).model_dump(exclude={"id", "ref", "schedule", "next_due_at"})
        number = len(session.exec(select(Drill.id)).all())
        made = [session.get_one(Drill, first)]
        made += [Drill(**like, ref=f"DRL-{number + each:04}") for each in range(1, count)]
        for drill in made:
            drill.schedule, drill.grace_s = {"kind": "once", "at": at.isoformat()}, 600
            begin_from(drill, now=at - timedelta(hours=1))
            session.add(drill)
        return [drill.id for drill in made]


def runs_of(session: Session, drills: list[str]) -> list[str]:
    """The drill of each run there is, sorted."""
    return sorted(session.exec(select(Run.drill_id).where(col(Run.drill_id).in_(drills))))


def settled(real: Ground, drills: list[str]) -> list[str]:
    with real.world.database.transaction(write=False) as session:
        return runs_of(session, drills)


def rows(real: Ground, drills: list[str]) -> list[tuple[str, bool]]:
    """State of each moment of these drills, and whether its run is known."""
    with real.world.database.transaction(write=False) as session:
        found = session.exec(select(DrillMoment).where(col(DrillMoment.drill_id).in_(drills)))
        return [(row.state.value, row.run_id is not None) for row in found]


def soon(seconds: float = 1.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_two_instances_make_one_run_of_each_of_many_moments_that_come_at_once(
    many: Ground, request: pytest.FixtureRequest
) -> None:
    count = times(60, 1000)
    instances = [many.worker(name, lease_seconds=30).start() for name in ("one", "two")]
    drills = planned(many, count, soon(2), playbook("test-at-once", step("one", many.folder)))
    took = until(lambda: len(settled(many, drills)) >= count, f"{count} runs", 60 + count / 2)
    time.sleep(1.5)  # several further looks of both: a second run of any would come now
    assert settled(many, drills) == sorted(drills)
    assert rows(many, drills) == [("planned", True)] * count
    assert all(each.process is not None and each.process.poll() is None for each in instances)
    kind = request.node.callspec.id
    told(f"2 instances × {count} schedules ({kind})", f"{len(drills)} runs of {count}, 0 twice; {took - 2:.1f} s late")


def test_no_moment_is_missed_or_taken_twice_when_an_instance_is_killed_at_the_due_second(
    many: Ground, request: pytest.FixtureRequest
) -> None:
    """On PostgreSQL a second instance lives on; on SQLite the only one is started again."""
    kills, each_time, chance = times(4, 100), 5, random.Random(20261123)
    alone = many.environment["WISSEL_DATABASE_URL"].startswith("sqlite")
    leader = many.worker("leader", lease_seconds=30).start()
    if not alone:
        many.worker("follower", lease_seconds=30).start()
    text, twice, missed, slowest = playbook("test-killed-at", step("one", many.folder)), 0, 0, 0.0
    for _ in range(kills):
        due = soon(0.6)
        drills = planned(many, each_time, due, text)
        time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds() + chance.uniform(-0.05, 0.45)))
        leader.kill()
        leader.start()
        until(lambda drills=drills: len(set(settled(many, drills))) == each_time, "a run of each", 60)
        slowest = max(slowest, (datetime.now(UTC) - due).total_seconds())
        found = settled(many, drills)
        twice += len(found) - len(set(found))
        missed += sum(state != "planned" for state, _ in rows(many, drills))
    with many.world.database.transaction(write=False) as session:
        assert len(session.exec(select(Run.id)).all()) == kills * each_time
    assert (twice, missed) == (0, 0)
    kind = request.node.callspec.id
    told(
        f"{kills} kills at the due second, {each_time} moments each ({kind})",
        f"{missed} missed, {twice} twice; the last run {slowest:.1f} s after its moment",
    )
