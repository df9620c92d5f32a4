"""Accounts of Wissel itself: a password and a second factor, which let people in whatever happens to a provider.

What is slow on purpose (hashing) is done between two transactions, never within one: others would wait for it.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlmodel import Session, col, func, select

from app.access import authenticator, passwords, sessions
from app.access.models import Method, Person, UserSession
from app.access.rules import STEP_UP_LIFE
from app.access.sealing import NotOpened, Sealer
from app.access.service import LINK_LIFE
from app.access.sessions import Started, Way
from app.access.sign_in_models import LocalAccount, ProviderIdentity, RecoveryCode
from app.core import audit
from app.core.db import Database
from app.core.errors import Conflict, FieldError, InvalidInput, NotSignedIn, StepUpNeeded, Unavailable
from app.core.messages import say

log = structlog.get_logger()
NOBODY = "nobody"
"""Who the audit log names where somebody tried whom we do not know."""


class WrongSignIn(NotSignedIn):
    """E-mail address, password or code is wrong; which of them is told to nobody."""

    code = "sign-in-refused"


class FactorUnreadable(Unavailable):
    """The second factor was sealed with another key than the one that lies in the key file now."""

    code = "second-factor-unreadable"


class NoAccount(Conflict):
    """The person has no password and second factor of Wissel itself."""

    code = "no-account"


@dataclass(frozen=True)
class _Seen:
    """What the check needs of an account, read before the slow work."""

    person_id: str
    active: bool
    account: LocalAccount


@dataclass(frozen=True)
class Secrets:
    """What somebody gives to show who they are."""

    password: str
    code: str


def sign_in(database: Database, sealer: Sealer, email: str, given: Secrets, way: Way, *, now: datetime) -> Started:
    """Begin a session for who knows password and code. Raises `WrongSignIn`, in one word for whatever is wrong."""
    with database.transaction(write=False) as session:
        person = session.exec(select(Person).where(Person.email == email.strip().lower())).first()
        seen = _seen(session, person)
    _require(database, sealer, seen, given, now=now)
    assert seen is not None  # noqa: S101 - else it was refused
    with database.transaction() as session:
        person = session.get_one(Person, seen.person_id, with_for_update=True)
        if not person.active:  # let go while the password was looked at: a session would be theirs again later
            raise _wrong()
        _require_unused(session, sealer, seen, given, now=now)
        return sessions.start(session, person, way, method=Method.PASSWORD, proved=True, now=now)


def prove(database: Database, sealer: Sealer, session_id: str, given: Secrets, *, now: datetime) -> str:
    """Prove anew who one is, in the session that one has; its new secret. Raises `WrongSignIn`, `NoAccount`."""
    with database.transaction(write=False) as session:
        row = session.get_one(UserSession, session_id)
        seen = _seen(session, session.get_one(Person, row.person_id))
    if seen is None:
        raise NoAccount(say("You have no password in Wissel yet. Set one up under 'My account' first."))
    _require(database, sealer, seen, given, now=now)
    with database.transaction() as session:
        row = sessions.own(session, session_id)
        _require_unused(session, sealer, seen, given, now=now)
        return sessions.renew(session, row, method=Method.PASSWORD, now=now)


def _seen(session: Session, person: Person | None) -> _Seen | None:
    account = session.get(LocalAccount, person.id) if person is not None else None
    return _Seen(person.id, person.active, account) if person is not None and account is not None else None


def _require(database: Database, sealer: Sealer, seen: _Seen | None, given: Secrets, *, now: datetime) -> None:
    """Refuse a wrong password or code; the same work is done for an account that is not there."""
    right = passwords.is_right(given.password, seen.account.password_hash if seen else None)
    secret = _secret(sealer, seen)
    step = authenticator.step_of(secret or sealer.derive("nobody"), given.code, now=now)
    with database.transaction(write=False) as session:
        spare = _unused_code(session, seen.person_id if seen else "", given.code) is not None
    fresh = seen is not None and secret is not None and step is not None and step > seen.account.last_step
    if seen is None or not right or not (spare or fresh) or not seen.active:
        reason = "person" if seen is None or not seen.active else "code" if right else "password"
        with database.transaction() as session:
            _refused(session, seen, reason)
        if right and secret is None:
            raise _not_opened()
        raise _wrong()


def _secret(sealer: Sealer, seen: _Seen | None) -> bytes | None:
    """The second factor of the account; None: there is none, or it was sealed with another key."""
    if seen is None:
        return None
    try:
        return sealer.open(seen.account.sealed_secret, owner=seen.person_id)
    except NotOpened:
        log.error("a second factor does not open: is WISSEL_SIGN_IN_KEY_FILE the file it was made with?")
        return None


def _not_opened() -> FactorUnreadable:
    return FactorUnreadable(
        say(
            "Your second factor cannot be read: the key file of Wissel is another one than before. Sign in with a "
            "recovery code, or have a link made by `wissel admin link`."
        )
    )


def _refused(session: Session, seen: _Seen | None, reason: str) -> None:
    whom = seen.person_id if seen else "unknown"
    audit.attempt(session, audit.REFUSED, NOBODY, "sign-in", "person", whom, {"code": f"wrong-{reason}"})


def _wrong() -> WrongSignIn:
    return WrongSignIn(say("The e-mail address, the password or the code is not right. Try again with the next code."))


def _unused_code(session: Session, person_id: str, code: str) -> RecoveryCode | None:
    wanted = select(RecoveryCode).where(RecoveryCode.code_hash == authenticator.recovery_hash(code))
    wanted = wanted.where(RecoveryCode.person_id == person_id, col(RecoveryCode.used_at).is_(None))
    return session.exec(wanted.with_for_update()).first()


def _require_unused(session: Session, sealer: Sealer, seen: _Seen, given: Secrets, *, now: datetime) -> None:
    """Use the code up, in the transaction of what it opens. Raises `WrongSignIn` where another was faster."""
    account = session.get_one(LocalAccount, seen.person_id, with_for_update=True, populate_existing=True)
    if account.revision != seen.account.revision:
        raise _wrong()
    found = _unused_code(session, seen.person_id, given.code)
    if found is not None:
        found.used_at = now
        session.add(found)
        audit.record(session, f"person:{seen.person_id}", "account.recovery-code-used", "person", seen.person_id)
        return
    secret = sealer.open(account.sealed_secret, owner=seen.person_id)
    step = authenticator.step_of(secret, given.code, now=now)
    if step is None or step <= account.last_step:
        raise _wrong()
    account.last_step = step
    session.add(account)


def offered_secret(session: Session, sealer: Sealer, row: UserSession) -> bytes:
    """The second factor that this session may set up: the same at each look, another one after it was taken."""
    account = session.get(LocalAccount, row.person_id)
    return sealer.derive(f"second-factor:{row.id}:{account.revision if account else 0}")


@dataclass(frozen=True)
class NewMeans:
    """What a person sets up; a password that was hashed already, a code of the second factor on offer."""

    password_hash: str | None = None
    code: str | None = None


def hash_for(person: Person, password: str) -> str:
    """A password of this person, checked and hashed; slow, so outside of any transaction. Raises InvalidInput."""
    passwords.refuse(password, names=(person.name, person.email))
    return passwords.hashed(password)


def set_up(
    session: Session, sealer: Sealer, row: UserSession, new: NewMeans, *, now: datetime
) -> tuple[str, list[str]]:
    """Set password, second factor or both; the new secret of the session, and recovery codes with a new factor.

    Raises StepUpNeeded where the session did not prove shortly ago who its person is, and `NoAccount` for half of a
    first account. Every other session of the person ends.
    """
    person = session.get_one(Person, row.person_id, with_for_update=True)
    account = session.get(LocalAccount, person.id, with_for_update=True)
    reset = is_reset(session, row, now=now)
    if (account is None or reset) and (new.password_hash is None or new.code is None):
        raise NoAccount(say("Set up a password and a second factor together."))
    codes = _take(session, sealer, row, person, account, new, now=now)
    if reset:
        mark_reset(session, person, row, now=now)
    changed = [name for name, given in (("password", new.password_hash), ("second-factor", new.code)) if given]
    audit.record(session, f"person:{person.id}", "account.set-up", "person", person.id, changed=changed)
    sessions.end_all(session, person.id, actor=f"person:{person.id}", now=now, but=[row.id])
    return sessions.renew(session, row, method=Method.PASSWORD, now=now), codes


def is_reset(session: Session, row: UserSession, *, now: datetime) -> bool:
    """Whether means are replaced by a link, of somebody who has some already. Raises StepUpNeeded."""
    if row.method is Method.LINK and row.proved_at is None and now - row.created_at <= LINK_LIFE:
        return has_means(session, row.person_id)
    require_proof(row, now=now)
    return False


def mark_reset(session: Session, person: Person, row: UserSession, *, now: datetime) -> None:
    """The means of a person were replaced by a link that somebody else made: for a day they answer for nothing."""
    person.reset_at = now
    session.add(person)
    audit.record(session, f"person:{person.id}", "account.reset", "person", person.id, session_id=row.id)


def has_account(session: Session, person_id: str) -> bool:
    """Whether the person has a password and second factor of Wissel itself."""
    return session.get(LocalAccount, person_id) is not None


def require_right_to_change(session: Session, session_id: str, *, now: datetime) -> None:
    """Raise StepUpNeeded where this session may not set up means of signing in: before somebody types them."""
    is_reset(session, session.get_one(UserSession, session_id), now=now)


def require_proof(row: UserSession, *, now: datetime) -> None:
    """Raise StepUpNeeded where the person of this session did not prove shortly ago who they are."""
    if row.proved_at is None or now - row.proved_at >= STEP_UP_LIFE:
        raise StepUpNeeded(
            say(
                "This changes how you sign in, so prove first who you are: POST your password and code to "
                "/api/v1/sessions/current/proofs. Then repeat this within five minutes."
            )
        )


def has_means(session: Session, person_id: str) -> bool:
    """Whether the person can sign in by themselves: with a password, or at a provider."""
    identity = select(ProviderIdentity.id).where(ProviderIdentity.person_id == person_id)
    return has_account(session, person_id) or session.exec(identity).first() is not None


def _take(
    session: Session,
    sealer: Sealer,
    row: UserSession,
    person: Person,
    account: LocalAccount | None,
    new: NewMeans,
    *,
    now: datetime,
) -> list[str]:
    secret, step = offered_secret(session, sealer, row), None
    if new.code is not None:
        step = authenticator.step_of(secret, new.code, now=now)
        if step is None:
            reason = say("This code does not fit. Scan the picture again and type the code that the app shows now.")
            raise InvalidInput(reason, errors=[FieldError("code", "wrong-code", reason)])
    if account is None:
        account = LocalAccount(
            person_id=person.id,
            password_hash="",
            sealed_secret="",
            created_at=now,
            password_set_at=now,
            factor_set_at=now,
            revision=0,
        )
    if new.password_hash is not None:
        account.password_hash, account.password_set_at = new.password_hash, now
    if step is not None:
        account.sealed_secret = sealer.seal(secret, owner=person.id)
        account.last_step, account.factor_set_at = step, now
    account.revision += 1
    session.add(account)
    session.flush()
    return new_codes(session, person.id, now=now) if step is not None else []


def new_codes(session: Session, person_id: str, *, now: datetime) -> list[str]:
    """Fresh recovery codes, told only now; the ones before work no more."""
    for old in session.exec(select(RecoveryCode).where(RecoveryCode.person_id == person_id)).all():
        session.delete(old)
    codes = authenticator.new_recovery_codes()
    hashes = [authenticator.recovery_hash(code) for code in codes]
    session.add_all([RecoveryCode(person_id=person_id, code_hash=each, created_at=now) for each in hashes])
    session.flush()
    audit.record(session, f"person:{person_id}", "account.recovery-codes-made", "person", person_id)
    return codes


def codes_left(session: Session, person_id: str) -> int:
    """How many recovery codes a person has left."""
    wanted = select(func.count()).where(RecoveryCode.person_id == person_id, col(RecoveryCode.used_at).is_(None))
    return session.exec(wanted).one()
