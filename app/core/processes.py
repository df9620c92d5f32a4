"""Keeps a child process from outliving the one that started it."""

import ctypes
import signal
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
"""Loaded here: between fork and exec nothing may be loaded any more."""


def die_with_parent() -> None:
    """In the child, also between fork and exec: be killed when the thread that started us ends; only on Linux."""
    with suppress(AttributeError):
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
