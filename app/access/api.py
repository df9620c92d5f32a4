"""JSON routes of people, sign-in links, sessions and machine tokens."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from sqlmodel import col, select

from app.access import service
from app.access.guard import allowed, public
from app.access.models import (
    MachineToken,
    MachineTokenIn,
    MachineTokenOut,
    NewMachineTokenOut,
    Person,
    PersonIn,
    PersonOut,
    PersonPatch,
    SessionIn,
    SessionKind,
    SessionOut,
    SignInLinkOut,
    WhoOut,
    machine_token_out,
    person_out,
)
from app.access.rules import Action, Actor, Role
from app.core import clock, limits
from app.core.db import SessionDep
from app.core.edits import IfMatch, require_match, show_etag
from app.core.listing import ListQuery, Page, link_header, paged
from app.core.routers import api_router
from app.core.settings import Settings

router = api_router(tag="access")
Administrator = Annotated[Actor, Depends(allowed(Action.ADMINISTER))]
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]


class PeopleQuery(ListQuery):
    """Filters of the list of people."""

    active: bool | None = None


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
    """People, by name."""
    wanted = select(Person)
    if query.active is not None:
        wanted = wanted.where(col(Person.active) == query.active)
    rows, total = paged(
        session,
        wanted,
        query,
        sortable={"name": col(Person.name), "ref": col(Person.ref)},
        searched=[col(Person.name), col(Person.email)],
        default="name",
        tie=col(Person.id),
    )
    link_header(request, response, query, total)
    return Page(items=[person_out(row) for row in rows], total=total, page=query.page, page_size=query.page_size)


@router.post("/people", status_code=201, operation_id="addPerson", summary="Add a person")
def add_person(response: Response, session: SessionDep, actor: Administrator, given: PersonIn) -> PersonOut:
    """Make a person known."""
    person = service.add_person(session, given, actor=actor, now=clock.now())
    response.headers["Location"] = f"/api/v1/people/{person.id}"
    return person_out(person)


@router.get("/people/{key}", operation_id="getPerson", summary="Read a person")
def get_person(response: Response, session: SessionDep, actor: Reader, key: str) -> PersonOut:
    """One person by id, reference or e-mail address."""
    person = service.find_person(session, key)
    show_etag(response, person)
    return person_out(person)


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
    return person_out(person)


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
    return SessionOut(token=token, expires_at=row.expires_at, person=person_out(person))


@router.get("/sessions/current", operation_id="getCurrentSession", summary="Who am I")
def who(actor: Anybody) -> WhoOut:
    """Whoever the token stands for."""
    return WhoOut(kind=actor.kind, id=actor.id, name=actor.name, roles=sorted(actor.roles, key=list(Role).index))


@router.delete("/sessions/current", status_code=204, operation_id="endCurrentSession", summary="Sign out")
def end_session(request: Request, session: SessionDep, actor: Anybody) -> None:
    """End the session of the bearer token that was sent."""
    service.end_session(session, request.state.token, now=clock.now())


@router.get("/machine-tokens", operation_id="listMachineTokens", summary="List machine tokens")
def list_tokens(
    request: Request,
    response: Response,
    session: SessionDep,
    actor: Administrator,
    query: Annotated[ListQuery, Query()],
) -> Page[MachineTokenOut]:
    """Machine tokens, newest first; secrets are never shown again."""
    sortable: dict[str, Any] = {"createdAt": col(MachineToken.created_at), "name": col(MachineToken.name)}
    rows, total = paged(
        session,
        select(MachineToken),
        query,
        sortable=sortable,
        searched=[col(MachineToken.name)],
        default="-createdAt",
        tie=col(MachineToken.id),
    )
    link_header(request, response, query, total)
    items = [MachineTokenOut.model_validate(row) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.post("/machine-tokens", status_code=201, operation_id="addMachineToken", summary="Make a machine token")
def add_token(session: SessionDep, actor: Administrator, given: MachineTokenIn) -> NewMachineTokenOut:
    """A token for a program; it can never review, approve or accept."""
    row, secret = service.add_machine_token(session, given, actor=actor, now=clock.now())
    return NewMachineTokenOut(**machine_token_out(row, token=secret))


@router.post(
    "/machine-tokens/{key}/revocations",
    status_code=201,
    operation_id="revokeMachineToken",
    summary="Revoke a machine token",
)
def revoke_token(session: SessionDep, actor: Administrator, key: str) -> MachineTokenOut:
    """End a token at once."""
    row = service.revoke_machine_token(session, key, actor=actor, now=clock.now())
    return MachineTokenOut.model_validate(row)
