"""Draws charts as SVG on the server: they print, follow the theme by class, and each has its table beside it.

A bar's width is a percentage of the page's and a text keeps its size, so that axis words stay readable at 420 px.
Colours stand in wissel.css only; a chart carries <title> and <desc>, and the macro ``chart`` adds "show as table".
"""

from app.core.charts.bars import Bar, Part, goal_bar, stacked_bars
from app.core.charts.drawing import Chart
from app.core.charts.matrix import Placed, risk_matrix
from app.core.charts.time import Span, StepMark, burn_down, gantt, measured_line

__all__ = [
    "Bar",
    "Chart",
    "Part",
    "Placed",
    "Span",
    "StepMark",
    "burn_down",
    "gantt",
    "goal_bar",
    "measured_line",
    "risk_matrix",
    "stacked_bars",
]
