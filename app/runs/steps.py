"""What the engine calls: the next ready attempts, the intent, the look, the outcome; each in the caller's transaction.

Every function that changes a step holds the row lock of its run first, so that a command of a person and the
outcome of a step can't cross.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, or_, select

from app.core.db import locked
from app.playbooks.references import Unresolved
from app.runs import approval, assignment, facts, leases, locks, restored, wakeup, words
from app.runs.models import EvidenceFile, Run, Stay, StepRun
from app.runs.outcomes import adopt, no_outcome, plan_retry, settle
from app.runs.progress import advance, as_ready, facts_hold, fail, intend, owes_nothing
from app.runs.rules import Call, Pause, StepState
from app.runs.view import Held, hold, tell
from app.runs.work import AfterLook, Owner, ReadyStep, StoredFile, Work
from runners.contract import Effect, Observation, Outcome, Seen, Text, Verdict

LONGEST_LOG = 200_000
POISON = 5
"""So many workers lost over one step: it is parked for a person."""
SUSPECT = POISON - 1
"""From here on it is tried alone, for which others wait: so not yet where a worker was killed thrice from outside."""
FRUITLESS = 3
"""So many beginnings of one attempt that failed: it is parked for a person."""


def ready_steps(session: Session, sites: frozenset[str] | None) -> list[ReadyStep]:
    """Attempts that nobody has taken, of runs that may go on; `sites` None: every site."""
    wanted = (
        select(StepRun)
        .join(Run, col(Run.id) == col(StepRun.run_id))
        .where(StepRun.state == StepState.READY, col(Run.ended).is_(None))
        .where(or_(col(Run.paused).is_(None), StepRun.call != Call.RUN))
        .order_by("ready_at")
    )
    if sites is not None:
        wanted = wanted.where(col(StepRun.site).in_(sites))
    rows = session.exec(wanted).all()
    suspects = [row for row in rows if row.takeovers >= SUSPECT]
    if not suspects:
        return [as_ready(row) for row in rows]
    alone = _one_a_site(session, suspects)
    return [as_ready(row) for row in rows if row.takeovers < SUSPECT or row.id in alone]


def _one_a_site(session: Session, suspects: Sequence[StepRun]) -> set[str]:
    """Of the steps that lost nearly as many workers as are allowed, one at a time: so the one that kills is found out.

    What only stood beside it when its worker died then goes on, and is not parked with it.
    """
    busy = select(StepRun.site).where(StepRun.state == StepState.STARTED, StepRun.takeovers >= SUSPECT)
    taken, alone = set(session.exec(busy)), set()
    for row in suspects:
        if row.site not in taken:
            taken.add(row.site)
            alone.add(row.id)
    return alone


def begin(session: Session, step_run_id: str, attempt: int, *, owner: Owner, now: datetime) -> Work | None:
    """Write the intent (ready → started) and answer what to do; None where there is nothing to do any more.

    Refuses without an effect when the run stopped, lost its lock or its approval, or a safety fact is missing or old.
    """
    held, row = held_step(session, step_run_id)
    return _begin(session, held, row, attempt, owner, now)


def _begin(session: Session, held: Held, row: StepRun, attempt: int, owner: Owner, now: datetime) -> Work | None:
    if row.attempt != attempt or row.state is not StepState.READY or held.run.ended is not None:
        return None
    with session.no_autoflush:  # what is read by it is not written here, and what is gets written at once at the end
        buried = leases.is_buried(session, owner.boot_id)
    if buried:
        return None  # others hold this process for dead: what it began now, nobody would take over
    if row.call is Call.RUN and not _may_start(session, held, row, now):
        return None
    try:
        work = assignment.work(held, row, now)
    except Unresolved as missing:
        fail(row, f"{missing} heeft geen waarde", f"{missing} has no value", now)
        advance(session, held, now=now)
        return None
    row.state, row.boot_id, row.executor = StepState.STARTED, owner.boot_id, owner.executor_id
    if row.call is Call.RUN:
        intend(held, row, now=now)
        facts.disturb(session, held.run, row)
    row.intent_at = now
    row.progress, row.outcome = {}, row.outcome if row.call is not Call.RUN else {}
    tell(session, held.run, "step.started", now=now, step=row.step_id, call=row.call, attempt=attempt)
    held.refresh_state()
    session.add(row)
    return work


def observed(
    session: Session, step_run_id: str, attempt: int, observation: Observation, *, owner: Owner, now: datetime
) -> AfterLook:
    """What follows from looking first: the work that is still to be done, or the step settled by what was seen."""
    held, row = held_step(session, step_run_id)
    if not _ours(row, attempt, owner):
        return AfterLook()
    tell(session, held.run, "step.observed", now=now, step=row.step_id, seen=observation.seen)
    if _still_to_do(held, row, observation):
        if row.call is Call.RUN:
            row.generation += 1  # it was looked for and is not there: a new effect, under a new key
            row.crashed = False
        session.add(row)
        return AfterLook(work=assignment.work(held, row, now, looked=True))
    adopt(row, observation, now)
    tell(session, held.run, f"step.{row.state.value}", now=now, step=row.step_id, reason=row.outcome.get("reason"))
    facts.remember(session, held.run, row, row.verdict, now=now)
    return AfterLook(ready=tuple(advance(session, held, now=now)))


def finish(
    session: Session,
    step_run_id: str,
    attempt: int,
    outcome: Outcome | None,
    *,
    owner: Owner,
    now: datetime,
    evidence: Sequence[StoredFile] = (),
    error: Text | None = None,
) -> list[ReadyStep]:
    """Write the outcome (started → its end), plan on, and answer what became ready.

    Without an outcome the step is unknown: a changing one is looked at next. An attempt that is not this owner's any
    more writes nothing; where it was settled by a look, what is ready now is answered.
    """
    held, row = held_step(session, step_run_id)
    return _finish(session, held, row, attempt, Ending(outcome, tuple(evidence), error), owner, now)


@dataclass(frozen=True)
class Ending:
    """What came of an attempt: an outcome or the reason why there is none, and the files that show it."""

    outcome: Outcome | None
    evidence: tuple[StoredFile, ...] = ()
    error: Text | None = None


def is_begun(session: Session, work: Work, owner: Owner) -> bool:
    """Whether this owner's intent for that attempt stands in the rows, and nothing came after it.

    Under the lock of the run: a commit of which only the answer was lost may be under way still.
    """
    locked(session, Run, work.run_id)
    row = session.get(StepRun, work.step_run_id, populate_existing=True)
    return row is not None and _ours(row, work.attempt, owner)


def finish_and_begin(
    session: Session, work: Work, ending: Ending, *, owner: Owner, sites: frozenset[str] | None, now: datetime
) -> Work | None:
    """Write the outcome as `finish` does and the intent of the next step of these sites, in one hold of the run.

    `sites` None: every site. What is ready and was not begun here is dispatched after the commit.
    """
    held = hold(session, work.run_id)
    row = next(each for each in held.steps.values() if each.id == work.step_run_id)
    for ready in _finish(session, held, row, work.attempt, ending, owner, now):
        if sites is None or ready.site in sites:
            following = next(each for each in held.steps.values() if each.id == ready.step_run_id)
            begun = _begin(session, held, following, ready.attempt, owner, now)
            if begun is not None:
                if all(each.state is not StepState.READY for each in held.steps.values()):
                    wakeup.spare(session, held.run.id)  # nothing is left to dispatch, and the next body waits for us
                return begun
    return None


def _finish(
    session: Session, held: Held, row: StepRun, attempt: int, ending: Ending, owner: Owner, now: datetime
) -> list[ReadyStep]:
    outcome = ending.outcome
    if not _ours(row, attempt, owner):
        return [as_ready(each) for each in held.steps.values() if each.state is StepState.READY]
    for each in ending.evidence:
        session.add(_file(held, row, each, now))
    if outcome is None:
        no_outcome(row, ending.error, now)
    else:
        settle(row, outcome, now)
        facts.remember(session, held.run, row, outcome.verdict, now=now)
    plan_retry(held, row, now)
    tell(session, held.run, f"step.{row.state.value}", now=now, step=row.step_id, reason=row.outcome.get("reason"))
    return advance(session, held, now=now)


def kill_wanted(session: Session, step_run_id: str, attempt: int) -> bool:
    """Whether this body must be killed now: its run was aborted or ended, or is being undone while it still runs.

    So must one whose attempt was given to another body.

    An undo runs on while its run is undoing, and a mere look is never killed: it is how the run gets to know.
    """
    row = session.get(StepRun, step_run_id, populate_existing=True)
    run = session.get(Run, row.run_id, populate_existing=True) if row else None
    if row is None or run is None or run.ended is not None or row.state is not StepState.STARTED:
        return True
    if row.attempt != attempt:
        return True
    return row.call is not Call.LOOK and (run.aborting or (run.undoing and row.call is Call.RUN))


def active_runs(session: Session) -> set[str]:
    """Ids of the runs that have begun and are not over, or whose stay is still looked at."""
    begun = select(Run.id).where(col(Run.started_at).is_not(None), col(Run.ended).is_(None))
    staying = select(Stay.run_id).where(col(Stay.ended_at).is_(None))
    return {*session.exec(begun), *session.exec(staying)}


def note(
    session: Session,
    step_run_id: str,
    attempt: int,
    *,
    lines: Sequence[str],
    progress: dict[str, Any] | None,
    now: datetime,
) -> None:
    """Add log lines and progress of a running body to its step; log text is capped, the rest is in the evidence.

    Of a body that is not at it any more only the log is kept: no event may follow the outcome of its step.
    """
    held, row = held_step(session, step_run_id)
    at_it = row.attempt == attempt and row.state is StepState.STARTED
    if lines:
        row.log = (row.log + "".join(f"{line}\n" for line in lines))[-LONGEST_LOG:]
    if progress is not None and at_it:
        row.progress = dict(progress)
    session.add(row)
    if at_it:
        tell(session, held.run, "step.progress", now=now, step=row.step_id, progress=progress, lines=len(lines))


def held_step(session: Session, step_run_id: str) -> tuple[Held, StepRun]:
    """A step and its run, under the run's lock."""
    run_id = session.exec(select(StepRun.run_id).where(StepRun.id == step_run_id)).one()
    held = hold(session, run_id)
    return held, next(row for row in held.steps.values() if row.id == step_run_id)


def _ours(row: StepRun, attempt: int, owner: Owner) -> bool:
    return row.attempt == attempt and row.state is StepState.STARTED and row.boot_id == owner.boot_id


def _may_start(session: Session, held: Held, row: StepRun, now: datetime) -> bool:
    run, step = held.run, held.playbook.step(row.step_id)
    if run.aborting or run.undoing or run.paused is not None:
        return False
    if not locks.still_held(session, run):
        _pause(session, held, words.LOCK_LOST, now)
        return False
    if restored.is_doubted(row):
        _leave_to_a_person(session, held, row, now)
        return False
    if row.effect is Effect.CHANGES and (step.irrevocable or step.point_of_no_return):
        with session.no_autoflush:  # as in `_begin`
            why = approval.why_void(session, held.run, now=now)
        if why is not None:
            _pause(session, held, why, now)
            return False
    if not owes_nothing(session, held, row, now):
        advance(session, held, now=now)
        return False
    if facts_hold(session, held, row, now):
        return True
    advance(session, held, now=now)
    return False


def _leave_to_a_person(session: Session, held: Held, row: StepRun, now: datetime) -> None:
    """Before a restore it may have been carried out, and nobody can look: its outcome is unknown."""
    row.first_intent_at = now  # asked once: what a person says then counts
    row.state, row.crashed, row.finished_at, row.verdict = StepState.UNKNOWN, True, now, Verdict.UNKNOWN
    row.outcome = {"verdict": Verdict.UNKNOWN.value, "reason": words.ONLY_A_PERSON_CAN_SAY, "measurements": []}
    tell(session, held.run, "step.unknown", now=now, step=row.step_id, reason=words.ONLY_A_PERSON_CAN_SAY)
    advance(session, held, now=now)


def _pause(session: Session, held: Held, reason: words.Words, now: datetime) -> None:
    held.run.paused, held.run.pause_reason = Pause.GUARD, reason
    tell(session, held.run, "run.paused", now=now, reason=reason)
    advance(session, held, now=now)


def _still_to_do(held: Held, row: StepRun, observation: Observation) -> bool:
    match row.call:
        case Call.RUN:
            return observation.seen is Seen.NOT_DONE and not held.run.aborting and not held.run.undoing
        case Call.LOOK:
            return False
        case Call.UNDO:
            surely = row.before_undo in (StepState.SUCCEEDED, StepState.WARNING)
            return observation.seen is Seen.DONE or (observation.seen is Seen.UNKNOWN and surely)


def _file(held: Held, row: StepRun, stored: StoredFile, now: datetime) -> EvidenceFile:
    return EvidenceFile(
        run_id=held.run.id,
        step_run_id=row.id,
        attempt=row.attempt,
        sha256=stored.sha256,
        size=stored.size,
        media_type=stored.media_type,
        title=stored.title,
        at=now,
    )
