"""JSON routes of one's own absence and messages, and of the outbox for the administrator."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response
from sqlmodel import Session, col, select

from app.access import absence
from app.access.guard import allowed
from app.access.message_shapes import AbsenceIn, AbsenceOut, MessageOut, OutboxOut, OutboxQuery
from app.access.rules import Action, Actor
from app.core import audit, clock, outbox
from app.core.db import SessionDep
from app.core.errors import not_found
from app.core.listing import Page, link_header, paged
from app.core.outbox import OutboxMessage
from app.core.routers import api_router

router = api_router(tag="access")
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]
Administrator = Annotated[Actor, Depends(allowed(Action.ADMINISTER))]
Key = Annotated[str, Path(max_length=64)]


@router.get("/person-absences", operation_id="listOwnAbsences", summary="List own absences")
def absences(session: SessionDep, actor: Anybody) -> list[AbsenceOut]:
    """When the asking person is away, from now on."""
    rows = absence.of(session, actor.person_id or "", now=clock.now())
    return [AbsenceOut.model_validate(row.model_dump()) for row in rows]


@router.post("/person-absences", operation_id="tellAbsence", status_code=201, summary="Tell an absence")
def tell_absence(session: SessionDep, actor: Anybody, data: AbsenceIn) -> AbsenceOut:
    """Say when the asking person is away, and who stands in: an approver, who fills their seat for these days."""
    given = {"starts_on": data.starts_on, "ends_on": data.ends_on}
    row = absence.name(session, actor, **given, deputy=data.deputy, now=clock.now())
    return AbsenceOut.model_validate(row.model_dump())


@router.post("/person-absences/{id}/withdrawals", operation_id="withdrawAbsence", status_code=201)
def withdraw_absence(session: SessionDep, actor: Anybody, id: Key) -> AbsenceOut:
    """Take an own absence back: the deputy counts no more."""
    row = absence.withdraw(session, id, actor, now=clock.now())
    return AbsenceOut.model_validate(row.model_dump())


@router.get("/messages", operation_id="listOwnMessages", summary="List own messages")
def messages(session: SessionDep, actor: Anybody, unseen: bool = True) -> list[MessageOut]:
    """What the asking person was told, the newest first; at most a hundred."""
    rows = outbox.for_person(session, actor.person_id or "", now=clock.now(), unseen=unseen)
    return [message_out(row) for row in rows]


def message_out(row: OutboxMessage) -> MessageOut:
    """A message as whom it is for sees it."""
    return MessageOut.model_validate({name: getattr(row, name) for name in MessageOut.model_fields})


@router.post("/outbox-messages/{id}/readings", operation_id="readMessage", status_code=201, summary="Note as read")
def read(session: SessionDep, actor: Anybody, id: Key) -> MessageOut:
    """Note that the asking person read a message of theirs."""
    row = outbox.see(session, id, actor.person_id or "", now=clock.now())
    if row is None:
        raise not_found("message", id)
    return message_out(row)


@router.get("/outbox-messages", operation_id="listOutbox", summary="List the outbox")
def listed(
    session: SessionDep,
    _actor: Administrator,
    request: Request,
    response: Response,
    query: Annotated[OutboxQuery, Query()],
) -> Page[OutboxOut]:
    """How far each message is on its way, the newest first."""
    rows, total = page_of(session, query)
    link_header(request, response, query, total)
    items = [OutboxOut.model_validate({name: getattr(row, name) for name in OutboxOut.model_fields}) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


def page_of(session: Session, query: OutboxQuery) -> tuple[list[OutboxMessage], int]:
    """One page of the outbox, and how many there are."""
    wanted = select(OutboxMessage)
    for name, value in query.filters().items():
        wanted = wanted.where(getattr(OutboxMessage, name) == value)
    sortable = {"createdAt": col(OutboxMessage.created_at), "state": col(OutboxMessage.state)}
    searched = [col(OutboxMessage.subject), col(OutboxMessage.error)]
    return paged(
        session, wanted, query, sortable=sortable, searched=searched, default="-createdAt", tie=col(OutboxMessage.id)
    )


@router.post("/outbox-messages/{id}/retries", operation_id="retryMessage", status_code=201, summary="Send again")
def retry(session: SessionDep, actor: Administrator, id: Key) -> OutboxOut:
    """Try a message again that could not be delivered."""
    row = sent_again(session, id, actor)
    return OutboxOut.model_validate({name: getattr(row, name) for name in OutboxOut.model_fields})


def sent_again(session: Session, id: str, actor: Actor) -> OutboxMessage:
    """Try it again, told in the audit log. Raises NotFound."""
    row = outbox.again(session, id, now=clock.now())
    if row is None:
        raise not_found("message", id)
    audit.record(session, actor.ref, "outbox.sent-again", "outbox-message", row.id)
    return row
