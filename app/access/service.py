"""Use cases of access: making people, signing in by one-time link, bearer sessions, machine tokens."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, or_, select

from app.access.models import (
    MachineToken,
    MachineTokenIn,
    Person,
    PersonIn,
    PersonPatch,
    RoleGrant,
    SessionKind,
    SignInLink,
    UserSession,
)
from app.access.rules import SYSTEM, Action, Actor, Grant, Kind, Role
from app.core import audit
from app.core.columns import next_ref
from app.core.errors import Conflict, FieldError, NotSignedIn, not_found
from app.core.messages import say

LINK_LIFE = timedelta(minutes=30)
PREFIX = "wsl_"


class EmailTaken(Conflict):
    """Another person has this e-mail address."""

    code = "email-taken"


class LinkRefused(NotSignedIn):
    """The one-time link was used, is too old, or never was."""

    code = "sign-in-link-refused"


class AlreadyBootstrapped(Conflict):
    """There is an administrator already."""

    code = "already-bootstrapped"


@dataclass(frozen=True)
class SignedIn:
    """A live session: who, and the token that goes into its forms."""

    actor: Actor
    csrf: str
    language: str
    kind: SessionKind


def hashed(token: str) -> str:
    """How a token is stored: tokens have 256 random bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def as_actor(person: Person, grants: frozenset[Grant] = frozenset(), *, proved_at: datetime | None = None) -> Actor:
    """The person as the rules see them."""
    roles = frozenset(Role(role) for role in person.roles)
    return Actor(Kind.PERSON, person.id, person.name, roles, grants, proved_at=proved_at)


def _grants(session: Session, whose: ColumnElement[bool], now: datetime) -> frozenset[Grant]:
    """The roles in a part of the organisation that hold now."""
    wanted = select(RoleGrant).where(whose, col(RoleGrant.revoked_at).is_(None), col(RoleGrant.since) <= now)
    wanted = wanted.where(or_(col(RoleGrant.until).is_(None), col(RoleGrant.until) > now))
    return frozenset(Grant(row.role, row.unit, row.at_service_id) for row in session.exec(wanted))


def as_they_may_now(session: Session, person: Person, *, now: datetime) -> Actor:
    """The person with every role that they hold at this moment, in the whole or in a part; whoever asks for it."""
    return as_actor(person, _grants(session, col(RoleGrant.person_id) == person.id, now))


def find_person(session: Session, key: str) -> Person:
    """A person by id, reference or e-mail address."""
    wanted = select(Person).where((Person.id == key) | (Person.ref == key) | (Person.email == key.lower()))
    person = session.exec(wanted).first()
    if person is None:
        raise not_found("person", key)
    return person


def add_person(session: Session, given: PersonIn, *, actor: Actor, now: datetime) -> Person:
    """Make a person known; the e-mail address is unique whatever its case."""
    email = given.email.lower()
    if session.exec(select(Person).where(Person.email == email)).first():
        reason = say("There is a person with the address {email} already.", email=email)
        raise EmailTaken(reason, errors=[FieldError("email", "taken", reason)])
    person = Person(
        ref=next_ref(session, "PER"),
        name=given.name,
        email=email,
        roles=sorted(given.roles),
        functions=given.functions,
        language=given.language,
        created_at=now,
    )
    session.add(person)
    session.flush()
    audit.record(session, actor.ref, "person.added", "person", person.id, roles=person.roles)
    return person


def edit_person(session: Session, person: Person, patch: PersonPatch, *, actor: Actor, now: datetime) -> Person:
    """Change roles, functions, name, language; deactivating ends every session at once."""
    sent = {name: value for name, value in patch.sent().items() if value is not None}
    before = {name: getattr(person, name) for name in sent}
    for name, value in sent.items():
        setattr(person, name, value)
    person.revision += 1
    session.add(person)
    if sent.get("active") is False:
        live = select(UserSession).where(UserSession.person_id == person.id, col(UserSession.ended_at).is_(None))
        for each in session.exec(live):
            each.ended_at = now
    audit.record(session, actor.ref, "person.edited", "person", person.id, changes=audit.changes(before, sent))
    return person


def make_link(session: Session, person: Person, *, actor: Actor, now: datetime) -> tuple[str, datetime]:
    """A one-time sign-in token for `person` and when it ends to be good; only its hash is stored."""
    token = _new_token()
    expires = now + LINK_LIFE
    session.add(SignInLink(token_hash=hashed(token), person_id=person.id, created_at=now, expires_at=expires))
    audit.record(session, actor.ref, "person.link-made", "person", person.id)
    return token, expires


def bootstrap(session: Session, *, name: str, email: str, now: datetime) -> tuple[Person, str, datetime]:
    """The first administrator and a one-time link for them. Raises `AlreadyBootstrapped` where there is one."""
    if has_administrator(session):
        raise AlreadyBootstrapped(say("There is an administrator already. Ask them for a sign-in link."))
    given = PersonIn(name=name, email=email, roles=[Role.ADMINISTRATOR])
    person = add_person(session, given, actor=SYSTEM, now=now)
    return person, *make_link(session, person, actor=SYSTEM, now=now)


def has_administrator(session: Session) -> bool:
    """Whether somebody active may administer."""
    people = session.exec(select(Person).where(col(Person.active)))
    return any(Role.ADMINISTRATOR in person.roles for person in people)


def redeem(
    session: Session, token: str, kind: SessionKind, *, hours: float, now: datetime
) -> tuple[str, UserSession, Person]:
    """Exchange a one-time link for a session; the link is used up by a guarded update, so it works once."""
    link = session.get(SignInLink, hashed(token), with_for_update=True)
    person = session.get(Person, link.person_id) if link else None
    if link is None or person is None or link.used_at or link.expires_at <= now or not person.active:
        raise LinkRefused(say("This sign-in link was used already or is too old. Ask for a new one."))
    link.used_at = now
    secret = _new_token()
    row = UserSession(
        token_hash=hashed(secret),
        person_id=person.id,
        kind=kind,
        csrf=secrets.token_urlsafe(32),
        created_at=now,
        expires_at=now + timedelta(hours=hours),
    )
    session.add_all([link, row])
    session.flush()
    audit.record(session, as_actor(person).ref, "session.started", "person", person.id, kind=kind.value)
    return secret, row, person


def identify(session: Session, token: str, *, now: datetime) -> SignedIn | None:
    """Who stands behind a session token or machine token; None where it is no good (any more)."""
    digest = hashed(token)
    live = session.exec(select(UserSession).where(UserSession.token_hash == digest)).first()
    if live is not None:
        person = session.get(Person, live.person_id)
        if person is None or not person.active or live.ended_at is not None or live.expires_at <= now:
            return None
        grants = _grants(session, col(RoleGrant.person_id) == person.id, now)
        return SignedIn(as_actor(person, grants, proved_at=live.proved_at), live.csrf, person.language, live.kind)
    machine = session.exec(select(MachineToken).where(MachineToken.token_hash == digest)).first()
    if machine is None or machine.revoked_at is not None or machine.expires_at <= now:
        return None
    roles = frozenset(Role(role) for role in machine.roles)
    grants = _grants(session, col(RoleGrant.machine_token_id) == machine.id, now)
    only = frozenset(Action(each) for each in machine.actions) if machine.actions else None
    return SignedIn(Actor(Kind.MACHINE, machine.id, machine.name, roles, grants, only), "", "en", SessionKind.BEARER)


def end_session(session: Session, token: str, *, now: datetime) -> None:
    """Sign out; a token that is no session is left alone."""
    live = session.exec(select(UserSession).where(UserSession.token_hash == hashed(token))).first()
    if live is not None and live.ended_at is None:
        live.ended_at = now
        session.add(live)
        audit.record(session, f"person:{live.person_id}", "session.ended", "person", live.person_id)


def add_machine_token(
    session: Session, given: MachineTokenIn, *, actor: Actor, now: datetime
) -> tuple[MachineToken, str]:
    """A token for a program, and its secret, shown once."""
    secret = _new_token()
    row = MachineToken(
        name=given.name,
        prefix=secret[:10],
        token_hash=hashed(secret),
        roles=sorted(given.roles),
        created_by=actor.id,
        created_at=now,
        expires_at=now + timedelta(days=given.valid_days),
    )
    session.add(row)
    session.flush()
    audit.record(session, actor.ref, "machine-token.made", "machine-token", row.id, roles=row.roles)
    return row, secret


def revoke_machine_token(session: Session, token_id: str, *, actor: Actor, now: datetime) -> MachineToken:
    """End a machine token at once; repeating it is harmless."""
    row = session.get(MachineToken, token_id)
    if row is None:
        raise not_found("machine token", token_id)
    row.revoked_at = row.revoked_at or now
    session.add(row)
    audit.record(session, actor.ref, "machine-token.revoked", "machine-token", row.id)
    return row
