"""The dry run: each resolved call of a drill as the approver sees it, nothing touched."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlmodel import Session

from app.core import clock
from app.drills.held import Standing, standings
from app.drills.models import Drill
from app.drills.rules import Attendance
from app.drills.where import known, typed
from app.playbooks.rules import Step
from app.runs import beside, drivers
from app.runs.compose import Composed, compose
from app.runs.shapes import CallOut, PreviewOut, SecretOut
from app.runs.view import shaped
from runners.contract import Kept, Runner, SecretMissing, SitePolicy


class NothingTouched:
    """The context of a preview: no secret, no evidence, no connection can be had from it."""

    effect_key = "preview"
    fencing_token = 0
    deadline = datetime.max.replace(tzinfo=UTC)
    evidence = Path("/nonexistent")
    policy = SitePolicy()

    def remaining(self) -> float:
        """No time: nothing may be waited for."""
        return 0.0

    def secret(self, reference: str) -> str:
        """Secrets stay references."""
        raise SecretMissing(reference)

    def progress(self, done: int, total: int, text: str) -> None:
        """Nothing is done."""

    def log(self, line: str) -> None:
        """Nothing is told."""

    def keep(self, key: str, make: Callable[[], Kept]) -> Kept:
        """Nothing may be opened."""
        raise SecretMissing(key)

    def forget(self, key: str) -> None:
        """Nothing was kept."""


def preview(session: Session, drill: Drill, *, by_hand: bool = False) -> PreviewOut:
    """Everything that a run of this drill would do now, under the digest to approve."""
    composed = compose(session, drill, by_hand=by_hand)
    inputs = shaped(composed.playbook, composed.inputs)
    steps = [step for step in composed.playbook.steps if step.uses is not None]
    needs: dict[str, list[Standing]] = defaultdict(list)
    for each in standings(session, composed.playbook, inputs, registry=drivers.registry(), now=clock.now()):
        needs[each.need.step].append(each)
    return PreviewOut(
        digest=composed.digest,
        direction=composed.direction,
        unattended=drill.attendance is Attendance.UNATTENDED,
        locks=list(composed.lock_keys),
        inputs=composed.inputs,
        exceptions=beside.exceptions(session, drill),
        runners=beside.runners(composed.playbook),
        calls=[_call(composed, step, inputs, needs[step.id]) for step in steps],
    )


def _call(composed: Composed, step: Step, inputs: dict[str, Any], needs: list[Standing]) -> CallOut:
    runner, driver = drivers.get(step.uses or ""), composed.drivers[step.id]
    refused, shown = None, None
    try:
        shown = runner.preview(_params(runner, step, inputs), NothingTouched())
    except (ValidationError, SecretMissing) as error:
        refused = str(error)
    except Exception as error:  # noqa: BLE001 - a foreign runner may raise anything; the approver must see the rest
        refused = repr(error)
    return CallOut(
        step=step.id,
        runner=runner.name,
        site=driver["site"],
        effect=driver["effect"],
        calls=list(shown.calls) if shown else [],
        changes=shown.changes.model_dump() if shown else None,
        undo=shown.undo.model_dump() if shown and shown.undo else None,
        irreversible=step.irrevocable or bool(shown and shown.irreversible),
        secrets=[SecretOut(name=each.need.name, held=each.held) for each in needs],
        refused=refused,
    )


def _params(runner: Runner, step: Step, inputs: dict[str, Any]) -> BaseModel:
    """The parameters, with what an earlier step will measure shown as its reference."""
    sure = known(step.with_, inputs)
    values = {**step.with_, **sure}
    try:
        return runner.Params.model_validate(values)
    except ValidationError as error:
        if any(not each["loc"] or each["loc"][0] in sure for each in error.errors()):
            raise
    # A reference has not the form of what will be measured, such as an LSN; that is checked when it is.
    fields = runner.Params.model_fields
    sure_typed = {name: typed(fields[name].annotation, value) for name, value in sure.items() if name in fields}
    return runner.Params.model_construct(**{**values, **sure_typed})
