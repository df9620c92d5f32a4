"""The commands of a run by API: each a sub-resource that is made; an illegal one answers 409 with the legal ones."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Depends, File, Form, Path, Request, Response, UploadFile
from sqlmodel import Session, select
from starlette.datastructures import UploadFile as Received

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.core import audit, clock
from app.core.db import SessionDep
from app.core.edits import show_etag
from app.core.errors import FieldError, InvalidInput, NotFound
from app.core.evidence import EvidenceStore
from app.core.idempotency import OnceDep
from app.core.messages import say
from app.core.routers import api_router
from app.runs import answers, commands, planning, service, shown, substance, taking_part
from app.runs.activation_shapes import RealityIn
from app.runs.models import EvidenceFile, Run
from app.runs.record import Observation
from app.runs.shapes import (
    AnswerIn,
    CancellationIn,
    DecisionIn,
    EvidenceOut,
    JoinIn,
    MustReasonIn,
    ObservationIn,
    ObservationOut,
    ReasonIn,
    RunOut,
)
from app.runs.view import Held, read, tell
from runners.cleaning import plain

router = api_router("/runs", tag="runs")
Operator = Annotated[Actor, Depends(allowed(Action.OPERATE_RUN))]
Answerer = Annotated[Actor, Depends(allowed(Action.ANSWER_STEP))]
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Key = Annotated[str, Path(max_length=64, description="Id or human reference, such as RUN-001")]
StepKey = Annotated[str, Path(max_length=40, alias="stepId")]
CHUNK = 1024 * 1024


def _do(
    session: Session, key: str, response: Response, command: Callable[..., Held], *more: Any, **named: Any
) -> RunOut:
    """Carry out a command on the run with this key, and show the run."""
    run = service.find(session, key)
    now = clock.now()
    held = command(session, run.id, *more, now=now, **named)
    session.flush()
    show_etag(response, held.run)
    return shown.whole(session, held.run, now=now)


@router.post("/{key}/starts", operation_id="startRun", status_code=201, response_model=RunOut)
def start(session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key) -> Any:
    """Start a run that is planned or queued. 409 where approvals lack, or another run holds the environment."""
    return once(lambda: _do(session, key, response, planning.start, actor=actor), response)


@router.post("/{key}/pauses", operation_id="pauseRun", status_code=201, response_model=RunOut)
def pause(session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, data: ReasonIn) -> Any:
    """Begin no further step; what runs is finished."""
    return once(lambda: _do(session, key, response, commands.pause, actor=actor, reason=data.reason), response)


@router.post("/{key}/resumptions", operation_id="resumeRun", status_code=201, response_model=RunOut)
def resume(session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, data: ReasonIn) -> Any:
    """Go on after a pause; past the point of no return also after an abort."""
    return once(lambda: _do(session, key, response, commands.resume, actor=actor, reason=data.reason), response)


@router.post("/{key}/undos", operation_id="undoRun", status_code=201, response_model=RunOut)
def undo(session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, data: ReasonIn) -> Any:
    """Take back what was started, in reverse order; not past the point of no return."""
    return once(lambda: _do(session, key, response, commands.undo, actor=actor, reason=data.reason), response)


@router.post("/{key}/cancellations", operation_id="cancelRun", status_code=201, response_model=RunOut)
def cancel(
    session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, data: CancellationIn
) -> Any:
    """Abort, accepted in every unfinished state; with `leaveAsIs` end an aborted run as it stands."""
    if data.leave_as_is and not data.reason:
        reason = say("Say why the run is left as it stands.")
        raise InvalidInput(reason, errors=[FieldError("reason", "reason-required", reason)])
    command = commands.leave if data.leave_as_is else commands.abort
    return once(lambda: _do(session, key, response, command, actor=actor, reason=data.reason), response)


@router.post("/{key}/reality-calls", operation_id="callRunReal", status_code=201, response_model=RunOut)
def real(session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, data: RealityIn) -> Any:
    """This is real: the drill stops at once, is marked, waits for no cleanup, and frees what it locks.

    With `thenActivate` the same plan is put to work in the same moment; `becameRun` of the answer names that run.
    """
    given: dict[str, Any] = {"actor": actor, "reason": data.reason, "then_activate": data.then_activate}
    return once(lambda: _do(session, key, response, commands.this_is_real, **given), response)


@router.post("/{key}/participants", operation_id="askIntoRun", status_code=201, response_model=RunOut)
def join(session: SessionDep, actor: Answerer, once: OnceDep, response: Response, key: Key, data: JoinIn) -> Any:
    """Ask one more person to take part, with a role; by a person who operates runs or decides in this one."""
    given: dict[str, Any] = {"person": data.person_id, "role": data.role, "actor": actor, "reason": data.reason}
    return once(lambda: _do(session, key, response, taking_part.join, **given), response)


@router.post("/{key}/answers", operation_id="answerStep", status_code=201, response_model=RunOut)
def answer(session: SessionDep, actor: Answerer, once: OnceDep, response: Response, key: Key, data: AnswerIn) -> Any:
    """Report that an asked step is done, or that it does not work."""
    given = {"option": data.answer, "comment": data.comment, "evidence": data.evidence}
    substance.require_proof(read(session, service.find(session, key)), data.step, data.answer, actor, now=clock.now())
    return once(lambda: _do(session, key, response, answers.answer, data.step, actor=actor, **given), response)


@router.post("/{key}/decisions", operation_id="decideStep", status_code=201, response_model=RunOut)
def decision(
    session: SessionDep, actor: Answerer, once: OnceDep, response: Response, key: Key, data: DecisionIn
) -> Any:
    """Vote for an option of a decision; a vote can't be changed."""
    given: dict[str, Any] = {"option": data.option, "comment": data.comment, "evidence": []}
    substance.require_proof(read(session, service.find(session, key)), data.step, data.option, actor, now=clock.now())
    return once(lambda: _do(session, key, response, answers.answer, data.step, actor=actor, **given), response)


@router.post("/{key}/steps/{stepId}/retries", operation_id="retryStep", status_code=201, response_model=RunOut)
def retry(
    session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, step: StepKey, data: ReasonIn
) -> Any:
    """Try a step again: an effect that may be there is looked for first."""
    return once(lambda: _do(session, key, response, commands.retry, step, actor=actor, reason=data.reason), response)


@router.post("/{key}/steps/{stepId}/skips", operation_id="skipStep", status_code=201, response_model=RunOut)
def skip(
    session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, step: StepKey, data: MustReasonIn
) -> Any:
    """Pass over a step, with a reason; never one that provides a safety fact."""
    return once(lambda: _do(session, key, response, commands.skip, step, actor=actor, reason=data.reason), response)


@router.post("/{key}/steps/{stepId}/ignores", operation_id="ignoreStep", status_code=201, response_model=RunOut)
def ignore(
    session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, step: StepKey, data: MustReasonIn
) -> Any:
    """Go on after a failed step, with a reason; never one that provides a safety fact."""
    return once(lambda: _do(session, key, response, commands.ignore, step, actor=actor, reason=data.reason), response)


@router.post("/{key}/steps/{stepId}/hand-fences", operation_id="fenceByHand", status_code=201, response_model=RunOut)
def fence_by_hand(
    session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, step: StepKey, data: MustReasonIn
) -> Any:
    """Vouch that a side is fenced where nobody could look; it stands for 15 minutes, and the claim does not pass."""
    substance.require_fresh(actor, now=clock.now())
    return once(
        lambda: _do(session, key, response, commands.fence_by_hand, step, actor=actor, reason=data.reason), response
    )


@router.post("/{key}/steps/{stepId}/evidence", operation_id="uploadStepEvidence", status_code=201)
def upload(
    session: SessionDep,
    actor: Answerer,
    request: Request,
    key: Key,
    step: StepKey,
    file: Annotated[UploadFile, File()],
    title: Annotated[str, Form(max_length=200)] = "",
) -> EvidenceOut:
    """Add a file to a step, to name its hash in an answer; it is durable when this is answered."""
    run = service.find(session, key)
    store: EvidenceStore = request.app.state.evidence
    return EvidenceOut.model_validate(keep(session, run, step, file, store, actor=actor, title=title))


def keep(
    session: Session, run: Run, step: str, file: Received, store: EvidenceStore, *, actor: Actor, title: str = ""
) -> EvidenceFile:
    """Store a received file as evidence of a step; the bytes are durable when this returns."""
    held = read(session, run)
    if step not in held.steps:
        raise NotFound(say("Run {run} has no step '{step}'.", run=run.ref, step=step))
    with tempfile.NamedTemporaryFile() as copy:
        while chunk := file.file.read(CHUNK):
            copy.write(chunk)
        copy.flush()
        kept = store.put(FilePath(copy.name))
    now, row = clock.now(), held.steps[step]
    stored = EvidenceFile(
        run_id=run.id,
        step_run_id=row.id,
        attempt=row.attempt,
        sha256=kept.sha256,
        size=kept.size,
        media_type=plain(file.content_type or "application/octet-stream", 120),
        title=title or plain(file.filename or "", 200),
        at=now,
    )
    session.add(stored)
    tell(session, run, "evidence.added", now=now, step=step, actor=actor.ref, sha256=kept.sha256)
    audit.record(session, actor.ref, "run.evidence-added", "run", run.id, ref=run.ref, step=step, sha256=kept.sha256)
    return stored


@router.get("/{key}/observations", operation_id="listObservations")
def observations(session: SessionDep, _actor: Reader, key: Key) -> list[ObservationOut]:
    """What people noted during the run."""
    run = service.find(session, key)
    rows = session.exec(select(Observation).where(Observation.run_id == run.id).order_by("at"))
    return [ObservationOut.model_validate(row) for row in rows]


@router.post("/{key}/observations", operation_id="addObservation", status_code=201, response_model=ObservationOut)
def observe(
    session: SessionDep, actor: Answerer, once: OnceDep, response: Response, key: Key, data: ObservationIn
) -> Any:
    """Note a strength, an improvement, or anything else."""

    def make() -> ObservationOut:
        row = note(session, service.find(session, key), data, actor=actor, now=clock.now())
        return ObservationOut.model_validate(row)

    return once(make, response)


def note(session: Session, run: Run, data: ObservationIn, *, actor: Actor, now: datetime) -> Observation:
    """Write what somebody noted during a run, or after it."""
    row = Observation(run_id=run.id, by=actor.ref, at=now, **data.model_dump())
    session.add(row)
    tell(session, run, "observation.added", now=now, actor=actor.ref, noted=data.kind)
    audit.record(session, actor.ref, "run.observed", "run", run.id, ref=run.ref, noted=data.kind)
    return row
