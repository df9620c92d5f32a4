"""Accepts the risk that is left: asked for by one person, decided by another with the mandate, for a year at most."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from app.access.rules import SYSTEM, Actor
from app.core import audit
from app.core.errors import Conflict, FieldError, InvalidInput, NotAllowed, not_found
from app.core.messages import say
from app.findings.models import Acceptance, Finding
from app.findings.rules import AcceptanceState, Control, Impact, Operation, State, latest_end
from app.findings.service import legal_operations, move, not_now


class SamePerson(Conflict):
    """Who asks for the acceptance of a risk cannot accept it."""

    code = "same-person"


class AlreadyDecided(Conflict):
    """The request was decided before."""

    code = "already-decided"


@dataclass(frozen=True)
class Request:
    """What is asked to be accepted."""

    what_can_happen: str
    impact: Impact
    control: Control
    until: datetime
    alternatives: tuple[dict[str, Any], ...] = ()
    conditions: str = ""
    evidence_seen: str = ""


def request(session: Session, finding: Finding, wanted: Request, *, now: datetime, actor: Actor) -> Acceptance:
    """Ask that the risk be accepted. Raises NotNow, NotAllowed for a machine, InvalidInput for a wrong end."""
    if Operation.REQUEST_ACCEPTANCE not in legal_operations(session, finding):
        raise not_now(session, finding, Operation.REQUEST_ACCEPTANCE)
    person = _person(actor)
    _check_end(wanted.until, now=now)
    row = Acceptance(
        finding_id=finding.id,
        what_can_happen=wanted.what_can_happen,
        impact=wanted.impact,
        control=wanted.control,
        alternatives=list(wanted.alternatives),
        conditions=wanted.conditions,
        evidence_seen=wanted.evidence_seen,
        until=wanted.until,
        requested_by_id=person,
        requested_at=now,
    )
    session.add(row)
    session.flush()
    _touch(session, finding)
    audit.record(session, actor.ref, "acceptance.requested", "acceptance", row.id, finding=finding.ref)
    return row


def decide(
    session: Session, finding: Finding, id: str, *, accept: bool, mandate: str, reason: str, now: datetime, actor: Actor
) -> Acceptance:
    """Accept or refuse. Raises SamePerson, AlreadyDecided, NotNow, InvalidInput where the end has passed by now."""
    row = find(session, finding, id)
    person = _person(actor)
    if row.state is not AcceptanceState.REQUESTED:
        raise AlreadyDecided(say("This request is {state} already.", state=row.state.value))
    if accept and row.requested_by_id == person:
        raise SamePerson(say("You asked for this acceptance. Another person with the mandate must decide."))
    row.decided_by_id, row.decided_at, row.mandate, row.decision_reason = person, now, mandate, reason
    row.state = AcceptanceState.ACCEPTED if accept else AcceptanceState.REFUSED
    if accept:
        _check_end(row.until, now=now)
        move(session, finding, Operation.ACCEPT_RISK, now=now, actor=actor, reason=row.what_can_happen)
    else:
        _touch(session, finding)
    session.add(row)
    detail = {"finding": finding.ref, "mandate": mandate, "reason": reason}
    audit.record(session, actor.ref, f"acceptance.{row.state.value}", "acceptance", row.id, **detail)
    return row


def end(session: Session, finding: Finding, *, now: datetime, actor: Actor, reason: str) -> Finding:
    """End the acceptance that holds: the finding opens again."""
    moved = move(session, finding, Operation.END_ACCEPTANCE, now=now, actor=actor, reason=reason)
    for row in of(session, finding):
        if row.state is AcceptanceState.ACCEPTED:
            row.state, row.ended_at = AcceptanceState.ENDED, now
            session.add(row)
            audit.record(session, actor.ref, "acceptance.ended", "acceptance", row.id, finding=finding.ref)
    return moved


def end_expired(session: Session, *, now: datetime) -> list[Finding]:
    """Open each finding again whose acceptance ran out; for the tick."""
    statement = (
        select(Finding)
        .join(Acceptance, col(Acceptance.finding_id) == Finding.id)
        .where(Finding.state == State.RISK_ACCEPTED, Acceptance.state == AcceptanceState.ACCEPTED)
        .where(col(Acceptance.until) <= now)
        .with_for_update(of=Finding)
    )
    expired = session.exec(statement).all()
    return [end(session, each, now=now, actor=SYSTEM, reason="The acceptance ran out.") for each in expired]


def of(session: Session, finding: Finding) -> list[Acceptance]:
    """All requests about a finding, the oldest first."""
    statement = select(Acceptance).where(Acceptance.finding_id == finding.id)
    return list(session.exec(statement.order_by(col(Acceptance.requested_at), col(Acceptance.id))))


def find(session: Session, finding: Finding, id: str) -> Acceptance:
    """One request about this finding. Raises NotFound."""
    row = session.get(Acceptance, id) if id.isprintable() else None
    if row is None or row.finding_id != finding.id:
        raise not_found("acceptance", id)
    return row


def _person(actor: Actor) -> str:
    if actor.person_id is None:
        raise NotAllowed(say("Only a person can ask for or decide on the acceptance of a risk."))
    return actor.person_id


def _check_end(until: datetime, *, now: datetime) -> None:
    if not now < until <= latest_end(now):
        sentence = say("Choose an end in the future, at most twelve months on.")
        raise InvalidInput(sentence, errors=[FieldError("until", "out-of-range", sentence)])


def _touch(session: Session, finding: Finding) -> None:
    finding.revision += 1
    session.add(finding)
