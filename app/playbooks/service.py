"""Use cases of playbooks: bring in a version, have it reviewed, find the one that counts, load the shipped ones."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, or_, select

from app.access.behind import people_behind
from app.access.rules import SYSTEM, Actor
from app.core import audit, clock
from app.core.errors import Conflict, NotAllowed, not_found
from app.core.listing import paged
from app.core.messages import say
from app.playbooks.loader import load
from app.playbooks.models import PlaybookVersion, Verdict, VersionState
from app.playbooks.rules import Playbook
from app.playbooks.shapes import PlaybookQuery, ReviewIn
from runners import registry as installed
from runners.contract import Registry

SHIPPED = Path(__file__).resolve().parents[2] / "playbooks"
"""Folder of the playbooks that come with the product."""


class SameText(Conflict):
    """This text is a version already."""

    code: ClassVar[str] = "playbook-unchanged"


class AlreadyReviewed(Conflict):
    """A version is reviewed once; a change is a new version."""

    code: ClassVar[str] = "already-reviewed"


class OwnReview(NotAllowed):
    """The author reviews the own version."""

    code: ClassVar[str] = "own-review"


def submit(session: Session, text: str, actor: Actor, *, registry: Registry, now: datetime) -> PlaybookVersion:
    """A new draft version of the playbook that `text` names.

    Raises PlaybookInvalid with everything that is wrong, SameText where this text is a version already.
    """
    playbook = load(text, registry=registry, source="text")
    return _store(session, text, playbook, actor, now=now)


def publish(session: Session, text: str, actor: Actor, *, registry: Registry | None = None) -> PlaybookVersion:
    """A published version straight away: for what the system itself ships. People go through `submit` and `review`."""
    if actor.person_id is not None:
        raise OwnReview(say("Another person must review your playbook before it is published."))
    playbook = load(text, registry=registry if registry is not None else installed.load(), source="text")
    row = _store(session, text, playbook, actor, now=clock.now())
    row.state = VersionState.PUBLISHED
    session.add(row)
    return row


def _store(session: Session, text: str, playbook: Playbook, actor: Actor, *, now: datetime) -> PlaybookVersion:
    digest = sha256(text)
    same = session.exec(select(PlaybookVersion).where(PlaybookVersion.name == playbook.name)).all()
    for each in same:
        if each.sha256 == digest:
            reason = say("This text is version {version} of '{name}' already.", version=each.version, name=each.name)
            raise SameText(reason, playbook=each.id)
    row = PlaybookVersion(
        name=playbook.name,
        version=max((each.version for each in same), default=0) + 1,
        sha256=digest,
        text=text,
        title=playbook.title.model_dump(),
        modes=[mode.value for mode in playbook.modes],
        content=playbook.model_dump(mode="json", exclude_defaults=True),
        author_id=next(iter(people_behind(session, [actor.ref])), None),
        created_at=now,
    )
    _insert(session, row)
    audit.record(session, actor.ref, "playbook.submitted", "playbook", row.id, name=row.name, version=row.version)
    return row


def _insert(session: Session, row: PlaybookVersion) -> None:
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as error:
        raise SameText(say("Somebody else added a version of '{name}' just now. Try again.", name=row.name)) from error


def sha256(text: str) -> str:
    """The hash by which a text is pinned."""
    return hashlib.sha256(text.encode()).hexdigest()


def review(session: Session, key: str, word: ReviewIn, actor: Actor, *, now: datetime) -> PlaybookVersion:
    """Publish or reject a draft; only by a person who is not its author. Raises OwnReview, AlreadyReviewed."""
    row = get(session, key)
    if actor.person_id is None or actor.person_id == row.author_id:
        raise OwnReview(say("Another person than the author must review a playbook."))
    if row.state is not VersionState.DRAFT:
        raise AlreadyReviewed(say("This version was reviewed before. Change the text and send a new version."))
    row.state = VersionState.PUBLISHED if word.verdict is Verdict.PUBLISH else VersionState.REJECTED
    row.reviewer_id, row.reviewed_at, row.review_note = actor.person_id, now, word.note
    session.add(row)
    audit.record(session, actor.ref, f"playbook.{row.state.value}", "playbook", row.id, name=row.name)
    return row


def get(session: Session, key: str) -> PlaybookVersion:
    """The version with this id, or the newest published one of this name (a draft where none is). Raises NotFound."""
    if key.isprintable():
        wanted = or_(col(PlaybookVersion.id) == key, col(PlaybookVersion.name) == key)
        rows = session.exec(select(PlaybookVersion).where(wanted).order_by(col(PlaybookVersion.version).desc())).all()
        published = [row for row in rows if row.state is VersionState.PUBLISHED]
        for row in [*(row for row in rows if row.id == key), *published, *rows]:
            return row
    raise not_found("playbook", key)


def content(row: PlaybookVersion) -> Playbook:
    """The checked playbook of a version."""
    return Playbook.model_validate(row.content)


def versions(session: Session, name: str, query: PlaybookQuery) -> tuple[list[PlaybookVersion], int]:
    """All versions of one name. Raises NotFound where there is none."""
    return listed(session, query, name=get(session, name).name, newest_only=False)


def listed(
    session: Session, query: PlaybookQuery, *, name: str | None = None, newest_only: bool = True
) -> tuple[list[PlaybookVersion], int]:
    """A page of playbooks: of each name the newest version that the filters leave."""
    wanted = name or query.name
    conditions: list[Any] = [col(PlaybookVersion.name) == wanted] if wanted else []
    if query.state:
        conditions.append(col(PlaybookVersion.state) == query.state)
    statement = select(PlaybookVersion).where(*conditions)
    if newest_only:
        newest = select(col(PlaybookVersion.name), func.max(col(PlaybookVersion.version)).label("newest"))
        grouped = newest.where(*conditions).group_by(col(PlaybookVersion.name)).subquery()
        same_name = col(PlaybookVersion.name) == grouped.c.name
        statement = statement.join(grouped, same_name & (col(PlaybookVersion.version) == grouped.c.newest))
    return paged(
        session,
        statement,
        query,
        sortable={
            "name": col(PlaybookVersion.name),
            "version": col(PlaybookVersion.version),
            "state": col(PlaybookVersion.state),
            "createdAt": col(PlaybookVersion.created_at),
        },
        searched=[col(PlaybookVersion.name), col(PlaybookVersion.text)],
        default="name,-version",
        tie=col(PlaybookVersion.id),
    )


def load_shipped(
    session: Session, *, registry: Registry | None = None, folder: Path = SHIPPED
) -> list[PlaybookVersion]:
    """Publish each shipped playbook whose text is no version yet; what is there already is left alone.

    A shipped playbook whose runner is not installed stops the start: PlaybookInvalid names it.
    """
    drivers = registry if registry is not None else installed.load()
    known = set(session.exec(select(PlaybookVersion.sha256)).all())
    made: list[PlaybookVersion] = []
    for path in sorted(folder.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if sha256(text) in known:
            continue
        playbook = load(text, registry=drivers, source=path.name)
        try:
            row = _store(session, text, playbook, SYSTEM, now=clock.now())
        except SameText:
            continue  # another instance that starts at the same moment brought it in
        row.state = VersionState.PUBLISHED
        session.add(row)
        made.append(row)
    return made
