"""Reads the example organisation's files and fills in what is only known when it is entered.

In the files ``@name`` stands for the id of something entered before, ``$name`` for a value of the running lab,
``today+30`` for a day, ``{nl: …, en: …}`` for a text in both languages.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HERE = Path(__file__).parent
_DAY = re.compile(r"today(?P<days>[+-]\d+)?(?P<time>T[\d:]+Z)?")
LONG = frozenset(
    {
        "description",
        "criticalityReason",
        "substitutabilityReason",
        "alternatives",
        "watchReason",
        "note",
        "releaseConditions",
        "target",
        "communication",
        "says",
    }
)
"""Fields of several lines, in which the two languages stand below each other."""


class NameUnknown(Exception):
    """A file of the organisation names something that was not entered before it."""


def read(name: str) -> Any:
    """The content of one of the files, ``services`` for services.yaml."""
    return YAML(typ="safe", pure=True).load((HERE / f"{name}.yaml").read_text("utf-8"))


def both(text: Mapping[str, str], *, long: bool = False) -> str:
    """A text in both languages, for fields that hold one; told once where they are the same."""
    nl, en = text["nl"], text["en"]
    if nl == en:
        return nl
    return f"{nl}\n\n{en}" if long else f"{nl} / {en}"


@dataclass
class Filling:
    """What the names in the files stand for."""

    now: datetime
    lab: Mapping[str, Any]
    """Values of the running lab, by name."""
    known: dict[str, str] = field(default_factory=dict)
    """Name in the files → id."""

    def fill(self, value: Any, *, under: str = "") -> Any:
        """`value` with every name, day and text filled in; raises `NameUnknown`."""
        if isinstance(value, Mapping):
            if value.keys() == {"nl", "en"}:
                return both({name: str(each) for name, each in value.items()}, long=under in LONG)
            return {name: self.fill(each, under=name) for name, each in value.items()}
        if isinstance(value, list):
            return [self.fill(each, under=under) for each in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, value: str) -> Any:
        if value.startswith("@"):
            if value[1:] not in self.known:
                raise NameUnknown(f"{value} was not entered yet")
            return self.known[value[1:]]
        if value.startswith("$"):
            if value[1:] not in self.lab:
                raise NameUnknown(f"the lab has no {value}")
            return self.lab[value[1:]]
        day = _DAY.fullmatch(value)
        if day is None:
            return value
        return f"{(self.now + timedelta(days=int(day['days'] or 0))).date().isoformat()}{day['time'] or ''}"
