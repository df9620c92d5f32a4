"""Makes the unit of work for a step's present call: which driver, with what, until when, and whether to look first."""

from datetime import datetime, timedelta

from app.runs import locks
from app.runs.models import StepRun
from app.runs.rules import Call, Do, StepState
from app.runs.view import Held
from app.runs.work import Work
from runners.contract import Effect, Repeat

LOOK_SECONDS = 60
"""How long a mere look may take where the step's own time-out is longer."""


def work(held: Held, row: StepRun, now: datetime, *, looked: bool = False) -> Work:
    """The unit of work for a step's present call; `looked` when its observation was done already."""
    step, driver = held.playbook.step(row.step_id), row.driver
    own = held.params(step.with_)
    runner, params, call, timeout = str(driver["runner"]), own, Do.RUN, step.timeout or LOOK_SECONDS
    if row.call is Call.UNDO and step.undo is not None:
        runner, timeout = step.undo.uses, step.undo.timeout
        params = held.params(step.undo.with_)
        call = Do.UNDO if step.undo.uses == step.uses else Do.RUN
    if not looked and _look_first(row):
        call = Do.OBSERVE_FIRST
    if row.call is Call.LOOK:
        timeout = min(timeout, LOOK_SECONDS)
    return Work(
        step_run_id=row.id,
        run_id=row.run_id,
        attempt=row.attempt,
        runner=runner,
        call=call,
        params=params,
        effect_key=f"{row.run_id}:{row.step_id}:{row.generation}" + (":undo" if row.call is Call.UNDO else ""),
        fencing_token=locks.token(held.run),
        deadline=now + timedelta(seconds=timeout),
        site=row.site,
        observe_runner=str(driver["runner"]),
        observe_params=own,
        soon=_soon(held),
    )


def _soon(held: Held) -> tuple[str, ...]:
    """The drivers of the steps that may still come, in order; of other sites too, for one worker may serve several."""
    over = (StepState.SUCCEEDED, StepState.SKIPPED)
    ahead = [each for each in held.steps.values() if each.state not in over and "runner" in each.driver]
    return tuple(dict.fromkeys(str(each.driver["runner"]) for each in ahead))


def _look_first(row: StepRun) -> bool:
    """Whether the effect may be there already, and must be looked for before it is made or taken back."""
    if row.call is Call.LOOK:
        return True
    if row.effect is Effect.OBSERVES or row.driver.get("repeat") == Repeat.NEVER:
        return False
    if row.call is Call.UNDO:
        return True
    return row.intended and not row.absent and row.driver.get("repeat") == Repeat.OBSERVABLE
