"""What goes in and comes out about suppliers, their chains, contracts, measures and objects."""

from typing import Annotated, Literal

from pydantic import Field

from app.catalog.models import UNKNOWN_COUNTRY
from app.catalog.rules import (
    Access,
    Assurance,
    CodeType,
    ContractKind,
    Holder,
    Known,
    MeasureKind,
    ObjectKind,
    ObjectSource,
    Placement,
    ReportKind,
    SignalKind,
    Survival,
    Trigger,
    WatchLevel,
)
from app.catalog.shapes import (
    CatalogOut,
    CatalogPatch,
    CatalogQuery,
    Cents,
    Currency,
    Key,
    Land,
    Party,
    Reference,
    Steering,
)
from app.core.shapes import Day, Duration, Line, Moment, Name, Prose, Shape


class Signal(Shape):
    """A warning sign about a supplier."""

    kind: SignalKind
    on: Day
    source: Line = ""
    note: Prose = ""


class AssuranceReport(Shape):
    """A report by an auditor or tester; many say nothing of the supplier's own continuity."""

    kind: ReportKind
    scope: Line = ""
    starts_on: Day | None = None
    ends_on: Day | None = None
    covers_continuity: Known = Known.UNKNOWN
    reference: Line = ""


class SupplierFields(Shape):
    """What is typed about a supplier; `name` is the legal name."""

    name: Name
    code: Annotated[Name, Field(max_length=60)] | None = None
    code_type: CodeType | None = None
    has_parent: Known = Known.UNKNOWN
    country: Land = UNKNOWN_COUNTRY
    watch_level: WatchLevel = WatchLevel.NORMAL
    watch_reason: Prose = ""
    watch_since: Day | None = None
    signals: Annotated[list[Signal], Field(max_length=200)] = []
    assurance_reports: Annotated[list[AssuranceReport], Field(max_length=100)] = []
    own_review_on: Day | None = None


class SupplierIn(SupplierFields):
    """A new supplier."""

    ultimate_parent: Key | None = None


class SupplierOut(CatalogOut, SupplierFields):
    """A supplier."""

    ultimate_parent: Reference | None


class SupplierQuery(CatalogQuery):
    """Which suppliers."""

    watch_level: WatchLevel | None = None
    country: Land | None = None
    ultimate_parent: Key | None = None


class ChainLinkFields(Shape):
    """What is typed about a link of a chain."""

    country: Land = UNKNOWN_COUNTRY
    role: Line = ""


class ChainLinkIn(ChainLinkFields):
    """A new link: `supplier` delivers to `recipient`; without a recipient, to us."""

    service: Key
    supplier: Key
    recipient: Key | None = None


class ChainLinkEdit(ChainLinkFields):
    """What can be edited of a link: it stays with its service."""

    supplier: Key
    recipient: Key | None = None


class ChainLinkOut(CatalogOut, ChainLinkFields):
    """A link; the rank follows from the tree of recipients."""

    service: Reference
    supplier: Reference
    recipient: Reference | None
    rank: int


class ChainLinkQuery(CatalogQuery):
    """Which links."""

    service: Key | None = None
    supplier: Key | None = None
    recipient: Key | None = None
    rank: Annotated[int, Field(ge=1, le=1000)] | None = None


class ContractFields(Shape):
    """What is typed about a contract."""

    name: Name
    number: Line = ""
    kind: ContractKind = ContractKind.STANDALONE
    cost_cents: Cents | None = None
    """Expected cost a year."""
    currency: Currency = "EUR"
    starts_on: Day | None = None
    ends_on: Day | None = None
    notice_own: Duration | None = None
    notice_supplier: Duration | None = None
    law: Land = UNKNOWN_COUNTRY
    framework: Line = ""


class ContractIn(ContractFields):
    """A new contract."""

    supplier: Key
    overarching: Key | None = None
    services: Annotated[list[Key], Field(max_length=500)] = []


class ContractOut(CatalogOut, ContractFields):
    """A contract."""

    supplier: Reference
    overarching: Reference | None
    services: list[Reference]


class ContractQuery(CatalogQuery):
    """Which contracts."""

    kind: ContractKind | None = None
    supplier: Key | None = None
    services: Annotated[Key | None, Field(alias="service")] = None
    ends_before: Day | None = None


class MeasureFields(Shape):
    """What is typed about a measure."""

    present: Known = Known.UNKNOWN
    clause: Line = ""
    triggers: Annotated[list[Trigger], Field(max_length=7)] = []
    time_to_effect: Duration | None = None
    needs_supplier: Known = Known.UNKNOWN
    survives_bankruptcy: Survival = Survival.UNKNOWN
    opinion_ref: Line = ""
    owner: Party = ""
    escrow_agent: Party = ""
    deposit_every: Duration | None = None
    last_deposit_on: Day | None = None
    release_conditions: Prose = ""
    verification_level: Annotated[int, Field(ge=0, le=4)] | None = None
    vendor_level: Party = ""
    ip_owner: Party = ""
    transferable: Known = Known.UNKNOWN


class MeasureIn(MeasureFields):
    """A new measure."""

    contract: Key
    kind: MeasureKind


class MeasureOut(CatalogOut, MeasureFields):
    """A measure; its assurance and last test come from tests only."""

    contract: Reference
    kind: MeasureKind
    assurance: Assurance | None
    last_tested_at: Moment | None
    last_result: str


class MeasureQuery(CatalogQuery):
    """Which measures."""

    contract: Key | None = None
    kind: MeasureKind | None = None
    present: Known | None = None
    assurance: Assurance | None = None


class ObjectFields(Shape):
    """What is typed about an object."""

    name: Name
    kind: ObjectKind
    description: Prose = ""
    owner: Party = ""
    holder: Holder = Holder.UNKNOWN
    legal_owner: Party = ""
    location: Line = ""
    placement: Placement = Placement.UNKNOWN
    needed_for_mvo: Known = Known.UNKNOWN
    replaceable_in: Duration | None = None
    expires_on: Day | None = None
    version: Party = ""
    verified_on: Day | None = None
    verified_by: Party = ""
    driver: Steering = {}


class ObjectIn(ObjectFields):
    """A new object; that access is *proven* can only come from a test."""

    services: Annotated[list[Key], Field(max_length=500)] = []
    supplier: Key | None = None
    site: Key | None = None
    access_without_supplier: Literal[Access.YES, Access.NO, Access.UNKNOWN] = Access.UNKNOWN


class ObjectOut(CatalogOut, ObjectFields):
    """An object."""

    services: list[Reference]
    supplier: Reference | None
    site: Reference | None
    access_without_supplier: Access
    """What is said, or ``proven`` once a test showed it."""
    access_evidence: str
    access_proven_at: Moment | None
    source: ObjectSource


class ObjectQuery(CatalogQuery):
    """Which objects."""

    kind: ObjectKind | None = None
    services: Annotated[Key | None, Field(alias="service")] = None
    supplier: Key | None = None
    site: Key | None = None
    holder: Holder | None = None
    placement: Placement | None = None
    needed_for_mvo: Known | None = None
    expires_before: Day | None = None


SupplierPatch = CatalogPatch.of(SupplierIn, "SupplierPatch")
ChainLinkPatch = CatalogPatch.of(ChainLinkEdit, "SupplyChainLinkPatch")
ContractPatch = CatalogPatch.of(ContractIn, "ContractPatch")
MeasurePatch = CatalogPatch.of(MeasureFields, "MeasurePatch")
ObjectPatch = CatalogPatch.of(ObjectIn, "ObjectPatch")
