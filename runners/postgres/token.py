"""The fencing token of a node: the highest of all its changes, kept beside its data directory; a lower one is refused.

A worker that slept past its lease, and an orchestrator that was restored from an old backup, come with an old token.
"""

import fcntl
import os
import time
from pathlib import Path

from runners.contract import Context, Node, Outcome, failed

POLL = 0.01


class Busy(Exception):
    """Somebody else holds the file for longer than this step has."""


def refused(node: Node, context: Context) -> Outcome | None:
    """*Failed* where the node has seen a higher token; else None, and the token is the node's highest from now on.

    A run that locks nothing bears no token (0). Where the data directory is elsewhere, or the file cannot be kept
    beside it, only the lease of the site's worker protects the node: the log of the step says so.
    """
    if context.fencing_token == 0 or node.data_directory is None:
        return None
    data = Path(node.data_directory).resolve()
    file = beside(data)
    if not data.is_dir() and not file.exists():
        return None  # the database is on another machine: only what can be asked over its connection is done here
    try:
        owner = (data if data.is_dir() else data.parent).stat()
        highest = _raised(file, context, (owner.st_uid, owner.st_gid))
    except (OSError, Busy, ValueError) as error:
        context.log(f"the fencing token is not kept at this node ({file}): {error}")
        return None
    if highest <= context.fencing_token:
        return None
    return failed(
        f"Deze database kent een nieuwere opdrachtgever (token {highest}, deze stap heeft {context.fencing_token}); "
        f"er is niets gedaan. Is dat onjuist, verwijder dan {file}.",
        f"This database knows a newer principal (token {highest}, this step has {context.fencing_token}); nothing was "
        f"done. If that is wrong, remove {file}.",
    )


def beside(data: Path) -> Path:
    """The file of a data directory: not in it, for a rewind or a new base backup would take it away."""
    return data.with_name(f".{data.name}.wissel-token")


def _raised(file: Path, context: Context, owner: tuple[int, int]) -> int:
    """The highest token there is, after ours was written where it is the highest."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _hold(handle, context)
        known = int(os.pread(handle, 40, 0).decode() or 0)
        if context.fencing_token > known:
            if os.geteuid() == 0:
                os.fchown(handle, *owner)
            os.pwrite(handle, str(context.fencing_token).encode(), 0)  # tokens only grow: no digit is left behind
            os.fsync(handle)
        return max(known, context.fencing_token)
    finally:
        os.close(handle)


def _hold(handle: int, context: Context) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if context.remaining() < POLL:
                raise Busy("somebody else holds the file") from None
            time.sleep(POLL)
