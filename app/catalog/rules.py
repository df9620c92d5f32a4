"""The words of the catalogue and its decisions: which name is a twin, which change is substantive, what is complete."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

VERIFIED_FOR = timedelta(days=365)
"""How long a look at an object counts: 12 months (design: completeness of a service)."""


class Known(StrEnum):
    """An answer that may be missing; `unknown` never means *no*."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Criticality(StrEnum):
    """How critical a service is; not assessed counts as critical."""

    CRITICAL = "critical"
    IMPORTANT = "important"
    OTHER = "other"
    NOT_ASSESSED = "not_assessed"

    @property
    def counts_as_critical(self) -> bool:
        """Whether the service is treated as critical."""
        return self in (Criticality.CRITICAL, Criticality.NOT_ASSESSED)


class Reliance(StrEnum):
    """How far the function leans on the service (RoI b_02.02.0180)."""

    NOT_SIGNIFICANT = "not_significant"
    LOW = "low"
    MATERIAL = "material"
    FULL = "full"
    UNKNOWN = "unknown"


class Sensitivity(StrEnum):
    """Sensitivity of the data (RoI b_02.02.0170)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNKNOWN = "unknown"


class Substitutability(StrEnum):
    """How hard the provider is to replace (RoI b_07.01.0050)."""

    NOT_SUBSTITUTABLE = "not_substitutable"
    HIGHLY_COMPLEX = "highly_complex"
    MEDIUM_COMPLEXITY = "medium_complexity"
    EASILY_SUBSTITUTABLE = "easily_substitutable"
    UNKNOWN = "unknown"


class Reintegration(StrEnum):
    """How hard it is to take the service back in house (RoI b_07.01.0090)."""

    EASY = "easy"
    DIFFICULT = "difficult"
    HIGHLY_COMPLEX = "highly_complex"
    UNKNOWN = "unknown"


class ImpactCategory(StrEnum):
    """What an outage harms."""

    SERVICE = "service"
    LEGAL = "legal"
    FINANCIAL = "financial"
    SAFETY = "safety"
    REPUTATION = "reputation"
    SOCIETY = "society"


class CodeType(StrEnum):
    """Kind of registration code of a supplier, the most telling first."""

    LEI = "lei"
    EUID = "euid"
    KVK = "kvk"
    VAT = "vat"
    DUNS = "duns"


class WatchLevel(StrEnum):
    """How closely a supplier is watched."""

    NORMAL = "normal"
    WATCH = "watch"
    ALERT = "alert"
    CRISIS = "crisis"


class SignalKind(StrEnum):
    """Kind of warning sign about a supplier."""

    FINANCIAL = "financial"
    OWNERSHIP = "ownership"
    SANCTIONS = "sanctions"
    CYBER = "cyber"
    DELIVERY = "delivery"
    STAFF = "staff"


class ReportKind(StrEnum):
    """Kind of assurance report of a supplier."""

    SOC1 = "soc1"
    SOC2 = "soc2"
    ISAE3000 = "isae3000"
    ISAE3402 = "isae3402"
    ISO27001 = "iso27001"
    ISO22301 = "iso22301"
    PENETRATION_TEST = "penetration_test"
    CONTINUITY_TEST = "continuity_test"
    OTHER = "other"


class ContractKind(StrEnum):
    """Kind of arrangement (RoI b_02.01.0020)."""

    STANDALONE = "standalone"
    OVERARCHING = "overarching"
    SUBSEQUENT = "subsequent"


class MeasureKind(StrEnum):
    """Continuity measures that a contract can hold."""

    STEP_IN = "step_in"
    ESCROW = "escrow"
    USAGE_RIGHTS = "usage_rights"
    HARDWARE_OWNERSHIP = "hardware_ownership"
    AUTHORISATIONS = "authorisations"
    EXIT_ASSISTANCE = "exit_assistance"
    DATA_RETURN = "data_return"
    TERMINATION_ON_INSOLVENCY = "termination_on_insolvency"
    DIRECT_CONTRACT_WITH_SUBCONTRACTOR = "direct_contract_with_subcontractor"
    AUDIT_RIGHT = "audit_right"
    CHAIN_TRANSPARENCY = "chain_transparency"
    FALLBACK_CAPACITY = "fallback_capacity"
    INDEPENDENT_BACKUP = "independent_backup"
    RING_FENCED_ENVIRONMENT = "ring_fenced_environment"
    KNOWLEDGE_RETENTION = "knowledge_retention"


class Trigger(StrEnum):
    """What sets a measure off."""

    INSOLVENCY = "insolvency"
    SUSPENSION = "suspension"
    BREACH = "breach"
    CHANGE_OF_CONTROL = "change_of_control"
    SANCTIONS = "sanctions"
    INCIDENT = "incident"
    AT_WILL = "at_will"


class Survival(StrEnum):
    """Whether a measure survives the supplier's bankruptcy."""

    YES = "yes"
    NO = "no"
    DISPUTED = "disputed"
    UNKNOWN = "unknown"


class Assurance(StrEnum):
    """How sure we are of a measure, in audit words; derived from tests."""

    DESIGN = "design"
    EXISTENCE = "existence"
    OPERATING = "operating"


class ObjectKind(StrEnum):
    """Kinds of object, as the report lists them."""

    HARDWARE = "hardware"
    SOFTWARE = "software"
    LICENCE = "licence"
    CONTRACT = "contract"
    SUPPLY_CHAIN_LINK = "supply_chain_link"
    NETWORK_CONNECTION = "network_connection"
    CERTIFICATE = "certificate"
    AUTHORISATION = "authorisation"
    APPLICATION = "application"
    INTERFACE = "interface"
    DATASET = "dataset"
    BACKUP_SET = "backup_set"
    ENVIRONMENT = "environment"
    KEY_MATERIAL = "key_material"
    DOMAIN_NAME = "domain_name"
    KNOWLEDGE_HOLDER = "knowledge_holder"
    LOCATION = "location"


class Holder(StrEnum):
    """Who holds an object today."""

    OWN = "own"
    SUPPLIER = "supplier"
    SUB = "sub"
    UNKNOWN = "unknown"


class Placement(StrEnum):
    """To which environment an object belongs."""

    PRIMARY = "primary"
    FALLBACK = "fallback"
    BOTH = "both"
    UNKNOWN = "unknown"


class Access(StrEnum):
    """Whether we reach an object without the supplier; `proven` only comes from a test."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    PROVEN = "proven"


class ObjectSource(StrEnum):
    """Where what we know of an object came from."""

    TYPED = "typed"
    IMPORT = "import"
    RUNNER = "runner"


class SideRole(StrEnum):
    """Role of an environment in its pair, by design."""

    PRIMARY = "primary"
    FALLBACK = "fallback"


class ScenarioFamily(StrEnum):
    """What can happen: the families that coverage is shown for."""

    BANKRUPTCY = "bankruptcy"
    RANSOMWARE_WIPER = "ransomware_wiper"
    SANCTIONS = "sanctions"
    TAKEOVER_CARVEOUT = "takeover_carveout"
    ACCESS_LOSS = "access_loss"
    ESCROW = "escrow"
    BACKUP = "backup"
    SWAP = "swap"
    CERTIFICATE = "certificate"
    STAFF = "staff"
    DATACENTRE = "datacentre"
    CHAIN = "chain"


SUBSTANTIVE: Mapping[str, frozenset[str]] = {
    "service": frozenset({"country_at_rest", "country_processing", "depends_on"}),
    "supplier": frozenset({"ultimate_parent", "has_parent", "country"}),
    "supply_chain_link": frozenset({"supplier", "recipient", "country", "role", "archived", "created"}),
    "contract": frozenset({"supplier", "services", "ends_on", "law", "overarching", "archived"}),
    "measure": frozenset(
        {"present", "triggers", "time_to_effect", "needs_supplier", "survives_bankruptcy", "escrow_agent"}
        | {"deposit_every", "release_conditions", "ip_owner", "transferable", "archived"}
    ),
    "object": frozenset(
        {"kind", "holder", "supplier", "legal_owner", "site", "location", "placement", "version", "driver"}
        | {"access_without_supplier", "services", "archived"}
    ),
    "site": frozenset({"supplier", "country", "address", "name", "archived"}),
    "environment": frozenset(
        {"site", "role", "supplier", "driver", "identity_provider", "dns_provider", "certificate_holder"}
        | {"key_people", "archived"}
    ),
    "environment_pair": frozenset({"primary", "fallback", "service_url", "proxy", "archived"}),
}
"""The closed list: which fields of which kind make older proof stale when a person or an import changes them."""


@dataclass(frozen=True)
class ObjectChange:
    """A substantive change by a person or an import, with everything that rested on it at that moment, as ids."""

    at: datetime
    kind: str
    row_id: str
    row_ref: str
    fields: tuple[str, ...]
    object_ids: frozenset[str] = frozenset()
    measure_ids: frozenset[str] = frozenset()
    contract_ids: frozenset[str] = frozenset()
    service_ids: frozenset[str] = frozenset()
    pair_ids: frozenset[str] = frozenset()

    @property
    def what(self) -> str:
        """The change in short, for a reason: ``object OBJ-003: holder, version``."""
        return f"{self.kind.replace('_', ' ')} {self.row_ref}: {', '.join(self.fields)}"


def substantive(kind: str, fields: Sequence[str]) -> tuple[str, ...]:
    """Those of `fields` whose change is substantive for `kind`, in the order given."""
    return tuple(name for name in fields if name in SUBSTANTIVE[kind])


def normalised(name: str) -> str:
    """How a name is compared: NFKC, case folded, invisible characters dropped, runs of blanks as one."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())


def rto_exceeds_mtpd(rto: int | None, mtpd: int | None) -> bool:
    """Whether the recovery goal is longer than the longest tolerable disruption; unknown is no excess."""
    return rto is not None and mtpd is not None and rto > mtpd


def ends_before_start(start: date | None, end: date | None) -> bool:
    """Whether a period ends before it starts; an unknown end or start cannot be wrong."""
    return start is not None and end is not None and end < start


_CODES: Mapping[CodeType, str] = {
    CodeType.LEI: r"[A-Z0-9]{18}\d{2}",
    CodeType.EUID: r"[A-Z]{2}[A-Z0-9]{2,8}\.[A-Z0-9./_-]{2,40}",
    CodeType.KVK: r"\d{8}",
    CodeType.VAT: r"[A-Z]{2}[A-Z0-9+*]{2,12}",
    CodeType.DUNS: r"\d{9}",
}


def code_is_valid(kind: CodeType, code: str) -> bool:
    """Whether `code` has the form of its kind; of an LEI also the check digits (ISO 17442: ISO 7064 MOD 97-10)."""
    if not re.fullmatch(_CODES[kind], code, re.ASCII):
        return False
    return kind is not CodeType.LEI or int("".join(str(int(c, 36)) for c in code)) % 97 == 1


@dataclass(frozen=True)
class ObjectFacts:
    """What completeness asks of one object."""

    owner: str
    located: bool
    """Whether a site or a place is filled in."""
    access: Access
    expires_on: date | None
    verified_on: date | None


class Missing(StrEnum):
    """What an object lacks to count as complete."""

    OWNER = "owner"
    LOCATION = "location"
    ACCESS = "access"
    EXPIRED = "expired"
    VERIFIED = "verified"


def missing(facts: ObjectFacts, *, today: date) -> tuple[Missing, ...]:
    """What one object lacks; access must be a known way in: *no* and *unknown* are none."""
    lacks = {
        Missing.OWNER: not facts.owner,
        Missing.LOCATION: not facts.located,
        Missing.ACCESS: facts.access not in (Access.YES, Access.PROVEN),
        Missing.EXPIRED: facts.expires_on is not None and facts.expires_on < today,
        Missing.VERIFIED: facts.verified_on is None or not today - VERIFIED_FOR <= facts.verified_on <= today,
    }
    return tuple(what for what, lacking in lacks.items() if lacking)
