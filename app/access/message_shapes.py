"""Shapes of absences and of messages, as the API takes and shows them."""

from typing import Annotated

from pydantic import Field

from app.core.listing import ListQuery
from app.core.outbox import Channel, Sending
from app.core.shapes import Day, Moment, Shape


class AbsenceIn(Shape):
    """From which day to which the asking person is away, and who stands in."""

    starts_on: Day
    ends_on: Day
    """The last day of it."""
    deputy: Annotated[str, Field(max_length=254)] | None = None
    """Id, reference or e-mail address of an approver; nobody stands in where it is left out."""


class AbsenceOut(Shape):
    """An absence."""

    id: str
    person_id: str
    deputy_id: str | None
    starts_on: Day
    ends_on: Day
    created_at: Moment
    withdrawn_at: Moment | None


class MessageOut(Shape):
    """A message to the asking person."""

    id: str
    kind: str
    subject: str
    text: str
    href: str
    created_at: Moment
    until: Moment
    seen_at: Moment | None


class OutboxQuery(ListQuery):
    """Which messages of the outbox."""

    state: Sending | None = None
    kind: Annotated[str, Field(max_length=40)] | None = None


class OutboxOut(Shape):
    """How far a message is on its way; what it says is for whom it is to."""

    id: str
    kind: str
    channel: Channel
    person_id: str
    subject: str
    created_at: Moment
    until: Moment
    state: Sending
    tries: int
    next_at: Moment
    error: str
    sent_at: Moment | None
