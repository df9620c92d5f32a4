"""Use cases of access: making people, signing in by one-time link, sessions, and who stands behind a token."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from app.access import grants, sessions, tokens
from app.access.grants import as_actor as as_actor
from app.access.grants import as_they_may_now as as_they_may_now
from app.access.models import Method, Person, PersonIn, PersonPatch, SessionKind, SignInLink, UserSession
from app.access.rules import SYSTEM, Action, Actor, Role, is_proved
from app.access.sessions import Started, Way
from app.access.token_models import MachineToken
from app.access.tokens import hashed, new_secret
from app.core import audit, clock
from app.core.columns import hold_counter, next_ref
from app.core.errors import Conflict, FieldError, NotSignedIn, not_found
from app.core.messages import say

LINK_LIFE = timedelta(minutes=30)


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
    machine: MachineToken | None = None
    """The token or client, where it is none of a person."""
    session_id: str = ""
    """Of a person; a machine token has none."""
    is_to_be_touched: bool = False
    """Whether the last use of the session is to be written down."""

    @property
    def is_proved(self) -> bool:
        """Whether they proved who they are shortly enough ago to answer for something with their name."""
        return is_proved(self.actor, Action.APPROVE_RUN, now=clock.now())


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
        roles=sorted(set(given.roles)),
        functions=given.functions,
        language=given.language,
        created_at=now,
    )
    session.add(person)
    session.flush()
    audit.record(session, actor.ref, "person.added", "person", person.id, roles=person.roles)
    grants.tell_of_roles(session, person, (), actor=actor, now=now)
    return person


def edit_person(session: Session, person: Person, patch: PersonPatch, *, actor: Actor, now: datetime) -> Person:
    """Change roles, functions, name, language; deactivating ends every session, link and token at once."""
    sent = {name: value for name, value in patch.sent().items() if value is not None}
    sent |= {name: sorted(set(sent[name])) for name in ("roles", "functions") if name in sent}
    grants.check_edit(session, person, sent, actor=actor)
    before = {name: getattr(person, name) for name in sent}
    for name, value in sent.items():
        setattr(person, name, value)
    person.revision += 1
    session.add(person)
    if sent.get("active") is False:
        sessions.end_all(session, person.id, actor=actor.ref, now=now)
        tokens.revoke_all_of(session, person, actor=actor, now=now)
        unused = select(SignInLink).where(SignInLink.person_id == person.id, col(SignInLink.used_at).is_(None))
        for link in session.exec(unused).all():
            link.used_at = now
    audit.record(session, actor.ref, "person.edited", "person", person.id, changes=audit.changes(before, sent))
    if "roles" in sent:
        grants.tell_of_roles(session, person, before["roles"], actor=actor, now=now)
    return person


def make_link(session: Session, person: Person, *, actor: Actor, now: datetime) -> tuple[str, datetime]:
    """A one-time sign-in token for `person` and when it ends to be good; only its hash is stored."""
    token = new_secret()
    expires = now + LINK_LIFE
    session.add(SignInLink(token_hash=hashed(token), person_id=person.id, created_at=now, expires_at=expires))
    audit.record(session, actor.ref, "person.link-made", "person", person.id)
    return token, expires


def bootstrap(session: Session, *, name: str, email: str, now: datetime) -> tuple[Person, str, datetime]:
    """The first administrator and a one-time link for them. Raises `AlreadyBootstrapped` where there is one."""
    hold_counter(session, "PER")  # one at a time: two who find none would else make two
    if has_administrator(session):
        raise AlreadyBootstrapped(
            say("There is an administrator already. Ask them for a sign-in link, or make one: wissel admin link E-MAIL")
        )
    given = PersonIn(name=name, email=email, roles=[Role.ADMINISTRATOR])
    person = add_person(session, given, actor=SYSTEM, now=now)
    return person, *make_link(session, person, actor=SYSTEM, now=now)


def has_administrator(session: Session) -> bool:
    """Whether somebody active may administer."""
    people = session.exec(select(Person).where(col(Person.active)))
    return any(Role.ADMINISTRATOR in person.roles for person in people)


def redeem(session: Session, token: str, way: Way, *, now: datetime) -> Started:
    """Exchange a one-time link for a session; the link's row is locked, so it works once.

    It was made by somebody else, so it proves nothing: who comes in by it answers for nothing with their name before
    they set up means of their own.
    """
    known = session.get(SignInLink, hashed(token))
    # The person first, as who lets somebody go does: else each would wait for the other.
    person = session.get(Person, known.person_id, with_for_update=True) if known else None
    link = session.get(SignInLink, hashed(token), with_for_update=True, populate_existing=True)
    if link is None or person is None or link.used_at or link.expires_at <= now or not person.active:
        raise LinkRefused(say("This sign-in link was used already or is too old. Ask for a new one."))
    link.used_at = now
    session.add(link)
    return sessions.start(session, person, way, method=Method.LINK, proved=False, now=now)


def identify(session: Session, token: str, *, idle: timedelta, now: datetime) -> SignedIn | None:
    """Who stands behind a session token or machine token; None where it is no good (any more)."""
    live = sessions.live(session, token, idle=idle, now=now)
    if live is None:
        return as_machine(session, MachineToken.token_hash == hashed(token), now=now)
    person = session.get_one(Person, live.person_id)
    if not person.active:
        return None
    actor = replace(as_they_may_now(session, person, now=now), proved_at=live.proved_at)
    late = sessions.is_to_be_touched(live, now=now)
    return SignedIn(actor, live.csrf, person.language, live.kind, session_id=live.id, is_to_be_touched=late)


def who_watches(session: Session, ids: Collection[str], *, idle: timedelta, now: datetime) -> dict[str, Actor]:
    """The people behind these sessions as they may now, by the id of their session; one that ended is left out."""
    wanted = select(UserSession, Person).join(Person).where(col(UserSession.id).in_(ids), col(Person.active))
    rows = [(row, person) for row, person in session.exec(wanted) if sessions.is_good(row, idle=idle, now=now)]
    known = {person.id: as_they_may_now(session, person, now=now) for _, person in rows}
    return {row.id: known[person.id] for row, person in rows}


def as_machine(session: Session, which: ColumnElement[bool] | bool, *, now: datetime) -> SignedIn | None:
    """The machine token or client that meets `which`; None where there is none that is good."""
    row = session.exec(select(MachineToken).where(which)).first()
    actor = tokens.actor_of(session, row, now=now) if row is not None else None
    return SignedIn(actor, "", "en", SessionKind.BEARER, row) if actor is not None else None
