"""How an activation is shown: what was told of it, which drill it came from, and what became known later."""

from sqlmodel import Session, col, select

from app.access.models import Person
from app.runs import activated
from app.runs.activation_shapes import ActivationOut, AdditionOut
from app.runs.loss import ObligationKind
from app.runs.models import Activation, Obligation, Run, RunAddition, RunEvent
from app.runs.takeover import TAKEN_OVER


def told(session: Session, run: Run) -> ActivationOut | None:
    """What is known of an activation; None for a drill."""
    row = activated.of(session, run)
    if row is None:
        return None
    from_run = session.get(Run, row.drill_run_id) if row.drill_run_id else None
    same = ("alarm_at", "outage_at", "reason", "scenario", "lost", "declared_by", "break_glass", "carried")
    return ActivationOut(
        **{name: getattr(row, name) for name in same},
        alerted=[person.name for key in row.alerted if (person := session.get(Person, key)) is not None],
        reviewed_by=_reviewed_by(session, run),
        involved=sorted(activated.involved(session, run)),
        from_run=from_run.ref if from_run else None,
    )


def _reviewed_by(session: Session, run: Run) -> str | None:
    wanted = select(Obligation.done_by).where(
        Obligation.run_id == run.id, Obligation.kind == ObligationKind.REVIEW, col(Obligation.done_at).is_not(None)
    )
    return session.exec(wanted).first()


def became(session: Session, run: Run) -> str | None:
    """The activation that a drill became, or that took its place; None where there is none."""
    if not run.real:
        return None
    wanted = select(Run.ref).join(Activation, col(Activation.run_id) == col(Run.id))
    found = session.exec(wanted.where(Activation.drill_run_id == run.id)).first()
    taken = select(RunEvent).where(RunEvent.run_id == run.id, RunEvent.kind == TAKEN_OVER)
    event = None if found else session.exec(taken).first()
    return str(event.detail["by"]) if event else found


def additions(session: Session, run: Run) -> list[AdditionOut]:
    """What became known of a run after its proof was written, the oldest first."""
    wanted = select(RunAddition).where(RunAddition.run_id == run.id).order_by(col(RunAddition.at))
    return [
        AdditionOut(
            kind=row.kind,
            at=row.at,
            by_run=session.get_one(Run, row.source_run_id).ref,
            step=row.step_id,
            figures=row.figures,
            reason=row.reason,
            evidence=row.evidence,
        )
        for row in session.exec(wanted)
    ]
