"""What the page of one plan shows: its sentence, its claims with their proof, and what would fail today."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from app.catalog.models import Service
from app.core import formats
from app.core.i18n import gettext as _
from app.core.labels import label
from app.core.messages import Message, say
from app.findings import lists as finding_lists
from app.findings.shapes import FindingOut, FindingQuery
from app.plans import service
from app.plans.facts import ClaimStatus, Status
from app.plans.lamps import Lamps, lamps
from app.plans.models import Plan, PlanClaim, PlanVersion, ProofRow
from app.plans.standing import Standing
from app.plans.words import REAL_FROM, in_words, last_real_test
from app.plans.worth import worth


@dataclass(frozen=True)
class ClaimPicture:
    """A claim with where it stands, the proof that decides, and why it is not proven."""

    key: str
    row: PlanClaim | None
    """Empty for a claim that no version in force makes any more."""
    status: Status
    until: datetime | None
    proof: ProofRow | None
    counts_for: int | None
    """What the proof counts for, which may be less than what was done."""
    why: Message

    @property
    def short(self) -> bool:
        """Whether it was really carried out, and only below the level that is asked: that is more than paper."""
        return self.status is Status.PAPER_ONLY and _carried_out(self.proof)

    @property
    def word(self) -> str:
        """Where it stands in a word or two, in the reader's language."""
        if not self.short or self.row is None:
            return label(self.status)
        return _("shown at level {level} of {least}").format(level=self.counts_for, least=self.row.min_level)


@dataclass(frozen=True)
class Portrait:
    """A plan at one moment, for its page."""

    plan: Plan
    service: Service
    standing: Standing
    sentence: Message
    lamps: Lamps
    claims: list[ClaimPicture]
    dropped: list[ClaimPicture]
    findings: list[FindingOut]
    """Findings that are open now, the worst first."""
    versions: list[PlanVersion]

    @property
    def failing(self) -> list[ClaimPicture]:
        """What could not be relied on today."""
        return [each for each in [*self.claims, *self.dropped] if each.status is not Status.PROVEN]


def portrait(session: Session, plan: Plan, *, now: datetime) -> Portrait:
    """The plan as it stood at `now`; its findings are those of today."""
    found = service.standing(session, plan, now=now)
    versions = service.versions_of(session, plan.id)
    told = found.version or next((each for each in versions if each.created_at <= now), None)
    rows = {row.key: row for row in (service.claims_of(session, told.id) if told else [])}
    proofs = {row.id: row for row in service.proofs_of(session, plan.id, at=now)}
    query = FindingQuery(plan=plan.id, closed=False, sort="-severity,-openedAt", page_size=100)
    return Portrait(
        plan=plan,
        service=session.get_one(Service, plan.service_id),
        standing=found,
        sentence=sentence(found, now=now),
        lamps=lamps(session, plan, found, now=now),
        claims=[_picture(found, each, rows.get(each.key), proofs) for each in found.status.claims],
        dropped=[_picture(found, each, None, proofs) for each in found.dropped],
        findings=finding_lists.shown(session, finding_lists.listed(session, query)[0]),
        versions=versions,
    )


def sentence(found: Standing, *, now: datetime) -> Message:
    """The status in one sentence, its days as the reader writes them."""
    told = in_words(found.status, found.facts.proofs, now=now)
    last = last_real_test(found.facts.proofs, now=now)
    days = {"until": found.status.until, "since": found.status.overdue_since, "last": last}
    written = {name: formats.day(day) if day else say("none") for name, day in days.items()}
    return Message(told.text, {**told.values, **written})


def _picture(found: Standing, each: ClaimStatus, row: PlanClaim | None, proofs: dict[str, ProofRow]) -> ClaimPicture:
    proof = proofs.get(found.proof_ids.get(each.proof, "")) if each.proof else None
    claim = next((claim for claim in found.facts.claims if claim.key == each.key), None)
    counted = worth(claim, each.proof).level if claim and each.proof else proof.level if proof else None
    return ClaimPicture(each.key, row, each.status, each.until, proof, counted, _why(each, row, proof, counted))


def _carried_out(proof: ProofRow | None) -> bool:
    """Whether somebody really did it here: neither talked through, nor simulated, nor told from outside."""
    return proof is not None and proof.level >= REAL_FROM and not (proof.simulated or proof.attested)


def _why(each: ClaimStatus, row: PlanClaim | None, proof: ProofRow | None, counted: int | None) -> Message:
    on = formats.day(each.proof.at) if each.proof else ""
    match each.status:
        case Status.PROVEN:
            return say("Proven until {until}.", until=formats.day(each.until))
        case Status.FAILED:
            return say("Failed on {day}. Only a passing retest at that level or higher clears it.", day=on)
        case Status.STALE:
            return say("Shown on {day}, but what it rests on or the plan itself has changed since.", day=on)
        case Status.OVERDUE:
            ended = formats.day(each.proof.at + timedelta(days=row.valid_days)) if each.proof and row else on
            return say("The proof of {day} ran out on {end}.", day=on, end=ended)
        case Status.PARTIALLY_PROVEN:
            return say("Shown only in part on {day}, or a serious finding stands against it.", day=on)
        case Status.PAPER_ONLY if _carried_out(proof):
            told = {"level": counted, "least": row.min_level if row else "–", "day": on}
            return say(
                "Really carried out on {day}: that counts for level {level}, and level {least} is asked.", **told
            )
        case Status.PAPER_ONLY:
            return say(
                "Only read or talked through: what was shown counts for level {level}, and level {least} is asked.",
                level=counted if counted is not None else 0,
                least=row.min_level if row else "–",
            )
        case _:
            return say("Nothing has been shown yet.")
