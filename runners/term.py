"""The term of a worker: until when, and in which of its lives, its runner hosts may act; kept in a file both can see.

A worker that is stopped, or cut off from its database, cannot tell its hosts to end. So each host reads by itself
until when it may act: past that moment others may have taken over its step, and it kills what it started and itself.
The moment is one of a clock that nobody can set (`passed`), which is the same for all processes of a machine.
"""

import math
import os
import struct
import tempfile
import time
from dataclasses import dataclass

_SHAPE = struct.Struct("=qdqd")
_POLL = 0.1
"""Longest sleep between two looks: a machine that slept itself is noticed within this time."""


def passed() -> float:
    """Seconds since some moment in the past, never set, going on while the machine sleeps (where it can tell)."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True)
class Standing:
    """What the file says: the number of the worker's life, and until when its hosts may act."""

    life: int
    until: float


class Term:
    """The worker's side: it writes. Without an `extend` its hosts may act for ever."""

    def __init__(self) -> None:
        self._out, path = tempfile.mkstemp(prefix="wissel-term-")
        self.descriptor = os.open(path, os.O_RDONLY)
        """For the hosts, which can only read."""
        os.unlink(path)
        self._standing = Standing(1, math.inf)
        self.lapses = 0
        """How often it was over before it was extended: a host of before may have ended meanwhile."""
        self._write(self._standing)

    @property
    def life(self) -> int:
        """The present life of the worker; what was begun in a former one is no longer its own."""
        return self._standing.life

    @property
    def is_over(self) -> bool:
        """Whether no host may act now."""
        return passed() >= self._standing.until

    def extend(self, until: float) -> None:
        """Hosts may act until then (as `passed` counts)."""
        before, after = self._standing, Standing(self.life, until)
        self._write(after)
        if passed() >= before.until:  # looked at last: who still read the former moment, read it before now
            self.lapses += 1
        self._standing = after

    def begin_anew(self) -> None:
        """What was begun so far may act no more: others hold it by now."""
        self._standing = Standing(self.life + 1, self._standing.until)
        self._write(self._standing)

    def _write(self, standing: Standing) -> None:
        one = (standing.life, standing.until)
        os.pwrite(self._out, _SHAPE.pack(*one, *one), 0)


def read(descriptor: int) -> Standing:
    """What the file says now; it is written twice, so that a half-written one is seen and read again."""
    while True:
        life, until, again, once_more = _SHAPE.unpack(os.pread(descriptor, _SHAPE.size, 0))
        if (life, until) == (again, once_more):
            return Standing(life, until)


class Leave:
    """The host's side: whether a call that was begun in some life of the worker may still act."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def holds(self, life: int | None) -> bool:
        """Whether it may act now; `life` None: in whichever life."""
        if self._descriptor is None:
            return True
        now = read(self._descriptor)
        return passed() < now.until and life in (None, now.life)

    def wait(self) -> None:
        """Sleep until it may be over, a tenth of a second at most."""
        left = _POLL if self._descriptor is None else read(self._descriptor).until - passed()
        time.sleep(min(_POLL, max(0.005, left)))
