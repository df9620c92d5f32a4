"""What a lost side means: which steps are passed over, what is owed for them, and which times are believed."""

from datetime import UTC, datetime, timedelta

import pytest

from app.playbooks.rules import Lost, Playbook
from app.runs.clocks import Clocks, StepTimes, clocks, outage_since
from app.runs.loss import Loss, Owed, Skipped, alarm_fault, noticed, owed, passed_over, undecided
from app.runs.rules import StepState
from runners.contract import Effect

NOW = datetime(2027, 1, 10, 10, tzinfo=UTC)
PRIMARY = Loss(frozenset({"primary"}), frozenset({"noord"}))


@pytest.mark.parametrize(
    ("rule", "sides", "site", "loss", "expected"),
    [
        (Lost.SKIP, ["primary"], "noord", PRIMARY, True),
        (Lost.SKIP, ["fallback", "primary"], "zuid", PRIMARY, True),
        (Lost.SKIP, ["fallback"], "zuid", PRIMARY, False),
        (Lost.SKIP, ["fallback"], "noord", PRIMARY, True),
        (Lost.SKIP, [], "", PRIMARY, True),
        (Lost.SKIP, ["primary"], "noord", Loss(), False),
        (Lost.ONLY, ["primary"], "noord", PRIMARY, False),
        (None, ["primary"], "noord", PRIMARY, False),
    ],
)
def test_only_what_was_foreseen_and_needs_the_lost_side_is_passed_over(rule, sides, site, loss, expected):
    assert passed_over(rule, sides, site, loss) is expected


def skipped(name, position, effect=Effect.CHANGES, **more):
    return Skipped(name, position, effect, ("primary",), **more)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([skipped("fence", 1), skipped("follow", 5, rejoins=True)], [("fence", True), ("follow", False)]),
        (
            [skipped("fence", 1), skipped("tidy", 7), skipped("follow", 5, rejoins=True)],
            [("fence", True), ("tidy", False), ("follow", False)],
        ),
        ([skipped("fence", 1)], [("fence", True)]),
        ([skipped("look", 1, Effect.OBSERVES)], []),
        ([skipped("look", 1, Effect.OBSERVES, owes=True)], [("look", True)]),
        ([Skipped("ask", 2, None, ("primary",), owes=True)], [("ask", True)]),
        ([Skipped("ask", 2, None, ("primary",))], []),
        ([], []),
    ],
)
def test_what_stands_before_the_return_bars_it_and_looking_alone_owes_nothing(steps, expected):
    assert owed(steps) == [Owed(name, "primary", bars) for name, bars in expected]


@pytest.mark.parametrize(
    ("alarm", "outage", "field"),
    [
        (0, None, None),
        (-600, None, None),
        (-600, -900, None),
        (-600, -600, None),
        (1, None, "alarmAt"),
        (-32 * 86_400, None, "alarmAt"),
        (-600, -599, "outageAt"),
        (-600, -600 - 32 * 86_400, "outageAt"),
    ],
)
def test_an_alarm_lies_in_the_past_month_and_the_outage_not_after_it(alarm, outage, field):
    told = None if outage is None else NOW + timedelta(seconds=outage)
    fault = alarm_fault(NOW + timedelta(seconds=alarm), told, now=NOW)
    assert (fault[0] if fault else None) == field


def playbook(*steps):
    return Playbook.model_validate(
        {"playbook": "p", "title": {"nl": "p", "en": "p"}, "modes": ["live"], "steps": list(steps)}
    )


GO = {"id": "go", "decide": {"nl": "?", "en": "?"}, "options": {"go": "continue"}, "on_timeout": "go"}
PROMOTE = {"id": "promote", "uses": "postgres.promote", "timeout": 60, "point_of_no_return": True}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([GO, {**PROMOTE, "needs": ["go"]}], None),
        ([GO, {"id": "x", "uses": "y", "timeout": 1, "needs": ["go"]}, {**PROMOTE, "needs": ["x"]}], None),
        ([GO, PROMOTE], "promote"),
        ([PROMOTE], "promote"),
        ([{"id": "look", "uses": "x", "timeout": 1}], None),
    ],
)
def test_people_decide_before_what_cannot_be_undone(steps, expected):
    assert undecided(playbook(*steps)) == expected


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def done(name, began, ended, **more):
    return StepTimes(name, StepState.SUCCEEDED, began_at=at(began), finished_at=at(ended), **more)


GO_TIMES = done("go", 60, 200, decides=True)
CUT = done("cut", 210, 215, starts_outage=True, phase="over")
SERVE = done("serve", 220, 260, ends_outage=True)


@pytest.mark.parametrize(
    ("alarm", "outage", "steps", "expected"),
    [
        (None, None, [CUT, SERVE], Clocks(rta_ms=50_000, technical_ms=5_000)),
        (0, 0, [GO_TIMES, CUT, SERVE], Clocks(rta_ms=260_000, decision_ms=200_000, technical_ms=5_000)),
        (0, -40, [GO_TIMES, CUT, SERVE], Clocks(rta_ms=300_000, decision_ms=200_000, technical_ms=5_000)),
        (0, 0, [CUT], Clocks(technical_ms=5_000)),
    ],
)
def test_the_real_thing_counts_from_its_outage_and_decides_from_its_alarm(alarm, outage, steps, expected):
    times = {"alarm_at": None if alarm is None else at(alarm), "outage_at": None if outage is None else at(outage)}
    assert clocks(steps, **times) == expected


@pytest.mark.parametrize(
    ("measured", "canary", "outage", "expected"),
    [
        (None, None, 0, None),
        (None, -30, 0, 30_000),
        (None, 5, 0, 0),
        (1500.0, -30, 0, 1500),
        (None, -30, None, 240_000),
        (0.0, -30, 0, 0),
    ],
)
def test_what_is_lost_is_measured_or_at_most_the_time_since_the_newest_row(measured, canary, outage, expected):
    loss = StepTimes("loss", StepState.SUCCEEDED, rpa_ms=measured, canary_at=None if canary is None else at(canary))
    found = clocks([CUT, loss], outage_at=None if outage is None else at(outage))
    assert found.rpa_ms == expected


def test_without_a_told_outage_it_begins_with_the_step_that_cuts():
    assert outage_since([CUT]) == at(210)
    assert outage_since([CUT], at(3)) == at(3)
    assert outage_since([]) is None


@pytest.mark.parametrize(("ahead", "expected"), [(-5, -5), (0, 0), (0.001, 0), (60, 0), (61, 61)])
def test_a_clock_a_little_ahead_of_ours_never_puts_an_alarm_in_the_future(ahead: float, expected: float) -> None:
    assert noticed(NOW + timedelta(seconds=ahead), now=NOW) == NOW + timedelta(seconds=expected)
