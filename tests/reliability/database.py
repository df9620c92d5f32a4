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
def server(address: str = "127.0.0.1") -> Iterator[tuple[LabServer, str]]:
    """A running server with an empty database, and that database's URL; `address`: where it listens as well."""
    folder = Path(tempfile.mkdtemp(prefix="wissel-many-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    made = LabServer(folder, "database", postgres_binaries())
    try:
        made.create()
        if address != "127.0.0.1":
            with (made.data / "postgresql.conf").open("a") as file:
                file.write(f"\nlisten_addresses = '127.0.0.1,{address}'\n")
            with (made.data / "pg_hba.conf").open("a") as file:
                file.write("\nhost all all 10.213.0.0/16 trust\n")
        made.start()
        with psycopg.connect(made.dsn, autocommit=True) as link:
            link.execute("create database wissel")
        yield made, f"postgresql+psycopg://postgres@{address}:{made.port}/wissel"
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
