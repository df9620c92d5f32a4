"""The service's own way out by HTTP: webhooks, sign-in providers, secret stores and time stamps all go through here.

Nothing is allowed unless ``WISSEL_OUTGOING`` names its origin. A library that makes its own httpx client gets
``**options(settings)``; everybody else takes a `client`. Both raise `HTTPError`s only: `UrlRefused` where an address is
not allowed, `NotAnswered` where nothing usable came back. No other file imports an HTTP client (tests/test_floors.py).
"""

from typing import Any

import httpx
from httpx import HTTPError

from app.core.errors import FieldError, InvalidInput
from app.core.messages import Message, say
from app.core.settings import Settings
from runners.origins import NotAnswered, UrlRefused, allowed
from runners.outgoing import LARGEST, Guarded

__all__ = ["SECONDS", "HTTPError", "NotAnswered", "UrlRefused", "check", "client", "fault", "options"]

SECONDS = 10.0
"""For a whole request, unless its caller gives it less."""


def options(settings: Settings, *, seconds: float = SECONDS, largest: int = LARGEST) -> dict[str, Any]:
    """Arguments of any `httpx.Client`, Authlib's `OAuth2Client` among them."""
    way = Guarded(settings.outgoing_origins, seconds=seconds, largest=largest, authorities=settings.ca_file)
    return {"transport": way, "trust_env": False, "follow_redirects": False, "timeout": seconds}


def client(settings: Settings, *, seconds: float = SECONDS, largest: int = LARGEST) -> httpx.Client:
    """A client for what is on the list; a redirect is an answer like any other. To be closed by its user."""
    return httpx.Client(**options(settings, seconds=seconds, largest=largest), headers={"User-Agent": "Wissel"})


def fault(url: str, settings: Settings) -> Message | None:
    """Why this address may not be asked from here, for a person; None where it may."""
    try:
        allowed(url, settings.outgoing_origins)
    except UrlRefused as error:
        return say(
            "This address is refused: {reason}. Only addresses that the administrator listed in WISSEL_OUTGOING may "
            "be called.",
            reason=str(error),
        )
    return None


def check(url: str, settings: Settings, *, field: str) -> None:
    """Raise `InvalidInput` with code ``url-refused`` on `field` where the address may not be asked from here."""
    if (reason := fault(url, settings)) is not None:
        raise InvalidInput(reason, errors=[FieldError(field, "url-refused", reason)])
