"""What can be read from the catalogue as a whole: dependencies, completeness, concentration and shared fate."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeVar

from sqlmodel import Session, col, select

from app.catalog import graph
from app.catalog.graph import Concentration, LeansOn, SharedFate, SharedKind
from app.catalog.models import (
    UNKNOWN_COUNTRY,
    CatalogObject,
    CatalogRow,
    Contract,
    ContractService,
    Environment,
    EnvironmentPair,
    ObjectService,
    Service,
    ServiceDependency,
    Site,
    Supplier,
    SupplyChainLink,
)
from app.catalog.rules import Known, Missing, ObjectFacts, ObjectKind, Placement, missing, normalised

Row = TypeVar("Row", bound=CatalogRow)


class Dimension(StrEnum):
    """Over what services are concentrated."""

    SUPPLIER = "supplier"
    ULTIMATE_PARENT = "ultimateParent"
    COUNTRY = "country"
    SITE = "site"


@dataclass(frozen=True)
class Dependencies:
    """What a service leans on and what leans on it, directly and further on."""

    depends_on: list[Service]
    indirectly: list[Service]
    needed_by: list[Service]
    indirectly_needed_by: list[Service]


def dependencies(session: Session, service: Service) -> Dependencies:
    """The services around one service."""
    down: defaultdict[str, list[str]] = defaultdict(list)
    up: defaultdict[str, list[str]] = defaultdict(list)
    for edge in session.exec(select(ServiceDependency)):
        down[edge.service_id].append(edge.depends_on_id)
        up[edge.depends_on_id].append(edge.service_id)

    def split(edges: defaultdict[str, list[str]]) -> tuple[list[Service], list[Service]]:
        direct = edges[service.id]
        further = [id for id in graph.reachable(edges, service.id) if id not in direct]
        return _services(session, direct), _services(session, further)

    return Dependencies(*split(down), *split(up))


def _services(session: Session, ids: Iterable[str]) -> list[Service]:
    return list(session.exec(select(Service).where(col(Service.id).in_(list(ids))).order_by(col(Service.ref))))


@dataclass(frozen=True)
class Completeness:
    """Of the objects that a service needs, which are complete; an object known not to be needed is left out."""

    lacking: list[tuple[CatalogObject, tuple[Missing, ...]]]

    @property
    def needed(self) -> int:
        """How many objects the service needs."""
        return len(self.lacking)

    @property
    def complete(self) -> int:
        """How many of them lack nothing."""
        return sum(not lacks for _, lacks in self.lacking)

    @property
    def share(self) -> float | None:
        """Complete ones as a share of 1; None where no object is entered, for nothing proves nothing."""
        return self.complete / self.needed if self.needed else None


def completeness(session: Session, service: Service, *, today: date) -> Completeness:
    """What the objects of a service lack on this day."""
    needed = [each for each in _objects(session, service.id) if each.needed_for_mvo is not Known.NO]
    return Completeness([(each, missing(_facts(each), today=today)) for each in needed])


def _objects(session: Session, service_id: str) -> list[CatalogObject]:
    statement = (
        select(CatalogObject)
        .join(ObjectService, col(ObjectService.object_id) == CatalogObject.id)
        .where(ObjectService.service_id == service_id, col(CatalogObject.archived_at).is_(None))
    )
    return list(session.exec(statement.order_by(col(CatalogObject.ref))))


def _facts(row: CatalogObject) -> ObjectFacts:
    located = bool(row.location or row.site_id)
    return ObjectFacts(row.owner, located, row.access, row.expires_on, row.verified_on)


def live_services(session: Session) -> dict[str, Service]:
    """Services that are not archived, by id."""
    return {service.id: service for service in _live(session, Service)}


def concentration(session: Session, dimension: Dimension) -> tuple[Concentration, dict[str, str]]:
    """How the services spread over one dimension, and the name of each party in it."""
    live = live_services(session)
    critical = frozenset(id for id, service in live.items() if service.criticality.counts_as_critical)
    leanings = [(id, party) for id, party in _leanings(session, dimension, live.values()) if id in live]
    return graph.concentration(leanings, critical), _names(session, dimension)


def _leanings(session: Session, dimension: Dimension, live: Iterable[Service]) -> Iterator[tuple[str, str]]:
    match dimension:
        case Dimension.SUPPLIER:
            yield from _suppliers_of(session)
        case Dimension.ULTIMATE_PARENT:
            parents = parents_of(session)
            yield from ((service, graph.top_of(parents, supplier)) for service, supplier in _suppliers_of(session))
        case Dimension.COUNTRY:
            yield from _countries_of(session, live)
        case Dimension.SITE:
            yield from ((each.service_id, each.site_id) for each in _live(session, Environment))


def _suppliers_of(session: Session) -> Iterator[tuple[str, str]]:
    for link in _live(session, SupplyChainLink):
        yield link.service_id, link.supplier_id
    contracts = (
        select(ContractService.service_id, Contract.supplier_id)
        .join(Contract, col(Contract.id) == ContractService.contract_id)
        .where(col(Contract.archived_at).is_(None))
    )
    yield from session.exec(contracts)
    for service_id, suppliers in _running(session):
        yield from ((service_id, supplier) for supplier in suppliers)


def _running(session: Session) -> Iterator[tuple[str, set[str]]]:
    sites = {site.id: site.supplier_id for site in session.exec(select(Site))}
    for environment in _live(session, Environment):
        yield environment.service_id, {s for s in (environment.supplier_id, sites.get(environment.site_id)) if s}


def _countries_of(session: Session, live: Iterable[Service]) -> Iterator[tuple[str, str]]:
    homes = {supplier.id: supplier.country for supplier in session.exec(select(Supplier))}
    for link in _live(session, SupplyChainLink):
        country = link.country if link.country != UNKNOWN_COUNTRY else homes.get(link.supplier_id, UNKNOWN_COUNTRY)
        yield link.service_id, country
    for service in live:
        yield service.id, service.country_at_rest
        yield service.id, service.country_processing


def _live(session: Session, table: type[Row]) -> list[Row]:
    return list(session.exec(select(table).where(col(table.archived_at).is_(None))))


def parents_of(session: Session) -> dict[str, str | None]:
    """The parent of each supplier, by id; None where none is known."""
    return {each.id: each.ultimate_parent_id for each in session.exec(select(Supplier))}


def _names(session: Session, dimension: Dimension) -> dict[str, str]:
    match dimension:
        case Dimension.SUPPLIER | Dimension.ULTIMATE_PARENT:
            return {each.id: each.name for each in session.exec(select(Supplier))}
        case Dimension.SITE:
            return {each.id: each.name for each in session.exec(select(Site))}
        case Dimension.COUNTRY:
            return {}


def shared_fate(session: Session, pair: EnvironmentPair) -> tuple[SharedFate, ...]:
    """What both sides of a pair lean on, so that its loss takes the service and its fallback together."""
    objects = _objects(session, pair.service_id)
    primary, fallback = session.get(Environment, pair.primary_id), session.get(Environment, pair.fallback_id)
    if primary is None or fallback is None:
        return ()
    parents = parents_of(session)
    return graph.shared_fate(
        _leans_on(session, primary, parents, objects), _leans_on(session, fallback, parents, objects)
    )


_OBJECT_TELLS = {
    ObjectKind.CERTIFICATE: SharedKind.CERTIFICATE_HOLDER,
    ObjectKind.DOMAIN_NAME: SharedKind.DNS,
    ObjectKind.KNOWLEDGE_HOLDER: SharedKind.KEY_PERSON,
}


def _leans_on(
    session: Session, side: Environment, parents: dict[str, str | None], objects: list[CatalogObject]
) -> LeansOn:
    site = session.get(Site, side.site_id)
    suppliers = {id for id in (side.supplier_id, site.supplier_id if site else None) if id}
    found: defaultdict[SharedKind, set[str]] = defaultdict(set)
    found[SharedKind.SITE] = {side.site_id}
    found[SharedKind.SUPPLIER] = suppliers
    found[SharedKind.PARENT] = {graph.top_of(parents, id) for id in suppliers}
    found[SharedKind.SUB_SUPPLIER] = _subs(session, side.service_id, suppliers)
    for kind, name in (
        (SharedKind.IDENTITY_PROVIDER, side.identity_provider),
        (SharedKind.DNS, side.dns_provider),
        (SharedKind.CERTIFICATE_HOLDER, side.certificate_holder),
        *((SharedKind.KEY_PERSON, person) for person in side.key_people),
    ):
        found[kind] |= {normalised(name)} - {""}
    for each in objects:
        if each.kind in _OBJECT_TELLS and each.placement in (Placement.BOTH, Placement(side.role)):
            told = each.name if each.kind is ObjectKind.KNOWLEDGE_HOLDER else each.owner or each.legal_owner
            found[_OBJECT_TELLS[each.kind]] |= {normalised(told)} - {""}
    return {kind: frozenset(keys) for kind, keys in found.items()}


def _subs(session: Session, service_id: str, suppliers: set[str]) -> set[str]:
    """Who delivers to these suppliers for this service, however far down the chain."""
    below: defaultdict[str, list[str]] = defaultdict(list)
    statement = select(SupplyChainLink).where(
        SupplyChainLink.service_id == service_id, col(SupplyChainLink.archived_at).is_(None)
    )
    for link in session.exec(statement):
        if link.recipient_id is not None:
            below[link.recipient_id].append(link.supplier_id)
    return {sub for supplier in suppliers for sub in graph.reachable(below, supplier)}


def live_pairs(session: Session, service_id: str) -> list[EnvironmentPair]:
    """Pairs of a service that are not archived."""
    statement = select(EnvironmentPair).where(
        EnvironmentPair.service_id == service_id, col(EnvironmentPair.archived_at).is_(None)
    )
    return list(session.exec(statement.order_by(col(EnvironmentPair.ref))))
