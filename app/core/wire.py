"""What every request and answer passes through: bounds on head and body, strict JSON, HEAD wherever GET, headers."""

import asyncio
import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import limits
from app.core.browser import standard_headers
from app.core.errors import Problem, Unavailable
from app.core.messages import say
from app.core.problems import API_VERSION, MEDIA_TYPE, Refused, parsed, problem_body
from app.core.settings import Settings

JSON_LIMIT = 1024 * 1024
FORM_LIMIT = 64 * 1024 * 1024
STRANGERS_LIMIT = 64 * 1024
"""Bytes of a body without any sign of who sends it; nothing that a stranger may ask is longer."""
HELD_LIMIT = 256 * 1024 * 1024
"""Bytes of all bodies that are being received, together."""
HEAD_LIMIT = 32 * 1024
ADDRESS_LIMIT = 8 * 1024
GRACE_SECONDS = 20.0
SLOWEST = 16 * 1024
"""Bytes a second that a body must come at, after the grace."""
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by address, by whoever looks after the machine."""
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_BODILESS = frozenset({"GET", "DELETE", "OPTIONS"})


class BodyTooLarge(Problem):
    """The body is larger than is accepted here."""

    status = 413
    code = "body-too-large"
    title = "The body is too large"


class AddressTooLong(Problem):
    """The address is longer than any of ours."""

    status = 414
    code = "address-too-long"
    title = "The address is too long"


class HeadTooLarge(Problem):
    """The headers are larger than is accepted here."""

    status = 431
    code = "head-too-large"
    title = "The headers are too large"


class TooSlow(Problem):
    """The body did not come in time."""

    status = 408
    code = "too-slow"
    title = "The request took too long to arrive"


class WrongHost(Problem):
    """The request was meant for another name than ours."""

    status = 421
    code = "wrong-host"
    title = "Not the address of this service"


class Wire:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self._headers = standard_headers(secure=settings.secure)
        self._host = urlsplit(settings.base_url).hostname if settings.base_url else None
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check head and body, turn HEAD into GET without a body, add headers to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}
        answer = _Answer(scope, send, self._headers, head=head)
        held = [0]
        try:
            self._check_head(scope)
            receive = await self._checked_body(scope, receive, held)
            await self.app(scope, receive, answer)
        except Problem as problem:
            await answer.refuse(problem)
        finally:
            self._held -= held[0]

    def _check_head(self, scope: Scope) -> None:
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > ADDRESS_LIMIT:
            raise AddressTooLong(say("The address is longer than {limit} bytes.", limit=ADDRESS_LIMIT))
        if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > HEAD_LIMIT:
            raise HeadTooLarge(say("The headers are larger than {limit} bytes.", limit=HEAD_LIMIT))
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers and "content-length" in headers:
            # A proxy may count by the one and we by the other: what follows would be somebody else's request.
            raise Refused(say("A body has one length: Content-Length or Transfer-Encoding, not both."))
        host = headers.get("host", "")
        if host and not _HOST.fullmatch(host):
            raise Refused(say("The Host header is not the name of a host."))
        if self._host and scope["path"] not in PROBES and not self._is_ours(host):
            raise WrongHost(
                say("This service is reached at {host}. A proxy must pass the Host header on.", host=self._host)
            )

    def _is_ours(self, host: str) -> bool:
        name = (urlsplit(f"//{host}").hostname or "").lower()
        if name in (self._host, "localhost"):
            return True
        try:  # no foreign name can be made to stand for an address: in an emergency that is how people come here
            ip_address(name)
        except ValueError:
            return False
        return True

    async def _checked_body(self, scope: Scope, receive: Receive, held: list[int]) -> Receive:
        if scope["method"] in _BODILESS:
            return receive
        headers = Headers(scope=scope)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        limit = FORM_LIMIT if kind == "multipart/form-data" else JSON_LIMIT
        if "authorization" not in headers and "cookie" not in headers:
            limit = STRANGERS_LIMIT
        if (declared := headers.get("content-length", "")).isdigit() and int(declared) > limit:
            raise BodyTooLarge(say("The body is larger than {limit} bytes.", limit=limit))
        body = await self._received(receive, limit, held)
        if body and (kind == "application/json" or kind.endswith("+json")):
            parsed(body)
        return _replay(body, receive)

    async def _received(self, receive: Receive, limit: int, held: list[int]) -> bytes:
        body = bytearray()
        until = asyncio.get_running_loop().time() + GRACE_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(until + len(body) / SLOWEST):
                    message = await receive()
            except TimeoutError:
                raise TooSlow(say("The body did not arrive in time. Send it again.")) from None
            if message["type"] == "http.disconnect":
                return bytes(body)
            piece = message.get("body", b"")
            body += piece
            held[0] += len(piece)
            self._held += len(piece)
            if len(body) > limit:
                raise BodyTooLarge(say("The body is larger than {limit} bytes.", limit=limit))
            if self._held > HELD_LIMIT:
                raise Unavailable(say("Too much is being sent at once. Try again in a few seconds."))
            if not message.get("more_body"):
                return bytes(body)


class _Answer:
    """Sends the answer on, with the headers that belong to it and without the body of a HEAD.

    Who tries bearer tokens that nobody holds is told to wait, by address; valid ones are never held up.
    """

    def __init__(self, scope: Scope, send: Send, standard: dict[str, str], *, head: bool) -> None:
        self._scope, self._send, self._standard, self._head = scope, send, standard, head
        self._api = scope["path"].startswith("/api/")
        self._begun = self._instead = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._is_guess(message) and (wait := limits.wrong_token(HTTPConnection(self._scope))):
                self._instead = True
                await self._told(limits.too_many(wait), {"Retry-After": str(round(wait + 1))})
                return
            self._begun = True
            self._add_headers(message)
        if self._instead:
            return
        if message["type"] == "http.response.body" and self._head:
            message = {**message, "body": b""}
        await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answer with this instead; the connection ends, for what else was sent on it was not read."""
        if self._begun:
            raise problem
        more = {"Retry-After": "5"} if problem.status == 503 else {}
        await self._told(problem, {"Connection": "close", **more})

    async def _told(self, problem: Problem, more: dict[str, str]) -> None:
        body = problem_body(problem, instance=self._scope["path"])
        response = JSONResponse(body, problem.status, {**self._standard, **more}, media_type=MEDIA_TYPE)
        for message in (
            {"type": "http.response.start", "status": problem.status, "headers": response.raw_headers},
            {"type": "http.response.body", "body": b"" if self._head else response.body},
        ):
            if message["type"] == "http.response.start":
                self._add_headers(message)
            await self._send(message)

    def _add_headers(self, message: Message) -> None:
        if self._api:
            MutableHeaders(scope=message)["API-Version"] = API_VERSION

    def _is_guess(self, message: Message) -> bool:
        return self._api and message["status"] == 401 and any(n == b"authorization" for n, _ in self._scope["headers"])


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
