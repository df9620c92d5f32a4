"""The words of the catalogue for people."""

from app.catalog.graph import SharedKind
from app.catalog.rules import (
    Access,
    Assurance,
    ContractKind,
    Criticality,
    Holder,
    Known,
    MeasureKind,
    Missing,
    ObjectKind,
    Placement,
    ScenarioFamily,
    SideRole,
    Substitutability,
    Survival,
    Trigger,
    WatchLevel,
)
from app.core.labels import add
from app.core.messages import say

_YES, _NO, _UNKNOWN = say("yes"), say("no"), say("unknown")
add(Known, {Known.YES: _YES, Known.NO: _NO, Known.UNKNOWN: _UNKNOWN})
add(
    Criticality,
    {
        Criticality.CRITICAL: say("critical"),
        Criticality.IMPORTANT: say("important"),
        Criticality.OTHER: say("other"),
        Criticality.NOT_ASSESSED: say("not assessed"),
    },
)
add(
    Access,
    {Access.YES: _YES, Access.NO: _NO, Access.UNKNOWN: _UNKNOWN, Access.PROVEN: say("proven by a test")},
)
add(
    Holder,
    {Holder.OWN: say("ourselves"), Holder.SUPPLIER: say("the supplier"), Holder.SUB: say("a subcontractor")}
    | {Holder.UNKNOWN: _UNKNOWN},
)
add(SideRole, {SideRole.PRIMARY: say("primary side"), SideRole.FALLBACK: say("fallback side")})
add(
    Placement,
    {Placement.PRIMARY: say("primary side"), Placement.FALLBACK: say("fallback side"), Placement.BOTH: say("both")}
    | {Placement.UNKNOWN: _UNKNOWN},
)
add(
    WatchLevel,
    {
        WatchLevel.NORMAL: say("normal"),
        WatchLevel.WATCH: say("watched"),
        WatchLevel.ALERT: say("on alert"),
        WatchLevel.CRISIS: say("in crisis"),
    },
)
add(
    Missing,
    {
        Missing.OWNER: say("no owner"),
        Missing.LOCATION: say("no location"),
        Missing.ACCESS: say("no way in without the supplier"),
        Missing.EXPIRED: say("expired"),
        Missing.VERIFIED: say("not verified this year"),
    },
)
add(
    Substitutability,
    {
        Substitutability.NOT_SUBSTITUTABLE: say("cannot be replaced"),
        Substitutability.HIGHLY_COMPLEX: say("very hard to replace"),
        Substitutability.MEDIUM_COMPLEXITY: say("hard to replace"),
        Substitutability.EASILY_SUBSTITUTABLE: say("easy to replace"),
        Substitutability.UNKNOWN: _UNKNOWN,
    },
)
add(
    ObjectKind,
    {
        ObjectKind.HARDWARE: say("hardware"),
        ObjectKind.SOFTWARE: say("software"),
        ObjectKind.LICENCE: say("licence"),
        ObjectKind.CONTRACT: say("contract"),
        ObjectKind.SUPPLY_CHAIN_LINK: say("link of the supply chain"),
        ObjectKind.NETWORK_CONNECTION: say("network connection"),
        ObjectKind.CERTIFICATE: say("certificate"),
        ObjectKind.AUTHORISATION: say("authorisation"),
        ObjectKind.APPLICATION: say("application"),
        ObjectKind.INTERFACE: say("interface"),
        ObjectKind.DATASET: say("dataset"),
        ObjectKind.BACKUP_SET: say("backup"),
        ObjectKind.ENVIRONMENT: say("environment"),
        ObjectKind.KEY_MATERIAL: say("key material"),
        ObjectKind.DOMAIN_NAME: say("domain name"),
        ObjectKind.KNOWLEDGE_HOLDER: say("person with knowledge"),
        ObjectKind.LOCATION: say("location"),
    },
)
add(
    ScenarioFamily,
    {
        ScenarioFamily.BANKRUPTCY: say("bankruptcy"),
        ScenarioFamily.RANSOMWARE_WIPER: say("ransomware or wiper"),
        ScenarioFamily.SANCTIONS: say("sanctions"),
        ScenarioFamily.TAKEOVER_CARVEOUT: say("takeover or carve-out"),
        ScenarioFamily.ACCESS_LOSS: say("loss of access"),
        ScenarioFamily.ESCROW: say("escrow"),
        ScenarioFamily.BACKUP: say("backup needed"),
        ScenarioFamily.SWAP: say("planned swap"),
        ScenarioFamily.CERTIFICATE: say("certificate lost"),
        ScenarioFamily.STAFF: say("staff lost"),
        ScenarioFamily.DATACENTRE: say("datacentre lost"),
        ScenarioFamily.CHAIN: say("supply chain breaks"),
    },
)
add(
    SharedKind,
    {
        SharedKind.SITE: say("the same site"),
        SharedKind.SUPPLIER: say("the same supplier"),
        SharedKind.PARENT: say("suppliers with the same parent"),
        SharedKind.SUB_SUPPLIER: say("the same subcontractor"),
        SharedKind.IDENTITY_PROVIDER: say("the same identity provider"),
        SharedKind.DNS: say("the same DNS provider"),
        SharedKind.CERTIFICATE_HOLDER: say("the same holder of certificates"),
        SharedKind.KEY_PERSON: say("the same key person"),
    },
)
add(
    ContractKind,
    {
        ContractKind.STANDALONE: say("standing alone"),
        ContractKind.OVERARCHING: say("overarching"),
        ContractKind.SUBSEQUENT: say("under an overarching contract"),
    },
)
add(
    MeasureKind,
    {
        MeasureKind.STEP_IN: say("step-in right"),
        MeasureKind.ESCROW: say("escrow"),
        MeasureKind.USAGE_RIGHTS: say("usage rights"),
        MeasureKind.HARDWARE_OWNERSHIP: say("ownership of hardware"),
        MeasureKind.AUTHORISATIONS: say("authorisations"),
        MeasureKind.EXIT_ASSISTANCE: say("help with the exit"),
        MeasureKind.DATA_RETURN: say("return of data"),
        MeasureKind.TERMINATION_ON_INSOLVENCY: say("termination on insolvency"),
        MeasureKind.DIRECT_CONTRACT_WITH_SUBCONTRACTOR: say("direct contract with a subcontractor"),
        MeasureKind.AUDIT_RIGHT: say("right to audit"),
        MeasureKind.CHAIN_TRANSPARENCY: say("openness about the chain"),
        MeasureKind.FALLBACK_CAPACITY: say("fallback capacity"),
        MeasureKind.INDEPENDENT_BACKUP: say("independent backup"),
        MeasureKind.RING_FENCED_ENVIRONMENT: say("ring-fenced environment"),
        MeasureKind.KNOWLEDGE_RETENTION: say("knowledge kept"),
    },
)
add(
    Trigger,
    {
        Trigger.INSOLVENCY: say("insolvency"),
        Trigger.SUSPENSION: say("suspension of payments"),
        Trigger.BREACH: say("breach of contract"),
        Trigger.CHANGE_OF_CONTROL: say("change of control"),
        Trigger.SANCTIONS: say("sanctions"),
        Trigger.INCIDENT: say("incident"),
        Trigger.AT_WILL: say("whenever we want"),
    },
)
add(
    Survival,
    {Survival.YES: _YES, Survival.NO: _NO, Survival.DISPUTED: say("disputed"), Survival.UNKNOWN: _UNKNOWN},
)
add(
    Assurance,
    {
        Assurance.DESIGN: say("agreed on paper"),
        Assurance.EXISTENCE: say("seen to exist"),
        Assurance.OPERATING: say("shown to work"),
    },
)
