"""What is shown of people: everybody sees names, to choose from; the rest is for themselves and administrators."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import String, cast, func
from sqlmodel import Session, col, select

from app.access.grants import holding, is_doubled
from app.access.models import Person, PersonOut, SignInLink, UserSession
from app.access.rules import Actor, Role
from app.access.service import find_person
from app.access.token_models import RoleGrant
from app.core.errors import NotAllowed, not_found
from app.core.listing import ListQuery, paged
from app.core.messages import say

_PRIVATE = {"email", "roles", "language", "created_at", "doubled"}
_SORTABLE = {"name": col(Person.name), "ref": col(Person.ref)}


class PeopleQuery(ListQuery):
    """Filters of the list of people."""

    active: bool | None = None
    role: Role | None = None
    """With this role in the whole organisation; for administrators."""


def sees_all(actor: Actor) -> bool:
    """Whether `actor` sees more of people than their names."""
    return Role.ADMINISTRATOR in actor.roles and actor.person_id is not None


def out(row: Person, actor: Actor) -> PersonOut:
    """The person as `actor` may see them."""
    whole = PersonOut.model_validate(row)
    if not sees_all(actor) and row.id != actor.person_id:
        return whole.model_copy(update=dict.fromkeys(_PRIVATE))
    return whole.model_copy(update={"doubled": is_doubled(Role(role) for role in row.roles)})


def find(session: Session, key: str, actor: Actor) -> Person:
    """A person by id or reference; an address finds one only for those who see addresses."""
    person = find_person(session, key)
    if key not in (person.id, person.ref) and not sees_all(actor) and person.id != actor.person_id:
        raise not_found("person", key)
    return person


def listed(session: Session, query: PeopleQuery, actor: Actor) -> tuple[list[Person], int]:
    """One page of the people, and how many there are."""
    wanted: Any = select(Person)
    if query.active is not None:
        wanted = wanted.where(col(Person.active) == query.active)
    if query.role is not None:
        if not sees_all(actor):
            raise NotAllowed(say("Only administrators see who has which role."))
        wanted = wanted.where(cast(col(Person.roles), String).contains(f'"{query.role.value}"'))
    searched = [col(Person.name), col(Person.ref), *([col(Person.email)] if sees_all(actor) else [])]
    return paged(session, wanted, query, sortable=_SORTABLE, searched=searched, default="name", tie=col(Person.id))


def names(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """The names of these people, by id."""
    return dict(session.exec(select(Person.id, Person.name).where(col(Person.id).in_(set(ids)))).all())


def with_grants(session: Session, rows: Iterable[Person], *, now: datetime) -> dict[str, int]:
    """How many roles in parts of the organisation each of these people has now, by id; nothing for none."""
    ids = [row.id for row in rows]
    counted = select(RoleGrant.person_id, func.count()).where(col(RoleGrant.person_id).in_(ids), *holding(now))
    return {str(person): count for person, count in session.exec(counted.group_by(col(RoleGrant.person_id)))}


def last_sign_in(session: Session, person: Person) -> datetime | None:
    """When this person last signed in; None: never."""
    return session.exec(select(func.max(UserSession.created_at)).where(UserSession.person_id == person.id)).first()


def open_sessions(session: Session, person: Person, *, now: datetime) -> int:
    """In how many browsers and programs this person is signed in."""
    live = select(func.count()).where(
        UserSession.person_id == person.id, col(UserSession.ended_at).is_(None), col(UserSession.expires_at) > now
    )
    return session.exec(live).one()


def open_link(session: Session, person: Person, *, now: datetime) -> datetime | None:
    """Until when a sign-in link that was made for this person still works; None: there is none."""
    live = select(func.max(SignInLink.expires_at)).where(
        SignInLink.person_id == person.id, col(SignInLink.used_at).is_(None), col(SignInLink.expires_at) > now
    )
    return session.exec(live).first()
