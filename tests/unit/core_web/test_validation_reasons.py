"""What is wrong with a value is said in plain words, in the reader's language, and never repeats the value."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import AwareDatetime, Field, ValidationError

from app.core.i18n import pick, speaking
from app.core.shapes import Shape
from app.core.validation import reason


class Side(StrEnum):
    PRIMARY = "primary"
    FALLBACK = "fallback"


class Given(Shape):
    side: Side = Side.PRIMARY
    rows: Annotated[list[str], Field(min_length=1, max_length=2)] = ["one"]
    count: Annotated[int, Field(gt=0, lt=9)] = 1
    at: AwareDatetime | None = None
    on: date | None = None
    sure: bool = False
    text: Annotated[str, Field(min_length=3, max_length=5, pattern="^[a-z]+$")] = "abc"
    inner: dict[str, int] = {}


@pytest.mark.parametrize(
    ("given", "nl"),
    [
        ({"side": "geheim"}, "Kies een van: 'primary', 'fallback'."),
        ({"rows": []}, "Vul dit in."),
        ({"rows": ["a", "b", "c"]}, "Geef hoogstens 2."),
        ({"rows": "geheim"}, "Geef een lijst."),
        ({"count": 0}, "Geef meer dan 0."),
        ({"count": 9}, "Geef minder dan 9."),
        ({"count": "geheim"}, "Geef een getal."),
        ({"at": "2026-11-23T10:00:00"}, "Geef een moment met tijdzone, zoals 2026-11-23T10:00:00+01:00."),
        ({"at": "geheim"}, "Geef een moment met tijdzone, zoals 2026-11-23T10:00:00+01:00."),
        ({"on": "2026-02-30"}, "Geef een dag zoals 2026-11-23."),
        ({"sure": "geheim"}, "Geef true of false."),
        ({"text": 7}, "Geef tekst."),
        ({"text": "ab"}, "Geef minstens 3."),
        ({"text": "abcdefgh"}, "Dit is te lang: hoogstens 5 tekens."),
        ({"text": "geh1m"}, "Dit is niet goed geschreven."),
        ({"inner": []}, "Geef een object met sleutels."),
        ({"geheim": 1}, "Dit is hier niet bekend."),
    ],
)
def test_a_fault_is_said_in_plain_dutch(given: dict[str, Any], nl: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Given.model_validate(given)
    [error] = refused.value.errors(include_url=False)
    with speaking("nl"):
        told = pick(reason(error))
    assert (told, "geheim" in told) == (nl, False)
