"""The audit log as JSON."""

from typing import Annotated, Any

from pydantic import Field

from app.core.listing import ListQuery
from app.core.shapes import Line, Moment, Shape

Word = Annotated[Line, Field(max_length=80)]


class AuditQuery(ListQuery):
    """Filters of the audit log."""

    who: Word | None = None
    """Reference, id or part of the name of a person or machine; or an actor as the log names it."""
    action: Word | None = None
    """``plan.approved``, or its beginning: ``plan.``."""
    kind: Word | None = None
    """Kind of the object: ``plan``."""
    object: Word | None = None
    """Reference or id of the object."""
    result: Annotated[str, Field(pattern="^(done|refused|failed)$")] | None = None
    since: Moment | None = None
    until: Moment | None = None


class ObjectOut(Shape):
    """What was acted on."""

    kind: str
    id: str
    ref: str
    """Its reference, where it has one; else its id."""


class AuditEventOut(Shape):
    """An event in its place in the chain."""

    seq: int
    at: Moment
    actor: str
    actor_name: str
    """Not part of the log: the name of today, empty where nobody is called so any more."""
    action: str
    object: ObjectOut
    result: str
    origin: str
    detail: dict[str, Any]
    """With the texts that lie beside the log; null where one was erased."""
    hash: str


class CheckpointOut(Shape):
    """A signature of the chain's end."""

    number: int
    seq: int
    hash: str
    at: Moment
    prev: str
    key: str
    signature: str
    stamped_by: str | None = None
    """The authority that gave a time stamp (RFC 3161) for it."""


class AuditHeadOut(Shape):
    """The end of the log, and whether it is unbroken by the last verification."""

    chain: str
    head: str
    """To be kept elsewhere, and given to ``wissel verify-audit --head``."""
    seq: int
    hash: str
    checkpoint: CheckpointOut | None
    verified_at: Moment | None
    verified_seq: int | None
    broken: str | None
    """Why it is not what it was."""
