"""A worker whose clock on the wall a test can set: the file named by TEST_CLOCK_SET holds by how many seconds."""

import os
import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import app.core.clock
import runners.host_client
from tests.reliability import worker_process

SET = "TEST_CLOCK_SET"


class WallTime(datetime):
    """What the clock shows: the machine's, and by how much it was set."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """The time as this worker reads it."""
        try:
            seconds = float(Path(os.environ[SET]).read_text() or 0)
        except FileNotFoundError:
            seconds = 0.0
        return datetime.now(tz) + timedelta(seconds=seconds)


if __name__ == "__main__":
    for module in (app.core.clock, runners.host_client):
        module.datetime = WallTime  # type: ignore[attr-defined]
    assert len(sys.argv) > 1
    worker_process.main()
