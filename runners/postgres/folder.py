"""Reaches a PostgreSQL node on its own machine: its data directory, its processes and its own programs."""

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runners.contract import Context, Node, Text
from runners.processes import outliving

POLL = 0.001
"""Seconds between two looks; pg_ctl itself looks ten times a second, which would lengthen the outage."""
_PROC = Path("/proc/self/cwd")
SIGNAL = "standby.signal"
RECORD = "wissel-fence.json"
"""Left beside the fence: which canary was written last."""
LOG = "wissel-start.log"


class NoFolder(Exception):
    """The data directory or the programs of the node cannot be used from here; nothing was looked at."""

    def __init__(self, nl: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(nl=nl, en=en)


@dataclass(frozen=True)
class Folder:
    """The data directory of a node on this machine; acts as its owner where this process is root."""

    path: Path
    binaries: Path
    uid: int
    gid: int

    def run(
        self,
        program: str,
        *arguments: str,
        seconds: float,
        secrets: dict[str, str] | None = None,
        tolerate: tuple[int, ...] = (0,),
    ) -> str:
        """Standard output of one of the server's own programs; raises `ProgramFailed` with what it said."""
        argv = [str(self.binaries / program), *arguments]
        # A clean environment: PGDATA, PGOPTIONS and the like of this process must not steer another server.
        environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "HOME": self._home(), **(secrets or {})}
        drop = {"user": self.uid, "group": self.gid, "extra_groups": []} if os.geteuid() == 0 else {}
        try:
            done = subprocess.run(  # type: ignore[call-overload]
                argv, env=environment, cwd=self.path, capture_output=True, stdin=subprocess.DEVNULL,
                timeout=max(seconds, 0.1), text=True, errors="replace", check=False, **drop,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ProgramFailed(program, type(error).__name__ + ": " + str(error)) from error
        if done.returncode not in tolerate:
            raise ProgramFailed(program, (done.stderr + done.stdout).strip() or f"exit status {done.returncode}")
        return str(done.stdout)

    def lines(self, program: str, *arguments: str, seconds: float) -> Iterator[str]:
        """The lines that a program prints, one by one; raises `ProgramFailed` when it does not end well."""
        argv = [str(self.binaries / program), *arguments]
        environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
        drop = {"user": self.uid, "group": self.gid, "extra_groups": []} if os.geteuid() == 0 else {}
        with tempfile.TemporaryFile() as errors, subprocess.Popen(  # type: ignore[call-overload]
            argv, env=environment, cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            text=True, errors="replace", **drop,
        ) as process:  # fmt: skip
            clock = threading.Timer(max(seconds, 0.1), process.kill)
            clock.start()
            try:
                yield from process.stdout
                code = process.wait()
            finally:
                clock.cancel()
                process.kill()
            if code != 0:
                errors.seek(0)
                raise ProgramFailed(program, errors.read(2000).decode(errors="replace") or f"exit status {code}")

    def control(self, seconds: float = 5.0) -> dict[str, str]:
        """What pg_controldata says, by its own labels."""
        lines = (
            line.partition(":") for line in self.run("pg_controldata", str(self.path), seconds=seconds).split("\n")
        )
        return {label.strip(): value.strip() for label, mark, value in lines if mark}

    def processes(self) -> list[int]:
        """Living processes of this server, a postmaster's orphans included: they work inside its data directory.

        Where /proc is missing only the postmaster itself can be seen, through its pid file.
        """
        if not _PROC.exists():
            pid = self.postmaster()
            return [pid] if pid is not None and _alive(pid) else []
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if self._works_here(entry)]

    def postmaster(self) -> int | None:
        """The pid in postmaster.pid, living or not; None without one."""
        try:
            return int((self.path / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def running(self) -> bool:
        """Whether the postmaster lives."""
        pid = self.postmaster()
        if pid is None or not _alive(pid):
            return False
        # After a crash the number in the file may belong to another program by now.
        return not _PROC.exists() or self._works_here(Path("/proc") / str(pid))

    def may_look(self) -> bool:
        """Whether this process may see what the owner's processes do."""
        return os.geteuid() in (0, self.uid)

    def write(self, name: str, content: str) -> None:
        """Put a file into the data directory, whole or not at all, durable when this returns."""
        fresh = self.path / (name + ".wissel-new")
        with open(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:
            os.chown(fresh, self.uid, self.gid)
        fresh.replace(self.path / name)
        self._sync()

    def remove(self, name: str) -> None:
        """Take a file out of the data directory, durably; no error where it is not there."""
        (self.path / name).unlink(missing_ok=True)
        self._sync()

    def set_automatically(self, settings: dict[str, str]) -> None:
        """Put settings into postgresql.auto.conf in the place of what it says of them; holds from the next reload."""
        auto = self.path / "postgresql.auto.conf"
        old = auto.read_text(encoding="utf-8").splitlines() if auto.exists() else []
        kept = [line for line in old if line.partition("=")[0].strip() not in settings]
        fresh = [f"{name} = '{_quoted(value)}'" for name, value in settings.items()]
        self.write("postgresql.auto.conf", "\n".join([*kept, *fresh]) + "\n")

    def has(self, name: str) -> bool:
        """Whether the file is in the data directory."""
        return (self.path / name).exists()

    def drop_stale_pid(self) -> None:
        """Take away the pid file of a server that provably died.

        PostgreSQL itself will not start while that number exists, be it a zombie that nobody reaped (a container
        without an init) or another program that got the number; both are seen here not to be this server.
        """
        if _PROC.exists() and self.may_look() and not self.processes():
            self.remove("postmaster.pid")

    def start(self, context: Context) -> None:
        """Ask pg_ctl to start the server, without waiting; raises `ProgramFailed`."""
        self.drop_stale_pid()
        arguments = ("start", "-W", "-D", str(self.path), "-l", str(self.path / LOG))
        with outliving():
            self.run("pg_ctl", *arguments, seconds=context.remaining())

    def stop(self, context: Context) -> bool:
        """Stop the server in an orderly way (mode fast) and wait until no process is left; False if some stay."""
        self.run("pg_ctl", "stop", "-m", "fast", "-W", "-D", str(self.path), seconds=context.remaining())
        while self.postmaster() is not None and context.remaining() > MARGIN:
            time.sleep(POLL)
        while (left := self.processes()) and context.remaining() > MARGIN:
            time.sleep(POLL)
        return not left and self.postmaster() is None

    def said(self) -> str:
        """The last lines that the server wrote while we started it."""
        try:
            return "\n".join((self.path / LOG).read_text(errors="replace").splitlines()[-5:])[-600:]
        except OSError:
            return ""

    def _home(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_dir  # where its .pgpass and certificates lie
        except KeyError:
            return "/"

    def _works_here(self, entry: Path) -> bool:
        try:
            return Path(os.readlink(entry / "cwd")) == self.path and (entry / "stat").read_text().split()[2] != "Z"
        except (OSError, IndexError):
            return False

    def _sync(self) -> None:
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class ProgramFailed(Exception):
    """One of PostgreSQL's programs did not do what was asked; the message holds what it said."""

    def __init__(self, program: str, said: str) -> None:
        super().__init__(f"{program}: {' '.join(said.split())[:500]}")


MARGIN = 0.3
"""Seconds kept before the deadline, to end with a reason and not be killed."""


def folder(node: Node) -> Folder:
    """The node's data directory and programs on this machine. Raises `NoFolder`."""
    if node.data_directory is None:
        raise NoFolder("De omgeving noemt geen datamap.", "The environment names no data directory.")
    path = Path(node.data_directory).resolve()
    try:
        major = (path / "PG_VERSION").read_text().strip()
        owner = path.stat()
    except OSError as error:
        why = type(error).__name__
        nl = f"De datamap {path} is hier niet te lezen ({why})."
        raise NoFolder(nl, f"The data directory {path} cannot be read here ({why}).") from error
    return Folder(path, binaries_of(node, major), owner.st_uid, owner.st_gid)


def binaries_of(node: Node, major: str) -> Path:
    """The folder with PostgreSQL's programs for `node`. Raises `NoFolder`."""
    found = shutil.which("pg_ctl")
    places = [Path(node.binaries)] if node.binaries else [Path(f"/usr/lib/postgresql/{major}/bin")]
    if not node.binaries and found:
        places.append(Path(found).parent)
    for place in places:
        if (place / "pg_ctl").is_file() and (place / "pg_controldata").is_file():
            return place
    where = ", ".join(map(str, places))
    raise NoFolder(f"Geen pg_ctl gevonden in {where}.", f"No pg_ctl found in {where}.")


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
