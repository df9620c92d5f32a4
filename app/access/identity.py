"""Finds out who stands behind a request: a bearer token on the API, a session cookie on pages, never the other."""

from fastapi import Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access import service
from app.access.models import SessionKind
from app.access.service import SignedIn
from app.core import clock
from app.core.db import Database
from app.core.settings import Settings


def cookie_name(settings: Settings) -> str:
    """``__Host-`` binds the cookie to this host over TLS; plain HTTP (loopback) cannot carry that prefix."""
    return "__Host-wissel" if settings.secure else "wissel-session"


class Identity:
    """ASGI middleware that sets ``request.state.actor``, ``.visitor`` and ``.token``; None for nobody."""

    def __init__(self, app: ASGIApp, database: Database, settings: Settings) -> None:
        self.app, self.database, self.settings = app, database, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Identify, then pass on."""
        if scope["type"] == "http":
            request = Request(scope)
            token, kind = self._token(request)
            try:
                signed_in = await run_in_threadpool(self._identify, token) if token else None
            except SQLAlchemyError as error:  # outside of all that renders errors: so it is asked to do so here
                answer: Response = await scope["app"].exception_handlers[Exception](request, error)
                await answer(scope, receive, send)
                return
            if signed_in is not None and signed_in.kind is not kind:
                signed_in = None  # a browser's cookie is no bearer token, and the other way round
            state = scope.setdefault("state", {})
            state["actor"] = signed_in.actor if signed_in else None
            state["visitor"] = signed_in
            state["token"] = token
        await self.app(scope, receive, send)

    def _token(self, request: Request) -> tuple[str | None, SessionKind]:
        if request.url.path.startswith("/api/"):
            scheme, _, value = request.headers.get("authorization", "").partition(" ")
            return (value.strip() if scheme.lower() == "bearer" and value else None), SessionKind.BEARER
        return request.cookies.get(cookie_name(self.settings)), SessionKind.BROWSER

    def _identify(self, token: str) -> SignedIn | None:
        with self.database.transaction(write=False) as session:
            return service.identify(session, token, now=clock.now())
