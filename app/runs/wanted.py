"""Tells who must still say yes to a run, who can, and until when: what the page of an approver begins with."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.access import absence
from app.access.models import Person
from app.drills.models import Drill
from app.runs import approval
from app.runs.independence import is_process_owner, policy_of, process_owner
from app.runs.models import Run
from app.runs.record import Approval, ApprovalVerdict
from app.runs.reminders import approvers


@dataclass(frozen=True)
class Wanted:
    """What is still asked of people before a run may start."""

    needed: int
    yes: int
    """Words that count now; two of one seat count as one only when it is decided."""
    owner_asked: bool
    owner: str | None
    """Name of the process owner; None: nobody is known to be that."""
    deputy: str | None
    """Name of who stands in for them now."""
    owner_said: bool
    can: tuple[str, ...]
    """Names of the others who can still say yes."""
    closes: datetime | None
    """When it is too late; None where it is asked beforehand."""
    good_until: datetime
    """How long a yes of now would count."""


def wanted(session: Session, drill: Drill, run: Run | None, *, now: datetime) -> Wanted | None:
    """What is asked before `run`, or beforehand before the next one; None where nobody need approve."""
    policy = policy_of(drill)
    if policy is None:
        return None
    rows = approval.bearing(session, run, lock=False) if run else _unused(session, drill)
    valid = [row for row in rows if row.verdict is ApprovalVerdict.APPROVED]
    said = {row.person_id for row in valid if approval.why_not(session, row, run, now=now) is None}
    owner = process_owner(session, drill.service_id)
    deputy = absence.deputies(session, now=now).get(owner.id) if owner else None
    standing_in = session.get(Person, deputy) if deputy else None
    people = {each: session.get(Person, each) for each in said}
    return Wanted(
        needed=policy.needed,
        yes=len(said),
        owner_asked=policy.process_owner,
        owner=owner.name if owner else None,
        deputy=standing_in.name if standing_in else None,
        owner_said=any(is_process_owner(session, drill.service_id, each, now=now) for each in people.values()),
        can=tuple(each.name for each in approvers(session, drill, run, now=now) if each.id not in said),
        closes=run.latest_start_at if run else None,
        good_until=now + timedelta(seconds=policy.valid_for),
    )


def _unused(session: Session, drill: Drill) -> list[Approval]:
    found = select(Approval).where(Approval.drill_id == drill.id, col(Approval.run_id).is_(None))
    return list(session.exec(found.where(col(Approval.used_at).is_(None))))
