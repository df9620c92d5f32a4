"""Decides where approvals stand, from plain facts: who said what to which digest, until when, in whose seat."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import combinations

from app.drills.rules import ApprovalPolicy
from app.runs.record import ApprovalVerdict


class Standing(StrEnum):
    """Where the approvals for a digest stand."""

    GRANTED = "granted"
    WAITING = "waiting"
    DENIED = "denied"


class Void(StrEnum):
    """Why a yes does not count, or a no counts no more."""

    REVOKED = "revoked"
    OTHER_DIGEST = "other-digest"
    NOT_YET = "not-yet-valid"
    EXPIRED = "expired"
    NOT_INDEPENDENT = "not-independent"
    NO_LONGER_APPROVER = "no-longer-approver"
    """The person left, or may approve this no more."""


@dataclass(frozen=True)
class Said:
    """What the rule needs to know of one approval."""

    person_id: str
    as_owner: bool
    """Whether this person is the process owner now, or stands in for them now."""
    verdict: ApprovalVerdict
    digest: str
    valid_from: datetime
    valid_until: datetime
    revoked: bool = False
    may_approve: bool = True
    """Whether this person is here and may still approve this."""
    stands_in_for: frozenset[str] = frozenset()
    """Ids of those in whose seat it was given, or is held now."""


def void(said: Said, digest: str, *, excluded: frozenset[str], now: datetime) -> Void | None:
    """Why it does not count for `digest`; None where it does.

    `excluded`: who can't approve their own work. A no stays a no whoever gave it and whatever becomes of them.
    """
    if said.revoked:
        return Void.REVOKED
    if said.digest != digest:
        return Void.OTHER_DIGEST
    if now < said.valid_from:
        return Void.NOT_YET
    if now >= said.valid_until:
        return Void.EXPIRED
    if said.verdict is ApprovalVerdict.DENIED:
        return None
    if said.person_id in excluded:
        return Void.NOT_INDEPENDENT
    return None if said.may_approve else Void.NO_LONGER_APPROVER


def standing(
    policy: ApprovalPolicy, said: Sequence[Said], digest: str, *, excluded: frozenset[str], now: datetime
) -> Standing:
    """Where it stands: one deny vetoes; enough people in seats of their own, the process owner among them.

    `excluded`: ids of the starter, the planner and the authors, who can't approve their own work.
    """
    valid = [each for each in said if void(each, digest, excluded=excluded, now=now) is None]
    if any(each.verdict is ApprovalVerdict.DENIED for each in valid):
        return Standing.DENIED
    yes = sorted({each.person_id: each for each in valid}.values(), key=lambda each: not each.as_owner)
    return Standing.GRANTED if _enough(policy, yes) else Standing.WAITING


def _enough(policy: ApprovalPolicy, yes: Sequence[Said]) -> bool:
    """Whether some `needed` of them fill as many seats, one of them the process owner's where that is asked."""
    return any(
        (not policy.process_owner or any(each.as_owner for each in chosen))
        and not any(_one_seat(one, other) for one, other in combinations(chosen, 2))
        for chosen in combinations(yes[:_MOST], policy.needed)
    )


_MOST = 16
"""So many are looked at: more people than this do not say yes to one run, and the ways to choose stay few."""


def _one_seat(one: Said, other: Said) -> bool:
    """Whether one stands in for the other, so that their two words are those of one seat."""
    return one.person_id in other.stands_in_for or other.person_id in one.stands_in_for
