"""Unpacks a foreign archive with our own code, for the standard extractors follow links and trust names.

Only plain files and folders come out, below one new folder, with modes 0644 or 0755. Refused, each with the name of the
member and the reason: links, devices, FIFOs, sparse and encrypted members, absolute paths, ``..``, backslashes, control
and direction characters, names that are no text, two names that are the same after NFC and casefold, a name that is
both file and folder, too long, too deep, too many, too large, or packed more than 100 times.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from runners.contract import Text

_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, ValueError)
_CHUNK = 1024 * 1024
RATIO_FROM = 64 * 1024
"""Unpacked bytes from which the ratio is looked at: the padding of a tiny tar alone is packed fifty times."""


@dataclass(frozen=True)
class Limits:
    """What an archive may be at most."""

    members: int = 20_000
    total: int = 2 * 1024**3
    """Unpacked bytes, the archive's own administration included."""
    packed: int = 1024**3
    ratio: int = 100
    depth: int = 32


class ArchiveRefused(Exception):
    """The archive is hostile or damaged. `member` names the entry, or is empty when it is about the whole."""

    def __init__(self, member: str, nl: str, en: str) -> None:
        self.member = ascii(member)[1:-1][:200]
        whole = not member
        self.text = Text(
            nl=f"Het archief is geweigerd: {nl}." if whole else f"Het archief is geweigerd: '{self.member}' {nl}.",
            en=f"The archive was refused: {en}." if whole else f"The archive was refused: '{self.member}' {en}.",
        )
        super().__init__(self.text.en)


class Names:
    """The names that came by, to see whether a new one may join them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seen: dict[str, tuple[str, bool]] = {}
        self._explicit: set[str] = set()
        self._members = 0

    def admit(self, name: str, *, folder: bool) -> str:
        """The safe relative path of a member; empty for the root itself. Raises `ArchiveRefused`."""
        self._members += 1
        if self._members > self._limits.members:
            raise ArchiveRefused(
                "", f"het heeft meer dan {self._limits.members} onderdelen", f"more than {self._limits.members} members"
            )
        parts = _parts(name, self._limits)
        for end in range(1, len(parts) + 1):
            self._join(name, "/".join(parts[:end]), folder=folder or end < len(parts))
        path = "/".join(parts)
        if path and _key(path) in self._explicit:
            raise ArchiveRefused(name, "komt twee keer voor", "is there twice")
        self._explicit.add(_key(path))
        if not path and not folder:
            raise ArchiveRefused(name, "heeft geen naam", "has no name")
        return path

    def _join(self, name: str, path: str, *, folder: bool) -> None:
        known = self._seen.setdefault(_key(path), (path, folder))
        if known[0] != path:
            raise ArchiveRefused(
                name,
                f"is dezelfde naam als '{ascii(known[0])[1:-1]}'",
                f"is the same name as '{ascii(known[0])[1:-1]}' where case or accents do not count",
            )
        if known[1] != folder:
            raise ArchiveRefused(name, "is zowel bestand als map", "is both a file and a folder")


def unpack(source: BinaryIO, into: Path, limits: Limits | None = None) -> int:
    """Unpack the open archive below the existing, empty folder `into`; returns the number of files.

    Raises `ArchiveRefused`; what was unpacked until then stays in `into`, for the caller to remove.
    """
    bounds = limits or Limits()
    source.seek(0, os.SEEK_END)
    size = source.tell()
    source.seek(0)
    if size > bounds.packed:
        raise ArchiveRefused("", f"het is groter dan {bounds.packed} bytes", f"it is larger than {bounds.packed} bytes")
    try:
        is_zip = _begins(source, b"PK\x03\x04", b"PK\x05\x06")
        files = _unpack_zip(source, into, bounds, size) if is_zip else _unpack_tar(source, into, bounds, size)
        for folder in (into, *(path for path in into.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        return files
    except ArchiveRefused:
        raise
    except (*_DAMAGED, NotImplementedError, RuntimeError) as error:
        # RuntimeError and NotImplementedError: how zipfile says encrypted, or packed in a way it does not know.
        raise ArchiveRefused("", "het is afgekapt of beschadigd", f"it is cut off or damaged ({error})") from error


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than the archive may hold, so that no header can ask for it either."""

    def __init__(self, stream: IO[bytes], limits: Limits, packed: int) -> None:
        self._stream, self._limits, self._packed, self._count = stream, limits, packed, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = _CHUNK if size is None or size < 0 else size
        found = bytearray()
        while len(found) < wanted and (chunk := self._stream.read(min(_CHUNK, wanted - len(found)))):
            found += chunk
            self._count += len(chunk)
            _check_size(self._count, self._packed, self._limits)
        return bytes(found)


def _check_size(unpacked: int, packed: int, limits: Limits) -> None:
    if unpacked > limits.total:
        raise ArchiveRefused(
            "", f"het is uitgepakt groter dan {limits.total} bytes", f"unpacked it is larger than {limits.total} bytes"
        )
    if unpacked > RATIO_FROM and unpacked > limits.ratio * packed:
        raise ArchiveRefused(
            "",
            f"het is uitgepakt meer dan {limits.ratio} keer zo groot",
            f"unpacked it is more than {limits.ratio} times its size",
        )


def _unpack_tar(source: BinaryIO, into: Path, limits: Limits, packed: int) -> int:
    stream = _Bounded(_plain(source), limits, packed)
    names, files = Names(limits), 0
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as archive:
        for member in archive:
            _check_tar_member(member)
            path = names.admit(member.name, folder=member.isdir())
            if member.isdir():
                (into / path).mkdir(parents=True, exist_ok=True)
                continue
            content = archive.extractfile(member)
            if content is None:
                raise ArchiveRefused(member.name, "heeft geen inhoud", "has no content")
            _write(into / path, content, member.size, executable=bool(member.mode & 0o100))
            files += 1
    return files


def _plain(source: BinaryIO) -> IO[bytes]:
    if _begins(source, b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=source))
    if _begins(source, b"BZh"):
        return bz2.BZ2File(source)
    if _begins(source, b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(source)
    return source


def _check_tar_member(member: tarfile.TarInfo) -> None:
    if member.issym():
        raise ArchiveRefused(member.name, "is een symbolische link", "is a symbolic link")
    if member.islnk():
        raise ArchiveRefused(member.name, "is een harde link", "is a hard link")
    if member.isdev():
        raise ArchiveRefused(member.name, "is een apparaat of pijp", "is a device or pipe")
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        raise ArchiveRefused(member.name, "is geen gewoon bestand", "is no plain file")
    if member.size < 0:
        raise ArchiveRefused(member.name, "heeft een onmogelijke lengte", "has an impossible length")


def _unpack_zip(source: BinaryIO, into: Path, limits: Limits, packed: int) -> int:
    names, files, total = Names(limits), 0, 0
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            _check_zip_member(member)
            total += member.file_size
            _check_size(total, packed, limits)
            path = names.admit(member.orig_filename, folder=member.is_dir())
            if member.is_dir():
                (into / path).mkdir(parents=True, exist_ok=True)
                continue
            with archive.open(member) as content:
                _write(into / path, content, member.file_size, executable=bool(member.external_attr >> 16 & 0o100))
            files += 1
    return files


def _check_zip_member(member: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise ArchiveRefused(member.orig_filename, "is een symbolische link", "is a symbolic link")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveRefused(member.orig_filename, "is een apparaat of pijp", "is a device or pipe")
    if member.flag_bits & 0x1:
        raise ArchiveRefused(member.orig_filename, "is versleuteld", "is encrypted")


def _begins(source: BinaryIO, *signatures: bytes) -> bool:
    found = source.read(8)
    source.seek(0)
    return found.startswith(signatures)


def _write(path: Path, content: IO[bytes], size: int, *, executable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        os.fchmod(descriptor, 0o755 if executable else 0o644)  # whatever our umask is: the clean room must read it
        for chunk in _chunks(content):
            target.write(chunk)
            size -= len(chunk)
            if size < 0:
                raise ArchiveRefused(path.name, "is langer dan het zegt", "is longer than it says")
    if size:
        raise ArchiveRefused(path.name, "is korter dan het zegt", "is shorter than it says")


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while chunk := content.read(_CHUNK):
        yield chunk


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _parts(name: str, limits: Limits) -> list[str]:
    """The components of a name, after every check that needs no other name."""
    if name.startswith("/") or (len(name) > 1 and name[1] == ":" and name[0].isalpha()):
        raise ArchiveRefused(name, "is een absoluut pad", "is an absolute path")
    if "\\" in name:
        raise ArchiveRefused(name, "bevat een backslash", "has a backslash")
    for character in name:
        # Cc control, Cf direction and invisible characters, Cs what was no text, Zl and Zp line separators.
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            raise ArchiveRefused(name, "bevat een stuurteken", "has a control character")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArchiveRefused(name, "wijst met '..' buiten de map", "points outside with '..'")
    if len(parts) > limits.depth or any(len(part.encode()) > 255 for part in parts) or len(name.encode()) > 1024:
        raise ArchiveRefused(name, "is een te lang of te diep pad", "is too long or too deep a path")
    return parts
