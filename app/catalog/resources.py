"""The nine kinds of the catalogue, each described once."""

from typing import Any

from sqlmodel import Session, col

from app.catalog import checks, models, owners, shapes, supplier_shapes
from app.catalog.resource import Many, Resource


def _by_name(row: Any) -> tuple[str, ...]:
    return (row.name,)


def _name_of_link(session: Session, row: Any) -> str:
    supplier, service = session.get(models.Supplier, row.supplier_id), session.get(models.Service, row.service_id)
    return f"{supplier.name if supplier else ''} → {service.name if service else ''}"[:200]


def _name_of_measure(session: Session, row: Any) -> str:
    contract = session.get(models.Contract, row.contract_id)
    return f"{row.kind} – {contract.name if contract else ''}"[:200]


SERVICE = Resource(
    kind="service",
    one="Service",
    many="Services",
    path="services",
    prefix="SVC",
    table=models.Service,
    shape_in=shapes.ServiceIn,
    shape_patch=shapes.ServicePatch,
    shape_out=shapes.ServiceOut,
    shape_query=shapes.ServiceQuery,
    twin=_by_name,
    lists={"depends_on": Many(models.ServiceDependency, "service_id", "depends_on_id", models.Service)},
    searched=("description", "function_supported", "unit", "process_owner", "service_owner"),
    check=checks.service,
    settled=owners.settled,
)
SUPPLIER = Resource(
    kind="supplier",
    one="Supplier",
    many="Suppliers",
    path="suppliers",
    prefix="SUP",
    table=models.Supplier,
    shape_in=supplier_shapes.SupplierIn,
    shape_patch=supplier_shapes.SupplierPatch,
    shape_out=supplier_shapes.SupplierOut,
    shape_query=supplier_shapes.SupplierQuery,
    twin=_by_name,
    links={"ultimate_parent": models.Supplier},
    searched=("code", "watch_reason"),
    check=checks.supplier,
)
CHAIN_LINK = Resource(
    kind="supply_chain_link",
    one="SupplyChainLink",
    many="SupplyChainLinks",
    path="supply-chain-links",
    prefix="LNK",
    table=models.SupplyChainLink,
    shape_in=supplier_shapes.ChainLinkIn,
    shape_patch=supplier_shapes.ChainLinkPatch,
    shape_out=supplier_shapes.ChainLinkOut,
    shape_query=supplier_shapes.ChainLinkQuery,
    twin=lambda row: (row.service_id, row.supplier_id, row.recipient_id or ""),
    links={"service": models.Service, "supplier": models.Supplier, "recipient": models.Supplier},
    searched=("role",),
    check=checks.chain_link,
    settled=checks.ranked_anew,
    named=_name_of_link,
)
CONTRACT = Resource(
    kind="contract",
    one="Contract",
    many="Contracts",
    path="contracts",
    prefix="CON",
    table=models.Contract,
    shape_in=supplier_shapes.ContractIn,
    shape_patch=supplier_shapes.ContractPatch,
    shape_out=supplier_shapes.ContractOut,
    shape_query=supplier_shapes.ContractQuery,
    twin=_by_name,
    links={"supplier": models.Supplier, "overarching": models.Contract},
    lists={"services": Many(models.ContractService, "contract_id", "service_id", models.Service)},
    searched=("number", "framework"),
    filters={"ends_before": lambda day: col(models.Contract.ends_on) < day},
    check=checks.contract,
)
MEASURE = Resource(
    kind="measure",
    one="Measure",
    many="Measures",
    path="measures",
    prefix="MEA",
    table=models.Measure,
    shape_in=supplier_shapes.MeasureIn,
    shape_patch=supplier_shapes.MeasurePatch,
    shape_out=supplier_shapes.MeasureOut,
    shape_query=supplier_shapes.MeasureQuery,
    twin=lambda row: (row.contract_id, row.kind),
    links={"contract": models.Contract},
    searched=("clause", "owner", "escrow_agent"),
    check=checks.measure,
    named=_name_of_measure,
)
OBJECT = Resource(
    kind="object",
    one="Object",
    many="Objects",
    path="objects",
    prefix="OBJ",
    table=models.CatalogObject,
    shape_in=supplier_shapes.ObjectIn,
    shape_patch=supplier_shapes.ObjectPatch,
    shape_out=supplier_shapes.ObjectOut,
    shape_query=supplier_shapes.ObjectQuery,
    twin=lambda row: (row.kind, row.name),
    links={"supplier": models.Supplier, "site": models.Site},
    lists={"services": Many(models.ObjectService, "object_id", "service_id", models.Service)},
    searched=("description", "owner", "legal_owner", "location", "version"),
    filters={"expires_before": lambda day: col(models.CatalogObject.expires_on) < day},
    shown_by={"access_without_supplier": "access"},
    check=checks.catalog_object,
    settled=checks.access_said_anew,
)
SITE = Resource(
    kind="site",
    one="Site",
    many="Sites",
    path="sites",
    prefix="SIT",
    table=models.Site,
    shape_in=shapes.SiteIn,
    shape_patch=shapes.SitePatch,
    shape_out=shapes.SiteOut,
    shape_query=shapes.SiteQuery,
    twin=_by_name,
    links={"supplier": models.Supplier},
    searched=("address",),
    check=checks.site,
)
ENVIRONMENT = Resource(
    kind="environment",
    one="Environment",
    many="Environments",
    path="environments",
    prefix="ENV",
    table=models.Environment,
    shape_in=shapes.EnvironmentIn,
    shape_patch=shapes.EnvironmentPatch,
    shape_out=shapes.EnvironmentOut,
    shape_query=shapes.EnvironmentQuery,
    twin=lambda row: (row.service_id or "", row.name),
    links={"service": models.Service, "site": models.Site, "supplier": models.Supplier},
    check=checks.paired_environment,
)
PAIR = Resource(
    kind="environment_pair",
    one="EnvironmentPair",
    many="EnvironmentPairs",
    path="environment-pairs",
    prefix="PAIR",
    table=models.EnvironmentPair,
    shape_in=shapes.PairIn,
    shape_patch=shapes.PairPatch,
    shape_out=shapes.PairOut,
    shape_query=shapes.PairQuery,
    twin=_by_name,
    links={"service": models.Service, "primary": models.Environment, "fallback": models.Environment},
    searched=("service_url",),
    check=checks.pair,
    settled=checks.first_home,
)
ALL = (SERVICE, SUPPLIER, CHAIN_LINK, CONTRACT, MEASURE, OBJECT, SITE, ENVIRONMENT, PAIR)
