"""Finds secrets that stand in the open where only a reference to one may stand."""

import re
from collections.abc import Mapping
from typing import Any

_SECRET_WORDS = frozenset(
    {"dsn", "password", "passwd", "pwd", "token", "secret", "credential", "credentials", "passphrase", "key", "apikey"}
)
_SECRET_REFERENCE = re.compile(r"secret://[A-Za-z0-9._-]+")
_INLINE = re.compile(r"(?i)://[^/\s@]*:[^/\s@]+@|\b(password|passwd|pwd|sslpassword)\s*=|-----BEGIN [A-Z ]*PRIVATE KEY")


def inline_secrets(value: Any, path: str = "") -> list[str]:
    """Paths in a driver document at which a secret stands in the open instead of ``secret://NAME``."""
    if isinstance(value, Mapping):
        found = [at for name, each in value.items() for at in _under(str(name), each, path)]
    elif isinstance(value, list):
        found = [at for number, each in enumerate(value) for at in inline_secrets(each, f"{path}/{number}")]
    else:
        found = [path] if isinstance(value, str) and _INLINE.search(value) else []
    return found


def _under(name: str, value: Any, path: str) -> list[str]:
    here = f"{path}/{name}"
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    secret = not _SECRET_WORDS.isdisjoint(words) and words[0] != "public"
    if not secret or value is None:
        return inline_secrets(value, here)
    return [] if isinstance(value, str) and _SECRET_REFERENCE.fullmatch(value) else [here]
