"""What every request and answer passes through: body limits, strict JSON, HEAD wherever GET, standard headers."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.browser import HEADERS
from app.core.errors import Problem
from app.core.messages import say
from app.core.problems import API_VERSION, parsed, problem_response

JSON_LIMIT = 1024 * 1024
FORM_LIMIT = 64 * 1024 * 1024


class BodyTooLarge(Problem):
    """The body is larger than is accepted here."""

    status = 413
    code = "body-too-large"
    title = "The body is too large"


class Wire:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the body, turn HEAD into GET without a body, add headers to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}
        answer = _Answer(send, api=scope["path"].startswith("/api/"), head=head)
        try:
            receive = await _checked_body(scope, receive)
        except Problem as problem:
            await problem_response(Request(scope), problem, dict(HEADERS))(scope, receive, answer)
            return
        await self.app(scope, receive, answer)


class _Answer:
    """Sends the answer on, with the headers that belong to it and without the body of a HEAD."""

    def __init__(self, send: Send, *, api: bool, head: bool) -> None:
        self._send, self._api, self._head = send, api, head

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._api:
            headers = MutableHeaders(scope=message)
            headers["API-Version"] = API_VERSION
            headers.setdefault("Cache-Control", "no-store")
        if message["type"] == "http.response.body" and self._head:
            message = {**message, "body": b""}
        await self._send(message)


async def _checked_body(scope: Scope, receive: Receive) -> Receive:
    if scope["method"] in {"GET", "DELETE", "OPTIONS"}:
        return receive
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    limit = FORM_LIMIT if kind == "multipart/form-data" else JSON_LIMIT
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge(say("The body is larger than {limit} bytes.", limit=limit))
        if not message.get("more_body"):
            break
    if body and (kind == "application/json" or kind.endswith("+json")):
        parsed(bytes(body))
    return _replay(bytes(body), receive)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
