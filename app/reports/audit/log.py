"""Reads the audit log for somebody: by time, who, action, object and result, and no further than they may see."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_
from sqlalchemy import select as plain_select
from sqlmodel import Session, SQLModel, col, select

from app.access import reach
from app.access.models import Person
from app.access.rules import Action, Actor, Sight, sight
from app.access.token_models import MachineToken
from app.core import audit
from app.core.audit import AuditEvent, AuditLink, chain
from app.core.audit.outside import AuditStamp, last_look
from app.core.listing import paged
from app.reports.audit.shapes import AuditEventOut, AuditHeadOut, AuditQuery, CheckpointOut, ObjectOut

TABLES = {"playbook": "playbook_version"}
"""Tables of kinds that are not called as their table is."""
SORTABLE = {"seq": col(AuditLink.seq), "at": col(AuditEvent.at)}
_NOTHING = Sight(frozenset(), frozenset())
"""What is within this sight is the whole organisation's: its log is not for an auditor of a part."""
_ACTORS: tuple[tuple[str, Any], ...] = (("person", Person), ("machine", MachineToken))
Rows = Sequence[tuple[AuditEvent, AuditLink]]


def listed(session: Session, query: AuditQuery, actor: Actor) -> tuple[list[AuditEventOut], int]:
    """One page of the events that `actor` may see, the newest first; and how many there are."""
    wanted = select(AuditLink).join(AuditEvent, col(AuditEvent.id) == AuditLink.event_id)
    wanted = wanted.where(*_conditions(session, query), *_seen(session, actor))
    searched = [col(AuditEvent.action), col(AuditEvent.object_id), col(AuditEvent.actor), col(AuditEvent.origin)]
    links, total = paged(
        session, wanted, query, sortable=SORTABLE, searched=searched, default="-seq", tie=col(AuditLink.seq)
    )
    events = {row.id: row for row in session.exec(
        select(AuditEvent).where(col(AuditEvent.id).in_([each.event_id for each in links]))
    )}  # fmt: skip
    return shown(session, [(events[each.event_id], each) for each in links]), total


def sees_all(actor: Actor) -> bool:
    """Whether `actor` may read the audit log of the whole organisation."""
    return sight(actor, Action.READ_AUDIT) is None


def _seen(session: Session, actor: Actor) -> list[ColumnElement[bool]]:
    """The condition that an event is about something within the actor's sight; none where that is everything."""
    seen = sight(actor, Action.READ_AUDIT)
    if seen is None:
        return []
    kinds = session.exec(select(AuditEvent.object_kind).distinct()).all()
    return [or_(false(), *(each for kind in kinds if (each := _within(kind, seen)) is not None))]


def _within(kind: str, seen: Sight) -> ColumnElement[bool] | None:
    table = _table(kind)
    if table is None or not reach.is_placed(table):
        return None
    about = col(AuditEvent.object_id)
    theirs, everybodys = reach.ids_within(table, seen), reach.ids_within(table, _NOTHING)
    return and_(col(AuditEvent.object_kind) == kind, about.in_(theirs), about.not_in(everybodys))


def _table(kind: str) -> Any:
    return SQLModel.metadata.tables.get(TABLES.get(kind, kind.replace("-", "_")))


def _conditions(session: Session, query: AuditQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.who:
        found.append(col(AuditEvent.actor).in_(_actors(session, query.who)))
    if query.action:
        found.append(col(AuditEvent.action).startswith(query.action, autoescape=True))
    if query.kind:
        found.append(col(AuditEvent.object_kind) == query.kind)
    if query.object:
        found.append(col(AuditEvent.object_id).in_(_ids(session, query.object, query.kind)))
    if query.result:
        found.append(col(AuditEvent.result) == query.result)
    if query.since:
        found.append(col(AuditEvent.at) >= query.since)
    if query.until:
        found.append(col(AuditEvent.at) < query.until)
    return found


def _actors(session: Session, who: str) -> list[str]:
    """The actors whom this may mean."""
    found = [who]
    for kind, table in _ACTORS:
        by = [col(table.id) == who, col(table.name).icontains(who, autoescape=True)]
        if table is Person:
            by.append(col(Person.ref) == who.upper())
        found += [f"{kind}:{key}" for key in session.exec(select(table.id).where(or_(*by)))]
    return found


def _ids(session: Session, key: str, kind: str | None) -> list[str]:
    """The ids that this key may mean, of a kind or of any."""
    tables = [_table(kind)] if kind else SQLModel.metadata.sorted_tables
    found = [key]
    for table in tables:
        if table is not None and "ref" in table.c and "id" in table.c:
            found += session.execute(plain_select(table.c.id).where(table.c.ref == key.upper())).scalars()
    return found


def shown(session: Session, rows: Rows) -> list[AuditEventOut]:
    """Events as people and programs see them."""
    details = audit.shown(session, [event for event, _ in rows])
    names = _names(session, {event.actor for event, _ in rows})
    refs = _refs(session, {(event.object_kind, event.object_id) for event, _ in rows})
    return [
        AuditEventOut(
            seq=link.seq,
            at=event.at,
            actor=event.actor,
            actor_name=names.get(event.actor, ""),
            action=event.action,
            object=ObjectOut(
                kind=event.object_kind,
                id=event.object_id,
                ref=refs.get((event.object_kind, event.object_id), event.object_id),
            ),
            result=event.result,
            origin=event.origin,
            detail=details[event.id or 0],
            hash=link.hash,
        )
        for event, link in rows
    ]


def _names(session: Session, actors: Iterable[str]) -> dict[str, str]:
    found = {"system": "Wissel"}
    for kind, table in _ACTORS:
        ids = [each.partition(":")[2] for each in actors if each.startswith(f"{kind}:")]
        found |= {f"{kind}:{row.id}": row.name for row in session.exec(select(table).where(col(table.id).in_(ids)))}
    return found


def _refs(session: Session, objects: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for kind in {each[0] for each in objects}:
        table = _table(kind)
        if table is not None and "ref" in table.c and "id" in table.c:
            ids = [key for each, key in objects if each == kind]
            rows = session.execute(plain_select(table.c.id, table.c.ref).where(table.c.id.in_(ids)))
            found |= {(kind, row.id): row.ref for row in rows}
    return found


def checkpoint_out(row: audit.AuditCheckpoint, stamps: dict[int, str]) -> CheckpointOut:
    """A checkpoint as JSON."""
    plain = {name: getattr(row, name) for name in CheckpointOut.model_fields if name != "stamped_by"}
    return CheckpointOut(**plain, stamped_by=stamps.get(row.number))


def stamps(session: Session, numbers: Sequence[int]) -> dict[int, str]:
    """Who stamped these checkpoints."""
    wanted = select(AuditStamp.number, AuditStamp.authority).where(col(AuditStamp.number).in_(numbers))
    return dict(session.exec(wanted).all())


def head(session: Session) -> AuditHeadOut:
    """The end of the log."""
    found, look, last = chain.head(session), last_look(session), chain.last_checkpoint(session)
    return AuditHeadOut(
        chain=chain.name(session) if found.seq else "",
        head=str(found),
        seq=found.seq,
        hash=found.hash,
        checkpoint=checkpoint_out(last, stamps(session, [last.number])) if last else None,
        verified_at=look.at if look else None,
        verified_seq=look.seq if look else None,
        broken=look.broken or None if look else None,
    )
