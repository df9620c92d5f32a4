"""The clock's share in the runs: due moments become runs, waits and questions end, what came too late is missed."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session, col, or_, select

from app.access import reach
from app.access.rules import SYSTEM
from app.core.db import Database
from app.core.errors import Problem
from app.drills import claiming
from app.drills.models import Drill, DrillMoment
from app.drills.rules import MomentState
from app.runs import drivers, handover, leases, obligations, planning, reminders, steps, words
from app.runs.models import Run, StepRun
from app.runs.progress import advance
from app.runs.rules import ENDS, Pause, RunState, passed_no_return
from app.runs.view import hold, tell
from app.runs.work import ReadyStep
from runners.contract import Registry

log = structlog.get_logger()
AT_ONCE = 50
"""So many drills are claimed in one transaction; so many runs that wait for approval are looked at in one beat."""
TURN = 10
"""Seconds after which the next share of those has its turn."""
PATIENCE = timedelta(seconds=60)
"""How long a ready step waits for a worker to live at its site before it counts as *could not look*."""


def find(session: Session, key: str) -> Run:
    """The run with this id or reference. Raises NotFound."""
    return reach.find(session, Run, key, "run")


def tick(database: Database, registry: Registry, *, now: datetime, went_on: Callable[[], None] = lambda: None) -> None:
    """One beat of the clock; each drill and each run in a transaction of its own, so that one can't stop the rest.

    `went_on` is called after each piece of work: a beat with much to do is long, and yet does not hang.
    """
    drivers.use(registry)
    _claim(database, now, went_on)
    for moment_id in _due(database):
        _guarded(database, moment_id, _plan_moment, now)
        went_on()
    with database.transaction(write=False) as session:
        waiting, going = _waiting(session, now), _going(session, now)
    for run_id in waiting:
        _guarded(database, run_id, _start, now)
        went_on()
    for run_id in going:
        _guarded(database, run_id, _move, now)
        went_on()
    with database.transaction() as session:
        obligations.remind(session, now=now)
        reminders.remind_of_coming(session, now=now)
    for step in _unserved(database, now):
        with database.transaction() as session:
            handover.nobody_there(session, step.step_run_id, step.attempt, now=now)


def _claim(database: Database, now: datetime, went_on: Callable[[], None]) -> None:
    """Claim in pieces: on SQLite nobody else can write meanwhile, and an abort must not wait for a thousand drills."""
    with database.transaction() as session:
        claiming.mend_cursors(session, now=now)
        due = claiming.due_drills(session, now=now)
    for first in range(0, len(due), AT_ONCE):
        with database.transaction() as session:
            claiming.claim_due_moments(session, now=now, drill_ids=due[first : first + AT_ONCE])
        went_on()


def _waiting(session: Session, now: datetime) -> list[str]:
    """Runs that may be started now, and of those that wait for approval the share whose turn it is.

    A beat stays short also where thousands wait; their last approval starts them itself, whosever turn it is.
    """
    awaiting = select(Run.id).where(Run.state == RunState.AWAITING_APPROVAL, col(Run.ended).is_(None))
    patient = set(session.exec(awaiting))
    unstarted = planning.unstarted(session)
    later = [run_id for run_id in unstarted if run_id in patient]
    share = int(now.timestamp() // TURN) % (-(-len(later) // AT_ONCE) or 1)
    return [each for each in unstarted if each not in patient] + later[share * AT_ONCE : (share + 1) * AT_ONCE]


def _guarded(database: Database, key: str, body: object, now: datetime) -> None:
    assert callable(body)  # noqa: S101 - for the type checker
    try:
        with database.transaction() as session:
            body(session, key, now)
    except Problem as problem:
        log.warning("the clock could not go on with this", key=key, code=problem.code, detail=str(problem))
    except Exception:  # round one drill in the tick: a bug in one must not stop the clock for all
        log.exception("the clock failed on this", key=key)


def _unserved(database: Database, now: datetime) -> list[ReadyStep]:
    """Ready steps that wait longer than a worker may need to come back, at a site where none lives."""
    with database.transaction(write=False) as session:
        living = leases.living(session)
        ready = steps.ready_steps(session, None)
        late = {row.id for row in session.exec(select(StepRun).where(col(StepRun.ready_at) < now - PATIENCE))}
    return [each for each in ready if each.step_run_id in late and not leases.is_served(each.site, living)]


def _due(database: Database) -> list[str]:
    wanted = select(DrillMoment.id).where(DrillMoment.state == MomentState.PLANNED, col(DrillMoment.run_id).is_(None))
    with database.transaction(write=False) as session:
        return list(session.exec(wanted.order_by("due_at")))


def _plan_moment(session: Session, moment_id: str, now: datetime) -> None:
    moment = session.get(DrillMoment, moment_id, with_for_update=True, populate_existing=True)
    if moment is None or moment.run_id is not None or moment.state is not MomentState.PLANNED:
        return
    drill = session.get_one(Drill, moment.drill_id)
    try:
        with session.begin_nested():
            run = planning.plan_run(session, drill, actor=SYSTEM, now=now, moment=moment)
    except Problem as problem:
        claiming.miss(session, moment, code=problem.code, reason=words.of_problem(problem), now=now)
        return
    planning.try_start(session, run.id, actor=SYSTEM, now=now)


def _start(session: Session, run_id: str, now: datetime) -> None:
    planning.try_start(session, run_id, actor=SYSTEM, now=now)


def _going(session: Session, now: datetime) -> list[str]:
    """Runs in which a moment has come: a wait, a time-out, a retry, or their latest end."""
    due = select(StepRun.run_id).where(or_(col(StepRun.due_at) <= now, col(StepRun.retry_at) <= now))
    late = select(Run.id).where(col(Run.latest_end_at) <= now, col(Run.paused).is_(None), col(Run.ended).is_(None))
    ids = {*session.exec(due), *session.exec(late)}
    open_ids = select(Run.id).where(col(Run.id).in_(ids), col(Run.ended).is_(None))
    return sorted(session.exec(open_ids))


def _move(session: Session, run_id: str, now: datetime) -> None:
    held = hold(session, run_id)
    run = held.run
    if run.state in ENDS:
        return
    if run.latest_end_at is not None and run.latest_end_at <= now:
        run.latest_end_at = None
        if not passed_no_return(held.facts()) and not run.undoing and not run.aborting:
            run.paused, run.pause_reason = Pause.GUARD, words.LATEST_END_PASSED
        tell(session, run, "run.latest-end-passed", now=now)
    advance(session, held, now=now)
