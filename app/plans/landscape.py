"""Coverage over all services: which scenario families are proven, from the plans in force at a moment."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from app.catalog import service as catalog
from app.catalog.models import Service
from app.catalog.rules import ObjectChange, ScenarioFamily
from app.plans.coverage import Cell, Stand, coverage
from app.plans.judging import shared_kinds
from app.plans.models import Plan
from app.plans.standing import claims_of, standing


def covered(session: Session, services: Sequence[Service], *, now: datetime) -> tuple[Cell, ...]:
    """A cell per service and family; only claims of a version in force at `now` count."""
    changes = catalog.substantive_changes(session)
    stands = [stand for service in services for stand in _stands(session, service, changes, now=now)]
    return coverage([service.id for service in services], stands)


def _stands(session: Session, service: Service, changes: Sequence[ObjectChange], *, now: datetime) -> Iterator[Stand]:
    shared = shared_kinds(session, service.id)
    wanted = select(Plan).where(Plan.service_id == service.id).order_by(col(Plan.ref))
    for plan in session.exec(wanted).all():
        found = standing(session, plan, now=now, changes=changes)
        if found.version is None:
            continue
        status = {claim.key: claim.status for claim in found.status.claims}
        for claim in claims_of(session, found.version.id):
            yield Stand(
                service_id=service.id,
                plan_ref=plan.ref,
                claim_key=claim.key,
                kind=claim.kind,
                mode=plan.mode,
                status=status[claim.key],
                families=frozenset(ScenarioFamily(family) for family in claim.families),
                shared=shared,
            )
