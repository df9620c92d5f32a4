"""Pure decisions about chains: who hangs below whom, where a cycle runs, and how much hangs on one party."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


def cycle(edges: Mapping[str, Iterable[str]], start: str) -> tuple[str, ...]:
    """A way from `start` back to itself, as ``(start, …, start)``; empty where there is none."""
    came_from: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for there in edges.get(here, ()):
            if there == start:
                return _way_back(came_from, start, here)
            if there not in came_from:
                came_from[there] = here
                waiting.append(there)
    return ()


def _way_back(came_from: Mapping[str, str], start: str, last: str) -> tuple[str, ...]:
    way = [start]
    while last != start:
        way.append(last)
        last = came_from[last]
    return (start, *reversed(way))


def reachable(edges: Mapping[str, Iterable[str]], start: str) -> list[str]:
    """Everything that `start` leads to, nearest first, without `start`."""
    seen: dict[str, None] = {}
    waiting = deque(edges.get(start, ()))
    while waiting:
        here = waiting.popleft()
        if here != start and here not in seen:
            seen[here] = None
            waiting.extend(edges.get(here, ()))
    return list(seen)


@dataclass(frozen=True)
class ChainLink:
    """One link of a service's supply chain: who delivers to whom (`recipient` None: to us)."""

    id: str
    supplier: str
    recipient: str | None


def ranks(links: Sequence[ChainLink]) -> dict[str, int]:
    """Rank per link id: 1 delivers to us, each next one step further; a link that hangs on nothing has no rank.

    Source: RoI b_05.02.0060, where the rank follows the recipient.
    """
    by_recipient: defaultdict[str | None, list[ChainLink]] = defaultdict(list)
    for link in links:
        by_recipient[link.recipient].append(link)
    found: dict[str, int] = {}
    served: set[str | None] = {None}
    level: list[str | None] = [None]
    rank = 0
    while level:
        rank += 1
        here = [link for recipient in level for link in by_recipient[recipient]]
        found |= {link.id: rank for link in here}
        level = [supplier for supplier in dict.fromkeys(link.supplier for link in here) if supplier not in served]
        served.update(level)
    return found


def feeds_itself(links: Sequence[ChainLink]) -> tuple[str, ...]:
    """Suppliers in a ring of deliveries, ``(a, b, a)``; empty where the chain is a tree."""
    edges: defaultdict[str, list[str]] = defaultdict(list)
    for link in links:
        if link.recipient is not None:
            edges[link.supplier].append(link.recipient)
    return next((found for supplier in list(edges) if (found := cycle(edges, supplier))), ())


def top_of(parents: Mapping[str, str | None], supplier: str) -> str:
    """The ultimate parent: the end of the line of parents, the supplier itself where there is none."""
    seen = {supplier}
    while (parent := parents.get(supplier)) is not None and parent not in seen:
        seen.add(parent)
        supplier = parent
    return supplier


@dataclass(frozen=True)
class Share:
    """How much hangs on one party, country or site."""

    key: str
    services: frozenset[str]
    critical: frozenset[str]
    share: float
    """Part of all services that lean on something of this dimension, 0–1."""


@dataclass(frozen=True)
class Concentration:
    """How services spread over the parties of one dimension."""

    shares: tuple[Share, ...]
    """The largest first."""
    hhi: int
    """Herfindahl–Hirschman index, 0–10 000: sum of the squared percentages of all leanings."""


def concentration(leanings: Iterable[tuple[str, str]], critical: frozenset[str]) -> Concentration:
    """Concentration of ``(service, party)`` pairs; a pair counts once, however many links stand for it."""
    by_party: defaultdict[str, set[str]] = defaultdict(set)
    for service, party in leanings:
        by_party[party].add(service)
    services = frozenset[str]().union(*by_party.values())
    pairs = sum(len(each) for each in by_party.values())
    shares = [
        Share(party, frozenset(each), frozenset(each) & critical, len(each) / len(services))
        for party, each in by_party.items()
    ]
    shares.sort(key=lambda share: (-len(share.services), share.key))
    return Concentration(tuple(shares), round(sum((100 * len(s.services) / pairs) ** 2 for s in shares)))


class SharedKind(StrEnum):
    """What both sides of a pair can lean on, so that its loss takes both."""

    SITE = "site"
    SUPPLIER = "supplier"
    PARENT = "parent"
    SUB_SUPPLIER = "sub_supplier"
    IDENTITY_PROVIDER = "identity_provider"
    DNS = "dns"
    CERTIFICATE_HOLDER = "certificate_holder"
    KEY_PERSON = "key_person"


@dataclass(frozen=True)
class SharedFate:
    """One thing that both sides lean on."""

    kind: SharedKind
    key: str
    """Id of the supplier or site, or the name as it is compared."""


LeansOn = Mapping[SharedKind, frozenset[str]]
"""What one side leans on, per kind."""


def shared_fate(one: LeansOn, other: LeansOn) -> tuple[SharedFate, ...]:
    """What both sides lean on; a shared supplier is not told again as its own parent."""
    found = [
        SharedFate(kind, key) for kind in SharedKind for key in sorted(one.get(kind, _NONE) & other.get(kind, _NONE))
    ]
    suppliers = {fate.key for fate in found if fate.kind is SharedKind.SUPPLIER}
    return tuple(fate for fate in found if fate.kind is not SharedKind.PARENT or fate.key not in suppliers)


_NONE: frozenset[str] = frozenset()
