"""Starts a stopped node so that only we can ask it: read-only, on a private socket, no TCP, nothing thrown away."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from runners.contract import Context
from runners.postgres.connection import Connection
from runners.postgres.folder import MARGIN, SIGNAL, Folder, ProgramFailed
from runners.postgres.recovery import settled
from runners.processes import kill_tree

PREFIX = "wissel-private-"
STOPPING = 30.0
"""Seconds that it gets to stop in an orderly way."""
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "hot_standby": "on",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "restore_command": "",
    "archive_cleanup_command": "",
    "archive_mode": "off",
    "recovery_target_timeline": "current",
    "recovery_target": "",
    "recovery_target_name": "",
    "recovery_target_time": "",
    "recovery_target_xid": "",
    "recovery_target_lsn": "",
    "wal_keep_size": "2000000",
    "max_slot_wal_keep_size": "-1",
    "ssl": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
}
"""A standby that follows nobody, goes no further than its own log, and keeps all of that for a rewind."""


@dataclass(frozen=True)
class Private:
    """A node that runs for us alone."""

    socket: Path
    user: str

    def connect(self, database: str) -> Connection:
        """A connection in autocommit; read-only, for the server is a standby. Raises `psycopg.Error`."""
        info = make_conninfo("", host=str(self.socket), port=5432, user=self.user, dbname=database, connect_timeout=10)
        return psycopg.connect(info, autocommit=True)


@contextmanager
def private(place: Folder, user: str, context: Context) -> Iterator[Private]:
    """The stopped node in `place`, running for `user` on a private socket until the end of the block.

    It replays its own log first, and is stopped in an orderly way afterwards. Raises `ProgramFailed` with what the
    server said where it does not start, replay or stop.
    """
    place.drop_stale_pid()
    place.write(SIGNAL, "")  # without this it would come back as a primary
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    (folder / "access.conf").write_text("local all all trust\n", encoding="utf-8")
    (folder / "names.conf").touch()
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, place.uid, place.gid)
    process = _start(place, folder)
    try:
        yield _awaited(Private(folder, user), process, folder, context)
    finally:
        _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def end_leftover(place: Folder, context: Context) -> None:
    """Stop a private server that an earlier attempt left behind when it was killed. Raises `ProgramFailed`."""
    try:
        lines = (place.path / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    if len(lines) > 4 and Path(lines[4]).name.startswith(PREFIX):
        if place.running():
            place.stop(context)
        shutil.rmtree(lines[4], ignore_errors=True)


def _start(place: Folder, folder: Path) -> subprocess.Popen[bytes]:
    own = {"unix_socket_directories": folder, "hba_file": folder / "access.conf", "ident_file": folder / "names.conf"}
    argv = [str(place.binaries / "postgres"), "-D", str(place.path)]
    for name, value in {**SETTINGS, **own}.items():
        argv += ["-c", f"{name}={value}"]
    root = os.geteuid() == 0
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(
            argv,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"},
            cwd=place.path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=place.uid if root else None,
            group=place.gid if root else None,
            extra_groups=[] if root else None,
        )


def _awaited(server: Private, process: subprocess.Popen[bytes], folder: Path, context: Context) -> Private:
    while process.poll() is None and context.remaining() > MARGIN:
        with suppress(psycopg.OperationalError), server.connect("template1") as link:
            left = settled(link, context)
            if left is not None:
                raise ProgramFailed("postgres", f"started privately, it {left.en}")
            return server
        time.sleep(0.02)
    said = (folder / "server.log").read_text(errors="replace")
    raise ProgramFailed("postgres", f"did not start privately: {said[-600:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            kill_tree(process.pid)
            process.wait()
