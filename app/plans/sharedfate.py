"""Shared fate: what both sides of a pair hang on, so that a switch between them proves nothing about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Dependence(StrEnum):
    """In which way a side hangs on somebody or something."""

    SUPPLIER = "supplier"
    PARENT = "parent"
    SUB_SUPPLIER = "sub-supplier"
    IDENTITY_PROVIDER = "identity-provider"
    DNS = "dns"
    CERTIFICATE_HOLDER = "certificate-holder"
    KEY_PEOPLE = "key-people"


@dataclass(frozen=True)
class SharedFate:
    """One thing that both sides hang on."""

    dependence: Dependence
    name: str


_ORDER = (
    Dependence.SUPPLIER,
    Dependence.PARENT,
    Dependence.SUB_SUPPLIER,
    Dependence.IDENTITY_PROVIDER,
    Dependence.DNS,
    Dependence.CERTIFICATE_HOLDER,
    Dependence.KEY_PEOPLE,
)
_PARTIES = (Dependence.SUPPLIER, Dependence.PARENT, Dependence.SUB_SUPPLIER)
Side = Mapping[Dependence, frozenset[str]]
"""What one side hangs on, by name; what is unknown is left out and is no shared fate, but no proof of the contrary."""


def shared_fate(primary: Side, fallback: Side) -> tuple[SharedFate, ...]:
    """What both sides hang on; a party is told once, in the nearest role, also where the roles differ by side.

    A supplier of one side that is the parent of the supplier of the other side is shared all the same.
    """
    found: dict[str, SharedFate] = {}
    for dependence in _ORDER:
        shared = (
            _party(dependence, primary, fallback) if dependence in _PARTIES else _same(dependence, primary, fallback)
        )
        for name in sorted(shared):
            same_party = dependence in _PARTIES and any(
                fate.dependence in _PARTIES for fate in found.values() if _folded(fate.name) == _folded(name)
            )
            if not same_party:
                found[f"{dependence}:{_folded(name)}"] = SharedFate(dependence, name)
    return tuple(found.values())


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def _same(dependence: Dependence, primary: Side, fallback: Side) -> set[str]:
    there = {_folded(name) for name in fallback.get(dependence, frozenset())}
    return {name for name in primary.get(dependence, frozenset()) if name.strip() and _folded(name) in there}


def _party(dependence: Dependence, primary: Side, fallback: Side) -> set[str]:
    """Parties that one side has in this role and the other in this or any nearer or further role."""

    def everybody(side: Side) -> frozenset[str]:
        return frozenset().union(*(side.get(role, frozenset()) for role in _PARTIES))

    here = primary.get(dependence, frozenset()) & everybody(fallback)
    there = fallback.get(dependence, frozenset()) & everybody(primary)
    return set(here | there)
