"""The secrets of this process's sites, as its settings say, and telling the others which of them are here, by name.

The settings that are secret themselves are masked like any other secret.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlmodel import Session

from app.core import clock
from app.core.db import Database
from app.core.settings import Settings
from app.drills import held
from runners.contract import SitePolicy
from runners.openbao import Login, OpenBao
from runners.secrets import NotHeld, SiteSecrets, Why, from_file, of_template

TOLD_SECONDS = 30.0
"""How often it is written down what is held, where nothing changed."""


def of(settings: Settings) -> SiteSecrets:
    """Everything that `settings` and the environment name."""
    made = SiteSecrets(os.environ, folder=settings.secrets_dir, store=_store(settings))
    for each in (getattr(settings, name) for name in type(settings).model_fields):
        if isinstance(each, SecretStr) and not _is_open(each.get_secret_value()):
            made.masks.add(each.get_secret_value())
    made.learn()
    return made


class Telling:
    """Writes down which secrets this worker holds, so that a drill that lacks one is told before it begins."""

    def __init__(
        self, settings: Settings, database: Database, secrets: SiteSecrets, policy: SitePolicy, boot_id: str
    ) -> None:
        self._served, self._database, self._secrets, self._boot_id = settings.served_sites, database, secrets, boot_id
        self._commands = {name: sorted(of_template(each)) for name, each in policy.commands.items()}
        self._told_at, self._told = 0.0, ""

    def look(self) -> None:
        """Look, and write where something changed, or where it was written a while ago."""
        self._secrets.learn()
        with self._database.transaction(write=False) as session:
            names = held.wanted(session, None if held.EVERY_SITE in self._served else self._served)
        names |= {name for each in self._commands.values() for name in each}
        looked = {name: self._secrets.look(name) for name in sorted(names)}
        found = {
            name: {"source": each.source, "why": each.why, "also": list(each.also)} for name, each in looked.items()
        }
        told = json.dumps(found)
        if told == self._told and clock.passed() - self._told_at < TOLD_SECONDS:
            return
        row = held.SiteSecrets(
            boot_id=self._boot_id,
            sites=",".join(sorted(self._served)),
            looked_at=clock.now(),
            found=json.loads(told),
            commands=self._commands,
        )
        with self._database.transaction() as session:
            held.write(session, row)
        self._told_at, self._told = clock.passed(), told

    def forget(self, session: Session) -> None:
        """Say no more: this worker stops."""
        held.forget(session, self._boot_id)


def _store(settings: Settings) -> OpenBao | None:
    if settings.openbao_url is None:
        return None
    login = Login(
        token=_given(settings.openbao_token, settings.openbao_token_file),
        role_id=settings.openbao_role_id,
        secret_id=_given(settings.openbao_secret_id, settings.openbao_secret_id_file),
    )
    return OpenBao(
        settings.openbao_url,
        login,
        mount=settings.openbao_mount,
        path=settings.openbao_path,
        namespace=settings.openbao_namespace,
        authorities=settings.ca_file,
    )


def _is_open(value: str) -> bool:
    """A database URL without a password, such as the path of an SQLite file."""
    return "://" in value and urlsplit(value).password is None and "password" not in value


def _given(value: SecretStr | None, file: Path | None) -> Callable[[], str] | None:
    if value is not None:
        return value.get_secret_value
    return None if file is None else lambda: _read(file)


def _read(file: Path) -> str:
    """Read at each use, for an agent keeps it fresh; under the same rules as any secret in a file."""
    found = from_file(file.parent, file.name)
    if not found:
        raise NotHeld(Why.DENIED)
    return found.strip()
