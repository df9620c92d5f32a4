"""Sessions: each begins with a new secret, is found by it, and ends by its person, by time, or with its person."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from app.access.models import Method, Person, SessionKind, UserSession
from app.access.tokens import hashed, new_secret
from app.core import audit
from app.core.db import Database
from app.core.errors import NotSignedIn, not_found
from app.core.messages import say

log = structlog.get_logger()
TOUCH_SECONDS = 60
"""How exact the last use of a session is known: reading must not write each time."""


@dataclass(frozen=True)
class Way:
    """How somebody comes in: by a browser or the API, from where, with what, and for how long."""

    kind: SessionKind
    hours: float
    address: str = ""
    device: str = ""


@dataclass(frozen=True)
class Started:
    """A session that just began, with its secret, which is told only now."""

    secret: str
    row: UserSession
    person: Person


def start(
    session: Session, person: Person, way: Way, *, method: Method, proved: bool, now: datetime, provider: str = ""
) -> Started:
    """Begin a session under a new secret; `proved`: by means of their own, that nobody else gave them."""
    secret = new_secret()
    row = UserSession(
        token_hash=hashed(secret),
        person_id=person.id,
        kind=way.kind,
        csrf=secrets.token_urlsafe(32),
        method=method,
        provider=provider,
        address=way.address[:64],
        device=way.device[:80],
        created_at=now,
        last_seen_at=now,
        proved_at=now if proved else None,
        expires_at=now + timedelta(hours=way.hours),
    )
    session.add(row)
    session.flush()
    told = {"session_id": row.id, "kind": way.kind.value, "method": method.value, "provider": provider}
    audit.record(session, f"person:{person.id}", "session.started", "person", person.id, **told)
    return Started(secret, row, person)


def live(session: Session, token: str, *, idle: timedelta, now: datetime) -> UserSession | None:
    """The session with this secret; None where there is none that is still good."""
    row = session.exec(select(UserSession).where(UserSession.token_hash == hashed(token))).first()
    return row if row is not None and is_good(row, idle=idle, now=now) else None


def is_good(row: UserSession, *, idle: timedelta, now: datetime) -> bool:
    """Whether a session has neither ended, nor outlived its hours, nor lain idle for too long."""
    seen = row.last_seen_at or row.created_at
    return row.ended_at is None and row.expires_at > now and seen + idle > now


def own(session: Session, session_id: str) -> UserSession:
    """The session that a request came in by, its row held until the commit. Raises NotSignedIn if it ended since."""
    row = session.get(UserSession, session_id, with_for_update=True, populate_existing=True)
    if row is None or row.ended_at is not None:
        raise NotSignedIn(say("Your session ended. Sign in again."))
    return row


def is_to_be_touched(row: UserSession, *, now: datetime) -> bool:
    """Whether its last use was written down so long ago that it is to be written anew."""
    return row.last_seen_at is None or (now - row.last_seen_at).total_seconds() >= TOUCH_SECONDS


def note_use(database: Database, session_id: str, *, now: datetime) -> None:
    """Write down that it was used, in a transaction of its own; where there is no room or time for it, refuse nobody.

    Only forward: requests overtake each other.
    """
    if database.space is not None and database.space.is_short:
        return  # the reserve is for what stops things
    later = (col(UserSession.last_seen_at).is_(None)) | (col(UserSession.last_seen_at) < now)
    noted = update(UserSession).where(col(UserSession.id) == session_id, later)
    try:
        with database.transaction() as session:
            session.execute(noted.values(last_seen_at=now))
    except SQLAlchemyError as error:
        log.warning("the use of a session was not noted", session=session_id, error=str(error).splitlines()[0])


def renew(session: Session, row: UserSession, *, method: Method, now: datetime) -> str:
    """The person proved who they are in this session: in a browser it goes on under a new secret, told only now.

    A bearer token stays as it is (empty answer): no other site can plant one.
    """
    secret = new_secret() if row.kind is SessionKind.BROWSER else ""
    row.proved_at = now
    if secret:
        row.token_hash = hashed(secret)
    session.add(row)
    told = {"session_id": row.id, "method": method.value}
    audit.record(session, f"person:{row.person_id}", "session.proved", "person", row.person_id, **told)
    return secret


def of_person(session: Session, person_id: str, *, idle: timedelta, now: datetime) -> list[UserSession]:
    """The sessions of a person that are still good, the one that was used last first."""
    wanted = select(UserSession).where(UserSession.person_id == person_id, col(UserSession.ended_at).is_(None))
    rows = session.exec(wanted.order_by(col(UserSession.last_seen_at).desc(), col(UserSession.id).desc())).all()
    return [row for row in rows if is_good(row, idle=idle, now=now)]


def end(session: Session, row: UserSession, *, actor: str, now: datetime) -> None:
    """End a session; one that ended stays as it is."""
    if row.ended_at is None:
        row.ended_at = now
        session.add(row)
        audit.record(session, actor, "session.ended", "person", row.person_id, session_id=row.id)


def end_own(session: Session, person_id: str, session_id: str, *, now: datetime) -> UserSession:
    """End one of one's own. Raises NotFound for one that is not, in the same words."""
    row = session.get(UserSession, session_id, with_for_update=True) if session_id.isprintable() else None
    if row is None or row.person_id != person_id:
        raise not_found("session", session_id)
    end(session, row, actor=f"person:{person_id}", now=now)
    return row


def end_all(
    session: Session, person_id: str, *, actor: str, now: datetime, but: Sequence[str] = ()
) -> list[UserSession]:
    """End every session of a person, except those with the ids `but`."""
    wanted = select(UserSession).where(UserSession.person_id == person_id, col(UserSession.ended_at).is_(None))
    rows = session.exec(wanted.where(col(UserSession.id).not_in(list(but))).with_for_update()).all()
    for row in rows:
        end(session, row, actor=actor, now=now)
    return list(rows)


_BROWSERS = (("edg/", "Edge"), ("opr/", "Opera"), ("firefox/", "Firefox"), ("chrome/", "Chrome"), ("safari/", "Safari"))
_SYSTEMS = (
    *(("android", "Android"), ("iphone", "iPhone"), ("ipad", "iPad"), ("windows", "Windows")),
    *(("mac os", "macOS"), ("linux", "Linux")),
)


def device(agent: str) -> str:
    """What a browser says it is, in a few words that its person knows; a program by the first word of its name."""
    told = agent.casefold()
    browser = next((name for mark, name in _BROWSERS if mark in told), "")
    system = next((name for mark, name in _SYSTEMS if mark in told), "")
    if browser:
        return f"{browser}, {system}" if system else browser
    first = (agent.split() or [""])[0]
    return "".join(each for each in first if each.isascii() and each.isprintable())[:40]
