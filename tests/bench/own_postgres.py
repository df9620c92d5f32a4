"""A PostgreSQL for Wissel itself, with an empty database for each measurement."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.lab.pair import NOBODY, LabServer, postgres_binaries


@dataclass
class OwnPostgres:
    """A running server."""

    server: LabServer
    made: int = 0

    def empty(self) -> str:
        """The URL of a new database."""
        self.made += 1
        name = f"wissel_{self.made}"
        with psycopg.connect(self.server.dsn, autocommit=True) as link:
            link.execute(f"create database {name}")
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.server.port}/{name}"


@contextmanager
def running() -> Iterator[OwnPostgres]:
    """It runs as an ordinary user; nothing of it is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="wissel-bench-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    server = LabServer(folder, "database", postgres_binaries())
    try:
        server.create()
        server.start()
        yield OwnPostgres(server)
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)
