"""Pages for administrators: everybody, and one person with their roles, where these hold, and how they come in."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

import app.access.labels  # noqa: F401 – the words of roles
from app.access import absence, grants, parts, people, service
from app.access.api import address
from app.access.grants import GrantThere
from app.access.guard import allowed
from app.access.models import Person, PersonIn, PersonPatch
from app.access.people import PeopleQuery
from app.access.rules import Action, Actor, Role
from app.access.service import EmailTaken
from app.access.token_models import GrantIn, RoleGrant
from app.core import clock, forms, labels
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import FieldError, InvalidInput, Problem
from app.core.formats import ZONE
from app.core.i18n import pick
from app.core.messages import say
from app.core.web import field_errors, redirect, render

router = APIRouter(include_in_schema=False)
Administrator = Annotated[Actor, Depends(allowed(Action.ADMINISTER))]
FORM = Annotated[Fields, Depends(form)]
_IN_A_PART = tuple(role for role in Role if role is not Role.ADMINISTRATOR)


def _told(more: dict[str, Any]) -> dict[str, Any]:
    told = {"link": None, "values": {}, "errors": {}, "refused": ""} | more
    return told | {name: forms.Typed(told[name] or {}) for name in ("values", "errors")}


def _people_page(request: Request, session: Session, actor: Actor, *, status: int = 200, **more: Any) -> HTMLResponse:
    query = forms.query(PeopleQuery, request)
    rows, total = people.listed(session, query, actor)
    shown: dict[str, Any] = {
        "people": [(row, [Role(role) for role in row.roles]) for row in rows],
        "roles": labels.options(Role),
        "placed": people.with_grants(session, rows, now=clock.now()),
    }
    return render(request, "access/people.html", status=status, query=query, total=total, **shown, **_told(more))


def _person_page(
    request: Request, session: Session, person: Person, actor: Actor, *, status: int = 200, **more: Any
) -> HTMLResponse:
    now = clock.now()
    given = select(RoleGrant).where(RoleGrant.person_id == person.id).order_by(col(RoleGrant.created_at).desc())
    held = grants.shown(session, session.exec(given), now=now)
    away = absence.of(session, person.id, now=now)
    shown: dict[str, Any] = {
        "who": person,
        "held": [Role(role) for role in person.roles],
        "grants": held,
        "givers": grants.givers(session, held),
        "doubled": grants.is_doubled([*map(Role, person.roles), *(each.role for each in held if each.state == "now")]),
        "oneself": person.id == actor.person_id,
        "last_sign_in": people.last_sign_in(session, person),
        "sessions": people.open_sessions(session, person, now=now),
        "open_link": people.open_link(session, person, now=now),
        "away": away,
        "deputies": people.names(session, [each.deputy_id for each in away if each.deputy_id]),
        "roles": labels.options(Role),
        "part_roles": labels.options(Role, _IN_A_PART),
        "units": parts.units_of(session, actor),
        "services": parts.all_services(session, actor),
    }
    return render(request, "access/person.html", status=status, **shown, **_told(more))


@router.get("/people")
def everybody(request: Request, session: SessionDep, actor: Administrator) -> HTMLResponse:
    """Everybody, with their roles."""
    return _people_page(request, session, actor)


@router.post("/people")
def add_person(request: Request, session: SessionDep, actor: Administrator, fields: FORM) -> Response:
    """Make a person known."""
    values: dict[str, Any] = {**fields.filled(), "roles": fields.every("roles")}
    try:
        person = service.add_person(session, forms.read(PersonIn, values), actor=actor, now=clock.now())
    except (InvalidInput, EmailTaken) as problem:
        return _people_page(request, session, actor, status=problem.status, values=values, errors=field_errors(problem))
    return redirect(f"/people/{person.ref}")


@router.get("/people/{key}")
def one(request: Request, session: SessionDep, actor: Administrator, key: str) -> HTMLResponse:
    """One person: roles, where they hold, and how they come in."""
    return _person_page(request, session, service.find_person(session, key), actor)


@router.post("/people/{key}/sign-in-links")
def make_link(request: Request, session: SessionDep, actor: Administrator, key: str, fields: FORM) -> HTMLResponse:
    """A one-time link for this person, shown once."""
    person = service.find_person(session, key)
    token, expires = service.make_link(session, person, actor=actor, now=clock.now())
    link = {"url": f"{address(request)}/sign-in?token={token}", "expires": expires}
    return _person_page(request, session, person, actor, link=link)


@router.post("/people/{key}/edits")
def edit(request: Request, session: SessionDep, actor: Administrator, key: str, fields: FORM) -> Response:
    """Other roles in the whole organisation, and the name, language and functions in a crisis."""
    functions = [each.strip() for each in fields.text("functions").split(",") if each.strip()]
    values: dict[str, Any] = {**fields.filled(), "roles": fields.every("roles"), "functions": functions}
    return _changed(request, session, actor, key, values)


@router.post("/people/{key}/closures")
def close(request: Request, session: SessionDep, actor: Administrator, key: str, fields: FORM) -> Response:
    """Let this person in no more: sessions, links and tokens end at once."""
    return _changed(request, session, actor, key, {"active": False})


@router.post("/people/{key}/openings")
def reopen(request: Request, session: SessionDep, actor: Administrator, key: str, fields: FORM) -> Response:
    """Let this person in again, with a new link."""
    return _changed(request, session, actor, key, {"active": True})


def _changed(request: Request, session: Session, actor: Actor, key: str, values: dict[str, Any]) -> Response:
    person = service.find_person(session, key)
    try:
        service.edit_person(session, person, forms.read(PersonPatch, values), actor=actor, now=clock.now())
    except Problem as problem:
        told = {"refused": problem.detail, "errors": field_errors(problem)}
        return _person_page(request, session, person, actor, status=problem.status, **told)
    return redirect(f"/people/{person.ref}")


@router.post("/people/{key}/grants")
def give(request: Request, session: SessionDep, actor: Administrator, key: str, fields: FORM) -> Response:
    """A role in a unit or at a service."""
    person, now = service.find_person(session, key), clock.now()
    values: dict[str, Any] = fields.filled()
    try:
        read = dict(values)
        for name, last in (("since", False), ("until", True)):
            if name in read:
                read[name] = _moment(name, read[name], now, last=last)
        grants.give(session, person, forms.read(GrantIn, read), actor=actor, now=now)
    except (InvalidInput, GrantThere, grants.OwnRights) as problem:
        errors = field_errors(problem) or {"role": pick(problem.detail)}
        return _person_page(request, session, person, actor, status=problem.status, values=values, errors=errors)
    return redirect(f"/people/{person.ref}")


def _moment(name: str, text: str, now: datetime, *, last: bool) -> datetime:
    """The beginning of a day here; of a last day its end. Today begins now."""
    try:
        day = date.fromisoformat(text) + timedelta(days=1 if last else 0)
    except (ValueError, OverflowError) as error:
        raise forms.wrong([FieldError(name, "day", say("Give a day such as 2026-11-23."))]) from error
    found = datetime.combine(day, time(), ZONE)
    return now if not last and day == now.astimezone(ZONE).date() else found


@router.post("/people/{key}/grants/{grant}/revocations")
def revoke(session: SessionDep, actor: Administrator, key: str, grant: str, fields: FORM) -> Response:
    """End a role in a part of the organisation at once."""
    person = service.find_person(session, key)
    grants.revoke(session, person, grant, actor=actor, now=clock.now())
    return redirect(f"/people/{person.ref}")
