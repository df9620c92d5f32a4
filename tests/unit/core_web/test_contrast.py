"""Computes the contrast of the theme's colours by WCAG's formula, in light and in dark."""

import re
from pathlib import Path

import pytest

THEME = Path(__file__).parents[3] / "app" / "static" / "theme.css"
PAIRS = re.compile(r"--basis-([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
TOKENS = {name: (light, dark) for name, light, dark in PAIRS.findall(THEME.read_text())}
GROUNDS = ("color-default-bg-document", "color-default-bg-default", "color-default-bg-subtle")

TEXTS = [
    *[(ink, ground) for ground in GROUNDS for ink in ("color-default-color-default", "color-default-color-subtle")],
    *[("color-action-1-color-default", ground) for ground in (*GROUNDS, "color-action-1-bg-default")],
    *[("color-negative-color-default", ground) for ground in GROUNDS],
    ("color-default-color-default", "color-default-bg-hover"),
    ("color-default-color-subtle", "color-action-1-bg-default"),
    ("color-default-color-default", "color-action-1-bg-default"),
    ("heading-color", "color-default-bg-default"),
    *[
        (f"color-{tone}-color-default", f"color-{tone}-bg-default")
        for tone in ("positive", "warning", "negative", "info", "disabled")
    ],
    *[
        (f"color-{tone}-inverse-color-default", f"color-{tone}-inverse-bg-{state}")
        for tone in ("action-1", "positive", "warning", "negative")
        for state in ("default", "hover")
    ],
    *[(f"color-level-{level}-color-default", f"color-level-{level}-bg-default") for level in range(6)],
]
SHAPES = [
    *[(f"color-level-{level}-bg-default", "color-default-bg-default") for level in range(6)],
    *[
        (f"color-{tone}-border-default", "color-default-bg-default")
        for tone in ("default", "action-1", "positive", "warning", "negative", "info")
    ],
    ("color-default-border-default", "color-default-bg-subtle"),
    ("focus-outline-color", "color-default-bg-document"),
    ("focus-outline-color", "color-default-bg-default"),
]


def luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_gives_the_known_values() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXTS, ids=lambda name: name.removeprefix("color-"))
def test_text_can_be_read_on_its_ground(ink: str, ground: str, theme: int) -> None:
    assert contrast(TOKENS[ink][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("shape", "ground"), SHAPES, ids=lambda name: name.removeprefix("color-"))
def test_a_shape_that_means_something_stands_out(shape: str, ground: str, theme: int) -> None:
    assert contrast(TOKENS[shape][theme], TOKENS[ground][theme]) >= 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_each_level_has_a_colour_of_its_own(theme: int) -> None:
    assert len({TOKENS[f"color-level-{level}-bg-default"][theme] for level in range(6)}) == 6
