"""Stacked bars (coverage by level) and the bar that sets elapsed time against a goal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from app.core.charts.drawing import Chart, anchor_at, drawing, element, percentage, text
from app.core.formats import duration
from app.core.i18n import gettext as _

ROW = 52
THICK = 26


@dataclass(frozen=True)
class Part:
    """One part of a bar: how many, the name of its kind, and the class that colours it (``level-3``)."""

    label: str
    count: int
    level: int


@dataclass(frozen=True)
class Bar:
    """One row: its name and its parts, in the order they are drawn."""

    label: str
    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """How many the whole bar counts."""
        return sum(part.count for part in self.parts)


def stacked_bars(title: str, bars: Sequence[Bar]) -> Chart:
    """Each bar as shares of its own total, with its name above it and the count in each part."""
    shapes = [shape for row, bar in enumerate(bars) for shape in _row(bar, row * ROW)]
    words = "; ".join(f"{bar.label}: " + ", ".join(f"{part.label} {part.count}" for part in bar.parts) for bar in bars)
    names = tuple(part.label for part in bars[0].parts) if bars else ()
    rows = tuple((bar.label, *(str(part.count) for part in bar.parts), str(bar.total)) for bar in bars)
    svg = drawing(title, words, max(len(bars) * ROW, 1), shapes)
    return Chart(title, svg, ("", *names, _("Total")), rows)


def _row(bar: Bar, top: float) -> Iterator[Markup]:
    yield text("0", top + 13, bar.label)
    yield text("100%", top + 13, str(bar.total), "axis", "end")
    if not bar.total:
        yield element("rect", x="0", y=top + 20, width="100%", height=THICK, rx=6, class_="track")
        return
    start = 0.0
    for part in bar.parts:
        if part.count:
            share = part.count / bar.total
            yield from _part(part, start, share, top + 20)
            start += share


def _part(part: Part, start: float, share: float, top: float) -> Iterator[Markup]:
    # A hair's breadth between the parts tells them apart without colour.
    gap = 0.003 if start + share < 0.999 else 0
    hover = element("title", f"{part.label}: {part.count}")
    yield element(
        "rect",
        hover,
        x=percentage(start),
        y=top,
        width=percentage(share - gap),
        height=THICK,
        rx=4,
        class_=f"level-{part.level}",
    )
    if share > 0.04:
        yield text(
            percentage(start + (share - gap) / 2), top + 18, str(part.count), f"strong ink-{part.level}", "middle"
        )


def goal_bar(title: str, *, used: float, forecast: float | None, goal: float | None) -> Chart:
    """Elapsed seconds against a goal (RTO): solid what is used, dashed what is expected, a line at the goal."""
    longest = max(used, forecast or 0, goal or 0, 1) * 1.02
    tone = "bar-negative" if goal is not None and used > goal else "bar-info"
    shapes = [element("rect", x="0", y=0, width="100%", height=22, rx=6, class_="track")]
    if forecast is not None and forecast > used:
        shapes.append(
            element("rect", x="0", y=1, width=percentage(forecast / longest), height=20, rx=5, class_="bar-forecast")
        )
    shapes.append(element("rect", x="0", y=0, width=percentage(used / longest), height=22, rx=6, class_=tone))
    facts = [(_("Used"), used), (_("Expected end"), forecast), (_("Goal"), goal)]
    if goal is not None:
        at = goal / longest
        shapes.append(element("rect", x=percentage(at - 0.003), y=-4, width="4", height=30, rx=2, class_="bar-goal"))
        label = _("goal {duration}").format(duration=duration(goal))
        shapes.append(text(percentage(at), 44, label, "goal-text", "end" if at > 0.5 else anchor_at(at)))
    rows = tuple((name, duration(value)) for name, value in facts if value is not None)
    words = ", ".join(f"{name}: {value}" for name, value in rows)
    return Chart(title, drawing(title, words, 48, shapes), ("", _("Duration")), rows)
