"""Carries out the planner's moves on the rows of a held run, until there is nothing left to move."""

from datetime import datetime, timedelta

from sqlmodel import Session

from app.playbooks.references import parse, resolve
from app.playbooks.rules import Choice, Step, StepKind, waits_until
from app.runs import debts, facts, wakeup, words
from app.runs.finish import finish_run, write_complete_proofs
from app.runs.models import StepRun
from app.runs.planner import Moves, next_moves
from app.runs.record import Decision
from app.runs.rules import Call, Pause, StepState
from app.runs.view import Held, set_ready, tell
from app.runs.work import ReadyStep
from runners.contract import Effect, Repeat, Verdict

LOST_SIDE = "lost-side"
_SKIPPED = {"unattended": words.UNATTENDED, "passed-over": words.PASSED_OVER}


def advance(session: Session, held: Held, *, now: datetime) -> list[ReadyStep]:
    """Apply the planner's moves, refresh the stored state, and answer which step attempts are now ready."""
    before = {(row.id, row.attempt) for row in held.steps.values() if row.state is StepState.READY}
    while moves := next_moves(held.playbook, held.now(), held.flags, now):
        _apply(session, held, moves, now)
        if moves.over is not None:
            finish_run(session, held, moves.over, now=now)
            break
    write_complete_proofs(session, held, now=now)
    debts.incur(session, held, now=now)
    held.refresh_state()
    ready = [row for row in held.steps.values() if row.state is StepState.READY]
    if ready:
        wakeup.after(session, held.run.id)
    return [as_ready(row) for row in ready if (row.id, row.attempt) not in before]


def as_ready(row: StepRun) -> ReadyStep:
    """The row as the engine takes it."""
    return ReadyStep(row.id, row.run_id, row.site, row.attempt)


def _apply(session: Session, held: Held, moves: Moves, now: datetime) -> None:
    if moves.turn is not None:
        _turn(session, held, moves.turn, now)
    for step_id in moves.withdraw:
        withdraw(held.steps[step_id], now=now)
    for step_id in (*moves.start, *moves.repeat):
        _make_ready(session, held, step_id, now)
    for step_id in moves.open:
        _open(session, held, step_id, now)
    for step_id, why in moves.skip:
        _pass_over(session, held, step_id, why, now)
    for step_id, option in moves.choose:
        decide(session, held, step_id, option, by="system", reason="", now=now)
    for step_id in moves.again:
        _start_afresh(held.steps[step_id])
    for step_id in moves.ignore:
        _settle(session, held, step_id, StepState.IGNORED, now)
    for step_id in moves.elapsed:
        _settle(session, held, step_id, StepState.SUCCEEDED, now)
    for step_id in moves.time_out:
        _settle(session, held, step_id, StepState.TIMED_OUT, now, why=words.NOBODY_ANSWERED)
    if moves.undo is not None:
        _take_back(session, held, moves.undo, now)


def _pass_over(session: Session, held: Held, step_id: str, why: str, now: datetime) -> None:
    """Skip a step; for a lost side the reason says who said so, and that person stands for it."""
    row = held.steps[step_id]
    said = row.driver.get("lost") or {}
    if why == LOST_SIDE:
        row.by = said["by"]
    _settle(session, held, step_id, StepState.SKIPPED, now, why=_SKIPPED.get(why) or said["reason"])


def _turn(session: Session, held: Held, choice: Choice, now: datetime) -> None:
    run = held.run
    if choice is Choice.UNDO:
        run.undoing = True
    else:
        run.aborting = True
        run.abort_reason = run.abort_reason or words.DECIDED_TO_STOP
    tell(session, run, f"run.{'undoing' if run.undoing else 'aborting'}", now=now, reason=run.abort_reason)


def withdraw(row: StepRun, *, now: datetime) -> None:
    """Take a step out of the queue; one whose earlier intent has no outcome yet is looked at instead."""
    if row.state is StepState.STARTED or row.crashed:
        look_or_ask(row, now=now)
    elif row.state in (StepState.READY, StepState.WAITING):
        row.state, row.due_at = StepState.NOT_STARTED, None


def look_or_ask(row: StepRun, *, now: datetime) -> None:
    """After an intent without an outcome: look whether the effect is there, or leave it unknown to a person."""
    if row.call is Call.UNDO:
        row.state = StepState.UNDO_FAILED
        return
    row.crashed = True
    if row.effect is Effect.OBSERVES or row.driver.get("repeat") == Repeat.NEVER or row.call is Call.LOOK:
        row.state, row.finished_at = StepState.UNKNOWN, now
    else:
        set_ready(row, Call.LOOK, now=now)


def _make_ready(session: Session, held: Held, step_id: str, now: datetime) -> None:
    row = held.steps[step_id]
    row.tries += 1
    row.takeovers = 0
    set_ready(row, Call.RUN, now=now)
    tell(session, held.run, "step.ready", now=now, step=step_id)


def _open(session: Session, held: Held, step_id: str, now: datetime) -> None:
    row, step = held.steps[step_id], held.playbook.step(step_id)
    if not facts_hold(session, held, row, now) or not owes_nothing(session, held, row, now):
        return
    row.state, row.call, row.opened_at = StepState.WAITING, Call.RUN, now
    row.attempt += 1
    row.due_at = _due(held, step, now)
    if row.effect is Effect.CHANGES:
        intend(held, row, now=now)
        facts.disturb(session, held.run, row)
    tell(session, held.run, "step.opened", now=now, step=step_id, dueAt=row.due_at)


def facts_hold(session: Session, held: Held, row: StepRun, now: datetime) -> bool:
    """Whether the step's safety facts are fresh; else those who can look are asked again, and the step waits for them.

    Where nobody can look again the step fails: it never goes on without them.
    """
    missing = facts.missing(session, held.run, row, now=now)
    if not missing:
        return True
    lookers = [each for each in held.steps.values() if _can_look_again(each, missing)]
    if set(missing) <= {fact for each in lookers for fact in each.driver.get("provides", ())}:
        row.state = StepState.NOT_STARTED
        for each in lookers:
            set_ready(each, Call.RUN, now=now)
    else:
        names = ", ".join(sorted(missing))
        fail(row, f"niet (recent) bewezen: {names}", f"not proven, or not lately: {names}", now)
    return False


def owes_nothing(session: Session, held: Held, row: StepRun, now: datetime) -> bool:
    """Whether nothing is owed to a side that this step would let take part again; else the run pauses with why."""
    why = debts.bar(session, held, row, now=now)
    if why is not None:
        held.run.paused, held.run.pause_reason = Pause.GUARD, why
        tell(session, held.run, "run.paused", now=now, step=row.step_id, reason=why)
    return why is None


def _can_look_again(row: StepRun, missing: list[str]) -> bool:
    looks = row.effect is Effect.OBSERVES and row.state in (StepState.SUCCEEDED, StepState.WARNING)
    return looks and bool(set(missing) & set(row.driver.get("provides", ())))


def fail(row: StepRun, nl: str, en: str, now: datetime) -> None:
    """Fail a step before its effect was begun, with the reason."""
    row.state, row.finished_at, row.verdict = StepState.FAILED, now, Verdict.FAILED
    row.outcome = {"verdict": Verdict.FAILED.value, "reason": {"nl": nl, "en": en}, "measurements": []}


def _due(held: Held, step: Step, now: datetime) -> datetime | None:
    if step.kind is not StepKind.WAIT:
        return now + timedelta(seconds=step.timeout) if step.timeout else None
    until = waits_until(step, now)
    if until is not None or step.wait is None:
        return until
    value = step.wait.for_ if step.wait.for_ is not None else step.wait.until
    found = resolve(value, held.inputs(), {}) if parse(value) else value
    return now + timedelta(seconds=found) if isinstance(found, int) else datetime.fromisoformat(str(found))


def intend(held: Held, row: StepRun, *, now: datetime) -> None:
    """Note that from now on the step's effect may be there."""
    row.intent_at = now
    row.first_intent_at = row.first_intent_at or now
    row.order = row.order or 1 + max(each.order for each in held.steps.values())
    row.intended, row.absent = True, False


def _settle(
    session: Session,
    held: Held,
    step_id: str,
    state: StepState,
    now: datetime,
    *,
    comment: str = "",
    why: words.Words | None = None,
) -> None:
    """Settle a step that no driver settles; `why`: the system's reason, `comment`: a person's."""
    row = held.steps[step_id]
    row.state, row.finished_at, row.due_at, row.retry_at = state, now, None, None
    row.comment = comment or row.comment
    row.by = row.by or "system"
    if why is not None:
        row.outcome = row.outcome | {"reason": why}
    tell(session, held.run, f"step.{state.value}", now=now, step=step_id, comment=comment, reason=why)


def decide(session: Session, held: Held, step_id: str, option: str, *, by: str, reason: str, now: datetime) -> None:
    """Write the outcome of a `decide` step: the option, who, why; what it does is for the planner."""
    row, step = held.steps[step_id], held.playbook.step(step_id)
    row.chosen, row.by = option, by
    if row.opened_at is None:
        row.opened_at = now
    _settle(session, held, step_id, StepState.SUCCEEDED, now, comment=reason)
    question = step.decide.model_dump() if step.decide else {}
    session.add(
        Decision(
            run_id=held.run.id,
            step_id=step_id,
            question=question,
            options=list(step.options),
            chosen=option,
            decider=by,
            mandate=step.role or "",
            reason=reason,
            at=now,
        )
    )


def _start_afresh(row: StepRun) -> None:
    row.state, row.call, row.chosen, row.by, row.comment = StepState.NOT_STARTED, Call.RUN, None, None, ""
    row.generation += 1
    row.tries, row.crashed, row.retry_at, row.due_at, row.opened_at = 0, False, None, None, None


def _take_back(session: Session, held: Held, step_id: str, now: datetime) -> None:
    row, step = held.steps[step_id], held.playbook.step(step_id)
    row.before_undo = row.before_undo or row.state
    row.takeovers = 0
    if step.kind is StepKind.USES:
        set_ready(row, Call.UNDO, now=now)
    else:
        row.state, row.call, row.opened_at = StepState.WAITING, Call.UNDO, now
        row.attempt += 1
    tell(session, held.run, "step.undoing", now=now, step=step_id)
