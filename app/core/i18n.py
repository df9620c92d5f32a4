"""Speaks the visitor's language: message ids are English, translations are read from app/locale at start-up.

In Python: ``_("Save")`` translates now, ``say("Save")`` of `app.core.messages` when it is shown (constants, errors),
``ngettext(one, many, n)`` counts. In templates: ``_()``, ``ngettext()``, ``{% trans %}`` and ``text|lang``.
``python -m app.core.i18n update`` adds missing message ids to the .po files, ``check`` lists what is not translated.
"""

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from app.core.messages import Message

LANGUAGES = ("nl", "en")
DEFAULT = "nl"
COOKIE = "wissel_language"
LOCALES = Path(__file__).resolve().parent.parent / "locale"

_current: ContextVar[str] = ContextVar("language", default=DEFAULT)


@runtime_checkable
class TwoLanguages(Protocol):
    """A sentence in both languages, such as the contract's ``Text``; core does not import who defines it."""

    @property
    def nl(self) -> str:
        """The Dutch sentence."""

    @property
    def en(self) -> str:
        """The English sentence."""


def po_file(language: str) -> Path:
    """Where the translations of a language are kept."""
    return LOCALES / language / "LC_MESSAGES" / "wissel.po"


@cache
def translations(language: str) -> NullTranslations:
    """The translations of one language, compiled in memory: no .mo file is committed or written."""
    with po_file(language).open("rb") as source:
        catalog = read_po(source, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)


def language() -> str:
    """The language of the request that is being answered: nl or en."""
    return _current.get()


@contextmanager
def speaking(chosen: str) -> Iterator[None]:
    """Answer in this language for as long as the block lasts."""
    token = _current.set(chosen if chosen in LANGUAGES else DEFAULT)
    try:
        yield
    finally:
        _current.reset(token)


def choose(cookie: str | None, accept_language: str | None, default: str = DEFAULT) -> str:
    """The cookie's language, else the best of Accept-Language, else the installation's own."""
    if cookie in LANGUAGES:
        return cookie
    return negotiate_locale(_preferences(accept_language or ""), LANGUAGES, sep="-") or default


def _preferences(header: str) -> list[str]:
    weighted = []
    for part in header[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        weighted.append((-_weight(weight), tag.strip()))
    return [tag for weight, tag in sorted(weighted, key=lambda pair: pair[0]) if tag and weight < 0]


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


def gettext(message: str) -> str:
    """The message in the language of this request; the message itself where there is no translation."""
    return str(translations(language()).gettext(message))


def ngettext(singular: str, plural: str, number: int) -> str:
    """The form that belongs to the number, in the language of this request."""
    return str(translations(language()).ngettext(singular, plural, number))


_ = gettext


def pick(text: TwoLanguages | Message | Mapping[str, str] | str | None) -> str:
    """A sentence in the language of this request (filter ``lang``): of a Text, a Message, or a mapping nl, en."""
    match text:
        case None:
            return ""
        case str():
            return text
        case Message():
            return gettext(text.text).format(**{name: shown(value) for name, value in text.values.items()})
        case Mapping():
            return text.get(language()) or text.get(DEFAULT) or text.get("en", "")
        case _:
            return text.nl if language() == "nl" else text.en


def shown(value: Any) -> Any:
    """What a template prints for a value: sentences in the reader's language, everything else as it is."""
    return pick(value) if isinstance(value, (Message, TwoLanguages)) else value


if __name__ == "__main__":
    from app.core.extraction import main

    sys.exit(main(sys.argv[1:]))
