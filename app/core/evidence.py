"""The evidence store: files by the hash of their content, durable before their row is written."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
        self.folder.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with source.open("rb") as reader, tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as writer:
            try:
                while chunk := reader.read(_CHUNK):
                    digest.update(chunk)
                    writer.write(chunk)
                    size += len(chunk)
                writer.flush()
                os.fsync(writer.fileno())
                target = self.path(digest.hexdigest())
                target.parent.mkdir(exist_ok=True)
                Path(writer.name).replace(target)
            except BaseException:
                Path(writer.name).unlink(missing_ok=True)
                raise
        for folder in (target.parent, self.folder):
            _sync_folder(folder)
        return Stored(digest.hexdigest(), size)

    def read(self, sha256: str) -> Iterator[bytes]:
        """The content in chunks. Raises FileNotFoundError where it is not in the store."""
        with self.path(sha256).open("rb") as reader:
            while chunk := reader.read(_CHUNK):
                yield chunk


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
