"""What an activation leaves for the organisation to follow up: the incident itself, and what could not be shown."""

from datetime import datetime

from sqlmodel import Session, col, select

from app.access.rules import SYSTEM, Actor
from app.findings import service as findings
from app.findings.rules import Cause, Severity, Source
from app.runs.models import Activation, Run, SeenFact
from app.runs.view import Held, tell
from runners.contract import Text


def open_incident(session: Session, run: Run, activation: Activation, *, now: datetime, actor: Actor) -> None:
    """Record what happened as a finding, from the moment that it is declared, so that it outlives a crash of ours."""
    lost = ", ".join([*activation.lost.get("sides", ()), *activation.lost.get("suppliers", ())]) or "–"
    title = Text(
        nl=f"{run.ref}: incident, plan in werking gezet: {activation.reason}",
        en=f"{run.ref}: incident, plan put to work: {activation.reason}",
    )
    _open(session, run, "incident", title, f"lost: {lost}", Severity.HIGH, Source.INCIDENT, now, actor=actor)


def open_missing(session: Session, held: Held, *, now: datetime) -> None:
    """Open a finding for each thing that the activation did not show: the fence, what was lost, its times."""
    run = held.run
    if not run.activation or run.started_at is None:
        return
    for key, title in _missing(session, run):
        _open(session, run, key, title, title.en, Severity.MEDIUM, Source.RUNNER, now)


def _missing(session: Session, run: Run) -> list[tuple[str, Text]]:
    found = []
    if run.served_at is None:
        text = Text(nl=f"{run.ref}: de dienst is niet overgenomen.", en=f"{run.ref}: the service was not taken over.")
        return [("not-served", text)]
    signed = select(SeenFact).where(SeenFact.run_id == run.id, col(SeenFact.signed_by).is_not(None))
    if session.exec(signed.where(col(SeenFact.fact).like("fenced:%"))).first() is not None:
        text = Text(
            nl=f"{run.ref}: dat de oude kant stil stond, is getekend en niet gemeten.",
            en=f"{run.ref}: that the old side was stopped was signed for, not measured.",
        )
        found.append(("fence-signed", text))
    if run.rpa_ms is None:
        text = Text(
            nl=f"{run.ref}: hoeveel gegevens verloren gingen, is niet gemeten.",
            en=f"{run.ref}: how much data was lost was not measured.",
        )
        found.append(("loss-unmeasured", text))
    if run.decision_ms is None or run.rta_ms is None:
        text = Text(
            nl=f"{run.ref}: de tijd van alarm tot besluit of tot herstel is niet gemeten.",
            en=f"{run.ref}: the time from alarm to decision or to recovery was not measured.",
        )
        found.append(("times-unmeasured", text))
    return found


def _open(
    session: Session,
    run: Run,
    key: str,
    title: Text,
    description: str,
    severity: Severity,
    source: Source,
    now: datetime,
    *,
    actor: Actor = SYSTEM,
) -> None:
    new = findings.NewFinding(
        key=f"{run.id}:{key}",
        plan_id=run.plan_id,
        claim_key=None,
        object_ids=(),
        source=source,
        cause=Cause.TECHNIQUE,
        severity=severity,
        title=title,
        description=description,
        run_id=run.id,
        service_id=run.service_id,
    )
    finding = findings.open_finding(session, new, now=now, actor=actor)
    tell(session, run, "finding.opened", now=now, finding=finding.ref)
