"""Figures of the promises: each long test says here what it measured, for the table GUARANTEES in the README.

`make test` runs every promise with a small count; `make reliability` sets WISSEL_LONG and runs it with the full one.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "test-results" / "figures.jsonl"


def times(short: int, full: int) -> int:
    """How often to try: `full` under `make reliability`, else `short`."""
    return full if os.environ.get("WISSEL_LONG") else short


def told(promise: str, figure: str) -> None:
    """Print and keep the figure of a promise; it judges nothing, the test's own assertions do."""
    print(f"\n{promise}: {figure}")
    FILE.parent.mkdir(exist_ok=True)
    line = {"promise": promise, "figure": figure, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
