"""Starts the real thing: a plan is put to work because something happened, with what is lost, and since when."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from app.access.models import Person
from app.access.rules import Actor
from app.core import audit
from app.core.columns import next_ref
from app.core.errors import Conflict, FieldError, InvalidInput, NotAllowed
from app.core.i18n import pick
from app.core.messages import say
from app.drills import service as drills
from app.drills.models import Drill
from app.drills.planning import person_id
from app.plans.models import Plan, PlanVersion
from app.plans.standing import approved_version, find_plan
from app.playbooks.models import PlaybookVersion
from app.playbooks.rules import ClaimKind, Mode, Playbook, opposed
from app.runs import activated, obligations, planning, reminders, takeover
from app.runs.activation_inputs import filled, playbook_for, what_is_lost
from app.runs.activation_shapes import ActivationBase, ActivationIn
from app.runs.approval import Standing, stands
from app.runs.incidents import open_incident
from app.runs.independence import may_approve, process_owner
from app.runs.loss import ObligationKind, alarm_fault, noticed, undecided
from app.runs.models import Activation, Obligation, Run
from app.runs.view import Held, hold, tell

REVIEW_WITHIN = timedelta(hours=72)
"""How long another person has to review what began before it was approved (design: break-glass)."""


class PlannedSwitchOnly(Conflict):
    """This playbook moves a healthy service; it can't be turned into a fail-over without anybody deciding that."""

    code = "planned-switch-only"


class DecisionMissing(Conflict):
    """Nobody would decide before what can't be undone."""

    code = "decision-missing"


class PlanNotApproved(Conflict):
    """There is no approved version to put to work."""

    code = "plan-not-approved"


def start(
    session: Session,
    data: ActivationIn,
    *,
    actor: Actor,
    now: datetime,
    drill_run: Run | None = None,
    carried: list[dict[str, Any]] | None = None,
) -> Held:
    """Put a plan to work: write it down, tell who must know, and start it where it is approved or the glass is broken.

    `drill_run`: the drill that turned out to be real, `carried`: what that one may have left in the world. Raises the
    refusals of planning as well; then nothing is written.
    """
    data = data.model_copy(update={"alarm_at": noticed(data.alarm_at, now=now)})
    _refuse_times(data, now)
    if data.break_glass and actor.person_id is None:
        raise NotAllowed(say("Only a person can begin without approval: somebody must answer for it."))
    plan = find_plan(session, data.plan)
    drill, lost = _drill(session, plan, data, actor, now)
    activation = Activation(
        run_id="",
        alarm_at=data.alarm_at,
        outage_at=data.outage_at,
        reason=data.reason,
        scenario=data.scenario or drill.scenario,
        lost=lost,
        declared_by=actor.ref,
        break_glass=data.break_glass,
        drill_run_id=drill_run.id if drill_run else None,
        carried=carried or [],
        created_at=now,
    )
    run = planning.plan_run(session, drill, actor=actor, now=now, person=True, activation=activation)
    takeover.refuse_second(session, run)
    if data.drill is not None:  # the drill keeps its own people; who is told beside them takes part in this run
        run.joined = [each for each in _told_people(session, data) if each not in drill.participants]
    approved = stands(session, run, now=now) is Standing.GRANTED
    _note(session, run, activation, actor, now)
    if data.break_glass:
        _break_glass(session, run, activation, actor, now)
    return planning.start(session, run.id, actor=actor, now=now) if approved else hold(session, run.id)


def _refuse_times(data: ActivationIn, now: datetime) -> None:
    fault = alarm_fault(data.alarm_at, data.outage_at, now=now)
    if fault is not None:
        raise InvalidInput(fault[1], errors=[FieldError(fault[0], "wrong-moment", fault[1])])


def _drill(
    session: Session, plan: Plan, data: ActivationIn, actor: Actor, now: datetime
) -> tuple[Drill, dict[str, list[str]]]:
    """What carries the activation: the drill that was prepared for it, else a row of its own; and what is lost."""
    if data.drill is not None:
        drill = drills.find(session, data.drill)
        _refuse_other_drill(drill, plan)
        version = session.get_one(PlaybookVersion, drill.playbook_id)
        lost = what_is_lost(session, data.lost, drill.pair_id)
        playbook = Playbook.model_validate(version.content)
        _refuse_playbook(playbook, lost)
        _refuse_lost_target(playbook, drill.inputs, lost)
        return drill, lost
    approved = approved_version(session, plan.id)
    if approved is None:
        raise PlanNotApproved(say("Plan {ref} has no approved version. Have it approved first.", ref=plan.ref))
    version = playbook_for(session, data.playbook)
    return _new_drill(session, plan, approved, version, data, actor, now)


def _new_drill(
    session: Session,
    plan: Plan,
    approved: PlanVersion,
    version: PlaybookVersion,
    data: ActivationIn,
    actor: Actor,
    now: datetime,
) -> tuple[Drill, dict[str, list[str]]]:
    playbook = Playbook.model_validate(version.content)
    given = filled(session, playbook, data, plan.service_id)
    lost = what_is_lost(session, data.lost, given.pair_id)
    _refuse_playbook(playbook, lost)
    inputs = given.with_sides(playbook, lost["sides"])
    _refuse_lost_target(playbook, inputs, lost)
    drill = Drill(
        ref=next_ref(session, "ACT"),
        title=pick(say("Activation of {plan}", plan=plan.name))[:200],
        plan_id=plan.id,
        plan_version_id=approved.id,
        service_id=plan.service_id,
        pair_id=given.pair_id,
        scenario=data.scenario,
        playbook_id=version.id,
        mode=Mode.LIVE,
        direction=given.direction(playbook, inputs),
        inputs=inputs,
        participants=_participants(session, plan, data),
        owner_id=actor.person_id,
        created_by=actor.ref,
        created_at=now,
        archived_at=now,  # it is no drill: no list, calendar or schedule has it
    )
    session.add(drill)
    session.flush()
    return drill, lost


def _refuse_other_drill(drill: Drill, plan: Plan) -> None:
    if drill.plan_id != plan.id or drill.mode is not Mode.LIVE:
        reason = say("Drill {ref} is not live, or of another plan. Name one that was prepared for this.", ref=drill.ref)
        raise InvalidInput(reason, errors=[FieldError("drill", "does-not-fit", reason)])


def _refuse_playbook(playbook: Playbook, lost: dict[str, list[str]]) -> None:
    if Mode.LIVE not in playbook.modes:
        reason = say("Playbook {name} is never done for real. Choose one with mode live.", name=playbook.name)
        raise InvalidInput(reason, errors=[FieldError("playbook", "mode-not-permitted", reason)])
    if opposed(playbook.inputs) is not None and ClaimKind.FAILOVER not in playbook.proves:
        reason = say(
            "Playbook {name} is for a planned switch between two healthy sides. A fail-over is a decision of its own: "
            "choose a playbook that proves one.",
            name=playbook.name,
        )
        raise PlannedSwitchOnly(reason)
    step = undecided(playbook)
    if step is not None:
        reason = say("In playbook {name} nobody decides before step '{step}'.", name=playbook.name, step=step)
        raise DecisionMissing(reason)
    if set(lost["sides"]) == {"primary", "fallback"}:
        reason = say("Both sides are lost: there is nothing to fail over to. Restore a backup instead.")
        raise InvalidInput(reason, errors=[FieldError("lost/sides", "both-sides-lost", reason)])


def _refuse_lost_target(playbook: Playbook, inputs: dict[str, Any], lost: dict[str, list[str]]) -> None:
    sides = opposed(playbook.inputs)
    if sides is not None and inputs.get(sides[1]) in lost["sides"]:
        reason = say("The side that would take over is lost. Name the other side, or restore a backup.")
        raise InvalidInput(reason, errors=[FieldError("lost/sides", "target-lost", reason)])


def _participants(session: Session, plan: Plan, data: ActivationBase) -> list[dict[str, Any]]:
    """Who plays which role: as told, else as in the last drill of this plan. Raises InvalidInput for a stranger."""
    return _told_people(session, data) or usual_people(session, plan)


def _told_people(session: Session, data: ActivationBase) -> list[dict[str, Any]]:
    named = enumerate(data.participants)
    return [{"personId": _known(session, each.person_id, index), "role": each.role} for index, each in named]


def usual_people(session: Session, plan: Plan) -> list[dict[str, Any]]:
    """Who played which role in the last drill of this plan; without those who are not active any more."""
    before = select(Drill).where(Drill.plan_id == plan.id).order_by(col(Drill.created_at).desc())
    named = next((row.participants for row in session.exec(before) if row.participants), [])
    return [each for each in named if person_id(session, each["personId"]) is not None]


def _known(session: Session, key: str, index: int) -> str:
    found = person_id(session, key)
    if found is None:
        reason = say("There is no person '{key}'. Check the reference.", key=key)
        raise InvalidInput(reason, errors=[FieldError(f"participants/{index}/personId", "not-found", reason)])
    return found


def _note(session: Session, run: Run, activation: Activation, actor: Actor, now: datetime) -> None:
    detail: dict[str, Any] = {
        "alarmAt": activation.alarm_at,
        "lost": activation.lost,
        "reason": activation.reason,
        "breakGlass": activation.break_glass,
    }
    tell(session, run, "activation.declared", now=now, actor=actor.ref, **detail)
    detail["alarmAt"] = activation.alarm_at.isoformat()
    audit.record(session, actor.ref, "activation.declared", "run", run.id, ref=run.ref, **detail)
    open_incident(session, run, activation, now=now, actor=actor)


def _approvers(session: Session, run: Run, actor: Actor, now: datetime) -> list[Person]:
    """Everybody else who may approve this, the process owner first."""
    drill = session.get_one(Drill, run.drill_id)
    owner = process_owner(session, drill.service_id)
    people = session.exec(select(Person).where(col(Person.active).is_(True)).order_by(col(Person.ref))).all()
    found = [row for row in people if row.id != actor.person_id and may_approve(session, drill, row, now=now)]
    return sorted(found, key=lambda row: owner is None or row.id != owner.id)


def _break_glass(session: Session, run: Run, activation: Activation, actor: Actor, now: datetime) -> None:
    """Tell every approver, and owe a review by one of them."""
    people = _approvers(session, run, actor, now)
    activation.alerted = [row.id for row in people]
    text = {
        "nl": f"{run.ref} is begonnen zonder goedkeuring vooraf. Beoordeel dit: {activation.reason}",
        "en": f"{run.ref} began before it was approved. Review it: {activation.reason}",
    }
    review = Obligation(
        run_id=run.id,
        kind=ObligationKind.REVIEW,
        what=text["en"][:500],
        text=text,
        created_at=now,
        due_at=now + REVIEW_WITHIN,
    )
    session.add_all([activation, review])
    session.flush()
    reminders.alarm(session, run, activation, people, now=now)
    involved = activated.involved(session, run)
    reviewers = [row for row in people if f"person:{row.id}" not in involved]
    obligations.ask_review(session, review, run, reviewers[0] if reviewers else None, now=now)
    tell(session, run, "activation.glass-broken", now=now, actor=actor.ref, told=len(activation.alerted))
    detail = {"ref": run.ref, "reason": activation.reason, "told": activation.alerted}
    audit.record(session, actor.ref, "activation.glass-broken", "run", run.id, **detail)
