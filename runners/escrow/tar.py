"""Reads a tar stream: only plain files and folders, only the headers that name them, nothing taken at its word.

The formats are those of POSIX (ustar, pax) and of GNU tar for long names. Not the standard reader: that one follows
lengths of gigabytes in a header, sparse maps, and stops silently before what is hidden after the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from runners.escrow.naming import ArchiveRefused, damaged, trailing

BLOCK = 512
LARGEST_HEADER = 1024 * 1024
"""Bytes of one pax header or long name."""
_LINKS = {b"1": ("is een harde link", "is a hard link"), b"2": ("is een symbolische link", "is a symbolic link")}
_LINKS |= {b"K": ("is een link", "is a link")}
_DEVICES = (b"3", b"4", b"6")
_NOT_PLAIN = ("is geen gewoon bestand", "is no plain file")


class Stream(Protocol):
    """Where the bytes come from."""

    def read(self, most: int) -> bytes:
        """At least one byte and at most `most`; none at the end."""
        ...


@dataclass(frozen=True)
class Member:
    """One file or folder; the content of a file must be taken before the next member is asked for."""

    name: str
    folder: bool
    executable: bool
    size: int
    content: Iterator[bytes]


@dataclass
class _Header:
    name: str
    kind: bytes
    size: int
    mode: int


def members(stream: Stream) -> Iterator[Member]:
    """Every member in order. Raises `ArchiveRefused`."""
    long_name, extended = "", dict[str, str]()
    while any(block := _exactly(stream, BLOCK)):
        header = _header(block)
        if header.kind == b"L":
            long_name = _text(_payload(stream, header).rstrip(b"\0"))
            continue
        if header.kind in (b"x", b"g"):
            told = _records(_payload(stream, header))
            if header.kind == b"g" and told.keys() & {"path", "size"}:
                raise ArchiveRefused(
                    "global-header", "", "een kop geldt voor alle bestanden", "one header is about every file"
                )
            extended = told if header.kind == b"x" else extended
            continue
        header.name = extended.get("path", long_name or header.name)
        if "size" in extended:
            header.size = _number(extended["size"].encode(), 10, header.name)
        long_name, extended = "", {}
        folder = _folder(header)
        content = _content(stream, header.size)
        yield Member(header.name, folder, bool(header.mode & 0o100), header.size, content)
        for _ in content:
            pass
        _exactly(stream, -header.size % BLOCK)
    _only_zeros(stream)


def _folder(header: _Header) -> bool:
    """Whether the member is a folder. Raises `ArchiveRefused` where it is neither that nor a plain file."""
    if header.kind in _LINKS:
        raise ArchiveRefused("link", header.name, *_LINKS[header.kind])
    if header.kind in _DEVICES:
        raise ArchiveRefused("device", header.name, "is een apparaat of pijp", "is a device or pipe")
    if header.kind not in (b"0", b"\0", b"5"):
        raise ArchiveRefused("not-plain", header.name, *_NOT_PLAIN)
    # Before POSIX a folder was a file whose name ends with a slash.
    folder = header.kind == b"5" or header.name.endswith("/")
    if folder and header.size:
        raise ArchiveRefused("folder-with-content", header.name, "is een map met inhoud", "is a folder with content")
    return folder


def _header(block: bytes) -> _Header:
    told = _number(block[148:156], 8)
    plain = block[:148] + b" " * 8 + block[156:]
    if told not in (sum(plain), sum(byte - 256 if byte > 127 else byte for byte in plain)):
        raise damaged("the checksum of a header is wrong")
    name = block[:100].split(b"\0")[0]
    prefix = block[345:500].split(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    whole = _text(prefix + b"/" + name if prefix else name)
    mode = block[100:108].strip(b"\0 ")
    return _Header(
        name=whole,
        kind=block[156:157],
        size=_number(block[124:136], 8, whole),
        mode=int(mode, 8) if mode and not mode.strip(b"01234567") else 0,
    )


def _number(field: bytes, base: int, name: str = "") -> int:
    """A length; GNU tar writes large ones in binary, with the highest bit set, and negative ones too."""
    digits = field.strip(b"\0 ")
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    if not digits and base == 8 and name:
        return 0  # some writers leave the length of a folder empty
    if not digits or len(digits) > 20 or digits.strip(b"01234567" if base == 8 else b"0123456789"):
        if not name:
            raise damaged("a header is wrong")
        raise ArchiveRefused("impossible-length", name, "heeft een onmogelijke lengte", "has an impossible length")
    return int(digits, base)


def _payload(stream: Stream, header: _Header) -> bytes:
    if header.size > LARGEST_HEADER:
        raise ArchiveRefused(
            "header-too-large",
            "",
            f"het heeft een kop van {header.size} bytes",
            f"it has a header of {header.size} bytes",
        )
    content = _exactly(stream, header.size)
    _exactly(stream, -header.size % BLOCK)
    return content


def _records(content: bytes) -> dict[str, str]:
    """The records of a pax header: ``LENGTH KEY=VALUE\\n``. Raises `ArchiveRefused`."""
    found = dict[str, str]()
    while content:
        length, _, _ = content[:24].partition(b" ")
        end = int(length) if length.isdigit() else 0
        key, equals, value = content[len(length) + 1 : end - 1].partition(b"=")
        if not equals or end > len(content) or content[end - 1 : end] != b"\n":
            raise damaged("a pax header is wrong")
        name = _text(key)
        if name.startswith("GNU.sparse"):
            raise ArchiveRefused("sparse", "", "het heeft een bestand met gaten", "it has a sparse file")
        if name in found:
            raise damaged(f"a pax header says {ascii(name)[:40]} twice")
        found[name], content = _text(value), content[end:]
    return found


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _content(stream: Stream, size: int) -> Iterator[bytes]:
    while size:
        chunk = stream.read(size)
        if not chunk:
            raise damaged("a file ends too early")
        size -= len(chunk)
        yield chunk


def _exactly(stream: Stream, size: int) -> bytes:
    found = b"".join(_content(stream, size))
    if len(found) < size:
        raise damaged("it ends too early")
    return found


def _only_zeros(stream: Stream) -> None:
    while chunk := stream.read(BLOCK * 128):
        if chunk.strip(b"\0"):
            raise trailing()
