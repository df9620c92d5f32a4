"""What the clock does for findings: hold the rules of the catalogue against it, and end acceptances that ran out."""

from datetime import datetime

from sqlmodel import Session, col, select

from app.catalog.models import Service
from app.catalog.service import services_with_rto_over_mtpd
from app.findings.acceptance import end_expired
from app.findings.models import Finding
from app.findings.rules import Cause, Severity, Source
from app.findings.service import NewFinding, Title, open_finding, withdraw

_RTO_RULE = "rule:rto-exceeds-mtpd:"


def sweep(session: Session, *, now: datetime) -> list[Finding]:
    """Everything that time or the catalogue did to findings since the last time; answers those that opened."""
    return [*judge_catalog(session, now=now), *end_expired(session, now=now)]


def judge_catalog(session: Session, *, now: datetime) -> list[Finding]:
    """Hold the rules of the catalogue against it: opens what they find now, withdraws what they find no more."""
    wrong = {f"{_RTO_RULE}{service.id}": service for service in services_with_rto_over_mtpd(session)}
    standing = session.exec(select(Finding).where(col(Finding.open_key).startswith(_RTO_RULE))).all()
    for finding in standing:
        if finding.key not in wrong:
            withdraw(session, finding.key, now=now, reason="The RTO is no longer longer than the MTPD.")
    known = {finding.key for finding in standing}
    return [
        open_finding(session, _rto_finding(key, service), now=now) for key, service in wrong.items() if key not in known
    ]


def _rto_finding(key: str, service: Service) -> NewFinding:
    return NewFinding(
        key=key,
        plan_id=None,
        claim_key=None,
        object_ids=(),
        source=Source.RULE,
        cause=Cause.ORGANISATION,
        severity=Severity.HIGH,
        title=Title(
            nl=f"{service.name}: de RTO is langer dan de langste uitval die u kunt verdragen (MTPD)",
            en=f"{service.name}: the RTO is longer than the longest outage that you can bear (MTPD)",
        ),
        description="",
        service_id=service.id,
    )
