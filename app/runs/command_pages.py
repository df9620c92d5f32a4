"""What people do to a run by the forms of its page; the same commands as by API, and then back to the page."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse
from sqlmodel import Session
from starlette.responses import Response

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.core import clock, forms
from app.core.browser import Fields, form, form_with_file
from app.core.db import SessionDep
from app.core.errors import FieldError, InvalidInput
from app.core.messages import say
from app.core.web import redirect
from app.runs import (
    answers,
    approval,
    commands,
    locks,
    obligations,
    operations,
    planning,
    service,
    shown_activation,
    substance,
    taking_part,
)
from app.runs.activation_shapes import ThenActivateIn
from app.runs.record import ApprovalVerdict
from app.runs.run_page import show
from app.runs.shapes import AnswerIn, ApprovalIn, DecisionIn, JoinIn, MustReasonIn, ObservationIn, ReasonIn
from app.runs.view import Held, read

router = APIRouter(include_in_schema=False)
Operator = Annotated[Actor, Depends(allowed(Action.OPERATE_RUN))]
Answerer = Annotated[Actor, Depends(allowed(Action.ANSWER_STEP))]
Approver = Annotated[Actor, Depends(allowed(Action.APPROVE_RUN))]
Withdrawer = Annotated[Actor, Depends(allowed(Action.APPROVE_RUN, withdraws=True))]
Sent = Annotated[Fields, Depends(form)]
SentWithFile = Annotated[Fields, Depends(form_with_file)]
Key = Annotated[str, Path(max_length=64)]
StepKey = Annotated[str, Path(max_length=40)]


def _do(
    session: Session, key: str, actor: Actor, fields: Fields, command: Callable[..., Held], *step: str
) -> RedirectResponse:
    """Carry out a command with the reason that was typed, and show the run."""
    run = service.find(session, key)
    reason = forms.read(ReasonIn, {"reason": fields.text("comment")}).reason
    command(session, run.id, *step, actor=actor, reason=reason, now=clock.now())
    return redirect(f"/runs/{run.ref}")


def _with_reason(fields: Fields) -> None:
    """Refuse a form without a reason where one is a must."""
    forms.read(MustReasonIn, {"reason": fields.text("comment")})


@router.post("/runs/{key}/starts")
def start(session: SessionDep, actor: Operator, key: Key, fields: Sent) -> RedirectResponse:
    """Start a run that waits for its environment, or for its moment."""
    run = service.find(session, key)
    planning.start(session, run.id, actor=actor, now=clock.now())
    return redirect(f"/runs/{run.ref}")


@router.post("/runs/{key}/pauses")
def pause(session: SessionDep, actor: Operator, key: Key, fields: Sent) -> RedirectResponse:
    """Begin no further step."""
    return _do(session, key, actor, fields, commands.pause)


@router.post("/runs/{key}/resumptions")
def resume(session: SessionDep, actor: Operator, key: Key, fields: Sent) -> RedirectResponse:
    """Go on after a pause."""
    return _do(session, key, actor, fields, commands.resume)


@router.post("/runs/{key}/undos")
def undo(session: SessionDep, actor: Operator, key: Key, fields: Sent) -> RedirectResponse:
    """Take back what was started."""
    return _do(session, key, actor, fields, commands.undo)


@router.post("/runs/{key}/cancellations")
def abort(session: SessionDep, actor: Operator, key: Key, fields: Sent) -> RedirectResponse:
    """Stop now."""
    return _do(session, key, actor, fields, commands.abort)


@router.post("/runs/{key}/leavings")
def leave(session: SessionDep, actor: Operator, key: Key, fields: Sent) -> RedirectResponse:
    """End an aborted run as it stands."""
    _with_reason(fields)
    return _do(session, key, actor, fields, commands.leave)


@router.post("/runs/{key}/reality-calls")
def real(session: SessionDep, actor: Operator, key: Key, fields: Sent) -> RedirectResponse:
    """This is real: the drill stops at once; where so asked its plan is put to work, and that run is shown."""
    run, then = service.find(session, key), None
    if fields.text("activate") == "yes":
        sides = [fields.text("lost")] if fields.text("lost") else []
        then = forms.read(ThenActivateIn, {"lost": {"sides": sides}})
    reason = forms.read(ReasonIn, {"reason": fields.text("comment")}).reason
    commands.this_is_real(session, run.id, actor=actor, reason=reason, now=clock.now(), then_activate=then)
    session.flush()
    return redirect(f"/runs/{shown_activation.became(session, run) or run.ref}")


@router.post("/runs/{key}/steps/{step}/retries")
def retry(session: SessionDep, actor: Operator, key: Key, step: StepKey, fields: Sent) -> RedirectResponse:
    """Try a step again."""
    return _do(session, key, actor, fields, commands.retry, step)


@router.post("/runs/{key}/steps/{step}/hand-fences")
def fence_by_hand(session: SessionDep, actor: Operator, key: Key, step: StepKey, fields: Sent) -> RedirectResponse:
    """Vouch that a side is fenced where nobody could look."""
    substance.require_fresh(actor, now=clock.now())
    _with_reason(fields)
    return _do(session, key, actor, fields, commands.fence_by_hand, step)


@router.post("/runs/{key}/steps/{step}/ignores")
def ignore(session: SessionDep, actor: Operator, key: Key, step: StepKey, fields: Sent) -> RedirectResponse:
    """Go on after a failed step."""
    _with_reason(fields)
    return _do(session, key, actor, fields, commands.ignore, step)


@router.post("/runs/{key}/skips")
def skip(session: SessionDep, actor: Operator, key: Key, fields: Sent) -> RedirectResponse:
    """Pass over the step that was chosen."""
    _with_reason(fields)
    return _do(session, key, actor, fields, commands.skip, fields.text("step"))


@router.post("/runs/{key}/obligations/{obligation}")
def clean_up(session: SessionDep, actor: Operator, key: Key, obligation: Key, fields: Sent) -> RedirectResponse:
    """Say that what the run left was cleaned up."""
    _with_reason(fields)
    reason = forms.read(ReasonIn, {"reason": fields.text("comment")}).reason
    run = service.find(session, key)
    row = obligations.owed_by(session, run, obligation)
    obligations.complete(session, row.id, actor=actor, reason=reason, forced=False, now=clock.now())
    return redirect(f"/runs/{run.ref}")


@router.post("/runs/{key}/releases")
def release(session: SessionDep, actor: Operator, key: Key, fields: Sent) -> RedirectResponse:
    """Free every environment that a run which is over still holds."""
    _with_reason(fields)
    run = service.find(session, key)
    reason = forms.read(ReasonIn, {"reason": fields.text("comment")}).reason
    for row in locks.held_locks(session):
        if row.run_id == run.id:
            commands.release_lock(session, row.key, actor=actor, reason=reason, now=clock.now())
    return redirect(f"/runs/{run.ref}")


@router.post("/runs/{key}/participants")
def join(session: SessionDep, actor: Answerer, key: Key, fields: Sent) -> RedirectResponse:
    """Ask one more person to take part."""
    run = service.find(session, key)
    given = {"personId": fields.text("personId"), "role": fields.text("role"), "reason": fields.text("comment")}
    data = forms.read(JoinIn, given)
    said: dict[str, Any] = {"person": data.person_id, "role": data.role, "reason": data.reason}
    taking_part.join(session, run.id, actor=actor, now=clock.now(), **said)
    return redirect(f"/runs/{run.ref}")


@router.post("/runs/{key}/answers")
def answer(request: Request, session: SessionDep, actor: Answerer, key: Key, fields: SentWithFile) -> Response:
    """Report that an asked step is done, or that it does not work, with a file where there is one."""
    run, step = service.find(session, key), fields.text("step")
    substance.require_proof(read(session, run), step, fields.text("answer"), actor, now=clock.now())
    given: dict[str, Any] = {"step": step, "answer": fields.text("answer"), "comment": fields.text("comment")}
    file = fields.file("file")
    try:
        with session.begin_nested():
            if file is not None:
                given["evidence"] = [
                    operations.keep(session, run, step, file, request.app.state.evidence, actor=actor).sha256
                ]
            data = forms.read(AnswerIn, given)
            said: dict[str, Any] = {"option": data.answer, "comment": data.comment, "evidence": data.evidence}
            answers.answer(session, run.id, step, actor=actor, now=clock.now(), **said)
    except InvalidInput as problem:
        session.refresh(run)
        return show(request, session, actor, run, problem, step)
    return redirect(f"/runs/{run.ref}")


@router.post("/runs/{key}/decisions")
def decide(session: SessionDep, actor: Answerer, key: Key, fields: Sent) -> RedirectResponse:
    """Vote for an option of a decision."""
    run = service.find(session, key)
    data = forms.read(DecisionIn, {name: fields.text(name) for name in ("step", "option", "comment")})
    substance.require_proof(read(session, run), data.step, data.option, actor, now=clock.now())
    said: dict[str, Any] = {"option": data.option, "comment": data.comment, "evidence": ()}
    answers.answer(session, run.id, data.step, actor=actor, now=clock.now(), **said)
    return redirect(f"/runs/{run.ref}")


@router.post("/runs/{key}/observations")
def observe(session: SessionDep, actor: Answerer, key: Key, fields: Sent) -> RedirectResponse:
    """Note what was seen."""
    run = service.find(session, key)
    data = forms.read(ObservationIn, {"text": fields.text("text"), "kind": fields.text("kind") or "note"})
    operations.note(session, run, data, actor=actor, now=clock.now())
    return redirect(f"/runs/{run.ref}")


@router.post("/runs/{key}/approvals")
def approve(request: Request, session: SessionDep, actor: Approver, key: Key, fields: Sent) -> Response:
    """Approve or deny exactly what was shown; a no without a reason is asked again on the page."""
    run = service.find(session, key)
    try:
        data = read_approval(fields)
    except InvalidInput as problem:
        return show(request, session, actor, run, problem)
    verdict = ApprovalVerdict(data.verdict)
    given: dict[str, Any] = {"digest": data.digest, "comment": data.comment, "valid_until": data.valid_until}
    commands.approve(session, run.id, actor=actor, verdict=verdict, now=clock.now(), **given)
    return redirect(f"/runs/{run.ref}")


def read_approval(fields: Fields) -> ApprovalIn:
    """The approval that a form carries; a denial says why."""
    data = forms.read(ApprovalIn, {name: fields.text(name) for name in ("digest", "verdict", "comment")})
    if data.verdict == ApprovalVerdict.DENIED.value and not data.comment:
        raise forms.wrong([FieldError("comment", "comment-required", say("Say why you deny it."))])
    return data


@router.post("/run-approvals/{approval_id}/revocations")
def revoke(session: SessionDep, actor: Withdrawer, approval_id: Key, fields: Sent) -> RedirectResponse:
    """Take back an approval that you gave."""
    row = approval.revoke(session, approval_id, actor, now=clock.now())
    if row.run_id is not None:
        return redirect(f"/runs/{service.find(session, row.run_id).ref}")
    return redirect(f"/drills/{row.drill_id}")
