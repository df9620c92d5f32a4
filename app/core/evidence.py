"""The evidence store: files by the hash of their content, durable before their row is written."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.core.durable import half, make_folder

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Stored:
    """A file in the store."""

    sha256: str
    size: int


class EvidenceStore:
    """A folder of files named by their SHA-256; writing the same content twice is harmless."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where the content with this hash lies; raises ValueError for what is no SHA-256."""
        if len(sha256) != 64 or any(c not in "0123456789abcdef" for c in sha256):
            raise ValueError("not a SHA-256")
        return self.folder / sha256[:2] / sha256

    def put(self, source: Path) -> Stored:
        """Copy a file into the store; file and folder are on disk (fsync) when this returns."""
        with source.open("rb") as reader:
            return self.put_stream(iter(lambda: reader.read(_CHUNK), b""))

    def put_stream(self, chunks: Iterable[bytes], *, expected: str | None = None) -> Stored:
        """Keep these bytes, whole or not at all, as `put` does. Raises ValueError where they are not `expected`."""
        make_folder(self.folder)
        digest, size = hashlib.sha256(), 0
        with half(self.folder) as written:
            for chunk in chunks:
                digest.update(chunk)
                written.file.write(chunk)
                size += len(chunk)
            target = self.path(digest.hexdigest())
            if expected not in (None, target.name):
                raise ValueError(f"the content is not that of {expected}")
            make_folder(target.parent)
            written.keep(target)
        return Stored(target.name, size)

    def holds(self, sha256: str) -> bool:
        """Whether the content is there and is still what its name says."""
        try:
            digest = hashlib.sha256()
            for chunk in self.read(sha256):
                digest.update(chunk)
        except (OSError, ValueError):
            return False
        return digest.hexdigest() == sha256

    def read(self, sha256: str) -> Iterator[bytes]:
        """The content in chunks. Raises FileNotFoundError where it is not in the store."""
        with self.path(sha256).open("rb") as reader:
            while chunk := reader.read(_CHUNK):
                yield chunk
