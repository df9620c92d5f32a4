"""Plans a run for a drill and starts it: approvals, the locks, and the moment from which it may go."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from app.access.rules import Actor, Kind
from app.core import audit
from app.core.columns import next_ref
from app.core.errors import Conflict, FieldError, Problem
from app.core.messages import say
from app.drills import calendar, claiming
from app.drills import held as secrets_held
from app.drills.models import Drill, DrillMoment
from app.drills.readiness import lacks
from app.drills.rules import Attendance, Limits
from app.drills.where import ORCHESTRATOR
from app.plans.models import PlanVersion
from app.playbooks.rules import Mode, StepKind
from app.runs import activated, approval, debts, drivers, locks, reminders, takeover, words
from app.runs.approval import Standing
from app.runs.compose import Composed, compose
from app.runs.finish import finish_run
from app.runs.models import Activation, Run, StepRun
from app.runs.progress import advance
from app.runs.rules import RunState
from app.runs.view import Held, hold, tell
from runners.contract import Effect

LONGEST_WAIT = timedelta(days=14)
"""How long a run that a person planned waits for its approvals."""


class ModeNotAvailable(Conflict):
    """This mode is not built yet: planning refuses it instead of pretending."""

    code = "mode-not-available"


class RehearsalWouldChange(Conflict):
    """A rehearsal touches no production: a step that changes something is refused."""

    code = "rehearsal-would-change"


class DrillNotReady(Conflict):
    """Something stands in the way of running this drill now; `errors` says what."""

    code = "drill-not-ready"


class SecretMissing(Conflict):
    """A site that must carry out a step does not hold a secret that it needs; `errors` names each with its site."""

    code = "secret-missing"


class InFreeze(Conflict):
    """Nothing is started in a freeze, whenever it was planned."""

    code = "blackout"


class NotApproved(Conflict):
    """Two other people must say yes before this starts."""

    code = "not-approved"


class AlreadyStarted(Conflict):
    """A run starts once."""

    code = "already-started"


def plan_run(
    session: Session,
    drill: Drill,
    *,
    actor: Actor,
    now: datetime,
    moment: DrillMoment | None = None,
    by_hand: bool = False,
    person: bool = False,
    activation: Activation | None = None,
) -> Run:
    """Write a run of `drill` with its own copy of everything it will run.

    `activation`: it is the real thing: no freeze holds it, and it counts from its alarm. `person`: somebody starts it
    now, so that it is theirs and waits for its approvals; else the clock plans it for its moment, and it is missed
    when the grace of the drill is over.
    """
    _refuse_unready(session, drill, now, real=activation is not None)
    composed = compose(session, drill, by_hand=by_hand, loss=activated.loss_of(activation))
    _refuse_what_cannot_be(drill, composed)
    by_clock = moment is not None and not person
    run = _row(session, drill, composed, moment=moment, by_clock=by_clock, actor=actor, now=now)
    run.by_hand = by_hand
    session.add(run)
    if activation is not None:
        _count_from_alarm(session, run, activation)
    _copy(session, run, composed)
    debts.refuse_switch(session, run, composed.playbook)
    if moment is not None:
        moment.run_id = run.id
        session.add(moment)
    held = hold(session, run.id)
    held.refresh_state()
    tell(session, run, "run.planned", now=now, actor=actor.ref, by="schedule" if by_clock else "person")
    audit.record(session, actor.ref, "run.planned", "run", run.id, ref=run.ref, drill=drill.ref, digest=run.digest)
    return run


def _row(
    session: Session,
    drill: Drill,
    composed: Composed,
    *,
    moment: DrillMoment | None,
    by_clock: bool,
    actor: Actor,
    now: datetime,
) -> Run:
    """The run itself, with what it must later be able to tell of its drill, plan and playbook as they were."""
    version = session.get_one(PlanVersion, drill.plan_version_id)
    due = moment.due_at if moment is not None else now
    return Run(
        ref=next_ref(session, "RUN"),
        drill_id=drill.id,
        moment_id=moment.id if moment else None,
        nominal=moment.nominal_local if moment else None,
        plan_id=drill.plan_id,
        plan_version_id=version.id,
        plan_major=version.major,
        service_id=drill.service_id,
        playbook_name=composed.playbook.name,
        playbook_version_id=composed.version.id,
        playbook_sha256=composed.version.sha256,
        mode=drill.mode,
        unattended=drill.attendance is Attendance.UNATTENDED,
        pair_id=drill.pair_id,
        digest=composed.digest,
        starter=drill.created_by if by_clock else actor.ref,
        author=composed.version.author_id or "",
        needs_approval=approval.policy_of(drill) is not None,
        planned_at=due,
        latest_start_at=due + (timedelta(seconds=drill.grace_s) if by_clock else LONGEST_WAIT),
        created_at=now,
    )


def _count_from_alarm(session: Session, run: Run, activation: Activation) -> None:
    run.activation, run.alarm_at = True, activation.alarm_at
    run.outage_at = activation.outage_at or activation.alarm_at
    activation.run_id = run.id
    session.flush()
    session.add(activation)


_BLOCKING = frozenset(
    {"archived", "plan-not-approved", "plan-newer", "playbook-not-published", "unknown-runner", "on-call-missing"}
    | {"other-side-is-home", "blackout"}
)
"""Lacks that stop a run; a check of the run itself finds what else is missing."""


_NOT_WHEN_REAL = frozenset({"blackout", "on-call-missing", "archived"})
"""What holds back a drill and not the real thing."""


def _refuse_unready(session: Session, drill: Drill, now: datetime, *, real: bool) -> None:
    blocking = _BLOCKING - _NOT_WHEN_REAL if real else _BLOCKING
    found = [each for each in lacks(session, drill, registry=drivers.registry(), now=now) if each[0] in blocking]
    if drill.archived_at is not None and not real:
        found.append(("archived", "", say("Drill {ref} was archived.", ref=drill.ref)))
    if found:
        errors = [FieldError(field, code, reason) for code, field, reason in found]
        raise DrillNotReady(found[0][2], errors=errors)


def _refuse_what_cannot_be(drill: Drill, composed: Composed) -> None:
    if drill.mode is Mode.TABLETOP:
        raise ModeNotAvailable(say("A tabletop can't be run yet. Plan a rehearsal or a live drill."))
    if any(step.kind is StepKind.PLAY for step in composed.playbook.steps):
        raise ModeNotAvailable(say("A playbook inside a playbook can't be run yet. Put its steps in this playbook."))
    changing = [step for step, driver in composed.drivers.items() if driver["effect"] == Effect.CHANGES.value]
    if drill.mode is Mode.REHEARSAL and changing:
        names = ", ".join(changing)
        reason = say(
            "A rehearsal may only observe or work in isolation. These steps change something: {steps}.", steps=names
        )
        raise RehearsalWouldChange(reason, steps=changing)


def _copy(session: Session, run: Run, composed: Composed) -> None:
    """The run's own copy: the playbook of its mode, its inputs, and a row per step."""
    run.playbook = composed.playbook.model_dump(mode="json", by_alias=True, exclude_none=True)
    run.inputs, run.lock_keys = composed.inputs, list(composed.lock_keys)
    run.direction, run.digest = composed.direction, composed.digest
    session.add(run)
    session.flush()
    activation = activated.of(session, run)
    lost: dict[str, Any] = {}
    if activation is not None:
        lost = {"reason": activated.why_passed_over(session, activation), "by": activation.declared_by}
    for position, step in enumerate(composed.playbook.steps):
        driver = composed.drivers.get(step.id, {}) | ({"lost": lost} if step.id in composed.lost else {})
        session.add(
            StepRun(
                run_id=run.id,
                step_id=step.id,
                position=position,
                driver=driver,
                effect=Effect(driver["effect"]) if "effect" in driver else None,
                site=driver.get("site", ORCHESTRATOR),
            )
        )
    session.flush()


def start(session: Session, run_id: str, *, actor: Actor, now: datetime) -> Held:
    """Start a planned run; raises `NotApproved` or `EnvironmentBusy` where it may not yet. First steps become ready."""
    held = hold(session, run_id)
    run = held.run
    if run.started_at is not None or run.ended is not None:
        raise AlreadyStarted(say("Run {run} was started or ended before.", run=run.ref))
    held = _refit(session, held, now)
    _require_approved(session, held, actor, now)
    _refuse_frozen(session, run, now)
    debts.refuse_switch(session, run, held.playbook)
    _refuse_without_secrets(session, held, now)
    run.queued_at = run.queued_at or now
    if run.activation:
        _clear_way(session, run, actor=actor, now=now)
    locks.take(session, run, now=now)
    approval.use(session, run, now=now)
    run.started_at, run.end_reason = now, {}
    run.started_by = "" if actor.kind is Kind.SYSTEM else actor.ref
    drill = session.get_one(Drill, run.drill_id)
    longest = Limits.model_validate(drill.limits).latest_end
    run.latest_end_at = None if longest is None else now + timedelta(seconds=longest)
    tell(session, run, "run.started", now=now, actor=actor.ref)
    audit.record(session, actor.ref, "run.started", "run", run.id, ref=run.ref, digest=run.digest)
    advance(session, held, now=now)
    return held


def _clear_way(session: Session, run: Run, *, actor: Actor, now: datetime) -> None:
    """The real thing takes the locks of drills over; what those may have left in the world is noted, to look at."""
    left = takeover.clear_way(session, run, actor=actor, now=now)
    activation = activated.of(session, run)
    if activation is not None and left:
        activation.carried = [*activation.carried, *left]
        session.add(activation)


def _refuse_frozen(session: Session, run: Run, now: datetime) -> None:
    """A freeze that was added after the run was planned holds as well; the real thing waits for none."""
    freeze = None if run.activation else calendar.covering(session, now, run.service_id)
    if freeze is not None:
        raise InFreeze(say("Now lies in the freeze '{name}' ({ref}).", name=freeze.name, ref=freeze.ref))


def _refuse_without_secrets(session: Session, held: Held, now: datetime) -> None:
    """Nothing is begun that will end halfway for want of a secret; the real thing goes as far as it can."""
    if held.run.activation:
        return
    found = secrets_held.standings(session, held.playbook, held.inputs(), registry=drivers.registry(), now=now)
    lacking = [each for each in secrets_held.lacks(found) if each[0] in secrets_held.STOPS]
    if lacking:
        raise SecretMissing(lacking[0][2], errors=[FieldError(field, code, why) for code, field, why in lacking])


def _require_approved(session: Session, held: Held, actor: Actor, now: datetime) -> None:
    run = held.run
    match approval.stands(session, run, now=now, starter=actor.ref):
        case Standing.DENIED:
            raise NotApproved(say("Run {run} was denied. It can't be started.", run=run.ref))
        case Standing.WAITING:
            raise NotApproved(say("Run {run} still waits for approval by other people.", run=run.ref))
        case Standing.GRANTED:
            return


def _refit(session: Session, held: Held, now: datetime) -> Held:
    """What changed since it was planned is taken over before the start; approvals for the old digest are void then."""
    run = held.run
    loss = activated.loss_of(activated.of(session, run))
    composed = compose(session, session.get_one(Drill, run.drill_id), by_hand=run.by_hand, loss=loss)
    if composed.digest == run.digest:
        return held
    for row in held.steps.values():
        session.delete(row)
    session.flush()
    before = run.digest
    _copy(session, run, composed)
    tell(session, run, "run.configuration-changed", now=now, before=before, after=run.digest)
    return hold(session, run.id)


def try_start(session: Session, run_id: str, *, actor: Actor, now: datetime) -> Held:
    """Start if it may; else it stays planned, awaiting approval or queued, and is missed after its latest start."""
    held = hold(session, run_id)
    if held.run.ended is not None or held.run.started_at is not None or now < held.run.planned_at:
        return held
    try:
        return start(session, run_id, actor=actor, now=now)
    except Problem as reason:  # not yet approved, held by another, or its configuration can't be used now
        held = hold(session, run_id)
        _not_yet(session, held, reason, now)
        return held


def _not_yet(session: Session, held: Held, reason: Problem, now: datetime) -> None:
    run = held.run
    if isinstance(reason, NotApproved) and approval.stands(session, run, now=now) is Standing.DENIED:
        run.end_reason = {"code": reason.code, "text": words.of_problem(reason)}
        finish_run(session, held, RunState.DENIED, now=now, reason=str(reason))
        return
    run.queued_at = run.queued_at or (now if isinstance(reason, locks.EnvironmentBusy) else None)
    run.end_reason = {"code": reason.code, "text": words.of_problem(reason)}
    if run.latest_start_at is not None and now > run.latest_start_at:
        finish_run(session, held, RunState.MISSED, now=now, reason=str(reason))
        _tell_moment(session, run, reason, now)
        reminders.tell_missed(session, run, words.of_problem(reason), now=now)
        return
    if isinstance(reason, NotApproved):
        reminders.remind(session, run, now=now)
    held.refresh_state()
    session.add(run)


def _tell_moment(session: Session, run: Run, reason: Problem, now: datetime) -> None:
    moment = session.get(DrillMoment, run.moment_id) if run.moment_id else None
    if moment is not None:
        claiming.miss(session, moment, code=reason.code, reason=words.of_problem(reason), now=now)


def unstarted(session: Session) -> list[str]:
    """Ids of the runs that wait for their moment, their approvals or their locks."""
    waiting = select(Run.id).where(col(Run.started_at).is_(None), col(Run.ended).is_(None))
    return list(session.exec(waiting.order_by("planned_at")))
