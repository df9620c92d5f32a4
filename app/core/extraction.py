"""Finds every message in the templates and the code, so that no page stays untranslated: update and check."""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from app.core.i18n import LANGUAGES, po_file

APP = Path(__file__).resolve().parent.parent
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "say": None,
    "ngettext": (1, 2),
}


@dataclass(frozen=True)
class Gap:
    """A message that a Dutch reader would see in English, or that was only guessed."""

    message: str
    why: Literal["missing", "fuzzy"]
    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.why}: {self.message!r} ({', '.join(self.places[:3])})"


def found(folder: Path = APP) -> Catalog:
    """Every message of the product with the places where it stands."""
    catalog = Catalog(project="wissel", charset="utf-8", fuzzy=False)
    tags = "jinja2.ext.do, jinja2.ext.loopcontrols"
    options = {"templates/**.html": {"trimmed": "true", "silent": "false", "extensions": tags}}
    rows = extract_from_dir(str(folder), METHODS, options, keywords=KEYWORDS)
    for filename, line, message, comments, _context in rows:
        catalog.add(message, locations=[(f"app/{filename}", line)], auto_comments=comments)
    for source in sorted(folder.rglob("*.py")):
        for title, line in _titles(source):
            catalog.add(title, locations=[(f"app/{source.relative_to(folder)}", line)])
    return catalog


def _titles(source: Path) -> Iterator[tuple[str, int]]:
    """The titles of our errors: class attributes, which no gettext keyword can mark."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ClassDef):
            continue
        for line in node.body:
            target = line.target if isinstance(line, ast.AnnAssign) else getattr(line, "targets", [None])[0]
            value = getattr(line, "value", None)
            text = value.value if isinstance(value, ast.Constant) else None
            if isinstance(target, ast.Name) and target.id == "title" and isinstance(text, str):
                yield text, line.lineno


def stored(language: str) -> Catalog:
    """The translations as the .po file has them."""
    with po_file(language).open("rb") as source:
        return read_po(source, locale=language)


def gaps(language: str, messages: Catalog | None = None) -> list[Gap]:
    """What is missing or fuzzy; English needs none of its own, for its ids are the text."""
    known = stored(language)
    return list(_gaps(messages or found(), known)) if language != "en" else []


def _gaps(messages: Catalog, known: Catalog) -> Iterator[Gap]:
    for message in messages:
        if not message.id:
            continue
        translated = known.get(message.id)
        if translated is None or not _filled(translated):
            yield Gap(_words(message), "missing", _places(message))
        elif translated.fuzzy:
            yield Gap(_words(message), "fuzzy", _places(message))


def _filled(message: Message) -> bool:
    return all(message.string) if isinstance(message.string, (tuple, list)) else bool(message.string)


def _words(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _places(message: Message) -> tuple[str, ...]:
    return tuple(f"{file}:{line}" for file, line in message.locations)


def update(language: str, messages: Catalog) -> None:
    """Add new messages, drop those that stand nowhere any more, keep every translation; never guess one."""
    known = stored(language)
    known.update(messages, no_fuzzy_matching=True, update_header_comment=False)
    known.obsolete.clear()
    with po_file(language).open("wb") as target:
        write_po(target, known, width=120, sort_output=True, omit_header=False, include_lineno=False)


def main(arguments: Sequence[str]) -> int:
    """``update`` writes the .po files and lists what is left to translate; ``check`` only lists it."""
    if list(arguments) not in (["update"], ["check"]):
        sys.stderr.write("usage: python -m app.core.i18n update | check\n")
        return 2
    messages = found()
    if arguments[0] == "update":
        for language in LANGUAGES:
            update(language, messages)
    left = gaps("nl", messages)
    sys.stdout.writelines(f"{gap}\n" for gap in left)
    sys.stdout.write(f"{len(messages)} messages, {len(left)} without Dutch\n")
    return 1 if left else 0
