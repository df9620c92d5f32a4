"""Keeps a long-running process small: few heaps for its many threads, and what the start left behind given back."""

import asyncio
import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX = -8
"""Of mallopt(3): glibc else gives each thread a heap of its own, which never shrinks."""
ARENAS = 2
EVERY = 60.0
"""Seconds."""


def be_frugal() -> None:
    """To be called before threads are started; does nothing where the C library is another one than glibc."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """To be called once the start is over: what stays for good is not looked through at each collection any more."""
    gc.freeze()
    _trim()


async def give_back_often() -> None:
    """Each minute, for good: what requests leave lies between what stays, and adds up."""
    while True:
        await asyncio.sleep(EVERY)
        await asyncio.to_thread(_trim)


def _trim() -> None:
    """Give the pages that hold nothing any more back to the system; some tens of milliseconds."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
