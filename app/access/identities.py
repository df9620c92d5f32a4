"""Who somebody is at a provider, and what they may do for it: found by issuer and subject, never by an address."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from app.access import accounts, grants, sessions
from app.access.models import Method, Person, PersonIn, UserSession
from app.access.oidc import Claims, Refused
from app.access.providers import Provider
from app.access.rules import SYSTEM, Role
from app.access.service import EmailTaken, add_person
from app.access.sessions import Started, Way
from app.access.sign_in_models import ProviderIdentity
from app.access.token_models import RoleGrant
from app.core import audit
from app.core.errors import Conflict, not_found
from app.core.messages import say


class OnlyWayIn(Conflict):
    """Without this identity the person could not sign in by themselves any more."""

    code = "only-way-in"


def find(session: Session, claims: Claims) -> ProviderIdentity | None:
    """The identity with exactly this issuer and subject."""
    wanted = select(ProviderIdentity).where(
        ProviderIdentity.issuer == claims.issuer, ProviderIdentity.subject == claims.subject
    )
    return session.exec(wanted.with_for_update()).first()


def sign_in(session: Session, provider: Provider, claims: Claims, way: Way, *, now: datetime) -> Started:
    """Begin a session for who the provider says it is; a new person where its groups have a role. Raises `Refused`."""
    identity = find(session, claims)
    if identity is None:
        identity = _welcome(session, provider, claims, now=now)
    person = session.get_one(Person, identity.person_id, with_for_update=True)
    if not person.active:
        raise Refused("closed")
    take_roles(session, provider, identity, person, claims.groups, now=now)
    identity.last_used_at = now
    session.add(identity)
    return sessions.start(session, person, way, method=Method.PROVIDER, proved=False, now=now, provider=provider.name)


def _welcome(session: Session, provider: Provider, claims: Claims, *, now: datetime) -> ProviderIdentity:
    """Make a person of who comes for the first time. Raises `Refused`."""
    if not _mapped(provider, claims.groups) and not _parts(provider, claims.groups):
        raise Refused("no-role", say("The provider knows you, but none of your groups has a role in Wissel."))
    email = claims.email or f"{_digest(claims)}@{provider.name}.invalid"
    try:
        given = PersonIn(name=claims.name[:200].strip() or email, email=email)
        person = add_person(session, given, actor=SYSTEM, now=now)
    except (EmailTaken, ValueError) as error:
        raise Refused(
            "not-linked",
            say(
                "There is a person with your address already. Is it you? Sign in with your password or a link, and "
                "connect {provider} under 'My account'.",
                provider=provider.title,
            ),
        ) from error
    return _add(session, person.id, claims, now=now)


def _digest(claims: Claims) -> str:
    return hashlib.sha256(f"{claims.issuer}\n{claims.subject}".encode()).hexdigest()[:24]


def _add(session: Session, person_id: str, claims: Claims, *, now: datetime) -> ProviderIdentity:
    made = ProviderIdentity(person_id=person_id, issuer=claims.issuer, subject=claims.subject, linked_at=now)
    session.add(made)
    session.flush()
    told = {"issuer": claims.issuer, "subject": claims.subject}
    audit.record(session, f"person:{person_id}", "identity.linked", "person", person_id, **told)
    return made


def link(session: Session, row: UserSession, claims: Claims, *, now: datetime) -> ProviderIdentity:
    """Connect an identity to the person of this session, who proved who they are, or came by a link. Raises Refused."""
    reset = accounts.is_reset(session, row, now=now)
    known = find(session, claims)
    if known is not None:
        if known.person_id != row.person_id:
            raise Refused("linked-to-another", say("This identity belongs to another person in Wissel."))
        return known
    person = session.get_one(Person, row.person_id, with_for_update=True)
    if reset:
        accounts.mark_reset(session, person, row, now=now)
    return _add(session, person.id, claims, now=now)


def unlink(session: Session, row: UserSession, identity_id: str, *, now: datetime) -> None:
    """Disconnect an identity of one's own. Raises StepUpNeeded, NotFound, `OnlyWayIn`."""
    accounts.require_proof(row, now=now)
    identity = session.get(ProviderIdentity, identity_id) if identity_id.isprintable() else None
    if identity is None or identity.person_id != row.person_id:
        raise not_found("identity", identity_id)
    person = session.get_one(Person, row.person_id, with_for_update=True)
    others = select(ProviderIdentity.id).where(
        ProviderIdentity.person_id == person.id, ProviderIdentity.id != identity.id
    )
    if not accounts.has_account(session, person.id) and session.exec(others).first() is None:
        raise OnlyWayIn(say("Set up a password and code first: without this you could not sign in any more."))
    told = {"issuer": identity.issuer, "subject": identity.subject}
    session.delete(identity)
    audit.record(session, f"person:{person.id}", "identity.unlinked", "person", person.id, **told)


def _mapped(provider: Provider, groups: Iterable[str]) -> set[Role]:
    return {role for group in groups for role in provider.roles.get(group, ())}


def _parts(provider: Provider, groups: Iterable[str]) -> set[tuple[Role, str]]:
    held = set(groups)
    return {(each.role, each.unit) for each in provider.units if each.group in held}


def take_roles(
    session: Session,
    provider: Provider,
    identity: ProviderIdentity,
    person: Person,
    groups: Iterable[str],
    *,
    now: datetime,
) -> None:
    """Give the roles of these groups, and take back those that earlier groups gave; what people gave stays."""
    wanted, before = _mapped(provider, groups), {Role(role) for role in identity.given_roles}
    held = {Role(role) for role in person.roles}
    after = (held - before) | wanted
    try:
        grants.check_edit(session, person, {"roles": after}, actor=SYSTEM)
    except grants.LastAdministrator:
        after.add(Role.ADMINISTRATOR)  # else nobody could give a role any more
    identity.given_roles = sorted((wanted - (held - before)) | (after & before))
    session.add(identity)
    if after != held:
        earlier, person.roles = person.roles, sorted(after)
        person.revision += 1
        session.add(person)
        told = {"roles": [earlier, person.roles]}
        audit.record(session, SYSTEM.ref, "person.edited", "person", person.id, changes=told, provider=provider.name)
        grants.tell_of_roles(session, person, earlier, actor=SYSTEM, now=now)
    _take_parts(session, provider, person, groups, now=now)


def _take_parts(session: Session, provider: Provider, person: Person, groups: Iterable[str], *, now: datetime) -> None:
    giver, wanted = f"provider:{provider.name}", _parts(provider, groups)
    live = select(RoleGrant).where(
        RoleGrant.person_id == person.id, RoleGrant.given_by == giver, col(RoleGrant.revoked_at).is_(None)
    )
    given = {(row.role, row.unit): row for row in session.exec(live)}
    for which, row in given.items():
        if which not in wanted:
            grants.revoke(session, person, row.id, actor=SYSTEM, now=now)
    for role, unit in sorted(wanted - given.keys()):
        session.add(RoleGrant(person_id=person.id, role=role, unit=unit, since=now, given_by=giver, created_at=now))
        told = {"role": role.value, "unit": unit, "provider": provider.name}
        audit.record(session, SYSTEM.ref, "grant.given", "person", person.id, **told)
