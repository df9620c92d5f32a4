"""Steps whose worker was lost: given back to their sites, as what the runner's `repeat` permits."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from app.runs import locks
from app.runs.leases import WorkerLease
from app.runs.models import StepRun
from app.runs.progress import advance, as_ready, look_or_ask
from app.runs.rules import Call, StepState
from app.runs.steps import FRUITLESS, POISON, held_step
from app.runs.view import Held, hold, set_ready, tell
from app.runs.work import ReadyStep
from runners.contract import Effect, Repeat, Text, Verdict


def take_over(session: Session, boot_ids: Sequence[str], *, now: datetime) -> list[ReadyStep]:
    """Give the unfinished attempts of dead processes back to their sites, as what the runner's `repeat` permits."""
    wanted = select(StepRun).where(StepRun.state == StepState.STARTED, col(StepRun.boot_id).in_(list(boot_ids)))
    found = {row.run_id: row.id for row in session.exec(wanted)}
    ready: list[ReadyStep] = []
    for run_id in sorted(found):
        held = hold(session, run_id)
        for row in held.steps.values():
            if row.state is StepState.STARTED and row.boot_id in boot_ids:
                _take_over(session, held, row, now)
        locks.renew(session, held.run)
        advance(session, held, now=now)
        ready += [as_ready(row) for row in held.steps.values() if row.state is StepState.READY]
    return ready


def left_behind(session: Session) -> list[str]:
    """Boot ids of processes that ended or were held for dead, and still have a step under way.

    One that was held for dead while it began a step leaves such a step: whoever buried it could not see it yet.
    """
    wanted = (
        select(WorkerLease.boot_id)
        .join(StepRun, col(StepRun.boot_id) == col(WorkerLease.boot_id))
        .where(StepRun.state == StepState.STARTED, col(WorkerLease.ended_at).is_not(None))
    )
    return sorted(set(session.exec(wanted)))


def orphans(session: Session, boot_id: str) -> list[tuple[str, int]]:
    """The attempts that a process has begun and not finished, by id and number."""
    wanted = select(StepRun.id, StepRun.attempt).where(StepRun.state == StepState.STARTED, StepRun.boot_id == boot_id)
    return [(step_run_id, attempt) for step_run_id, attempt in session.exec(wanted)]


def give_up(session: Session, step_run_id: str, attempt: int, *, now: datetime) -> list[ReadyStep]:
    """Treat an attempt that its own process lost hold of as one whose worker died; what became ready."""
    held, row = held_step(session, step_run_id)
    if row.attempt != attempt or row.state is not StepState.STARTED:
        return []
    _take_over(session, held, row, now)
    locks.renew(session, held.run)
    advance(session, held, now=now)
    return [as_ready(each) for each in held.steps.values() if each.state is StepState.READY]


def cannot_begin(session: Session, step_run_id: str, attempt: int, *, now: datetime) -> None:
    """Park an attempt that could not even be begun, time and again: a bug, or rows that this version cannot read."""
    reason = Text(
        nl=f"De stap kon {FRUITLESS} keer niet worden begonnen. Kijk in het logboek van de werker.",
        en=f"The step could not be begun, {FRUITLESS} times. Look in the log of the worker.",
    )
    if (parked := _parked(session, step_run_id, attempt, reason, now)) is not None:
        held, row = parked
        tell(session, held.run, f"step.{row.state.value}", now=now, step=row.step_id, reason=reason)
        advance(session, held, now=now)


def nobody_there(session: Session, step_run_id: str, attempt: int, *, now: datetime) -> None:
    """No worker lives at the step's site: it could not be looked or done, and is never passed by itself."""
    site = session.get_one(StepRun, step_run_id).site
    reason = Text(
        nl=f"Er is geen werker op locatie {site}. Er kon niet worden gekeken.",
        en=f"There is no worker at site {site}. It was not possible to look.",
    )
    if (parked := _parked(session, step_run_id, attempt, reason, now)) is not None:
        held, row = parked
        tell(session, held.run, "step.nobody-there", now=now, step=row.step_id, reason=reason, site=site)
        advance(session, held, now=now)


def _parked(
    session: Session, step_run_id: str, attempt: int, reason: Text, now: datetime
) -> tuple[Held, StepRun] | None:
    """Not known whether it was done, as before this attempt: a person decides; None where it is past that."""
    held, row = held_step(session, step_run_id)
    if row.attempt != attempt or row.state is not StepState.READY:
        return None
    if row.call is Call.UNDO:
        row.state, row.outcome = StepState.UNDO_FAILED, row.outcome | {"reason": reason.model_dump()}
    else:
        row.state, row.verdict, row.finished_at = StepState.UNKNOWN, Verdict.UNKNOWN, now
        row.outcome = {"verdict": Verdict.UNKNOWN.value, "reason": reason.model_dump(), "measurements": []}
    return held, row


def _take_over(session: Session, held: Held, row: StepRun, now: datetime) -> None:
    row.takeovers += 1
    row.boot_id = row.executor = None
    tell(session, held.run, "step.worker-lost", now=now, step=row.step_id, times=row.takeovers)
    stopping = held.run.aborting or (held.run.undoing and row.call is Call.RUN)
    repeatable = row.effect is Effect.OBSERVES or row.driver.get("repeat") != Repeat.NEVER
    if row.takeovers >= POISON or not repeatable:
        row.crashed, row.finished_at = True, now
        row.state = StepState.UNDO_FAILED if row.call is Call.UNDO else StepState.UNKNOWN
    elif stopping:
        look_or_ask(row, now=now)
    else:
        row.crashed = True
        set_ready(row, row.call, now=now)
