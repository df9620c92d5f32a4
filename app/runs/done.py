"""Turns the rows of a run into what verdicts, levels and clocks are decided from."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from app.plans.levels import Mode as DoneIn
from app.playbooks.rules import ClaimKind, Mode, StepKind
from app.runs.clocks import Clocks, StepTimes, clocks
from app.runs.models import GuardState, Run, StepRun
from app.runs.rules import Direction, StepState
from app.runs.verdicts import StepDone
from app.runs.view import Held, measurements
from runners.contract import Effect, Side, Text, Verdict


def target_side(run: Run) -> Side | None:
    """The side that the run moves the service to; None for what is no switch."""
    return {Direction.OVER: Side.FALLBACK, Direction.BACK: Side.PRIMARY}.get(run.direction)


def step_done(held: Held, row: StepRun) -> StepDone:
    """What the verdict asks of a step."""
    step, measured = held.playbook.step(row.step_id), measurements(row)
    side = target_side(held.run)
    told = row.outcome.get("reason")
    asked = step.kind is StepKind.ASK
    return StepDone(
        id=row.step_id,
        state=row.state,
        verdict=row.verdict,
        reason=Text.model_validate(told) if told else None,
        effect=row.effect,
        asked=asked,
        by_hand=asked and row.effect is not None,
        excused=row.state is StepState.SKIPPED and (row.by == "system" or bool(row.driver.get("lost"))),
        probe=bool(row.driver.get("probe")) and step.kind is StepKind.USES,
        saw_target=side is not None and _saw(row, measured.get("served_by"), side),
        needed_supplier=row.outcome.get("needed_supplier"),
        primary_dead=_found_primary_dead(held, row, measured),
        carried_out=row.intended or (asked and row.by is not None and row.state is not StepState.SKIPPED),
    )


def _saw(row: StepRun, served_by: object, side: Side) -> bool:
    return row.driver.get("sides") == [side.value] or served_by == side.value


def _found_primary_dead(held: Held, row: StepRun, measured: dict[str, Any]) -> bool:
    """A check that found the serving side gone in a planned switch, while this run had not touched anything yet."""
    if ClaimKind.FAILOVER in held.playbook.proves:
        return False  # there it is what the plan is for
    target = target_side(held.run)
    source = target is not None and row.driver.get("sides") == [target.other.value]
    gone = measured.get("primary_reachable") is False or (source and measured.get("reachable") is False)
    if not gone or row.effect is not Effect.OBSERVES or row.verdict is Verdict.PASSED:
        return False
    first = [each.order for each in held.steps.values() if each.effect is Effect.CHANGES and each.intended]
    return not first or row.order < min(first)


def step_times(held: Held, row: StepRun) -> StepTimes:
    """When a step did what."""
    step = held.playbook.step(row.step_id)
    lost, canary = measurements(row).get("rpa_ms"), measurements(row).get("canary_at")
    return StepTimes(
        id=row.step_id,
        state=row.state,
        phase=step.phase,
        decides=step.kind is StepKind.DECIDE,
        starts_outage=step.starts_outage,
        ends_outage=step.ends_outage,
        opened_at=row.opened_at,
        began_at=began_at(row, step.kind),
        finished_at=row.finished_at,
        effective_at=row.effective_at,
        rpa_ms=float(lost) if isinstance(lost, int | float) and not isinstance(lost, bool) else None,
        canary_at=_moment(canary),
    )


def run_clocks(held: Held) -> Clocks:
    """The clocks of a run as its rows stand."""
    times = [step_times(held, row) for row in held.steps.values()]
    return clocks(times, alarm_at=held.run.alarm_at, outage_at=held.run.outage_at)


def _moment(value: object) -> datetime | None:
    """A measured moment; None for what is none, or says no zone."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def began_at(row: StepRun, kind: StepKind) -> datetime | None:
    """First intent of a step; what a person does, as by hand, counts from the moment that it was asked."""
    asked = kind is StepKind.ASK and row.state is not StepState.SKIPPED
    return row.first_intent_at or (row.opened_at if asked else None)


def watched_mode(run: Run) -> DoneIn:
    """The mode in the words of the levels; the real thing is no drill."""
    if run.activation:
        return DoneIn.ACTIVATION
    return {Mode.TABLETOP: DoneIn.TABLETOP, Mode.REHEARSAL: DoneIn.REHEARSAL, Mode.LIVE: DoneIn.LIVE}[run.mode]


def was_watched(session: Session, held: Held) -> bool:
    """Whether each guard of the playbook looked, and saw nothing that it had to act upon."""
    if not held.playbook.guards:
        return False
    rows = {each.guard_id: each for each in session.exec(select(GuardState).where(GuardState.run_id == held.run.id))}
    return all(
        guard.id in rows and rows[guard.id].looked_at is not None and rows[guard.id].acted_at is None
        for guard in held.playbook.guards
    )
