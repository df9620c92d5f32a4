"""How a figure of the bench is told: ours, the reference of the same run, and their ratio; it judges nothing."""

import statistics
import time
from collections.abc import Callable, Sequence

from tests.reliability import figures


def told(what: str, ours: float, reference: float, unit: str = "ms", *, wanted: str = "") -> None:
    """One line of the report, kept as a figure too; `wanted`: what the ratio or the figure should be."""
    aim = f" (wanted: {wanted})" if wanted else ""
    figures.told(what, f"{ours:.1f} {unit} against {reference:.1f} {unit}, ratio {ours / reference:.2f}{aim}")


def spread(values: Sequence[float]) -> str:
    """Least, median and greatest."""
    return f"{min(values):.0f} / {statistics.median(values):.0f} / {max(values):.0f}"


def timed(work: Callable[[], object], times: int) -> float:
    """Median milliseconds of one call."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)
