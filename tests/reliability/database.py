"""A PostgreSQL server of its own for a test with many processes; gone with everything in it afterwards."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.lab.pair import NOBODY, LabServer, postgres_binaries


@contextmanager
def server(*, everywhere: bool = False) -> Iterator[tuple[LabServer, str]]:
    """A running server with an empty database, and that database's URL; `everywhere`: for namespaces of sites too."""
    folder = Path(tempfile.mkdtemp(prefix="wissel-many-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    made = LabServer(folder, "database", postgres_binaries())
    try:
        made.create()
        if everywhere:
            with (made.data / "postgresql.conf").open("a") as file:
                file.write("\nlisten_addresses = '*'\n")
            with (made.data / "pg_hba.conf").open("a") as file:
                file.write("\nhost all all 10.213.0.0/16 trust\n")
        made.start()
        with psycopg.connect(made.dsn, autocommit=True) as link:
            link.execute("create database wissel")
        yield made, f"postgresql+psycopg://postgres@127.0.0.1:{made.port}/wissel"
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def url(kind: str, folder: Path) -> Iterator[str | None]:
    """The URL of an empty database of this kind; None where it is SQLite, whose file the world makes itself."""
    if kind == "sqlite":
        yield None
        return
    with server() as (_, address):
        yield address
