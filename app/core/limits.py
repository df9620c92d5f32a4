"""Bounds on what strangers may try: secrets of people at sign-in, bearer tokens on the API.

A route that looks at a secret calls `take` before it does, and `succeeded` when the secret was right:

    limits.take(request, account=fields.text("email"))   # raises TooManyTries (429, Retry-After)
    ...                                                   # look at the secret
    limits.succeeded(request, account=fields.text("email"))

Tries are counted per address, and per account *and* address: a flood on one account from one place leaves its owner
alone at another. When many places try one account, each of them keeps a few tries an hour, a new one too. An account
that does not exist is counted like any other, so an answer tells nothing. Counted per process, by passed time: a clock
that is set locks nobody out.
"""

import hashlib
import ipaddress
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from app.core.errors import Problem
from app.core.messages import say

MOST_KEYS = 10_000
"""What one budget remembers; the one that was quiet longest is forgotten first."""


class TooManyTries(Problem):
    """Too many tries from this address, or on this account from this address."""

    status = 429
    code = "too-many-tries"
    title = "Too many tries"


@dataclass(frozen=True)
class Budget:
    """So many tries at once, and as many again spread over `seconds`."""

    tries: int
    seconds: float


class Spent:
    """What was used of one budget by each key: a leaky bucket, of which one number says how full it is."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self._each = budget, budget.seconds / budget.tries
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._until)

    def take(self, key: bytes) -> float:
        """Count one try; 0 where there was room, else the seconds until there is, and nothing is counted."""
        with self._lock:
            now = time.monotonic()
            until = max(self._until.pop(key, now), now)
            late = until + self._each - now - self._budget.seconds
            self._until[key] = until if late > 0 else until + self._each
            if len(self._until) > MOST_KEYS:
                self._until.popitem(last=False)
            return max(late, 0.0)

    def full(self, key: bytes) -> bool:
        """Whether there is no room for one more try."""
        with self._lock:
            return self._until.get(key, 0.0) + self._each - time.monotonic() > self._budget.seconds

    def give_back(self, key: bytes) -> None:
        """The try was a right one, and does not count."""
        with self._lock:
            if key in self._until:
                self._until[key] -= self._each

    def forget(self, key: bytes) -> None:
        """Start again with the whole budget."""
        with self._lock:
            self._until.pop(key, None)


class Limits:
    """All budgets of one application; they live in ``app.state.limits``."""

    def __init__(
        self,
        *,
        address: Budget = Budget(30, 60),
        pair: Budget = Budget(10, 600),
        account: Budget = Budget(100, 3600),
        stranger: Budget = Budget(3, 3600),
        tokens: Budget = Budget(60, 60),
    ) -> None:
        self.address, self.pair, self.account = Spent(address), Spent(pair), Spent(account)
        self.stranger, self.tokens = Spent(stranger), Spent(tokens)


def take(request: HTTPConnection, *, account: str | None = None) -> None:
    """Count one try at a secret before it is looked at. Raises `TooManyTries`.

    `account` is what the visitor says they are (an e-mail address, the id of a machine client), whether it exists or
    not; without it only the address counts, as for a one-time link.
    """
    limits: Limits = request.app.state.limits
    where = place(request)
    waits = [limits.address.take(_key(where))]
    if account is not None:
        pair, alone = _key(where, account), _key(account)
        attacked = limits.account.full(alone)
        few = limits.stranger.take(pair)
        waits += [limits.pair.take(pair), few if attacked else 0.0]
        if not any(waits):  # what is refused anyway must not make others seem attackers
            limits.account.take(alone)
    if (wait := max(waits)) > 0:
        raise too_many(wait)


def succeeded(request: HTTPConnection, *, account: str | None = None) -> None:
    """The secret was right: the try is given back, and this place may try this account as if it never failed."""
    limits: Limits = request.app.state.limits
    where = place(request)
    limits.address.give_back(_key(where))
    if account is not None:
        limits.account.give_back(_key(account))
        limits.pair.forget(_key(where, account))
        limits.stranger.forget(_key(where, account))


def wrong_token(request: HTTPConnection) -> float:
    """Count a bearer token that nobody holds; the seconds to wait where this address sent too many, else 0."""
    limits: Limits = request.app.state.limits
    return limits.tokens.take(_key(place(request)))


def too_many(wait: float) -> TooManyTries:
    """The refusal, with when to come back."""
    seconds = max(1, round(wait + 0.5))
    return TooManyTries(
        say("Too many tries. Wait {seconds} seconds and try again.", seconds=seconds), retryAfter=seconds
    )


def place(request: HTTPConnection) -> str:
    """Where a request comes from: its address; of IPv6 the network of 64 bits, which one household has whole.

    uvicorn has put the address that a trusted proxy told in the place of the proxy's own; others' headers are not read.
    """
    text = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


def _key(*parts: str) -> bytes:
    """Sixteen bytes, however long a name was sent; letter case and outer blanks do not make another account."""
    joined = "\x00".join(part.strip().casefold() for part in parts)
    return hashlib.blake2b(joined.encode("utf-8", "replace"), digest_size=16).digest()
