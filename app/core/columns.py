"""Column types and keys that every table uses: sortable ids, UTC times, words as text, human references."""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, DateTime, Dialect, String, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, Session, SQLModel, select

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, so that migrations can name them on both databases."""
SQLModel.metadata.naming_convention = NAMING


def new_id() -> str:
    """A UUIDv7 (RFC 9562): sorts by the time it was made."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return str(UUID(int=value))


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC on both databases; refuses a naive time, since nobody can tell what it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: as UTC (SQLite keeps no zone)."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: timezone-aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(TypeDecorator[Any]):
    """A StrEnum stored as its value in plain text, so that a new word needs no migration."""

    impl = String(40)
    cache_ok = True

    def __init__(self, kind: type[Any]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To the database: the word; a string that is no word of this kind is refused."""
        return None if value is None else str(self.kind(value).value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """From the database: the enum member."""
        return None if value is None else self.kind(value)


def key() -> Any:
    """Primary key: UUIDv7 as text."""
    return Field(default_factory=new_id, primary_key=True, max_length=36)


def link(target: str, *, optional: bool = False, index: bool = True) -> Any:
    """Foreign key by table and column name (a string, so that a domain need not import the other)."""
    extra: dict[str, Any] = {"default": None} if optional else {}
    return Field(foreign_key=target, max_length=36, index=index, nullable=optional, **extra)


def moment(*, optional: bool = False, index: bool = False) -> Any:
    """A UTC time column."""
    extra: dict[str, Any] = {"default": None} if optional else {}
    return Field(sa_type=UtcTime, nullable=optional, index=index, **extra)


def word(kind: type[Any], *, default: Any = ..., optional: bool = False, index: bool = False) -> Any:
    """A StrEnum column, stored as text."""
    if optional and default is ...:
        default = None
    extra: dict[str, Any] = {} if default is ... else {"default": default}
    return Field(sa_type=Word(kind), nullable=optional, index=index, **extra)


def document(default_factory: Any = dict) -> Any:
    """A JSON column; assign a new value to change it, changes inside are not noticed."""
    return Field(default_factory=default_factory, sa_type=JSON, nullable=False)


class ReferenceCounter(SQLModel, table=True):
    """The last number given out per prefix of human references (``SVC`` → 12)."""

    __tablename__ = "reference_counter"
    prefix: str = Field(primary_key=True, max_length=16)
    last: int = 0


ANY_OTHER = "*"
"""Prefix of the row that tells where a kind begins which has no number yet; there is none before the first restore."""
AHEAD = 1_000
"""Least jump of the numbers at a restore."""


def jump_ahead(session: Session, *, taken_at: datetime, now: datetime) -> int:
    """Let every kind go on at numbers that nothing else was ever called, after a restore; by how much they jumped.

    What the lost life made after the backup is not known here, and its references stand in mail and on paper. None of
    them gives more than a number a second over the time since the backup, so the numbers jump by those seconds: so
    those of two lives out of the same backup do not meet either. A clock that stands before the backup is evidently
    wrong: then it is the largest step.
    """
    passed = int((now - taken_at).total_seconds())
    step = passed + AHEAD if passed >= 0 else 1_000 * AHEAD
    if session.get(ReferenceCounter, ANY_OTHER) is None:
        session.add(ReferenceCounter(prefix=ANY_OTHER))
        session.flush()
    for counter in session.exec(select(ReferenceCounter)).all():
        counter.last += step
        session.add(counter)
    session.flush()
    return step


def hold_counter(session: Session, prefix: str) -> ReferenceCounter:
    """The counter of a kind, its row held until the commit: one writer of the kind at a time."""
    counter = session.get(ReferenceCounter, prefix, with_for_update=True, populate_existing=True)
    if counter is not None:
        return counter
    others = session.get(ReferenceCounter, ANY_OTHER)
    last = others.last if others is not None else 0
    with suppress(IntegrityError), session.begin_nested():  # another may make the first one at this very moment
        session.execute(insert(ReferenceCounter).values(prefix=prefix, last=last))
    return session.get_one(ReferenceCounter, prefix, with_for_update=True, populate_existing=True)


def next_ref(session: Session, prefix: str, *, width: int = 3) -> str:
    """The next human reference with `prefix`, e.g. ``SVC-012``; unique because the row is locked until the commit."""
    counter = hold_counter(session, prefix)
    counter.last += 1
    session.add(counter)
    session.flush()
    return f"{prefix}-{counter.last:0{width}d}"
