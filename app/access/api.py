"""JSON routes of people, sign-in links and sessions."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from app.access import account_api, people, service, session_api
from app.access.guard import allowed
from app.access.models import (
    PersonIn,
    PersonOut,
    PersonPatch,
    SignInLinkOut,
)
from app.access.people import PeopleQuery
from app.access.rules import Action, Actor
from app.core import clock
from app.core.db import SessionDep
from app.core.edits import IfMatch, require_match, show_etag
from app.core.listing import Page, link_header
from app.core.routers import add, api_router
from app.core.settings import Settings

router = api_router(tag="access")
Administrator = Annotated[Actor, Depends(allowed(Action.ADMINISTER))]
Reader = Annotated[Actor, Depends(allowed(Action.READ))]


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


add(router, session_api.router)
add(router, account_api.router)
