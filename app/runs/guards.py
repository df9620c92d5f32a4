"""Guards: checks that are looked at all the while by the site's worker, and what a breach does to the run."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.catalog.models import Service
from app.drills.where import ValueMissing
from app.playbooks.references import Unresolved
from app.playbooks.rules import Guard, OnBreach, Step
from app.runs import stays, words
from app.runs.compose import describe
from app.runs.drivers import RunnerMissing
from app.runs.finish import write_breach
from app.runs.models import GuardState, Run, Stay
from app.runs.progress import advance
from app.runs.rules import MET, Pause, passed_no_return
from app.runs.view import Held, hold, read, tell
from app.runs.work import GuardLook
from runners.contract import Outcome, Verdict

__all__ = ["GuardLook", "due", "seen"]


def due(session: Session, sites: frozenset[str] | None, *, now: datetime) -> list[GuardLook]:
    """The looks that are due at these sites: of running runs, and of stays that a switch began."""
    begun = select(Run).where(col(Run.started_at).is_not(None), col(Run.ended).is_(None))
    stays_on = {stay.run_id: stay for stay in session.exec(select(Stay).where(col(Stay.ended_at).is_(None)))}
    ended = select(Run).where(col(Run.id).in_(list(stays_on)), col(Run.ended).is_not(None))
    found: list[GuardLook] = []
    for run in (*session.exec(begun), *session.exec(ended)):
        if not run.playbook.get("guards"):
            continue
        held = read(session, run)
        states = {row.guard_id: row for row in session.exec(select(GuardState).where(GuardState.run_id == run.id))}
        for guard in held.playbook.guards:
            last = states[guard.id].looked_at if guard.id in states else None
            wanted = run.id in stays_on or is_active(held, guard)
            # A last look that lies ahead was written before the clock was set back.
            if wanted and (last is None or last > now or now - last >= timedelta(seconds=guard.every)):
                look = _look(held, guard)
                found += [look] if look and (sites is None or look.site in sites) else []
    return found


def is_active(held: Held, guard: Guard) -> bool:
    """Whether its first step is done and its last is not."""
    begun = guard.from_ in held.steps and held.steps[guard.from_].state in MET
    return begun and not (guard.until in held.steps and held.steps[guard.until].state in MET)


def _look(held: Held, guard: Guard) -> GuardLook | None:
    step = Step(id=guard.id, uses=guard.uses, with_=guard.with_)
    try:
        driver, params = describe(step, held.playbook, held.inputs()), held.params(guard.with_)
    except (Unresolved, RunnerMissing, ValueMissing):
        return None  # it can't look here; a guard that never looked counts as no watch
    timeout = float(guard.timeout or guard.every)
    return GuardLook(held.run.id, guard.id, guard.uses, params, driver["site"], timeout)


def seen(session: Session, run_id: str, guard_id: str, outcome: Outcome, *, now: datetime) -> None:
    """Write what a guard saw: only a change of it is told; a breach longer than tolerated acts on the run."""
    held = hold(session, run_id)
    guard = next((each for each in held.playbook.guards if each.id == guard_id), None)
    if guard is None:
        return
    row = _state(session, held, guard_id, now)
    if row.seen is not outcome.verdict:
        row.seen, row.since, row.reason = outcome.verdict, now, outcome.reason.model_dump()
        tell(session, held.run, "guard.changed", now=now, guard=guard_id, seen=outcome.verdict, reason=row.reason)
    row.looked_at, row.since = now, min(row.since, now)
    session.add(row)
    _count_stay(session, held, outcome, now)
    too_long = now - row.since >= timedelta(seconds=guard.tolerate)
    active = held.run.ended is None and is_active(held, guard)
    if row.seen is not Verdict.PASSED and too_long and active:
        _act(session, held, guard, row, now)


def _state(session: Session, held: Held, guard_id: str, now: datetime) -> GuardState:
    wanted = select(GuardState).where(GuardState.run_id == held.run.id, GuardState.guard_id == guard_id)
    return session.exec(wanted).first() or GuardState(run_id=held.run.id, guard_id=guard_id, since=now)


def _count_stay(session: Session, held: Held, outcome: Outcome, now: datetime) -> None:
    wanted = select(Stay).where(Stay.run_id == held.run.id, col(Stay.ended_at).is_(None))
    stay = session.exec(wanted.with_for_update()).first()
    if stay is not None:
        stays.looked(session, stay, outcome.verdict, at=now, level=_level(session, stay, outcome))


def _level(session: Session, stay: Stay, outcome: Outcome) -> float | None:
    """The measured minimum level: the number whose unit is that of the service's MBCO."""
    service = session.get(Service, stay.service_id) if stay.service_id else None
    unit = service.mbco_unit if service else ""
    for each in outcome.measurements:
        if unit and each.unit == unit and isinstance(each.value, int | float) and not isinstance(each.value, bool):
            return float(each.value)
    return None


def _act(session: Session, held: Held, guard: Guard, row: GuardState, now: datetime) -> None:
    """A breach does what the playbook says; *could not look*, or past the point of no return: only a pause."""
    run = held.run
    if run.paused is Pause.RESTORED or (row.paused_at is not None and row.paused_at >= row.since):
        return  # what came out of a backup stays held as such: after a guard's pause a machine could resume it
    row.paused_at = now
    if row.seen is Verdict.FAILED:
        row.acted_at = now
    session.add(row)
    if run.aborting or run.undoing:
        return
    only_pause = row.seen is Verdict.UNKNOWN or passed_no_return(held.facts()) or guard.on_breach is OnBreach.PAUSE
    if only_pause:
        run.paused, run.pause_reason = Pause.GUARD, words.by_guard(guard.id, row.reason)
    elif guard.on_breach is OnBreach.UNDO:
        run.undoing = True
    else:
        run.aborting, run.abort_reason = True, words.by_guard(guard.id, row.reason)
    tell(session, run, "guard.acted", now=now, guard=guard.id, seen=row.seen, does=guard.on_breach)
    if row.seen is Verdict.FAILED:
        write_breach(session, held, now=now)
    advance(session, held, now=now)
