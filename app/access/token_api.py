"""JSON routes of machine tokens, machine clients, and roles in parts of the organisation."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from sqlmodel import col, select

from app.access import clients, grants, tokens
from app.access.guard import allowed
from app.access.models import Person
from app.access.rules import Action, Actor, Role
from app.access.service import find_person
from app.access.token_models import (
    GrantIn,
    GrantOut,
    MachineClientIn,
    MachineToken,
    MachineTokenIn,
    MachineTokenOut,
    NewMachineTokenOut,
    RoleGrant,
)
from app.core import clock
from app.core.db import SessionDep
from app.core.listing import ListQuery, Page, link_header, paged
from app.core.routers import api_router

router = api_router(tag="access")
Administrator = Annotated[Actor, Depends(allowed(Action.ADMINISTER))]
ADMINISTER = [Depends(allowed(Action.ADMINISTER))]
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]
"""Any person; no machine."""
_SORTABLE: dict[str, Any] = {
    "createdAt": col(MachineToken.created_at),
    "name": col(MachineToken.name),
    "expiresAt": col(MachineToken.expires_at),
    "lastUsedAt": col(MachineToken.last_used_at),
}


class TokenQuery(ListQuery):
    """Filters of the list of machine tokens."""

    revoked: bool | None = None


class GrantQuery(ListQuery):
    """Filters of the list of grants."""

    role: Role | None = None
    unit: str | None = None
    revoked: bool | None = None


@router.get("/machine-tokens", operation_id="listMachineTokens", summary="List machine tokens and clients")
def list_tokens(
    request: Request, response: Response, session: SessionDep, actor: Anybody, query: Annotated[TokenQuery, Query()]
) -> Page[MachineTokenOut]:
    """Your own, newest first, and everybody's for an administrator; secrets are never shown again."""
    rows, total = listed(session, query, actor)
    link_header(request, response, query, total)
    items = tokens.shown(session, rows, now=clock.now())
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


def listed(session: SessionDep, query: TokenQuery, actor: Actor) -> tuple[list[MachineToken], int]:
    """One page of the tokens that `actor` may see, and how many there are."""
    wanted: Any = select(MachineToken)
    if not tokens.may_end(actor):
        wanted = wanted.where(MachineToken.created_by == actor.person_id)
    if query.revoked is not None:
        ended = col(MachineToken.revoked_at).is_not(None)
        wanted = wanted.where(ended if query.revoked else ~ended)
    searched = [col(MachineToken.name), col(MachineToken.prefix), col(MachineToken.client_id)]
    return paged(
        session, wanted, query, sortable=_SORTABLE, searched=searched, default="-createdAt", tie=col(MachineToken.id)
    )


@router.post("/machine-tokens", status_code=201, operation_id="addMachineToken", summary="Make a machine token")
def add_token(session: SessionDep, actor: Anybody, given: MachineTokenIn) -> NewMachineTokenOut:
    """A token for a program, for at most 90 days: some of what you may do, in some of where you may do it.

    It can never review, approve, accept a risk, or give rights; and it ends when you are no longer active here.
    """
    now = clock.now()
    row, secret = tokens.make(session, given, actor=actor, now=now)
    (shown,) = tokens.shown(session, [row], now=now)
    return NewMachineTokenOut(**shown.model_dump(), token=secret)


@router.post("/machine-clients", status_code=201, operation_id="addMachineClient", summary="Register a machine client")
def add_client(request: Request, session: SessionDep, actor: Anybody, given: MachineClientIn) -> MachineTokenOut:
    """A program that the sign-in provider knows by a key of its own: it sends access tokens of the provider.

    It is listed and revoked with the machine tokens, and bounded as they are.
    """
    now = clock.now()
    row = clients.register(session, given, request.app.state.settings, actor=actor, now=now)
    (shown,) = tokens.shown(session, [row], now=now)
    return shown


@router.post(
    "/machine-tokens/{key}/revocations",
    status_code=201,
    operation_id="revokeMachineToken",
    summary="Revoke a machine token or client",
)
def revoke_token(session: SessionDep, actor: Anybody, key: str) -> MachineTokenOut:
    """End one of your own at once; an administrator ends anybody's."""
    now = clock.now()
    row = tokens.revoke(session, tokens.find(session, key, actor=actor), actor=actor, now=now)
    (shown,) = tokens.shown(session, [row], now=now)
    return shown


@router.get(
    "/grants", operation_id="listGrants", summary="List roles in parts of the organisation", dependencies=ADMINISTER
)
def list_grants(
    request: Request, response: Response, session: SessionDep, query: Annotated[GrantQuery, Query()]
) -> Page[GrantOut]:
    """Who has which role in which unit or at which service, newest first; those that ended included."""
    return _grants(request, response, session, query, select(RoleGrant).where(col(RoleGrant.person_id).is_not(None)))


@router.get(
    "/people/{key}/grants",
    operation_id="listGrantsOfPerson",
    summary="A person's roles in parts",
    dependencies=ADMINISTER,
)
def list_of_person(
    request: Request, response: Response, session: SessionDep, key: str, query: Annotated[GrantQuery, Query()]
) -> Page[GrantOut]:
    """The roles of this person in units and at services, newest first; those that ended included."""
    person = find_person(session, key)
    return _grants(request, response, session, query, select(RoleGrant).where(RoleGrant.person_id == person.id))


def _grants(
    request: Request, response: Response, session: SessionDep, query: GrantQuery, wanted: Any
) -> Page[GrantOut]:
    if query.role is not None:
        wanted = wanted.where(RoleGrant.role == query.role)
    if query.unit is not None:
        wanted = wanted.where(RoleGrant.unit == query.unit)
    if query.revoked is not None:
        ended = col(RoleGrant.revoked_at).is_not(None)
        wanted = wanted.where(ended if query.revoked else ~ended)
    if query.q:
        wanted = wanted.join(Person, col(Person.id) == col(RoleGrant.person_id))
    sortable = {"createdAt": col(RoleGrant.created_at), "since": col(RoleGrant.since), "until": col(RoleGrant.until)}
    searched = [col(RoleGrant.unit), col(Person.name)]
    rows, total = paged(
        session, wanted, query, sortable=sortable, searched=searched, default="-createdAt", tie=col(RoleGrant.id)
    )
    link_header(request, response, query, total)
    items = grants.shown(session, rows, now=clock.now())
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.post("/people/{key}/grants", status_code=201, operation_id="giveGrant", summary="Give a role in a part")
def give(session: SessionDep, actor: Administrator, key: str, given: GrantIn) -> GrantOut:
    """A role in a unit or at a service, for somebody else than yourself."""
    now = clock.now()
    row = grants.give(session, find_person(session, key), given, actor=actor, now=now)
    (shown,) = grants.shown(session, [row], now=now)
    return shown


@router.post(
    "/people/{key}/grants/{grant}/revocations",
    status_code=201,
    operation_id="revokeGrant",
    summary="End a role in a part",
)
def revoke(session: SessionDep, actor: Administrator, key: str, grant: str) -> GrantOut:
    """End it at once; it stays listed with its end."""
    now = clock.now()
    row = grants.revoke(session, find_person(session, key), grant, actor=actor, now=now)
    (shown,) = grants.shown(session, [row], now=now)
    return shown
