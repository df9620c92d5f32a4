"""The audit log: a row for every change, written in the transaction of the change and never changed again."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, Session, SQLModel

from app.core import clock
from app.core.columns import document, moment


class AuditEvent(SQLModel, table=True):
    """Who did what, to what, with which result, from where, when. Insert only."""

    __tablename__ = "audit_event"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = moment(index=True)
    actor: str = Field(max_length=80, index=True)
    """``person:ID``, ``machine:ID`` or ``system``."""
    action: str = Field(max_length=80)
    """A verb in the past tense with its domain: ``plan.approved``."""
    object_kind: str = Field(max_length=40)
    object_id: str = Field(max_length=80, index=True)
    result: str = Field(default="done", max_length=20)
    origin: str = Field(default="", max_length=80)
    detail: dict[str, Any] = document()


def record(session: Session, actor: str, action: str, object_kind: str, object_id: str, **detail: Any) -> None:
    """Write one audit row in this transaction; `detail` must be JSON and must not hold secrets."""
    session.add(
        AuditEvent(
            at=clock.now(),
            actor=actor,
            action=action,
            object_kind=object_kind,
            object_id=object_id,
            origin=str(session.info.get("origin", "")),
            detail=detail,
        )
    )


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """What differs, as ``{field: [old, new]}``, in JSON values: the usual detail of an edit."""
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
