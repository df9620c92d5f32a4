"""The clocks of a run: decision, technical and service time, from when steps began and took effect. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from app.runs.rules import MET, StepState


@dataclass(frozen=True)
class StepTimes:
    """When a step did what, by the one clock of the orchestrator."""

    id: str
    state: StepState
    phase: str | None = None
    decides: bool = False
    starts_outage: bool = False
    ends_outage: bool = False
    opened_at: datetime | None = None
    began_at: datetime | None = None
    """First intent."""
    finished_at: datetime | None = None
    effective_at: datetime | None = None
    """Beginning of the stable period, where the step measured one."""
    rpa_ms: float | None = None
    canary_at: datetime | None = None
    """When the newest row of the old side was written that this step found on the new one."""


@dataclass(frozen=True)
class Clocks:
    """Measured times, whole milliseconds; None where not measured."""

    rta_ms: int | None = None
    rpa_ms: int | None = None
    decision_ms: int | None = None
    technical_ms: int | None = None


OVER = "over"
"""Phase of the steps that move the service."""


def clocks(
    steps: Sequence[StepTimes], *, alarm_at: datetime | None = None, outage_at: datetime | None = None
) -> Clocks:
    """The clocks of the first switch in the run (a way back in the same run is another claim's).

    `outage_at`: when the service went away by itself; the time to decide counts as outage then.
    """
    start = outage_since(steps, outage_at)
    return Clocks(
        rta_ms=_milliseconds(start, service_back_at(steps)),
        rpa_ms=_lost(steps, start),
        decision_ms=_decision(steps, alarm_at),
        technical_ms=_milliseconds(outage_since(steps), _technical_end(steps)),
    )


def outage_since(steps: Sequence[StepTimes], outage_at: datetime | None = None) -> datetime | None:
    """When the service went away: by itself at `outage_at`, else by a step; None while it did not."""
    return outage_at or min((s.began_at for s in steps if s.starts_outage and s.began_at), default=None)


def _lost(steps: Sequence[StepTimes], outage: datetime | None) -> int | None:
    """What was measured as lost; else the time from the newest row that survived to the outage: at most so much."""
    measured = [s.rpa_ms for s in steps if s.rpa_ms is not None]
    if measured:
        return round(max(measured))
    newest = max((s.canary_at for s in steps if s.canary_at is not None), default=None)
    if newest is None or outage is None:
        return None
    return max(0, round((outage - newest).total_seconds() * 1000))


def service_back_at(steps: Sequence[StepTimes]) -> datetime | None:
    """When users were served again, and stayed served; None while any step that ends the outage has not passed."""
    ends = [s for s in steps if s.ends_outage]
    passed = (StepState.SUCCEEDED, StepState.WARNING)
    if not ends or any(s.state not in passed for s in ends):
        return None
    return max((moment for s in ends if (moment := s.effective_at or s.finished_at)), default=None)


def _technical_end(steps: Sequence[StepTimes]) -> datetime | None:
    moved = [s for s in steps if s.phase == OVER]
    if not moved or any(s.state not in MET for s in moved):
        return None
    return max((s.finished_at for s in moved if s.finished_at), default=None)


def _decision(steps: Sequence[StepTimes], alarm_at: datetime | None) -> int | None:
    decided = [(s.finished_at, s.opened_at) for s in steps if s.decides and s.finished_at and s.state in MET]
    if not decided:
        return None
    finished, opened = min(decided, key=lambda pair: pair[0])
    return _milliseconds(alarm_at or opened, finished)


def _milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    if start is None or end is None or end < start:
        return None
    return round((end - start).total_seconds() * 1000)


def expected_seconds(measured: Sequence[float], estimate: int | None) -> float | None:
    """How long a step will take: the median of measured runs, else its author's estimate; None where nobody knows."""
    return float(median(measured)) if measured else (None if estimate is None else float(estimate))


@dataclass(frozen=True)
class Ahead:
    """A step that is not settled yet."""

    id: str
    needs: tuple[str, ...]
    expected: float
    """Seconds; 0 where nobody knows."""
    began_at: datetime | None = None


def forecast_end(ahead: Sequence[Ahead], *, now: datetime) -> datetime | None:
    """When the run will end if each step takes what it is expected to, along the longest path; None when settled.

    `ahead`: unsettled steps, each after those it needs.
    """
    ends: dict[str, datetime] = {}
    for step in ahead:
        start = step.began_at or max((ends[need] for need in step.needs if need in ends), default=now)
        ends[step.id] = max(now, start + timedelta(seconds=step.expected))
    return max(ends.values(), default=None)
