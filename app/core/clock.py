"""The one place that asks what time it is; everything else takes the time as an argument.

Two clocks: the one on the wall, which people set and which rows and people share, and the time that passed, which
nobody can set. What lasts within one process (leases, deadlines of bodies, rounds) is measured by the second one.
"""

import time
from datetime import UTC, datetime

SET_BY = 2.0
"""Seconds by which the wall clock must differ from the time that passed to count as set; slewing stays far below."""


def now() -> datetime:
    """The present moment, timezone-aware, UTC."""
    return datetime.now(UTC)


def passed() -> float:
    """Seconds since some moment in the past: never set, and going on while the machine sleeps (where it can tell)."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class WallClock:
    """Notices that the clock on the wall was set: it moved otherwise than the time that passed."""

    def __init__(self) -> None:
        self._difference = self._measured()

    def moved(self) -> float:
        """By how many seconds it was set since the last look; 0 where it was not."""
        found = self._measured()
        step, self._difference = found - self._difference, found
        return step if abs(step) >= SET_BY else 0.0

    @staticmethod
    def _measured() -> float:
        return now().timestamp() - passed()
