"""Rate limits on what strangers may try, such as sign-in tokens."""

from fastapi import Request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.core.errors import Problem
from app.core.messages import say


class TooManyTries(Problem):
    """Too many tries from this address."""

    status = 429
    code = "too-many-tries"
    title = "Too many tries"


class RateLimit:
    """A moving window per client address, kept in this process."""

    def __init__(self, rule: str) -> None:
        self._rule = parse(rule)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def take(self, request: Request) -> None:
        """Count one try; raises `TooManyTries` when the window is full."""
        address = request.client.host if request.client else "unknown"
        if not self._limiter.hit(self._rule, address):
            raise TooManyTries(say("Too many tries. Wait a minute and try again."))
