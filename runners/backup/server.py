"""A throwaway PostgreSQL server on a private UNIX socket: no TCP, our own configuration, gone at the end."""

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from runners.backup.source import check_room
from runners.backup.tools import BackupWrong, Binaries, CannotLook, Process, Said, hand_over, left, run, start, stop
from runners.contract import Context

SUPERUSER = "throwaway"
CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "max_connections": "20",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "archive_mode": "off",
    "max_wal_size": "4GB",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
}
"""Nothing of a server that came with a backup is believed: no archiving, no replication, no preloaded libraries.

The log says little, for the SQL of a dump could fill the disk with warnings.
"""
LARGEST_LOG = 50_000
LOOK_EVERY = 0.25


@dataclass(frozen=True)
class Server:
    """A running throwaway server."""

    binaries: Binaries
    socket: Path
    log: Path

    def dsn(self, user: str, database: str) -> str:
        """Connection string for `user`."""
        return make_conninfo("", host=str(self.socket), user=user, dbname=database, connect_timeout=10)

    def said(self) -> str:
        """The end of what it wrote to its log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - LARGEST_LOG))
            return log.read(LARGEST_LOG).decode(errors="replace")

    def connect(self, user: str, database: str) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection in autocommit."""
        return psycopg.connect(self.dsn(user, database), autocommit=True)


def initialise(binaries: Binaries, data: Path, context: Context) -> None:
    """Make an empty cluster in `data`, a folder of the ordinary user. Raises `CannotLook`."""
    options = ["-A", "trust", "-U", SUPERUSER, "-E", "UTF8", "--locale=C", "--no-sync"]
    said = run([binaries.path("initdb"), "-D", data, *options], context)
    if said.code != 0:
        raise CannotLook(
            f"Er kon geen wegwerpserver worden gemaakt: {said.first_error}.",
            f"No throwaway server could be made: {said.first_error}.",
        )


@contextmanager
def running(
    binaries: Binaries,
    data: Path,
    folder: Path,
    context: Context,
    *,
    user: str,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Start the cluster in `data`; `folder` is an empty folder of the ordinary user for socket, log and settings.

    Raises `BackupWrong` with what the server said where it does not start, `CannotLook` where the time is up.
    """
    server = Server(binaries, folder, folder / "server.log")
    check_room(folder)
    configuration = _configure(folder, {**CONFIGURATION, **(settings or {})})
    with server.log.open("wb") as log:
        process = start([binaries.path("postgres"), "-D", data, "-c", f"config_file={configuration}"], output=log)
    watch = _Watch(process, folder, context)
    watch.start()
    try:
        _wait(server, process, user, context)
        yield server
    except (psycopg.Error, BackupWrong, CannotLook) as error:
        watch.end()
        if watch.reason is not None:
            # What the server said when it was stopped is not the true reason.
            raise watch.reason from error
        raise
    finally:
        watch.end()
        stop(process)


class _Watch(threading.Thread):
    """Stops the server when its data take the last room of the disk, or the time is up in the middle of a statement."""

    def __init__(self, process: Process, folder: Path, context: Context) -> None:
        super().__init__(daemon=True)
        self._process, self._folder, self._context = process, folder, context
        self._over = threading.Event()
        self.reason: CannotLook | None = None

    def run(self) -> None:
        """Look until the end."""
        while not self._over.wait(LOOK_EVERY):
            try:
                check_room(self._folder)
                left(self._context)
            except CannotLook as reason:
                self.reason = reason
                self._process.send_signal(signal.SIGQUIT)
                return

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()


def _configure(folder: Path, settings: Mapping[str, str]) -> Path:
    access = folder / "access.conf"
    access.write_text("local all all trust\n", encoding="utf-8")
    (folder / "ident.conf").touch()
    whole = {
        **settings,
        "unix_socket_directories": str(folder),
        "hba_file": str(access),
        "ident_file": str(folder / "ident.conf"),
    }
    lines = [f"{name} = '{value}'" for name, value in whole.items()]
    (folder / "server.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    hand_over(folder)
    return folder / "server.conf"


def _wait(server: Server, process: Process, user: str, context: Context) -> None:
    """Until it answers: also a refusal of the user or the database is an answer of a server that works."""
    while process.poll() is None:
        left(context)
        try:
            server.connect(user, "template1").close()
        except psycopg.OperationalError as error:
            if _answers(str(error)):
                return
            time.sleep(0.02)
        else:
            return
    said = Said(process.returncode, server.said())
    raise BackupWrong(
        f"De server start niet met deze gegevens: {said.first_error}.",
        f"The server does not start on this data: {said.first_error}.",
    )


def _answers(error: str) -> bool:
    return any(words in error for words in ("does not exist", "not permitted", "not currently accepting"))
