"""Machine tokens: what they may do and where, their use, their end, and what bounds them at each request."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, or_, select

from app.access import notices, parts
from app.access.grants import as_they_may_now, grants_of
from app.access.models import Person
from app.access.parts import Within
from app.access.rules import PEOPLE_ONLY, Action, Actor, Kind, Part, Role, opening
from app.access.token_models import MachineToken, MachineTokenIn, MachineTokenOut, PartOut, RoleGrant, ScopeIn
from app.core import audit
from app.core.db import Database
from app.core.errors import FieldError, InvalidInput, NotAllowed, not_found
from app.core.messages import say

PREFIX = "wsl_"
LONGEST = timedelta(days=90)
SOON = timedelta(days=14)
"""How long before its end a token's people are told of it."""
_NOTED_EVERY = timedelta(minutes=1)
log = structlog.get_logger()


class NeverByToken(InvalidInput):
    """A person does this and answers for it; no program does."""

    code = "never-by-token"


class BeyondMaker(NotAllowed):
    """A token may not do more than who makes it."""

    code = "beyond-your-rights"


def hashed(token: str) -> str:
    """How a token is stored: tokens have 256 random bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_secret() -> str:
    """A secret that nobody guesses."""
    return PREFIX + secrets.token_urlsafe(32)


def make(session: Session, given: MachineTokenIn, *, actor: Actor, now: datetime) -> tuple[MachineToken, str]:
    """A token for a program, and its secret, shown once."""
    secret = new_secret()
    row = MachineToken(
        name=given.name,
        prefix=secret[:10],
        token_hash=hashed(secret),
        created_by=actor.id,
        created_at=now,
        expires_at=_end(given, now),
    )
    add(session, row, given, actor=actor, now=now)
    return row, secret


def _end(given: MachineTokenIn, now: datetime) -> datetime:
    if given.expires_at is None:
        return now + (LONGEST if given.valid_days is None else timedelta(days=given.valid_days))
    if given.valid_days is not None:
        fault = FieldError("expiresAt", "one-end", say("Give a number of days or a moment, one of the two."))
    elif given.expires_at <= now:
        fault = FieldError("expiresAt", "in-the-past", say("Give a moment that is still to come."))
    elif given.expires_at > now + LONGEST:
        fault = FieldError("expiresAt", "too-late", say("A token ends within 90 days."))
    else:
        return given.expires_at
    raise _wrong([fault])


def _wrong(faults: Sequence[FieldError]) -> InvalidInput:
    return InvalidInput(say("Some fields are not right. Nothing was saved."), errors=faults)


def add(session: Session, row: MachineToken, given: ScopeIn, *, actor: Actor, now: datetime) -> None:
    """Store a token or client with what it may do, where; refused where that is more than `actor` may do there."""
    if actor.person_id is None:
        raise NeverByToken(say("Only a person makes a token."))
    actions, scope = _checked(session, given, actor)
    row.actions = sorted(actions)
    row.roles = sorted(_roles(actor, actions, None)) if given.everywhere else []
    granted = [(within, _roles(actor, actions, within)) for within in scope]
    session.add(row)
    session.flush()
    for within, roles in granted:
        session.add_all(_granted(row, within, role, actor, now) for role in sorted(roles))
    told = {"actions": row.actions, "everywhere": given.everywhere, "until": row.expires_at.isoformat()}
    where = {"units": [each.unit for each in scope if each.unit], "services": [each.service_id for each in scope]}
    where["services"] = [each for each in where["services"] if each]
    audit.record(session, actor.ref, "machine-token.made", "machine-token", row.id, **told, **where)


def _granted(row: MachineToken, within: Within, role: Role, actor: Actor, now: datetime) -> RoleGrant:
    return RoleGrant(
        machine_token_id=row.id,
        role=role,
        unit=within.unit,
        at_service_id=within.service_id,
        since=now,
        given_by=actor.ref,
        created_at=now,
    )


def _checked(session: Session, given: ScopeIn, actor: Actor) -> tuple[frozenset[Action], list[Within]]:
    """What it may do, reading included, and where. Raises with every field that is wrong."""
    scope, faults = parts.find(session, actor, units=given.units, services=given.services)
    if given.everywhere and (given.units or given.services):
        faults.append(FieldError("everywhere", "one-scope", say("Say everywhere, or name units and services.")))
    if not given.everywhere and not given.units and not given.services:
        reason = say("Say where it may do this: name units or services, or say everywhere.")
        faults.append(FieldError("units", "scope-missing", reason))
    twice = sorted({each for each in given.actions if given.actions.count(each) > 1})
    faults += [FieldError("actions", "repeated", say("'{name}' stands here twice.", name=each)) for each in twice]
    if never := sorted(set(given.actions) & PEOPLE_ONLY):
        reason = say("Only a person may do this, never a token: {actions}.", actions=", ".join(never))
        raise NeverByToken(reason, errors=[FieldError("actions", "never-by-token", reason), *faults])
    if faults:
        raise _wrong(faults)
    return frozenset({Action.READ, *given.actions}), scope


def _roles(actor: Actor, actions: Iterable[Action], within: Within | None) -> frozenset[Role]:
    """The roles of `actor` there that open these actions. Raises `BeyondMaker` where one of them is opened by none."""
    found: frozenset[Role] = frozenset()
    for action in sorted(actions):
        theirs = frozenset(role for role in opening(action) if parts.holds(actor, role, within))
        if not theirs:
            reason = say("You may not do this there yourself ({action}), so your token may not either.", action=action)
            raise BeyondMaker(reason, errors=[FieldError("actions", "beyond-your-rights", reason)])
        found |= theirs
    return found


def actor_of(session: Session, row: MachineToken, *, now: datetime) -> Actor | None:
    """The token as the rules see it: what it was made for, as far as its maker may do that now. None: it ended."""
    maker = session.get(Person, row.created_by)
    if row.revoked_at is not None or row.expires_at <= now or maker is None or not maker.active:
        return None
    theirs = as_they_may_now(session, maker, now=now)
    given = grants_of(session, col(RoleGrant.machine_token_id) == row.id, now)
    services = parts.services_of(session, (grant.service_id for grant in given if grant.service_id))
    kept = set()
    for grant in given:
        at = services.get(grant.service_id)
        if grant.service_id and at is None:
            continue
        if parts.holds(theirs, grant.role, Within(grant.unit, Part(at.id, at.unit) if at else None)):
            kept.add(grant)
    roles = frozenset(Role(role) for role in row.roles) & theirs.roles
    only = frozenset(Action(each) for each in row.actions) if row.actions else None
    return Actor(Kind.MACHINE, row.id, row.name, roles, frozenset(kept), only)


def note_use(database: Database, row: MachineToken, address: str, *, now: datetime) -> None:
    """Write when and from where it was last used, at most once a minute, in a transaction of its own.

    Reading stays reading; and a database that has no room or no time for this refuses nobody.
    """
    if row.last_used_at is not None and now - row.last_used_at < _NOTED_EVERY:
        return
    old = or_(col(MachineToken.last_used_at).is_(None), col(MachineToken.last_used_at) <= now - _NOTED_EVERY)
    noted = update(MachineToken).where(col(MachineToken.id) == row.id, old)
    try:
        with database.transaction() as session:
            session.execute(noted.values(last_used_at=now, last_used_from=address[:64]))
    except SQLAlchemyError as error:
        log.warning("the use of a token was not noted", token=row.id, error=str(error).splitlines()[0])


def may_end(actor: Actor) -> bool:
    """Whether `actor` may see and end the tokens of everybody, not just their own."""
    return Role.ADMINISTRATOR in actor.roles


def find(session: Session, token_id: str, *, actor: Actor) -> MachineToken:
    """A token of `actor`; an administrator finds those of everybody."""
    row = session.get(MachineToken, token_id) if token_id.isprintable() else None
    if row is None or not (may_end(actor) or row.created_by == actor.person_id):
        raise not_found("machine token", token_id)
    return row


def revoke(session: Session, row: MachineToken, *, actor: Actor, now: datetime) -> MachineToken:
    """End a machine token at once; repeating it is harmless."""
    if row.revoked_at is None:
        row.revoked_at = now
        session.add(row)
        audit.record(session, actor.ref, "machine-token.revoked", "machine-token", row.id)
    return row


def revoke_all_of(session: Session, person: Person, *, actor: Actor, now: datetime) -> None:
    """End every token that a person made."""
    theirs = select(MachineToken).where(MachineToken.created_by == person.id, col(MachineToken.revoked_at).is_(None))
    for row in session.exec(theirs).all():
        revoke(session, row, actor=actor, now=now)


def shown(session: Session, rows: Sequence[MachineToken], *, now: datetime) -> list[MachineTokenOut]:
    """Tokens as listed."""
    ids = [row.id for row in rows]
    given = session.exec(select(RoleGrant).where(col(RoleGrant.machine_token_id).in_(ids))).all()
    services = parts.services_of(session, (grant.at_service_id for grant in given if grant.at_service_id))
    placed: dict[str, dict[tuple[str, str], PartOut]] = {each: {} for each in ids}
    for grant in given:
        at = services.get(grant.at_service_id)
        out = PartOut(service=at.ref, name=at.name) if at else PartOut(unit=grant.unit, name=grant.unit)
        placed[grant.machine_token_id or ""][grant.unit, grant.at_service_id] = out
    return [_shown(row, list(placed[row.id].values()), now) for row in rows]


def _shown(row: MachineToken, within: list[PartOut], now: datetime) -> MachineTokenOut:
    plain = row.model_dump(include=set(MachineTokenOut.model_fields) - {"everywhere", "parts", "ends_soon"})
    soon = row.revoked_at is None and now < row.expires_at <= now + SOON
    return MachineTokenOut(**plain, everywhere=bool(row.roles), parts=within, ends_soon=soon)


def ending_soon(session: Session, actor: Actor, *, now: datetime) -> list[MachineToken]:
    """The tokens that somebody must renew within two weeks: those of `actor`, of an administrator everybody's."""
    theirs = () if may_end(actor) else (MachineToken.created_by == actor.person_id,)
    return list(session.exec(_soon(now).where(*theirs)))


def _soon(now: datetime) -> Any:
    live = select(MachineToken).where(col(MachineToken.revoked_at).is_(None), col(MachineToken.expires_at) > now)
    return live.where(col(MachineToken.expires_at) <= now + SOON).order_by(col(MachineToken.expires_at))


def sweep(session: Session, *, now: datetime) -> int:
    """Tell the makers of tokens that end soon, each once; how many were told."""
    return sum(notices.token_ends(session, row, now=now) for row in session.exec(_soon(now)).all())
