"""The status in words, for people who must not depend on a colour."""

from collections.abc import Sequence
from datetime import datetime

from app.core.messages import Message, say
from app.plans.facts import PlanStatus, Proof, Status

REAL_FROM = 3
"""From this level on something was really carried out."""


def last_real_test(proofs: Sequence[Proof], *, now: datetime) -> datetime | None:
    """When something was last really carried out, whatever came of it; what was simulated or told does not count."""
    real = [p.at for p in proofs if p.level >= REAL_FROM and p.at <= now and not (p.simulated or p.attested)]
    return max(real, default=None)


_SENTENCES = {
    Status.NO_PLAN: say("There is no plan"),
    Status.DRAFT: say("Draft: nobody has approved this plan yet"),
    Status.FAILED: say("Failed: {count} of {total} claims failed and passed no retest; last real test: {last}"),
    Status.PROVEN: say("Proven until {until}: {count} of {total} claims; last real test: {last}"),
    Status.STALE: say("Stale: for {count} of {total} claims something changed since the test; last real test: {last}"),
    Status.OVERDUE: say("Overdue since {since}: {count} of {total} claims need a new test; last real test: {last}"),
    Status.PARTIALLY_PROVEN: say("Partly proven: {count} of {total} claims; last real test: {last}"),
    Status.PAPER_ONLY: say("On paper: {count} of {total} claims only talked through; last real test: {last}"),
    Status.NEVER_TESTED: say("Never tested: {count} of {total} claims; last real test: {last}"),
}


def in_words(status: PlanStatus, proofs: Sequence[Proof], *, now: datetime) -> Message:
    """One sentence: the status, how many claims it is about, and when something was last really tested."""
    counted = Status.PROVEN if status.status is Status.PARTIALLY_PROVEN else status.status
    return Message(
        _SENTENCES[status.status].text,
        {
            "count": sum(claim.status is counted for claim in status.claims),
            "total": len(status.claims),
            "last": _day(last_real_test(proofs, now=now)),
            "until": _day(status.until),
            "since": _day(status.overdue_since),
        },
    )


def _day(moment: datetime | None) -> str | Message:
    return moment.date().isoformat() if moment else say("none")
