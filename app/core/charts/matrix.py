"""The risk matrix: findings placed on impact and control by the organisation, with an arrow to where they go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from app.core.charts.drawing import Chart, element, line, square, text
from app.core.i18n import gettext as _

Impact = Literal["low", "high"]
Control = Literal["easy", "hard"]
CELL, LEFT, TOP, SLOTS = 160, 30, 4, 4


@dataclass(frozen=True)
class Placed:
    """A finding on the matrix: its reference, its place now and, where measures are planned, after them."""

    ref: str
    title: str
    now: tuple[Impact, Control]
    after: tuple[Impact, Control] | None = None


def risk_matrix(title: str, placed: Sequence[Placed]) -> Chart:
    """Four fields: impact grows upwards, control gets harder to the right; a number points to the row of the table."""
    taken: dict[tuple[Impact, Control], int] = {}
    arrows: list[Markup] = []
    dots: list[Markup] = []
    for number, finding in enumerate(placed, start=1):
        _place(number, finding, taken, arrows, dots)
    rows = tuple(_row(number, finding) for number, finding in enumerate(placed, start=1))
    words = "; ".join(f"{row[1]}: {row[2]}" for row in rows) or _("No findings have been placed yet.")
    svg = square(title, words, LEFT + 2 * CELL + 2, TOP + 2 * CELL + 48, [*_fields(), *_words(), *arrows, *dots])
    return Chart(title, svg, (_("No."), _("Finding"), _("Now"), _("After measures")), rows)


def _fields() -> Iterator[Markup]:
    for impact in range(2):
        for control in range(2):
            x, y = LEFT + control * CELL + 2, TOP + (1 - impact) * CELL + 2
            zone = f"zone-{impact + control}"
            yield element("rect", x=x, y=y, width=CELL - 4, height=CELL - 4, rx=10, class_=zone)


def _words() -> Iterator[Markup]:
    foot = TOP + 2 * CELL
    for column, word in enumerate((_("easy to control"), _("hard to control"))):
        yield text(LEFT + (column + 0.5) * CELL, foot + 20, word, "axis", "middle")
    for row, word in enumerate((_("high impact"), _("low impact"))):
        middle = TOP + (row + 0.5) * CELL
        yield element(
            "text", word, x=20, y=middle, class_="axis", text_anchor="middle", transform=f"rotate(-90 20 {middle:g})"
        )
    yield text(LEFT + CELL, foot + 42, _("dashed: where it goes after the measures"), "axis", "middle")


def _place(
    number: int, finding: Placed, taken: dict[tuple[Impact, Control], int], arrows: list[Markup], dots: list[Markup]
) -> None:
    """Arrows are kept apart, to be drawn below the dots: no arrow hides a number."""
    x, y = _slot(finding.now, taken)
    if finding.after and finding.after != finding.now:
        end = _slot(finding.after, taken)
        arrows.extend(_arrow((x, y), end))
        dots.append(element("circle", cx=end[0], cy=end[1], r=13, class_="ghost"))
        dots.append(text(end[0], end[1] + 4, str(number), "axis", "middle"))
    dots.append(element("circle", element("title", f"{finding.ref} {finding.title}"), cx=x, cy=y, r=14, class_="dot"))
    dots.append(text(x, y + 4, str(number), "dot-ink", "middle"))


def _slot(place: tuple[Impact, Control], taken: dict[tuple[Impact, Control], int]) -> tuple[float, float]:
    """The next free spot in a field; after sixteen they share the last one, and the table still names each."""
    index = min(taken.get(place, 0), SLOTS * SLOTS - 1)
    taken[place] = index + 1
    impact, control = place
    x = LEFT + (CELL if control == "hard" else 0) + (index % SLOTS + 0.5) * CELL / SLOTS
    y = TOP + (0 if impact == "high" else CELL) + (index // SLOTS + 0.5) * CELL / SLOTS
    return x, y


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> Iterator[Markup]:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1)
    ux, uy = dx / length, dy / length
    tip, base = (end[0] - ux * 15, end[1] - uy * 15), (end[0] - ux * 24, end[1] - uy * 24)
    yield line(f"{start[0]:.1f}", f"{start[1]:.1f}", f"{base[0]:.1f}", f"{base[1]:.1f}", "arrow")
    corners = [tip, (base[0] - uy * 5, base[1] + ux * 5), (base[0] + uy * 5, base[1] - ux * 5)]
    yield element("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in corners), class_="arrow-head")


def _row(number: int, finding: Placed) -> tuple[str, str, str, str]:
    names = {
        "low": _("low impact"),
        "high": _("high impact"),
        "easy": _("easy to control"),
        "hard": _("hard to control"),
    }
    now, after = finding.now, finding.after
    later = f"{names[after[0]]}, {names[after[1]]}" if after else _("no measures yet")
    return str(number), f"{finding.ref} {finding.title}", f"{names[now[0]]}, {names[now[1]]}", later
