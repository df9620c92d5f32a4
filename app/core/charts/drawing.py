"""The few SVG shapes that every chart is made of, with everything that comes from outside escaped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


@dataclass(frozen=True)
class Chart:
    """A drawing and the same figures as a table: `columns` are its headings, `rows` the text of its cells."""

    title: str
    svg: Markup
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def percentage(share: float) -> str:
    """A share of 1 as an SVG length, kept inside the drawing."""
    return f"{min(max(share, 0.0), 1.0) * 100:.2f}%"


def element(name: str, content: str | Markup = "", **attributes: object) -> Markup:
    """One SVG element; an underscore at the end or within a name stands for a dash (``class_``, ``text_anchor``)."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, escape(content))


def text(x: str | float, y: float, words: str, class_: str = "", anchor: str = "start") -> Markup:
    """A word in the drawing; its size comes from the stylesheet and does not scale with the drawing."""
    return element("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: object, y1: object, x2: object, y2: object, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def drawing(title: str, description: str, height: float, shapes: Iterable[Markup]) -> Markup:
    """An SVG as wide as its place on the page and `height` pixels high."""
    inside = element("title", title) + element("desc", description) + Markup("").join(shapes)
    return element("svg", inside, role="img", aria_label=f"{title}. {description}", width="100%", height=f"{height:g}")


def square(title: str, description: str, width: float, height: float, shapes: Iterable[Markup]) -> Markup:
    """An SVG that keeps its proportions."""
    inside = element("title", title) + element("desc", description) + Markup("").join(shapes)
    return element(
        "svg",
        inside,
        class_="square",
        role="img",
        aria_label=f"{title}. {description}",
        viewBox=f"0 0 {width:g} {height:g}",
    )


def stretched(top: float, height: float, paths: Iterable[Markup]) -> Markup:
    """A plot in which paths run from 0 to 1000 both ways and stretch with the page; lines keep their thickness."""
    return element(
        "svg",
        Markup("").join(paths),
        x="0",
        y=f"{top:g}",
        width="100%",
        height=f"{height:g}",
        viewBox="0 0 1000 1000",
        preserveAspectRatio="none",
    )


def path(points: Sequence[tuple[float, float]], class_: str, *, closed: bool = False) -> Markup:
    """A line through points given as shares of the plot: (0, 0) is bottom left, (1, 1) top right."""
    steps = " L".join(f"{x * 1000:.1f} {(1 - y) * 1000:.1f}" for x, y in points)
    return element("path", d=f"M{steps}{' Z' if closed else ''}", class_=class_) if points else Markup("")


def anchor_at(share: float) -> str:
    """How a word under an axis is aligned, so that the first and last stay inside."""
    return "start" if share < 0.06 else "end" if share > 0.94 else "middle"
