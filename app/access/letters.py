"""Writes a message to a person in the language that they read, for the outbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from app.access.models import Person
from app.core import outbox
from app.core.i18n import pick, speaking
from app.core.messages import Message
from app.core.outbox import Attachment, Letter


@dataclass(frozen=True)
class Told:
    """What is told, to whomever it is told."""

    kind: str
    subject: Message
    text: Message
    href: str
    until: datetime | None = None
    """From then on it is not worth telling; None: two days on."""
    attachments: Sequence[Attachment] = ()


def write(session: Session, person: Person, told: Told, *, key: str, now: datetime) -> bool:
    """Tell this person, once per `key`; False where they were told before, or are here no more."""
    if not person.active:
        return False
    return outbox.post(session, letter(told, person.language, key=key, person=person), now=now)


def letter(told: Told, language: str, *, key: str, person: Person | None = None) -> Letter:
    """The message in this language, for a person, or for a program that listens."""
    with speaking(language):
        subject, text = pick(told.subject), pick(told.text)
    return Letter(
        key=f"{key}:{person.id}" if person else key,
        kind=told.kind,
        subject=subject,
        text=text,
        href=told.href,
        person_id=person.id if person else "",
        address=person.email if person else "",
        until=told.until,
        attachments=told.attachments,
    )
