"""Reads everything that the pages of one run show, once for all who watch, whatever their language and role."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from app.access import reach
from app.access.grants import all_as_they_may_now
from app.access.models import Person
from app.access.rules import standing_at
from app.drills.models import Drill
from app.drills.rules import ApprovalPolicy
from app.playbooks.rules import EvidenceRule, Step, StepKind
from app.runs import answers, approval, locks, shown, taking_part
from app.runs.clocks import forecast_end
from app.runs.done import began_at
from app.runs.forecast import expectations, steps_ahead
from app.runs.labels import EVENTS
from app.runs.models import EnvironmentLock, Run, RunEvent
from app.runs.record import Decision, Observation
from app.runs.rules import StepState
from app.runs.shapes import ApprovalOut, RunOut
from app.runs.view import Held, read
from runners.contract import Text

NEWEST_EVENTS = 60
NEWEST_LOG = 12_000
"""Characters of a step's log that a page shows; the whole log is in the API."""


@dataclass(frozen=True)
class Asked:
    """What is asked of people in a step that waits."""

    who: Mapping[str, str]
    """Ids and names of the people who may answer."""
    quorum: int
    veto: str | None
    on_timeout: str | None
    evidence_required: bool
    decides: bool
    effects: Mapping[str, str]
    """What each option does: continue, undo, stop, goto."""


@dataclass(frozen=True)
class Snapshot:
    """One run at one moment, read from the database; nothing in it depends on who looks."""

    at: datetime
    run: RunOut
    title: Text
    excluded: frozenset[str]
    """Ids of who can't approve it: it is their own work."""
    participants: tuple[tuple[str, str], ...]
    """Name and role."""
    candidates: list[tuple[str, str]]
    """Reference and name of everybody who could be asked to take part."""
    roles: tuple[str, ...]
    """The roles in which this run asks people something."""
    deciders: frozenset[str]
    """Ids of who decides in it."""
    names: Mapping[str, str]
    """Reference of an actor or id of a person → name."""
    asked: Mapping[str, Asked]
    planned: Mapping[str, float]
    """Seconds from the start at which each step was expected to end; empty where nothing is known."""
    outage_seconds: float | None
    """How long the service is expected to be away in all."""
    events: tuple[RunEvent, ...]
    decisions: tuple[Decision, ...]
    observations: tuple[Observation, ...]
    approvals: tuple[ApprovalOut, ...]
    policy: ApprovalPolicy | None
    held_locks: tuple[EnvironmentLock, ...]
    lock_keys: tuple[str, ...]
    latest_end_at: datetime | None

    def name(self, ref: str | None) -> str:
        """The name of an actor; what is unknown stays as it is written."""
        parts = [self.names.get(part, part) for part in (ref or "").split(", ") if part]
        return ", ".join(parts) or "–"


def take(session: Session, run: Run, *, now: datetime) -> Snapshot:
    """The run as it stands."""
    held, drill = read(session, run), session.get_one(Drill, run.drill_id)
    people = session.exec(select(Person).order_by(col(Person.name))).all()
    names = {key: row.name for row in people for key in (row.id, f"person:{row.id}")}
    expected = expectations(session, held)
    return Snapshot(
        at=now,
        run=shown.whole(session, run, now=now),
        title=held.playbook.title,
        participants=tuple((names.get(each.person_id, "–"), each.role) for each in taking_part.of(session, run)),
        candidates=[(row.ref, row.name) for row in people if row.active],
        roles=tuple(taking_part.roles_of(held.playbook)),
        deciders=taking_part.deciders(session, run),
        names={**names, "system": "Wissel"},
        asked={row.step_id: _asked(session, held, row.step_id, people, now) for row in _waiting(held)},
        planned=planned_ends(held, expected) if any(expected.values()) else {},
        outage_seconds=_outage(held, expected, now),
        events=_events(session, run),
        decisions=tuple(session.exec(select(Decision).where(Decision.run_id == run.id).order_by(col(Decision.at)))),
        observations=tuple(
            session.exec(select(Observation).where(Observation.run_id == run.id).order_by(col(Observation.at).desc()))
        ),
        approvals=tuple(
            shown.approval_out(session, row, now=now, run=run) for row in approval.bearing(session, run, lock=False)
        ),
        excluded=approval.excluded(session, drill, run),
        policy=approval.policy_of(drill),
        held_locks=tuple(row for row in locks.held_locks(session) if row.run_id == run.id),
        lock_keys=tuple(run.lock_keys),
        latest_end_at=run.latest_end_at,
    )


def _waiting(held: Held) -> list[Any]:
    people = (StepKind.ASK, StepKind.DECIDE)
    return [
        row
        for row in held.steps.values()
        if row.state is StepState.WAITING and held.playbook.step(row.step_id).kind in people
    ]


def _asked(session: Session, held: Held, step_id: str, people: Any, now: datetime) -> Asked:
    step = held.playbook.step(step_id)
    there = reach.place_of_row(session, held.run)
    active = all_as_they_may_now(session, [row for row in people if row.active], now=now)
    here = [standing_at(each, there) for each in active]
    may = {each.id: each.name for each in here if answers.may_answer(session, held, step, each, now=now)}
    decides = step.kind is StepKind.DECIDE and held.steps[step_id].call.value == "run"
    return Asked(
        who=may,
        quorum=step.quorum,
        veto=step.veto,
        on_timeout=step.on_timeout,
        evidence_required=step.evidence is EvidenceRule.REQUIRED,
        decides=decides,
        effects={option: step.effect(option).choice.value for option in step.options},
    )


def planned_ends(held: Held, expected: Mapping[str, float]) -> dict[str, float]:
    """Seconds from the start at which each step ends if all take what is expected; `expected` in order of needs."""
    ends: dict[str, float] = {}
    for step_id, seconds in expected.items():
        begin = max((ends.get(need, 0.0) for need in held.playbook.step(step_id).needs), default=0.0)
        ends[step_id] = begin + seconds
    return ends


def _outage(held: Held, expected: Mapping[str, float], now: datetime) -> float | None:
    """How long the service will have been away: from the first step that starts it to the last that ends it."""
    ending = [step for step in held.playbook.steps if step.ends_outage]
    starting = [step for step in held.playbook.steps if step.starts_outage]
    if not ending or not starting or not any(expected.values()):
        return None
    took_away = (at for step in starting if (at := began_at(held.steps[step.id], step.kind)))
    began = held.run.outage_at or min(took_away, default=None)
    if began is None:
        ends = planned_ends(held, expected)
        return max(ends[step.id] for step in ending) - min(ends[step.id] - expected[step.id] for step in starting)
    wanted = _with_needs(held, ending)
    ahead = [each for each in steps_ahead(held, expected) if each.id in wanted]
    end = forecast_end(ahead, now=now)
    return None if end is None else (end - began).total_seconds()


def _with_needs(held: Held, ending: list[Step]) -> set[str]:
    return {name for step in ending for name in (step.id, *held.playbook.ancestors(step.id))}


def _events(session: Session, run: Run) -> tuple[RunEvent, ...]:
    wanted = select(RunEvent).where(RunEvent.run_id == run.id, col(RunEvent.kind).in_(list(EVENTS)))
    rows = session.exec(wanted.order_by(col(RunEvent.id).desc()).limit(NEWEST_EVENTS))
    return tuple(rows)
