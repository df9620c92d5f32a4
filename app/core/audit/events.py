"""Events of the audit log, and the one way to write them."""

from contextvars import ContextVar
from datetime import datetime
from typing import Any

from sqlmodel import Field, Session, SQLModel

from app.core import clock
from app.core.audit import private
from app.core.columns import document, moment

DONE, REFUSED, FAILED = "done", "refused", "failed"
ORIGIN: ContextVar[str] = ContextVar("origin", default="system")
"""Where what happens now comes from: the client's address, ``command-line:USER``, or this process itself."""
WAITING = "audit"
"""In `Session.info`: the events of a transaction that have no place in the chain yet."""


class AuditEvent(SQLModel, table=True):
    """Who did what, to what, with which result, from where, when. Insert only."""

    __tablename__ = "audit_event"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = moment(index=True)
    actor: str = Field(max_length=80, index=True)
    """``person:ID``, ``machine:ID``, ``system`` or ``nobody``: never a name."""
    action: str = Field(max_length=80)
    """A verb in the past tense with its domain: ``plan.approved``; of a refusal the permission that was asked for."""
    object_kind: str = Field(max_length=40)
    object_id: str = Field(max_length=80, index=True)
    result: str = Field(default=DONE, max_length=20)
    origin: str = Field(default="", max_length=80)
    detail: dict[str, Any] = document()
    """What else is worth knowing; instead of text that may name people it holds a commitment to it."""


def record(session: Session, actor: str, action: str, object_kind: str, object_id: str, **detail: Any) -> None:
    """Write one audit row in this transaction; `detail` must be JSON and must not hold secrets."""
    attempt(session, DONE, actor, action, object_kind, object_id, detail)


def attempt(
    session: Session, result: str, actor: str, action: str, object_kind: str, object_id: str, detail: dict[str, Any]
) -> None:
    """Write one audit row of something that may have been refused, or have failed."""
    plain, kept = private.split(detail)
    event = AuditEvent(
        at=clock.now(),
        actor=actor,
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        result=result,
        origin=ORIGIN.get()[:80],
        detail=plain,
    )
    session.add(event)
    session.info.setdefault(WAITING, []).append((event, kept))


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """What differs, as ``{field: [old, new]}``, in JSON values: the usual detail of an edit."""
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
