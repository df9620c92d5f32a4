"""What must still be cleaned up after a run: told, done by a person with a reason, and a finding when it is late."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from app.access.models import Person
from app.access.rules import SYSTEM, Actor
from app.catalog.models import EnvironmentPair
from app.core import audit, formats
from app.core.errors import Conflict, FieldError, InvalidInput, NotAllowed, not_found
from app.core.listing import paged
from app.core.messages import say
from app.findings import service as findings
from app.findings.rules import Cause, Severity, Source
from app.runs import activated
from app.runs.aftercare_shapes import ObligationQuery
from app.runs.loss import ObligationKind
from app.runs.models import EvidenceFile, Obligation, Run
from app.runs.rules import RunVerdict
from app.runs.verdicts import NOT_CLEANED_UP
from app.runs.view import tell
from runners.contract import Text


class ReviewNotYours(NotAllowed):
    """What began without approval is reviewed by an approver who neither began it nor decides in it."""

    code = "review-not-yours"


class NotToBeSaidDone(Conflict):
    """This is not met by saying that it is done."""

    code = "obligation-other-way"


class DoneBefore(Conflict):
    """An obligation is met once."""

    code = "obligation-done"


def listed(session: Session, query: ObligationQuery) -> tuple[list[Obligation], int]:
    """One page of obligations, the most urgent first, and how many there are."""
    found = select(Obligation)
    if query.open is not None:
        is_open = col(Obligation.done_at).is_(None)
        found = found.where(is_open if query.open else ~is_open)
    if query.kind is not None:
        found = found.where(Obligation.kind == query.kind)
    if query.run is not None:
        found = found.where(col(Obligation.run_id).in_(_ids(Run, query.run)))
    if query.pair is not None:
        found = found.where(col(Obligation.pair_id).in_(_ids(EnvironmentPair, query.pair)))
    due = col(Obligation.due_at)
    return paged(session, found, query, sortable={"dueAt": due}, searched=[], default="dueAt", tie=col(Obligation.id))


def _ids(table: type[Any], key: str) -> Any:
    return select(table.id).where((col(table.id) == key) | (col(table.ref) == key.upper()))


def open_of(session: Session, run_id: str) -> list[Obligation]:
    """What a run still owes."""
    wanted = select(Obligation).where(Obligation.run_id == run_id, col(Obligation.done_at).is_(None))
    return list(session.exec(wanted))


def owed_by(session: Session, run: Run, obligation_id: str) -> Obligation:
    """What this run owes or owed, by its id. Raises NotFound for what another run owes."""
    row = session.get(Obligation, obligation_id)
    if row is None or row.run_id != run.id:
        raise not_found("obligation", obligation_id)
    return row


def complete(
    session: Session,
    obligation_id: str,
    *,
    actor: Actor,
    reason: str,
    forced: bool,
    now: datetime,
    evidence: Sequence[str] = (),
) -> Obligation:
    """Say that it was cleaned up; or, `forced`, that it is let be: the run never passes then.

    What is owed to a lost side is closed with `evidence` (SHA-256 of files uploaded to the run), or it is forced.
    """
    row = _open_row(session, obligation_id)
    if row.kind is ObligationKind.REVIEW:
        raise NotToBeSaidDone(say("This is a review: an approver who had no hand in it says whether it was right."))
    if row.kind is ObligationKind.DEBT and actor.person_id is None:
        raise NotAllowed(say("Only a person can say that what is owed was done: somebody must answer for it."))
    _require_evidence(session, row, evidence, forced)
    row.done_at, row.reason, row.done_by, row.forced = now, reason, actor.ref, forced
    row.evidence = list(evidence)
    session.add(row)
    session.flush()
    run = session.get_one(Run, row.run_id)
    _pass_at_last(session, run)
    tell(session, run, "obligation.done", now=now, actor=actor.ref, what=row.what, reason=reason, forced=forced)
    detail = {"ref": run.ref, "what": row.what, "reason": reason, "forced": forced}
    audit.record(session, actor.ref, "obligation.done", "run", run.id, **detail)
    return row


def _open_row(session: Session, obligation_id: str) -> Obligation:
    row = session.get(Obligation, obligation_id, with_for_update=True)
    if row is None:
        raise not_found("obligation", obligation_id)
    if row.done_at is not None:
        raise DoneBefore(say("This was done before."))
    return row


def _require_evidence(session: Session, row: Obligation, evidence: Sequence[str], forced: bool) -> None:
    files = session.exec(select(EvidenceFile).where(EvidenceFile.run_id == row.run_id)).all()
    for sha256 in evidence:
        received = [each.at for each in files if each.sha256 == sha256]
        if not received:
            text = say("Upload this file to a step of the run first: {sha}.", sha=sha256)
            raise InvalidInput(text, errors=[FieldError("evidence", "unknown-evidence", text)])
        if max(received) <= row.created_at:
            text = say("This file is older than what it would settle: {sha}. Add one that was made since.", sha=sha256)
            raise InvalidInput(text, errors=[FieldError("evidence", "evidence-too-old", text)])
    owed_to_a_side = row.kind is ObligationKind.DEBT and row.side is not None
    if owed_to_a_side and not evidence and not forced:
        text = say("Add a file that shows that it was done. Without one it can only be forced, with a reason.")
        raise InvalidInput(text, errors=[FieldError("evidence", "evidence-required", text)])


def review(
    session: Session, obligation_id: str, *, actor: Actor, agreed: bool, reason: str, now: datetime
) -> Obligation:
    """An approver who had no hand in it says whether it was right to begin without approval; a no opens a finding."""
    row = _open_row(session, obligation_id)
    run = session.get_one(Run, row.run_id)
    if row.kind is not ObligationKind.REVIEW:
        raise NotToBeSaidDone(say("This is no review. Say that it was done instead."))
    if actor.person_id is None or actor.ref in activated.involved(session, run):
        raise ReviewNotYours(say("You began this, or decide in it. Another approver reviews it."))
    row.done_at, row.done_by, row.reason = now, actor.ref, reason
    session.add(row)
    session.flush()
    tell(session, run, "activation.reviewed", now=now, actor=actor.ref, agreed=agreed, reason=reason)
    detail = {"ref": run.ref, "agreed": agreed, "reason": reason}
    audit.record(session, actor.ref, "activation.reviewed", "run", run.id, **detail)
    told = "An approver reviewed it."
    findings.withdraw(session, _review_key(row), now=now, actor=SYSTEM, reason=told)
    if not agreed:
        title = Text(
            nl=f"{run.ref}: beginnen zonder goedkeuring was niet terecht: {reason}",
            en=f"{run.ref}: to begin without approval was not right: {reason}",
        )
        _open_finding(session, row, run, title, now)
    return row


def ask_review(session: Session, row: Obligation, run: Run, owner: Person | None, *, now: datetime) -> None:
    """A finding from the first moment on, with who sees to the review and until when; the review itself closes it."""
    nl, en = row.text["nl"], row.text["en"]
    new = _finding(row, run, Text(nl=nl, en=en), key=_review_key(row), source=Source.RULE, severity=Severity.MEDIUM)
    finding = findings.open_finding(session, new, now=now, actor=SYSTEM)
    finding.owner_id, finding.due_on = owner.id if owner else None, formats.local(row.due_at).date()
    session.add(finding)


def _review_key(row: Obligation) -> str:
    return f"review:{row.id}"


def _pass_at_last(session: Session, run: Run) -> None:
    """A run that was held back only by what it owed has passed once all of it is cleaned up, and nothing was forced."""
    if run.verdict is not RunVerdict.PARTIAL or run.verdict_reason != NOT_CLEANED_UP.model_dump():
        return
    left = select(Obligation).where(Obligation.run_id == run.id, Obligation.kind == ObligationKind.CLEAN_UP)
    owed = session.exec(left).all()
    if all(each.done_at is not None and not each.forced for each in owed):
        run.verdict = RunVerdict.PASSED
        run.verdict_reason = Text(nl="Alles is opgeruimd.", en="Everything was cleaned up.").model_dump()
        session.add(run)


def remind(session: Session, *, now: datetime) -> None:
    """Open a finding for each obligation that is late; while it is not closed it is opened once."""
    late = select(Obligation).where(col(Obligation.done_at).is_(None), col(Obligation.due_at) <= now)
    for row in session.exec(late).all():
        run = session.get_one(Run, row.run_id)
        if row.kind is ObligationKind.REVIEW:
            key, source = _review_key(row), Source.RULE  # it is open since the glass was broken; now it is serious
            new = _finding(row, run, _late(row, run), key=key, source=source)
            findings.open_finding(session, new, now=now, actor=SYSTEM)
        else:
            _open_finding(session, row, run, _late(row, run), now)


def _late(row: Obligation, run: Run) -> Text:
    nl, en = row.text.get("nl") or row.what, row.text.get("en") or row.what
    match row.kind:
        case ObligationKind.CLEAN_UP:
            return Text(nl=f"{run.ref}: niet op tijd opgeruimd: {nl}", en=f"{run.ref}: not cleaned up: {en}")
        case ObligationKind.DEBT:
            return Text(nl=f"{run.ref}: nog niet ingehaald: {nl}", en=f"{run.ref}: not caught up yet: {en}")
        case ObligationKind.REVIEW:
            return Text(nl=f"Niet op tijd beoordeeld: {nl}", en=f"Not reviewed in time: {en}")


def _open_finding(session: Session, row: Obligation, run: Run, title: Text, now: datetime) -> None:
    findings.open_finding(session, _finding(row, run, title, key=f"obligation:{row.id}"), now=now, actor=SYSTEM)


def _finding(
    row: Obligation,
    run: Run,
    title: Text,
    *,
    key: str,
    source: Source = Source.RUNNER,
    severity: Severity = Severity.HIGH,
) -> findings.NewFinding:
    return findings.NewFinding(
        key=key,
        plan_id=run.plan_id,
        claim_key=None,
        object_ids=(),
        source=source,
        cause=Cause.ORGANISATION,
        severity=severity,
        title=title,
        description=row.what,
        level=None,
        run_id=run.id,
        service_id=run.service_id,
    )
