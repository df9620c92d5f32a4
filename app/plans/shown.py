"""Rows of plans as the API shows them."""

from dataclasses import asdict
from datetime import datetime

from sqlmodel import Session

from app.catalog import service as catalog
from app.catalog.models import Service
from app.core.i18n import pick
from app.core.messages import Message
from app.plans import service, versions
from app.plans.completeness import Lamp
from app.plans.content import PlanContent
from app.plans.coverage import Cell
from app.plans.evidence_shapes import (
    ClaimStatusOut,
    CoverageCellOut,
    CoverageClaimOut,
    LampOut,
    PlanStatusOut,
    ProofOut,
    RefusedOut,
    SeriesOut,
    StatusChangeOut,
)
from app.plans.facts import ClaimStatus
from app.plans.lamps import lamps
from app.plans.models import Plan, PlanClaim, PlanVersion, ProofRow, StatusChange
from app.plans.shapes import ClaimOut, PlanOut, VersionOut, WeakerOut
from app.plans.standing import Standing
from app.plans.words import in_words
from app.plans.worth import worth


def plan_out(session: Session, plan: Plan) -> PlanOut:
    """A plan in short."""
    numbers = service.numbers(session, plan)
    found = catalog.find(session, Service, plan.service_id)
    return PlanOut.model_validate(
        {
            **plan.model_dump(exclude={"created_by"}),
            "service": {"id": found.id, "ref": found.ref, "name": found.name},
            "version": numbers.approved,
            "draft": numbers.draft,
        }
    )


def claim_out(row: PlanClaim) -> ClaimOut:
    """A claim of a version."""
    given = row.model_dump(exclude={"id", "plan_version_id", "position", "rto_s", "rpo_s", "min_hold_s"})
    return ClaimOut.model_validate({**given, "rto": row.rto_s, "rpo": row.rpo_s, "min_hold": row.min_hold_s})


def version_out(session: Session, plan: Plan, version: PlanVersion) -> VersionOut:
    """A version with its claims, what it weakens, and what can be done with it now."""
    is_open = version.approved_at is None
    weaker = versions.weaker(session, plan, version) if is_open else []
    given = version.model_dump(exclude={"content", "submitted_by"})
    return VersionOut.model_validate(
        {
            **given,
            "version": version.number,
            "content": PlanContent.model_validate(version.content),
            "weaker": [WeakerOut.model_validate(each) for each in weaker],
            "claims": [claim_out(row) for row in service.claims_of(session, version.id)],
            "next_actions": versions.next_actions(version),
        }
    )


def proof_out(row: ProofRow) -> ProofOut:
    """A proof as recorded."""
    given = row.model_dump(exclude={"plan_id", "reason_nl", "reason_en", "level_why"})
    why = pick(Message(**row.level_why)) if row.level_why else ""
    return ProofOut.model_validate({**given, "reason": {"nl": row.reason_nl, "en": row.reason_en}, "level_why": why})


def change_out(row: StatusChange) -> StatusChangeOut:
    """A change of status."""
    return StatusChangeOut.model_validate(row.model_dump(exclude={"plan_id"}))


def status_out(session: Session, plan: Plan, found: Standing, *, now: datetime) -> PlanStatusOut:
    """The status at a moment, in words too, with the lamps beside it."""
    kinds = {row.key: row for row in (service.claims_of(session, found.version.id) if found.version else [])}
    beside = lamps(session, plan, found, now=now)
    return PlanStatusOut(
        plan_id=plan.id,
        as_of=now,
        status=found.status.status,
        words=pick(in_words(found.status, found.facts.proofs, now=now)),
        proven_until=found.status.until,
        overdue_since=found.status.overdue_since,
        version=found.version.number if found.version else None,
        claims=[_claim_status_out(found, each, kinds.get(each.key)) for each in found.status.claims],
        dropped_failures=[_claim_status_out(found, each, None) for each in found.dropped],
        complete=_lamp_out(beside.complete),
        current=_lamp_out(beside.current),
        time_needed=beside.needed.seconds,
        audit=beside.audit.value,
        series=SeriesOut.model_validate(asdict(beside.series)),
    )


def _lamp_out(lamp: Lamp) -> LampOut:
    return LampOut(lit=lamp.lit, missing=[pick(each) for each in lamp.missing])


def _claim_status_out(found: Standing, each: ClaimStatus, row: PlanClaim | None) -> ClaimStatusOut:
    claim = next((claim for claim in found.facts.claims if claim.key == each.key), None)
    counted = worth(claim, each.proof) if claim and each.proof else None
    return ClaimStatusOut(
        key=each.key,
        kind=row.kind if row else None,
        status=each.status,
        proven_until=each.until,
        overdue_since=each.overdue_since,
        proof_id=found.proof_ids.get(each.proof) if each.proof else None,
        proof_level=counted.level if counted else (each.proof.level if each.proof else None),
        proof_verdict=counted.verdict if counted else (each.proof.verdict if each.proof else None),
    )


def cell_out(cell: Cell, services: dict[str, Service]) -> CoverageCellOut:
    """A cell of the coverage."""
    row = services[cell.service_id]
    return CoverageCellOut(
        service=row.ref,
        service_name=row.name,
        family=cell.family,
        status=cell.status,
        claims=[CoverageClaimOut(plan=s.plan_ref, claim=s.claim_key, status=s.status) for s in cell.claims],
        not_counting=[RefusedOut(plan=r.plan_ref, claim=r.claim_key, why=pick(r.why)) for r in cell.refused],
    )
