"""Start children that cannot outlive us and stop them in order: the lab's supervisor, and the watchdog behind it.

Three nets, for each catches what falls through the one before: the supervisor stops its children in reverse order;
the kernel ends the direct children of a killed supervisor (PR_SET_PDEATHSIG); the watchdog, a process in its own
session that notices the supervisor's end by a closed pipe, ends what is left (`app.lab.leftovers`).
"""

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from app.core.processes import die_with_parent
from app.lab.leftovers import MARK, reap, sweep

PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


class ProcessDied(Exception):
    """A child ended before it was ready; the message holds the end of its log."""


class NotReady(Exception):
    """A child was not ready in time; the message holds the end of its log."""


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports(number: int) -> list[int]:
    """So many different free ports on loopback."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@dataclass
class Child:
    """A started child in its own process group."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    grace: float = 3.0
    """Seconds between the polite signal and the kill."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def tail(self, lines: int = 12) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_until(self, ready: Callable[[], bool], seconds: float = 10.0) -> None:
        """Return as soon as `ready()` holds. Raises `ProcessDied` or `NotReady` with the end of the log."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive:
                raise ProcessDied(f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} was not ready after {seconds:g} s:\n{self.tail()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask the whole group to end, then kill what did not."""
        if self.alive:
            _signal_group(self.process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(self.grace)
        _signal_group(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


@dataclass
class Supervisor:
    """Owns every process of one lab; use it as a context manager in the main thread of the lab's process."""

    folder: Path
    """The data folder: logs go to its `logs`, and servers inside it are recognised by it."""
    mark: str = field(default_factory=lambda: secrets.token_hex(8))
    _stops: list[Callable[[], None]] = field(default_factory=list)
    _watchdog: subprocess.Popen[bytes] | None = None
    _before: dict[int, Any] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.folder = self.folder.resolve()
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        os.environ[MARK] = self.mark
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._watchdog = _start_watchdog(self.folder, self.mark)
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, _interrupt)
        threading.Thread(target=self._reap, name="reaper", daemon=True).start()
        return self

    def _reap(self) -> None:
        """Take note of adopted servers' ends: a dead postmaster that nobody waited for counts as running."""
        while not self._stopped.wait(0.1):
            # No other children: somebody else may be waiting for those.
            reap(lambda name: name == "postgres")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace: float = 3.0,
    ) -> Child:
        """Start a child in its own process group; its output goes to `logs/NAME.log`."""
        log = self.folder / "logs" / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd or self.folder,
                env={**os.environ, **(environment or {}), MARK: self.mark},
                process_group=0,
                preexec_fn=die_with_parent,
            )
        child = Child(name=name, process=process, log=log, grace=grace)
        self.on_stop(child.stop)
        return child

    def on_stop(self, stop: Callable[[], None]) -> None:
        """Also call this when everything stops; the last one registered is the first one called."""
        self._stops.append(stop)

    def stop(self) -> None:
        """Stop everything in reverse order; a further Ctrl-C meanwhile changes nothing, for this takes seconds."""
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before.setdefault(ignored, signal.getsignal(ignored))
            signal.signal(ignored, signal.SIG_IGN)
        while self._stops:
            stop = self._stops.pop()
            # One thing that resists may not keep the others running: the sweep below ends it.
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                stop()
        sweep(self.folder, self.mark, root=os.getpid(), spare={self._watchdog.pid} if self._watchdog else set())
        self._dismiss_watchdog()
        self._stopped.set()
        reap(bool)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _dismiss_watchdog(self) -> None:
        if self._watchdog is None:
            return
        if self._watchdog.stdin is not None:
            with contextlib.suppress(OSError):
                self._watchdog.stdin.close()
        self._watchdog.wait()
        self._watchdog = None


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _start_watchdog(folder: Path, mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.lab.leftovers", str(folder), mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=Path(__file__).resolve().parents[2],
    )
