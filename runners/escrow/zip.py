"""Reads a zip file: its directory and its local headers must agree, and together account for every byte.

Only stored and deflated members; no zip64 (nothing of less than 4 GiB needs it), no encryption, no second reading: what
another program could see differently (overlapping members, data between them, two directories) is refused.
"""

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from runners.escrow.naming import ArchiveRefused, Limits, damaged, trailing
from runners.escrow.packed import PIECE
from runners.escrow.tar import Member

_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL = 0xFFFFFFFF
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_DESCRIBED_AFTER = 0x8
_UTF8 = 0x800
_STORED, _DEFLATED = 0, 8
_NOTHING = frozenset({0})
_DESCRIPTORS = frozenset({0, 12, 16, 20, 24})
"""Bytes that may follow a member whose lengths were not known when it was begun."""
_UNICODE_NAME = 0x7075


@dataclass(frozen=True)
class _Entry:
    raw: bytes
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    begin: int
    mode: int


def members(source: BinaryIO, limits: Limits) -> Iterator[Member]:
    """Every member in the order of the directory. Raises `ArchiveRefused`."""
    whole = source.seek(0, os.SEEK_END)
    entries, directory = _entries(source, whole, limits)
    data = _laid_out(source, entries, directory)
    limits.check(sum(entry.size for entry in entries), whole)
    for entry in entries:
        folder = entry.name.endswith("/")
        if folder and entry.size:
            raise ArchiveRefused("folder-with-content", entry.name, "is een map met inhoud", "is a folder with content")
        content = _content(source, entry, data[entry.begin])
        yield Member(entry.name, folder, bool(entry.mode & 0o100), entry.size, content)


def _entries(source: BinaryIO, whole: int, limits: Limits) -> tuple[list[_Entry], int]:
    """The directory, and where it begins."""
    end, place = _end(source, whole)
    _, disk, its_disk, here, count, size, begin, _ = _END.unpack(end)
    if 0xFFFF in (disk, its_disk, here, count) or _FULL in (size, begin):
        raise ArchiveRefused("zip64", "", "het is zip64", "it is zip64")
    if count > limits.members:
        raise ArchiveRefused(
            "too-many-members",
            "",
            f"het heeft meer dan {limits.members} onderdelen",
            f"more than {limits.members} members",
        )
    if (disk, its_disk, here) != (0, 0, count) or begin + size > place:
        raise damaged("the directory is not where it should be")
    if begin + size < place:
        raise trailing()
    source.seek(begin)
    directory = source.read(size)
    found, read = [], 0
    for _ in range(count):
        entry, read = _entry(directory, read)
        found.append(entry)
    if read != size:
        raise trailing()
    return found, begin


def _end(source: BinaryIO, whole: int) -> tuple[bytes, int]:
    """The record at the very end and its place; a second one would let another program see another directory."""
    source.seek(max(0, whole - _END.size - 0xFFFF))
    tail, places = source.read(), list[int]()
    place = tail.find(b"PK\x05\x06")
    while place >= 0 and len(places) < 2:
        record = tail[place : place + _END.size]
        if len(record) == _END.size and place + _END.size + _END.unpack(record)[-1] == len(tail):
            places.append(place)
        place = tail.find(b"PK\x05\x06", place + 1)
    if len(places) != 1:
        raise trailing() if places else damaged("it has no directory at its end")
    if tail[max(0, places[0] - 20) : places[0]].startswith(b"PK\x06\x07"):
        raise ArchiveRefused("zip64", "", "het is zip64", "it is zip64")
    return tail[places[0] : places[0] + _END.size], whole - len(tail) + places[0]


def _entry(directory: bytes, place: int) -> tuple[_Entry, int]:
    if len(directory) < place + _CENTRAL.size:
        raise damaged("the directory is cut off")
    fields = _CENTRAL.unpack_from(directory, place)
    sign, _, _, flags, method, _, _, crc, packed, size, names, extras, comment, disk, _, kind, begin = fields
    place += _CENTRAL.size
    raw, extra = directory[place : place + names], directory[place + names : place + names + extras]
    place += names + extras + comment
    if sign != b"PK\x01\x02" or disk or place > len(directory):
        raise damaged("the directory is wrong")
    entry = _Entry(raw, _name(raw, flags, extra), flags, method, crc, packed, size, begin, kind >> 16)
    _check(entry)
    return entry, place


def _name(raw: bytes, flags: int, extra: bytes) -> str:
    name = raw.decode("utf-8" if flags & _UTF8 else "ascii", "surrogateescape")
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == _UNICODE_NAME and extra[9 : 4 + length] != raw:
            raise ArchiveRefused("two-names", name, "heeft twee namen", "has two names")
        extra = extra[4 + length :]
    return name


def _check(entry: _Entry) -> None:
    kind = stat.S_IFMT(entry.mode)
    if kind == stat.S_IFLNK:
        raise ArchiveRefused("link", entry.name, "is een symbolische link", "is a symbolic link")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveRefused("device", entry.name, "is een apparaat of pijp", "is a device or pipe")
    if entry.flags & _ENCRYPTED:
        raise ArchiveRefused("encrypted", entry.name, "is versleuteld", "is encrypted")
    if entry.method not in (_STORED, _DEFLATED):
        raise ArchiveRefused(
            "unusual-packing", entry.name, "is op een ongewone manier ingepakt", "is packed in an unusual way"
        )
    if _FULL in (entry.size, entry.packed, entry.begin):
        raise ArchiveRefused("zip64", entry.name, "heeft een lengte als van zip64", "has a length as of zip64")
    if entry.method == _STORED and entry.size != entry.packed:
        raise ArchiveRefused(
            "impossible-length", entry.name, "heeft een onmogelijke lengte", "has an impossible length"
        )


def _laid_out(source: BinaryIO, entries: list[_Entry], directory: int) -> dict[int, int]:
    """Where the data of each member begins; every byte before the directory belongs to exactly one member."""
    data, end, spare = dict[int, int](), 0, _NOTHING
    for entry in sorted(entries, key=lambda each: each.begin):
        if entry.begin < end:
            raise ArchiveRefused("overlap", entry.name, "overlapt een ander onderdeel", "overlaps another member")
        if entry.begin - end not in spare:
            raise trailing()
        data[entry.begin] = _local(source, entry)
        end = data[entry.begin] + entry.packed
        spare = _DESCRIPTORS if entry.flags & _DESCRIBED_AFTER else _NOTHING
    if directory - end not in spare:
        raise trailing() if directory > end else damaged("the directory lies in a member")
    return data


def _local(source: BinaryIO, entry: _Entry) -> int:
    """Where the data of a member begin. Raises `ArchiveRefused` where its own header says another thing."""
    source.seek(entry.begin)
    head = source.read(_LOCAL.size)
    if len(head) < _LOCAL.size:
        raise damaged("a member is cut off")
    sign, _, flags, method, _, _, crc, packed, size, *lengths = _LOCAL.unpack(head)
    names, extras = int(lengths[0]), int(lengths[1])
    same = (flags, method, source.read(names)) == (entry.flags, entry.method, entry.raw)
    lengths_known = not flags & _DESCRIBED_AFTER and _FULL not in (packed, size)
    if lengths_known and (crc, packed, size) != (entry.crc, entry.packed, entry.size):
        same = False
    if sign != b"PK\x03\x04" or not same:
        raise ArchiveRefused(
            "directory-differs",
            entry.name,
            "staat anders in de inhoudsopgave dan op zijn plaats",
            "is not what the directory says of it",
        )
    return entry.begin + _LOCAL.size + names + extras


def _content(source: BinaryIO, entry: _Entry, begin: int) -> Iterator[bytes]:
    """The unpacked content, piece by piece, its checksum compared at the end."""
    engine = zlib.decompressobj(-15) if entry.method == _DEFLATED else None
    crc, place, waiting = 0, begin, b""
    end = begin + entry.packed
    while True:
        if not waiting and place < end:
            source.seek(place)
            waiting = source.read(min(PIECE, end - place))
            place += len(waiting)
        if engine is None:
            found, waiting = waiting, b""
        else:
            try:
                found = engine.decompress(waiting, PIECE)
            except zlib.error as error:
                raise damaged(error) from error
            waiting = engine.unconsumed_tail
            if engine.eof and (engine.unused_data or place < end):
                raise trailing()
        if not found and not waiting and place >= end:
            break
        crc = zlib.crc32(found, crc)
        yield found
    if crc != entry.crc or (engine and not engine.eof):
        raise damaged(f"the checksum of {ascii(entry.name)[:80]} is wrong")
