"""Versions of playbooks: immutable texts, pinned by hash, published after another person's review."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, SQLModel, UniqueConstraint

from app.core.columns import document, key, link, moment, word


class VersionState(StrEnum):
    """Where a version stands; only a published one can be planned."""

    DRAFT = "draft"
    PUBLISHED = "published"
    REJECTED = "rejected"


class Verdict(StrEnum):
    """What the reviewer of a version decided."""

    PUBLISH = "publish"
    REJECT = "reject"


class PlaybookVersion(SQLModel, table=True):
    """One immutable text of a playbook."""

    __tablename__ = "playbook_version"
    __table_args__ = (UniqueConstraint("name", "version"), UniqueConstraint("name", "sha256"))
    id: str = key()
    name: str = Field(max_length=80, index=True)
    version: int
    sha256: str = Field(max_length=64, index=True)
    """Hash of the text as it was sent, in UTF-8."""
    text: str
    title: dict[str, Any] = document()
    modes: list[str] = document(list)
    content: dict[str, Any] = document()
    """The checked playbook as JSON, by the keys of the YAML."""
    state: VersionState = word(VersionState, default=VersionState.DRAFT, index=True)
    author_id: str | None = link("person.id", optional=True)
    """None for a playbook that came with the product."""
    reviewer_id: str | None = link("person.id", optional=True)
    reviewed_at: datetime | None = moment(optional=True)
    review_note: str = ""
    created_at: datetime = moment()
    archived_at: datetime | None = moment(optional=True)
