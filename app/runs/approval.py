"""Approval of a run by other people: bound to a digest, time-boxed, for one run, and void by one changed byte."""

from datetime import UTC, datetime, timedelta

from sqlmodel import Session, and_, col, or_, select

from app.access import absence
from app.access.models import Person
from app.access.rules import Actor
from app.core import audit
from app.core.db import locked
from app.core.errors import Conflict, FieldError, InvalidInput, NotAllowed, Problem, not_found
from app.core.messages import say
from app.drills.models import Drill
from app.drills.rules import ApprovalPolicy
from app.runs import activated, words
from app.runs.compose import compose, digest_now, is_still
from app.runs.independence import excluded, is_process_owner, may_approve, policy_of, process_owner
from app.runs.loss import Loss
from app.runs.models import Run
from app.runs.record import Approval, ApprovalVerdict
from app.runs.seats import Said, Standing, Void, standing, void
from app.runs.words import Words

__all__ = ["Standing", "Void", "excluded", "is_process_owner", "policy_of"]

_NEVER = datetime.max.replace(tzinfo=UTC)


class OtherDigest(Conflict):
    """What would run is not what the approver saw."""

    code = "approval-other-digest"


class OthersApproval(NotAllowed):
    """Somebody else gave it, so only they can take it back."""

    code = "approval-of-another"


class NotAnApprover(NotAllowed):
    """This person planned it, wrote it, or answered before: somebody else must decide."""

    code = "approver-not-independent"


class ApprovedBefore(NotAnApprover):
    """This person decided about this before, so somebody else must be the second one."""

    code = "approved-before"


def why_void(session: Session, run: Run, *, now: datetime) -> Words | None:
    """Why a run may not do what can't be undone: its approval ended, or what runs is not what was approved."""
    drill = session.get_one(Drill, run.drill_id)
    try:
        loss = activated.loss_of(activated.of(session, run))  # what is for a lost side alone may hold more locks
        same = is_still(session, drill, run.digest, by_hand=run.by_hand, loss=loss)
    except Problem as problem:
        return words.unusable(problem)
    if not same:
        return words.CONFIGURATION_CHANGED
    policy = policy_of(drill)
    if policy is None:
        return None
    own = session.exec(select(Approval).where(Approval.run_id == run.id).with_for_update()).all()
    out = excluded(session, drill, run)
    told = [_said(session, drill, row, now) for row in own]
    found = standing(policy, told, run.digest, excluded=out, now=now)
    if _enough(session, run, found) is Standing.GRANTED:
        return None
    return words.DENIED_MEANWHILE if found is Standing.DENIED else words.APPROVAL_ENDED


def _said(session: Session, drill: Drill, row: Approval, now: datetime) -> Said:
    """One approval as the rule reads it, with who its giver is now: roles and ownership may have ended since."""
    person = session.get(Person, row.person_id)
    return Said(
        person_id=row.person_id,
        as_owner=is_process_owner(session, drill.service_id, person, now=now),
        verdict=row.verdict,
        digest=row.digest,
        valid_from=row.valid_from,
        valid_until=counts_until(row) or _NEVER,
        revoked=row.revoked_at is not None,
        may_approve=may_approve(session, drill, person, now=now),
        stands_in_for=frozenset(row.stands_in_for) | absence.stood_in_for(session, row.person_id, now=now),
    )


def counts_until(row: Approval) -> datetime | None:
    """When it counts no more. A no to a run never lapses by itself: None, until who gave it takes it back."""
    return None if row.verdict is ApprovalVerdict.DENIED and row.run_id is not None else row.valid_until


def why_not(session: Session, row: Approval, run: Run | None, *, now: datetime) -> Void | None:
    """Why this approval does not count now for `run`, or beforehand for the drill's next one; None where it does."""
    drill = session.get_one(Drill, row.drill_id)
    out = excluded(session, drill, run)
    return void(_said(session, drill, row, now), _digest(session, drill, run), excluded=out, now=now)


def _digest(session: Session, drill: Drill, run: Run | None) -> str:
    """What would run; empty, so that nothing is approved, where that can't be put together now."""
    try:
        return run.digest if run else digest_now(session, drill, by_hand=False, loss=Loss())
    except Problem:
        return ""


def bearing(session: Session, run: Run, *, lock: bool = True) -> list[Approval]:
    """The approvals that bear on a run: its own, and those given beforehand that no run has used.

    `lock`: their rows are held until the transaction ends; not where they are only shown.
    """
    unused = and_(
        col(Approval.drill_id) == run.drill_id, col(Approval.run_id).is_(None), col(Approval.used_at).is_(None)
    )
    wanted = select(Approval).where(or_(Approval.run_id == run.id, unused)).order_by("at")
    return list(session.exec(wanted.with_for_update() if lock else wanted))


def stands(session: Session, run: Run, *, now: datetime, starter: str = "") -> Standing:
    """Where the approvals of a run stand; those of `starter`, who is about to start it, do not count."""
    drill = session.get_one(Drill, run.drill_id)
    policy = policy_of(drill)
    if policy is None:
        return Standing.GRANTED
    out = excluded(session, drill, run, starter=starter)
    told = [_said(session, drill, row, now) for row in bearing(session, run)]
    return _enough(session, run, standing(policy, told, run.digest, excluded=out, now=now))


def beforehand(session: Session, drill: Drill, *, now: datetime) -> Standing:
    """Where the approvals stand that were given for the drill's next run and that no run has used."""
    policy = policy_of(drill)
    if policy is None:
        return Standing.GRANTED
    unused = select(Approval).where(Approval.drill_id == drill.id, col(Approval.run_id).is_(None))
    told = [_said(session, drill, row, now) for row in session.exec(unused.where(col(Approval.used_at).is_(None)))]
    out = excluded(session, drill, None)
    return standing(policy, told, _digest(session, drill, None), excluded=out, now=now)


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
    locked(session, Drill, drill.id)  # two tabs at one moment: the second waits, and finds what the first said
    expected = run.digest if run else compose(session, drill).digest
    if digest != expected:
        raise OtherDigest(
            say("What would run is not what you saw. Look at the preview again, then decide."), now=expected
        )
    person = _independent(session, drill, run, actor, digest, now)
    start = valid_from or now
    row = Approval(
        drill_id=drill.id,
        run_id=run.id if run else None,
        digest=digest,
        person_id=person.id,
        as_owner=is_process_owner(session, drill.service_id, person, now=now),
        stands_in_for=sorted(absence.stood_in_for(session, person.id, now=now)),
        verdict=verdict,
        comment=comment,
        at=now,
        valid_from=start,
        valid_until=_end_of(session, drill, person, valid_until, start, now),
    )
    session.add(row)
    session.flush()
    target = run.ref if run else drill.ref
    detail = {"digest": digest, "comment": comment, "for": row.stands_in_for}
    audit.record(session, actor.ref, f"run.{verdict.value}", "run", target, **detail)
    return row


def _end_of(
    session: Session, drill: Drill, person: Person, asked: datetime | None, start: datetime, now: datetime
) -> datetime:
    """When an approval is over: as asked or as the drill's policy has it; a deputy's with the days of the absence.

    Never later than a year.
    """
    policy = policy_of(drill) or ApprovalPolicy()
    until = min(asked or start + timedelta(seconds=policy.valid_for), start + timedelta(days=366))
    owner = process_owner(session, drill.service_id)
    if owner is not None and owner.id != person.id:
        until = min(until, absence.until(session, owner.id, person.id, now=now) or until)
    if until <= max(start, now):
        late = say("This approval would be over before it begins. Give a later validUntil, or leave it out.")
        raise InvalidInput(late, errors=[FieldError("validUntil", "already-over", late)])
    return until


def _independent(session: Session, drill: Drill, run: Run | None, actor: Actor, digest: str, now: datetime) -> Person:
    """The person who decides. Raises NotAnApprover for a machine, for who has a hand in it, and for a second word."""
    person = session.get(Person, actor.person_id) if actor.person_id else None
    if person is None:
        raise NotAnApprover(say("Only a person can approve a run."))
    if person.id in excluded(session, drill, run):
        raise NotAnApprover(say("You planned, started or wrote this. Two other people must approve it."))
    wanted = select(Approval).where(Approval.digest == digest, Approval.person_id == person.id)
    # What has run out counts no longer, so its giver may say it again.
    wanted = wanted.where(Approval.drill_id == drill.id, col(Approval.revoked_at).is_(None))
    for before in session.exec(wanted):
        counts = (counts_until(before) or _NEVER) > now and before.used_at is None
        if counts and before.run_id == (run.id if run else None):
            raise ApprovedBefore(say("You decided about this before. Somebody else must be the second person."))
    return person


def revoke(session: Session, approval_id: str, actor: Actor, *, now: datetime) -> Approval:
    """Take back an approval: only by the person who gave it, at any time before the run is over."""
    row = session.get(Approval, approval_id, with_for_update=True)
    if row is None:
        raise not_found("approval", approval_id)
    if row.person_id != actor.person_id:
        raise OthersApproval(say("Only the person who gave this approval can revoke it."))
    row.revoked_at = row.revoked_at or now
    session.add(row)
    audit.record(session, actor.ref, "run.approval-revoked", "run", row.run_id or row.drill_id, digest=row.digest)
    return row
