"""The secrets of this process's sites, as its settings say; the settings that are secret themselves are masked too."""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from app.core.settings import Settings
from runners.openbao import Login, OpenBao
from runners.secrets import NotHeld, SiteSecrets, Why, from_file


def of(settings: Settings) -> SiteSecrets:
    """Everything that `settings` and the environment name."""
    made = SiteSecrets(os.environ, folder=settings.secrets_dir, store=_store(settings))
    for each in (getattr(settings, name) for name in type(settings).model_fields):
        if isinstance(each, SecretStr) and not _is_open(each.get_secret_value()):
            made.masks.add(each.get_secret_value())
    made.learn()
    return made


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
