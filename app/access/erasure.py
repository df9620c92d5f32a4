"""Erases a person: name, address and what the audit log says of them go; what was done stays, by a number."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from app.access import service
from app.access.models import Person, PersonPatch
from app.access.rules import Actor
from app.core.audit import erasing
from app.core.errors import Conflict
from app.core.messages import say

NOWHERE = "erased.invalid"
"""Addresses that never are one (RFC 2606)."""


class OwnErasure(Conflict):
    """Nobody erases themselves: somebody must be left to answer for it."""

    code = "own-erasure"


@dataclass(frozen=True)
class Erased:
    """What was erased, and where the name still stands."""

    person: Person
    texts: int
    still_in: dict[str, int]
    """Rows by table: what people wrote about them elsewhere."""


def erase_person(session: Session, key: str, *, actor: Actor, now: datetime) -> Erased:
    """Erase a person for good; what is theirs ends. Raises NotFound, OwnErasure, what an edit does.

    The audit log names people by a number only, so nothing of it is lost but what was written about this one.
    """
    person = service.find_person(session, key)
    if person.id == actor.person_id:
        raise OwnErasure(say("Nobody erases themselves. Ask another administrator."))
    words = () if person.email.endswith(f"@{NOWHERE}") else (person.name, person.email)
    if person.active or person.roles:
        service.edit_person(session, person, PersonPatch(active=False, roles=[]), actor=actor, now=now)
    person.name, person.email = person.ref, f"{person.ref.lower()}@{NOWHERE}"
    person.functions = []
    person.revision += 1
    session.add(person)
    session.flush()
    texts = erasing.erase(session, actor.ref, person.id, words)
    return Erased(person, texts, erasing.still_in(session, words))
