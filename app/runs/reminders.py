"""Reminds people of approvals that are waited for, and tells them what was missed or began without: each thing once."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.access import absence, letters
from app.access.letters import Told
from app.access.models import Person
from app.core import formats, outbox
from app.core.messages import Message, say
from app.core.outbox import Channel
from app.drills.models import Drill
from app.runs import approval
from app.runs.independence import excluded, may_approve, policy_of, process_owner
from app.runs.models import Activation, Run
from app.runs.seats import Standing

AT_ONCE, HALFWAY, DAY, HOUR = "at-once", "halfway", "day-before", "hour-before"
SOON = timedelta(hours=24)


def due(opened: datetime, closes: datetime, *, now: datetime) -> str | None:
    """Which reminder it is time for: the latest one that has come; None once the window is closed.

    At once, halfway, a day and an hour before it closes. What was due while nobody looked is not caught up.
    """
    moments = [
        (opened, AT_ONCE),
        (opened + (closes - opened) / 2, HALFWAY),
        (closes - SOON, DAY),
        (closes - timedelta(hours=1), HOUR),
    ]
    come = [(at, name) for at, name in moments if opened <= at <= now]
    return max(come)[1] if come and now < closes else None


def remind(session: Session, run: Run, *, now: datetime) -> int:
    """Remind who may still approve a run that waits; how many were told."""
    closes = run.latest_start_at or run.planned_at
    which = due(run.created_at, closes, now=now)
    if which is None or outbox.was_posted(session, f"run:{run.id}:{run.digest}:{which}:"):
        return 0
    drill = session.get_one(Drill, run.drill_id)
    said = _said(session, run, now)
    subject = say("Approve {run}: {title}", run=run.ref, title=drill.title)
    text = say(
        "{run} waits for approval by people who did not plan or write it. {owner} Look at what will happen, and say "
        "yes or no before {closes}. After that the run is missed.",
        run=run.ref,
        owner=_owner(session, drill),
        closes=_Moment(closes),
    )
    people = [each for each in approvers(session, drill, run, now=now) if each.id not in said]
    key = f"run:{run.id}:{run.digest}:{which}"
    told = Told("approval-asked", subject, text, f"/runs/{run.ref}", until=closes)
    return sum(letters.write(session, each, told, key=key, now=now) for each in people)


def _said(session: Session, run: Run, now: datetime) -> set[str]:
    """Ids of the people whose word about this run counts already."""
    rows = approval.bearing(session, run)
    return {row.person_id for row in rows if approval.why_not(session, row, run, now=now) is None}


def remind_of_coming(session: Session, *, now: datetime) -> int:
    """Remind of the moments of the next day that nobody approved beforehand: their own window may be short."""
    soon = select(Drill).where(col(Drill.archived_at).is_(None), col(Drill.next_due_at) > now)
    soon = soon.where(col(Drill.next_due_at) <= now + SOON)
    found = 0
    for drill in session.exec(soon).all():
        if drill.next_due_at is not None and policy_of(drill) is not None:
            found += _of_coming(session, drill, drill.next_due_at, now)
    return found


def _of_coming(session: Session, drill: Drill, at: datetime, now: datetime) -> int:
    which = HOUR if at - now <= timedelta(hours=1) else DAY
    key = f"drill:{drill.id}:{at.isoformat()}:{which}"
    if outbox.was_posted(session, f"{key}:") or approval.beforehand(session, drill, now=now) is Standing.GRANTED:
        return 0
    subject = say("Approve {drill} beforehand: {title}", drill=drill.ref, title=drill.title)
    text = say(
        "{drill} is planned for {at} and is not approved yet. {owner} Look at what will happen, and say yes or no "
        "beforehand. Else it waits at its moment, and is missed when nobody approves it then.",
        drill=drill.ref,
        at=_Moment(at),
        owner=_owner(session, drill),
    )
    told = Told("approval-asked", subject, text, f"/drills/{drill.ref}", until=at)
    people = approvers(session, drill, None, now=now)
    return sum(letters.write(session, each, told, key=key, now=now) for each in people)


def approvers(session: Session, drill: Drill, run: Run | None, *, now: datetime) -> list[Person]:
    """Who can approve this and is there: independent, with the right to, and not away with somebody in their place."""
    out = excluded(session, drill, run) | absence.deputies(session, now=now).keys()
    people = session.exec(select(Person).where(col(Person.active)).order_by(col(Person.ref))).all()
    return [each for each in people if each.id not in out and may_approve(session, drill, each, now=now)]


def _owner(session: Session, drill: Drill) -> Message:
    policy, owner = policy_of(drill), process_owner(session, drill.service_id)
    if policy is None or not policy.process_owner:
        return say("{count} of them must say yes.", count=policy.needed if policy else 0)
    if owner is None:
        return say("The process owner of the service must be one of them, and nobody is known to be that: mend that.")
    return say(
        "{count} of them must say yes, the process owner ({name}) or who stands in among them.",
        count=policy.needed,
        name=owner.name,
    )


class _Moment:
    """A moment that is written in the language of who reads it."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def __str__(self) -> str:
        return formats.moment(self._at)


def tell_missed(session: Session, run: Run, reason: dict[str, str], *, now: datetime) -> None:
    """Tell who planned a run that it was missed, and why."""
    drill = session.get_one(Drill, run.drill_id)
    hands = {drill.owner_id or "", drill.created_by.removeprefix("person:"), run.starter.removeprefix("person:")}
    for person in session.exec(select(Person).where(col(Person.id).in_(hands))).all():
        subject = say("{run} was missed: {title}", run=run.ref, title=drill.title)
        text = say("{run} was not started in time. {why}", run=run.ref, why=reason.get(person.language, ""))
        told = Told("run-missed", subject, text, f"/runs/{run.ref}")
        letters.write(session, person, told, key=f"run:{run.id}:missed", now=now)


def alarm(session: Session, run: Run, activation: Activation, people: list[Person], *, now: datetime) -> None:
    """Tell every approver, and the program that listens, that the real thing began before it was approved."""
    subject = say("{run} began WITHOUT approval", run=run.ref)
    text = say(
        "A plan was put to work before it was approved. The reason that was given: {reason} You can say no: then it "
        "stops before what cannot be undone. One approver who had no hand in it reviews it within 72 hours.",
        reason=activation.reason,
    )
    told = Told("glass-broken", subject, text, f"/runs/{run.ref}")
    key = f"run:{run.id}:glass"
    for person in people:
        letters.write(session, person, told, key=key, now=now)
    outbox.post(session, letters.letter(told, "en", key=key), now=now, channel=Channel.WEBHOOK)
