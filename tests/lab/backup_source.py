"""A real PostgreSQL server with something in it, that backups are made of."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from runners.backup.tools import CannotLook, given_or_found

ROWS = 500
SCHEMA = f"""
CREATE TABLE permit (number text PRIMARY KEY, applicant text NOT NULL, filed_at timestamptz, fee numeric, raw bytea);
INSERT INTO permit
SELECT 'p' || n, 'Zoë Çelik ' || n, now() - n * interval '1 minute', n / 3.0, decode(md5(n::text), 'hex')
FROM generate_series(1, {ROWS}) AS n;
CREATE TABLE "Odd name" (id int PRIMARY KEY, said date);
INSERT INTO "Odd name" VALUES (1, current_date);
CREATE TABLE nothing (id int);
CREATE TABLE keyless (id int);
INSERT INTO keyless VALUES (1);
CREATE TABLE mangled (id int PRIMARY KEY, name text);
INSERT INTO mangled VALUES (1, 'ZoÃ«');
CREATE TABLE lost (id int PRIMARY KEY, name text);
INSERT INTO lost VALUES (1, 'Zo?');
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS $$ SELECT n * 2; $$;
CREATE ROLE clerk LOGIN;
CREATE ROLE asleep NOLOGIN;
ALTER TABLE nothing OWNER TO clerk;
GRANT SELECT ON permit TO asleep;
"""


class Source:
    """The real server that the backups are made of."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder, self.binaries = folder, binaries
        self.user = "nobody" if os.geteuid() == 0 else None

    def tool(self, name: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(self.binaries / name), *map(str, arguments)],
            user=self.user, extra_groups=[] if self.user else None, cwd="/", capture_output=True, text=True,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr
        return done

    @property
    def dsn(self) -> str:
        return f"host={self.folder} user=owner dbname=permits"

    def path(self, name: str) -> Path:
        return self.folder / "made" / name


@contextmanager
def serving() -> Iterator[Source]:
    """The server, running; skipped, or a failure where CI=true, when its programs are not installed."""
    try:
        binaries = given_or_found(None)[0].folder
    except CannotLook:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL programs are missing")
        pytest.skip("not run: PostgreSQL programs are missing")
    folder = Path(tempfile.mkdtemp(prefix="wissel-src-"))
    server = Source(folder, binaries)
    (folder / "made").mkdir()
    if server.user:
        for path in (folder, folder / "made"):
            shutil.chown(path, server.user)
    server.tool("initdb", "-D", folder / "data", "-U", "owner", "-A", "trust", "-E", "UTF8", "--locale=C", "-k", "-N")
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    process = subprocess.Popen(
        [str(binaries / "postgres"), "-D", str(folder / "data"), *options, "-c", "max_connections=130"],
        user=server.user, extra_groups=[] if server.user else None, cwd="/", stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        admin = f"host={folder} user=owner dbname=postgres"
        while server.tool("psql", "-d", admin, "-c", "SELECT 1", check=False).returncode != 0:
            assert process.poll() is None
            time.sleep(0.05)
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("CREATE DATABASE permits")
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(10)
        shutil.rmtree(folder)
