"""Keeps the kit of each service as a file, and makes it again when what stands in it has changed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import select

from app.access import reach
from app.access.rules import Action, Actor, sight
from app.catalog import insight
from app.catalog import service as catalog
from app.catalog.models import Service
from app.core import formats
from app.core.audit import AuditEvent, chain
from app.core.db import Database
from app.core.durable import half, make_folder
from app.core.settings import Settings
from app.reports.kit import parcel
from app.reports.kit.contents import Kit, gather
from app.reports.kit.print import HEAD, html, pdf

KITS = "SVC-*-??.zip"
"""Names of the files: reference and language."""


@dataclass(frozen=True)
class Kept:
    """A kit on disk."""

    path: Path
    manifest: dict[str, Any]
    size: int

    @property
    def made_at(self) -> datetime:
        """When it was made."""
        return datetime.fromisoformat(self.manifest["madeAt"])

    @property
    def whole(self) -> bool:
        """Whether it can be printed as it is: with its PDF, and an instruction for each automated step."""
        return not self.manifest["noPdfBecause"] and not self.manifest["withoutInstruction"]


@dataclass(frozen=True)
class _Made:
    """A kit as it would be now, before the PDF of it is made."""

    kit: Kit
    page: str
    language: str
    head: str

    @property
    def digest(self) -> str:
        """Of the page, without the head of the audit log: each event is a new head, and no reason for a new kit."""
        return hashlib.sha256(self.page.encode()).hexdigest()


def _packed(made: _Made, now: datetime) -> bytes:
    page = made.page.replace(HEAD, made.head)
    told: dict[str, Any] = {"language": made.language, "digest": made.digest, "version": version("wissel")}
    return parcel.pack(made.kit, page, pdf(page), **told, head=made.head, now=now)


class KitStore:
    """The folder with one ZIP per service, by its reference and language."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self.folder = settings, settings.data_dir.absolute() / "kits"

    def kept(self, ref: str, language: str | None = None) -> Kept | None:
        """The kit that lies there, also when the database is gone; None where there is none that can be read."""
        path = self._path(ref, language or self._settings.language)
        try:
            return _kept(path)
        except (OSError, ValueError):
            return None

    def all_kept(self) -> list[Kept]:
        """Every kit in the folder, by its name."""
        names = [path.stem.rpartition("-") for path in sorted(self.folder.glob(KITS))]
        found = [self.kept(ref, language) for ref, _dash, language in names]
        return [each for each in found if each is not None]

    def fresh(self, database: Database, key: str, *, language: str | None = None, now: datetime) -> Kept:
        """The kit as it must be now: the one that lies there, or a new one where anything changed. Raises NotFound.

        The transaction ends before the PDF is made, for that takes seconds.
        """
        made = self._made(database, key, language, None, now)
        there = self._there(made)
        return there or self._write(self._path(made.kit.service.ref, made.language), _packed(made, now))

    def for_reader(
        self, database: Database, key: str, reader: Actor, *, language: str | None = None, now: datetime
    ) -> tuple[str, bytes]:
        """Name and content of the kit with what `reader` may read; nothing is kept of one that leaves things out."""
        if sight(reader) is None:
            kept = self.fresh(database, key, language=language, now=now)
            return kept.path.name, kept.path.read_bytes()
        made = self._made(database, key, language, reader, now)
        there = self._there(made)
        content = there.path.read_bytes() if there is not None else _packed(made, now)
        return self._path(made.kit.service.ref, made.language).name, content

    def _made(self, database: Database, key: str, language: str | None, reader: Actor | None, now: datetime) -> _Made:
        language = language or self._settings.language
        with database.transaction(write=False) as session:
            if reader is not None:
                reach.work_for(session, reader, Action.READ, only_look=True)
            kit = gather(session, catalog.find(session, Service, key), now=now)
            page = html(kit, language=language, organisation=self._settings.organisation)
            return _Made(kit, page, language, str(chain.head(session)))

    def _there(self, made: _Made) -> Kept | None:
        """The kit that lies there, where it is what was made now; None where it is not, or has no PDF."""
        there = self.kept(made.kit.service.ref, made.language)
        same = there is not None and there.manifest["digest"] == made.digest and not there.manifest["noPdfBecause"]
        return there if same else None

    def renew(self, database: Database, *, now: datetime) -> list[Kept]:
        """Bring the kit of every service up to date and take away those of services that are no more."""
        there = services(database)
        for path in self.folder.glob(KITS):
            if path.stem.rpartition("-")[0] not in there:
                path.unlink(missing_ok=True)
        return [self.fresh(database, ref, now=now) for ref in there]

    def _path(self, ref: str, language: str) -> Path:
        return self.folder / f"{ref}-{language}.zip"

    def _write(self, path: Path, content: bytes) -> Kept:
        """Whole or not at all: a crash leaves the former kit."""
        make_folder(self.folder)
        with half(self.folder) as written:
            written.file.write(content)
            written.keep(path)
        return _kept(path)


def _kept(path: Path) -> Kept:
    return Kept(path, parcel.manifest(path), path.stat().st_size)


def services(database: Database) -> Sequence[str]:
    """References of the services that are not archived, each of which has a kit."""
    with database.transaction(write=False) as session:
        return sorted(row.ref for row in insight.live_services(session).values())


class Renewal:
    """Makes the kits again after each change: asked now and then, it works only when something was written since."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._store, self._database = KitStore(settings), database
        self._seen: tuple[int, str] | None = None

    def look(self, *, now: datetime) -> list[Kept]:
        """Renew where the audit log grew, or a day passed (proof runs out by itself), since the last look."""
        with self._database.transaction(write=False) as session:
            last = session.exec(select(func.max(AuditEvent.id))).one() or 0
        seen = (last, formats.local(now).date().isoformat())
        if seen == self._seen:
            return []
        made = self._store.renew(self._database, now=now)
        self._seen = seen
        return made
