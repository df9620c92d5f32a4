"""Finds and ends what is left of a lab; run as a program it is the watchdog behind the supervisor.

PostgreSQL puts itself in a session of its own and forgets its environment, so it is found by its working folder; all
else by an environment mark that every process of one lab inherits.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "WISSEL_LAB_ID"
"""Environment variable that every process of one lab inherits."""


@dataclass(frozen=True)
class Seen:
    """What /proc says of one process."""

    pid: int
    parent: int
    name: str
    state: str


def processes() -> list[Seen]:
    """All processes of this machine that may be looked at, those included that ended and were not waited for."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name stands in brackets and may itself hold blanks and brackets.
                head, _, rest = (entry / "stat").read_text(errors="replace").rpartition(")")
                state, parent = rest.split()[:2]
                found.append(Seen(int(entry.name), int(parent), head.partition("(")[2], state))
    return found


def reap(which: Callable[[str], bool]) -> None:
    """Wait for those of our children, born or adopted, that ended and whose name `which` accepts."""
    try:
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return  # nobody ended, so there is no need to look through all processes
    except ChildProcessError:
        return
    for one in processes():
        if one.parent == os.getpid() and one.state == "Z" and which(one.name):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(one.pid, os.WNOHANG)


def _marked(pid: int, mark: str) -> bool:
    with contextlib.suppress(OSError):
        return f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def _works_in(pid: int, folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)
    return False


def _descendants(everything: Sequence[Seen], root: int) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for one in everything:
        children.setdefault(one.parent, []).append(one.pid)
    todo = list(children.get(root, ()))
    while todo:
        pid = todo.pop()
        yield pid
        todo.extend(children.get(pid, ()))


def leftovers(folder: Path, mark: str, *, root: int | None = None) -> list[Seen]:
    """Processes of the lab with this mark: marked ones, PostgreSQL in its folder, and what descends from `root`."""
    everything = [one for one in processes() if one.state not in "ZX"]
    tree = set(_descendants(everything, root)) if root else set()
    return [
        one
        for one in everything
        if one.pid != os.getpid()
        and (one.pid in tree or _marked(one.pid, mark) or (one.name == "postgres" and _works_in(one.pid, folder)))
    ]


def sweep(
    folder: Path, mark: str, *, root: int | None = None, spare: set[int] | None = None, grace: float = 3.0
) -> None:
    """End what is left of a lab: PostgreSQL by fast shutdown, the rest by SIGTERM; after `grace` seconds by SIGKILL."""
    deadline, signalled = time.monotonic() + grace, set[int]()
    while rest := [one for one in leftovers(folder, mark, root=root) if one.pid not in (spare or set())]:
        late = time.monotonic() > deadline
        servers = {one.pid for one in rest if one.name == "postgres"}
        for one in rest:
            if late or one.pid not in signalled:
                signalled.add(one.pid)
                _end(one, within=servers, kill=late)
        if time.monotonic() > deadline + grace:
            return
        time.sleep(0.02)


def _end(one: Seen, *, within: set[int], kill: bool) -> None:
    number = signal.SIGKILL if kill else signal.SIGTERM
    if one.name == "postgres" and not kill:
        if one.parent in within:
            return  # a backend: its postmaster ends it
        number = signal.SIGINT
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(one.pid, number)


def watch(folder: Path, mark: str) -> None:
    """Body of the watchdog: wait until the supervisor's end of the pipe closes, then end what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    sweep(folder, mark)


if __name__ == "__main__":
    watch(Path(sys.argv[1]), sys.argv[2])
