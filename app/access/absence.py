"""Absence and deputies: who is away on which days, and who stands in for whom at a moment.

The rule, also for whom a deputy wants to be told why they do not count:

- A deputy gets no rights by being named: they must be an approver of their own. Naming one says who takes the seat.
- Within the days of the absence the deputy of the process owner counts as process owner, and not an hour longer.
- A deputy must be independent as anybody: not the starter, the planner or an author of what they approve.
- Absent and deputy fill one seat: as long as one stands in for the other, their two words are no two people's.
- A chain is not followed: who stands in for a deputy does not stand in for the person who named that deputy.
- Nobody names a deputy for somebody else. Of who fell ill the process owner is changed with the service.
"""

from datetime import date, datetime, time, timedelta

from sqlmodel import Session, col, select

from app.access.absence_models import Absence
from app.access.models import Person
from app.access.rules import Action, Actor, may
from app.access.service import as_they_may_now, find_person
from app.core import audit, formats
from app.core.errors import Conflict, FieldError, InvalidInput, NotAllowed, NotFound, not_found
from app.core.messages import Message, say

LONGEST_DAYS = 366


class AbsenceOverlaps(Conflict):
    """Somebody is away once at a time, so that there is one deputy at a time."""

    code = "absence-overlaps"


def name(
    session: Session, actor: Actor, *, starts_on: date, ends_on: date, deputy: str | None, now: datetime
) -> Absence:
    """Say that the asking person is away from day to day, and who stands in. Raises InvalidInput, AbsenceOverlaps."""
    if actor.person_id is None:
        raise NotAllowed(say("Only a person can be away."))
    person = session.get_one(Person, actor.person_id, with_for_update=True)
    _refuse_days(starts_on, ends_on, today=formats.local(now).date())
    found = _deputy(session, person, deputy, now) if deputy else None
    clash = [row for row in of(session, person.id, now=now) if row.starts_on <= ends_on and row.ends_on >= starts_on]
    if clash:
        other = clash[0]
        days = {"first": f"{other.starts_on:%d-%m-%Y}", "last": f"{other.ends_on:%d-%m-%Y}"}
        raise AbsenceOverlaps(say("You are away from {first} to {last} already. Take that back first.", **days))
    row = Absence(
        person_id=person.id,
        deputy_id=found.id if found else None,
        starts_on=starts_on,
        ends_on=ends_on,
        created_at=now,
    )
    session.add(row)
    session.flush()
    detail = {"deputy": row.deputy_id, "from": starts_on.isoformat(), "until": ends_on.isoformat()}
    audit.record(session, actor.ref, "person.absence-told", "person", person.id, **detail)
    return row


def _refuse_days(starts_on: date, ends_on: date, *, today: date) -> None:
    text = _fault_of_days(starts_on, ends_on, today)
    if text is not None:
        raise InvalidInput(text, errors=[FieldError("endsOn", "wrong-days", text)])


def _fault_of_days(starts_on: date, ends_on: date, today: date) -> Message | None:
    if ends_on < starts_on:
        return say("The last day lies before the first. Swap them.")
    if ends_on < today:
        return say("These days are over. Give days that are still to come.")
    if (ends_on - starts_on).days >= LONGEST_DAYS:
        return say("A year at most. Make somebody else process owner for longer.")
    return None


def _deputy(session: Session, person: Person, key: str, now: datetime) -> Person:
    try:
        found = find_person(session, key)
    except NotFound:
        text = say("There is no person '{key}'. Check the reference.", key=key)
        raise InvalidInput(text, errors=[FieldError("deputy", "not-found", text)]) from None
    fault = _fault_of_deputy(session, person, found, now)
    if fault is not None:
        raise InvalidInput(fault[1], errors=[FieldError("deputy", *fault)])
    return found


def _fault_of_deputy(session: Session, person: Person, found: Person, now: datetime) -> tuple[str, Message] | None:
    """Why this person can't be the deputy, as code and sentence."""
    if found.id == person.id:
        return "own-deputy", say("Nobody stands in for himself or herself. Name somebody else.")
    if not found.active:
        return "not-active", say("{name} does not work here any more. Name somebody else.", name=found.name)
    if may(as_they_may_now(session, found, now=now), Action.APPROVE_RUN):
        return None
    text = say(
        "{name} is no approver, and does not become one by standing in. Ask the administrator for that role, or name "
        "somebody else.",
        name=found.name,
    )
    return "deputy-may-not-approve", text


def withdraw(session: Session, absence_id: str, actor: Actor, *, now: datetime) -> Absence:
    """Take back an absence of one's own; it and its deputy count no more from this moment."""
    row = session.get(Absence, absence_id, with_for_update=True) if absence_id.isprintable() else None
    if row is None or row.person_id != actor.person_id:
        raise not_found("absence", absence_id)
    if row.withdrawn_at is None:
        row.withdrawn_at = now
        session.add(row)
        audit.record(session, actor.ref, "person.absence-withdrawn", "person", row.person_id, deputy=row.deputy_id)
    return row


def of(session: Session, person_id: str, *, now: datetime) -> list[Absence]:
    """The absences of a person that are not over, the first one first."""
    wanted = select(Absence).where(Absence.person_id == person_id, Absence.ends_on >= formats.local(now).date())
    return list(session.exec(wanted.where(col(Absence.withdrawn_at).is_(None)).order_by(col(Absence.starts_on))))


def _now(session: Session, now: datetime) -> list[Absence]:
    """The absences of this moment with a deputy who, like the absent person, is still here."""
    today = formats.local(now).date()
    wanted = select(Absence).where(Absence.starts_on <= today, Absence.ends_on >= today)
    rows = session.exec(wanted.where(col(Absence.withdrawn_at).is_(None))).all()
    active = set(session.exec(select(Person.id).where(col(Person.active)))) if rows else set()
    return [row for row in rows if row.person_id in active and (row.deputy_id is None or row.deputy_id in active)]


def stood_in_for(session: Session, person_id: str, *, now: datetime) -> frozenset[str]:
    """Ids of the people for whom this person stands in now."""
    return frozenset(row.person_id for row in _now(session, now) if row.deputy_id == person_id)


def deputies(session: Session, *, now: datetime) -> dict[str, str]:
    """Id of who is away now → id of who stands in."""
    return {row.person_id: row.deputy_id for row in _now(session, now) if row.deputy_id is not None}


def until(session: Session, person_id: str, deputy_id: str, *, now: datetime) -> datetime | None:
    """When `deputy_id` stops standing in for `person_id`; None where they do not stand in now."""
    ends = [row.ends_on for row in _now(session, now) if (row.person_id, row.deputy_id) == (person_id, deputy_id)]
    return datetime.combine(max(ends) + timedelta(days=1), time.min, formats.ZONE) if ends else None
