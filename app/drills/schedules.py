"""Says a schedule in words, in the language of the reader."""

import re

from babel.dates import format_date, get_day_names, get_month_names

from app.core.formats import moment
from app.core.i18n import gettext as _
from app.core.i18n import language
from app.drills.rules import OnceAt, Recurring

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBERED = re.compile(r"^(\d+(st|nd|rd|th)|last) ([a-z]{3})$")


def in_words(schedule: OnceAt | Recurring | None) -> str:
    """Such as ``1st Sunday of January, April, July, October, at 02:00``; an unusual rhythm shows its fields."""
    if schedule is None:
        return _("only started by hand")
    if isinstance(schedule, OnceAt):
        if schedule.at.tzinfo is not None:
            return _("once: {moment}").format(moment=moment(schedule.at))
        day = format_date(schedule.at.date(), "d MMM y", locale=language())
        return _("once: {moment}").format(moment=f"{day}, {schedule.at:%H:%M}")
    parts = [_day(schedule), _week_days(schedule), _months(schedule), _clock(schedule), _turns(schedule)]
    words = ", ".join(part for part in parts if part)
    return words if schedule.time_zone == "Europe/Amsterdam" else f"{words} ({schedule.time_zone})"


def _day(schedule: Recurring) -> str:
    if schedule.day is None:
        return "" if schedule.day_of_week or schedule.month is None else _("day 1")
    if found := _NUMBERED.match(schedule.day):
        which = _("last") if found[1] == "last" else _ordinal(found[1])
        return f"{which} {_day_name(found[3])}"
    return _("last day") if schedule.day == "last" else _("day {days}").format(days=schedule.day)


def _ordinal(english: str) -> str:
    """``1st`` as people write it: ``1e`` in Dutch."""
    return english if language() == "en" else english[:-2] + "e"


def _day_name(short: str) -> str:
    return str(get_day_names("wide", locale=language())[_DAYS.index(short)]) if short in _DAYS else short


def _week_days(schedule: Recurring) -> str:
    if schedule.day_of_week is None:
        return ""
    return re.sub(r"[a-z]{3}", lambda found: _day_name(found[0]), schedule.day_of_week).replace(",", ", ")


def _months(schedule: Recurring) -> str:
    if schedule.month is None or schedule.month == "*":
        return _("every month") if schedule.day else ""
    names = get_month_names("wide", locale=language())
    if re.fullmatch(r"\d+(,\d+)*", schedule.month):
        return ", ".join(str(names[int(each)]) if 1 <= int(each) <= 12 else each for each in schedule.month.split(","))
    return _("month {months}").format(months=schedule.month)


def _clock(schedule: Recurring) -> str:
    hour, minute = schedule.hour, schedule.minute or "0"
    if hour is None:
        return _("minute {minutes} of every hour").format(minutes=minute) if schedule.minute else ""
    if hour.isdigit() and minute.isdigit():
        return _("at {time}").format(time=f"{int(hour):02}:{int(minute):02}")
    return _("hour {hours}, minute {minutes}").format(hours=hour, minutes=minute)


def _turns(schedule: Recurring) -> str:
    return "" if schedule.every == 1 else _("one of {count} moments").format(count=schedule.every)
