"""Opens a backup as what it is: a file from elsewhere, of which nothing is believed before it was checked."""

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from app.core.backup.shape import (
    EVIDENCE_PART,
    FORMAT,
    LARGEST_MANIFEST,
    MANIFEST,
    TABLE_PART,
    BackupRefused,
    Manifest,
    evidence_part,
    table_part,
)

_CHUNK = 1024 * 1024
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


class Backup:
    """A backup file whose names, kinds and sizes are right; `verify` reads all of it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self._archive = zipfile.ZipFile(file)
        except _DAMAGED as error:
            raise BackupRefused(f"{file} is no backup of Wissel, or was cut short: {error}") from error
        try:
            self._entries = _entries(self._archive, file.stat().st_size)
            self.manifest = self._manifest()
            self._agree()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> "Backup":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    @property
    def parts(self) -> int:
        """How many parts `verify` goes through."""
        return len(self.manifest.tables) + len(self.manifest.evidence)

    def verify(self) -> Iterator[str]:
        """Read every part against its hash, its size and its count; yields the name of each that is right."""
        for name in self.manifest.tables:
            for _ in self.lines(name):
                pass
            yield table_part(name)
        for sha256 in self.manifest.evidence:
            for _ in self.content(sha256):
                pass
            yield evidence_part(sha256)

    def lines(self, table: str) -> Iterator[bytes]:
        """The rows of a table. Raises `BackupRefused` at the end where they are not those of the manifest."""
        part, count = self.manifest.tables[table], 0
        rest = b""
        for chunk in self._checked(table_part(table), part.sha256, part.size):
            *whole, rest = (rest + chunk).split(b"\n")
            count += len(whole)
            yield from whole
        if rest or count != part.rows:
            raise BackupRefused(f"table {table}: it holds {count} whole rows, and {part.rows} were backed up")

    def content(self, sha256: str) -> Iterator[bytes]:
        """An evidence file in chunks. Raises `BackupRefused` at the end where it is not what its name says."""
        yield from self._checked(evidence_part(sha256), sha256, self.manifest.evidence[sha256])

    def _checked(self, name: str, sha256: str, size: int) -> Iterator[bytes]:
        digest, seen = hashlib.sha256(), 0
        try:
            with self._archive.open(self._entries[name]) as reader:
                while chunk := reader.read(_CHUNK):
                    seen += len(chunk)
                    if seen > size:
                        break
                    digest.update(chunk)
                    yield chunk
        except _DAMAGED as error:
            raise BackupRefused(f"{name} can't be read: {error}") from error
        if seen != size or digest.hexdigest() != sha256:
            raise BackupRefused(f"{name} is not what was backed up: its hash or its size differs")

    def _manifest(self) -> Manifest:
        entry = self._entries.get(MANIFEST)
        if entry is None or entry.file_size > LARGEST_MANIFEST:
            raise BackupRefused("It has no manifest, so it is no backup of Wissel.")
        try:
            found = Manifest.model_validate_json(self._archive.read(entry))
        except ValidationError as error:
            raise BackupRefused(f"Its manifest is damaged: {error.errors()[0]['msg']}") from error
        except _DAMAGED as error:
            raise BackupRefused(f"Its manifest can't be read: {error}") from error
        if found.format != FORMAT:
            raise BackupRefused(f"Its format is {found.format[:40]!r}; this Wissel reads {FORMAT}.")
        return found

    def _agree(self) -> None:
        told = {table_part(name) for name in self.manifest.tables}
        told |= {evidence_part(sha256) for sha256 in self.manifest.evidence} | {MANIFEST}
        if other := told ^ set(self._entries):
            raise BackupRefused(f"Manifest and contents do not agree on {sorted(other)[0]!r}.")


def _entries(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The entries by name. Only plain stored files under the names of ours: so nothing can grow or lead elsewhere."""
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.filename
        if name in found:
            raise BackupRefused(f"{name[:100]!r} is in it twice.")
        if name != MANIFEST and not TABLE_PART.match(name) and not EVIDENCE_PART.match(name):
            raise BackupRefused(f"{ascii(name)[:100]} does not belong in a backup.")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or entry.is_dir() or entry.flag_bits & 1:
            raise BackupRefused(f"{name} is no plain file.")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise BackupRefused(f"{name} is compressed; a backup is not.")
        found[name] = entry
    if sum(entry.file_size for entry in found.values()) > size:
        raise BackupRefused("Its parts lie over each other.")
    return found
