"""JSON routes of how one signs in: password, second factor, recovery codes."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request
from pydantic import SecretStr
from sqlmodel import Session, col, select

from app.access import accounts, authenticator, people, sealing, service, sessions
from app.access.account_shapes import (
    AccountOut,
    CredentialsIn,
    FactorOfferOut,
    IdentityOut,
    RecoveryCodesOut,
)
from app.access.accounts import NewMeans
from app.access.guard import allowed
from app.access.models import Person, UserSession
from app.access.rules import Action, Actor
from app.access.session_api import person_only
from app.access.sign_in_models import LocalAccount, ProviderIdentity
from app.core import clock
from app.core.db import Database, SessionDep
from app.core.routers import api_router
from app.core.settings import Settings

router = api_router("/account", tag="access")
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]


def account_of(session: Session, person_id: str) -> AccountOut:
    """How this person signs in."""
    person, account = session.get_one(Person, person_id), session.get(LocalAccount, person_id)
    wanted = select(ProviderIdentity).where(ProviderIdentity.person_id == person_id)
    identities = session.exec(wanted.order_by(col(ProviderIdentity.linked_at))).all()
    return AccountOut(
        person=people.out(person, service.as_actor(person)),
        has_password=account is not None,
        password_set_at=account.password_set_at if account else None,
        second_factor_set_at=account.factor_set_at if account else None,
        recovery_codes_left=accounts.codes_left(session, person_id),
        reset_at=person.reset_at,
        identities=[IdentityOut.model_validate(each) for each in identities],
    )


def offer(request: Request, session: Session) -> tuple[str, str]:
    """The second factor that this session may set up: the secret as it is typed, and the address in the picture."""
    settings: Settings = request.app.state.settings
    row = session.get_one(UserSession, request.state.visitor.session_id)
    secret = accounts.offered_secret(session, sealing.sealer(settings), row)
    person = session.get_one(Person, row.person_id)
    issuer = "Wissel" if settings.organisation == "Wissel" else f"Wissel {settings.organisation}"
    return authenticator.shown(secret), authenticator.uri(secret, account=person.email, issuer=issuer)


def set_up(request: Request, actor: Actor, password: SecretStr | None, code: SecretStr | None) -> tuple[str, list[str]]:
    """Set up what is given, hashing between two transactions; the session's new secret, and recovery codes."""
    database: Database = request.app.state.database
    session_id, sealer = request.state.visitor.session_id, sealing.sealer(request.app.state.settings)
    new = NewMeans(code=code.get_secret_value() if code else None)
    if password is not None:
        with database.transaction(write=False) as session:
            person = session.get_one(Person, person_only(actor))
        new = replace(new, password_hash=accounts.hash_for(person, password.get_secret_value()))
    with database.transaction() as session:
        return accounts.set_up(session, sealer, sessions.own(session, session_id), new, now=clock.now())


@router.get("", operation_id="getAccount", summary="How I sign in")
def get_account(session: SessionDep, actor: Anybody) -> AccountOut:
    """One's own means of signing in."""
    return account_of(session, person_only(actor))


@router.get("/second-factor-offer", operation_id="getSecondFactorOffer", summary="A second factor to set up")
def get_offer(request: Request, session: SessionDep, actor: Anybody) -> FactorOfferOut:
    """A secret for an authenticator app; it counts once a code of it was sent with `PUT /account/credentials`."""
    person_only(actor)
    secret, uri = offer(request, session)
    return FactorOfferOut(secret=secret.replace(" ", ""), uri=uri)


@router.put("/credentials", operation_id="setCredentials", summary="Set up password and second factor")
def set_credentials(request: Request, actor: Anybody, given: CredentialsIn) -> RecoveryCodesOut:
    """Set up a password, a second factor or both; all other sessions end. Recovery codes come with a new factor."""
    person_only(actor)
    _, codes = set_up(request, actor, given.password, given.code)
    return RecoveryCodesOut(recovery_codes=codes)


@router.post("/recovery-codes", status_code=201, operation_id="makeRecoveryCodes", summary="New recovery codes")
def make_codes(request: Request, session: SessionDep, actor: Anybody) -> RecoveryCodesOut:
    """Ten codes for once; those of before work no more."""
    person_id = person_only(actor)
    return RecoveryCodesOut(recovery_codes=renewed_codes(request, session, person_id))


def renewed_codes(request: Request, session: Session, person_id: str) -> list[str]:
    """New recovery codes for who proved shortly ago who they are. Raises StepUpNeeded, `NoAccount`."""
    row = sessions.own(session, request.state.visitor.session_id)
    accounts.require_proof(row, now=clock.now())
    return accounts.new_codes(session, person_id, now=clock.now())
