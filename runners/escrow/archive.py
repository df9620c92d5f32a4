"""Unpacks a foreign archive with our own code, for the standard extractors follow links and trust names and lengths.

Only plain files and folders come out, below one new folder, with modes 0644 or 0755. Refused, each with the name of the
member and the reason: links, devices, FIFOs, sparse and encrypted members, absolute paths, ``..``, backslashes, control
and direction characters, names that are no text, two names that are the same after NFC and casefold, a name that is
both file and folder, too long, too deep, too many, too large, packed more than 100 times, lengths that are not true,
members that overlap, and data that belong to no member. An archive inside the archive stays the file that it is.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from runners.escrow import tar, zip
from runners.escrow.naming import ArchiveRefused, Limits, Names
from runners.escrow.packed import Unpacked

FOREIGN = {b"7z\xbc\xaf": "7z", b"Rar!": "RAR", b"\x28\xb5\x2f\xfd": "zstandard"}
"""First bytes of what people pack with too: sound perhaps, but no deposit, and not to be called damaged."""


def unpack(source: BinaryIO, into: Path, limits: Limits | None = None) -> int:
    """Unpack the open archive below the existing, empty folder `into`; returns the number of files.

    Raises `ArchiveRefused`; what was unpacked until then stays in `into`, for the caller to remove. An OSError is
    about this machine (no room, say), not about the archive.
    """
    bounds = limits or Limits()
    check_size(source, bounds)
    names, files = Names(bounds), 0
    for member in _members(source, bounds):
        path = names.admit(member.name, folder=member.folder)
        if member.folder:
            (into / path).mkdir(parents=True, exist_ok=True)
        else:
            _write(into / path, member)
            files += 1
    for folder in (into, *(path for path in into.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    return files


def check_size(source: BinaryIO, limits: Limits | None = None) -> None:
    """Raises `ArchiveRefused` where the archive itself is empty, or larger than any may be."""
    most = (limits or Limits()).packed
    size = source.seek(0, os.SEEK_END)
    if size == 0:
        raise ArchiveRefused("empty", "", "het is leeg", "it is empty")
    if size > most:
        raise ArchiveRefused("too-large", "", f"het is groter dan {most} bytes", f"it is larger than {most} bytes")
    source.seek(0)


def _members(source: BinaryIO, limits: Limits) -> Iterator[tar.Member]:
    begin = source.read(4)
    source.seek(0)
    if begin in (b"PK\x03\x04", b"PK\x05\x06"):
        return zip.members(source, limits)
    if kind := FOREIGN.get(begin):
        raise ArchiveRefused(
            "other-format", "", f"het is een {kind}-bestand, geen tar of zip", f"it is a {kind} file, no tar or zip"
        )
    return tar.members(Unpacked(source, limits))


def _write(path: Path, member: tar.Member) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = member.size
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        os.fchmod(descriptor, 0o755 if member.executable else 0o644)  # whatever our umask is: the clean room reads it
        for chunk in member.content:
            size -= len(chunk)
            if size < 0:
                raise ArchiveRefused(
                    "longer-than-it-says", member.name, "is langer dan het zegt", "is longer than it says"
                )
            target.write(chunk)
    if size:
        raise ArchiveRefused("shorter-than-it-says", member.name, "is korter dan het zegt", "is shorter than it says")
