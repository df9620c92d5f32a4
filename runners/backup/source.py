"""Gets at a backup without trusting it: what lies there, a copy without links, and whether it stayed the same."""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from runners.backup.tools import BackupWrong, CannotLook, left
from runners.contract import Context

DEPTH = 32
RESERVE = 256 * 1024 * 1024
"""Bytes that stay free in the temporary folder: a restore must not take the last room of the machine."""
_CHUNK = 4 * 1024 * 1024


def existing(path: str) -> Path:
    """The backup's path. Raises `BackupWrong` where there is nothing, or no file and no folder."""
    if not path:
        raise BackupWrong("Het pad van de back-up is leeg.", "The path of the backup is empty.")
    if "\0" in path:
        raise BackupWrong("Het pad van de back-up bevat een nulteken.", "The path of the backup has a NUL character.")
    found = Path(path)
    try:
        mode = found.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise BackupWrong(f"De back-up {path} bestaat niet.", f"The backup {path} does not exist.") from None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise BackupWrong(
            f"De back-up {path} is een link die naar zichzelf leidt.",
            f"The backup {path} is a link that leads to itself.",
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise BackupWrong(
            f"De back-up {path} is een pijp of apparaat, geen bestand of map.",
            f"The backup {path} is a pipe or device, no file or folder.",
        )
    return found


def fingerprint(path: str) -> int | None:
    """What is there now, to be compared later; None where it cannot be seen.

    A sum of digests of 256 bits of name, kind, number, size and time of each: a folder lists its entries in any order,
    and a path may lead to a folder of millions of them.
    """
    if not path:
        return None
    try:
        top = Path(path).resolve(strict=True)
        found = _digest(top.stat(), str(top))
        if top.is_dir():
            found += sum(_digest(each.stat(follow_symlinks=False), name) for name, each in _entries(top))
    except (OSError, ValueError, RuntimeError, BackupWrong):  # RuntimeError: a link that leads to itself
        return None
    return found


def copied(source: Path, target: Path, context: Context) -> None:
    """Copy a folder of plain files to `target`, which is made. Raises `BackupWrong`, `CannotLook`.

    A link is never followed: it would lead to a file of this machine that is no part of the backup.
    """
    needed = sum(each.stat(follow_symlinks=False).st_size for _, each in _entries(source))
    check_room(target.parent, needed)
    target.mkdir()
    for name, each in _entries(source):
        mode = each.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            (target / name).mkdir()
        elif stat.S_ISREG(mode):
            _copy(Path(each.path), target / name, context)
        else:
            kind = ("een link", "a link") if stat.S_ISLNK(mode) else ("een pijp of apparaat", "a pipe or device")
            raise BackupWrong(
                f"De back-up bevat {kind[0]}, wat er niet in hoort: {ascii(name)[1:-1][:200]}.",
                f"The backup holds {kind[1]}, which does not belong in it: {ascii(name)[1:-1][:200]}.",
            )


def check_room(folder: Path, needed: int = 0) -> None:
    """Raises `CannotLook` where so many bytes would take the last room of the folder's disk."""
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVE:
        raise no_room(needed, free)


def no_room(needed: int, free: int) -> CannotLook:
    """The reason for people; sizes in bytes."""
    asked, there = (needed + RESERVE) // 2**20, free // 2**20
    return CannotLook(
        f"In de tijdelijke map is te weinig ruimte om de back-up terug te zetten: {there} MiB vrij, {asked} MiB nodig.",
        f"The temporary folder has too little room to restore the backup: {there} MiB free, {asked} MiB needed.",
    )


def _digest(status: os.stat_result, name: str) -> int:
    seen = (name, stat.S_IFMT(status.st_mode), status.st_ino, status.st_size, status.st_mtime_ns)
    return int.from_bytes(hashlib.sha256(repr(seen).encode(errors="surrogateescape")).digest())


def _entries(top: Path) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """All below a folder, each folder before what is in it; names relative to it."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        if folder.count("/") > DEPTH:
            raise BackupWrong("De back-up heeft te diepe mappen.", "The backup has folders that are too deep.")
        with os.scandir(top / folder) as entries:
            for each in entries:
                name = f"{folder}{each.name}"
                if each.is_dir(follow_symlinks=False):
                    waiting.append(f"{name}/")
                yield name, each


def _copy(source: Path, target: Path, context: Context) -> None:
    # Not to hang on a pipe, nor follow a link, that was put in its place this moment.
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    reader: BinaryIO
    with os.fdopen(descriptor, "rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK):
            left(context)
            writer.write(chunk)
