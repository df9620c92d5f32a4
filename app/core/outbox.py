"""The outbox: what people and programs must be told, written in the transaction of what happened and sent after it.

A message is posted once per `key`, whichever instance posts it. It stands in Wissel for the person it is for, and is
sent by mail where they have an address, or by webhook where it is for a program. A sender takes it by a guarded update
and says afterwards what came of it. A sender that is lost in between leaves it to another, under the same Message-ID or
webhook-id, by which a receiver that looks at these sees it once. What cannot be delivered is kept as dead and shown.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import CursorResult, and_, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, col, select

from app.core.columns import document, key, moment, word

LEASE = timedelta(minutes=2)
"""How long a sender has for one message before another takes it for lost."""
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
MOST_TRIES = 12
"""With these pauses that is over five hours."""
GOOD_FOR = timedelta(days=2)
LARGEST = 5_000_000
"""Bytes of all attachments of one message."""


class Channel(StrEnum):
    """By what way a message leaves."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class Sending(StrEnum):
    """How far a message is on its way."""

    WAITING = "waiting"
    TAKEN = "taken"
    """A sender is at it, or was lost while it was."""
    SENT = "sent"
    DEAD = "dead"
    """Refused for good, or tried too often."""
    KEPT = "kept"
    """Stands in Wissel only: nobody sent it while it was worth sending."""


class OutboxMessage(SQLModel, table=True):
    """One message to one person or program."""

    __tablename__ = "outbox_message"
    id: str = key()
    key: str = Field(unique=True, max_length=200)
    """Names what is told to whom, so that it is told once."""
    kind: str = Field(max_length=40, index=True)
    channel: Channel = word(Channel)
    person_id: str = Field(default="", max_length=36, index=True)
    """Whom it is for; empty for a program."""
    address: str = Field(default="", max_length=254)
    subject: str = Field(max_length=200)
    text: str
    href: str = Field(default="", max_length=300)
    """Page in Wissel on which it can be acted upon."""
    attachments: list[dict[str, Any]] = document(list)
    """``{name, mediaType, content}``, the content in base64."""
    created_at: datetime = moment(index=True)
    until: datetime = moment()
    """From then on it is not worth telling any more."""
    seen_at: datetime | None = moment(optional=True)
    state: Sending = word(Sending, default=Sending.WAITING, index=True)
    tries: int = 0
    next_at: datetime = moment(index=True)
    """When it may be tried; of a taken one, when its sender counts as lost."""
    error: str = Field(default="", max_length=300)
    sent_at: datetime | None = moment(optional=True)


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Letter:
    """What is told, in the language of who gets it."""

    key: str
    kind: str
    subject: str
    text: str
    href: str = ""
    person_id: str = ""
    address: str = ""
    """Mail address; empty: it is shown in Wissel only."""
    until: datetime | None = None
    attachments: Sequence[Attachment] = field(default=())


class TooLarge(ValueError):
    """The attachments of a message are larger than a mail server takes."""


def post(session: Session, letter: Letter, *, now: datetime, channel: Channel = Channel.MAIL) -> bool:
    """Write a message to send, in this transaction; False where one with this key was posted before."""
    if session.exec(select(OutboxMessage.id).where(OutboxMessage.key == letter.key)).first() is not None:
        return False
    if sum(len(each.content) for each in letter.attachments) > LARGEST:
        raise TooLarge(f"attachments of more than {LARGEST} bytes")
    row = OutboxMessage(
        key=letter.key,
        kind=letter.kind,
        channel=channel,
        person_id=letter.person_id,
        address=letter.address,
        subject=" ".join(letter.subject.split())[:200],
        text=letter.text,
        href=letter.href,
        attachments=[_stored(each) for each in letter.attachments],
        created_at=now,
        until=letter.until or now + GOOD_FOR,
        state=Sending.WAITING if letter.address or channel is Channel.WEBHOOK else Sending.KEPT,
        next_at=now,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False  # another instance posted it at this very moment
    return True


def was_posted(session: Session, beginning: str) -> bool:
    """Whether any message was posted whose key begins so."""
    wanted = select(OutboxMessage.id).where(col(OutboxMessage.key).startswith(beginning, autoescape=True))
    return session.exec(wanted.limit(1)).first() is not None


def _stored(file: Attachment) -> dict[str, str]:
    content = base64.b64encode(file.content).decode()
    return {"name": file.name, "mediaType": file.media_type, "content": content}


def take(session: Session, channels: Sequence[Channel], *, now: datetime) -> OutboxMessage | None:
    """The next message to send by one of these channels, taken by this sender; None where nothing is due."""
    table = OutboxMessage
    due = and_(col(table.state).in_([Sending.WAITING, Sending.TAKEN]), col(table.next_at) <= now)
    wanted = select(table).where(due, col(table.channel).in_(list(channels)), col(table.until) > now)
    row = session.exec(wanted.order_by(col(table.next_at)).limit(1)).first()
    if row is None:
        return None
    values = {"state": Sending.TAKEN, "tries": row.tries + 1, "next_at": now + LEASE}
    guarded = update(table).where(col(table.id) == row.id, col(table.tries) == row.tries, due).values(**values)
    taken: CursorResult[Any] = session.execute(guarded)  # type: ignore[assignment]
    if taken.rowcount != 1:
        return None
    session.refresh(row)
    return row


def settle(session: Session, id: str, tries: int, *, now: datetime, error: str = "", permanent: bool = False) -> None:
    """Write what came of a try; one that was taken again meanwhile is left to who took it."""
    row = session.get(OutboxMessage, id, with_for_update=True)
    if row is None or row.tries != tries or row.state is not Sending.TAKEN:
        return
    row.error = error[:300]
    if not error:
        row.state, row.sent_at = Sending.SENT, now
    elif permanent or row.tries >= MOST_TRIES:
        row.state = Sending.DEAD
    else:
        row.state, row.next_at = Sending.WAITING, now + pause(row.tries)
    session.add(row)


def pause(tries: int) -> timedelta:
    """How long to wait after so many tries: twice as long each time, an hour at most."""
    doubled: timedelta = FIRST_PAUSE * 2 ** max(0, min(tries, 20) - 1)
    return min(doubled, LONGEST_PAUSE)


def again(session: Session, id: str, *, now: datetime) -> OutboxMessage | None:
    """Try a dead message anew; None where there is none."""
    row = session.get(OutboxMessage, id, with_for_update=True) if id.isprintable() else None
    if row is not None and row.state is Sending.DEAD:
        row.state, row.tries, row.next_at, row.error = Sending.WAITING, 0, now, ""
        row.until = max(row.until, now + GOOD_FOR)
        session.add(row)
    return row


def keep_all(session: Session) -> None:
    """After a restore: what was to be sent may have been sent since the backup, so nothing of it is sent again."""
    still = col(OutboxMessage.state).in_([Sending.WAITING, Sending.TAKEN])
    session.execute(update(OutboxMessage).where(still).values(state=Sending.KEPT))


def has_due(session: Session, channels: Sequence[Channel], *, now: datetime) -> bool:
    """Whether one of these channels has something to send now, or something is not worth sending any more."""
    table = OutboxMessage
    open_ = col(table.state).in_([Sending.WAITING, Sending.TAKEN])
    mine = and_(col(table.channel).in_(list(channels)), col(table.next_at) <= now)
    wanted = select(table.id).where(open_, or_(mine, col(table.until) <= now))
    return session.exec(wanted.limit(1)).first() is not None


def lapse(session: Session, *, now: datetime) -> int:
    """Keep in Wissel what nobody sent while it was worth sending, so that a server set up later sends no old mail."""
    table = OutboxMessage
    late = and_(col(table.state).in_([Sending.WAITING, Sending.TAKEN]), col(table.until) <= now)
    done: CursorResult[Any] = session.execute(update(table).where(late).values(state=Sending.KEPT))  # type: ignore[assignment]
    return int(done.rowcount)


def for_person(session: Session, person_id: str, *, now: datetime, unseen: bool = True) -> list[OutboxMessage]:
    """What was told to this person, the newest first; only what still is to be read, unless all is asked for."""
    table = OutboxMessage
    wanted = select(table).where(table.person_id == person_id, table.channel == Channel.MAIL)
    if unseen:
        wanted = wanted.where(
            col(table.seen_at).is_(None), or_(col(table.until) > now, col(table.state) == Sending.DEAD)
        )
    return list(session.exec(wanted.order_by(col(table.created_at).desc()).limit(100)))


def see(session: Session, id: str, person_id: str, *, now: datetime) -> OutboxMessage | None:
    """Note that the person read it; None where it is no message to them."""
    row = session.get(OutboxMessage, id) if id.isprintable() else None
    if row is None or row.person_id != person_id or not person_id:
        return None
    row.seen_at = row.seen_at or now
    session.add(row)
    return row
