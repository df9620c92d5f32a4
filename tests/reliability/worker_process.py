"""A worker as a process of its own, for tests that kill it: settings from the environment, ends with its input."""

import os
import sys
from pathlib import Path

from app.core.db import Database
from app.core.settings import Settings
from app.worker import Worker
from runners import registry
from tests.reliability import crash_points


def main() -> None:
    """Work until standard input ends; the file named says when it has begun."""
    if crash_points.FOLDER in os.environ:
        crash_points.install()
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    worker = Worker(settings, Database(settings.url), registry.load())
    worker.start()
    Path(sys.argv[1]).touch()
    sys.stdin.read()
    worker.stop()


if __name__ == "__main__":
    main()
