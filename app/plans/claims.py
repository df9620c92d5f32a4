"""Claims of a draft: added with the defaults of their kind, edited, taken out, copied to the next draft."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from app.catalog import service as catalog
from app.catalog.models import CatalogObject, Measure, Service
from app.core.errors import FieldError, InvalidInput, Problem, not_found
from app.core.messages import say
from app.plans import standing
from app.plans.content import PlanContent
from app.plans.defaults import DefaultClaim, default_claims, valid_days
from app.plans.errors import ClaimExists
from app.plans.models import Plan, PlanClaim, PlanVersion
from app.plans.shapes import ClaimIn, ClaimPatch
from app.playbooks.rules import ClaimKind

_COPIED = frozenset(PlanClaim.model_fields) - {"id", "plan_version_id"}


def copy(session: Session, base: PlanVersion, draft: PlanVersion) -> None:
    """Give the draft the claims of the version it was made from, with the same keys."""
    for row in standing.claims_of(session, base.id):
        values = {name: getattr(row, name) for name in _COPIED}
        session.add(PlanClaim(plan_version_id=draft.id, **values))
    session.flush()


def find(session: Session, version: PlanVersion, key: str) -> PlanClaim:
    """The claim of a version by its key. Raises NotFound."""
    found = next((row for row in standing.claims_of(session, version.id) if row.key == key), None)
    if found is None:
        raise not_found("claim", key)
    return found


def add_all(session: Session, plan: Plan, version: PlanVersion, given: Sequence[ClaimIn]) -> list[PlanClaim]:
    """Add claims in their order. Raises ClaimExists, and InvalidInput for objects that are not there."""
    return [_add(session, plan, version, each) for each in given]


def defaults_for(session: Session, plan: Plan, version: PlanVersion) -> tuple[DefaultClaim, ...]:
    """What a draft of this plan is offered, by its kind, its service's criticality and its rhythm of swaps."""
    service = catalog.find(session, Service, plan.service_id)
    swap = PlanContent.model_validate(version.content).swap.policy
    return default_claims(plan.kind, plan.mode, criticality=service.criticality, swap=swap)


def from_default(default: DefaultClaim) -> ClaimIn:
    """A default claim as somebody could have sent it."""
    return ClaimIn(kind=default.kind, says=str(default.says))


def _add(session: Session, plan: Plan, version: PlanVersion, given: ClaimIn) -> PlanClaim:
    rows = standing.claims_of(session, version.id)
    key = given.key or given.kind.value
    if key in {row.key for row in rows}:
        reason = say("The version has a claim '{claim}' already. Give this one another key.", claim=key)
        raise ClaimExists(reason, errors=[FieldError("key", "taken", reason)])
    default = _default(session, plan, version, given.kind)
    row = PlanClaim(
        plan_version_id=version.id,
        position=max((each.position for each in rows), default=0) + 1,
        key=key,
        kind=given.kind,
        says=given.says,
        families=list(default.families if given.families is None else given.families),
        min_level=given.min_level or default.min_level,
        valid_days=given.valid_days or default.valid_days,
        rto_s=given.rto,
        rpo_s=given.rpo,
        min_hold_s=given.min_hold,
        mbco=given.mbco,
        mbco_unit=given.mbco_unit,
        without_supplier=default.without_supplier if given.without_supplier is None else given.without_supplier,
        object_ids=_ids(session, CatalogObject, given.objects, "objects"),
        measure_ids=_ids(session, Measure, given.measures, "measures"),
    )
    session.add(row)
    session.flush()
    return row


def _default(session: Session, plan: Plan, version: PlanVersion, kind: ClaimKind) -> DefaultClaim:
    """The default of this kind; a kind of another sort of plan keeps its level and validity, with no families."""
    offered = {each.kind: each for each in defaults_for(session, plan, version)}
    if kind in offered:
        return offered[kind]
    service = catalog.find(session, Service, plan.service_id)
    swap = PlanContent.model_validate(version.content).swap.policy
    return DefaultClaim.lone(kind, valid_days(kind, criticality=service.criticality, swap=swap))


def _ids(session: Session, table: Any, keys: Sequence[str], field: str) -> list[str]:
    found, wrong = [], []
    for number, key in enumerate(keys):
        try:
            found.append(catalog.find(session, table, key).id)
        except Problem as missing:
            wrong.append(FieldError(f"{field}/{number}", "not-found", missing.detail))
    if wrong:
        raise InvalidInput(wrong[0].reason, errors=wrong)
    return list(dict.fromkeys(found))


_COLUMNS = {"rto": "rto_s", "rpo": "rpo_s", "min_hold": "min_hold_s"}
_NULLABLE = frozenset({"rto", "rpo", "min_hold", "mbco"})


def edit(session: Session, claim: PlanClaim, patch: ClaimPatch) -> PlanClaim:
    """Change what was sent; a goal may be taken away with null. Raises InvalidInput."""
    for name, value in patch.sent().items():
        if value is None and name not in _NULLABLE:
            reason = say("'{field}' cannot be empty.", field=name)
            raise InvalidInput(reason, errors=[FieldError(name, "required", reason)])
        match name:
            case "objects":
                claim.object_ids = _ids(session, CatalogObject, value, "objects")
            case "measures":
                claim.measure_ids = _ids(session, Measure, value, "measures")
            case "families":
                claim.families = [str(each) for each in value]
            case _:
                setattr(claim, _COLUMNS.get(name, name), value)
    session.add(claim)
    session.flush()
    return claim


def remove(session: Session, claim: PlanClaim) -> None:
    """Take a claim out of a draft; where the approved version makes it, that is a weakening at submission."""
    session.delete(claim)
    session.flush()
