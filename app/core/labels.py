"""The words of our enums for people: each domain tells its own once, and pages show them by the filter ``label``."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from app.core.i18n import pick
from app.core.messages import Message

_KNOWN: dict[type[StrEnum], Mapping[Any, Message]] = {}


def add(kind: type[StrEnum], words: Mapping[Any, Message]) -> None:
    """Tell the words of one kind; a value without a word would be shown in code, so it is refused at once."""
    missing = [each.value for each in kind if each not in words]
    if missing:
        raise ValueError(f"{kind.__name__} has no words for: {', '.join(missing)}")
    _KNOWN[kind] = words


def label(value: StrEnum | None) -> str:
    """The word of a value in the reader's language (filter ``label``); a dash for nothing."""
    if value is None:
        return "–"
    words = _KNOWN.get(type(value))
    return pick(words[value]) if words else value.value.replace("_", " ")


_NAMES: dict[str, Message] = {}


def name(words: Mapping[str, Message]) -> None:
    """Tell the words of names that anybody may write in a text of theirs, such as a role: they are no closed list."""
    _NAMES.update(words)


def named(written: str | None) -> str:
    """A written name in the reader's language (filter ``named``), where its word is known; else as it was written."""
    return pick(_NAMES[written]) if written in _NAMES else written or "–"


def options(kind: type[StrEnum], only: Iterable[Any] | None = None) -> list[tuple[str, str]]:
    """Value and word of each member, for a field to choose from."""
    return [(each.value, label(each)) for each in (kind if only is None else only)]
