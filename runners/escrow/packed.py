"""Unpacks gzip, bzip2 and xz a piece at a time: never more in memory than was asked for, nothing hidden after the end.

The standard file classes pass over whatever follows a bzip2 or xz stream, and let an xz header ask for gigabytes.
"""

import bz2
import lzma
import os
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

from runners.escrow.naming import Limits, damaged, trailing

PIECE = 64 * 1024
"""Bytes that are read, or unpacked, at once."""
XZ_MEMORY = 128 * 1024 * 1024
"""Bytes that a header may make the xz decoder take; `xz -9` needs 65 MiB."""


class _Engine(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)  # with the header and the checksum of gzip
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        found = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = not self._inner.unconsumed_tail and len(found) < max_length
        return found


_KINDS: dict[bytes, Callable[[], _Engine]] = {
    b"\x1f\x8b": _Gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY),
}


class Unpacked:
    """The unpacked bytes of an open archive, counted against the limits."""

    def __init__(self, source: BinaryIO, limits: Limits) -> None:
        self._source, self._limits, self._count = source, limits, 0
        self._packed = source.seek(0, os.SEEK_END)
        source.seek(0)
        begin = source.read(6)
        source.seek(0)
        self._magic = next((magic for magic in _KINDS if begin.startswith(magic)), b"")
        self._engine = _KINDS[self._magic]() if self._magic else None
        self._pending = b""

    def read(self, most: int) -> bytes:
        """At least one byte and at most `most`; none at the end. Raises `ArchiveRefused`."""
        found = self._next(self._engine, min(most, PIECE)) if self._engine else self._source.read(min(most, PIECE))
        self._count += len(found)
        self._limits.check(self._count, self._packed)
        return found

    def _next(self, engine: _Engine, most: int) -> bytes:
        while True:
            if engine.eof:
                if not self._another(engine.unused_data):
                    return b""
                self._engine = engine = _KINDS[self._magic]()
            data, self._pending = self._pending, b""
            if not data and engine.needs_input:
                data = self._source.read(PIECE)
                if not data:
                    raise damaged("the packed data end too early")
            try:
                found = engine.decompress(data, most)
            except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:  # bz2 says OSError; nothing is read here
                raise damaged(error) from error
            if found:
                return found

    def _another(self, rest: bytes) -> bool:
        """Whether another stream of the same kind follows the one that ended; zeros that fill up a block may too."""
        rest += self._source.read(PIECE)
        if not rest.strip(b"\0"):
            while more := self._source.read(PIECE):
                if more.strip(b"\0"):
                    raise trailing()
            return False
        if not rest.startswith(self._magic):
            raise trailing()
        self._pending = rest
        return True
