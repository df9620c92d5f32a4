"""Turns what people type in a form or an address into the shapes of the API, with every fault in their own words."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.core.errors import FieldError, InvalidInput
from app.core.i18n import gettext
from app.core.messages import say
from app.core.shapes import Shape
from app.core.validation import reason

Form = TypeVar("Form", bound=Shape)
_UNITS = {
    604_800: "w|week|weken|weeks",
    86_400: "d|dag|dagen|day|days",
    3_600: "u|uur|uren|h|hour|hours",
    60: "m|min|minuut|minuten|minute|minutes",
    1: "s|sec|seconde|seconden|second|seconds",
}
_SIZE = {word: size for size, words in _UNITS.items() for word in words.split("|")}
_PART = re.compile(r"(\d{1,9}(?:[.,]\d{1,3})?)\s*([a-z]+)")
_LARGEST = 100 * 366 * 86_400


class Typed(dict[str, Any]):
    """What was typed in a form, or is wrong in it, by field; one that nobody touched is an empty text."""

    def __missing__(self, key: str) -> str:
        return ""


def seconds(text: str) -> int:
    """Whole seconds of what people write: ``4 u``, ``1 h 30 min``, ``2 dagen``. Raises ValueError."""
    parts = _PART.findall(text.lower())
    if not parts or _PART.sub("", text.lower()).strip(" ,+") or any(unit not in _SIZE for _, unit in parts):
        raise ValueError("not a duration")
    total = round(sum(float(number.replace(",", ".")) * _SIZE[unit] for number, unit in parts))
    if total > _LARGEST:
        raise ValueError("more than a hundred years")
    return total


def spoken(value: int | None) -> str:
    """A duration as `seconds` reads it back, without loss: 5400 is ``1 h 30 min``."""
    if value is None:
        return ""
    names = {86_400: gettext("d"), 3_600: gettext("h"), 60: gettext("min"), 1: gettext("s")}
    parts, left = [], value
    for size, name in names.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts) or f"0 {names[1]}"


def query(shape: type[Form], request: Request) -> Form:
    """The list query of a page's address; a filter that was left at "all" is no filter. Raises InvalidInput."""
    return read(shape, {name: value for name, value in request.query_params.items() if value != ""})


def read(shape: type[Form], values: Mapping[str, Any], *, durations: Iterable[str] = ()) -> Form:
    """`values` by their API names as `shape`; `durations` are written in words. Raises InvalidInput with all faults."""
    given, faults = dict(values), []
    for name in durations:
        if isinstance(given.get(name), str):
            try:
                given[name] = seconds(given[name])
            except ValueError:
                faults.append(FieldError(name, "duration", say("Write a duration such as 4 h, 15 min or 2 d.")))
                given.pop(name)
    try:
        made = shape.model_validate(given)
    except ValidationError as error:
        told = {fault.field for fault in faults}
        faults += [fault for fault in map(_fault, error.errors(include_url=False)) if fault.field not in told]
        raise wrong(faults) from error
    if faults:
        raise wrong(faults)
    return made


def wrong(faults: Iterable[FieldError]) -> InvalidInput:
    """The refusal of a form with these faults."""
    return InvalidInput(say("Some fields are not right. Nothing was saved."), errors=list(faults))


def _fault(error: ErrorDetails) -> FieldError:
    place = ".".join(str(part) for part in error["loc"]) or "form"
    return FieldError(place, str(error["type"]).replace("_", "-"), reason(error))
