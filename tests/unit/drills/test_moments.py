"""When a drill falls: by wall time, once for each, on both changes of the clock."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.drills.moments import UnknownZone, closest, in_gap, in_window, instant, moments
from app.drills.planning import faults_of
from app.drills.rules import OnceAt, Recurring, Window

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
QUARTERLY = {"month": "1,4,7,10", "day": "1st sun", "hour": 2}


def keys(after=NOW, count=4, **fields):
    return [each.key for each in islice(moments(Recurring(**fields), after=after), count)]


def dues(after=NOW, count=4, **fields):
    return [each.due.strftime("%m-%d %H:%M") for each in islice(moments(Recurring(**fields), after=after), count)]


def test_the_first_sunday_of_each_quarter_at_two():
    assert keys(**QUARTERLY) == [
        "2027-01-03T02:00:00",
        "2027-04-04T02:00:00",
        "2027-07-04T02:00:00",
        "2027-10-03T02:00:00",
    ]


def test_half_past_two_falls_once_on_the_autumn_sunday():
    after = datetime(2027, 10, 30, 12, tzinfo=UTC)
    assert dues(after, 3, hour=2, minute=30) == ["10-31 00:30", "11-01 01:30", "11-02 01:30"]


def test_half_past_two_falls_once_after_the_gap_on_the_spring_sunday():
    after = datetime(2027, 3, 27, 12, tzinfo=UTC)
    assert keys(after, 2, hour=2, minute=30) == ["2027-03-28T02:30:00", "2027-03-29T02:30:00"]
    assert dues(after, 2, hour=2, minute=30) == ["03-28 01:00", "03-29 00:30"]


def test_a_skipped_hour_does_not_double_the_next_one():
    after = datetime(2027, 3, 27, 23, 30, tzinfo=UTC)
    assert dues(after, 3, hour="*") == ["03-28 00:00", "03-28 01:00", "03-28 02:00"]


def test_an_alternating_pair_shares_every_moment_of_its_rhythm():
    over = keys(count=6, **QUARTERLY, every=2, offset=0, starts_at=NOW)
    back = keys(count=6, **QUARTERLY, every=2, offset=1, starts_at=NOW)
    assert sorted(over + back) == keys(count=12, **QUARTERLY)
    later = keys(datetime(2028, 1, 1, tzinfo=UTC), 2, **QUARTERLY, every=2, offset=0, starts_at=NOW)
    assert later == over[2:4]


def test_a_schedule_ends_at_its_end():
    assert keys(**QUARTERLY, ends_at=datetime(2027, 5, 1, tzinfo=UTC)) == ["2027-01-03T02:00:00", "2027-04-04T02:00:00"]


@settings(max_examples=60, deadline=None)
@given(
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from(["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"]),
    start=st.datetimes(datetime(2025, 1, 1), datetime(2035, 1, 1)),
)
def test_a_daily_drill_falls_once_on_each_day_whatever_the_clock_does(hour, minute, zone, start):
    schedule = Recurring(hour=hour, minute=minute, time_zone=zone)
    found = list(islice(moments(schedule, after=start.replace(tzinfo=UTC)), 400))
    days = [each.local.date() for each in found]
    assert [later - earlier for earlier, later in pairwise(days)] == [timedelta(days=1)] * 399
    assert all(later.due > earlier.due for earlier, later in pairwise(found))


@settings(max_examples=60, deadline=None)
@given(local=st.datetimes(datetime(2025, 1, 1), datetime(2035, 1, 1)))
def test_a_wall_time_stands_for_the_moment_at_which_the_clock_shows_it(local):
    local = local.replace(microsecond=0)
    shown = instant(local, AMSTERDAM).astimezone(AMSTERDAM).replace(tzinfo=None)
    assert shown == local or (in_gap(local, AMSTERDAM) and shown.hour == 3 and shown.minute == 0)


REFUSED = {
    "30 February": (Recurring(month=2, day=30), "never-fires"),
    "every second": (Recurring(second="*"), "too-often"),
    "every minute": (Recurring(minute="*"), "too-often"),
    "five minutes apart on one day of the year": (Recurring(month=1, day=1, hour=2, minute="0,5"), "too-often"),
    "the ninth sunday": (Recurring(day="9th sun"), "schedule-unclear"),
    "month 13": (Recurring(month=13), "schedule-unclear"),
    "nothing said": (Recurring(), "schedule-empty"),
    "an unknown zone": (Recurring(hour=2, time_zone="Europe/Nergens"), "unknown-zone"),
    "a path as zone": (Recurring(hour=2, time_zone="../../etc/passwd"), "unknown-zone"),
    "end before start": (Recurring(hour=2, starts_at=NOW, ends_at=NOW - timedelta(days=1)), "end-before-start"),
    "counting from nowhere": (Recurring(hour=2, every=2), "start-missing"),
    "inside the spring gap": (OnceAt(at=datetime(2027, 3, 28, 2, 30)), "time-does-not-exist"),
    "yesterday": (OnceAt(at=datetime(2026, 11, 22, 2, 30)), "in-the-past"),
    "in a century": (OnceAt(at=datetime(2126, 11, 22, 2, 30)), "too-far-away"),
}


@pytest.mark.parametrize(("schedule", "code"), REFUSED.values(), ids=REFUSED)
def test_a_schedule_that_cannot_be_is_refused(schedule, code):
    assert [each[1] for each in faults_of(schedule, [], now=NOW)] == [code]


@pytest.mark.parametrize(
    "schedule",
    [
        Recurring(**QUARTERLY),
        Recurring(month=2, day=29),
        Recurring(hour=2, minute=30),
        Recurring(day_of_week="mon-fri", hour=4),
        OnceAt(at=datetime(2026, 11, 23, 13, 0, 1)),
        OnceAt(at=datetime(2027, 10, 31, 2, 30)),
        OnceAt(at=NOW + timedelta(seconds=5)),
    ],
)
def test_a_schedule_that_can_be_is_accepted(schedule):
    assert list(faults_of(schedule, [], now=NOW)) == []


@pytest.mark.parametrize("field", ["1ST SUN", "1;2", "", "x" * 61, "1\n2"])
def test_a_field_in_no_known_form_is_no_schedule(field):
    with pytest.raises(ValidationError):
        Recurring(day=field)


def test_a_leap_day_comes_within_the_horizon():
    assert keys(count=2, month=2, day=29) == ["2028-02-29T00:00:00", "2032-02-29T00:00:00"]


def test_the_shortest_time_between_two_moments_is_found():
    assert closest(Recurring(hour="2,3", minute="0,20"), after=NOW) == timedelta(minutes=20)


def test_an_unknown_zone_is_an_error_of_its_own():
    with pytest.raises(UnknownZone):
        next(iter(moments(Recurring(hour=2, time_zone="Nergens"), after=NOW)))


NIGHT = Window(days=["sat"], starts="22:00", ends="04:00")


@pytest.mark.parametrize(
    ("local", "inside"),
    [
        (datetime(2027, 1, 2, 23), True),
        (datetime(2027, 1, 3, 3), True),
        (datetime(2027, 1, 3, 5), False),
        (datetime(2027, 1, 3, 23), False),
        (datetime(2027, 1, 2, 21, 59), False),
    ],
)
def test_a_window_may_pass_midnight(local, inside):
    assert in_window(local, [NIGHT]) is inside


def test_without_windows_every_time_is_good():
    assert in_window(datetime(2027, 1, 3, 5), [])
