"""Tells who may not approve a run because it is their own work, and who is the process owner of its service."""

from datetime import datetime

from sqlmodel import Session

from app.access import absence
from app.access.behind import people_behind
from app.access.models import Person
from app.access.reach import place_of_row
from app.access.rules import Action, may
from app.access.service import as_they_may_now
from app.catalog.models import Service
from app.drills.models import Drill
from app.drills.rules import ApprovalPolicy
from app.plans.models import PlanVersion
from app.playbooks.models import PlaybookVersion
from app.playbooks.rules import Mode
from app.runs.models import Run


def policy_of(drill: Drill) -> ApprovalPolicy | None:
    """The drill's approval policy; None where nobody need approve. What is live always needs two others."""
    if drill.approvals is not None:
        return ApprovalPolicy.model_validate(drill.approvals)
    return ApprovalPolicy() if drill.mode is Mode.LIVE else None


def authors_of(session: Session, drill: Drill) -> frozenset[str]:
    """Ids of who wrote what is run: the playbook, and the version of the plan, in whatever part."""
    playbook = session.get_one(PlaybookVersion, drill.playbook_id)
    plan = session.get_one(PlanVersion, drill.plan_version_id)
    return people_behind(session, [playbook.author_id or "", plan.author, plan.submitted_by, *plan.editors])


def excluded(session: Session, drill: Drill, run: Run | None, *, starter: str = "") -> frozenset[str]:
    """Ids of the people who can't approve: who planned or changed the drill, who starts it, and who wrote it.

    `starter`: who is about to start it. Behind a token stands the person who made it.
    """
    hands = [starter, drill.created_by, *drill.editors, *([run.starter, run.started_by] if run else [])]
    return people_behind(session, hands) | authors_of(session, drill)


def process_owner(session: Session, service_id: str | None) -> Person | None:
    """The process owner of the service, as long as they are here; None where its text names no person for certain."""
    service = session.get(Service, service_id) if service_id else None
    owner = session.get(Person, service.process_owner_id) if service and service.process_owner_id else None
    return owner if owner is not None and owner.active else None


def is_process_owner(session: Session, service_id: str | None, person: Person | None, *, now: datetime) -> bool:
    """Whether the person is the process owner of the service, or stands in for them at this moment."""
    owner = process_owner(session, service_id)
    if owner is None or person is None or not person.active:
        return False
    return person.id == owner.id or owner.id in absence.stood_in_for(session, person.id, now=now)


def may_approve(session: Session, drill: Drill, person: Person | None, *, now: datetime) -> bool:
    """Whether the person is here and may approve runs of this drill, as their roles are at this moment."""
    if person is None or not person.active:
        return False
    return may(as_they_may_now(session, person, now=now), Action.APPROVE_RUN, place_of_row(session, drill))
