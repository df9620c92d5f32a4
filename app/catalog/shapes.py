"""What goes in and comes out about services and the places where they run, and the types that all shapes share."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from babel import Locale
from babel.numbers import list_currencies
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.catalog.models import UNKNOWN_COUNTRY
from app.catalog.rules import (
    Criticality,
    ImpactCategory,
    Known,
    Reintegration,
    Reliance,
    Sensitivity,
    SideRole,
    Substitutability,
)
from app.core import openness
from app.core.listing import ListQuery
from app.core.shapes import Day, Duration, Line, Moment, Name, Patch, Prose, Shape

_NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})
LARGEST_DOCUMENT = 20_000


@cache  # at first use: the start needs none of Babel's data
def _countries() -> frozenset[str]:
    return frozenset(c for c in map(str, Locale("en").territories) if len(c) == 2 and c.isalpha()) - _NO_COUNTRIES


def _country(value: str) -> str:
    if value != UNKNOWN_COUNTRY and value not in _countries():
        raise ValueError("a country is a code of ISO 3166-1 alpha-2 such as NL, or unknown")
    return value


def _currency(value: str) -> str:
    if value not in list_currencies():
        raise ValueError("a currency is a code of ISO 4217 such as EUR")
    return value


def _steering(value: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(value, allow_nan=False)
    if len(text) > LARGEST_DOCUMENT:
        raise ValueError(f"at most {LARGEST_DOCUMENT} characters of JSON")
    if _has_controls(value):
        raise ValueError("text must not contain control characters")
    if found := openness.in_document(value):
        places = {"places": ", ".join(found)}
        raise PydanticCustomError(
            openness.CODE, "give secrets by reference, secret://NAME, not in the open: {places}", places
        )
    return value


def _has_controls(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_controls(name) or _has_controls(each) for name, each in value.items())
    if isinstance(value, list):
        return any(_has_controls(each) for each in value)
    return isinstance(value, str) and any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in value)


def _web_address(value: str) -> str:
    if value and (not value.startswith(("http://", "https://")) or openness.by_form(value) or " " in value):
        raise ValueError("an address starts with http:// or https:// and holds no password")
    return value


Key = Annotated[str, Field(pattern="^[A-Za-z0-9-]{1,64}$")]
"""Id or human reference of another row."""
Land = Annotated[
    str, AfterValidator(_country), WithJsonSchema({"type": "string", "pattern": f"^([A-Z]{{2}}|{UNKNOWN_COUNTRY})$"})
]
"""ISO 3166-1 alpha-2, or ``unknown``."""
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$"), AfterValidator(_currency)]
"""ISO 4217."""
Party = Annotated[Line, Field(max_length=200)]
"""Name of a person, role or organisation, possibly empty."""
Cents = Annotated[int, Field(ge=0, le=10**15)]
Amount = Annotated[float, Field(ge=0, le=1e15)]
Steering = Annotated[dict[str, Any], AfterValidator(_steering)]
"""How something is observed and switched: parameters of runners, secrets only as ``secret://NAME``."""
WebAddress = Annotated[Line, AfterValidator(_web_address)]


class Reference(Shape):
    """Another row, in short."""

    id: str
    ref: str
    name: str


class NotSubstantive(Shape):
    """Declares that an edit, though of a listed field, leaves older proof standing. It is kept on record."""

    reason: Name


class CatalogPatch(Patch):
    """A partial edit of something in the catalogue."""

    not_substantive: NotSubstantive | None = None


class CatalogOut(Shape):
    """What every answer about something in the catalogue carries."""

    id: str
    ref: str
    name: str
    created_at: Moment
    updated_at: Moment
    archived_at: Moment | None
    revision: int


class CatalogQuery(ListQuery):
    """Query of a list in the catalogue."""

    archived: bool = False


class Archival(Shape):
    """Why something is archived."""

    reason: Line = ""


class ImpactOverTime(Shape):
    """What an outage of this length does."""

    after: Duration
    impact: Annotated[int, Field(ge=1, le=5)]
    category: ImpactCategory
    amount_cents: Cents | None = None
    currency: Currency = "EUR"


class ServiceFields(Shape):
    """What is typed about a service."""

    name: Name
    description: Prose = ""
    process_owner: Party = ""
    service_owner: Party = ""
    unit: Party = ""
    function_supported: Line = ""
    criticality: Criticality = Criticality.NOT_ASSESSED
    criticality_reason: Prose = ""
    assessed_on: Day | None = None
    mtpd: Duration | None = None
    rto: Duration | None = None
    rpo: Duration | None = None
    mbco_number: Amount | None = None
    mbco_unit: Annotated[Line, Field(max_length=100)] = ""
    impact_over_time: Annotated[list[ImpactOverTime], Field(max_length=50)] = []
    reliance: Reliance = Reliance.UNKNOWN
    data_sensitivity: Sensitivity = Sensitivity.UNKNOWN
    country_at_rest: Land = UNKNOWN_COUNTRY
    country_processing: Land = UNKNOWN_COUNTRY
    substitutability: Substitutability = Substitutability.UNKNOWN
    substitutability_reason: Prose = ""
    reintegration: Reintegration = Reintegration.UNKNOWN
    alternatives_identified: Known = Known.UNKNOWN
    alternatives: Prose = ""


class ServiceIn(ServiceFields):
    """A new service."""

    depends_on: Annotated[list[Key], Field(max_length=200)] = []


class ServiceOut(CatalogOut, ServiceFields):
    """A service; `exitPlanExists` and `lastAuditOn` are derived."""

    depends_on: list[Reference]
    process_owner_id: str | None
    """The one person whom `processOwner` named when it was written; null where it named nobody for certain."""
    exit_plan_exists: bool
    last_audit_on: Day | None


class ServiceQuery(CatalogQuery):
    """Which services."""

    criticality: Criticality | None = None
    unit: Party | None = None
    depends_on: Key | None = None
    exit_plan_exists: bool | None = None


class Capacity(Shape):
    """How much of a resource a site has."""

    resource: Name
    number: Amount
    unit: Annotated[Name, Field(max_length=100)]
    measured_on: Day | None = None
    """When it was measured; empty: only said."""


class SiteFields(Shape):
    """What is typed about a site."""

    name: Name
    country: Land = UNKNOWN_COUNTRY
    address: Line = ""
    capacity: Annotated[list[Capacity], Field(max_length=100)] = []


class SiteIn(SiteFields):
    """A new site."""

    supplier: Key | None = None


class SiteOut(CatalogOut, SiteFields):
    """A site."""

    supplier: Reference | None


class SiteQuery(CatalogQuery):
    """Which sites."""

    supplier: Key | None = None
    country: Land | None = None


class EnvironmentFields(Shape):
    """What is typed about an environment."""

    name: Name
    role: SideRole
    identity_provider: Party = ""
    dns_provider: Party = ""
    certificate_holder: Party = ""
    key_people: Annotated[list[Name], Field(max_length=50)] = []
    driver: Steering = {}


class EnvironmentIn(EnvironmentFields):
    """A new environment."""

    service: Key
    site: Key
    supplier: Key | None = None


class EnvironmentOut(CatalogOut, EnvironmentFields):
    """An environment."""

    service: Reference
    site: Reference
    supplier: Reference | None


class EnvironmentQuery(CatalogQuery):
    """Which environments."""

    service: Key | None = None
    site: Key | None = None
    role: SideRole | None = None


class PairFields(Shape):
    """What is typed about a pair of environments."""

    name: Name
    service_url: WebAddress = ""
    proxy: Steering = {}


class PairIn(PairFields):
    """A new pair, with the side that serves at this moment."""

    service: Key
    primary: Key
    fallback: Key
    home_side: SideRole = SideRole.PRIMARY


class PairEdit(PairFields):
    """What can be edited of a pair: its home side only changes by a run."""

    service: Key
    primary: Key
    fallback: Key


class PairOut(CatalogOut, PairFields):
    """A pair; the home side is the one that serves now."""

    service: Reference
    primary: Reference
    fallback: Reference
    home_side: SideRole
    home_since: Moment
    home_unseen_since: Moment | None
    """Since a restore from a backup nobody looked whether this is so; null where it is known."""


class PairQuery(CatalogQuery):
    """Which pairs."""

    service: Key | None = None
    home_side: Literal["primary", "fallback"] | None = None


ServicePatch = CatalogPatch.of(ServiceIn, "ServicePatch")
SitePatch = CatalogPatch.of(SiteIn, "SitePatch")
EnvironmentPatch = CatalogPatch.of(EnvironmentIn, "EnvironmentPatch")
PairPatch = CatalogPatch.of(PairEdit, "PairPatch")
