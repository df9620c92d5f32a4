"""JSON routes of people, sign-in links and sessions."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from app.access import people, service
from app.access.guard import allowed, public
from app.access.models import (
    PartRole,
    PersonIn,
    PersonOut,
    PersonPatch,
    SessionIn,
    SessionKind,
    SessionOut,
    SignInLinkOut,
    WhoOut,
)
from app.access.people import PeopleQuery
from app.access.rules import Action, Actor, Role
from app.core import clock, limits
from app.core.db import SessionDep
from app.core.edits import IfMatch, require_match, show_etag
from app.core.listing import Page, link_header
from app.core.routers import api_router
from app.core.settings import Settings

router = api_router(tag="access")
Administrator = Annotated[Actor, Depends(allowed(Action.ADMINISTER))]
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]


def address(request: Request) -> str:
    """The address at which this caller reaches the service."""
    settings: Settings = request.app.state.settings
    return (settings.base_url or str(request.base_url)).rstrip("/")


@router.get("/people", operation_id="listPeople", summary="List people")
def list_people(
    request: Request,
    response: Response,
    session: SessionDep,
    actor: Reader,
    query: Annotated[PeopleQuery, Query()],
) -> Page[PersonOut]:
    """People, by name. E-mail addresses and roles are shown to administrators only, and to each of themselves."""
    rows, total = people.listed(session, query, actor)
    link_header(request, response, query, total)
    return Page(items=[people.out(row, actor) for row in rows], total=total, page=query.page, page_size=query.page_size)


@router.post("/people", status_code=201, operation_id="addPerson", summary="Add a person")
def add_person(response: Response, session: SessionDep, actor: Administrator, given: PersonIn) -> PersonOut:
    """Make a person known."""
    person = service.add_person(session, given, actor=actor, now=clock.now())
    response.headers["Location"] = f"/api/v1/people/{person.id}"
    return people.out(person, actor)


@router.get("/people/{key}", operation_id="getPerson", summary="Read a person")
def get_person(response: Response, session: SessionDep, actor: Reader, key: str) -> PersonOut:
    """One person by id or reference; for administrators also by e-mail address."""
    person = people.find(session, key, actor)
    show_etag(response, person)
    return people.out(person, actor)


@router.patch("/people/{key}", operation_id="editPerson", summary="Edit a person")
def edit_person(
    response: Response,
    session: SessionDep,
    actor: Administrator,
    key: str,
    patch: PersonPatch,
    if_match: IfMatch = None,
) -> PersonOut:
    """Change what was sent."""
    person = service.find_person(session, key)
    require_match(if_match, person)
    service.edit_person(session, person, patch, actor=actor, now=clock.now())
    show_etag(response, person)
    return people.out(person, actor)


@router.post("/people/{key}/sign-in-links", status_code=201, operation_id="makeSignInLink", summary="One-time link")
def make_link(request: Request, session: SessionDep, actor: Administrator, key: str) -> SignInLinkOut:
    """A link that signs this person in once, within 30 minutes."""
    person = service.find_person(session, key)
    token, expires = service.make_link(session, person, actor=actor, now=clock.now())
    return SignInLinkOut(token=token, url=f"{address(request)}/sign-in?token={token}", expires_at=expires)


@router.post(
    "/sessions",
    status_code=201,
    operation_id="startSession",
    summary="Exchange a one-time sign-in token for a bearer token",
    dependencies=[Depends(public)],
)
def start_session(request: Request, session: SessionDep, given: SessionIn) -> SessionOut:
    """A short personal bearer token."""
    limits.take(request)
    hours = request.app.state.settings.session_hours
    token, row, person = service.redeem(session, given.sign_in_token, SessionKind.BEARER, hours=hours, now=clock.now())
    limits.succeeded(request)
    return SessionOut(token=token, expires_at=row.expires_at, person=people.out(person, service.as_actor(person)))


@router.get("/sessions/current", operation_id="getCurrentSession", summary="Who am I")
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


@router.delete("/sessions/current", status_code=204, operation_id="endCurrentSession", summary="Sign out")
def end_session(request: Request, session: SessionDep, actor: Anybody) -> None:
    """End the session of the bearer token that was sent."""
    service.end_session(session, request.state.token, now=clock.now())
