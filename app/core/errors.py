"""Errors named after the fact: each carries its HTTP status, a stable code and what the reader can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from app.core.messages import Message, say


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with the input: where (JSON pointer or field name), a stable code, and the reason."""

    field: str
    code: str
    reason: Message | str


class Problem(Exception):
    """Base of all errors that a caller can mend; rendered once, as problem+json or as a page.

    `errors` names every field that is wrong, all at once. `extra` adds members to the problem document, such as
    the operations that are legal now.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad-request"
    title: ClassVar[str] = "The request cannot be carried out"

    def __init__(self, detail: Message | str, *, errors: Sequence[FieldError] = (), **extra: Any) -> None:
        super().__init__(str(detail))
        self.detail = detail
        self.errors = tuple(errors)
        self.extra = extra


class InvalidInput(Problem):
    """One or more fields are wrong; nothing was written."""

    code = "invalid-input"
    title = "The input is not valid"


class NotSignedIn(Problem):
    """The request carries no valid session or token."""

    status = 401
    code = "not-signed-in"
    title = "Sign in first"


class NotAllowed(Problem):
    """The person or token may not do this."""

    status = 403
    code = "not-allowed"
    title = "You may not do this"


class StepUpNeeded(NotAllowed):
    """It needs a proof of who asks that is younger than theirs."""

    code = "step-up-needed"
    title = "Prove first who you are"


class NotFound(Problem):
    """There is no such thing, or it is not for this reader."""

    status = 404
    code = "not-found"
    title = "Not found"


class Conflict(Problem):
    """The present state does not permit it."""

    status = 409
    code = "conflict"
    title = "This is not possible in the present state"


class StaleEdit(Problem):
    """Somebody else changed it first (If-Match does not meet the present ETag)."""

    status = 412
    code = "stale-edit"
    title = "It was changed in the meantime"


class Unavailable(Problem):
    """Something that we need is not there now; try again later."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"


def not_found(kind: str, key: str) -> NotFound:
    """The usual 404: names what was sought and by which key."""
    return NotFound(say("There is no {kind} '{key}'. Check the reference.", kind=kind, key=key))
