"""Pages to sign in by a link or with password and code, and to prove anew who one is."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session
from starlette.responses import Response

from app.access import accounts, providers, sealing, service, sessions
from app.access.accounts import Secrets
from app.access.guard import public
from app.access.identity import cookie_name
from app.access.models import SessionKind, UserSession
from app.access.rules import Actor
from app.access.session_api import way_in
from app.core import clock, limits
from app.core.browser import Fields, local_path, open_form
from app.core.db import Database, SessionDep
from app.core.errors import Problem
from app.core.i18n import pick
from app.core.messages import Message
from app.core.settings import Settings
from app.core.web import redirect, render

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)


def _page(
    request: Request,
    *,
    next: str,
    status: int = 200,
    token: str = "",
    again: bool = False,
    email: str = "",
    refused: str = "",
    code: str = "",
    lost: bool = False,
) -> HTMLResponse:
    told: dict[str, Any] = {"token": token[:200], "next": next, "again": again, "email": email, "refused": refused}
    told |= {"code": code, "lost": lost, "providers": offered(request, proof=again)}
    return render(request, "access/sign_in.html", status=status, **told)


def offered(request: Request, *, proof: bool) -> list[tuple[str, str]]:
    """Name and title of the providers; none where their file is wrong: the other ways in must stay open."""
    try:
        found = providers.load(request.app.state.settings)
    except providers.ProvidersWrong as error:
        log.error("the providers cannot be read", error=str(error))
        return []
    visitor = request.state.visitor
    return [(each.name, each.title) for each in found if not proof or (visitor is not None and each.proves)]


def refused_page(request: Request, detail: Message | str, code: str, *, again: bool, next: str) -> HTMLResponse:
    """The page to sign in, with why it did not work."""
    again = again and request.state.actor is not None
    return _page(request, next=next, status=403, again=again, refused=pick(detail), code=code)


@router.get("/sign-in", dependencies=[Depends(public)])
def sign_in_page(
    request: Request, session: SessionDep, token: str = "", next: str = "/", again: bool = False, first: bool = False
) -> Response:
    """Asks to confirm: a link that is opened by a mail scanner must not be used up.

    `first`: nothing was sent yet, for the page asked for the proof before it showed its form.
    """
    actor: Actor | None = request.state.actor
    if again and actor is not None and actor.person_id is not None:
        if not accounts.has_means(session, actor.person_id):
            return redirect("/account/set-up?" + urlencode({"next": local_path(next), "again": "1"}))
        return _page(request, next=next, again=True, lost=not first)
    return _page(request, token=token, next=next)


@router.post("/sign-in", dependencies=[Depends(public)])
def sign_in(request: Request, fields: Annotated[Fields, Depends(open_form)]) -> Response:
    """Begin a session in this browser by a one-time link or with password and code, or prove anew who one is."""
    next = local_path(fields.text("next"))
    again = fields.text("again") == "1" and request.state.actor is not None
    try:
        if again:
            return _prove(request, fields, next)
        return _by_link(request, fields, next) if fields.text("token") else _by_password(request, fields, next)
    except Problem as problem:
        if problem.status not in (401, 409, 503):
            raise
        return _page(
            request,
            next=next,
            status=problem.status,
            again=again,
            email=fields.text("email"),
            refused=pick(problem.detail),
        )


def _by_link(request: Request, fields: Fields, next: str) -> Response:
    limits.take(request)
    database: Database = request.app.state.database
    now = clock.now()
    with database.transaction() as session:
        leave(request, session, now=now)
        token = fields.text("token").rpartition("token=")[2]
        started = service.redeem(session, token, way_in(request, SessionKind.BROWSER), now=now)
        new = not accounts.has_means(session, started.person.id)
    limits.succeeded(request)
    answer = redirect("/account/set-up?" + urlencode({"next": next}) if new else next)
    set_cookie(request, answer, started.secret, started.row.expires_at, now=now)
    return answer


def _by_password(request: Request, fields: Fields, next: str) -> Response:
    email, now = fields.text("email"), clock.now()
    limits.take(request, account=email)
    database: Database = request.app.state.database
    given = Secrets(fields.raw("password"), fields.text("code"))
    sealer = sealing.sealer(request.app.state.settings)
    started = accounts.sign_in(database, sealer, email, given, way_in(request, SessionKind.BROWSER), now=now)
    limits.succeeded(request, account=email)
    with database.transaction() as session:
        leave(request, session, now=now)
    answer = redirect(next)
    set_cookie(request, answer, started.secret, started.row.expires_at, now=now)
    return answer


def _prove(request: Request, fields: Fields, next: str) -> Response:
    actor: Actor = request.state.actor
    limits.take(request, account=actor.id)
    database: Database = request.app.state.database
    given = Secrets(fields.raw("password"), fields.text("code"))
    sealer, now = sealing.sealer(request.app.state.settings), clock.now()
    session_id = request.state.visitor.session_id
    secret = accounts.prove(database, sealer, session_id, given, now=now)
    limits.succeeded(request, account=actor.id)
    answer = redirect(next)
    with database.transaction(write=False) as session:
        set_cookie(request, answer, secret, session.get_one(UserSession, session_id).expires_at, now=now)
    return answer


def leave(request: Request, session: Session, *, now: datetime) -> None:
    """End the session that this browser had: nobody stays behind a new one, and no planted one goes on."""
    visitor = request.state.visitor
    if visitor is not None:
        row = session.get_one(UserSession, visitor.session_id)
        sessions.end(session, row, actor=f"person:{row.person_id}", now=now)


def set_cookie(request: Request, answer: Response, secret: str, until: datetime, *, now: datetime) -> None:
    """Give this browser the secret of its session."""
    settings: Settings = request.app.state.settings
    answer.set_cookie(
        cookie_name(settings),
        secret,
        max_age=round((until - now).total_seconds()),
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="lax",
    )


def signed_out(request: Request) -> RedirectResponse:
    """To the page to sign in, without the cookie."""
    settings: Settings = request.app.state.settings
    answer = redirect("/sign-in")
    answer.delete_cookie(cookie_name(settings), path="/", secure=settings.secure, httponly=True, samesite="lax")
    return answer
