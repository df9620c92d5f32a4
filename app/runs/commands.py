"""What people do to a run: each command asks the rules first, an illegal one answers 409 with the legal ones."""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from app.access.rules import SYSTEM, Actor
from app.core import audit
from app.core.db import locked
from app.core.errors import Conflict, FieldError, InvalidInput, NotAllowed, NotFound
from app.core.messages import say
from app.drills.models import Drill
from app.playbooks.rules import Choice, StepKind
from app.runs import activations, approval, facts, planning, takeover, taking_part
from app.runs.activation_shapes import ActivationIn, ThenActivateIn
from app.runs.finish import finish_run
from app.runs.models import EnvironmentLock, Run, StepRun
from app.runs.progress import advance
from app.runs.record import Approval, ApprovalVerdict, Decision
from app.runs.rules import Call, Command, Legal, Pause, RunState, StepState
from app.runs.view import Held, hold, set_ready, tell
from app.runs.words import ABORTED_BY_A_PERSON, own_words
from runners.contract import Repeat


class NotLegalNow(Conflict):
    """The run's state does not permit this command; `nextActions` names what is legal."""

    code = "command-not-legal"


def shown(legal: Legal) -> dict[str, str]:
    """One legal action as the API shows it."""
    return {"command": legal.command.value} | ({"step": legal.step} if legal.step else {})


def require(held: Held, command: Command, step: str | None = None) -> None:
    """Refuse a command that is not legal now."""
    legal = held.legal()
    if Legal(command, step) not in legal:
        raise NotLegalNow(
            say("'{command}' is not possible while the run is '{state}'.", command=command.value, state=held.run.state),
            nextActions=[shown(each) for each in legal],
        )


def _step(held: Held, step_id: str) -> StepRun:
    if step_id not in held.steps:
        raise NotFound(say("Run {run} has no step '{step}'.", run=held.run.ref, step=step_id))
    return held.steps[step_id]


def _note(
    session: Session, held: Held, command: Command, actor: Actor, reason: str, now: datetime, step: str | None = None
) -> None:
    """The decision, the event and the audit row of a command."""
    run = held.run
    session.add(
        Decision(
            run_id=run.id,
            step_id=step,
            question={"en": f"Command on {run.ref}", "nl": f"Opdracht voor {run.ref}"},
            chosen=command.value,
            decider=actor.ref,
            reason=reason,
            at=now,
            reversible=command in (Command.PAUSE, Command.RESUME),
        )
    )
    tell(session, run, f"command.{command.value}", now=now, step=step, actor=actor.ref, reason=reason)
    audit.record(session, actor.ref, f"run.{command.value}", "run", run.id, ref=run.ref, step=step, reason=reason)


def pause(session: Session, run_id: str, *, actor: Actor, reason: str, now: datetime) -> Held:
    """Start no further step; what runs is finished."""
    held = hold(session, run_id)
    require(held, Command.PAUSE)
    held.run.paused, held.run.pause_reason = Pause.OPERATOR, own_words(reason)
    _note(session, held, Command.PAUSE, actor, reason, now)
    advance(session, held, now=now)
    return held


def resume(session: Session, run_id: str, *, actor: Actor, reason: str, now: datetime) -> Held:
    """Go on after a pause; past the point of no return also after an abort, for from there only forward leads out."""
    held = hold(session, run_id)
    require(held, Command.RESUME)
    _require_looked(held, actor)
    run = held.run
    if run.aborting and run.paused is not Pause.RESTORED:
        run.aborting, run.abort_reason = False, {}
        for row in held.steps.values():
            _forget_stop(held, row)
    run.paused, run.pause_reason = None, {}
    _note(session, held, Command.RESUME, actor, reason, now)
    advance(session, held, now=now)
    return held


def _require_looked(held: Held, actor: Actor) -> None:
    if held.run.paused is Pause.RESTORED and actor.person_id is None:
        raise NotAllowed(say("This run came out of a backup. Only a person who looked can let it go on."))


def _forget_stop(held: Held, row: StepRun) -> None:
    step = held.playbook.step(row.step_id)
    stops = (Choice.STOP, Choice.UNDO)
    if step.kind is StepKind.DECIDE and row.chosen and step.effect(row.chosen).choice in stops:
        row.chosen = None


def retry(session: Session, run_id: str, step_id: str, *, actor: Actor, reason: str, now: datetime) -> Held:
    """Try a step again: a person's decision, so a new generation, unless its target checks the old key."""
    held = hold(session, run_id)
    row = _step(held, step_id)
    require(held, Command.RETRY, step_id)
    _note(session, held, Command.RETRY, actor, reason, now, step_id)
    row.takeovers = 0
    if row.state is StepState.UNDO_FAILED:
        row.state, row.call = row.before_undo or StepState.UNKNOWN, Call.RUN
        held.run.undoing, held.run.aborting = True, False
    elif held.playbook.step(step_id).kind is not StepKind.USES:
        row.state, row.chosen, row.by = StepState.NOT_STARTED, None, None
    else:
        if not (row.crashed and row.driver.get("repeat") == Repeat.KEYED):
            row.generation += 1
        row.crashed = row.crashed and row.driver.get("repeat") != Repeat.NEVER
        row.tries = 1
        set_ready(row, Call.RUN, now=now)
    advance(session, held, now=now)
    return held


def skip(session: Session, run_id: str, step_id: str, *, actor: Actor, reason: str, now: datetime) -> Held:
    """Pass over a step whose effect is not there; it shows in the verdict."""
    return _let_go(session, run_id, step_id, Command.SKIP, StepState.SKIPPED, actor=actor, reason=reason, now=now)


def ignore(session: Session, run_id: str, step_id: str, *, actor: Actor, reason: str, now: datetime) -> Held:
    """Go on after a failed step, or take a failed undo as done by hand; it shows in the verdict."""
    held = hold(session, run_id)
    failed_undo = _step(held, step_id).state is StepState.UNDO_FAILED
    state = StepState.UNDONE if failed_undo else StepState.IGNORED
    return _let_go(session, run_id, step_id, Command.IGNORE, state, actor=actor, reason=reason, now=now)


def fence_by_hand(session: Session, run_id: str, step_id: str, *, actor: Actor, reason: str, now: datetime) -> Held:
    """A named person vouches that a side is fenced where nobody could look; what looked and saw it live is no case."""
    held = hold(session, run_id)
    row = _step(held, step_id)
    require(held, Command.FENCE_BY_HAND, step_id)
    if actor.person_id is None:
        raise NotAllowed(say("Only a person can vouch that a side is fenced."))
    for fact in row.driver.get("provides", ()):
        facts.note(session, held.run, fact, holds=True, step_id=step_id, now=now, signed_by=actor.ref)
    given: dict[str, Any] = {"actor": actor, "reason": reason, "now": now}
    return _let_go(session, run_id, step_id, Command.FENCE_BY_HAND, StepState.IGNORED, **given)


def _let_go(
    session: Session,
    run_id: str,
    step_id: str,
    command: Command,
    state: StepState,
    *,
    actor: Actor,
    reason: str,
    now: datetime,
) -> Held:
    held = hold(session, run_id)
    row = _step(held, step_id)
    require(held, command, step_id)
    row.state, row.by, row.comment, row.retry_at, row.due_at = state, actor.ref, reason, None, None
    row.finished_at = row.finished_at or now
    _note(session, held, command, actor, reason, now, step_id)
    advance(session, held, now=now)
    return held


def undo(session: Session, run_id: str, *, actor: Actor, reason: str, now: datetime) -> Held:
    """Take back what was started, in reverse order; what runs now is stopped and looked at first."""
    held = hold(session, run_id)
    require(held, Command.UNDO)
    _require_looked(held, actor)
    held.run.undoing, held.run.aborting, held.run.paused = True, False, None
    for row in held.steps.values():
        if row.state is StepState.UNDO_FAILED:
            row.state, row.call = row.before_undo or StepState.UNKNOWN, Call.RUN
    _note(session, held, Command.UNDO, actor, reason, now)
    advance(session, held, now=now)
    return held


def abort(session: Session, run_id: str, *, actor: Actor, reason: str, now: datetime) -> Held:
    """Stop now: no new step, what runs is killed and looked at; unfinished while any change stands.

    Who stops a run that came out of a backup has not looked: it stays held until a person takes it over.
    """
    held = hold(session, run_id)
    require(held, Command.ABORT)
    run = held.run
    _note(session, held, Command.ABORT, actor, reason, now)
    if run.started_at is None:
        finish_run(session, held, RunState.ABORTED, now=now, reason=reason)
        return held
    run.aborting, run.undoing = True, False
    run.paused = run.paused if run.paused is Pause.RESTORED else None
    run.abort_reason = own_words(reason) or ABORTED_BY_A_PERSON
    for row in held.steps.values():
        if row.call is Call.UNDO and row.state in (StepState.READY, StepState.WAITING):
            row.state, row.call = row.before_undo or StepState.UNKNOWN, Call.RUN
    advance(session, held, now=now)
    return held


def leave(session: Session, run_id: str, *, actor: Actor, reason: str, now: datetime) -> Held:
    """End a run as it stands, with a reason: what stands becomes an obligation, its locks stay."""
    held = hold(session, run_id)
    require(held, Command.LEAVE)
    _note(session, held, Command.LEAVE, actor, reason, now)
    finish_run(session, held, RunState.ABORTED, now=now, reason=reason)
    return held


def this_is_real(
    session: Session,
    run_id: str,
    *,
    actor: Actor,
    reason: str,
    now: datetime,
    then_activate: ThenActivateIn | None = None,
) -> Held:
    """A real disaster during a drill: it stops at once, is marked, waits for no cleanup, and frees what it locks.

    With `then_activate` the same plan is put to work in this same transaction; where that is refused the drill goes on
    as if nothing was said. Raises the refusals of `activations.start`.
    """
    held = hold(session, run_id)
    require(held, Command.THIS_IS_REAL)
    if then_activate is not None:
        _require_reason(reason)
    _note(session, held, Command.THIS_IS_REAL, actor, reason, now)
    left = takeover.stop_as_real(session, held, now=now, reason=reason)
    if then_activate is not None:
        data = _activation_of(session, held.run, then_activate, reason, now)
        activations.start(session, data, actor=actor, now=now, drill_run=held.run, carried=left)
    return held


def _require_reason(reason: str) -> None:
    if not reason.strip():
        text = say("Say what happened: it is kept with the activation.")
        raise InvalidInput(text, errors=[FieldError("reason", "reason-required", text)])


def _activation_of(session: Session, run: Run, told: ThenActivateIn, reason: str, now: datetime) -> ActivationIn:
    """What is told of the activation, with what the drill knows already: plan, pair, scenario, who plays which role."""
    drill = session.get_one(Drill, run.drill_id)
    given = told.model_dump()
    given["plan"], given["reason"], given["alarm_at"] = run.plan_id, reason[:200], told.alarm_at or now
    given["pair"] = told.pair or run.pair_id
    given["scenario"] = told.scenario or drill.scenario
    given["participants"] = told.participants or [
        {"person_id": each.person_id, "role": each.role} for each in taking_part.of(session, run)
    ]
    return ActivationIn.model_validate(given)


def approve(
    session: Session,
    run_id: str,
    *,
    actor: Actor,
    verdict: ApprovalVerdict,
    digest: str,
    comment: str,
    valid_until: datetime | None,
    now: datetime,
    valid_from: datetime | None = None,
) -> Approval:
    """One person's yes or no to a run; a deny ends a run that has not begun, the last yes starts one that is due."""
    held = hold(session, run_id)
    if held.run.started_at is None:
        require(held, Command.APPROVE if held.run.state is RunState.AWAITING_APPROVAL else Command.DENY)
    elif held.run.ended is not None:
        require(held, Command.APPROVE)
    drill = session.get_one(Drill, held.run.drill_id)
    row = approval.give(
        session,
        drill,
        held.run,
        actor,
        verdict,
        digest=digest,
        comment=comment,
        now=now,
        valid_from=valid_from,
        valid_until=valid_until,
    )
    tell(session, held.run, f"approval.{verdict.value}", now=now, actor=actor.ref, comment=comment)
    if held.run.started_at is None:
        planning.try_start(session, run_id, actor=SYSTEM, now=now)  # who says yes starts nothing: the clock does
    return row


def release_lock(session: Session, key: str, *, actor: Actor, reason: str, now: datetime) -> EnvironmentLock:
    """Free an environment whose run is over but left something standing; a living run keeps its lock."""
    row: EnvironmentLock | None = locked(session, EnvironmentLock, key)
    if row is None:
        raise NotFound(say("There is no lock '{key}'.", key=key))
    run = session.get(Run, row.run_id) if row.run_id else None
    if run is not None and run.ended is None:
        raise NotLegalNow(say("Run {run} is not over. End it first.", run=run.ref), heldBy=run.ref)
    row.run_id, row.since = None, None
    session.add(row)
    if run is not None:
        tell(session, run, "lock.released", now=now, actor=actor.ref, key=key, reason=reason)
    audit.record(session, actor.ref, "environment.released", "environment_lock", key, reason=reason)
    return row
