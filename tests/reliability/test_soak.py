"""A short soak: what grows without end or gets stuck under load shows here first; `make soak` takes an hour."""

import os
from pathlib import Path

from tests.reliability.soak import p99, soak

SECONDS = float(os.environ.get("WISSEL_SOAK_SECONDS") or (300 if os.environ.get("CI") == "true" else 45))
LONG = SECONDS >= 300


def test_under_load_nothing_gets_stuck_no_answer_is_wrong_and_memory_does_not_grow(tmp_path: Path) -> None:
    found = soak(SECONDS, tmp_path)
    found.tell()
    assert found.runs >= SECONDS / 4
    assert (found.stuck, dict(found.wrong)) == (0, {})
    assert found.events > 0
    # The machine of a test may be busy with others: the figure is told, and only what is far off fails.
    assert p99(found.api) < 5.0
    if LONG:
        assert found.growth(found.serve) < 10, found.serve[:: max(1, len(found.serve) // 20)]
