"""Pages to sign in and out; those of people and of machine tokens stand beside it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

import app.access.labels  # noqa: F401 – the words of roles
from app.access import people_pages, service, token_pages
from app.access.guard import allowed, public
from app.access.identity import cookie_name
from app.access.models import SessionKind
from app.access.rules import Action, Actor
from app.access.service import LinkRefused
from app.core import clock, limits
from app.core.browser import Fields, form, open_form
from app.core.db import SessionDep
from app.core.i18n import pick
from app.core.routers import add
from app.core.settings import Settings
from app.core.web import redirect, render

router = APIRouter(include_in_schema=False)
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]


@router.get("/sign-in", dependencies=[Depends(public)])
def sign_in_page(request: Request, token: str = "", next: str = "/") -> HTMLResponse:
    """Asks to confirm: a link that is opened by a mail scanner must not be used up."""
    return render(request, "access/sign_in.html", token=token[:200], next=next, refused="")


@router.post("/sign-in", dependencies=[Depends(public)])
def sign_in(request: Request, session: SessionDep, fields: Annotated[Fields, Depends(open_form)]) -> Response:
    """Exchange the one-time link for a session in this browser."""
    limits.take(request)
    settings: Settings = request.app.state.settings
    now, next = clock.now(), fields.text("next") or "/"
    token = fields.text("token").rpartition("token=")[2]
    try:
        secret, row, _ = service.redeem(session, token, SessionKind.BROWSER, hours=settings.session_hours, now=now)
    except LinkRefused as problem:
        return render(
            request, "access/sign_in.html", status=problem.status, token="", next=next, refused=pick(problem.detail)
        )
    limits.succeeded(request)
    answer = redirect(next)
    answer.set_cookie(
        cookie_name(settings),
        secret,
        max_age=round((row.expires_at - now).total_seconds()),
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="lax",
    )
    return answer


@router.post("/sign-out")
def sign_out(
    request: Request, session: SessionDep, actor: Anybody, fields: Annotated[Fields, Depends(form)]
) -> RedirectResponse:
    """End the session of this browser."""
    settings: Settings = request.app.state.settings
    service.end_session(session, request.state.token, now=clock.now())
    answer = redirect("/sign-in")
    answer.delete_cookie(cookie_name(settings), path="/", secure=settings.secure, httponly=True, samesite="lax")
    return answer


add(router, people_pages.router)
add(router, token_pages.router)
