"""Times and figures as people read them."""

from datetime import UTC, date, datetime

import pytest

from app.core import formats
from app.core.i18n import speaking
from app.core.month import month


@pytest.mark.parametrize(
    ("seconds", "dutch", "english"),
    [
        (0, "0 s", "0 s"),
        (45, "45 s", "45 s"),
        (60, "1 min", "1 min"),
        (9660, "2 u 41 min", "2 h 41 min"),
        (3600, "1 u", "1 h"),
        (90061, "1 d 1 u", "1 d 1 h"),
        (-65, "−1 min 5 s", "−1 min 5 s"),
        (None, "–", "–"),
    ],
)
def test_a_duration_is_told_in_words(seconds: int | None, dutch: str, english: str) -> None:
    with speaking("nl"):
        assert formats.duration(seconds) == dutch
    with speaking("en"):
        assert formats.duration(seconds) == english


def test_a_moment_stands_on_the_dutch_clock_before_and_after_the_clock_goes_back() -> None:
    with speaking("nl"):
        assert formats.moment(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == "25 okt 2026, 02:30"
        assert formats.moment(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == "25 okt 2026, 02:30"
        assert formats.moment(datetime(2026, 7, 1, 12, tzinfo=UTC).replace(tzinfo=None), "short") == "01-07-2026 14:00"


@pytest.mark.parametrize(
    ("ms", "text"), [(850, "850 ms"), (1_240, "1,2 s"), (59_949, "59,9 s"), (75_000, "1 min 15 s")]
)
def test_measured_time_keeps_the_precision_that_matters(ms: int, text: str) -> None:
    with speaking("nl"):
        assert formats.milliseconds(ms) == text


def test_the_big_clock_counts_on_past_a_day() -> None:
    assert formats.clock(3723) == "01:02:03"
    assert formats.clock(100 * 3600) == "100:00:00"


def test_a_month_begins_on_monday_and_knows_today() -> None:
    with speaking("nl"):
        november = month(2026, 11, {}, today=date(2026, 11, 23))
    assert (november.title, november.weekdays[0]) == ("november 2026", "ma")
    assert november.weeks[0][0].date == date(2026, 10, 26)
    assert [day.date.day for week in november.weeks for day in week if day.today] == [23]
