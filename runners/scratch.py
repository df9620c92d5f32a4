"""Throwaway folders that vanish with their owner, also when the owner was killed: the next one sweeps them up."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCK = "owner.lock"


@contextmanager
def throwaway(purpose: str) -> Iterator[Path]:
    """A new empty folder ``files`` below the machine's temporary folder, removed at the end.

    Its owner holds a lock in it for as long as it lives; folders of the same purpose and user whose lock nobody holds
    were left by a process that was killed, and are removed first.
    """
    _sweep(purpose)
    made = Path(tempfile.mkdtemp(prefix=f".wissel-{purpose}-"))
    made.chmod(0o711)  # a program that runs as another user must get at what it was given in there
    with (made / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Only now under the name that is swept: before, nobody held the lock. The name is short, for the path of a
        # UNIX socket has room for some hundred characters.
        folder = made.rename(made.with_name(made.name[1:]))
        (folder / "files").mkdir(mode=0o700)
        try:
            yield folder / "files"
        finally:
            remove(folder)


def _sweep(purpose: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"wissel-{purpose}-*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            with (folder / _LOCK).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(folder)


def remove(folder: Path) -> None:
    """Remove it all; what a program made unreadable is first made ours again. No error where something stays."""
    try:
        for path, folders, _ in os.walk(folder):
            for name in folders:
                with suppress(OSError):
                    if not os.path.islink(os.path.join(path, name)):
                        os.chmod(os.path.join(path, name), 0o700)
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        # Folders in folders, thousands deep: this program goes down without a stack.
        subprocess.run(["/bin/rm", "-rf", "--", str(folder)], capture_output=True, check=False)
