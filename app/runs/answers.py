"""Answers of people to questions and votes in decisions: who may answer, what evidence, when it is decided."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from app.access.models import Person
from app.access.rules import Actor, Role
from app.core import audit
from app.core.errors import Conflict, FieldError, InvalidInput, NotAllowed
from app.core.messages import say
from app.playbooks.rules import EvidenceRule, Step, StepKind
from app.runs import facts, taking_part
from app.runs.commands import _step, require
from app.runs.independence import is_process_owner
from app.runs.models import EvidenceFile, StepRun
from app.runs.progress import advance, decide
from app.runs.record import Answer
from app.runs.rules import Call, Command, StepState, tally
from app.runs.taking_part import PROCESS_OWNER
from app.runs.view import Held, hold, tell
from runners.contract import Fact, Text, Verdict

DONE, FAILED = "done", "failed"
"""What a person answers to an ask."""


class NotYoursToAnswer(NotAllowed):
    """The playbook asks somebody in another role."""

    code = "not-yours-to-answer"


class VotedBefore(Conflict):
    """A vote can't be changed."""

    code = "voted-before"


def answer(
    session: Session,
    run_id: str,
    step_id: str,
    *,
    option: str,
    comment: str,
    evidence: Sequence[str],
    actor: Actor,
    now: datetime,
) -> Held:
    """One person's answer to an ask (``done`` or ``failed``) or vote in a decision (one of its options).

    `evidence`: SHA-256 of files uploaded to this step before.
    """
    held = hold(session, run_id)
    row, step = _step(held, step_id), held.playbook.step(step_id)
    require(held, Command.ANSWER, step_id)
    _require_option(step, row, option)
    _require_role(session, held, step, actor, now)
    _require_evidence(session, row, step, option, evidence, comment)
    _write(session, held, row, option, comment, actor, now)
    if step.kind is StepKind.DECIDE and row.call is Call.RUN:
        _count(session, held, row, step, comment, actor, now)
    else:
        _report(session, held, row, step, option, comment, actor, now)
    advance(session, held, now=now)
    return held


def _require_option(step: Step, row: StepRun, option: str) -> None:
    known = list(step.options) if step.kind is StepKind.DECIDE and row.call is Call.RUN else [DONE, FAILED]
    if option not in known:
        reason = say("'{option}' is no answer here. Choose one of: {known}.", option=option, known=", ".join(known))
        raise InvalidInput(reason, errors=[FieldError("option", "unknown-option", reason)])


def _require_role(session: Session, held: Held, step: Step, actor: Actor, now: datetime) -> None:
    if not may_answer(session, held, step, actor, now=now):
        role = step.role or "operator"
        raise NotYoursToAnswer(
            say("This is for the role '{role}'. You do not have that role in this drill.", role=role)
        )


def may_answer(session: Session, held: Held, step: Step, actor: Actor, *, now: datetime) -> bool:
    """Whether this is asked of this person.

    The process owner of the service, or who stands in for them; else who plays the role in the drill; where nobody is
    named, any operator.
    """
    person = session.get(Person, actor.person_id) if actor.person_id else None
    if person is None:
        return False
    if step.role is None:
        return True
    if step.role == PROCESS_OWNER:
        return is_process_owner(session, held.run.service_id, person, now=now)
    named = [each.person_id for each in taking_part.of(session, held.run) if each.role == step.role]
    return person.id in named if named else Role.OPERATOR in actor.roles


def _require_evidence(
    session: Session, row: StepRun, step: Step, option: str, evidence: Sequence[str], comment: str
) -> None:
    known = set(session.exec(select(EvidenceFile.sha256).where(EvidenceFile.step_run_id == row.id)))
    unknown = [each for each in evidence if each not in known]
    if unknown:
        reason = say("Upload this file to the step first: {sha}.", sha=unknown[0])
        raise InvalidInput(reason, errors=[FieldError("evidence", "unknown-evidence", reason)])
    if step.evidence is EvidenceRule.REQUIRED and option == DONE and not evidence:
        reason = say("This step asks for evidence. Upload a file and name it in your answer.")
        raise InvalidInput(reason, errors=[FieldError("evidence", "evidence-required", reason)])
    if option == FAILED and not comment.strip():
        reason = say("Say what does not work.")
        raise InvalidInput(reason, errors=[FieldError("comment", "comment-required", reason)])


def _write(session: Session, held: Held, row: StepRun, option: str, comment: str, actor: Actor, now: datetime) -> None:
    wanted = select(Answer).where(Answer.step_run_id == row.id, Answer.attempt == row.attempt)
    if session.exec(wanted.where(Answer.person == actor.ref)).first() is not None:
        raise VotedBefore(say("You answered this before. A vote can't be changed."))
    vote = Answer(
        run_id=held.run.id,
        step_run_id=row.id,
        attempt=row.attempt,
        person=actor.ref,
        option=option,
        comment=comment,
        at=now,
    )
    session.add(vote)
    session.flush()
    tell(session, held.run, "step.answered", now=now, step=row.step_id, actor=actor.ref, option=option)
    detail = {"ref": held.run.ref, "step": row.step_id, "option": option, "comment": comment}
    audit.record(session, actor.ref, "run.answered", "run", held.run.id, **detail)


def _count(session: Session, held: Held, row: StepRun, step: Step, comment: str, actor: Actor, now: datetime) -> None:
    wanted = select(Answer).where(Answer.step_run_id == row.id, Answer.attempt == row.attempt).order_by(col(Answer.at))
    votes = list(session.exec(wanted))
    won = tally([vote.option for vote in votes], quorum=step.quorum, veto=step.veto)
    if won is not None:
        deciders = ", ".join(vote.person for vote in votes if vote.option == won)
        decide(session, held, row.step_id, won, by=deciders or actor.ref, reason=comment, now=now)


def _report(
    session: Session, held: Held, row: StepRun, step: Step, option: str, comment: str, actor: Actor, now: datetime
) -> None:
    """A person says that it is done, or that it does not work; a failure is a failure with that reason."""
    works = option == DONE
    row.finished_at, row.by, row.comment, row.due_at = now, actor.ref, comment, None
    if row.call is Call.UNDO:
        row.state = StepState.UNDONE if works else StepState.UNDO_FAILED
        return
    row.state = StepState.SUCCEEDED if works else StepState.FAILED
    row.verdict = Verdict.PASSED if works else Verdict.FAILED
    reason = Text(nl=comment or "Gedaan.", en=comment or "Done.")
    row.outcome = {"verdict": row.verdict.value, "reason": reason.model_dump(), "measurements": []}
    facts.disturb(session, held.run, row, done=works)
    if works:
        _sign(session, held, row, step, actor, now)


def _sign(session: Session, held: Held, row: StepRun, step: Step, actor: Actor, now: datetime) -> None:
    """The named person vouches for a fact, where the playbook says so, or for what the step by hand provides."""
    signed = list(row.driver.get("provides", ()))
    if step.signs is not None:
        raw = held.params({"pair": step.signs.pair, "node": step.signs.node})
        signed += facts.keys([Fact(kind=step.signs.fact.value.removeprefix("manually-"))], raw)
    for fact in signed:
        facts.note(session, held.run, fact, holds=True, step_id=row.step_id, now=now, signed_by=actor.ref)
