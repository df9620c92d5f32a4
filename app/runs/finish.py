"""Ends a run in one transaction: verdict, times, proofs, findings, plan status, locks, audit."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from app.core import audit
from app.plans.facts import Verdict as ProofVerdict
from app.plans.models import ProofRow
from app.plans.standing import refresh
from app.runs import debts, incidents, locks, proofs, stays
from app.runs.done import run_clocks, step_done
from app.runs.loss import ObligationKind
from app.runs.models import Obligation, StepRun
from app.runs.rules import RunState, RunVerdict
from app.runs.verdicts import NOT_CLEANED_UP, claim_done, run_verdict
from app.runs.view import Held, measurements, tell
from runners.contract import Effect

LEFT_BEHIND = "left_behind"
"""Measurement in which a driver names what it could not clean up."""
CLEAN_UP_WITHIN = timedelta(hours=24)
_FREE = frozenset({RunState.COMPLETED, RunState.COMPLETED_WITH_EXCEPTIONS, RunState.UNDONE})
"""Ends after which the environments are as they should be."""


def write_complete_proofs(session: Session, held: Held, *, now: datetime) -> None:
    """Move the home side once the target serves, and write the proofs of claims whose steps are complete."""
    run = held.run
    if run.started_at is None or run.ended is not None:
        return
    stays.note_serving(session, held, now=now)
    if proofs.write_complete(session, held, now=now):
        refresh(session, now=now, plan_ids=[run.plan_id], why=f"run {run.ref}")


def write_breach(session: Session, held: Held, *, now: datetime) -> None:
    """Take back by a failure what the run had proven before a guard saw the service fail."""
    if proofs.write_breach(session, held, now=now):
        refresh(session, now=now, plan_ids=[held.run.plan_id], why=f"run {held.run.ref}")


def finish_run(session: Session, held: Held, end: RunState, *, now: datetime, reason: str = "") -> None:
    """End the run in state `end` and write all that follows from it."""
    run = held.run
    if run.started_at is not None:
        write_complete_proofs(session, held, now=now)
        proofs.write_rest(session, held, now=now)
        stays.note_undone(session, held, end, now=now)
    run.ended, run.ended_at = end, now
    _measure(held)
    _judge(session, held, end)
    standing = [fact for fact in held.facts() if fact.stands]
    if end in _FREE or not standing:
        locks.release(session, run)
    _oblige_all(session, held, end, now)
    debts.incur(session, held, now=now)
    if run.pair_id is not None and run.started_at is not None:
        debts.catch_up(session, held, now=now)
    incidents.open_missing(session, held, now=now)
    held.refresh_state()
    tell(session, run, f"run.{end.value}", now=now, verdict=run.verdict, reason=reason)
    refresh(session, now=now, plan_ids=[run.plan_id], why=f"run {run.ref}")
    verdict = run.verdict.value if run.verdict else None
    detail = {"ref": run.ref, "state": end.value, "verdict": verdict, "reason": reason}
    result = audit.FAILED if run.verdict is RunVerdict.FAILED else audit.DONE
    audit.attempt(session, result, "system", "run.ended", "run", run.id, detail)


def _measure(held: Held) -> None:
    run = held.run
    found = run_clocks(held)
    run.rta_ms, run.rpa_ms = found.rta_ms, found.rpa_ms
    run.decision_ms, run.technical_ms = found.decision_ms, found.technical_ms


def _judge(session: Session, held: Held, end: RunState) -> None:
    run = held.run
    steps = [step_done(held, row) for row in held.steps.values()]
    proven = session.exec(select(ProofRow).where(ProofRow.run_id == run.id, col(ProofRow.claim_key).in_(run.proven)))
    claims = [ProofVerdict(row.verdict) for row in proven]
    run.verdict = RunVerdict.ABORTED if run.real else run_verdict(end, claims, steps)
    run.verdict_reason = claim_done(steps, steps, breached=proofs.breached(session, run)).reason.model_dump()
    session.add(run)


def _oblige_all(session: Session, held: Held, end: RunState, now: datetime) -> None:
    """Everything that must still be cleaned up becomes an obligation; a run that passed has not passed before that."""
    completed = end in (RunState.COMPLETED, RunState.COMPLETED_WITH_EXCEPTIONS)
    left = [] if completed else [fact.id for fact in held.facts() if fact.stands]
    left += [row.step_id for row in held.steps.values() if _left_something(row)]
    _oblige(session, held, left, now)
    if left and held.run.verdict is RunVerdict.PASSED:
        held.run.verdict, held.run.verdict_reason = RunVerdict.PARTIAL, NOT_CLEANED_UP.model_dump()


def _left_something(row: StepRun) -> bool:
    """A driver that worked in isolation and says what it left (``left_behind``), or whose end nobody saw."""
    if row.effect is not Effect.ISOLATED:
        return False
    return bool(measurements(row).get(LEFT_BEHIND)) or (row.intended and row.crashed)


def _oblige(session: Session, held: Held, standing: list[str], now: datetime) -> None:
    """What still stands in the world after the end must be cleaned up, by somebody, before a moment."""
    for step_id in standing:
        title = held.playbook.step(step_id).title
        left = measurements(held.steps[step_id]).get(LEFT_BEHIND)
        text = title.model_dump() if title else _STANDS
        text = {"nl": str(left), "en": str(left)} if left else text
        session.add(_obligation(held, step_id, {key: f"{step_id}: {each}" for key, each in text.items()}, now))


_STANDS = {"nl": "het gevolg van deze stap is er nog", "en": "the effect of this step still stands"}


def _obligation(held: Held, step_id: str, text: dict[str, str], now: datetime) -> Obligation:
    """What is left; of a drill that turned out to be real nobody waits for it, so that it stands as a debt."""
    run, kind, within = held.run, ObligationKind.CLEAN_UP, CLEAN_UP_WITHIN
    if run.real:
        kind, within = ObligationKind.DEBT, debts.SETTLE_WITHIN
    same: dict[str, Any] = {"what": text["en"][:500], "text": text, "step_id": step_id, "pair_id": run.pair_id}
    return Obligation(run_id=run.id, kind=kind, created_at=now, due_at=now + within, **same)
