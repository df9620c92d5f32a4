"""Writes times, durations and figures the way people read them: Dutch or English, in Europe/Amsterdam."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal, format_percent

from app.core.i18n import gettext, language

ZONE = ZoneInfo("Europe/Amsterdam")
NOTHING = "–"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def local(moment: datetime) -> datetime:
    """The moment on the clock on the wall here; a naive time is read as UTC, as the database keeps it."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(ZONE)


def moment(value: datetime | None, style: str = "medium") -> str:
    """Day and time: ``short`` 23-11-2026 14:05, ``medium`` 23 nov 2026, 14:05, ``long`` with weekday and seconds."""
    if value is None:
        return NOTHING
    patterns = {"short": "dd-MM-y HH:mm", "medium": "d MMM y, HH:mm", "long": "EEEE d MMMM y, HH:mm:ss"}
    return format_datetime(local(value), patterns[style], locale=language())


def day(value: date | datetime | None, style: str = "medium") -> str:
    """The day alone: ``medium`` 23 nov 2026, ``long`` 23 november 2026, ``full`` with the weekday."""
    if value is None:
        return NOTHING
    whole = local(value) if isinstance(value, datetime) else value
    patterns = {"medium": "d MMM y", "long": "d MMMM y", "full": "EEEE d MMMM y"}
    return format_date(whole, patterns[style], locale=language())


def time_of_day(value: datetime | None) -> str:
    """Hours, minutes and seconds: 14:05:09."""
    return NOTHING if value is None else format_time(local(value), "HH:mm:ss", locale=language())


def iso(value: datetime) -> str:
    """The moment for a ``<time datetime>``: UTC, to the second."""
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(seconds: float | None) -> str:
    """Seconds in words, at most two units: ``2 u 41 min``, ``45 s``; a negative one has a minus sign."""
    if seconds is None:
        return NOTHING
    sign = "−" if seconds < 0 else ""
    left = round(abs(seconds))
    parts: list[tuple[int, str]] = []
    names = {"d": gettext("d"), "h": gettext("h"), "min": gettext("min"), "s": gettext("s")}
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append((size, f"{count} {names[unit]}"))
    near = [text for size, text in parts if size * 3_600 >= parts[0][0]]
    return sign + " ".join(near[:2])


def milliseconds(value: float | None) -> str:
    """Measured milliseconds: below a second as ``850 ms``, below a minute as ``1,2 s``, else in words."""
    if value is None:
        return NOTHING
    if abs(value) < 1_000:
        return f"{number(round(value))} {gettext('ms')}"
    if abs(value) < 60_000:
        return f"{format_decimal(round(value / 1_000, 1), locale=language())} {gettext('s')}"
    return duration(value / 1_000)


def clock(seconds: float | None) -> str:
    """Elapsed time for the big clock: ``01:02:03``."""
    if seconds is None:
        return "--:--:--"
    minutes, rest = divmod(int(abs(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{'−' if seconds < 0 else ''}{hours:02}:{minutes:02}:{rest:02}"


def short_clock(seconds: float | None) -> str:
    """A time on an axis or beside a step, without needless zeros: ``0:04`` min:s, ``1:02:03`` h:min:s."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(int(abs(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"−{text}" if seconds < 0 else text


def percent(share: float | None) -> str:
    """A share of 1 as a percentage: 0.41 is ``41%``."""
    return NOTHING if share is None else format_percent(share, locale=language())


def number(value: float | None) -> str:
    """A figure with the separators of the language."""
    return NOTHING if value is None else format_decimal(value, locale=language())


def size(octets: int | None) -> str:
    """A file's size: ``12 kB``, ``3,4 MB``."""
    if octets is None:
        return NOTHING
    amount, unit = float(octets), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1_000:
            break
        amount, unit = amount / 1_000, larger
    return f"{format_decimal(round(amount, 1 if amount < 10 else 0), locale=language())} {unit}"


FILTERS = {
    "moment": moment,
    "day": day,
    "time_of_day": time_of_day,
    "iso": iso,
    "duration": duration,
    "milliseconds": milliseconds,
    "clock": clock,
    "short_clock": short_clock,
    "percent": percent,
    "number": number,
    "filesize": size,
}
