"""The route that erases a person."""

from typing import Annotated

from fastapi import Depends

from app.access import erasure, people
from app.access.guard import allowed
from app.access.models import PersonOut
from app.access.rules import Action, Actor
from app.core import clock
from app.core.db import SessionDep
from app.core.routers import api_router
from app.core.shapes import Shape

router = api_router(tag="access")
Administrator = Annotated[Actor, Depends(allowed(Action.ADMINISTER))]


class ErasedOut(Shape):
    """What was erased."""

    person: PersonOut
    texts: int
    """Texts of the audit log that are gone."""
    still_in: dict[str, int]
    """Tables whose rows still hold the name or address, each with how many: texts that people must change."""


@router.post("/people/{key}/erasures", status_code=201, operation_id="erasePerson", summary="Erase a person")
def erase_person(session: SessionDep, actor: Administrator, key: str) -> ErasedOut:
    """Replace name and address by the reference, end everything that is theirs, and delete what the audit log told."""
    found = erasure.erase_person(session, key, actor=actor, now=clock.now())
    return ErasedOut(person=people.out(found.person, actor), texts=found.texts, still_in=found.still_in)
