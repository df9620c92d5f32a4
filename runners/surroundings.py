"""Puts a runner host back as it was after each call: what one driver turned over must not reach the next one."""

import gc
import locale
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from runners.processes import descendants, kill_tree

_LIMITS = tuple(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))
GONE_WITHIN = 2.0
"""Seconds that killed programs have to vanish; one that waits for a disk may take longer, and is left to it."""
_CHILDREN = Path("/proc/self/task")


class Surroundings:
    """How this process stood when it was made; for the main thread, for only that may set signals."""

    def __init__(self) -> None:
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._environment = dict(os.environ)
        self._locale = locale.setlocale(locale.LC_ALL)
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._signals = _handlers()
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._limits = {each: resource.getrlimit(each) for each in _LIMITS}
        self._path, self._recursion = list(sys.path), sys.getrecursionlimit()
        self._timeout, self._temporary = socket.getdefaulttimeout(), tempfile.tempdir
        self._threads = set(threading.enumerate())

    def restore(self) -> bool:
        """Undo what a call changed, end the programs that it left; false where threads of it are still at work."""
        _end_children()
        with suppress(OSError):
            os.chdir("/")
        os.umask(self._umask)
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
            time.tzset()
        if locale.setlocale(locale.LC_ALL) != self._locale:
            locale.setlocale(locale.LC_ALL, self._locale)
        sys.stdin, sys.stdout, sys.stderr = self._streams
        sys.path[:] = self._path
        sys.setrecursionlimit(self._recursion)
        socket.setdefaulttimeout(self._timeout)
        tempfile.tempdir = self._temporary
        gc.enable()
        self._restore_signals()
        self._restore_limits()
        return not set(threading.enumerate()) - self._threads

    def _restore_signals(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in _handlers().items():
            if handler != self._signals[number]:
                with suppress(OSError, ValueError):
                    signal.signal(number, self._signals[number])
        signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)

    def _restore_limits(self) -> None:
        for each, (soft, hard) in self._limits.items():
            if resource.getrlimit(each) != (soft, hard):
                with suppress(OSError, ValueError):  # a hard limit that was lowered stays low
                    resource.setrlimit(each, (soft, resource.getrlimit(each)[1]))


def _handlers() -> dict[int, Any]:
    """The handler of each signal that can have one; those that were not set from Python are left alone."""
    found = {number: signal.getsignal(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}}
    return {number: handler for number, handler in found.items() if handler is not None}


def _end_children() -> None:
    """Kill what a call started and left, what we adopted of it included; nothing where there is nothing."""
    if not any(_children()):
        return
    for pid in descendants(os.getpid()):
        kill_tree(pid)
    until = time.monotonic() + GONE_WITHIN
    with suppress(ChildProcessError):
        while time.monotonic() < until and (os.waitpid(-1, os.WNOHANG)[0] or any(_children())):
            time.sleep(0.001)


def _children() -> list[str]:
    """The children of each of our threads, as text; empty where the kernel does not tell."""
    found = []
    with suppress(OSError):
        for thread in _CHILDREN.iterdir():
            with suppress(OSError):
                found.append((thread / "children").read_text())
    return found
