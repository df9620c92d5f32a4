"""Pages to sign in and out, and the administrator's list of people."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

import app.access.labels  # noqa: F401 – the words of roles
from app.access import service
from app.access.api import address
from app.access.guard import allowed, public
from app.access.identity import cookie_name
from app.access.models import Person, PersonIn, SessionKind
from app.access.people import PeopleQuery
from app.access.rules import Action, Actor, Role
from app.access.service import EmailTaken, LinkRefused
from app.core import clock, forms, labels, limits
from app.core.browser import Fields, form, open_form
from app.core.db import SessionDep
from app.core.errors import InvalidInput
from app.core.i18n import pick
from app.core.listing import paged
from app.core.settings import Settings
from app.core.web import field_errors, redirect, render

router = APIRouter(include_in_schema=False)
Administrator = Annotated[Actor, Depends(allowed(Action.ADMINISTER))]
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


def _people_page(request: Request, session: Session, *, status: int = 200, **more: Any) -> HTMLResponse:
    query = forms.query(PeopleQuery, request)
    sortable = {"name": col(Person.name), "ref": col(Person.ref)}
    rows, total = paged(
        session,
        select(Person),
        query,
        sortable=sortable,
        searched=[col(Person.name), col(Person.email)],
        default="name",
        tie=col(Person.id),
    )
    told = {"link": None, "values": {}, "errors": {}} | more
    told |= {name: forms.Typed(told[name] or {}) for name in ("values", "errors")}
    roles = [(role.value, labels.label(role)) for role in Role]
    shown: dict[str, Any] = {"people": [(row, [Role(role) for role in row.roles]) for row in rows], "roles": roles}
    return render(request, "access/people.html", status=status, query=query, total=total, **shown, **told)


@router.get("/people")
def people(request: Request, session: SessionDep, actor: Administrator) -> HTMLResponse:
    """Everybody, with their roles."""
    return _people_page(request, session)


@router.post("/people")
def add_person(
    request: Request, session: SessionDep, actor: Administrator, fields: Annotated[Fields, Depends(form)]
) -> Response:
    """Make a person known."""
    values: dict[str, Any] = {**fields.filled(), "roles": fields.every("roles")}
    try:
        given = forms.read(PersonIn, values)
        service.add_person(session, given, actor=actor, now=clock.now())
    except (InvalidInput, EmailTaken) as problem:
        return _people_page(request, session, status=problem.status, values=values, errors=field_errors(problem))
    return redirect("/people")


@router.post("/people/{key}/sign-in-links")
def make_link(
    request: Request, session: SessionDep, actor: Administrator, key: str, fields: Annotated[Fields, Depends(form)]
) -> HTMLResponse:
    """A one-time link for this person, shown once."""
    person = service.find_person(session, key)
    token, expires = service.make_link(session, person, actor=actor, now=clock.now())
    link = {"person": person, "url": f"{address(request)}/sign-in?token={token}", "expires": expires}
    return _people_page(request, session, link=link)
