"""The blackout calendar: times in which no drill is started, for one service or for all."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, or_, select

from app.access import reach
from app.access.rules import Actor
from app.catalog import service as catalog
from app.catalog.models import Service
from app.core import audit
from app.core.columns import next_ref
from app.core.edits import require_match
from app.core.errors import FieldError, InvalidInput, NotFound
from app.core.listing import paged
from app.core.messages import say
from app.drills.models import Blackout
from app.drills.shapes import BlackoutIn, BlackoutPatch, BlackoutQuery


def find(session: Session, key: str) -> Blackout:
    """The blackout with this id or reference. Raises NotFound."""
    return reach.find(session, Blackout, key, "blackout")


def covering(session: Session, due: datetime, service_id: str | None) -> Blackout | None:
    """A blackout in which a moment of this service lies; its end does not belong to it."""
    statement = select(Blackout).where(
        col(Blackout.archived_at).is_(None),
        col(Blackout.starts_at) <= due,
        col(Blackout.ends_at) > due,
        or_(col(Blackout.service_id).is_(None), col(Blackout.service_id) == service_id),
    )
    return session.exec(statement.order_by(col(Blackout.starts_at))).first()


def add(session: Session, data: BlackoutIn, actor: Actor, *, now: datetime) -> Blackout:
    """A new blackout. Raises InvalidInput where it ends before it starts, or its service is unknown."""
    _check_order(data.starts_at, data.ends_at)
    service_id = None
    if data.service_id is not None:
        try:
            service_id = catalog.find(session, Service, data.service_id).id
        except NotFound as error:
            reason = say("There is no service '{key}'. Check the reference.", key=data.service_id)
            raise InvalidInput(reason, errors=[FieldError("serviceId", "not-found", reason)]) from error
    row = Blackout(
        ref=next_ref(session, "BLK"),
        name=data.name,
        starts_at=data.starts_at,
        ends_at=data.ends_at,
        service_id=service_id,
        reason=data.reason,
        created_at=now,
    )
    session.add(row)
    audit.record(session, actor.ref, "blackout.created", "blackout", row.id, ref=row.ref)
    return row


def _check_order(starts_at: datetime, ends_at: datetime) -> None:
    if ends_at <= starts_at:
        reason = say("The end lies not after the start. Swap them.")
        raise InvalidInput(reason, errors=[FieldError("endsAt", "end-before-start", reason)])


def edit(session: Session, key: str, patch: BlackoutPatch, actor: Actor, *, if_match: str | None) -> Blackout:
    """Change a blackout; moments that have come are not judged again."""
    row = find(session, key)
    require_match(if_match, row)
    sent: dict[str, Any] = {name: value for name, value in patch.sent().items() if value is not None}
    _check_order(sent.get("starts_at", row.starts_at), sent.get("ends_at", row.ends_at))
    for name, value in sent.items():
        setattr(row, name, value)
    row.revision += 1
    session.add(row)
    audit.record(session, actor.ref, "blackout.edited", "blackout", row.id, fields=sorted(sent))
    return row


def archive(session: Session, key: str, actor: Actor, *, reason: str, now: datetime) -> Blackout:
    """Lift a blackout; it stays in the record."""
    row = find(session, key)
    row.archived_at = row.archived_at or now
    row.revision += 1
    session.add(row)
    audit.record(session, actor.ref, "blackout.archived", "blackout", row.id, reason=reason)
    return row


def listed(session: Session, query: BlackoutQuery) -> tuple[list[Blackout], int]:
    """A page of the calendar, the first to come first."""
    archived = col(Blackout.archived_at)
    conditions: list[Any] = [archived.is_not(None) if query.archived else archived.is_(None)]
    if query.service_id:
        conditions.append(col(Blackout.service_id) == catalog.find(session, Service, query.service_id).id)
    return paged(
        session,
        select(Blackout).where(*conditions),
        query,
        sortable={
            "startsAt": col(Blackout.starts_at),
            "endsAt": col(Blackout.ends_at),
            "name": col(Blackout.name),
            "ref": col(Blackout.ref),
        },
        searched=[col(Blackout.name), col(Blackout.reason), col(Blackout.ref)],
        default="startsAt",
        tie=col(Blackout.id),
    )
