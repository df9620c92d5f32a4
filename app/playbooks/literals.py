"""Checks of plain texts that stand in parameters: no secret, no argument that reads as an option, no shell line."""

import re
from collections.abc import Mapping
from typing import Any

from app.core.messages import Message, say
from app.playbooks import references
from app.playbooks.refusals import Notes
from app.playbooks.yaml_text import Path
from runners import origins

_SECRET_NAMES = re.compile(
    r"(^|[_-])(dsn|passw(or)?ds?|pwd|passphrase|secrets?|tokens?|(api|access|private|secret)[_-]?keys?|credentials?"
    r"|(proxy[_-])?authorization|cookie|wachtwoord(en)?|wachtzin|geheim(en)?|(geheime|toegangs)[_-]?sleutels?)$",
    re.I,
)
_SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(password|passwd|pwd)=\S|://[^/\s@:]+:[^/\s@]+@|\bBearer\s+\S{8,}", re.I
)
_ARGV = {"argv", "args", "arguments"}
_ADDRESS = re.compile(r"(^|_)url$")


def looks_secret(name: str, value: str) -> bool:
    """Whether a text is a secret by its name or by its form, and not a reference to one."""
    if value.startswith(("secret://", "${")):
        return False
    return bool(_SECRET_TEXT.search(value) or _SECRET_NAMES.search(name))


def check(given: Mapping[str, Any], path: Path, notes: Notes, *, inside: Path = ()) -> None:
    """Note each text below `path` that is refused; `inside` is where a value stands below its name."""
    for name in _ARGV & set(given):
        if isinstance(given[name], str) and not given[name].startswith("${"):
            reason = say(
                "Write '{name}' as a list of whole arguments, never as one text: no shell splits it.", name=name
            )
            notes.breaks((*path, name, *inside), "argv-is-text", reason)
    for place, value in references.places(given):
        if value is None or isinstance(value, bool):
            continue
        named = next((str(part) for part in reversed(place) if isinstance(part, str)), "")
        if isinstance(value, str) and value.startswith("-"):
            reason = say("A parameter must not start with '-': a command would read it as an option.")
            notes.breaks((*path, *place, *inside), "leading-dash", reason)
        elif looks_secret(named, str(value)):
            reason = say("A secret stands here in plain text. Keep it at the site and write 'secret://NAME'.")
            notes.breaks((*path, *place, *inside), "secret-inline", reason)
        elif _ADDRESS.search(named) and (told := address_fault(str(value))):
            notes.breaks((*path, *place, *inside), "url-refused", told)


def address_fault(value: str) -> Message | None:
    """Why a literal web address is refused: its scheme, userinfo, or an address in disguise; None where it is good."""
    if "${" in value:
        return None
    try:
        origins.origin(value)
    except origins.UrlRefused:
        return say("Write an address such as https://host/path: no name or password in it, and no number as its host.")
    return None
