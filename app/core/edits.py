"""Optimistic edits: a row's revision as its ETag, and If-Match against it."""

from typing import Annotated, Any, Protocol

from fastapi import Header, Response

from app.core.errors import StaleEdit
from app.core.messages import say

IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=200)]


class Revised(Protocol):
    """A row that counts its changes."""

    revision: Any


def etag(row: Revised) -> str:
    """The row's strong ETag."""
    return f'"{row.revision}"'


def show_etag(response: Response, row: Revised) -> None:
    """Send the row's ETag along."""
    response.headers["ETag"] = etag(row)


def require_match(if_match: str | None, row: Revised) -> None:
    """Refuse an edit that was made on another revision; without If-Match the last writer wins."""
    if if_match is None or if_match.strip() == "*":
        return
    if etag(row) not in [each.strip().removeprefix("W/") for each in if_match.split(",")]:
        raise StaleEdit(say("Somebody changed this after you read it. Read it again and repeat your change."))
