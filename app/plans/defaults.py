"""Default claims, levels and validity per kind of plan; each validity is a setting, and a longer one a weakening.

Sources: DORA 11(6)(a), 28(8); BIO2 5.22.01, 5.30.01, 8.13.04; RTS 2024/1774 art. 25(2)(c). DORA binds financial
entities; BIO2 and NIS2/Cbw are aimed at Dutch public bodies. The month for critical restores is our own default.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.catalog.rules import Criticality, ScenarioFamily
from app.core.messages import Message, say
from app.plans.facts import ExitMode, PlanKind
from app.playbooks.rules import ClaimKind

YEAR = 365
MONTH = 31
TWO_QUARTERS_AND_14_DAYS = 2 * 92 + 14
"""The longest quarter has 92 days."""


class SwapPolicy(StrEnum):
    """How often production changes sides."""

    NONE = "none"
    YEARLY = "yearly"
    HALF_YEARLY = "half-yearly"
    QUARTERLY = "quarterly"


@dataclass(frozen=True)
class DefaultClaim:
    """A claim as it is offered for a new draft."""

    kind: ClaimKind
    says: Message
    min_level: int
    valid_days: int
    families: tuple[ScenarioFamily, ...]
    without_supplier: bool = False

    @classmethod
    def lone(cls, kind: ClaimKind, valid_days: int) -> "DefaultClaim":
        """The default of a kind that this sort of plan is not offered: its level, and no scenario families."""
        return cls(kind, _SAYS[kind], LEAST_LEVEL[kind], valid_days, ())


LEAST_LEVEL = {
    ClaimKind.DECIDE_AND_ALERT: 2,
    ClaimKind.RESTORE: 3,
    ClaimKind.ACCESS_WITHOUT_SUPPLIER: 3,
    ClaimKind.SWITCHOVER: 4,
    ClaimKind.FAILOVER: 4,
    ClaimKind.HOLD: 5,
    ClaimKind.WAY_BACK: 4,
    ClaimKind.COMMUNICATION: 2,
    ClaimKind.DATA_OUT: 3,
    ClaimKind.ESCROW_BUILD: 3,
    ClaimKind.AUTHORISATIONS: 3,
    ClaimKind.USAGE_RIGHTS: 1,
    ClaimKind.OTHER_ENVIRONMENT: 4,
    ClaimKind.ACTIVATION: 2,
}
"""The evidence level that each kind asks at least; asking less is a weakening."""

_GONE = (
    ScenarioFamily.BANKRUPTCY,
    ScenarioFamily.SANCTIONS,
    ScenarioFamily.ACCESS_LOSS,
)
_FAMILIES: dict[ClaimKind, tuple[ScenarioFamily, ...]] = {
    ClaimKind.DECIDE_AND_ALERT: (*_GONE, ScenarioFamily.RANSOMWARE_WIPER, ScenarioFamily.DATACENTRE),
    ClaimKind.RESTORE: (ScenarioFamily.BACKUP, ScenarioFamily.RANSOMWARE_WIPER),
    ClaimKind.ACCESS_WITHOUT_SUPPLIER: (*_GONE, ScenarioFamily.CERTIFICATE),
    ClaimKind.SWITCHOVER: (ScenarioFamily.SWAP,),
    ClaimKind.FAILOVER: (*_GONE, ScenarioFamily.RANSOMWARE_WIPER, ScenarioFamily.DATACENTRE),
    ClaimKind.HOLD: (ScenarioFamily.SWAP, ScenarioFamily.DATACENTRE),
    ClaimKind.WAY_BACK: (ScenarioFamily.SWAP,),
    ClaimKind.COMMUNICATION: (*_GONE, ScenarioFamily.RANSOMWARE_WIPER, ScenarioFamily.DATACENTRE),
    ClaimKind.DATA_OUT: (*_GONE, ScenarioFamily.TAKEOVER_CARVEOUT),
    ClaimKind.ESCROW_BUILD: (*_GONE, ScenarioFamily.ESCROW),
    ClaimKind.AUTHORISATIONS: _GONE,
    ClaimKind.USAGE_RIGHTS: (*_GONE, ScenarioFamily.TAKEOVER_CARVEOUT),
    ClaimKind.OTHER_ENVIRONMENT: (*_GONE, ScenarioFamily.CHAIN),
    ClaimKind.ACTIVATION: (*_GONE, ScenarioFamily.STAFF),
}

_SAYS = {
    ClaimKind.DECIDE_AND_ALERT: say("We decide in time and alert everyone who must know."),
    ClaimKind.RESTORE: say("We restore the data from a backup."),
    ClaimKind.ACCESS_WITHOUT_SUPPLIER: say("We get in without the supplier."),
    ClaimKind.SWITCHOVER: say("We switch to the other side as planned, while both sides work."),
    ClaimKind.FAILOVER: say("We go on at the fallback side when the primary and its supplier cannot be reached."),
    ClaimKind.HOLD: say("We keep working at the minimum level on the other side."),
    ClaimKind.WAY_BACK: say("We go back to the first side."),
    ClaimKind.COMMUNICATION: say("We tell users, partners and the public what they need to know."),
    ClaimKind.DATA_OUT: say("We get our data out without the supplier's help."),
    ClaimKind.ESCROW_BUILD: say("We build the software from the escrow deposit."),
    ClaimKind.AUTHORISATIONS: say("Our authorisations and step-in rights really work."),
    ClaimKind.USAGE_RIGHTS: say("We may go on using the software and data."),
    ClaimKind.OTHER_ENVIRONMENT: say("Another environment carries the minimum viable organisation."),
    ClaimKind.ACTIVATION: say("We have practised putting the plan into effect."),
}

FALLBACK_CLAIMS = (
    ClaimKind.DECIDE_AND_ALERT,
    ClaimKind.RESTORE,
    ClaimKind.ACCESS_WITHOUT_SUPPLIER,
    ClaimKind.SWITCHOVER,
    ClaimKind.FAILOVER,
    ClaimKind.HOLD,
    ClaimKind.WAY_BACK,
    ClaimKind.COMMUNICATION,
)
EXIT_CLAIMS = (
    ClaimKind.DATA_OUT,
    ClaimKind.ESCROW_BUILD,
    ClaimKind.AUTHORISATIONS,
    ClaimKind.USAGE_RIGHTS,
    ClaimKind.OTHER_ENVIRONMENT,
    ClaimKind.ACTIVATION,
)
_PLANNED_EXIT_FAMILIES = (ScenarioFamily.TAKEOVER_CARVEOUT,)
_WITHOUT_SUPPLIER = frozenset({ClaimKind.ACCESS_WITHOUT_SUPPLIER, ClaimKind.FAILOVER, ClaimKind.DATA_OUT}) | {
    ClaimKind.ESCROW_BUILD,
    ClaimKind.AUTHORISATIONS,
    ClaimKind.OTHER_ENVIRONMENT,
}


def valid_days(kind: ClaimKind, *, criticality: Criticality, swap: SwapPolicy = SwapPolicy.NONE) -> int:
    """How many days a proof of this kind of claim is good by default."""
    if kind is ClaimKind.RESTORE and criticality.counts_as_critical:
        return MONTH
    swapped = kind in (ClaimKind.SWITCHOVER, ClaimKind.HOLD, ClaimKind.WAY_BACK)
    return TWO_QUARTERS_AND_14_DAYS if swapped and swap is SwapPolicy.QUARTERLY else YEAR


def default_claims(
    kind: PlanKind, mode: ExitMode | None, *, criticality: Criticality, swap: SwapPolicy = SwapPolicy.NONE
) -> tuple[DefaultClaim, ...]:
    """The claims that are offered for a new draft of this kind of plan."""
    return tuple(
        DefaultClaim(
            kind=each,
            says=_SAYS[each],
            min_level=LEAST_LEVEL[each],
            valid_days=valid_days(each, criticality=criticality, swap=swap),
            families=_PLANNED_EXIT_FAMILIES if mode is ExitMode.PLANNED else _FAMILIES[each],
            without_supplier=each in _WITHOUT_SUPPLIER and mode is not ExitMode.PLANNED,
        )
        for each in (EXIT_CLAIMS if kind is PlanKind.EXIT else FALLBACK_CLAIMS)
    )
