"""What is owed to a side that was lost: written when it is left behind, settled by a run or a person, and a bar."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.catalog.models import EnvironmentPair
from app.core import audit
from app.core.columns import new_id
from app.core.errors import Conflict
from app.core.messages import say
from app.playbooks.rules import Playbook
from app.runs import activated, words
from app.runs.done import target_side
from app.runs.loss import ObligationKind, Owed, Skipped, owed
from app.runs.models import EvidenceFile, Obligation, Run, RunAddition, StepRun
from app.runs.real import Activation
from app.runs.rules import StepState, passed_no_return
from app.runs.view import Held, measurements, tell
from app.runs.words import Words

SETTLE_WITHIN = timedelta(days=14)
"""When a debt becomes a finding. Nobody knows when a lost side returns, but it may not be forgotten until then."""
LOST_ROWS = "lost_rows"
"""Measurement of how many rows the returned side holds that the other does not."""
_LOSS = (LOST_ROWS, "lost_seconds", "divergence_lsn")
_DONE = (StepState.SUCCEEDED, StepState.WARNING)


class DebtOpen(Conflict):
    """Something is still owed to the side that this would use; `debts` says what, and how it is settled."""

    code = "debt-open"


def open_of(session: Session, pair_id: str | None, *, side: str | None = None) -> list[Obligation]:
    """What is owed to a pair, or to one side of it; the oldest first."""
    wanted = select(Obligation).where(
        Obligation.pair_id == pair_id, Obligation.kind == ObligationKind.DEBT, col(Obligation.done_at).is_(None)
    )
    rows = list(session.exec(wanted.order_by(col(Obligation.id)))) if pair_id else []
    return [row for row in rows if side is None or row.side == side or (row.bars and row.side is None)]


def incur(session: Session, held: Held, *, now: datetime) -> None:
    """Write what an activation owes to the side it leaves behind, once it can't go back any more; never twice."""
    run = held.run
    if not run.activation or not (passed_no_return(held.facts()) or run.served_at is not None):
        return
    activation = activated.of(session, run)
    known = set(session.exec(select(Obligation.step_id).where(Obligation.run_id == run.id)))
    lost = activated.loss_of(activation).sides
    skipped = [_skipped(held, row, lost) for row in held.steps.values() if row.driver.get("lost")]
    owing = owed(skipped)
    for each, row_id in zip(owing, sorted(new_id() for _ in owing), strict=True):  # ids of one moment are in no order
        if each.step not in known:
            session.add(_debt(held, each, row_id, now))
            tell(session, run, "debt.incurred", now=now, step=each.step, side=each.side)


def _skipped(held: Held, row: StepRun, lost: frozenset[str]) -> Skipped:
    step = held.playbook.step(row.step_id)
    named = tuple(side for side in row.driver.get("sides", ()) if side in lost) or tuple(sorted(lost))
    rejoins = bool(row.driver.get("rejoins"))
    return Skipped(row.step_id, row.position, row.effect, named, step.debt is not None, rejoins)


def _debt(held: Held, each: Owed, row_id: str, now: datetime) -> Obligation:
    step, row = held.playbook.step(each.step), held.steps[each.step]
    said = step.debt or step.title or step.ask
    text = said.model_dump() if said else {"nl": each.step, "en": each.step}
    return Obligation(
        id=row_id,
        run_id=held.run.id,
        kind=ObligationKind.DEBT,
        what=f"{each.step}: {text['en']}"[:500],
        text=text,
        step_id=each.step,
        pair_id=held.run.pair_id,
        side=each.side,
        runner=row.driver.get("runner"),
        bars=each.bars,
        created_at=now,
        due_at=now + SETTLE_WITHIN,
    )


def catch_up(session: Session, held: Held, *, now: datetime) -> None:
    """At the end of a run: settle the debts for which its steps did what was passed over then, and did not undo it."""
    note_losses(session, held, now=now)
    for debt in open_of(session, held.run.pair_id):
        step = _paid_by(session, held, debt)
        if step is not None:
            _settle(session, debt, held.run, step, now)


def note_losses(session: Session, held: Held, *, now: datetime) -> None:
    """Write beside the activation what the steps of this run found lost."""
    for row in held.steps.values():
        if row.state in _DONE and LOST_ROWS in measurements(row):
            _note_loss(session, held, row, now)


def _paid_by(session: Session, held: Held, debt: Obligation) -> StepRun | None:
    if debt.run_id == held.run.id:
        return None
    rejoining = _was_to_rejoin(session, debt)
    return next((row for row in held.steps.values() if _pays(row, debt, rejoining)), None)


def _was_to_rejoin(session: Session, debt: Obligation) -> bool:
    """Whether the step that was passed over would have let the side take part again: any way to do that pays it."""
    wanted = select(StepRun).where(StepRun.run_id == debt.run_id, StepRun.step_id == debt.step_id)
    row = session.exec(wanted).first()
    return row is not None and bool(row.driver.get("rejoins"))


def _pays(row: StepRun, debt: Obligation, rejoining: bool) -> bool:
    same = debt.runner is not None and row.driver.get("runner") == debt.runner
    same = same or (rejoining and bool(row.driver.get("rejoins")))
    return same and row.state in _DONE and debt.side in row.driver.get("sides", ())


def _settle(session: Session, debt: Obligation, run: Run, step: StepRun, now: datetime) -> None:
    debt.done_at, debt.done_by, debt.settled_by = now, "system", run.id
    debt.reason = f"{run.ref}, {step.step_id}"
    session.add(debt)
    session.flush()
    of = session.get_one(Run, debt.run_id)
    for told in (of, run):
        tell(session, told, "debt.settled", now=now, step=debt.step_id, what=debt.what, by=debt.reason)
    audit.record(session, "system", "debt.settled", "run", of.id, ref=of.ref, what=debt.what, by=debt.reason)


def _note_loss(session: Session, held: Held, row: StepRun, now: datetime) -> None:
    """Write beside the activation of this pair how many rows were really lost; its proof stands as it was written."""
    activation = _last_activation(session, held.run, row)
    if activation is None:
        return
    before = select(RunAddition).where(RunAddition.source_run_id == held.run.id, RunAddition.step_id == row.step_id)
    if session.exec(before.where(RunAddition.run_id == activation.run_id)).first() is not None:
        return
    figures = {name: value for name, value in measurements(row).items() if name in _LOSS}
    files = session.exec(select(EvidenceFile.sha256).where(EvidenceFile.step_run_id == row.id))
    addition = RunAddition(
        run_id=activation.run_id,
        at=now,
        source_run_id=held.run.id,
        step_id=row.step_id,
        kind="loss",
        figures=figures,
        reason=row.outcome.get("reason", {}),
        evidence=list(files),
    )
    session.add(addition)
    of = session.get_one(Run, activation.run_id)
    tell(session, of, "loss.measured", now=now, by=held.run.ref, **figures)
    audit.record(session, "system", "run.loss-measured", "run", of.id, ref=of.ref, by=held.run.ref, **figures)


def _last_activation(session: Session, run: Run, row: StepRun) -> Activation | None:
    """The newest activation of this run's pair that lost a side which this step looked at."""
    wanted = select(Activation).join(Run, col(Run.id) == col(Activation.run_id)).where(Run.pair_id == run.pair_id)
    newest = session.exec(wanted.order_by(col(Activation.created_at).desc()).limit(1)).first()
    sides = set(row.driver.get("sides", ()))
    return newest if newest is not None and sides & set(newest.lost.get("sides", ())) else None


def bar(session: Session, held: Held, row: StepRun, *, now: datetime) -> Words | None:
    """Why a side may not take part again by this step; None where nothing is owed that stands before it.

    What this run did itself counts here already, and is settled when the run ends: until then it may be undone.
    """
    if not row.driver.get("rejoins") or held.run.pair_id is None:
        return None
    note_losses(session, held, now=now)
    sides = row.driver.get("sides", ())
    barring = [each for each in open_of(session, held.run.pair_id) if each.bars and each.side in (None, *sides)]
    owing = [each for each in barring if _paid_by(session, held, each) is None]
    if not owing:
        return None
    nl, en = listed(owing)
    return words.words(
        f"Er is nog een schuld aan deze kant. Los die eerst in: {nl}. Doe die stap in een run, of laat een persoon "
        "hem met bewijs afsluiten. Hervat daarna.",
        f"Something is still owed to this side. Settle it first: {en}. Do that step in a run, or let a person close it "
        "with evidence. Then resume.",
    )


def listed(owing: Sequence[Obligation]) -> tuple[str, str]:
    """What is owed, in one line of Dutch and one of English."""
    return tuple(
        "; ".join((each.text.get(language) or each.what).rstrip(".") for each in owing) for language in ("nl", "en")
    )  # type: ignore[return-value]


def refuse_switch(session: Session, run: Run, playbook: Playbook) -> None:
    """Refuse to move the service to a side to which something is owed. Raises DebtOpen."""
    target = target_side(run)
    if target is None or not playbook.moves_service:
        return
    owing = open_of(session, run.pair_id, side=target.value)
    if owing:
        pair = session.get_one(EnvironmentPair, run.pair_id)
        _nl, en = listed(owing)
        reason = say(
            "Something is still owed to the {side} side of {pair} since it was lost: {debts}. Settle it by a run that "
            "does those steps, or let a person close each with evidence and a reason. Then start again.",
            side=target.value,
            pair=pair.ref,
            debts=en,
        )
        raise DebtOpen(reason, debts=[{"id": each.id, "what": each.what, "bars": each.bars} for each in owing])
