"""Gives the real thing its way: drills that hold its environments stop at once, are marked, and lose their locks."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from app.access.rules import Actor
from app.core import audit
from app.core.messages import say
from app.runs import locks, words
from app.runs.finish import finish_run
from app.runs.locks import EnvironmentBusy
from app.runs.models import EnvironmentLock, Run, StepRun
from app.runs.rules import RunState, StepState
from app.runs.view import Held, hold, tell
from runners.contract import Verdict

TAKEN_OVER = "run.taken-over"
"""Event of a drill that had to make room; its detail names the activation."""
_UNSURE = (StepState.STARTED, StepState.UNKNOWN, StepState.TIMED_OUT)


def stop_as_real(session: Session, held: Held, *, now: datetime, reason: str) -> list[dict[str, Any]]:
    """End a drill as it stands: marked, not cleaned up, its locks free and its token worth nothing any more.

    What it may have left in the world, to be looked at first.
    """
    run = held.run
    for row in held.steps.values():
        _let_go(row, now)
    left = left_standing(held)
    run.real, run.alarm_at = True, run.alarm_at or now
    finish_run(session, held, RunState.ABORTED, now=now, reason=reason)
    locks.release(session, run)
    return left


def _let_go(row: StepRun, now: datetime) -> None:
    """What was asked or about to begin is not done; what had begun has no outcome, and its body is killed."""
    if row.state in (StepState.READY, StepState.WAITING):
        row.state, row.due_at = StepState.NOT_STARTED, None
    elif row.state is StepState.STARTED:
        row.state, row.crashed, row.finished_at, row.verdict = StepState.UNKNOWN, True, now, Verdict.UNKNOWN
        row.outcome = {"verdict": Verdict.UNKNOWN.value, "reason": words.STOPPED_IN_THE_MIDDLE, "measurements": []}


def left_standing(held: Held) -> list[dict[str, Any]]:
    """Each step of which the change stands, or may stand, and what ended without anybody having seen how."""
    found = []
    for fact in held.facts():
        row, step = held.steps[fact.id], held.playbook.step(fact.id)
        if fact.stands or (fact.effect is not None and row.intended and row.state in _UNSURE):
            title = step.title.model_dump() if step.title else {"nl": step.id, "en": step.id}
            found.append(
                {
                    "run": held.run.ref,
                    "step": fact.id,
                    "title": title,
                    "state": row.state.value,
                    "sides": list(row.driver.get("sides", ())),
                }
            )
    return found


def clear_way(session: Session, run: Run, *, actor: Actor, now: datetime) -> list[dict[str, Any]]:
    """Stop whatever holds an environment that this activation needs; what that may have left in the world.

    Raises EnvironmentBusy where another activation holds it: that one is as real.
    """
    wanted = select(EnvironmentLock.run_id).where(col(EnvironmentLock.key).in_(run.lock_keys))
    holders = {each for each in session.exec(wanted) if each is not None and each != run.id}
    left: list[dict[str, Any]] = []
    for run_id in sorted(holders):
        held = hold(session, run_id)
        _refuse_other_activation(held.run)
        if held.run.ended is None:
            tell(session, held.run, TAKEN_OVER, now=now, actor=actor.ref, by=run.ref)
            left += stop_as_real(session, held, now=now, reason=f"taken over by {run.ref}")
        else:
            left += left_standing(held)
            tell(session, held.run, "lock.released", now=now, actor=actor.ref, reason=f"taken over by {run.ref}")
            locks.release(session, held.run)
        audit.record(
            session, actor.ref, "run.taken-over", "run", held.run.id, ref=held.run.ref, by=run.ref, left=len(left)
        )
    return left


def refuse_second(session: Session, run: Run) -> None:
    """Refuse an activation beside another one of the same environments that is not over, also where that one waits.

    Two that wait could both be approved, each by people who do not know of the other. Raises EnvironmentBusy. Runs are
    numbered one at a time, so that whoever comes second sees the first.
    """
    others = select(Run).where(Run.activation, col(Run.ended).is_(None), Run.id != run.id)
    for other in session.exec(others.order_by(col(Run.created_at))):
        if _same_ground(run, other):
            _refuse_other_activation(other)


def _same_ground(run: Run, other: Run) -> bool:
    """Whether they need an environment that is the same; where one of them locks none, whether the service is."""
    if run.lock_keys and other.lock_keys:
        return not set(run.lock_keys).isdisjoint(other.lock_keys)
    return run.service_id == other.service_id


def _refuse_other_activation(holder: Run) -> None:
    if holder.activation and holder.started_at is None and holder.ended is None:
        reason = say(
            "Activation {run} waits for its approval for the same environments. Have that one approved, or cancel it.",
            run=holder.ref,
        )
        raise EnvironmentBusy(reason, heldBy=holder.ref)
    if holder.activation and holder.ended is None:
        reason = say("Activation {run} is under way here already. Go on in that one, or end it first.", run=holder.ref)
        raise EnvironmentBusy(reason, heldBy=holder.ref)
