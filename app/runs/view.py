"""A run with its steps and its playbook, held under its lock; turns rows into facts for rules and planner."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy.orm import defer
from sqlmodel import Session, select

from app.core.db import locked
from app.core.errors import not_found
from app.playbooks.references import resolve
from app.playbooks.rules import InputType, Playbook
from app.runs.models import Run, RunEvent, StepRun
from app.runs.planner import StepNow
from app.runs.rules import ACTIVE, Call, Legal, RunFlags, StepFact, StepState, next_actions, run_state
from runners.contract import Backup, Deposit, EnvironmentPair

_SHAPES: dict[InputType, Any] = {
    InputType.ENVIRONMENT_PAIR: EnvironmentPair,
    InputType.BACKUP: Backup,
    InputType.DEPOSIT: Deposit,
}


@dataclass
class Held:
    """A run, its steps in the order of the playbook, and its playbook."""

    run: Run
    steps: dict[str, StepRun]
    playbook: Playbook = field(repr=False)

    @property
    def flags(self) -> RunFlags:
        """What the run carries beside its steps."""
        run = self.run
        return RunFlags(
            ended=run.ended,
            needs_approval=run.needs_approval,
            approved=run.queued_at is not None,
            queued=run.queued_at is not None,
            started=run.started_at is not None,
            paused=run.paused,
            aborting=run.aborting,
            undoing=run.undoing,
            unattended=run.unattended,
            activation=run.activation,
        )

    def facts(self) -> list[StepFact]:
        """The step facts, in order."""
        return [self.fact(step) for step in self.steps.values()]

    def fact(self, row: StepRun) -> StepFact:
        """What the rules need to know of one step."""
        step = self.playbook.step(row.step_id)
        return StepFact(
            id=row.step_id,
            state=row.state,
            call=row.call,
            effect=row.effect,
            intended=row.intended,
            absent=row.absent,
            undoable=step.undo is not None,
            irrevocable=step.irrevocable,
            no_return=step.point_of_no_return,
            provides=bool(row.driver.get("provides")) or step.signs is not None,
            fences=any(str(fact).startswith("fenced:") for fact in row.driver.get("provides", ())),
            crashed=row.crashed,
            retrying=row.retry_at is not None,
            asks=step.ask is not None or step.decide is not None,
            decides=step.decide is not None,
            order=row.order,
            tries=row.tries,
        )

    def now(self) -> dict[str, StepNow]:
        """The steps as the planner reads them."""
        under_way = [row for row in self.steps.values() if row.state in ACTIVE or row.retry_at is not None]
        looked_at = {fact for row in under_way for fact in row.driver.get("provides", ())}
        return {
            row.step_id: StepNow(
                self.fact(row),
                chosen=row.chosen,
                retry_at=row.retry_at,
                due_at=row.due_at,
                lost=bool(row.driver.get("lost")),
                looking=not looked_at.isdisjoint(row.driver.get("requires", ())),
            )
            for row in self.steps.values()
        }

    def legal(self) -> tuple[Legal, ...]:
        """What may be done now."""
        return next_actions(self.flags, self.facts())

    def refresh_state(self) -> None:
        """Store the computed state, for lists."""
        self.run.state = run_state(self.flags, self.facts())

    def inputs(self) -> dict[str, Any]:
        """The run's inputs as the shapes that references look into."""
        return shaped(self.playbook, self.run.inputs)

    def params(self, raw: dict[str, Any]) -> dict[str, Any]:
        """`raw` with every reference resolved, as JSON. Raises `references.Unresolved`."""
        measured = {row.step_id: measurements(row) for row in self.steps.values()}
        resolved: dict[str, Any] = to_jsonable_python(resolve(raw, self.inputs(), measured))
        return resolved


def shaped(playbook: Playbook, values: dict[str, Any]) -> dict[str, Any]:
    """Stored input values as the runners' shapes where their type has one."""
    return {name: _shape(playbook, name, value) for name, value in values.items()}


def _shape(playbook: Playbook, name: str, value: Any) -> Any:
    declared = playbook.inputs.get(name)
    shape = _SHAPES.get(declared.type) if declared else None
    return shape.model_validate(value) if shape and isinstance(value, dict) else value


def measurements(row: StepRun) -> dict[str, Any]:
    """What the step's last outcome measured, by name."""
    return {each["name"]: each["value"] for each in row.outcome.get("measurements", ())}


def read(session: Session, run: Run) -> Held:
    """The run as it is read, without a lock."""
    wanted = select(StepRun).where(StepRun.run_id == run.id).order_by("position")
    rows = session.exec(wanted).all()
    return Held(run, {row.step_id: row for row in rows}, parsed(run))


_PARSED: dict[str, tuple[dict[str, Any], Playbook]] = {}
_MOST_PARSED = 100


def parsed(run: Run) -> Playbook:
    """The run's own playbook; parsed again only where this process does not know it, or it became another one."""
    known = _PARSED.get(run.id)
    if known is not None and known[0] == run.playbook:
        return known[1]
    playbook = Playbook.model_validate(run.playbook)
    if len(_PARSED) >= _MOST_PARSED:
        _PARSED.clear()
    _PARSED[run.id] = (run.playbook, playbook)
    return playbook


def hold(session: Session, run_id: str) -> Held:
    """The run under its lock, all rows read afresh. Raises NotFound."""
    session.flush()  # what this transaction changed must not be read over
    run = locked(session, Run, run_id)
    if run is None:
        raise not_found("run", run_id)
    wanted = select(StepRun).where(StepRun.run_id == run_id).order_by("position")
    wanted = wanted.options(defer(StepRun.log))  # type: ignore[arg-type]  # long, and nothing decides by it
    rows = session.exec(wanted.execution_options(populate_existing=True)).all()
    return Held(run, {row.step_id: row for row in rows}, parsed(run))


def tell(session: Session, run: Run, kind: str, *, now: datetime, step: str | None = None, **more: Any) -> None:
    """Write what happened as an event of the run, in this transaction; `actor` names who did it."""
    actor = str(more.pop("actor", "system"))
    session.add(RunEvent(run_id=run.id, at=now, kind=kind, step_id=step, actor=actor, detail=to_jsonable_python(more)))
    run.revision += 1
    session.add(run)


def set_ready(row: StepRun, call: Call, *, now: datetime) -> None:
    """Mark a step ready for a new attempt of `call`."""
    row.state, row.call, row.ready_at = StepState.READY, call, now
    row.attempt += 1
    row.retry_at = row.due_at = None
