"""What is kept of the log beside the chain: time stamps of others on its checkpoints, and when it was verified."""

from datetime import datetime

from sqlmodel import Field, Session, SQLModel, col, select

from app.core.columns import moment


class AuditStamp(SQLModel, table=True):
    """A time stamp (RFC 3161) on a checkpoint's line. Insert only."""

    __tablename__ = "audit_stamp"
    number: int = Field(
        primary_key=True, foreign_key="audit_checkpoint.number", sa_column_kwargs={"autoincrement": False}
    )
    authority: str = Field(max_length=400)
    at: datetime = moment()
    answer: str
    """The authority's TimeStampResp, base64."""


class AuditLook(SQLModel, table=True):
    """One verification of the whole log."""

    __tablename__ = "audit_look"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = moment()
    seq: int
    hash: str = Field(max_length=64)
    broken: str = ""
    """Why it is not what it was; empty where it is unbroken."""


def last_look(session: Session) -> AuditLook | None:
    """The newest verification; None before the first."""
    return session.exec(select(AuditLook).order_by(col(AuditLook.id).desc()).limit(1)).first()


def trouble(session: Session) -> str | None:
    """Why the log is not what it was, by the last verification; None where it is, or none was made yet."""
    last = last_look(session)
    return last.broken or None if last else None
