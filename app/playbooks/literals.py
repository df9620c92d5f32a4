"""Checks of plain texts that stand in parameters: no secret, no argument that reads as an option, no shell line."""

import re
from collections.abc import Mapping
from typing import Any

from app.core import openness
from app.core.messages import Message, say
from app.playbooks import references
from app.playbooks.refusals import Notes
from app.playbooks.yaml_text import Path
from runners import origins

_ARGV = {"argv", "args", "arguments"}
_ADDRESS = re.compile(r"(^|_)url$")


def looks_secret(name: str, value: str) -> bool:
    """Whether a text is a secret by its name or by its form, and not a reference to one."""
    if openness.is_reference(value) or value.startswith("${"):
        return False
    return openness.by_form(value) or openness.by_name(name)


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
            notes.breaks((*path, *place, *inside), openness.CODE, reason)
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
