"""What a browser may do with our pages: strict content policy, no forged forms, and the language of the answer."""

import hmac
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import FormData, MutableHeaders, UploadFile
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import FieldError, InvalidInput, Problem
from app.core.i18n import COOKIE, DEFAULT, choose, speaking
from app.core.messages import say

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def standard_headers(*, secure: bool) -> dict[str, str]:
    """What every answer bears, whoever makes it; `secure` where people reach the service over TLS."""
    strict = {"Strict-Transport-Security": "max-age=31536000"} if secure else {}
    return {**_HEADERS, "Cache-Control": "no-store", **strict}


class ForgedForm(Problem):
    """The form did not come from one of our own pages in this session."""

    status = 403
    code = "forged-form"
    title = "The form was not accepted"


class Browser:
    """ASGI middleware: security headers on every answer, and the visitor's language while it is made.

    It stands inside the middleware that sets ``request.state.visitor``, whose ``language`` counts after the cookie.
    """

    def __init__(self, app: ASGIApp, *, secure: bool = False, language: str = DEFAULT) -> None:
        self.app, self.language = app, language
        self.headers = standard_headers(secure=secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in the visitor's language, with the headers that were not set by the route itself."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope)
        visitor = scope.setdefault("state", {}).get("visitor")
        kept = request.cookies.get(COOKIE) or getattr(visitor, "language", None)
        chosen = choose(kept, request.headers.get("accept-language"), self.language)
        scope["state"]["language"] = chosen
        with speaking(chosen):
            await self.app(scope, receive, send_with_headers)


class Fields(Mapping[str, str]):
    """A form that was sent, checked against forgery: the text of each field, stripped; files are not among them."""

    def __init__(self, data: FormData) -> None:
        self._data = data
        self._texts = {name: value.strip() for name, value in data.multi_items() if isinstance(value, str)}
        self._texts.pop("csrf", None)

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def text(self, name: str) -> str:
        """The field's text, empty where the form had none."""
        return self._texts.get(name, "")

    def raw(self, name: str) -> str:
        """The field's text as it was sent, blanks at its ends included; empty where the form had none."""
        found = self._data.get(name)
        return found if isinstance(found, str) else ""

    def every(self, name: str) -> list[str]:
        """All values of a field that may be chosen more than once."""
        return [value for value in self._data.getlist(name) if isinstance(value, str) and value]

    def file(self, name: str) -> UploadFile | None:
        """The file of a field; None where none was chosen."""
        found = self._data.get(name)
        return found if isinstance(found, UploadFile) and found.filename else None

    def filled(self) -> dict[str, str]:
        """The fields that say something, for a shape's ``model_validate``."""
        return {name: value for name, value in self._texts.items() if value}


async def form(request: Request) -> Fields:
    """Dependency of every route that takes a form: same origin, the session's token, readable fields."""
    return await _own(request, files=0)


async def form_with_file(request: Request) -> Fields:
    """As `form`, for a form that may carry one file: `Fields.file`."""
    return await _own(request, files=1)


async def _own(request: Request, files: int) -> Fields:
    check_origin(request)
    data = await request.form(max_files=files, max_fields=500)
    visitor = getattr(request.state, "visitor", None)
    sent = request.headers.get("x-csrf-token") or data.get("csrf")
    expected = getattr(visitor, "csrf", "")
    if not expected or not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), expected.encode()):
        raise ForgedForm(say("Your session ended, or this form is old. Open the page again and repeat what you did."))
    return readable(data)


async def open_form(request: Request) -> Fields:
    """Dependency of a form for people who are not signed in yet: same origin and readable fields."""
    check_origin(request)
    return readable(await request.form(max_files=0, max_fields=50))


def readable(data: FormData) -> Fields:
    """The fields, refused where a text holds a NUL, which no database or person can read."""
    for name, value in data.multi_items():
        if isinstance(value, str) and "\x00" in value:
            reason = say("This text holds a character that cannot be stored. Type it again.")
            raise InvalidInput(reason, errors=[FieldError(name, "unreadable", reason)])
    return Fields(data)


def check_origin(request: Request) -> None:
    """Refuse a form that another site sent: by Sec-Fetch-Site, else Origin, else Referer; one of them must be there."""
    fetch_site = request.headers.get("sec-fetch-site")
    source = request.headers.get("origin") or request.headers.get("referer") or ""
    # A page on plain http that is reached by address, not by name, sends no Sec-Fetch-Site.
    if source and source != "null":
        trusted = urlsplit(source).netloc.lower() in _hosts(request)
    else:
        trusted = fetch_site == "same-origin"
    if not trusted or fetch_site in ("cross-site", "same-site"):
        raise ForgedForm(say("This form came from another site. Open the page here and repeat what you did."))


def _hosts(request: Request) -> set[str]:
    """The names under which a browser reaches us: the request's own host and the configured address."""
    base_url = getattr(getattr(request.app.state, "settings", None), "base_url", None)
    named = {request.headers.get("host", "").lower()} | ({urlsplit(base_url).netloc.lower()} if base_url else set())
    return named - {""}


def local_path(address: str, default: str = "/") -> str:
    """An address on this site to go to next; anything that leads elsewhere becomes the default."""
    parts = urlsplit(address)
    safe = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return address if safe and "\\" not in address and address.isprintable() else default
