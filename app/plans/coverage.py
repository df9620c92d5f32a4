"""Coverage: per service and scenario family, what is proven, without letting one kind of proof stand for another."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.catalog.graph import SharedKind
from app.catalog.rules import ScenarioFamily
from app.core.messages import Message, say
from app.plans.facts import ExitMode, Status
from app.plans.rules import summary
from app.playbooks.rules import ClaimKind

UNEXPECTED = frozenset(ScenarioFamily) - {ScenarioFamily.SWAP, ScenarioFamily.TAKEOVER_CARVEOUT}
"""Families in which nobody has both sides healthy and the time to prepare."""
SUPPLIER_GONE = frozenset(
    {ScenarioFamily.BANKRUPTCY, ScenarioFamily.SANCTIONS, ScenarioFamily.ACCESS_LOSS, ScenarioFamily.ESCROW}
)
"""Families in which the supplier is no help."""
ACROSS_SIDES = frozenset({ClaimKind.SWITCHOVER, ClaimKind.FAILOVER, ClaimKind.HOLD, ClaimKind.WAY_BACK}) | {
    ClaimKind.OTHER_ENVIRONMENT
}
"""Claims that rest on the other side of the pair being independent of the first."""
TAKES_BOTH = {
    SharedKind.SITE: ScenarioFamily.DATACENTRE,
    SharedKind.CERTIFICATE_HOLDER: ScenarioFamily.CERTIFICATE,
    SharedKind.KEY_PERSON: ScenarioFamily.STAFF,
}
"""Beside the families in which the supplier is gone: what both sides share, and the family that takes it from both."""


@dataclass(frozen=True)
class Stand:
    """A claim of a plan in force: where it stands, and for which families it was made."""

    service_id: str
    plan_ref: str
    claim_key: str
    kind: ClaimKind
    mode: ExitMode | None
    status: Status
    families: frozenset[ScenarioFamily]
    shared: frozenset[SharedKind] = frozenset()
    """What both sides of the service hang on."""


@dataclass(frozen=True)
class Refused:
    """A claim that names a family and does not count for it."""

    plan_ref: str
    claim_key: str
    why: Message


@dataclass(frozen=True)
class Cell:
    """One service and one scenario family; no plan where no claim counts for it."""

    service_id: str
    family: ScenarioFamily
    status: Status
    claims: tuple[Stand, ...]
    refused: tuple[Refused, ...]


def does_not_count(stand: Stand, family: ScenarioFamily) -> Message | None:
    """Why a claim proves nothing for `family` whatever it says of itself; None where it counts."""
    if stand.kind is ClaimKind.SWITCHOVER and family in UNEXPECTED:
        return say("A planned switchover never proves an unplanned fail-over.")
    if stand.mode is ExitMode.PLANNED and family in UNEXPECTED:
        return say("A planned exit proves only a planned exit.")
    lost = SUPPLIER_GONE if stand.shared else frozenset()
    lost |= {TAKES_BOTH[kind] for kind in stand.shared if kind in TAKES_BOTH}
    if stand.kind in ACROSS_SIDES and family in lost:
        return say("Both sides hang on the same party: this proves nothing against its loss.")
    return None


def coverage(services: Sequence[str], stands: Iterable[Stand]) -> tuple[Cell, ...]:
    """A cell for each service and family, in the order given and of the families."""
    by_cell: defaultdict[tuple[str, ScenarioFamily], list[Stand]] = defaultdict(list)
    for stand in stands:
        for family in stand.families:
            by_cell[stand.service_id, family].append(stand)
    return tuple(_cell(service, family, by_cell[service, family]) for service in services for family in ScenarioFamily)


def _cell(service_id: str, family: ScenarioFamily, stands: Sequence[Stand]) -> Cell:
    refused = [
        Refused(stand.plan_ref, stand.claim_key, why)
        for stand in stands
        if (why := does_not_count(stand, family)) is not None
    ]
    counting = tuple(stand for stand in stands if does_not_count(stand, family) is None)
    status = summary([stand.status for stand in counting]) if counting else Status.NO_PLAN
    return Cell(service_id, family, status, counting, tuple(refused))
