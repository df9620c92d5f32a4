"""Minimum viable organisations: versions, the board's approval, and whether the functions fit where they fall back."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session, col, select

from app.access import reach
from app.access.rules import Actor
from app.catalog import service as catalog
from app.catalog.models import Site
from app.core import audit
from app.core.columns import next_ref
from app.core.messages import say
from app.plans import standing
from app.plans.content import MvoContent
from app.plans.errors import AuthorCannotApprove, DraftExists, VersionImmutable, VersionNotInReview
from app.plans.facts import VersionState
from app.plans.fit import Amount, Fit, FitLine, all_fit, fit
from app.plans.models import Mvo, MvoVersion
from app.plans.mvo_shapes import MvoIn


@dataclass(frozen=True)
class FitCheck:
    """What the functions that fall back together need, against what there is."""

    site: str
    facilities: tuple[FitLine, ...]
    people: tuple[FitLine, ...]

    @property
    def verdict(self) -> Fit:
        """The worst line."""
        return all_fit([*self.facilities, *self.people])


def find_mvo(session: Session, key: str) -> Mvo:
    """By id or reference. Raises NotFound."""
    return reach.find(session, Mvo, key, "minimum viable organisation")


def mvo_versions(session: Session, mvo: Mvo) -> list[MvoVersion]:
    """The newest first."""
    wanted = select(MvoVersion).where(MvoVersion.mvo_id == mvo.id)
    return list(session.exec(wanted.order_by(col(MvoVersion.number).desc())))


def add_mvo(session: Session, given: MvoIn, *, actor: Actor, now: datetime) -> Mvo:
    """A new one with its first draft."""
    plan_id = standing.find_plan(session, given.plan).id if given.plan else None
    mvo = Mvo(ref=next_ref(session, "MVO"), name=given.name, unit=given.unit, plan_id=plan_id, created_at=now)
    session.add(mvo)
    session.flush()
    _draft(session, mvo, 1, given.content.model_dump(mode="json", by_alias=True), actor=actor, now=now)
    audit.record(session, actor.ref, "mvo.added", "mvo", mvo.id, ref=mvo.ref)
    return mvo


def _draft(
    session: Session, mvo: Mvo, number: int, content: dict[str, Any], *, actor: Actor, now: datetime
) -> MvoVersion:
    version = MvoVersion(mvo_id=mvo.id, number=number, content=content, author=actor.ref, created_at=now)
    session.add(version)
    session.flush()
    return version


def edit_mvo(session: Session, mvo: Mvo, sent: dict[str, Any], *, actor: Actor) -> Mvo:
    """Change name, unit, or the content of its draft. Raises VersionImmutable where the newest is approved."""
    content = sent.pop("content", None)
    if content is not None:
        newest = mvo_versions(session, mvo)[0]
        if newest.state is not VersionState.DRAFT:
            sentence = say("Version {number} is approved: make a new draft to change it.", number=newest.number)
            raise VersionImmutable(sentence, nextActions=["make-draft"])
        newest.content = MvoContent.model_validate(content).model_dump(mode="json", by_alias=True)
        newest.author = actor.ref
        newest.revision += 1
        session.add(newest)
    for name, value in sent.items():
        if value is not None:
            setattr(mvo, name, value)
    mvo.revision += 1
    session.add(mvo)
    audit.record(session, actor.ref, "mvo.edited", "mvo", mvo.id, fields=sorted(sent), content=content is not None)
    return mvo


def new_mvo_draft(session: Session, mvo: Mvo, *, actor: Actor, now: datetime) -> MvoVersion:
    """A draft made from the newest version. Raises DraftExists."""
    newest = mvo_versions(session, mvo)[0]
    if newest.state is VersionState.DRAFT:
        raise DraftExists(say("Version {number} is not approved yet. Finish that first.", number=newest.number))
    draft = _draft(session, mvo, newest.number + 1, newest.content, actor=actor, now=now)
    audit.record(session, actor.ref, "mvo.draft-made", "mvo", mvo.id, version=draft.number)
    return draft


def approve_mvo(session: Session, mvo: Mvo, board_on: date, *, actor: Actor, now: datetime) -> MvoVersion:
    """Another person than the author records the board's approval; the version before is retired."""
    rows = mvo_versions(session, mvo)
    newest = rows[0]
    if newest.state is not VersionState.DRAFT:
        raise VersionNotInReview(say("Version {number} is approved already.", number=newest.number))
    if actor.person_id is None or actor.ref == newest.author:
        raise AuthorCannotApprove(say("You wrote this version. Another person records the approval of the board."))
    for row in rows[1:]:
        if row.state is VersionState.APPROVED:
            row.state = VersionState.RETIRED
            session.add(row)
    newest.state, newest.approver_id, newest.approved_at = VersionState.APPROVED, actor.person_id, now
    newest.board_approved_on = board_on
    session.add(newest)
    session.flush()
    audit.record(session, actor.ref, "mvo.approved", "mvo", mvo.id, version=newest.number)
    return newest


def archive_mvo(session: Session, mvo: Mvo, *, actor: Actor, now: datetime) -> Mvo:
    """Take it out of the lists; versions that plans lean on stay readable."""
    mvo.archived_at = mvo.archived_at or now
    mvo.revision += 1
    session.add(mvo)
    audit.record(session, actor.ref, "mvo.archived", "mvo", mvo.id)
    return mvo


def fit_check(session: Session, mvo: Mvo, site_key: str) -> FitCheck:
    """Needs of the functions that fall back together, against the measured capacity of a site and the people."""
    site = catalog.find(session, Site, site_key)
    content = MvoContent.model_validate(mvo_versions(session, mvo)[0].content)
    together = [function for function in content.functions if function.falls_back_together]
    needs = [Amount(q.resource, q.unit, q.number) for function in together for q in function.facilities]
    people = [Amount(p.role, "people", p.count) for function in together for p in function.people]
    there = [Amount(p.role, "people", p.count) for p in content.people_available]
    return FitCheck(site.ref, fit(needs, [_capacity(each) for each in site.capacity]), fit(people, there))


def _capacity(given: dict[str, Any]) -> Amount:
    measured = given.get("measured_on") or given.get("measuredOn")
    return Amount(given["resource"], given["unit"], float(given["number"]), measured=measured is not None)
