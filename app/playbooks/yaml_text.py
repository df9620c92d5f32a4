"""Reads YAML 1.2 within limits: no anchors, tags, merge keys or duplicates, and the line of each key is known."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from app.core.messages import Message, say
from runners.cleaning import JOINERS, hidden

LARGEST = 256 * 1024
MOST_NODES = 10_000
DEEPEST = 20
"""Categories of characters that nobody sees: lone surrogates, controls, line and paragraph separators."""
_STAND_IN = "?"
"""Takes the place of a refused text, so that no message repeats it."""
_INTEGER = re.compile(r"^[-+]?(0|[1-9][0-9]{0,17})$")
_NUMBER = re.compile(r"^[-+]?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?([eE][-+]?[0-9]{1,2})?$")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the text as YAML."""

    line: int
    path: Path
    code: str
    reason: Message


@dataclass
class Document:
    """What was read: plain values, the line of each place, and what was wrong."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a place, or of the nearest thing around it; counted from 1."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


class _Stop(Exception):
    """Reading on makes no sense; the fault was noted."""


def read(text: str) -> Document:
    """The document in `text`; its `faults` say what was refused. Never raises for bad text."""
    document = Document()
    text = text.removeprefix("\ufeff")  # some editors begin each file with it
    document.faults.extend(_before_parsing(text))
    if document.faults:
        return document
    try:
        _Reader(document, YAML(pure=True).parse(text)).read()
    except _Stop:
        pass
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = say("This is not YAML: {problem}. Look at indents, quotes and brackets.", problem=str(error.problem))
        document.faults.append(Fault(mark.line + 1 if mark else 1, (), "not-yaml", reason))
    except (ReaderError, YAMLError, ValueError) as error:
        reason = say("This is not YAML: {problem}.", problem=str(error).splitlines()[0] if str(error) else "unreadable")
        document.faults.append(Fault(1, (), "not-yaml", reason))
    return document


def _before_parsing(text: str) -> Iterator[Fault]:
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        yield Fault(1, (), "too-large", say("The file is larger than 256 KiB. Split the playbook."))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if unclean := _unclean(line.rstrip("\r"), but="\t"):
            yield Fault(number, (), "forbidden-character", unclean)


def _unclean(text: str, *, but: str) -> Message | None:
    """Why a text is refused for its characters; `but` are permitted all the same."""
    for character in text:
        if character not in but and character not in JOINERS and hidden(character):
            return say(
                "Character U+{code} is invisible or turns the reading direction. Remove it.",
                code=f"{ord(character):04X}",
            )
    return None


class _Reader:
    """Builds plain values from parser events and counts while it does."""

    def __init__(self, document: Document, events: Iterator[Any]) -> None:
        self.document, self.events = document, iter(events)
        self.nodes = 0

    def read(self) -> None:
        """Read the one document of the stream."""
        documents = 0
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.stop(event, (), "two-documents", say("One file holds one playbook. Split it at '---'."))
                if event.version is not None or event.tags:
                    self.note(event, (), "yaml-directive", say("Remove the %-line: playbooks are read as YAML 1.2."))
            elif isinstance(event, AliasEvent | ScalarEvent | SequenceStartEvent | MappingStartEvent):
                self.document.lines[()] = event.start_mark.line + 1
                self.document.data = self.value(event, (), 1)

    def note(self, event: Any, path: Path, code: str, reason: Message) -> None:
        """Remember a fault at the place of an event."""
        self.document.faults.append(Fault(event.start_mark.line + 1, path, code, reason))

    def stop(self, event: Any, path: Path, code: str, reason: Message) -> None:
        """Remember a fault and read no further."""
        self.note(event, path, code, reason)
        raise _Stop

    def value(self, event: Any, path: Path, depth: int) -> Any:
        """The value that begins with `event`."""
        self.count(event, path, depth)
        if isinstance(event, AliasEvent):
            self.note(event, path, "yaml-alias", say("Aliases (*name) are refused. Write the value out."))
            return None
        if event.anchor is not None:
            self.note(event, path, "yaml-anchor", say("Anchors (&name) are refused. Write the value out."))
        if event.ctag is not None:
            self.note(event, path, "yaml-tag", say("Tags (!name) are refused. Write the plain value."))
        if isinstance(event, SequenceStartEvent):
            return self.sequence(path, depth)
        if isinstance(event, MappingStartEvent):
            return self.mapping(path, depth)
        # A quoted text can write as \u… what may not stand in the file.
        if unclean := _unclean(str(event.value), but="\t\n"):
            self.note(event, path, "forbidden-character", unclean)
            return _STAND_IN
        return _scalar(event)

    def count(self, event: Any, path: Path, depth: int) -> None:
        """Refuse what is too much or too deep."""
        self.nodes += 1
        if self.nodes > MOST_NODES:
            self.stop(event, path, "too-many-nodes", say("The file has more than 10,000 values. Split the playbook."))
        if depth > DEEPEST:
            self.stop(event, path, "too-deep", say("The file is nested deeper than 20 levels. Write it flatter."))

    def sequence(self, path: Path, depth: int) -> list[Any]:
        """The items up to the end of a list."""
        items: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            place = (*path, len(items))
            self.document.lines[place] = event.start_mark.line + 1
            items.append(self.value(event, place, depth + 1))
        return items

    def mapping(self, path: Path, depth: int) -> dict[str, Any]:
        """The keys and values up to the end of a mapping; of a repeated key the first counts."""
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self.key(event, path, depth)
            place = (*path, key)
            repeated = key in found
            if repeated:
                first = self.document.line(place)
                reason = say("Key '{key}' stands here twice (first in line {line}). Keep one.", key=key, line=first)
                self.note(event, place, "duplicate-key", reason)
            else:
                self.document.lines[place] = event.start_mark.line + 1
            value = self.value(next(self.events), (*path, f"{key} (again)") if repeated else place, depth + 1)
            if not repeated:
                found[key] = value
        return found

    def key(self, event: Any, path: Path, depth: int) -> str:
        """A key: plain text, and no merge key."""
        if not isinstance(event, ScalarEvent):
            self.stop(event, path, "key-not-text", say("A key must be plain text. Write a word before the colon."))
        read = self.value(event, path, depth)
        if event.value == "<<" and event.style is None:
            self.note(event, path, "yaml-merge", say("Merge keys (<<) are refused. Write the keys out."))
        return _STAND_IN if read == _STAND_IN else str(event.value)


def _scalar(event: ScalarEvent) -> Any:
    """The value of a plain scalar in the core schema of YAML 1.2; ``no`` and ``12:30:45`` are text."""
    text = str(event.value)
    if event.style is not None:
        return text
    if text.lower() in _WORDS and text in {text.lower(), text.upper(), text.capitalize()}:
        return _WORDS[text.lower()]
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _NUMBER.match(text) else text
