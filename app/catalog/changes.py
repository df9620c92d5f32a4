"""The record of substantive changes: what was changed, and what rested on it at that moment."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_
from sqlmodel import Session, col, select

from app.access.rules import Actor
from app.catalog.models import (
    CatalogChange,
    CatalogObject,
    CatalogRow,
    Contract,
    ContractService,
    Environment,
    EnvironmentPair,
    Measure,
    ObjectService,
    Site,
    SupplyChainLink,
)
from app.catalog.rules import ObjectChange, substantive
from app.catalog.shapes import NotSubstantive
from app.core import clock

Touches = dict[str, list[str]]


def record(
    session: Session, kind: str, row: CatalogRow, changed: Sequence[str], actor: Actor, waived: NotSubstantive | None
) -> None:
    """Write down those changed fields that are on the closed list; `waived` says why they leave proof standing."""
    fields = substantive(kind, changed)
    if not fields:
        return
    session.add(
        CatalogChange(
            at=clock.now(),
            actor=actor.ref,
            kind=kind,
            row_id=row.id,
            row_ref=row.ref,
            fields=list(fields),
            touches=_merged(_TOUCHED[kind](session, row)),
            substantive=waived is None,
            reason="" if waived is None else waived.reason,
        )
    )


def read(session: Session, *, since: datetime | None = None) -> list[ObjectChange]:
    """Substantive changes, the oldest first; those declared not substantive are left out."""
    statement = select(CatalogChange).where(col(CatalogChange.substantive))
    if since is not None:
        statement = statement.where(CatalogChange.at >= since)
    return [_fact(row) for row in session.exec(statement.order_by(col(CatalogChange.id)))]


def _fact(row: CatalogChange) -> ObjectChange:
    touched = {name: frozenset(ids) for name, ids in row.touches.items()}
    return ObjectChange(
        at=row.at,
        kind=row.kind,
        row_id=row.row_id,
        row_ref=row.row_ref,
        fields=tuple(row.fields),
        object_ids=touched.get("objects", frozenset()),
        measure_ids=touched.get("measures", frozenset()),
        contract_ids=touched.get("contracts", frozenset()),
        service_ids=touched.get("services", frozenset()),
        pair_ids=touched.get("pairs", frozenset()),
    )


def _merged(parts: Iterable[Mapping[str, Iterable[str]]]) -> Touches:
    merged: Touches = {}
    for part in parts:
        for name, ids in part.items():
            merged[name] = list(dict.fromkeys([*merged.get(name, []), *ids]))
    return merged


def _ids(session: Session, column: Any, *conditions: Any) -> list[str]:
    return list(session.exec(select(column).where(*conditions)))


def _of_service(_session: Session, row: Any) -> list[Touches]:
    return [{"services": [row.id]}]


def _of_chain_link(_session: Session, row: Any) -> list[Touches]:
    return [{"services": [row.service_id]}]


def _of_contract(session: Session, row: Any) -> list[Touches]:
    measures = _ids(session, Measure.id, Measure.contract_id == row.id)
    services = _ids(session, ContractService.service_id, ContractService.contract_id == row.id)
    return [{"contracts": [row.id], "measures": measures, "services": services}]


def _of_measure(_session: Session, row: Any) -> list[Touches]:
    return [{"measures": [row.id], "contracts": [row.contract_id]}]


def _of_object(session: Session, row: Any) -> list[Touches]:
    services = _ids(session, ObjectService.service_id, ObjectService.object_id == row.id)
    return [{"objects": [row.id], "services": services}]


def _of_environment(session: Session, row: Any) -> list[Touches]:
    sides = or_(col(EnvironmentPair.primary_id) == row.id, col(EnvironmentPair.fallback_id) == row.id)
    return [{"pairs": _ids(session, EnvironmentPair.id, sides), "services": [row.service_id]}]


def _of_pair(_session: Session, row: Any) -> list[Touches]:
    return [{"pairs": [row.id], "services": [row.service_id]}]


def _of_site(session: Session, row: Any) -> list[Touches]:
    parts: list[Touches] = [{"objects": _ids(session, CatalogObject.id, CatalogObject.site_id == row.id)}]
    for environment in session.exec(select(Environment).where(Environment.site_id == row.id)).all():
        parts += _of_environment(session, environment)
    return parts


def _of_supplier(session: Session, row: Any) -> list[Touches]:
    parts: list[Touches] = [{"objects": _ids(session, CatalogObject.id, CatalogObject.supplier_id == row.id)}]
    parts.append({"services": _ids(session, SupplyChainLink.service_id, SupplyChainLink.supplier_id == row.id)})
    for contract in session.exec(select(Contract).where(Contract.supplier_id == row.id)).all():
        parts += _of_contract(session, contract)
    for site in session.exec(select(Site).where(Site.supplier_id == row.id)).all():
        parts += _of_site(session, site)
    for environment in session.exec(select(Environment).where(Environment.supplier_id == row.id)).all():
        parts += _of_environment(session, environment)
    return parts


_TOUCHED: Mapping[str, Callable[[Session, Any], list[Touches]]] = {
    "service": _of_service,
    "supplier": _of_supplier,
    "supply_chain_link": _of_chain_link,
    "contract": _of_contract,
    "measure": _of_measure,
    "object": _of_object,
    "site": _of_site,
    "environment": _of_environment,
    "environment_pair": _of_pair,
}
