"""Files that are there whole or not at all, and durable: written beside their place, and only then given their name."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HALF = "half-"
"""Beginning of the name of a file that is still being written; a crash may leave one, and nobody reads it."""


@dataclass(frozen=True)
class Half:
    """A file without its name yet."""

    file: IO[bytes]

    def keep(self, target: Path, *, over: bool = True) -> None:
        """Give it its name; on disk with its folder when this returns. Raises FileExistsError where not `over` one."""
        self.file.flush()
        os.fsync(self.file.fileno())
        written = Path(self.file.name)
        if over:
            written.replace(target)
        else:
            os.link(written, target)  # unlike a rename it never replaces what came there meanwhile
        sync_folder(target.parent)


@contextmanager
def half(folder: Path) -> Iterator[Half]:
    """A file for this user alone, to be written and kept; what is not kept is gone afterwards."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=HALF, delete=False) as file:
        try:
            yield Half(file)
        finally:
            Path(file.name).unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """A folder that is durable itself, so that what is synced in it later can be found again."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
