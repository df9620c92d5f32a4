"""Lays the days of a month out in weeks, for the calendar on a page."""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.dates import format_date, get_day_names

from app.core.i18n import language


@dataclass(frozen=True)
class Day:
    """One cell: its date, whether it lies in the month, whether it is today, and what happens on it."""

    date: date
    inside: bool
    today: bool
    items: Sequence[Any]


@dataclass(frozen=True)
class Month:
    """A month as the macro ``calendar`` draws it; weeks begin on Monday."""

    title: str
    weekdays: tuple[str, ...]
    weeks: tuple[tuple[Day, ...], ...]


def month(year: int, number: int, items: Mapping[date, Sequence[Any]], *, today: date) -> Month:
    """The weeks of a month; `items` are objects with label, href and tone, by local date."""
    weeks = tuple(
        tuple(Day(day, day.month == number, day == today, items.get(day, ())) for day in week)
        for week in calendar.Calendar().monthdatescalendar(year, number)
    )
    names = get_day_names("abbreviated", locale=language())
    title = format_date(date(year, number, 1), "LLLL y", locale=language())
    return Month(title, tuple(names[index] for index in range(7)), weeks)
