"""Tables of the catalogue; `twin_key` is empty for archived rows, so that an archived name is free again."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from app.catalog.rules import (
    Access,
    Assurance,
    CodeType,
    ContractKind,
    Criticality,
    Holder,
    Known,
    MeasureKind,
    ObjectKind,
    ObjectSource,
    Placement,
    Reintegration,
    Reliance,
    Sensitivity,
    SideRole,
    Substitutability,
    Survival,
    WatchLevel,
)
from app.core import clock
from app.core.columns import UtcTime, document, key, link, moment, word

UNKNOWN_COUNTRY = "unknown"


class CatalogRow(SQLModel):
    """What every kind in the catalogue has."""

    id: str = key()
    ref: str = Field(unique=True, max_length=20)
    name: str = Field(max_length=200, index=True)
    twin_key: str | None = Field(default=None, unique=True, max_length=64)
    """SHA-256 of what makes this row one of a kind; the database refuses a twin, also in a race."""
    created_at: datetime = moment(index=True)
    updated_at: datetime = moment()
    archived_at: datetime | None = moment(optional=True, index=True)
    revision: int = 1


class Service(CatalogRow, table=True):
    """An ICT service that the organisation's functions lean on."""

    __tablename__ = "service"
    description: str = ""
    process_owner: str = Field(default="", max_length=200)
    process_owner_id: str | None = link("person.id", optional=True)
    """The one person whom `process_owner` named when it was written; None where it named nobody for certain."""
    service_owner: str = Field(default="", max_length=200)
    unit: str = Field(default="", max_length=200, index=True)
    function_supported: str = Field(default="", max_length=500)
    criticality: Criticality = word(Criticality, default=Criticality.NOT_ASSESSED, index=True)
    criticality_reason: str = ""
    assessed_on: date | None = None
    mtpd: int | None = Field(default=None, sa_type=BigInteger)
    rto: int | None = Field(default=None, sa_type=BigInteger)
    rpo: int | None = Field(default=None, sa_type=BigInteger)
    mbco_number: float | None = None
    mbco_unit: str = Field(default="", max_length=100)
    impact_over_time: list[dict[str, Any]] = document(list)
    reliance: Reliance = word(Reliance, default=Reliance.UNKNOWN)
    data_sensitivity: Sensitivity = word(Sensitivity, default=Sensitivity.UNKNOWN)
    country_at_rest: str = Field(default=UNKNOWN_COUNTRY, max_length=7)
    country_processing: str = Field(default=UNKNOWN_COUNTRY, max_length=7)
    substitutability: Substitutability = word(Substitutability, default=Substitutability.UNKNOWN)
    substitutability_reason: str = ""
    reintegration: Reintegration = word(Reintegration, default=Reintegration.UNKNOWN)
    alternatives_identified: Known = word(Known, default=Known.UNKNOWN)
    alternatives: str = ""
    exit_plan_exists: bool = False
    """Derived, pushed by plans (RoI b_07.01.0080)."""
    last_audit_on: date | None = None
    """Derived (RoI b_07.01.0070)."""


class ServiceDependency(SQLModel, table=True):
    """`service_id` cannot work without `depends_on_id`."""

    __tablename__ = "service_dependency"
    service_id: str = Field(foreign_key="service.id", primary_key=True, max_length=36)
    depends_on_id: str = Field(foreign_key="service.id", primary_key=True, max_length=36, index=True)


class Supplier(CatalogRow, table=True):
    """A supplier or subcontractor; `name` is its legal name."""

    __tablename__ = "supplier"
    code: str | None = Field(default=None, max_length=60)
    code_type: CodeType | None = word(CodeType, optional=True)
    has_parent: Known = word(Known, default=Known.UNKNOWN)
    ultimate_parent_id: str | None = link("supplier.id", optional=True)
    country: str = Field(default=UNKNOWN_COUNTRY, max_length=7, index=True)
    watch_level: WatchLevel = word(WatchLevel, default=WatchLevel.NORMAL, index=True)
    watch_reason: str = ""
    watch_since: date | None = None
    signals: list[dict[str, Any]] = document(list)
    assurance_reports: list[dict[str, Any]] = document(list)
    own_review_on: date | None = None


class SupplyChainLink(CatalogRow, table=True):
    """One link of a service's chain: `supplier` delivers to `recipient` (none: to us)."""

    __tablename__ = "supply_chain_link"
    service_id: str = link("service.id")
    supplier_id: str = link("supplier.id")
    recipient_id: str | None = link("supplier.id", optional=True)
    country: str = Field(default=UNKNOWN_COUNTRY, max_length=7)
    role: str = Field(default="", max_length=500)
    rank: int = 0
    """Derived from the tree of recipients, 1 delivers to us; 0 only for archived links."""


class Contract(CatalogRow, table=True):
    """A contract with a supplier."""

    __tablename__ = "contract"
    number: str = Field(default="", max_length=500)
    """The organisation's own reference."""
    kind: ContractKind = word(ContractKind, default=ContractKind.STANDALONE)
    supplier_id: str = link("supplier.id")
    overarching_id: str | None = link("contract.id", optional=True)
    cost_cents: int | None = Field(default=None, sa_type=BigInteger)
    currency: str = Field(default="EUR", max_length=3)
    starts_on: date | None = None
    ends_on: date | None = None
    notice_own: int | None = Field(default=None, sa_type=BigInteger)
    notice_supplier: int | None = Field(default=None, sa_type=BigInteger)
    law: str = Field(default=UNKNOWN_COUNTRY, max_length=7)
    framework: str = Field(default="", max_length=500)


class ContractService(SQLModel, table=True):
    """A service that a contract covers."""

    __tablename__ = "contract_service"
    contract_id: str = Field(foreign_key="contract.id", primary_key=True, max_length=36)
    service_id: str = Field(foreign_key="service.id", primary_key=True, max_length=36, index=True)


class Measure(CatalogRow, table=True):
    """A continuity measure of a contract: one row per contract and kind."""

    __tablename__ = "measure"
    contract_id: str = link("contract.id")
    kind: MeasureKind = word(MeasureKind, index=True)
    present: Known = word(Known, default=Known.UNKNOWN, index=True)
    clause: str = Field(default="", max_length=500)
    triggers: list[str] = document(list)
    time_to_effect: int | None = Field(default=None, sa_type=BigInteger)
    needs_supplier: Known = word(Known, default=Known.UNKNOWN)
    survives_bankruptcy: Survival = word(Survival, default=Survival.UNKNOWN)
    opinion_ref: str = Field(default="", max_length=500)
    owner: str = Field(default="", max_length=200)
    escrow_agent: str = Field(default="", max_length=200)
    deposit_every: int | None = Field(default=None, sa_type=BigInteger)
    last_deposit_on: date | None = None
    release_conditions: str = ""
    verification_level: int | None = None
    """0–4, in our own words."""
    vendor_level: str = Field(default="", max_length=200)
    ip_owner: str = Field(default="", max_length=200)
    transferable: Known = word(Known, default=Known.UNKNOWN)
    assurance: Assurance | None = word(Assurance, optional=True)
    """Derived from tests, pushed by plans."""
    last_tested_at: datetime | None = moment(optional=True)
    last_result: str = Field(default="", max_length=40)


class CatalogObject(CatalogRow, table=True):
    """Anything that a service needs: the report's list in one table."""

    __tablename__ = "object"
    kind: ObjectKind = word(ObjectKind, index=True)
    description: str = ""
    owner: str = Field(default="", max_length=200)
    holder: Holder = word(Holder, default=Holder.UNKNOWN, index=True)
    supplier_id: str | None = link("supplier.id", optional=True)
    """Which supplier holds it, where one does."""
    legal_owner: str = Field(default="", max_length=200)
    site_id: str | None = link("site.id", optional=True)
    location: str = Field(default="", max_length=500)
    placement: Placement = word(Placement, default=Placement.UNKNOWN)
    needed_for_mvo: Known = word(Known, default=Known.UNKNOWN)
    replaceable_in: int | None = Field(default=None, sa_type=BigInteger)
    access_without_supplier: Access = word(Access, default=Access.UNKNOWN)
    """What a person says; `access_proven_at` says that a test showed it."""
    access_evidence: str = Field(default="", max_length=500)
    access_proven_at: datetime | None = moment(optional=True)
    expires_on: date | None = Field(default=None, index=True)
    version: str = Field(default="", max_length=200)
    source: ObjectSource = word(ObjectSource, default=ObjectSource.TYPED)
    verified_on: date | None = None
    verified_by: str = Field(default="", max_length=200)
    driver: dict[str, Any] = document()

    @property
    def access(self) -> Access:
        """What is known of access without the supplier, a test above a word."""
        return Access.PROVEN if self.access_proven_at else self.access_without_supplier


class ObjectService(SQLModel, table=True):
    """A service that needs an object."""

    __tablename__ = "object_service"
    object_id: str = Field(foreign_key="object.id", primary_key=True, max_length=36)
    service_id: str = Field(foreign_key="service.id", primary_key=True, max_length=36, index=True)


class Site(CatalogRow, table=True):
    """A place where environments run; its name is the name that workers there serve."""

    __tablename__ = "site"
    supplier_id: str | None = link("supplier.id", optional=True)
    country: str = Field(default=UNKNOWN_COUNTRY, max_length=7, index=True)
    address: str = Field(default="", max_length=500)
    capacity: list[dict[str, Any]] = document(list)


class Environment(CatalogRow, table=True):
    """Where a service runs: one side of a pair."""

    __tablename__ = "environment"
    service_id: str = link("service.id")
    role: SideRole = word(SideRole)
    site_id: str = link("site.id")
    supplier_id: str | None = link("supplier.id", optional=True)
    """Who runs it, where that is not the supplier of the site."""
    identity_provider: str = Field(default="", max_length=200)
    dns_provider: str = Field(default="", max_length=200)
    certificate_holder: str = Field(default="", max_length=200)
    key_people: list[str] = document(list)
    driver: dict[str, Any] = document()


class EnvironmentPair(CatalogRow, table=True):
    """The two environments of a service and what is in front of them."""

    __tablename__ = "environment_pair"
    service_id: str = link("service.id")
    primary_id: str = link("environment.id")
    fallback_id: str = link("environment.id")
    service_url: str = Field(default="", max_length=500)
    proxy: dict[str, Any] = document()
    home_side: SideRole = word(SideRole, default=SideRole.PRIMARY)
    """The side that serves now; each change is a `HomeSideChange`."""
    home_since: datetime = Field(default_factory=clock.now, sa_type=UtcTime, nullable=False)
    home_unseen_since: datetime | None = moment(optional=True)
    """Since a restore nobody looked whether the home side is home; None where it is known."""


class HomeSideChange(SQLModel, table=True):
    """The home side became another one. Insert only."""

    __tablename__ = "home_side_change"
    id: int | None = Field(default=None, primary_key=True)
    pair_id: str = link("environment_pair.id")
    side: SideRole = word(SideRole)
    at: datetime = moment(index=True)
    run_id: str | None = Field(default=None, max_length=36)
    """The run that did it; none where a person said so when the pair was entered."""


class CatalogChange(SQLModel, table=True):
    """A change of a field on the closed list of substantive ones, by a person or an import. Insert only."""

    __tablename__ = "catalog_change"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = moment(index=True)
    actor: str = Field(max_length=80)
    kind: str = Field(max_length=40)
    row_id: str = Field(max_length=36, index=True)
    row_ref: str = Field(max_length=20)
    fields: list[str] = document(list)
    touches: dict[str, list[str]] = document()
    """What rests on it, as ids per kind at that moment: objects, measures, contracts, services, pairs."""
    substantive: bool = True
    reason: str = ""
    """Why a person declared the edit not substantive."""


def stamp(row: CatalogRow) -> None:
    """Count an edit of the row and note its time."""
    row.revision += 1
    row.updated_at = clock.now()
