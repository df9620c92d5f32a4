"""Starts workers from a process that has loaded Wissel already: a suite of hundreds of crashes need not import it anew.

What is started is a process of its own all the same, with its own session, environment and input, that SIGKILL ends.
It comes from a server that never opened a database, for SQLite must not be carried through a fork.
"""

import multiprocessing
import os
import sys
from io import TextIOWrapper
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import TimeoutExpired
from typing import BinaryIO

from tests.reliability import worker_process

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([worker_process.__name__, "app.tables"])


class WarmProcess:
    """A worker as `subprocess.Popen` would start it, as far as the tests ask for it."""

    def __init__(self, sign: Path, environment: dict[str, str], log: Path, folder: Path) -> None:
        theirs, ours = _SERVER.Pipe(duplex=False)
        self._process = _SERVER.Process(target=_work, args=(theirs, str(sign), environment, str(log), str(folder)))
        self._process.start()
        theirs.close()
        self.stdin: BinaryIO = os.fdopen(os.dup(ours.fileno()), "wb", buffering=0)
        ours.close()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """How it ended; None while it is there."""
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def wait(self, timeout: float | None = None) -> None:
        """Until it has ended. Raises TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutExpired(["worker"], timeout or 0)


def _work(source: Connection, sign: str, environment: dict[str, str], log: str, folder: str) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [each for each in environment["PYTHONPATH"].split(os.pathsep) if each not in sys.path]
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for there, here in ((source.fileno(), 0), (out, 1), (out, 2)):
        os.dup2(there, here)
    source.close()
    os.close(out)
    sys.stdin = TextIOWrapper(os.fdopen(0, "rb", closefd=False))
    sys.argv = [worker_process.__name__, sign]
    worker_process.main()
