"""JSON routes of one's own sessions: begin one, prove who one is, list them, end them."""

from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlmodel import Session

from app.access import accounts, people, sealing, service, sessions
from app.access.account_shapes import (
    LinkSessionIn,
    OwnSessionOut,
    OwnSessionsOut,
    PasswordSessionIn,
    ProofIn,
    ProofOut,
    SessionIn,
    SessionOut,
)
from app.access.accounts import Secrets
from app.access.guard import Reader, allowed, public
from app.access.models import PartRole, SessionKind, UserSession, WhoOut
from app.access.rules import STEP_UP_LIFE, Action, Actor, Role
from app.access.sessions import Way
from app.core import clock, limits
from app.core.db import SessionDep
from app.core.errors import NotAllowed
from app.core.messages import say
from app.core.routers import api_router
from app.core.settings import Settings

router = api_router("/sessions", tag="access")
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]


class PeopleOnly(NotAllowed):
    """It belongs to a person, and a token asks for it."""

    code = "people-only"


def way_in(request: Request, kind: SessionKind) -> Way:
    """How this request comes in."""
    settings: Settings = request.app.state.settings
    return Way(
        kind, settings.session_hours, limits.place(request), sessions.device(request.headers.get("user-agent", ""))
    )


def idle(request: Request) -> timedelta:
    """How long a session may lie unused here."""
    settings: Settings = request.app.state.settings
    return timedelta(minutes=settings.session_idle_minutes)


def person_only(actor: Actor) -> str:
    """Id of the person who asks; a token has no sessions and no account of its own. Raises NotAllowed."""
    if actor.person_id is None:
        raise PeopleOnly(say("This belongs to people. A token has no sessions and no password."))
    return actor.person_id


@router.post(
    "",
    status_code=201,
    operation_id="startSession",
    summary="Exchange a one-time sign-in token, or password and code, for a bearer token",
    dependencies=[Depends(public)],
)
def start_session(request: Request, given: SessionIn) -> SessionOut:
    """A short personal bearer token."""
    way, now = way_in(request, SessionKind.BEARER), clock.now()
    database = request.app.state.database
    match given:
        case LinkSessionIn():
            limits.take(request)
            with database.transaction() as session:
                started = service.redeem(session, given.sign_in_token, way, now=now)
            limits.succeeded(request)
        case PasswordSessionIn():
            limits.take(request, account=given.email)
            secrets = Secrets(given.password.get_secret_value(), given.code.get_secret_value())
            sealer = sealing.sealer(request.app.state.settings)
            started = accounts.sign_in(database, sealer, given.email, secrets, way, now=now)
            limits.succeeded(request, account=given.email)
    return SessionOut(
        token=started.secret,
        expires_at=started.row.expires_at,
        person=people.out(started.person, service.as_actor(started.person)),
    )


@router.get("", operation_id="listSessions", summary="My sessions")
def list_sessions(request: Request, session: SessionDep, actor: Anybody) -> OwnSessionsOut:
    """One's own sessions that are still good, the one used last first."""
    rows = sessions.of_person(session, person_only(actor), idle=idle(request), now=clock.now())
    return OwnSessionsOut(items=[_shown(row, request) for row in rows])


def _shown(row: UserSession, request: Request) -> OwnSessionOut:
    more = {
        "last_seen_at": row.last_seen_at or row.created_at,
        "current": request.state.visitor.session_id == row.id,
    }
    return OwnSessionOut.model_validate(row.model_dump(include=set(OwnSessionOut.model_fields)) | more)


@router.delete("", status_code=204, operation_id="endSessions", summary="End all my sessions")
def end_sessions(
    request: Request, session: SessionDep, actor: Anybody, others: Annotated[bool, Query()] = False
) -> None:
    """End all of one's own sessions; with `others` the present one stays."""
    kept = [request.state.visitor.session_id] if others else []
    sessions.end_all(session, person_only(actor), actor=actor.ref, now=clock.now(), but=kept)


@router.get("/current", operation_id="getCurrentSession", summary="Who am I")
def who(actor: Reader) -> WhoOut:
    """Whoever the token stands for, and what they may do where."""
    grants = [PartRole(role=each.role, unit=each.unit, service_id=each.service_id) for each in actor.grants]
    return WhoOut(
        kind=actor.kind,
        id=actor.id,
        name=actor.name,
        roles=sorted(actor.roles, key=list(Role).index),
        grants=sorted(grants, key=lambda each: (each.unit, each.service_id, each.role)),
        actions=sorted(actor.only) if actor.only is not None else None,
    )


@router.delete("/current", status_code=204, operation_id="endCurrentSession", summary="Sign out")
def end_session(request: Request, session: SessionDep, actor: Anybody) -> None:
    """End the session of the bearer token that was sent."""
    sign_out(request, session, actor)


def sign_out(request: Request, session: Session, actor: Actor) -> None:
    """End the session that this request came in by; a machine token is no session."""
    if actor.person_id is not None:
        sessions.end_own(session, actor.person_id, request.state.visitor.session_id, now=clock.now())


@router.post("/current/proofs", status_code=201, operation_id="proveCurrentSession", summary="Prove who I am")
def prove(request: Request, actor: Anybody, given: ProofIn) -> ProofOut:
    """Prove anew who one is, before what one answers for with one's name; the token stays as it is."""
    person_only(actor)
    limits.take(request, account=actor.id)
    secrets = Secrets(given.password.get_secret_value(), given.code.get_secret_value())
    sealer, now = sealing.sealer(request.app.state.settings), clock.now()
    accounts.prove(request.app.state.database, sealer, request.state.visitor.session_id, secrets, now=now)
    limits.succeeded(request, account=actor.id)
    return ProofOut(proved_at=now, proved_until=now + STEP_UP_LIFE)


@router.delete("/{key}", status_code=204, operation_id="endSession", summary="End one of my sessions")
def end_one(session: SessionDep, actor: Anybody, key: str) -> None:
    """End one of one's own sessions."""
    sessions.end_own(session, person_only(actor), key, now=clock.now())
