"""Runs one program with bounds on time, output, memory and processor time, and leaves nothing of it running."""

import os
import resource
import selectors
import subprocess
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from runners.contract import Context
from runners.processes import kill_tree

MARGIN = 0.5
OUTPUT = 1_048_576
"""Bytes of standard output and standard error together."""
MEMORY = 2 * 1024**3
FILE_SIZE = 1024**3
OPEN_FILES = 256


class End(StrEnum):
    """How a program came to its end."""

    EXITED = "exited"
    NOT_STARTED = "not started"
    OUT_OF_TIME = "out of time"
    TOO_MUCH_OUTPUT = "too much output"


@dataclass(frozen=True)
class Ended:
    """How it ended; `status` is negative for a signal, and -1 where it never started."""

    how: End
    status: int
    output: str
    seconds: float


def run_bounded(argv: tuple[str, ...], environment: dict[str, str], context: Context) -> Ended:
    """Run `argv` until it ends or the step's deadline is near; its whole process tree ends with it."""
    started = time.monotonic()
    until = started + max(0.05, context.remaining() - MARGIN)
    try:
        child = subprocess.Popen(
            argv,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
            preexec_fn=partial(_limit, int(until - started) + 1),
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Ended(End.NOT_STARTED, -1, str(error), time.monotonic() - started)
    try:
        how, output = _listen(child, until)
    finally:
        kill_tree(child.pid)
        child.wait()
        if child.stdout:
            child.stdout.close()
    return Ended(how, child.returncode, output.decode(errors="replace"), time.monotonic() - started)


def _listen(child: subprocess.Popen[bytes], until: float) -> tuple[End, bytes]:
    if child.stdout is None:
        raise AssertionError("the child has no standard output")
    output, pipe = b"", child.stdout.fileno()
    os.set_blocking(pipe, False)
    with selectors.DefaultSelector() as watch:
        watch.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < until:
            gone = _gone(child.pid)
            ready = watch.select(timeout=0 if gone else 0.02) if watch.get_map() else _pause()
            piece = os.read(pipe, 65536) if ready else None
            output += piece or b""
            if len(output) > OUTPUT:
                return End.TOO_MUCH_OUTPUT, output[:OUTPUT]
            # A grandchild may hold the pipe open: what counts is that the command itself has ended.
            if gone and not piece:
                return End.EXITED, output
            if piece == b"":
                watch.unregister(pipe)
    return End.OUT_OF_TIME, output


def _pause() -> list[object]:
    time.sleep(0.005)
    return []


def _gone(pid: int) -> bool:
    """Whether the child ended. It is left as a zombie, so that nobody else can get its number before its group ends."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _limit(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
