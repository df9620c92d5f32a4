"""Draws open findings on the matrix of impact and control."""

from collections.abc import Sequence
from typing import Literal

from sqlmodel import Session, col, select

from app.core.charts import Chart, Placed, risk_matrix
from app.core.i18n import gettext as _
from app.core.i18n import language
from app.findings.models import Finding
from app.findings.rules import CLOSED, Control, Impact


def open_findings(session: Session) -> list[Finding]:
    """Findings that are neither verified nor rejected, the newest first."""
    wanted = select(Finding).where(~col(Finding.state).in_(CLOSED)).order_by(col(Finding.opened_at).desc())
    return list(session.exec(wanted).all())


def title(finding: Finding) -> str:
    """The title in the reader's language."""
    return finding.title_nl if language() == "nl" else finding.title_en


def drawn(findings: Sequence[Finding]) -> Chart:
    """The findings that people placed; nothing is placed by itself."""
    return risk_matrix(_("Impact and control of open findings"), [each for row in findings for each in _placed(row)])


def _placed(row: Finding) -> list[Placed]:
    if row.impact_now is None or row.control_now is None:
        return []
    after = None
    if row.impact_after is not None and row.control_after is not None:
        after = _place(row.impact_after, row.control_after)
    return [Placed(row.ref, title(row), _place(row.impact_now, row.control_now), after)]


def _place(impact: Impact, control: Control) -> tuple[Literal["low", "high"], Literal["easy", "hard"]]:
    return "high" if impact is Impact.HIGH else "low", "hard" if control is Control.HARD else "easy"
