"""What waits for approval reminds in time and once, is missed with its reason; broken glass is told to everybody."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.access import absence
from app.access.models import Person
from app.access.rules import SYSTEM
from app.core import formats
from app.core.outbox import Channel, OutboxMessage
from app.drills.models import Drill, DrillMoment
from app.drills.rules import MomentState
from app.runs import approval, planning, reminders, service
from app.runs.models import Run
from app.runs.record import ApprovalVerdict
from app.runs.reminders import AT_ONCE, DAY, HALFWAY, HOUR, due
from tests.flow.activation_world import activated, ready
from tests.flow.runs_world import REGISTRY, START, World, build
from tests.reliability import database

HOURS = timedelta(hours=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with database.url(request.param, tmp_path) as url:
        if request.param == "postgresql":
            assert url is not None
            monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        yield build(tmp_path)


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        (100, 0, AT_ONCE),
        (100, 49, AT_ONCE),
        (100, 50, HALFWAY),
        (100, 76, DAY),
        (100, 99, HOUR),
        (100, 100, None),
        (100, -1, None),
        (0.25, 0, AT_ONCE),
        (0.25, 0.2, HALFWAY),
    ],
)
def test_it_is_time_for_the_latest_reminder_that_has_come(hours: float, at: float, expected: str | None) -> None:
    assert due(START, START + hours * HOURS, now=START + at * HOURS) == expected


def told(world: World, kind: str) -> list[tuple[str, str]]:
    with world.database.transaction(write=False) as session:
        rows = session.exec(select(OutboxMessage).where(OutboxMessage.kind == kind).order_by("created_at", "key")).all()
        return [(row.person_id, row.key.split(":")[-2]) for row in rows if row.channel is Channel.MAIL]


def beat(world: World) -> None:
    service.tick(world.database, REGISTRY, now=world.now)


def by_clock(world: World, *, grace: int) -> str:
    """A run that the clock planned for now and that waits for approval."""
    drill_id = world.switch(grace_s=grace, participants=[{"personId": "operator", "role": "crisis-manager"}])
    with world.database.transaction() as session:
        nominal = {"nominal_local": world.now.strftime("%Y-%m-%dT%H:%M:%S"), "due_at": world.now}
        moment = DrillMoment(drill_id=drill_id, state=MomentState.PLANNED, created_at=world.now, **nominal)
        session.add(moment)
        session.flush()
        run = planning.plan_run(session, session.get_one(Drill, drill_id), actor=SYSTEM, now=world.now, moment=moment)
        return run.id


def test_it_reminds_who_can_still_say_yes_once_per_moment_and_is_missed_with_its_reason(either: World) -> None:
    run_id = by_clock(either, grace=100 * 3600)
    for _ in range(3):
        beat(either)
    assert told(either, "approval-asked") == [("approver", AT_ONCE), ("owner", AT_ONCE)], "not the author or planner"
    either.approve(run_id, "approver")
    either.later(hours=50)
    beat(either)
    beat(either)
    assert told(either, "approval-asked")[2:] == [("owner", HALFWAY)], "who said yes is asked no more"
    either.later(hours=49)  # nobody looked a day before: that one is not caught up
    beat(either)
    assert told(either, "approval-asked")[3:] == [("owner", HOUR)]
    either.later(hours=2)
    beat(either)
    with either.database.transaction(write=False) as session:
        run = session.get_one(Run, run_id)
        moment = session.get_one(DrillMoment, run.moment_id)
        assert (run.state.value, run.end_reason["code"]) == ("missed", "not-approved")
        assert (moment.state.value, moment.reason_code) == ("missed", "not-approved")
    assert told(either, "run-missed") == [("operator", "missed")]


def test_a_message_is_in_the_language_of_who_gets_it_and_says_what_is_lacking(world: World) -> None:
    with world.database.transaction() as session:
        session.get_one(Person, "owner").language = "en"
    by_clock(world, grace=3600)
    beat(world)
    with world.database.transaction(write=False) as session:
        texts = {row.person_id: row.text for row in session.exec(select(OutboxMessage))}
    assert "the process owner (owner)" in texts["owner"]
    assert "proceseigenaar (owner)" in texts["approver"]
    assert "11:00" in texts["owner"] or "12:00" in texts["owner"], "when it is too late, on the clock on the wall here"


def test_who_is_away_is_not_asked_and_who_stands_in_is(world: World) -> None:
    with world.database.transaction() as session:
        session.add(
            Person(
                id="dora", ref="PER-009", name="dora", email="d@example.nl", roles=["approver"], created_at=world.now
            )
        )
        session.flush()
        today = formats.local(world.now).date()
        given: dict[str, Any] = {"starts_on": today, "ends_on": today, "deputy": "dora"}
        absence.name(session, world.actor("owner"), **given, now=world.now)
    by_clock(world, grace=3600)
    beat(world)
    assert [person for person, _ in told(world, "approval-asked")] == ["approver", "dora"]


def test_what_is_due_within_a_day_reminds_beforehand_until_it_is_approved(world: World) -> None:
    drill_id = world.switch(next_due_at=world.now + 30 * HOURS)
    for hours in (0, 10, 10, 9.5):
        world.later(hours=hours)
        with world.database.transaction() as session:
            reminders.remind_of_coming(session, now=world.now)
    asked = [key for _, key in told(world, "approval-asked")]
    assert asked == [DAY, DAY, HOUR, HOUR], "each once for each of two"
    with world.database.transaction() as session:
        drill = session.get_one(Drill, drill_id)
        drill.next_due_at = world.now + 20 * HOURS
        session.add(drill)
        digest = approval.compose(session, drill).digest
        for name in ("approver", "owner"):
            given: dict[str, Any] = {"digest": digest, "comment": "", "now": world.now}
            approval.give(session, drill, None, world.actor(name), ApprovalVerdict.APPROVED, **given)
        assert reminders.remind_of_coming(session, now=world.now) == 0


def test_broken_glass_is_told_to_every_approver_and_to_the_program_that_listens(world: World) -> None:
    activated(ready(world))
    assert sorted(person for person, _ in told(world, "glass-broken")) == ["approver", "author", "owner"]
    with world.database.transaction(write=False) as session:
        hook = session.exec(select(OutboxMessage).where(OutboxMessage.channel == Channel.WEBHOOK)).one()
        assert "WITHOUT approval" in hook.subject
