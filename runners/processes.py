"""Ends whole trees of processes, those included that left the process group of whoever started them."""

import ctypes
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
MARK = "WISSEL_HOST_MARK"
"""Environment variable by which what a runner host started is found when the host itself was killed."""


def adopt_orphans(adopt: bool) -> None:
    """Whether what is left behind by the programs we start becomes ours (Linux), so that we can end it with us."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


@contextmanager
def outliving() -> Iterator[None]:
    """Within, a program may leave a daemon that outlives this host: a database that a drill started must stay."""
    adopt_orphans(False)
    mark = os.environ.pop(MARK, None)
    try:
        yield
    finally:
        adopt_orphans(True)
        if mark is not None:
            os.environ[MARK] = mark


def descendants(root: int) -> list[int]:
    """All living children of `root`, their children and so on, the nearest first; empty where /proc is missing."""
    children: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        parent = _parent(folder / "stat")
        if parent is not None:
            children[parent].append(int(folder.name))
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def is_alive(pid: int) -> bool:
    """Whether a process with this number runs; one that ended and was not waited for does not (Linux)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in ("Z", "X")


def kill_tree(root: int) -> None:
    """SIGKILL `root`, its process group where it leads one, and every descendant.

    The tree is stopped first, so that it cannot start something new while it is being counted. Descendants that
    were adopted by another process (a daemon that forked twice) can only be found through the process group.
    """
    _send(root, signal.SIGSTOP)
    doomed = descendants(root)
    for pid in doomed:
        _send(pid, signal.SIGSTOP)
    doomed = sorted({*doomed, *descendants(root)})
    with suppress(ProcessLookupError, PermissionError):
        if os.getpgid(root) == root:
            os.killpg(root, signal.SIGKILL)
    for pid in [*doomed, root]:
        _send(pid, signal.SIGKILL)


def kill_marked(mark: str) -> None:
    """SIGKILL every process that inherited this mark, whoever adopted it; again until there is none."""
    wanted = f"{MARK}={mark}".encode()
    for _ in range(10):
        found = [pid for pid in _all() if pid != os.getpid() and wanted in _environment(pid).split(b"\0")]
        if not found:
            return
        for pid in found:
            _send(pid, signal.SIGKILL)


def _all() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _parent(stat: Path) -> int | None:
    try:
        # The second field is the program's name in brackets and may itself hold spaces and brackets.
        return int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def end_with_children() -> None:
    """SIGKILL everything below this process, its process group and with that itself; does not return."""
    for pid in descendants(os.getpid()):
        _send(pid, signal.SIGKILL)
    os.killpg(os.getpgrp(), signal.SIGKILL)
