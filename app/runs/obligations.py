"""What must still be cleaned up after a run: told, done by a person with a reason, and a finding when it is late."""

from datetime import datetime

from sqlmodel import Session, col, select

from app.access.rules import SYSTEM, Actor
from app.core import audit
from app.core.errors import Conflict, not_found
from app.core.listing import paged
from app.core.messages import say
from app.findings import service as findings
from app.findings.rules import Cause, Severity, Source
from app.runs.aftercare_shapes import ObligationQuery
from app.runs.models import Obligation, Run
from app.runs.rules import RunVerdict
from app.runs.verdicts import NOT_CLEANED_UP
from app.runs.view import tell
from runners.contract import Text


class DoneBefore(Conflict):
    """An obligation is met once."""

    code = "obligation-done"


def listed(session: Session, query: ObligationQuery) -> tuple[list[Obligation], int]:
    """One page of obligations, the most urgent first, and how many there are."""
    found = select(Obligation)
    if query.open is not None:
        is_open = col(Obligation.done_at).is_(None)
        found = found.where(is_open if query.open else ~is_open)
    due = col(Obligation.due_at)
    return paged(session, found, query, sortable={"dueAt": due}, searched=[], default="dueAt", tie=col(Obligation.id))


def open_of(session: Session, run_id: str) -> list[Obligation]:
    """What a run still owes."""
    wanted = select(Obligation).where(Obligation.run_id == run_id, col(Obligation.done_at).is_(None))
    return list(session.exec(wanted))


def complete(
    session: Session, obligation_id: str, *, actor: Actor, reason: str, forced: bool, now: datetime
) -> Obligation:
    """Say that it was cleaned up; or, `forced`, that it is let be: the run never passes then."""
    row = session.get(Obligation, obligation_id, with_for_update=True)
    if row is None:
        raise not_found("obligation", obligation_id)
    if row.done_at is not None:
        raise DoneBefore(say("This was done before."))
    row.done_at, row.reason, row.done_by, row.forced = now, reason, actor.ref, forced
    session.add(row)
    session.flush()
    run = session.get_one(Run, row.run_id)
    _pass_at_last(session, run)
    tell(session, run, "obligation.done", now=now, actor=actor.ref, what=row.what, reason=reason, forced=forced)
    detail = {"ref": run.ref, "what": row.what, "reason": reason, "forced": forced}
    audit.record(session, actor.ref, "obligation.done", "run", run.id, **detail)
    return row


def _pass_at_last(session: Session, run: Run) -> None:
    """A run that was held back only by what it owed has passed once all of it is cleaned up, and nothing was forced."""
    if run.verdict is not RunVerdict.PARTIAL or run.verdict_reason != NOT_CLEANED_UP.model_dump():
        return
    owed = session.exec(select(Obligation).where(Obligation.run_id == run.id)).all()
    if all(each.done_at is not None and not each.forced for each in owed):
        run.verdict = RunVerdict.PASSED
        run.verdict_reason = Text(nl="Alles is opgeruimd.", en="Everything was cleaned up.").model_dump()
        session.add(run)


def remind(session: Session, *, now: datetime) -> None:
    """Open a finding for each obligation that is late; while it is not closed it is opened once."""
    late = select(Obligation).where(col(Obligation.done_at).is_(None), col(Obligation.due_at) <= now)
    for row in session.exec(late).all():
        run = session.get_one(Run, row.run_id)
        new = findings.NewFinding(
            key=f"obligation:{row.id}",
            plan_id=run.plan_id,
            claim_key=None,
            object_ids=(),
            source=Source.RUNNER,
            cause=Cause.ORGANISATION,
            severity=Severity.HIGH,
            title=Text(
                nl=f"{run.ref}: niet op tijd opgeruimd: {row.what}", en=f"{run.ref}: not cleaned up: {row.what}"
            ),
            description=row.what,
            level=None,
            run_id=run.id,
            service_id=run.service_id,
        )
        findings.open_finding(session, new, now=now, actor=SYSTEM)
