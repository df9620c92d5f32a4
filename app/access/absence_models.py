"""The table of absences: from which day to which day somebody is away, and who decides in their place."""

from datetime import date, datetime

from sqlmodel import Field, SQLModel

from app.core.columns import key, link, moment


class Absence(SQLModel, table=True):
    """Somebody is away from the first moment of `starts_on` to the last of `ends_on`, both in the local time."""

    __tablename__ = "person_absence"
    id: str = key()
    person_id: str = link("person.id")
    deputy_id: str | None = link("person.id", optional=True)
    """Who stands in; None: away, and nobody does."""
    starts_on: date = Field(index=True)
    ends_on: date = Field(index=True)
    created_at: datetime = moment()
    withdrawn_at: datetime | None = moment(optional=True)
    """When it was taken back; from then on it counts no more."""
