"""Each moment of a drill becomes one row: planned, skipped or missed with a reason, however many clocks look."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, select

from app.access.rules import SYSTEM
from app.drills import claiming
from app.drills.claiming import claim_due_moments, miss
from app.drills.models import Blackout, DrillMoment
from app.drills.service import find, plan_alternation, plan_drill
from app.drills.shapes import AlternationIn, DrillIn
from app.plans.lamps import lamps
from app.plans.models import MissedTest
from app.plans.standing import find_plan, standing
from tests.flow.drills_app import NOW, RUNNERS, build, swap


@pytest.fixture
def house(tmp_path):
    made = build(tmp_path)
    yield made
    made.database.dispose()


def plan(house, **more):
    with house.database.transaction() as session:
        return plan_drill(session, DrillIn.model_validate(swap(**more)), SYSTEM, registry=RUNNERS, now=NOW).id


def claim(house, at):
    with house.database.transaction() as session:
        return [row.nominal_local for row in claim_due_moments(session, now=at)]


def rows(house):
    with house.database.transaction(write=False) as session:
        found = session.exec(select(DrillMoment).order_by(col(DrillMoment.due_at))).all()
        return [(row.nominal_local[:10], row.state.value, row.reason_code) for row in found]


FIRST = datetime(2027, 1, 3, 1, tzinfo=UTC)


def test_a_moment_is_claimed_when_it_has_come_and_only_once(house):
    plan(house)
    assert claim(house, FIRST - timedelta(seconds=1)) == []
    assert claim(house, FIRST) == ["2027-01-03T02:00:00"]
    assert claim(house, FIRST) == []
    assert claim(house, FIRST + timedelta(minutes=1)) == []


def test_a_moment_after_the_grace_is_missed_with_its_reason(house):
    plan(house)
    assert claim(house, FIRST + timedelta(hours=1)) == []
    assert rows(house) == [("2027-01-03", "missed", "too-late")]


def test_a_long_absence_leaves_a_row_for_each_moment(house):
    plan(house)
    assert claim(house, datetime(2028, 1, 2, 1, tzinfo=UTC)) == ["2028-01-02T02:00:00"]
    assert [state for _, state, _ in rows(house)] == ["missed"] * 4 + ["planned"]


def test_a_missed_moment_counts_in_the_series_of_its_plan_for_a_year(house):
    drill = plan(house)
    claim(house, FIRST + timedelta(hours=1))
    with house.database.transaction() as session:
        row = session.exec(select(DrillMoment)).one()
        miss(session, row, code="again", reason={}, now=FIRST + timedelta(hours=2))
        found = find_plan(session, find(session, drill).plan_id)

        def missed(at):
            return lamps(session, found, standing(session, found, now=at), now=at).series.missed

        assert missed(FIRST + timedelta(minutes=59)) == 0
        assert missed(FIRST + timedelta(hours=1)) == 1
        assert missed(FIRST + timedelta(days=365)) == 0


def test_a_planned_moment_that_became_no_run_is_missed_and_told_to_its_plan(house):
    plan(house)
    claim(house, FIRST)
    with house.database.transaction() as session:
        row = session.exec(select(DrillMoment)).one()
        miss(session, row, code="drill-not-ready", reason={"nl": "Nee", "en": "No"}, now=FIRST)
        told = session.exec(select(MissedTest)).one()
        assert (told.id, told.at, told.reason_code) == (row.id, FIRST, "drill-not-ready")
    assert rows(house) == [("2027-01-03", "missed", "drill-not-ready")]


def test_after_an_absence_longer_than_one_look_records_only_the_very_last_moment_is_run(house, monkeypatch):
    monkeypatch.setattr(claiming, "MOST_AT_ONCE", 3)
    plan(house, schedule={"kind": "recurring", "hour": "1,2,3,4,5"}, grace="P1D")
    at = datetime(2026, 11, 24, 5, tzinfo=UTC)
    assert claim(house, at) == []
    assert claim(house, at) == ["2026-11-24T05:00:00"]
    assert [state for _, state, _ in rows(house)] == ["missed"] * 4 + ["planned"]


def test_as_many_moments_as_one_look_records_are_no_longer_absence(house, monkeypatch):
    monkeypatch.setattr(claiming, "MOST_AT_ONCE", 3)
    plan(house, schedule={"kind": "recurring", "hour": "1,2,3"}, grace="P1D")
    assert claim(house, datetime(2026, 11, 24, 5, tzinfo=UTC)) == ["2026-11-24T03:00:00"]


def test_of_two_moments_that_are_both_in_time_only_the_last_is_run(house):
    plan(house, schedule={"kind": "recurring", "hour": "2,3"}, grace="PT4H")
    assert claim(house, datetime(2026, 11, 24, 3, tzinfo=UTC)) == ["2026-11-24T03:00:00"]
    assert rows(house)[0] == ("2026-11-24", "missed", "overtaken")


def test_a_moment_outside_the_windows_is_skipped_with_its_reason(house):
    windows = [{"days": ["sun"], "starts": "01:00", "ends": "05:00"}]
    plan(house, schedule={"kind": "recurring", "month": "1", "day": "3", "hour": 2}, windows=windows)
    claim(house, FIRST)
    claim(house, datetime(2028, 1, 3, 1, tzinfo=UTC))
    assert rows(house) == [("2027-01-03", "planned", ""), ("2028-01-03", "skipped", "outside-window")]


def test_an_archived_drill_is_left_alone(house):
    drill = plan(house)
    with house.database.transaction() as session:
        row = find(session, drill)
        row.archived_at = NOW
        session.add(row)
    assert claim(house, FIRST) == []
    assert rows(house) == []


def test_three_years_of_alternating_swaps_with_a_freeze_and_both_clock_changes(house):
    body = {key: value for key, value in swap().items() if key != "inputs"}
    body["schedule"] = {"kind": "recurring", "month": "3,10", "day": "last sun", "hour": 2, "minute": 30}
    with house.database.transaction() as session:
        over, back = plan_alternation(session, AlternationIn.model_validate(body), SYSTEM, registry=RUNNERS, now=NOW)
        session.add(
            Blackout(
                ref="BLK-001",
                name="Verkiezingen",
                starts_at=datetime(2028, 3, 1, tzinfo=UTC),
                ends_at=datetime(2028, 4, 1, tzinfo=UTC),
                created_at=NOW,
            )
        )
        names = {over.id: "over", back.id: "back"}
    claimed = []
    at = NOW
    while at < datetime(2029, 12, 1, tzinfo=UTC):
        at += timedelta(minutes=10) if at.day >= 24 and at.month in {3, 10} else timedelta(hours=6)
        with house.database.transaction() as session:
            claimed += [(row.nominal_local, names[row.drill_id]) for row in claim_due_moments(session, now=at)]
    assert claimed == [
        ("2027-03-28T02:30:00", "over"), ("2027-10-31T02:30:00", "back"), ("2028-10-29T02:30:00", "back"),
        ("2029-03-25T02:30:00", "over"), ("2029-10-28T02:30:00", "back"),
    ]  # fmt: skip
    assert ("2028-03-26", "skipped", "blackout") in rows(house)
    assert len(rows(house)) == 6


def test_many_clocks_at_once_give_each_moment_to_one(house):
    for _ in range(12):
        plan(house)
    claimed, ready = [], threading.Barrier(4)

    def look():
        ready.wait()
        claimed.extend(claim(house, FIRST))

    clocks = [threading.Thread(target=look) for _ in range(4)]
    for each in clocks:
        each.start()
    for each in clocks:
        each.join()
    assert len(claimed) == 12
    assert len(rows(house)) == 12


def test_a_moment_that_another_clock_wrote_is_passed_over(house):
    drill = plan(house)
    with house.database.transaction() as session:
        session.add(
            DrillMoment(
                drill_id=drill, nominal_local="2027-01-03T02:00:00", due_at=FIRST, state="planned", created_at=FIRST
            )
        )
    assert claim(house, FIRST) == []
    assert len(rows(house)) == 1
