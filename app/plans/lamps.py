"""The lamps *complete* and *current*, the time a plan needs, and the audit word, from the rows of a plan."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from app.catalog.models import Service
from app.core.messages import Message, say
from app.plans.completeness import Lamp, TimeNeeded, complete, current, time_needed
from app.plans.content import PlanContent, checked_days
from app.plans.facts import PlanKind, Verdict
from app.plans.levels import PERIOD, AuditWord, Series, audit_word, series
from app.plans.models import MissedTest, Plan, PlanVersion
from app.plans.standing import Standing, as_proof, proofs_of, versions_of
from app.plans.worth import worth


@dataclass(frozen=True)
class Lamps:
    """What stands beside the status."""

    complete: Lamp
    current: Lamp
    needed: TimeNeeded
    audit: AuditWord
    series: Series
    """Of the last period, up to the moment asked for."""


def lamps(session: Session, plan: Plan, found: Standing, *, now: datetime) -> Lamps:
    """Both lamps of the version in force, or of the newest where none is; the audit word only of one in force."""
    version = found.version or next((v for v in versions_of(session, plan.id) if v.created_at <= now), None)
    if version is None or not found.facts.plan.exists:
        gone = Lamp((say("There is no plan."),))
        return Lamps(gone, gone, TimeNeeded(None, (), ()), AuditWord.NONE, series([], missed=0))
    content = PlanContent.model_validate(version.content)
    needed = time_needed(content.work())
    service = session.get(Service, plan.service_id)
    full = complete(_parts(plan, version, content, found), needed, service.mtpd if service else None)
    told = _series(session, plan, found, now=now)
    return Lamps(full, _current(version, content, found, now=now), needed, _audit(found, full, told), told)


def _current(version: PlanVersion, content: PlanContent, found: Standing, *, now: datetime) -> Lamp:
    if version.approved_at is None or found.version is None:
        return Lamp((say("Nobody has approved it yet."),))
    return current(
        next_review_on=version.next_review_on,
        contacts=checked_days(content.contacts),
        assumptions=checked_days(content.assumptions),
        approved_at=version.approved_at,
        changes=found.changes,
        now=now,
    )


def _parts(plan: Plan, version: PlanVersion, content: PlanContent, found: Standing) -> list[tuple[Message, bool]]:
    parts = [
        (say("triggers"), bool(content.triggers)),
        (say("activation criteria"), bool(content.activation_criteria)),
        (say("deactivation criteria"), bool(content.deactivation_criteria)),
        (say("who may decide"), bool(content.deciders)),
        (say("time available"), content.time_available is not None),
        (say("target"), bool(content.target)),
        (say("assumptions"), bool(content.assumptions)),
        (say("success conditions"), bool(content.success_conditions)),
        (say("communication"), bool(content.communication)),
        (say("contacts"), bool(content.contacts)),
        (say("deputies of all contacts"), all(contact.deputy for contact in content.contacts)),
        (say("minimum viable organisation"), version.mvo_version_id is not None),
        (say("claims"), bool(found.facts.claims)),
        (say("playbooks"), bool(content.playbooks)),
    ]
    if plan.kind is PlanKind.FALLBACK:
        parts += [
            (say("hold period"), content.swap.hold_period is not None),
            (say("measured capacity"), any(each.measured_on for each in content.swap.capacity)),
            (say("reconciliation checks"), bool(content.swap.reconciliation_checks)),
            (say("stop criteria"), bool(content.swap.stop_criteria)),
            (say("who accepts for the business"), bool(content.swap.accepts_for_business)),
        ]
    return parts


def _series(session: Session, plan: Plan, found: Standing, *, now: datetime) -> Series:
    """What became of the tests of the last period: a run counts once, as the worst of what it showed."""
    since, claims = now - PERIOD, {claim.key: claim for claim in found.facts.claims}
    runs: dict[str, list[Verdict]] = {}
    for row in proofs_of(session, plan.id, at=now):
        if row.run_id is not None and row.at > since:
            claim = claims.get(row.claim_key)
            verdict = worth(claim, as_proof(row)).verdict if claim else row.verdict
            runs.setdefault(row.run_id, []).append(verdict)
    missed = select(MissedTest.id).where(
        MissedTest.plan_id == plan.id, MissedTest.at > since, MissedTest.created_at <= now
    )
    return series(list(runs.values()), missed=len(session.exec(missed).all()))


def _audit(found: Standing, full: Lamp, told: Series) -> AuditWord:
    claims = {claim.key: claim for claim in found.facts.claims}
    counted = [worth(claims[proof.claim], proof) for proof in found.facts.proofs if proof.claim in claims]
    passed = [each.level for each in counted if each.verdict is Verdict.PASS]
    return audit_word(complete=full.lit and found.version is not None, passed_levels=passed, series=told)
