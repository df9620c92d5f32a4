"""What the page of one service shows: its sides, what both lean on, its chain, its objects and its neighbours."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session, col, select

from app.catalog import insight, lists, resources
from app.catalog.graph import SharedKind
from app.catalog.models import (
    CatalogObject,
    Contract,
    ContractService,
    Environment,
    EnvironmentPair,
    HomeSideChange,
    Service,
    Site,
    Supplier,
    SupplyChainLink,
)
from app.catalog.rules import SideRole
from app.catalog.service import home_history


@dataclass(frozen=True)
class Side:
    """One side of a pair."""

    role: SideRole
    environment: Environment
    site: Site | None
    supplier: Supplier | None
    is_home: bool


@dataclass(frozen=True)
class Pair:
    """A pair with both sides, what they share, and how its home side moved."""

    pair: EnvironmentPair
    sides: tuple[Side, ...]
    shared: tuple[tuple[SharedKind, str], ...]
    history: tuple[HomeSideChange, ...]

    @property
    def since(self) -> datetime:
        """Since when the home side serves."""
        return self.pair.home_since


def pairs(session: Session, service: Service) -> list[Pair]:
    """The environment pairs of a service."""
    return [_pair(session, pair) for pair in insight.live_pairs(session, service.id)]


def unpaired(session: Session, service: Service) -> list[Environment]:
    """Environments of a service that are in no pair."""
    live = insight.live_pairs(session, service.id)
    paired = {id for pair in live for id in (pair.primary_id, pair.fallback_id)}
    wanted = select(Environment).where(Environment.service_id == service.id, col(Environment.archived_at).is_(None))
    rows = session.exec(wanted.order_by(col(Environment.name))).all()
    return [row for row in rows if row.id not in paired]


def _pair(session: Session, pair: EnvironmentPair) -> Pair:
    named = ((SideRole.PRIMARY, pair.primary_id), (SideRole.FALLBACK, pair.fallback_id))
    sides = tuple(_side(session, role, id, home=pair.home_side is role) for role, id in named)
    shared = tuple((fate.kind, _named(session, fate.kind, fate.key)) for fate in insight.shared_fate(session, pair))
    return Pair(pair, sides, shared, tuple(reversed(home_history(session, pair.id)))[:5])


def _side(session: Session, role: SideRole, id: str, *, home: bool) -> Side:
    environment = session.get_one(Environment, id)
    site = session.get(Site, environment.site_id)
    supplier_id = environment.supplier_id or (site.supplier_id if site else None)
    return Side(role, environment, site, session.get(Supplier, supplier_id) if supplier_id else None, home)


def _named(session: Session, kind: SharedKind, key: str) -> str:
    match kind:
        case SharedKind.SITE:
            row: Any = session.get(Site, key)
        case SharedKind.SUPPLIER | SharedKind.PARENT | SharedKind.SUB_SUPPLIER:
            row = session.get(Supplier, key)
        case _:
            row = None
    return row.name if row else key


def chain(session: Session, service: Service) -> list[Any]:
    """Links of the service's supply chain as they go out, nearest to us first."""
    wanted = select(SupplyChainLink).where(
        SupplyChainLink.service_id == service.id, col(SupplyChainLink.archived_at).is_(None)
    )
    rows = session.exec(wanted.order_by(col(SupplyChainLink.rank), col(SupplyChainLink.name))).all()
    return list(lists.shown(session, resources.CHAIN_LINK, rows))


def contracts(session: Session, service: Service) -> list[tuple[Contract, Supplier]]:
    """Contracts that cover the service, with their supplier."""
    wanted = (
        select(Contract, Supplier)
        .join(ContractService, col(ContractService.contract_id) == Contract.id)
        .join(Supplier, col(Supplier.id) == Contract.supplier_id)
        .where(ContractService.service_id == service.id, col(Contract.archived_at).is_(None))
    )
    return list(session.exec(wanted.order_by(col(Contract.name))).all())


def completeness(session: Session, service: Service, *, today: date) -> insight.Completeness:
    """Which needed objects are complete."""
    return insight.completeness(session, service, today=today)


@dataclass(frozen=True)
class WhereUsed:
    """What hangs on a supplier."""

    services: list[tuple[Service, str]]
    """Service and the role in which the supplier delivers to it."""
    objects: list[CatalogObject]
    sites: list[Site]
    children: list[Supplier]
    """Suppliers of which it is the ultimate parent."""


def used(session: Session, supplier: Supplier) -> WhereUsed:
    """Where a supplier is used."""
    linked = (
        select(Service, SupplyChainLink.role)
        .join(SupplyChainLink, col(SupplyChainLink.service_id) == Service.id)
        .where(SupplyChainLink.supplier_id == supplier.id, col(SupplyChainLink.archived_at).is_(None))
    )
    contracted = (
        select(Service, Contract.name)
        .join(ContractService, col(ContractService.service_id) == Service.id)
        .join(Contract, col(Contract.id) == ContractService.contract_id)
        .where(Contract.supplier_id == supplier.id, col(Contract.archived_at).is_(None))
    )
    services = [*session.exec(linked).all(), *session.exec(contracted).all()]
    return WhereUsed(
        sorted(services, key=lambda each: each[0].ref),
        _of(session, CatalogObject, supplier),
        _of(session, Site, supplier),
        list(session.exec(select(Supplier).where(Supplier.ultimate_parent_id == supplier.id)).all()),
    )


def _of(session: Session, table: Any, supplier: Supplier) -> list[Any]:
    wanted = select(table).where(table.supplier_id == supplier.id, col(table.archived_at).is_(None))
    return list(session.exec(wanted.order_by(table.ref)).all())
