"""Decides what a secret in the open is, by name or by form: the one place for catalogue, drills, playbooks and texts.

A secret belongs at its site; here only ``secret://NAME`` may stand. Whoever refuses one never repeats its value.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

CODE = "secret-inline"
"""Stable code of every refusal."""
_ALWAYS = frozenset(
    {"dsn", "password", "passwords", "passwd", "pwd", "sslpassword", "passphrase", "secret", "secrets", "credential"}
    | {"credentials", "apikey", "apikeys", "authorization", "wachtwoord", "wachtwoorden", "wachtzin", "geheim"}
    | {"geheimen", "token", "tokens"}
)
"""Words of a name anywhere in it; `apiToken` and `api-token` are two words each."""
_AT_THE_END = frozenset({"key", "keys", "sleutel", "sleutels", "cookie", "cookies"})
"""Words that say so as the last of a name: a `private_key`, but no `key_people`."""
_OPEN = frozenset({"public", "publieke", "openbare"})
_REFERENCE = re.compile(r"secret://[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FORM = re.compile(
    r"://[^/\s@:]*:[^/\s@]+@"  # a password in an address
    r"|\b(?:ssl)?(?:password|passwd|pwd|wachtwoord)\s*=\s*\S"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?:Bearer|Basic)\s+[A-Za-z0-9+/_.~-]{12,}"
    r"|\bwsl_[A-Za-z0-9_-]{20,}"  # ours
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bhv[sb]\.[A-Za-z0-9_-]{20,}|\bglpat-[\w-]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",  # a signed token (JWT)
    re.IGNORECASE,
)


def by_form(text: str) -> bool:
    """Whether a text holds a secret, whatever its name: a password in an address, a private key, a known token."""
    return bool(_FORM.search(text))


def by_name(name: str) -> bool:
    """Whether what bears this name is a secret."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_-"))
    if words[0] in _OPEN:
        return False
    return not _ALWAYS.isdisjoint(words) or words[-1] in _AT_THE_END


def is_reference(value: Any) -> bool:
    """Whether a value is ``secret://NAME``."""
    return isinstance(value, str) and bool(_REFERENCE.fullmatch(value))


def in_document(value: Any, path: str = "") -> list[str]:
    """Paths in a document at which a secret stands in the open instead of ``secret://NAME``."""
    if isinstance(value, Mapping):
        return [at for name, each in value.items() for at in _under(str(name), each, f"{path}/{name}")]
    if isinstance(value, list):
        return [at for number, each in enumerate(value) for at in in_document(each, f"{path}/{number}")]
    return [path] if isinstance(value, str) and by_form(value) else []


def refuse(text: str) -> str:
    """`text`, for a shape of the API. Raises where a secret stands in it; the text is not repeated."""
    if by_form(text):
        raise PydanticCustomError(
            CODE, "a secret stands here in the open; keep it at its site and write its name, secret://NAME"
        )
    return text


def _under(name: str, value: Any, here: str) -> list[str]:
    if not by_name(name) or value is None:
        return in_document(value, here)
    return [] if is_reference(value) else [here]
