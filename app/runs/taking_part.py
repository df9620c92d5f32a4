"""Who takes part in a run with which role: the drill's participants, and who was asked to join while it ran."""

from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session

from app.access.models import Person
from app.access.rules import Action, Actor, may
from app.core import audit
from app.core.errors import Conflict, FieldError, InvalidInput, NotAllowed
from app.core.messages import say
from app.drills.models import Drill
from app.drills.planning import person_id
from app.drills.readiness import asked_roles
from app.playbooks.rules import Playbook, StepKind
from app.runs.models import Run
from app.runs.view import Held, hold, parsed, tell

PROCESS_OWNER = "process-owner"
"""Role of who is written with the service: nobody is given it for a run."""


class TakesPartAlready(Conflict):
    """This person has that role in this run."""

    code = "takes-part-already"


class RunIsOver(Conflict):
    """Nobody joins what has ended."""

    code = "run-is-over"


class NotYoursToAsk(NotAllowed):
    """Who operates runs, or decides in this one, asks others to take part."""

    code = "not-yours-to-ask"


class NotYourself(NotAllowed):
    """Who asks in a person never asks in himself: a decision of two people would be one of one."""

    code = "not-yourself"


class Part(NamedTuple):
    """One person in one role."""

    person_id: str
    role: str


def of(session: Session, run: Run) -> list[Part]:
    """Everybody who takes part, in the order in which they were named."""
    named = [*session.get_one(Drill, run.drill_id).participants, *run.joined]
    return [Part(str(each["personId"]), str(each["role"])) for each in named]


def roles_of(playbook: Playbook) -> list[str]:
    """The roles in which people are asked something; without the process owner's, who is known."""
    return sorted(set(asked_roles(playbook)) - {PROCESS_OWNER})


def deciders(session: Session, run: Run) -> frozenset[str]:
    """Ids of the people who take part in a role that decides."""
    roles = {step.role for step in parsed(run).steps if step.kind is StepKind.DECIDE}
    return frozenset(each.person_id for each in of(session, run) if each.role in roles)


def may_ask(session: Session, run: Run, actor: Actor) -> bool:
    """Whether this person may ask another to take part: who operates runs, or decides in this one."""
    if actor.person_id is None:
        return False
    return may(actor, Action.OPERATE_RUN) or actor.person_id in deciders(session, run)


def join(session: Session, run_id: str, *, person: str, role: str, actor: Actor, reason: str, now: datetime) -> Held:
    """Ask one more person into a run; told in its events and in the audit log, with who asked and why."""
    held = hold(session, run_id)
    run = held.run
    if not may_ask(session, run, actor):
        raise NotYoursToAsk(say("Only a person who operates runs, or decides in this one, asks others to take part."))
    if run.ended is not None:
        raise RunIsOver(say("Run {run} is over: nobody joins it any more.", run=run.ref))
    found = _person(session, person)
    if found.id == actor.person_id:
        raise NotYourself(say("Nobody asks in himself or herself. Ask somebody else who takes part to do it."))
    _require_role(held.playbook, role)
    if Part(found.id, role) in of(session, run):
        raise TakesPartAlready(say("{name} takes part in this role already.", name=found.name))
    joined = {"personId": found.id, "role": role, "by": actor.ref, "at": now.isoformat(), "reason": reason}
    run.joined = [*run.joined, joined]
    told = {"person": found.id, "name": found.name, "role": role, "reason": reason}
    tell(session, run, "participant.joined", now=now, actor=actor.ref, **told)
    audit.record(session, actor.ref, "run.participant-joined", "run", run.id, ref=run.ref, **told)
    return held


def _person(session: Session, key: str) -> Person:
    found = person_id(session, key)
    if found is None:
        reason = say("There is no active person '{key}'. Check the reference.", key=key)
        raise InvalidInput(reason, errors=[FieldError("personId", "not-found", reason)])
    return session.get_one(Person, found)


def _require_role(playbook: Playbook, role: str) -> None:
    known = roles_of(playbook)
    if role not in known:
        names = ", ".join(known) or "–"
        reason = say("This run asks nobody in the role '{role}'. It asks: {known}.", role=role, known=names)
        raise InvalidInput(reason, errors=[FieldError("role", "role-not-asked", reason)])
