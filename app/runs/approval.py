"""Approval of a run by other people: bound to a digest, time-boxed, for one run, and void by one changed byte."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, and_, col, or_, select

from app.access.models import Person
from app.access.rules import Actor
from app.catalog.models import Service
from app.core import audit
from app.core.errors import Conflict, FieldError, InvalidInput, NotAllowed, Problem, not_found
from app.core.messages import say
from app.drills.models import Drill
from app.drills.rules import ApprovalPolicy
from app.playbooks.rules import Mode
from app.runs import activated, words
from app.runs.compose import compose, digest_now
from app.runs.models import Run
from app.runs.record import Approval, ApprovalVerdict
from app.runs.words import Words

_NEVER = datetime.max.replace(tzinfo=UTC)


class Standing(StrEnum):
    """Where the approvals for a digest stand."""

    GRANTED = "granted"
    WAITING = "waiting"
    DENIED = "denied"


class OtherDigest(Conflict):
    """What would run is not what the approver saw."""

    code = "approval-other-digest"


class NotAnApprover(NotAllowed):
    """This person planned it, wrote it, or answered before: somebody else must decide."""

    code = "approver-not-independent"


@dataclass(frozen=True)
class Said:
    """What the rule needs to know of one approval."""

    person_id: str
    as_owner: bool
    verdict: ApprovalVerdict
    digest: str
    valid_from: datetime
    valid_until: datetime
    revoked: bool = False


def standing(
    policy: ApprovalPolicy, said: Sequence[Said], digest: str, *, excluded: frozenset[str], now: datetime
) -> Standing:
    """Where it stands: one deny vetoes; enough different people, none of them `excluded`, the process owner among them.

    `excluded`: ids of the starter and of the author, who can't approve their own work.
    """
    valid = [
        each
        for each in said
        if each.digest == digest and not each.revoked and each.valid_from <= now < each.valid_until
    ]
    if any(each.verdict is ApprovalVerdict.DENIED for each in valid):
        return Standing.DENIED
    yes = {each.person_id: each for each in valid if each.person_id not in excluded}
    owner = not policy.process_owner or any(each.as_owner for each in yes.values())
    return Standing.GRANTED if owner and len(yes) >= policy.needed else Standing.WAITING


def policy_of(drill: Drill) -> ApprovalPolicy | None:
    """The drill's approval policy; None where nobody need approve. What is live always needs two others."""
    if drill.approvals is not None:
        return ApprovalPolicy.model_validate(drill.approvals)
    return ApprovalPolicy() if drill.mode is Mode.LIVE else None


def excluded(drill: Drill, *, starter: str, author: str) -> frozenset[str]:
    """Ids of the people who can't approve: who starts it, who planned it, who wrote it."""
    return frozenset(each.removeprefix("person:") for each in (starter, author, drill.created_by) if each)


def is_process_owner(session: Session, service_id: str | None, person: Person | None) -> bool:
    """Whether the person is the process owner of the service, who is written there by name, e-mail or reference."""
    service = session.get(Service, service_id) if service_id else None
    owner = service.process_owner.strip().casefold() if service else ""
    return (
        person is not None
        and bool(owner)
        and owner
        in {
            person.id,
            person.ref.casefold(),
            person.name.casefold(),
            person.email.casefold(),
        }
    )


def why_void(session: Session, run: Run, *, now: datetime) -> Words | None:
    """Why a run may not do what can't be undone: its approval ended, or what runs is not what was approved."""
    drill = session.get_one(Drill, run.drill_id)
    try:
        loss = activated.loss_of(activated.of(session, run))  # what is for a lost side alone may hold more locks
        digest = digest_now(session, drill, by_hand=run.by_hand, loss=loss)
    except Problem as problem:
        return words.unusable(problem)
    if digest != run.digest:
        return words.CONFIGURATION_CHANGED
    policy = policy_of(drill)
    if policy is None:
        return None
    own = session.exec(select(Approval).where(Approval.run_id == run.id).with_for_update()).all()
    out = excluded(drill, starter=run.starter, author=run.author)
    found = standing(policy, [_said(row) for row in own], run.digest, excluded=out, now=now)
    if _enough(session, run, found) is Standing.GRANTED:
        return None
    return words.APPROVAL_ENDED


def _said(row: Approval) -> Said:
    return Said(
        row.person_id,
        row.as_owner,
        row.verdict,
        row.digest,
        row.valid_from,
        counts_until(row) or _NEVER,
        row.revoked_at is not None,
    )


def counts_until(row: Approval) -> datetime | None:
    """When it counts no more. A no to a run never lapses by itself: None, until who gave it takes it back."""
    return None if row.verdict is ApprovalVerdict.DENIED and row.run_id is not None else row.valid_until


def bearing(session: Session, run: Run, *, lock: bool = True) -> list[Approval]:
    """The approvals that bear on a run: its own, and those given beforehand that no run has used.

    `lock`: their rows are held until the transaction ends; not where they are only shown.
    """
    unused = and_(
        col(Approval.drill_id) == run.drill_id, col(Approval.run_id).is_(None), col(Approval.used_at).is_(None)
    )
    wanted = select(Approval).where(or_(Approval.run_id == run.id, unused)).order_by("at")
    return list(session.exec(wanted.with_for_update() if lock else wanted))


def stands(session: Session, run: Run, *, now: datetime) -> Standing:
    """Where the approvals of a run stand."""
    drill = session.get_one(Drill, run.drill_id)
    policy = policy_of(drill)
    if policy is None:
        return Standing.GRANTED
    out = excluded(drill, starter=run.starter, author=run.author)
    found = standing(policy, [_said(row) for row in bearing(session, run)], run.digest, excluded=out, now=now)
    return _enough(session, run, found)


def _enough(session: Session, run: Run, found: Standing) -> Standing:
    """Under break-glass the real thing waits for nobody; one deny stops it all the same."""
    waits = found is Standing.WAITING
    return Standing.GRANTED if waits and activated.glass_broken(session, run) else found


def use(session: Session, run: Run, *, now: datetime) -> None:
    """Bind the approvals that bear on a run to it: each serves for one run only."""
    for row in bearing(session, run):
        if row.digest == run.digest and row.revoked_at is None and row.valid_from <= now < row.valid_until:
            row.run_id, row.used_at = run.id, now
            session.add(row)
    session.flush()


def give(
    session: Session,
    drill: Drill,
    run: Run | None,
    actor: Actor,
    verdict: ApprovalVerdict,
    *,
    digest: str,
    comment: str,
    now: datetime,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> Approval:
    """Write one person's yes or no to `digest`; for `run`, or beforehand for the drill's next run."""
    expected = run.digest if run else compose(session, drill).digest
    if digest != expected:
        raise OtherDigest(
            say("What would run is not what you saw. Look at the preview again, then decide."), now=expected
        )
    person = session.get(Person, actor.person_id) if actor.person_id else None
    _require_independent(session, drill, run, person, digest, now)
    start = valid_from or now
    row = Approval(
        drill_id=drill.id,
        run_id=run.id if run else None,
        digest=digest,
        person_id=person.id if person else "",
        as_owner=is_process_owner(session, drill.service_id, person),
        verdict=verdict,
        comment=comment,
        at=now,
        valid_from=start,
        valid_until=_end_of(drill, valid_until, start, now),
    )
    session.add(row)
    session.flush()
    target = run.ref if run else drill.ref
    audit.record(session, actor.ref, f"run.{verdict.value}", "run", target, digest=digest, comment=comment)
    return row


def _end_of(drill: Drill, asked: datetime | None, start: datetime, now: datetime) -> datetime:
    """When an approval is over: as asked or as the drill's policy has it, never later than a year."""
    policy = policy_of(drill) or ApprovalPolicy()
    until = min(asked or start + timedelta(seconds=policy.valid_for), start + timedelta(days=366))
    if until <= max(start, now):
        late = say("This approval would be over before it begins. Give a later validUntil, or leave it out.")
        raise InvalidInput(late, errors=[FieldError("validUntil", "already-over", late)])
    return until


def _require_independent(
    session: Session, drill: Drill, run: Run | None, person: Person | None, digest: str, now: datetime
) -> None:
    if person is None:
        raise NotAnApprover(say("Only a person can approve a run."))
    author = run.author if run else author_of(session, drill)
    if person.id in excluded(drill, starter=run.starter if run else "", author=author):
        raise NotAnApprover(say("You planned, started or wrote this. Two other people must approve it."))
    wanted = select(Approval).where(Approval.digest == digest, Approval.person_id == person.id)
    # What has run out counts no longer, so its giver may say it again.
    wanted = wanted.where(Approval.drill_id == drill.id, col(Approval.revoked_at).is_(None))
    for before in session.exec(wanted):
        counts = (counts_until(before) or _NEVER) > now and before.used_at is None
        if counts and before.run_id == (run.id if run else None):
            raise NotAnApprover(say("You decided about this before. Somebody else must be the second person."))


def author_of(session: Session, drill: Drill) -> str:
    """Id of the person who wrote the playbook; empty for one that came with the product."""
    from app.playbooks.models import PlaybookVersion

    return session.get_one(PlaybookVersion, drill.playbook_id).author_id or ""


def revoke(session: Session, approval_id: str, actor: Actor, *, now: datetime) -> Approval:
    """Take back an approval: only by the person who gave it, at any time before the run is over."""
    row = session.get(Approval, approval_id, with_for_update=True)
    if row is None:
        raise not_found("approval", approval_id)
    if row.person_id != actor.person_id:
        raise NotAllowed(say("Only the person who gave this approval can revoke it."))
    row.revoked_at = row.revoked_at or now
    session.add(row)
    audit.record(session, actor.ref, "run.approval-revoked", "run", row.run_id or row.drill_id, digest=row.digest)
    return row
