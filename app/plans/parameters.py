"""Dependencies of the routes of plans: who may, and the moment of ``?asOf=``."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Query
from pydantic import TypeAdapter, ValidationError

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.core import clock
from app.core.errors import FieldError, InvalidInput
from app.core.messages import say
from app.core.shapes import Moment

Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Editor = Annotated[Actor, Depends(allowed(Action.EDIT_PLAN))]
Reviewer = Annotated[Actor, Depends(allowed(Action.REVIEW_PLAN))]
Approver = Annotated[Actor, Depends(allowed(Action.APPROVE_PLAN))]
PlanKey = Annotated[str, Path(max_length=64, description="Id or reference, such as PLN-001")]
VersionKey = Annotated[str, Path(max_length=64, description="Number such as 1.0, or id")]
ClaimPath = Annotated[str, Path(max_length=100, description="Key of the claim")]

_HOME = ZoneInfo("Europe/Amsterdam")
_MOMENT = TypeAdapter(Moment)


def _moment(text: str) -> datetime | None:
    try:
        if len(text) == len("2026-01-31"):
            midnight = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), _HOME)
            return midnight.astimezone(UTC) - timedelta(microseconds=1)
        return _MOMENT.validate_strings(text).astimezone(UTC)
    except (ValueError, OverflowError, ValidationError):
        return None


def as_of(
    given: Annotated[
        str | None,
        Query(
            alias="asOf",
            max_length=40,
            description="A moment with an offset, or a day, which means its end in Europe/Amsterdam; else now",
            examples=["2026-01-31", "2026-01-31T12:00:00Z"],
            json_schema_extra={"anyOf": [{"type": "string", "format": each} for each in ("date", "date-time")]},
        ),
    ] = None,
) -> datetime:
    """The moment that is asked for."""
    if given is None:
        return clock.now()
    # A plus sign that was not escaped arrives as a blank.
    found = _moment(given.replace(" ", "+"))
    if found is None:
        reason = say("'{given}' is no moment. Write 2026-01-31 or 2026-01-31T12:00:00Z.", given=given)
        raise InvalidInput(reason, errors=[FieldError("asOf", "no-moment", reason)])
    return found


AsOf = Annotated[datetime, Depends(as_of)]
