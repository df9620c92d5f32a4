"""References: ``${input}``, ``${input.field}``, ``${steps.ID.measurements.NAME}``; always a whole value."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

_INPUT = re.compile(r"^\$\{([a-z][a-z0-9_-]{0,39})((?:\.[a-z][a-z0-9_]{0,39})*)\}$")
_MEASUREMENT = re.compile(r"^\$\{steps\.([a-z][a-z0-9_-]{0,39})\.measurements\.([A-Za-z][A-Za-z0-9_-]{0,79})\}$")


class NotAReference(ValueError):
    """The text holds ``${`` but is no whole reference of a known form."""


class Unresolved(LookupError):
    """A reference has no value now: the input was not filled, or the step measured no such thing."""


class InputReference(NamedTuple):
    """A declared input, or a field of it."""

    name: str
    path: tuple[str, ...] = ()


class MeasurementReference(NamedTuple):
    """What a step before this one measured."""

    step: str
    name: str


AnyReference = InputReference | MeasurementReference


def parse(value: Any) -> AnyReference | None:
    """The reference that a value is; None for a plain value. Raises `NotAReference` for anything in between."""
    if not isinstance(value, str) or "${" not in value:
        return None
    if found := _MEASUREMENT.match(value):
        return MeasurementReference(found[1], found[2])
    if (found := _INPUT.match(value)) and found[1] != "steps":
        return InputReference(found[1], tuple(found[2].split(".")[1:]))
    raise NotAReference(value)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every leaf of nested parameters with the way to it."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from places(each, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from places(each, (*path, index))
    else:
        yield path, value


def resolve(value: Any, inputs: Mapping[str, Any], measured: Mapping[str, Mapping[str, Any]]) -> Any:
    """The value with each reference replaced.

    `inputs`: filled inputs by name (shapes of `runners.contract` or plain values). `measured`: measurements by step
    id and name. Raises `Unresolved` naming the reference that has no value.
    """
    if isinstance(value, Mapping):
        return {key: resolve(each, inputs, measured) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(each, inputs, measured) for each in value]
    found = parse(value)
    if found is None:
        return value
    if isinstance(found, MeasurementReference):
        try:
            return measured[found.step][found.name]
        except KeyError:
            raise Unresolved(value) from None
    return _field(value, inputs, found)


def _field(text: str, inputs: Mapping[str, Any], reference: InputReference) -> Any:
    if reference.name not in inputs:
        raise Unresolved(text)
    found = inputs[reference.name]
    for name in reference.path:
        found = getattr(found, name, None) if isinstance(found, BaseModel) else None
    if found is None:
        raise Unresolved(text)
    return found
