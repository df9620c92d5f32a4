"""Charts over time: measured values against a goal, steps that are left against the plan, and steps as spans."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from markupsafe import Markup

from app.core.charts.drawing import Chart, anchor_at, drawing, element, line, path, percentage, stretched, text
from app.core.formats import day, duration, short_clock
from app.core.i18n import gettext as _

PLOT, TOP = 170, 22
Tone = Literal["neutral", "info", "positive", "warning", "negative", "forecast"]


@dataclass(frozen=True)
class StepMark:
    """A step for the burn-down: seconds since the start at which it was planned and really ended (None = not yet)."""

    label: str
    planned_end: float
    actual_end: float | None = None


@dataclass(frozen=True)
class Span:
    """A step for the Gantt: seconds since the start; `end` None means that it still runs."""

    label: str
    start: float
    end: float | None
    tone: Tone = "info"
    note: str = ""


def measured_line(title: str, points: Sequence[tuple[datetime, float]], *, goal: float | None) -> Chart:
    """Measured seconds over the runs, evenly spaced, against a goal; worse than the goal is an open ring."""
    highest = max([value for _when, value in points] + [goal or 0, 1]) * 1.12
    spots = [(_spread(index, len(points)), value / highest) for index, (_when, value) in enumerate(points)]
    shapes = [*_grid(highest), *_goal(goal, highest), stretched(TOP, PLOT, [path(spots, "done")])]
    for (x, y), (when, value) in zip(spots, points, strict=True):
        good = goal is None or value <= goal
        label = element("title", f"{day(when)}: {duration(value)}")
        at = TOP + (1 - y) * PLOT
        shapes.append(
            element("circle", label, cx=percentage(x), cy=f"{at:.1f}", r=6, class_=f"point-{'good' if good else 'bad'}")
        )
    if points:
        shapes.append(text("0", TOP + PLOT + 20, day(points[0][0]), "axis"))
        shapes.append(text("100%", TOP + PLOT + 20, day(points[-1][0]), "axis", "end"))
    rows = tuple((day(when), duration(value), _verdict(value, goal)) for when, value in points)
    words = "; ".join(f"{row[0]}: {row[1]}" for row in rows) or _("Nothing has been measured yet.")
    return Chart(title, drawing(title, words, TOP + PLOT + 26, shapes), (_("Date"), _("Measured"), _("Goal")), rows)


def _spread(index: int, count: int) -> float:
    """Points keep a little distance from the edges, so that none is cut in half."""
    return 0.5 if count < 2 else 0.02 + 0.96 * index / (count - 1)


def _verdict(value: float, goal: float | None) -> str:
    if goal is None:
        return _("no goal")
    return _("met") if value <= goal else _("not met")


def _grid(highest: float) -> Iterator[Markup]:
    for share in (0.0, 0.5, 1.0):
        y = TOP + (1 - share) * PLOT
        yield line("0", y, "100%", y, "gridline")
        if share:
            yield text("0", y - 5, duration(highest * share), "axis")


def _goal(goal: float | None, highest: float) -> Iterator[Markup]:
    if goal is None:
        return
    y = TOP + (1 - goal / highest) * PLOT
    yield line("0", f"{y:.1f}", "100%", f"{y:.1f}", "goal")
    yield text("100%", y - 6, _("goal {duration}").format(duration=duration(goal)), "goal-text", "end")


def burn_down(title: str, steps: Sequence[StepMark], *, now: float, goal: float | None) -> Chart:
    """How many steps are left as time goes on: solid what happened, dashed what was planned, a line at the goal."""
    last = max([step.planned_end for step in steps] + [now, goal or 0, 1]) * 1.04
    count = max(len(steps), 1)
    plan = _stairs(sorted(step.planned_end for step in steps), count, last)
    ended = sorted(step.actual_end for step in steps if step.actual_end is not None)
    real = _stairs(ended, count, last, until=now)
    area = [(0.0, 0.0), *real, (real[-1][0], 0.0)]
    plots = [path(area, "area", closed=True), path(plan, "planned"), path(real, "done")]
    shapes = [*_counts(count), stretched(TOP, PLOT, plots), *_moments(last, now, goal)]
    left = len(steps) - len(ended)
    words = _("{left} of {all} steps are left after {time}.").format(left=left, all=len(steps), time=duration(now))
    rows = tuple((step.label, short_clock(step.planned_end), short_clock(step.actual_end)) for step in steps)
    return Chart(title, drawing(title, words, TOP + PLOT + 26, shapes), (_("Step"), _("Planned"), _("Done")), rows)


def _stairs(ends: Sequence[float], count: int, last: float, until: float | None = None) -> list[tuple[float, float]]:
    points, left = [(0.0, 1.0)], count
    for end in ends:
        points.append((end / last, left / count))
        left -= 1
        points.append((end / last, left / count))
    return [*points, (until / last, left / count)] if until is not None else points


def _counts(count: int) -> Iterator[Markup]:
    for share in (0.0, 0.5, 1.0):
        y = TOP + (1 - share) * PLOT
        yield line("0", y, "100%", y, "gridline")
        if share == 1.0 or (share and count % 2 == 0):
            yield text("0", y - 5, _("{count} steps").format(count=round(count * share)), "axis")


def _moments(last: float, now: float, goal: float | None) -> Iterator[Markup]:
    foot = TOP + PLOT
    yield line(percentage(now / last), TOP, percentage(now / last), foot, "now")
    yield text(
        percentage(now / last),
        foot + 20,
        _("now {time}").format(time=short_clock(now)),
        "strong",
        anchor_at(now / last),
    )
    if goal is None:
        return
    at = goal / last
    yield line(percentage(at), TOP, percentage(at), foot, "goal")
    yield text(percentage(at), TOP - 8, _("goal {time}").format(time=short_clock(goal)), "goal-text", "end")


def gantt(title: str, spans: Sequence[Span], *, now: float) -> Chart:
    """Each step as a bar from its start to its end, its name above it; a running step ends at now."""
    ends = [now if span.end is None else span.end for span in spans]
    last = max([*ends, now, 1]) * 1.01
    shapes: list[Markup] = []
    for row, (span, end) in enumerate(zip(spans, ends, strict=True)):
        top = row * 42
        start, wide = span.start / last, max((end - span.start) / last, 0.004)
        took = (
            duration(end - span.start)
            if span.end is not None
            else _("runs for {duration}").format(duration=duration(end - span.start))
        )
        shapes.append(text("0", top + 13, span.label))
        shapes.append(text("100%", top + 13, took, "axis", "end"))
        shapes.append(element("rect", x="0", y=top + 20, width="100%", height=10, rx=5, class_="track"))
        shapes.append(
            element(
                "rect",
                x=percentage(start),
                y=top + 20,
                width=percentage(wide),
                height=10,
                rx=5,
                class_=f"bar-{span.tone}",
            )
        )
    columns = (_("Step"), _("Start"), _("End"), _("Duration"))
    rows = tuple(_gantt_row(span, end) for span, end in zip(spans, ends, strict=True))
    words = "; ".join(f"{row[0]}: {row[3]}" for row in rows)
    return Chart(title, drawing(title, words, max(len(spans) * 42, 1), shapes), columns, rows)


def _gantt_row(span: Span, end: float) -> tuple[str, str, str, str]:
    ended = short_clock(span.end) if span.end is not None else _("running")
    return span.label, short_clock(span.start), ended, duration(end - span.start)
