"""Text of an event that may name people: kept beside the chain, which holds a salted commitment to it.

Everything that is no plain word of a program counts as such text: who is erased later must not stay in a reason that
somebody typed. Numbers, references, ids, hashes, moments and lower-case words stay in the event itself.
"""

import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlmodel import Field, Session, SQLModel, col, select

from app.core.audit.verify_audit import commitment
from app.core.columns import document

_FREE = re.compile(r"name|mail|reason|comment|note|text|title|contact|phone|person|description|address|answer|because")
"""Fields in which people write about people; what stands in them is private however it is spelled."""
_WORD = re.compile(r"[a-z0-9/][a-z0-9_.:/+{}-]{0,79}|[A-Z]{2,6}-[0-9]{1,9}|[0-9T:.+-]{10,35}Z?|")


class AuditPrivate(SQLModel, table=True):
    """One text of an event. Never changed; deleted when a person is erased."""

    __tablename__ = "audit_private"
    event_id: int = Field(foreign_key="audit_event.id", primary_key=True)
    path: str = Field(primary_key=True, max_length=400)
    """Where in the event's detail (JSON pointer)."""
    salt: str = Field(max_length=32)
    value: Any = document()


@dataclass(frozen=True)
class Private:
    """A text that has no row yet."""

    path: str
    salt: str
    value: Any


def split(detail: dict[str, Any]) -> tuple[dict[str, Any], list[Private]]:
    """What may stand in an event for ever, and what lies beside it."""
    kept: list[Private] = []
    plain = json.loads(json.dumps(detail))  # as the database will give it back: keys are text, tuples are lists
    return {name: _part(value, f"/{_escaped(name)}", name, kept) for name, value in plain.items()}, kept


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _part(value: Any, path: str, name: str, kept: list[Private]) -> Any:
    match value:
        case dict() if "sealed" not in value:
            return {key: _part(each, f"{path}/{_escaped(key)}", key, kept) for key, each in value.items()}
        case list():
            return [_part(each, f"{path}/{number}", name, kept) for number, each in enumerate(value)]
        case str() if _WORD.fullmatch(value) and not _FREE.search(name.lower()):
            return value
        case str() if not value:
            return value
        case str() | dict():
            told = Private(path[:400], secrets.token_hex(16), _encodable(value))
            kept.append(told)
            return {"sealed": commitment(told.salt, told.value)}
        case _:
            return value


def _encodable(value: Any) -> Any:
    """Half a character can't be written as UTF-8."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-8", "replace"))


def shown(session: Session, events: Iterable[Any]) -> dict[int, dict[str, Any]]:
    """The detail of each event with its texts in their places, by the event's id; what was erased is None."""
    listed = list(events)
    ids = [each.id for each in listed]
    found: dict[int, dict[str, Any]] = {}
    for row in session.exec(select(AuditPrivate).where(col(AuditPrivate.event_id).in_(ids))):
        found.setdefault(row.event_id, {})[row.path] = row.value
    return {each.id: _filled(each.detail, "", found.get(each.id, {})) for each in listed}


def _filled(value: Any, path: str, texts: dict[str, Any]) -> Any:
    match value:
        case dict() if set(value) == {"sealed"}:
            return texts.get(path)
        case dict():
            return {key: _filled(each, f"{path}/{_escaped(key)}", texts) for key, each in value.items()}
        case list():
            return [_filled(each, f"{path}/{number}", texts) for number, each in enumerate(value)]
        case _:
            return value
