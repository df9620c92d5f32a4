"""When a run will end: the median of measured runs per step, else its author's estimate."""

from collections.abc import Mapping
from datetime import datetime

from sqlmodel import Session, col, select

from app.playbooks.rules import Step, StepKind
from app.runs.clocks import Ahead, expected_seconds, forecast_end
from app.runs.models import Run, StepRun
from app.runs.rules import MET, StepState
from app.runs.view import Held

SAMPLE = 500
"""So many of the latest measured steps of a playbook are looked at."""


def expected_end(session: Session, held: Held, *, now: datetime) -> datetime | None:
    """The forecast end of a running run; None where it is over or nothing is left."""
    if held.run.ended is not None or held.run.started_at is None:
        return None
    return forecast_end(steps_ahead(held, expectations(session, held)), now=now)


def expectations(session: Session, held: Held) -> dict[str, float]:
    """How many seconds each step is expected to take, by step id, each after those it needs; 0 where nobody knows."""
    measured = durations(session, held.run)
    return {step.id: _expected(step, measured.get(step.id, [])) for step in _in_order(held)}


def steps_ahead(held: Held, expected: Mapping[str, float]) -> list[Ahead]:
    """The unsettled ones of the steps in `expected`."""
    return [
        Ahead(
            id=step_id,
            needs=held.playbook.step(step_id).needs,
            expected=seconds,
            began_at=held.steps[step_id].intent_at if held.steps[step_id].state is StepState.STARTED else None,
        )
        for step_id, seconds in expected.items()
        if held.steps[step_id].state not in MET
    ]


def _expected(step: Step, measured: list[float]) -> float:
    found = expected_seconds(measured, step.estimate)
    if found is not None:
        return found
    literal = step.wait.for_ if step.wait is not None else None
    return float(literal) if isinstance(literal, int) else 0.0


def _in_order(held: Held) -> list[Step]:
    """Steps so that each stands after all it needs."""
    depth = {step.id: len(held.playbook.ancestors(step.id)) for step in held.playbook.steps}
    return sorted((s for s in held.playbook.steps if s.kind is not StepKind.INJECT), key=lambda s: depth[s.id])


def durations(session: Session, run: Run) -> dict[str, list[float]]:
    """Measured seconds per step id, from other runs of the same playbook in which the step succeeded."""
    wanted = (
        select(StepRun.step_id, StepRun.intent_at, StepRun.opened_at, StepRun.finished_at)
        .join(Run, col(Run.id) == col(StepRun.run_id))
        .where(Run.playbook_name == run.playbook_name, Run.id != run.id, Run.mode == run.mode)
        .where(StepRun.state == StepState.SUCCEEDED, col(StepRun.finished_at).is_not(None))
        .order_by(col(StepRun.finished_at).desc())
        .limit(SAMPLE)
    )
    found: dict[str, list[float]] = {}
    for step_id, began, opened, finished in session.exec(wanted):
        start = began or opened
        if start is not None and finished is not None:
            found.setdefault(step_id, []).append((finished - start).total_seconds())
    return found
