"""A number is no day and no moment: pydantic alone counts it as seconds since 1970, also where it stands in text."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from app.core.shapes import Day, Moment, Shape


class Given(Shape):
    """Both, as a body or a query brings them."""

    day: Day | None = None
    at: Moment | None = None


@pytest.mark.parametrize("field", ["day", "at"])
@pytest.mark.parametrize(
    "value", [0, 0.5, True, 1795491983, "0", "0.5", "-1", "1e3", " 1795491983 ", "nan", "infinity"]
)
def test_a_number_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Given.model_validate({field: value})
    assert {each["type"] for each in refused.value.errors()} == {"value_error"}


def test_iso_text_is_taken() -> None:
    made = Given.model_validate({"day": "2026-11-23", "at": "2026-11-23T10:00:00+01:00"})
    assert (made.day, made.at) == (date(2026, 11, 23), datetime(2026, 11, 23, 9, tzinfo=UTC))
