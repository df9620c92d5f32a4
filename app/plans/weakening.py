"""Finds where a version of a plan asks less of itself than the version before it, or than the defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.catalog.rules import Criticality
from app.plans.facts import Claim, WeakeningKind


@dataclass(frozen=True)
class Demand:
    """A claim with the scenario families it is for, and what kind of claim it is."""

    claim: Claim
    families: frozenset[str] = frozenset()
    kind: str = ""


@dataclass(frozen=True)
class Default:
    """What a kind of claim asks where nobody says otherwise."""

    min_level: int
    valid_days: int


@dataclass(frozen=True)
class Weaker:
    """One way in which less is asked than before."""

    kind: WeakeningKind
    claim_key: str | None
    before: str
    after: str


_RANK = {
    Criticality.NOT_ASSESSED: 2,
    Criticality.CRITICAL: 2,
    Criticality.IMPORTANT: 1,
    Criticality.OTHER: 0,
}


def lower_criticality(before: Criticality, after: Criticality) -> list[Weaker]:
    """Whether the service counts as less critical than in the version before."""
    if _RANK[after] >= _RANK[before]:
        return []
    return [Weaker(WeakeningKind.LOWER_CRITICALITY, None, before.value, after.value)]


def weaker_than_before(before: Sequence[Demand], after: Sequence[Demand]) -> list[Weaker]:
    """What the new claims ask less than those of the approved version, matched by their stable keys."""
    now = {demand.claim.key: demand for demand in after}
    found: list[Weaker] = []
    for old in before:
        new = now.get(old.claim.key)
        if new is None:
            found.append(Weaker(WeakeningKind.CLAIM_DROPPED, old.claim.key, old.claim.key, ""))
        elif new.kind != old.kind:  # taken out, and another claim added under its key
            found.append(Weaker(WeakeningKind.CLAIM_DROPPED, old.claim.key, old.kind, new.kind))
        else:
            found += _less(old, new)
    return found


def weaker_than_default(
    after: Sequence[Demand], defaults: Mapping[str, Default], known: frozenset[str]
) -> list[Weaker]:
    """What claims that are new (their key is not in `known`) ask less than the default of their kind."""
    found = []
    for demand in after:
        default = defaults.get(demand.claim.key)
        if default is None or demand.claim.key in known:
            continue
        found += _level_and_validity(demand.claim, default.min_level, default.valid_days)
    return found


def _level_and_validity(claim: Claim, level: int, days: int) -> list[Weaker]:
    found = []
    if claim.min_level < level:
        found.append(Weaker(WeakeningKind.LOWER_LEVEL, claim.key, str(level), str(claim.min_level)))
    if claim.valid_days > days:
        found.append(Weaker(WeakeningKind.LONGER_VALIDITY, claim.key, f"{days} d", f"{claim.valid_days} d"))
    return found


def _less(old: Demand, new: Demand) -> list[Weaker]:
    before, after = old.claim, new.claim
    found = _level_and_validity(after, before.min_level, before.valid_days)
    found += _looser_goals(before, after)
    if before.without_supplier and not after.without_supplier:
        found.append(Weaker(WeakeningKind.WITH_SUPPLIER, after.key, "without the supplier", "with the supplier"))
    if gone := before.objects - after.objects:
        found.append(Weaker(WeakeningKind.RESTS_ON_LESS, after.key, ", ".join(sorted(gone)), ""))
    if lost := old.families - new.families:
        found.append(Weaker(WeakeningKind.FEWER_FAMILIES, after.key, ", ".join(sorted(lost)), ""))
    return found


def _looser_goals(before: Claim, after: Claim) -> list[Weaker]:
    at_most = {"rto": (before.rto_s, after.rto_s), "rpo": (before.rpo_s, after.rpo_s)}
    at_least = {"hold": (before.min_hold_s, after.min_hold_s), "mbco": (before.mbco, after.mbco)}
    looser = [name for name, (old, new) in at_most.items() if old is not None and (new is None or new > old)]
    looser += [name for name, (old, new) in at_least.items() if old is not None and (new is None or new < old)]
    values = at_most | at_least
    return [
        Weaker(
            WeakeningKind.LOOSER_GOAL, after.key, f"{name} {_told(values[name][0])}", f"{name} {_told(values[name][1])}"
        )
        for name in looser
    ]


def _told(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
