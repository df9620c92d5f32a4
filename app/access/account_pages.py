"""Pages of one's own account: where one is signed in, password, second factor, recovery codes."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from pydantic import SecretStr
from sqlmodel import Session
from starlette.responses import Response

from app.access import account_api, accounts, authenticator, sessions
from app.access.guard import allowed
from app.access.models import UserSession
from app.access.rules import RESET_LIFE, Action, Actor
from app.access.session_api import idle, person_only
from app.access.sign_in_pages import offered, set_cookie, signed_out
from app.core import clock, forms
from app.core.browser import Fields, form, local_path
from app.core.db import Database, SessionDep
from app.core.errors import FieldError, InvalidInput
from app.core.i18n import gettext as _
from app.core.messages import say
from app.core.web import field_errors, redirect, render

router = APIRouter(include_in_schema=False)
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]
Form = Annotated[Fields, Depends(form)]


@router.get("/account")
def account(request: Request, session: SessionDep, actor: Anybody) -> HTMLResponse:
    """One's own sessions and means of signing in."""
    person_id, now = person_only(actor), clock.now()
    found = account_api.account_of(session, person_id)
    reset = found.reset_at
    context: dict[str, Any] = {
        "account": found,
        "sessions": sessions.of_person(session, person_id, idle=idle(request), now=now),
        "current": request.state.visitor.session_id,
        "providers": offered(request, proof=False),
        "blocked_until": reset + RESET_LIFE if reset is not None and now - reset < RESET_LIFE else None,
    }
    return render(request, "access/account.html", **context)


def _set_up_page(
    request: Request, session: Session, *, next: str, status: int = 200, again: bool = False, **more: Any
) -> HTMLResponse:
    row = session.get_one(UserSession, request.state.visitor.session_id)
    secret, uri = account_api.offer(request, session)
    context: dict[str, Any] = {
        "next": local_path(next),
        "again": again,
        "secret": secret,
        "picture": Markup(authenticator.picture(uri)),  # noqa: S704 - drawn here, out of black squares
        "found": account_api.account_of(session, row.person_id),
        "is_reset": row.proved_at is None and accounts.has_means(session, row.person_id),
        "errors": forms.Typed({}),
    }
    return render(request, "access/set_up.html", status=status, **context | more)


@router.get("/account/set-up")
def set_up_page(
    request: Request, session: SessionDep, actor: Anybody, next: str = "/", again: bool = False
) -> HTMLResponse:
    """A password and a second factor to set up, or to set up anew."""
    person_only(actor)
    accounts.require_right_to_change(session, request.state.visitor.session_id, now=clock.now())
    return _set_up_page(request, session, next=next, again=again)


@router.post("/account/set-up")
def set_up(request: Request, actor: Anybody, fields: Form) -> Response:
    """Take the password and the code of the new second factor; shows recovery codes, once."""
    person_only(actor)
    database: Database = request.app.state.database
    password, code = fields.raw("password"), fields.text("code")
    try:
        if password != fields.raw("repeated"):
            reason = say("The two passwords differ. Type the same one twice.")
            raise InvalidInput(reason, errors=[FieldError("repeated", "differs", reason)])
        given = SecretStr(password) if password else None
        secret, codes = account_api.set_up(request, actor, given, SecretStr(code) if code else None)
    except (InvalidInput, accounts.NoAccount) as problem:
        with database.transaction(write=False) as session:
            errors = forms.Typed(field_errors(problem) or _missing(password, code))
            return _set_up_page(request, session, next=fields.text("next"), status=problem.status, errors=errors)
    answer = _codes_page(request, codes, fields.text("next") or "/account")
    with database.transaction(write=False) as session:
        until = session.get_one(UserSession, request.state.visitor.session_id).expires_at
    set_cookie(request, answer, secret, until, now=clock.now())
    return answer


def _missing(password: str, code: str) -> dict[str, str]:
    told = {"password": "" if password else _("Choose a password."), "code": "" if code else _("Type the code.")}
    return {name: text for name, text in told.items() if text}


def _codes_page(request: Request, codes: list[str], next: str) -> HTMLResponse:
    return render(request, "access/recovery_codes.html", codes=codes, next=local_path(next))


@router.post("/account/recovery-codes")
def make_codes(request: Request, session: SessionDep, actor: Anybody, fields: Form) -> HTMLResponse:
    """New recovery codes, shown once."""
    codes = account_api.renewed_codes(request, session, person_only(actor))
    return _codes_page(request, codes, "/account")


@router.post("/account/sessions/endings")
def end_sessions(request: Request, session: SessionDep, actor: Anybody, fields: Form) -> Response:
    """End one session, all others, or all."""
    person_id, now, current = person_only(actor), clock.now(), request.state.visitor.session_id
    match fields.text("which"):
        case "all":
            sessions.end_all(session, person_id, actor=actor.ref, now=now)
            return signed_out(request)
        case "others":
            sessions.end_all(session, person_id, actor=actor.ref, now=now, but=[current])
        case chosen:
            sessions.end_own(session, person_id, chosen, now=now)
            if chosen == current:
                return signed_out(request)
    return redirect("/account")
