"""Pages of signing in at a provider: the way there, what comes back, and connecting an identity to oneself.

The answer of a provider is a GET that changes something, as the protocol has it; it is bound to the browser that asked
(a cookie) and to one question (its state), and each is taken once. While the provider is asked no transaction is open.
"""

import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, delete
from starlette.responses import Response

from app.access import accounts, identities, providers, sessions, sign_in_pages
from app.access.guard import allowed, public
from app.access.models import Method, SessionKind
from app.access.oidc import Asked, Claims, Party, Refused
from app.access.providers import Provider, ProvidersWrong
from app.access.rules import Action, Actor
from app.access.session_api import way_in
from app.access.sign_in_models import SignInAttempt
from app.access.tokens import hashed
from app.core import audit, clock, limits
from app.core.browser import Fields, form, local_path, open_form
from app.core.db import Database, SessionDep
from app.core.errors import NotSignedIn
from app.core.messages import say
from app.core.settings import Settings
from app.core.web import redirect, render

router = APIRouter(include_in_schema=False)
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]
LIFE = timedelta(minutes=10)


class Purpose(StrEnum):
    """What somebody goes to a provider for."""

    SIGN_IN = "sign-in"
    PROVE = "prove"
    LINK = "link"


def _cookie_name(settings: Settings) -> str:
    return "__Host-wissel-asked" if settings.secure else "wissel-asked"


def _address(request: Request) -> str:
    settings: Settings = request.app.state.settings
    return (settings.base_url or str(request.base_url)).rstrip("/")


def _redirect_uri(request: Request, provider: Provider) -> str:
    """One address per provider: what another one sends there is noticed."""
    return f"{_address(request)}/sign-in/providers/{provider.name}/answer"


def party(request: Request, name: str) -> Party:
    """The provider of this name, as its file says now. Raises `Refused`."""
    settings: Settings = request.app.state.settings
    try:
        found = next((each for each in providers.load(settings) if each.name == name), None)
    except ProvidersWrong as error:
        raise Refused("providers-wrong") from error
    if found is None:
        raise Refused("no-such-provider", say("This provider is not known here."))
    if not hasattr(request.app.state, "parties"):
        request.app.state.parties = {}
    known: dict[str, Party] = request.app.state.parties
    if name not in known or known[name].provider != found:
        known[name] = Party(found, settings)
    return known[name]


@router.post("/sign-in/providers/{name}", dependencies=[Depends(public)])
def begin(request: Request, name: str, fields: Annotated[Fields, Depends(open_form)]) -> Response:
    """On the way to the provider, to sign in, or to prove anew who one is."""
    limits.take(request)
    again = fields.text("again") == "1" and request.state.actor is not None
    return _begin(request, name, Purpose.PROVE if again else Purpose.SIGN_IN, fields.text("next"))


@router.post("/account/identities")
def connect(request: Request, actor: Anybody, fields: Annotated[Fields, Depends(form)]) -> Response:
    """On the way to the provider, to connect who one is there."""
    database: Database = request.app.state.database
    with database.transaction(write=False) as session:
        accounts.require_right_to_change(session, request.state.visitor.session_id, now=clock.now())
    return _begin(request, fields.text("provider"), Purpose.LINK, "/account")


@router.post("/account/identities/endings")
def disconnect(
    request: Request, session: SessionDep, actor: Anybody, fields: Annotated[Fields, Depends(form)]
) -> Response:
    """Disconnect who one is at a provider."""
    row = sessions.own(session, request.state.visitor.session_id)
    identities.unlink(session, row, fields.text("identity"), now=clock.now())
    return redirect("/account")


def _begin(request: Request, name: str, purpose: Purpose, next: str) -> Response:
    database: Database = request.app.state.database
    settings: Settings = request.app.state.settings
    now, browser = clock.now(), secrets.token_urlsafe(32)
    asked = Asked(
        secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), now, purpose is Purpose.PROVE
    )
    try:
        found = party(request, name)
        if asked.proof and not found.provider.proves:
            raise Refused("proves-nothing", say("This provider proves nothing here. Use your password and code."))
        address = found.way_there(asked, redirect_uri=_redirect_uri(request, found.provider))
    except Refused as refused:
        return _refused(request, name, refused, again=purpose is Purpose.PROVE, next=next)
    with database.transaction() as session:
        session.exec(delete(SignInAttempt).where(col(SignInAttempt.expires_at) <= now))
        session.add(
            SignInAttempt(
                state_hash=hashed(asked.state),
                browser_hash=hashed(browser),
                provider=name,
                nonce=asked.nonce,
                verifier=asked.verifier,
                purpose=purpose.value,
                session_id=None if purpose is Purpose.SIGN_IN else request.state.visitor.session_id,
                next=local_path(next)[:2000],
                created_at=now,
                expires_at=now + LIFE,
            )
        )
    answer = forward(request, address, found.provider.title)
    answer.set_cookie(
        _cookie_name(settings),
        browser,
        max_age=round(LIFE.total_seconds()),
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="lax",
    )
    return answer


def forward(request: Request, address: str, title: str, *, signed_out: bool = False) -> HTMLResponse:
    """A page that leads on: a form may not be answered with a way to another site, by our own content policy."""
    return render(request, "access/forward.html", address=address, title=title, signed_out=signed_out)


@router.get("/sign-in/providers/{name}/answer", dependencies=[Depends(public)])
def answer(request: Request, name: str, code: str = "", state: str = "", iss: str | None = None) -> Response:
    """What the provider answers: somebody is signed in, proved or connected, or it is said why not."""
    limits.take(request)
    database: Database = request.app.state.database
    attempt: SignInAttempt | None = None
    try:
        with database.transaction() as session:
            attempt = _taken(request, session, name, state, now=clock.now())
        found = party(request, name)
        found.check_issuer(iss)
        if not code or len(code) > 4096:
            raise Refused("no-code", say("The provider did not let you in. Try again."))
        asked = Asked(state, attempt.nonce, attempt.verifier, attempt.created_at, attempt.purpose == Purpose.PROVE)
        claims = found.exchange(code, asked, redirect_uri=_redirect_uri(request, found.provider))
        made = _finish(request, found.provider, attempt, claims, now=clock.now())
    except Refused as refused:
        again = attempt is not None and attempt.purpose == Purpose.PROVE
        return _refused(request, name, refused, again=again, next=attempt.next if attempt else "/")
    limits.succeeded(request)
    return made


def _taken(request: Request, session: Session, name: str, state: str, *, now: datetime) -> SignInAttempt:
    """The question that this answers, used up. Raises `Refused` for one that was never asked, or in another browser."""
    settings: Settings = request.app.state.settings
    browser = request.cookies.get(_cookie_name(settings), "")
    row = session.get(SignInAttempt, hashed(state), with_for_update=True)
    wrong = say("This answer does not belong to what this browser asked. Begin again.")
    if row is None or row.browser_hash != hashed(browser) or row.provider != name:
        raise Refused("wrong-state", wrong)
    if row.used_at is not None or row.expires_at <= now:
        raise Refused("used-state", wrong)
    row.used_at = now
    session.add(row)
    return row


def _finish(request: Request, provider: Provider, attempt: SignInAttempt, claims: Claims, *, now: datetime) -> Response:
    database: Database = request.app.state.database
    answer = redirect(attempt.next)
    with database.transaction() as session:
        match Purpose(attempt.purpose):
            case Purpose.SIGN_IN:
                way = way_in(request, SessionKind.BROWSER)
                started = identities.sign_in(session, provider, claims, way, now=now)
                sign_in_pages.leave(request, session, now=now)
                sign_in_pages.set_cookie(request, answer, started.secret, started.row.expires_at, now=now)
            case Purpose.PROVE:
                row = _own(request, session, attempt)
                identity = identities.find(session, claims)
                if identity is None or identity.person_id != row.person_id:
                    raise Refused("other-person", say("That was somebody else than who is signed in here."))
                secret = sessions.renew(session, row, method=Method.PROVIDER, now=now)
                sign_in_pages.set_cookie(request, answer, secret, row.expires_at, now=now)
            case Purpose.LINK:
                identities.link(session, _own(request, session, attempt), claims, now=now)
    return answer


def _own(request: Request, session: Session, attempt: SignInAttempt) -> Any:
    """The session that asked, which must be the one of this browser still. Raises `Refused`."""
    visitor = request.state.visitor
    if visitor is None or visitor.session_id != attempt.session_id:
        raise Refused("other-session", say("You were signed out meanwhile. Sign in and begin again."))
    try:
        return sessions.own(session, visitor.session_id)
    except NotSignedIn as ended:
        raise Refused("other-session", say("You were signed out meanwhile. Sign in and begin again.")) from ended


def _refused(request: Request, name: str, refused: Refused, *, again: bool, next: str) -> Response:
    database: Database = request.app.state.database
    actor: Actor | None = request.state.actor
    with database.transaction() as session:
        told = {"code": refused.code, "provider": name[:40]}
        audit.attempt(session, audit.REFUSED, actor.ref if actor else "nobody", "sign-in", "person", "unknown", told)
    return sign_in_pages.refused_page(request, refused.detail, refused.code, again=again, next=next)


@router.post("/sign-out")
def sign_out(
    request: Request, session: SessionDep, actor: Anybody, fields: Annotated[Fields, Depends(form)]
) -> Response:
    """End the session of this browser, and lead on to the provider that it began at."""
    row = sessions.own(session, request.state.visitor.session_id)
    sessions.end(session, row, actor=actor.ref, now=clock.now())
    gone = sign_in_pages.signed_out(request)
    there = _way_out(request, row.provider) if row.provider else None
    if there is None:
        return gone
    there.headers.append("Set-Cookie", gone.headers["Set-Cookie"])
    return there


def _way_out(request: Request, provider: str) -> Response | None:
    """A page that leads on to sign out at the provider too; None where that cannot be."""
    try:
        found = party(request, provider)
        address = found.way_out(back=f"{_address(request)}/sign-in?" + urlencode({"next": "/"}))
    except Refused:
        return None
    return forward(request, address, found.provider.title, signed_out=True) if address else None
