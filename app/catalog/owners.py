"""Links the process owner of a service to one person, at the moment that somebody writes who it is.

The text stays what people read; what counts is the person whom it named then. So who is renamed later becomes nobody's
owner, and who was the owner stays it. A text that names no known person, or more than one, links nobody; neither does
one in which somebody names himself or herself.
"""

from typing import Any

from sqlmodel import Session, col, select

from app.access.behind import people_behind
from app.access.models import Person
from app.access.rules import Actor
from app.core import audit


def settled(session: Session, row: Any, changed: frozenset[str], actor: Actor) -> None:
    """Link anew where the text was written or changed; an unchanged text links nobody else, whoever is named so now."""
    if not changed & {"created", "process_owner"}:
        return
    before, found = row.process_owner_id, named(session, row.process_owner)
    row.process_owner_id = None if found in people_behind(session, [actor.ref]) else found
    session.add(row)
    session.flush()
    if row.process_owner_id != before:
        detail = {"ref": row.ref, "before": before, "after": row.process_owner_id}
        audit.record(session, actor.ref, "service.process-owner-linked", "service", row.id, **detail)


def named(session: Session, text: str) -> str | None:
    """Id of the one active person whom this text names by reference, id, e-mail address or name; else None."""
    wanted = " ".join(text.split()).casefold()
    if not wanted:
        return None
    people = session.exec(select(Person).where(col(Person.active))).all()
    found = [row.id for row in people if wanted in _names_of(row)]
    return found[0] if len(found) == 1 else None


def _names_of(person: Person) -> set[str]:
    written = " ".join(person.name.split())
    known = (person.id, person.ref, person.email, written, f"{written} ({person.ref})")
    return {each.casefold() for each in known}
