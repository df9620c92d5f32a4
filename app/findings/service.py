"""Opens findings, moves them from state to state, lets a retest verify them, and tells plan status what stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlmodel import Session, col, select

from app.access import reach
from app.access.rules import SYSTEM, Actor
from app.core import audit
from app.core.columns import hold_counter, next_ref
from app.core.errors import Conflict
from app.core.messages import say
from app.findings.models import Acceptance, Finding, FindingTransition
from app.findings.rules import (
    CLOSED,
    AcceptanceState,
    Cause,
    FindingFact,
    Operation,
    Retest,
    Severity,
    Source,
    State,
    after,
    next_operations,
    verifies,
)


class NotNow(Conflict):
    """The finding's state does not permit this operation."""

    code = "operation-not-legal"


class Bilingual(Protocol):
    """A sentence in both languages (such as `runners.contract.Text`)."""

    @property
    def nl(self) -> str:
        """In Dutch."""

    @property
    def en(self) -> str:
        """In English."""


@dataclass(frozen=True)
class Title:
    """A title in both languages."""

    nl: str
    en: str


@dataclass(frozen=True)
class NewFinding:
    """What was found. `key` names the fact, so that the same fact found twice is one finding."""

    key: str
    plan_id: str | None
    claim_key: str | None
    object_ids: tuple[str, ...]
    source: Source | str
    cause: Cause | str | None
    severity: Severity | str
    title: Bilingual
    description: str
    level: int | None = None
    """Evidence level (0–5) at which the claim failed."""
    run_id: str | None = None
    service_id: str | None = None
    plan_version: str = ""


def find(session: Session, key: str, *, lock: bool = False) -> Finding:
    """The finding with this id or reference. Raises NotFound."""
    return reach.find(session, Finding, key, "finding", lock=lock)


def open_finding(session: Session, new: NewFinding, *, now: datetime, actor: Actor = SYSTEM) -> Finding:
    """Open a finding, or answer the one that is open for the same key.

    The open one takes over a higher failed level and a worse severity, and goes back to *action* where it awaited
    its retest, since the fact is there again.
    """
    hold_counter(session, "FND")  # of two who find the same fact at once, the second must see the first
    standing = session.exec(select(Finding).where(Finding.open_key == new.key)).first()
    if standing is not None:
        _found_again(session, standing, new, now=now, actor=actor)
        return standing
    finding = Finding(
        ref=next_ref(session, "FND"),
        key=new.key,
        open_key=new.key,
        plan_id=new.plan_id,
        plan_version=new.plan_version,
        claim_key=new.claim_key,
        service_id=new.service_id,
        run_id=new.run_id,
        object_ids=list(new.object_ids),
        source=Source(new.source),
        cause=None if new.cause is None else Cause(new.cause),
        severity=Severity(new.severity),
        level=new.level,
        title_nl=new.title.nl[:300],
        title_en=new.title.en[:300],
        description=new.description,
        opened_by=actor.ref,
        opened_at=now,
    )
    session.add(finding)
    session.flush()
    audit.record(session, actor.ref, "finding.opened", "finding", finding.id, ref=finding.ref, key=new.key)
    return finding


_WORSE = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2}


def is_worse(finding: Finding, new: NewFinding) -> bool:
    """Whether finding it again would raise the severity or the failed level of the open one."""
    return _worst(finding, new) != (finding.severity, finding.level)


def _worst(finding: Finding, new: NewFinding) -> tuple[Severity, int | None]:
    severity = max(finding.severity, Severity(new.severity), key=_WORSE.__getitem__)
    return severity, new.level if finding.level is None else max(finding.level, new.level or 0)


def _found_again(session: Session, finding: Finding, new: NewFinding, *, now: datetime, actor: Actor) -> None:
    severity, level = _worst(finding, new)
    if (severity, level) != (finding.severity, finding.level):
        finding.severity, finding.level = severity, level
        finding.revision += 1
        session.add(finding)
        detail = {"ref": finding.ref, "severity": severity.value, "level": level, "run": new.run_id}
        audit.record(session, actor.ref, "finding.worsened", "finding", finding.id, **detail)
    if finding.state is State.AWAITING_RETEST and new.run_id is not None:
        move(session, finding, Operation.RETURN_TO_ACTION, now=now, actor=actor, run_id=new.run_id)


def move(
    session: Session,
    finding: Finding,
    operation: Operation,
    *,
    now: datetime,
    actor: Actor,
    reason: str = "",
    run_id: str | None = None,
) -> Finding:
    """Carry out one operation. Raises NotNow, which tells the legal ones."""
    target = after(finding.state, operation)
    if target is None:
        raise not_now(session, finding, operation)
    before = finding.state
    finding.state = target
    finding.closed_at = now if target in CLOSED else None
    if operation is Operation.REOPEN:
        _refuse_second_of_key(session, finding)
    finding.open_key = None if target in CLOSED else finding.key
    finding.revision += 1
    session.add(finding)
    session.add(
        FindingTransition(
            finding_id=finding.id,
            at=now,
            actor=actor.ref,
            operation=operation,
            before=before,
            after=target,
            reason=reason,
            run_id=run_id,
        )
    )
    session.flush()
    detail = {"ref": finding.ref, "before": before.value, "after": target.value, "reason": reason, "run": run_id}
    audit.record(session, actor.ref, f"finding.{operation.value}", "finding", finding.id, **detail)
    return finding


def _refuse_second_of_key(session: Session, finding: Finding) -> None:
    with session.no_autoflush:
        other = session.exec(select(Finding).where(Finding.open_key == finding.key)).first()
    if other is not None:
        raise Conflict(say("{ref} was opened for the same fact since. Work on that one.", ref=other.ref))


def not_now(session: Session, finding: Finding, operation: Operation) -> NotNow:
    """The refusal of an operation that is not legal now, with those that are."""
    legal = [each.value for each in legal_operations(session, finding)]
    sentence = say(
        "'{operation}' is not possible while the finding is {state}. Possible now: {legal}.",
        operation=operation.value,
        state=finding.state.value,
        legal=", ".join(legal) or "–",
    )
    return NotNow(sentence, nextActions=legal)


def legal_operations(session: Session, finding: Finding) -> tuple[Operation, ...]:
    """What people can do with the finding now."""
    waiting = select(Acceptance.id).where(
        Acceptance.finding_id == finding.id, Acceptance.state == AcceptanceState.REQUESTED
    )
    requested = session.exec(waiting).first() is not None
    return next_operations(finding.state, acceptance_requested=requested, retestable=finding.claim_key is not None)


def record_retest(
    session: Session, plan_id: str, claim_key: str, *, level: int, verdict: str, run_id: str | None, at: datetime
) -> list[Finding]:
    """Let a run's verdict (pass, partial, fail, inconclusive) work on the claim's findings; answers those that moved.

    A pass at the failed level or higher verifies; a fail sends what awaited its retest back to *action*; anything
    else changes nothing.
    """
    retest = Retest(level, verdict == "pass", at, run_id)
    moved = []
    for finding in _live_of(session, plan_id, claim_key):
        if verifies(retest, level=finding.level, opened_at=finding.opened_at, run_id=finding.run_id):
            finding.retested_at, finding.retest_run_id = at, run_id
            moved.append(move(session, finding, Operation.VERIFY, now=at, actor=SYSTEM, run_id=run_id))
        elif verdict == "fail" and finding.state is State.AWAITING_RETEST:
            moved.append(move(session, finding, Operation.RETURN_TO_ACTION, now=at, actor=SYSTEM, run_id=run_id))
    return moved


def _live_of(session: Session, plan_id: str, claim_key: str) -> list[Finding]:
    statement = select(Finding).where(
        Finding.plan_id == plan_id,
        Finding.claim_key == claim_key,
        col(Finding.state).in_([State.OPEN, State.ACTION, State.AWAITING_RETEST]),
    )
    return list(session.exec(statement.order_by(col(Finding.opened_at))))


def may_be_withdrawn(finding: Finding) -> bool:
    """Whether a rule opened it, about no claim: one of a claim needs a passing retest."""
    return finding.source is Source.RULE and finding.claim_key is None


def withdraw(session: Session, key: str, *, now: datetime, actor: Actor = SYSTEM, reason: str) -> Finding | None:
    """Close the finding of a rule that no longer finds the fact; None where none stands open.

    Only for findings that a rule opened and that are about no claim: those of a claim need a passing retest.
    """
    finding = session.exec(select(Finding).where(Finding.open_key == key)).first()
    if finding is None or not may_be_withdrawn(finding):
        return None
    return move(session, finding, Operation.WITHDRAW, now=now, actor=actor, reason=reason)


def facts(session: Session, plan_id: str, *, at: datetime) -> list[FindingFact]:
    """What stood against the plan at a moment; a finding rejected by then is none."""
    statement = select(Finding).where(Finding.plan_id == plan_id, Finding.opened_at <= at)
    rows = session.exec(statement.order_by(col(Finding.opened_at))).all()
    rejected = _rejected_at(session, [row.id for row in rows], at=at)
    return [_fact(session, row, at=at) for row in rows if row.id not in rejected]


def _rejected_at(session: Session, ids: list[str], *, at: datetime) -> set[str]:
    steps = select(FindingTransition).where(col(FindingTransition.finding_id).in_(ids), FindingTransition.at <= at)
    last = {step.finding_id: step.after for step in session.exec(steps.order_by(col(FindingTransition.id)))}
    return {id for id, state in last.items() if state is State.REJECTED}


def _fact(session: Session, finding: Finding, *, at: datetime) -> FindingFact:
    retested = finding.retested_at if finding.retested_at and finding.retested_at <= at else None
    return FindingFact(
        claim_key=finding.claim_key,
        severity=finding.severity,
        opened=finding.opened_at,
        retested=retested,
        accepted_until=_accepted_until(session, finding, at=at),
    )


def _accepted_until(session: Session, finding: Finding, *, at: datetime) -> datetime | None:
    statement = select(Acceptance).where(
        Acceptance.finding_id == finding.id,
        col(Acceptance.state).in_([AcceptanceState.ACCEPTED, AcceptanceState.ENDED]),
        col(Acceptance.decided_at) <= at,
    )
    last = session.exec(statement.order_by(col(Acceptance.decided_at).desc())).first()
    if last is None:
        return None
    return min(last.until, last.ended_at) if last.ended_at else last.until


def edit(session: Session, finding: Finding, values: dict[str, Any], *, actor: Actor) -> Finding:
    """Change owner, due day, cause, severity or the two axes; whoever reads the audit log sees before and after."""
    before = {name: _plain(getattr(finding, name)) for name in values}
    differing = audit.changes(before, {name: _plain(value) for name, value in values.items()})
    for name, value in values.items():
        setattr(finding, name, value)
    if differing:
        finding.revision += 1
        session.add(finding)
        detail = {"ref": finding.ref, "changes": differing}
        audit.record(session, actor.ref, "finding.edited", "finding", finding.id, **detail)
    return finding


def _plain(value: Any) -> Any:
    return None if value is None else str(value)
