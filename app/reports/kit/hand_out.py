"""Writes kits to a folder for `wissel kit`; where the database does not answer, those that were kept before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from app.core import formats, i18n
from app.core.db import Database
from app.core.i18n import gettext as _
from app.core.settings import Settings
from app.reports.kit import keep
from app.reports.kit.keep import Kept, KitStore


@dataclass(frozen=True)
class Written:
    """A kit in the folder that was asked for."""

    path: Path
    kept: Kept
    old: bool
    """It is the one kept before, for the database did not answer."""

    @property
    def whole(self) -> bool:
        """Whether it can be used as it is: made now, with PDF, and an instruction for each automated step."""
        return self.kept.whole and not self.old

    @property
    def service(self) -> str:
        """The reference of the service that it is of."""
        return str(self.kept.manifest["service"])

    @property
    def told(self) -> str:
        """One sentence for the terminal."""
        told = self.kept.manifest
        found = [f"{self.path}: {told['name']} ({told['service']})"]
        if self.old:
            found.append(f"the database does not answer, this one was made {formats.iso(self.kept.made_at)}")
        if told["noPdfBecause"]:
            found.append(f"no PDF: {told['noPdfBecause']}")
        if told["withoutInstruction"]:
            found.append(f"{told['withoutInstruction']} automated steps have no instruction by hand")
        return "; ".join(found)

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {"path": str(self.path), "databaseAnswered": not self.old, **self.kept.manifest}


def write(
    settings: Settings, services: Sequence[str], folder: Path, language: str | None, *, now: datetime
) -> list[Written]:
    """The kits of these services (all where none is named) as files in `folder`.

    Raises NotFound for a service that is not there, OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store, chosen = KitStore(settings), language or settings.language
    found = _made_now(settings, store, services, chosen, now) if settings.names_a_database else None
    kept = found if found is not None else _lying_ready(store, services, chosen)
    return [_copied(each, folder, old=found is None) for each in kept]


def _lying_ready(store: KitStore, services: Sequence[str], language: str) -> list[Kept]:
    wanted = {each.upper() for each in services}
    ready = [each for each in store.all_kept() if each.manifest["language"] == language]
    return [each for each in ready if not wanted or each.manifest["service"] in wanted]


def _made_now(
    settings: Settings, store: KitStore, services: Sequence[str], language: str, now: datetime
) -> list[Kept] | None:
    """Kits out of the database; None where it does not answer."""
    try:
        database = Database(settings.url)
        wanted = services or keep.services(database)
        found = [store.fresh(database, each, language=language, now=now) for each in wanted]
        database.dispose()
    except SQLAlchemyError:
        return None
    return found


def _copied(kept: Kept, folder: Path, *, old: bool) -> Written:
    with i18n.speaking(kept.manifest["language"]):
        path = folder / f"{_('emergency-kit')}-{kept.manifest['service']}.zip"
    path.write_bytes(kept.path.read_bytes())
    return Written(path, kept, old)
