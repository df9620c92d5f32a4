"""Gives and takes roles: in the whole organisation and in parts of it, never to oneself, never the last administrator.

A person who administers and also operates, approves or accepts is permitted, since a small body has few people; but it
is said wherever their roles are shown and in the audit log. The role of administrator itself opens nothing of runs. It
exists for the whole organisation only: who gives rights in one unit could give themselves those of another.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from app.access import notices, parts
from app.access.models import Person
from app.access.parts import Within
from app.access.rules import Actor, Grant, Kind, Role
from app.access.token_models import GrantIn, GrantOut, RoleGrant
from app.core import audit
from app.core.errors import Conflict, FieldError, InvalidInput, NotAllowed, not_found
from app.core.messages import say

BESIDE_ADMINISTRATOR = frozenset({Role.OPERATOR, Role.APPROVER})
"""Roles that act on runs or risks: whoever also administers could make the second person that these need."""
_CLOCKS_DIFFER = timedelta(minutes=1)


class OwnRights(NotAllowed):
    """Nobody gives rights to themselves."""

    code = "own-rights"


class LastAdministrator(Conflict):
    """Nobody could give a role or a sign-in link any more."""

    code = "last-administrator"


class GrantThere(Conflict):
    """The person has this role there already."""

    code = "grant-exists"


def as_actor(person: Person, given: frozenset[Grant] = frozenset()) -> Actor:
    """The person as the rules see them."""
    roles = frozenset(Role(role) for role in person.roles)
    return Actor(Kind.PERSON, person.id, person.name, roles, given, reset_at=person.reset_at)


def as_they_may_now(session: Session, person: Person, *, now: datetime) -> Actor:
    """The person with every role that they hold at this moment, in the whole or in a part; whoever asks for it."""
    return as_actor(person, grants_of(session, col(RoleGrant.person_id) == person.id, now))


def all_as_they_may_now(session: Session, people: Iterable[Person], *, now: datetime) -> list[Actor]:
    """As `as_they_may_now`, of many people by one question."""
    given: dict[str, set[Grant]] = {}
    for row in session.exec(select(RoleGrant).where(*holding(now))):
        given.setdefault(row.person_id or "", set()).add(Grant(row.role, row.unit, row.at_service_id))
    return [as_actor(person, frozenset(given.get(person.id, ()))) for person in people]


def grants_of(session: Session, whose: ColumnElement[bool], now: datetime) -> frozenset[Grant]:
    """The roles in a part of the organisation that hold now."""
    wanted = select(RoleGrant).where(whose, *holding(now))
    return frozenset(Grant(row.role, row.unit, row.at_service_id) for row in session.exec(wanted))


def holding(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a row holds now."""
    return *_to_come(now), col(RoleGrant.since) <= now


def _to_come(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a row holds, or will."""
    return col(RoleGrant.revoked_at).is_(None), or_(col(RoleGrant.until).is_(None), col(RoleGrant.until) > now)


def is_doubled(roles: Iterable[Role]) -> bool:
    """Whether somebody with these roles administers and acts on runs or risks as well."""
    held = frozenset(roles)
    return Role.ADMINISTRATOR in held and bool(held & BESIDE_ADMINISTRATOR)


def check_edit(session: Session, person: Person, sent: dict[str, Any], *, actor: Actor) -> None:
    """Refuse an edit by which somebody gives themselves a role or function, or nobody is left who administers."""
    for name in ("roles", "functions"):
        if person.id == actor.person_id and set(sent.get(name, ())) - set(getattr(person, name)):
            raise _own(name)
    stays = sent.get("active", person.active) and Role.ADMINISTRATOR in sent.get("roles", person.roles)
    if not stays and person.active and Role.ADMINISTRATOR in person.roles:
        _keep_one(session, person)


def _own(field: str) -> OwnRights:
    reason = say("Nobody gives rights to themselves. Ask another administrator to do this.")
    return OwnRights(reason, errors=[FieldError(field, "own-rights", reason)])


def _keep_one(session: Session, leaving: Person) -> None:
    """Raise `LastAdministrator` where nobody else administers; the rows are held, for two may leave at once."""
    everybody = select(Person).where(col(Person.active)).order_by(col(Person.id)).with_for_update(key_share=True)
    people = session.exec(everybody.execution_options(populate_existing=True)).all()
    if not any(Role.ADMINISTRATOR in each.roles for each in people if each.id != leaving.id):
        raise LastAdministrator(
            say("{name} is the only administrator. First make somebody else one.", name=leaving.name)
        )


def tell_of_roles(session: Session, person: Person, before: Iterable[str], *, actor: Actor, now: datetime) -> None:
    """Write down what others must be able to see at a glance: a new approver, and who administers beside other work."""
    new = set(person.roles) - set(before)
    if Role.APPROVER in new:
        audit.record(session, actor.ref, "approver.named", "person", person.id)
        notices.approver_named(session, person, "", actor=actor, now=now)
    _tell_of_double(session, person, new, person.roles, actor)


def _tell_of_double(session: Session, person: Person, new: set[str], roles: Iterable[str], actor: Actor) -> None:
    held = {Role(role) for role in roles}
    if new and is_doubled(held):
        beside = sorted(held & BESIDE_ADMINISTRATOR)
        audit.record(session, actor.ref, "administrator.doubled", "person", person.id, beside=beside)


def give(session: Session, person: Person, given: GrantIn, *, actor: Actor, now: datetime) -> RoleGrant:
    """A role for `person` in a unit or at a service. Raises with every field that is wrong."""
    if person.id == actor.person_id:
        raise _own("role")
    within = _checked(session, given, actor, now)
    row = RoleGrant(
        person_id=person.id,
        role=given.role,
        unit=within.unit,
        at_service_id=within.service_id,
        since=max(given.since or now, now),
        until=given.until,
        given_by=actor.ref,
        created_at=now,
    )
    same = select(RoleGrant).where(RoleGrant.person_id == person.id, RoleGrant.role == given.role, *_to_come(now))
    if any((each.unit, each.at_service_id) == (row.unit, row.at_service_id) for each in session.exec(same)):
        raise GrantThere(say("{name} has this role there already. End it first to change it.", name=person.name))
    session.add(row)
    session.flush()
    where = {"unit": row.unit} if row.unit else {"service": row.at_service_id}
    until = row.until.isoformat() if row.until else None
    told = {"role": row.role.value, **where, "since": row.since.isoformat(), "until": until}
    audit.record(session, actor.ref, "grant.given", "person", person.id, grant=row.id, **told)
    if row.role is Role.APPROVER:
        audit.record(session, actor.ref, "approver.named", "person", person.id, **where)
        (place,) = shown(session, [row], now=now)
        notices.approver_named(session, person, place.name, actor=actor, now=now)
    _tell_of_double(session, person, {row.role}, [*person.roles, row.role], actor)
    return row


def _checked(session: Session, given: GrantIn, actor: Actor, now: datetime) -> Within:
    """The part of the organisation that was meant. Raises InvalidInput with all that is wrong."""
    units, services = [[each] if each else [] for each in (given.unit, given.service)]
    found, faults = parts.find(session, actor, units=units, services=services)
    faults = [FieldError(each.field.split(".")[0].removesuffix("s"), each.code, each.reason) for each in faults]
    if bool(given.unit) == bool(given.service):
        faults.append(FieldError("unit", "one-part", say("Give a unit or a service, one of the two.")))
    if given.role is Role.ADMINISTRATOR:
        reason = say("There are administrators of the whole organisation only.")
        faults.append(FieldError("role", "whole-organisation-only", reason))
    if given.since is not None and given.since < now - _CLOCKS_DIFFER:
        faults.append(FieldError("since", "in-the-past", say("A role begins now or later.")))
    if given.until is not None and given.until <= max(given.since or now, now):
        faults.append(FieldError("until", "too-early", say("It must end later than it begins, and later than now.")))
    if faults:
        raise InvalidInput(say("Some fields are not right. Nothing was saved."), errors=faults)
    return found[0]


def revoke(session: Session, person: Person, grant_id: str, *, actor: Actor, now: datetime) -> RoleGrant:
    """End a role in a part of the organisation at once; repeating it is harmless."""
    row = session.get(RoleGrant, grant_id, with_for_update=True) if grant_id.isprintable() else None
    if row is None or row.person_id != person.id:
        raise not_found("grant", grant_id)
    if row.revoked_at is None:
        row.revoked_at = now
        session.add(row)
        where = {"unit": row.unit} if row.unit else {"service": row.at_service_id}
        told = {"role": row.role.value, **where}
        audit.record(session, actor.ref, "grant.revoked", "person", person.id, grant=row.id, **told)
    return row


def shown(session: Session, rows: Iterable[RoleGrant], *, now: datetime) -> list[GrantOut]:
    """Grants of people as shown."""
    kept = list(rows)
    services = parts.services_of(session, (row.at_service_id for row in kept if row.at_service_id))
    wanted = select(Person.id, Person.name).where(col(Person.id).in_({row.person_id for row in kept}))
    names = dict(session.exec(wanted).all())
    found = []
    for row in kept:
        service = services.get(row.at_service_id)
        told = {"service": service.ref if service else "", "name": service.name if service else row.unit}
        person = {"person_id": row.person_id, "person": names[row.person_id or ""]}
        found.append(GrantOut(**row.model_dump(include=_SHOWN), **told, **person, state=_state(row, now)))
    return found


def givers(session: Session, given: Iterable[GrantOut]) -> dict[str, str]:
    """Names of the people who gave these roles, by how the audit log names them."""
    ids = {each.given_by.removeprefix("person:") for each in given}
    found = session.exec(select(Person.id, Person.name).where(col(Person.id).in_(ids)))
    return {f"person:{person_id}": name for person_id, name in found}


_SHOWN = {"id", "role", "unit", "since", "until", "given_by", "created_at", "revoked_at"}


def _state(row: RoleGrant, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    if row.until is not None and row.until <= now:
        return "over"
    return "later" if row.since > now else "now"
