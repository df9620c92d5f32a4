"""Charts tell the same in the drawing, in its description and in its table, and trust no text from outside."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest

from app.core import charts
from app.core.i18n import speaking

HOSTILE = '"><script>alert(1)</script>'
WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def every_chart(label: str) -> list[charts.Chart]:
    return [
        charts.stacked_bars(label, [charts.Bar(label, (charts.Part(label, 3, 4), charts.Part("b", 0, 5)))]),
        charts.stacked_bars(label, []),
        charts.goal_bar(label, used=70, forecast=90, goal=60),
        charts.goal_bar(label, used=0, forecast=None, goal=None),
        charts.risk_matrix(label, [charts.Placed(label, label, ("high", "hard"), ("low", "easy"))] * 40),
        charts.risk_matrix(label, []),
        charts.measured_line(label, [(WHEN, 30), (WHEN, 90)], goal=60),
        charts.measured_line(label, [], goal=None),
        charts.burn_down(label, [charts.StepMark(label, 60, 70), charts.StepMark("b", 90)], now=80, goal=120),
        charts.burn_down(label, [], now=0, goal=None),
        charts.gantt(label, [charts.Span(label, 0, 10), charts.Span("b", 10, None)], now=30),
        charts.gantt(label, [], now=0),
    ]


@pytest.mark.parametrize("number", range(12))
def test_a_chart_is_sound_xml_with_a_title_and_a_description_and_no_style(number: int) -> None:
    chart = every_chart("Dekking & zekerheid")[number]
    drawn = ET.fromstring(chart.svg)
    assert [child.tag for child in drawn[:2]] == ["title", "desc"]
    assert drawn[0].text == "Dekking & zekerheid"
    assert all("style" not in shape.attrib and "fill" not in shape.attrib for shape in drawn.iter())


@pytest.mark.parametrize("number", range(12))
def test_a_name_from_outside_cannot_become_markup(number: int) -> None:
    chart = every_chart(HOSTILE)[number]
    assert "<script" not in chart.svg
    ET.fromstring(chart.svg)


@pytest.mark.parametrize("number", range(12))
def test_nothing_is_drawn_outside_the_page(number: int) -> None:
    drawn = ET.fromstring(every_chart("x")[number].svg)
    lengths = [float(value[:-1]) for shape in drawn.iter() for value in shape.attrib.values() if value.endswith("%")]
    assert all(0 <= length <= 100 for length in lengths)


def test_the_table_beside_a_chart_says_the_same() -> None:
    with speaking("nl"):
        line = charts.measured_line("x", [(WHEN, 3600), (WHEN, 12000)], goal=10800)
        assert [row[1:] for row in line.rows] == [("1 u", "gehaald"), ("3 u 20 min", "niet gehaald")]
        burn = charts.burn_down("x", [charts.StepMark("a", 60, 70), charts.StepMark("b", 90)], now=80, goal=None)
        assert burn.rows == (("a", "1:00", "1:10"), ("b", "1:30", "–"))
        assert "Na 1 min 20 s zijn nog 1 van 2 stappen te doen." in burn.svg
        matrix = charts.risk_matrix("x", [charts.Placed("BEV-1", "Weg", ("high", "easy"), ("low", "easy"))])
        assert matrix.rows[0][2:] == ("grote impact, makkelijk te beheersen", "kleine impact, makkelijk te beheersen")


def test_time_over_the_goal_does_not_look_like_time_within_it() -> None:
    assert "bar-negative" in charts.goal_bar("x", used=61, forecast=None, goal=60).svg
    assert "bar-negative" not in charts.goal_bar("x", used=60, forecast=None, goal=60).svg
