"""Room on the disk of the data folder: a reserve that is given up when it runs out, so that an abort can be written.

With a full disk nothing can be written, not even that it is full. So a file of some mebibytes lies ready. It is emptied
as soon as a write fails for lack of room, or when little is left. From then on only what stops things is taken; the
rest is refused with what to do. Once there is room again the reserve is laid in again and everything is taken.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from app.core.errors import Problem
from app.core.faults import Fault, of
from app.core.messages import say

log = structlog.get_logger()
MIB = 1024 * 1024
STOPPING = frozenset(
    {"cancellations", "pauses", "undos", "leavings", "reality-calls", "revocations", "sessions", "sign-in", "sign-out"}
)
"""Last words of the addresses that are served from the reserve: to stop a run, and to sign in for it."""


class NoSpace(Problem):
    """There is no room left for what was asked; nothing was written."""

    status = 507
    code = "no-space"
    title = "There is no space left"


def no_space(where: object = "") -> NoSpace:
    """The refusal, with what to do."""
    reason = say(
        "The disk of Wissel is full. Nothing was saved. Free some space on it, then try again. "
        "Aborting a run stays possible."
    )
    return NoSpace(reason, folder=str(where)) if where else NoSpace(reason)


class Space:
    """The room in one folder, and its reserve of `mib`."""

    def __init__(self, folder: Path, mib: int = 8) -> None:
        self.folder, self.size = folder, mib * MIB
        self._reserve, self._given = folder / "reserve", folder / "reserve-given-up"
        self._short = False
        """In memory too, for where not even a name can be written."""

    @property
    def is_short(self) -> bool:
        """Whether the reserve was given up; seen by every process that works in this folder."""
        return self._short or self._given.exists()

    def free(self) -> int:
        """Bytes that an ordinary user may still write, reserve not counted. Raises OSError."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def give_up(self) -> None:
        """Empty the reserve, so that what stops things can be written."""
        first = not self.is_short
        self._short = True
        with suppress(OSError):
            if self._reserve.exists():
                self._reserve.replace(self._given)
            self._given.touch()
            os.truncate(self._given, 0)
        if first:
            log.error("no space left: the reserve was given up", folder=str(self.folder))

    def look(self) -> None:
        """Give the reserve up when little is left, and lay it in (again) when there is room."""
        try:
            free = self.free()
            if not self.is_short and self._reserve.exists():
                if free < self.size:
                    self.give_up()
            elif free >= 3 * self.size:
                self._lay_in()
            else:
                self.give_up()
        except OSError as error:
            if of(error) is Fault.FULL:
                self.give_up()
            else:
                log.warning("the room could not be looked at", folder=str(self.folder), error=str(error))

    def _lay_in(self) -> None:
        half = self.folder / f"reserve-{os.getpid()}"
        try:
            with half.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.size)
            half.replace(self._reserve)
        finally:
            half.unlink(missing_ok=True)
        self._given.unlink(missing_ok=True)
        if self._short:
            log.info("there is space again: the reserve is laid in", folder=str(self.folder))
        self._short = False

    def require(self, path: str) -> None:
        """Refuse what does not stop anything while there is no room. Raises `NoSpace`."""
        if not self.is_short or path.rstrip("/").rpartition("/")[2] in STOPPING:
            return
        self.look()
        if self.is_short:
            raise no_space(self.folder)

    def trouble(self) -> str | None:
        """What is wrong with the room, here and where evidence or scratch lie on a disk of their own; None: nothing."""
        try:
            for folder in self._disks():
                found = os.statvfs(folder)
                free = found.f_bavail * found.f_frsize
                if free < self.size or (self.is_short and folder == self.folder):
                    return f"no space left: {free // MIB} MiB in {folder}; free at least {3 * self.size // MIB} MiB"
        except OSError as error:
            return f"the data folder can't be looked at: {error.strerror}"
        return None

    def _disks(self) -> list[Path]:
        folders = [self.folder, self.folder / "evidence", self.folder / "scratch"]
        return list(
            {
                folder.stat().st_dev: folder for folder in reversed(folders) if folder.exists() or folder == self.folder
            }.values()
        )


def notice(space: Space | None, error: Any) -> bool:
    """Whether an error tells that a disk is full; then the reserve, if there is one, is given up at once."""
    full = isinstance(error, BaseException) and of(error) is Fault.FULL
    if full and space is not None:
        space.give_up()
    return full
