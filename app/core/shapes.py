"""Base shapes and scalar types of the API: camelCase JSON, unknown keys refused, text and durations checked."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Self, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from app.core import openness
from runners import cleaning

_CONTROL_ALLOWED = {"\n", "\t"}
_KEPT = _CONTROL_ALLOWED | cleaning.JOINERS
_TURNING = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)}
LONGEST_SECONDS = 100 * 366 * 86400


class Shape(BaseModel):
    """What goes in or out as JSON: camelCase keys, unknown keys refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", from_attributes=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, given: Any) -> Any:
        """JSON's ``true`` is not 1: written as text it is refused by the field that wants a number."""
        if not isinstance(given, dict) or not any(isinstance(value, bool) for value in given.values()):
            return given
        numbers = _number_fields(cls)
        return {
            name: str(value).lower() if isinstance(value, bool) and name in numbers else value
            for name, value in given.items()
        }


@cache
def _number_fields(shape: type[BaseModel]) -> frozenset[str]:
    """Names and aliases of the fields that take a number and no truth."""
    found: set[str] = set()
    for name, info in shape.model_fields.items():
        kinds = set(_kinds(info.annotation))
        if kinds & {int, float} and bool not in kinds:
            found |= {name, info.alias or name}
    return frozenset(found)


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


class Patch(Shape):
    """A partial edit: only the keys that were sent are changed; what stands inside such a key is whole."""

    def sent(self) -> dict[str, Any]:
        """The keys that were sent, by Python name."""
        return {name: value for name, value in self.model_dump().items() if name in self.model_fields_set}

    @classmethod
    def of(cls, shape: type[Shape], name: str) -> type[Self]:
        """A patch shape with every field of `shape`, all optional; a null is only legal where `shape` permits it."""
        from pydantic import create_model

        fields: dict[str, Any] = {
            field_name: (info.annotation if not info.metadata else Annotated[info.annotation, *info.metadata], None)
            for field_name, info in shape.model_fields.items()
        }
        return create_model(name, __base__=cls, **fields)


def _clean_text(value: str, *, multiline: bool) -> str:
    text = unicodedata.normalize("NFC", value).strip()
    for character in text:
        if character in _TURNING:
            raise ValueError("text must not contain characters that turn the reading direction")
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and not (multiline and character in _CONTROL_ALLOWED)):
            raise ValueError("text must not contain control characters")
    # What shows nothing comes along with copied text; left in, two names could look the same.
    return "".join(c for c in text if c in _KEPT or not cleaning.hidden(c)).strip()


def _line(value: str) -> str:
    return openness.refuse(_clean_text(value, multiline=False))


def _prose(value: str) -> str:
    return openness.refuse(_clean_text(value.replace("\r\n", "\n"), multiline=True))


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line), Field(min_length=1)]
"""One line of text that must say something, at most 200 characters."""
Line = Annotated[str, Field(max_length=500), AfterValidator(_line)]
"""One line of text, possibly empty."""
Prose = Annotated[str, Field(max_length=20_000), AfterValidator(_prose)]
"""Several lines of plain text."""
Country = Annotated[str, Field(pattern="^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""

_timedelta = TypeAdapter(timedelta)


def _duration_in(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a duration is ISO 8601 text such as PT4H, or a whole number of seconds")
    if isinstance(value, str):
        if not re.fullmatch(r"P(?=.)(\d{1,6}W|(\d{1,6}D)?(T(?=.)(\d{1,7}H)?(\d{1,8}M)?(\d{1,10}S)?)?)", value):
            raise ValueError("a duration is ISO 8601 text such as PT15M, PT4H or P1D; years and months vary in length")
        weeks = re.fullmatch(r"P(\d+)W", value)
        seconds = int(weeks[1]) * 7 * 86400 if weeks else int(_timedelta.validate_python(value).total_seconds())
    else:
        seconds = value
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise ValueError("a duration is not negative and at most a hundred years")
    return seconds


def iso_duration(seconds: int) -> str:
    """Whole seconds as ISO 8601 text: 5400 → ``PT1H30M``."""
    days, rest = divmod(int(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (left, "S")) if number)
    return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "") if days or clock else "PT0S"


Duration = Annotated[
    int,
    BeforeValidator(_duration_in),
    PlainSerializer(iso_duration, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "format": "duration", "examples": ["PT4H"]}),
]
"""Whole seconds in code and tables; ISO 8601 text in JSON."""


def _utc_text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_number(value: Any) -> bool:
    """Whether this is a number, also where it stands in text: pydantic would count it as seconds since 1970."""
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _day(value: Any) -> Any:
    if _is_number(value) or isinstance(value, datetime):
        raise ValueError("a day is ISO 8601 text such as 2026-11-23")
    return value


def written_moment(value: Any) -> Any:
    """The value, unless it is a number."""
    if _is_number(value):
        raise ValueError("write a moment as text, such as 2027-01-03T03:00:00")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this moment is outside the years 1 to 9999") from error


Day = Annotated[date, BeforeValidator(_day)]
"""ISO 8601 text such as 2026-11-23."""
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(written_moment),
    AfterValidator(_in_utc),
    PlainSerializer(_utc_text, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment with an offset going in, UTC with Z coming out."""


class NextAction(Shape):
    """Something that can be done now, and where to send it."""

    operation: str
    href: str
