"""Finds out who stands behind a request: a bearer token on the API, a session cookie on pages, never the other."""

from datetime import timedelta

from fastapi import Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access import clients, service, sessions, tokens
from app.access.clients import ProviderAway
from app.access.models import SessionKind
from app.access.service import SignedIn
from app.core import clock
from app.core.browser import standard_headers
from app.core.db import Database
from app.core.errors import Problem
from app.core.settings import Settings


def cookie_name(settings: Settings) -> str:
    """``__Host-`` binds the cookie to this host over TLS; plain HTTP (loopback) cannot carry that prefix."""
    return "__Host-wissel" if settings.secure else "wissel-session"


class Identity:
    """ASGI middleware that sets ``request.state.actor``, ``.visitor`` and ``.token``; None for nobody."""

    def __init__(self, app: ASGIApp, database: Database, settings: Settings) -> None:
        self.app, self.database, self.settings = app, database, settings
        self.machines = clients.Provider(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Identify, then pass on."""
        if scope["type"] == "http":
            request = Request(scope)
            token, kind = self._token(request)
            try:
                signed_in = await run_in_threadpool(self._identify, token, request) if token else None
            except SQLAlchemyError as error:  # outside of all that renders errors: so it is asked to do so here
                answer: Response = await scope["app"].exception_handlers[Exception](request, error)
                await answer(scope, receive, send)
                return
            except ProviderAway as problem:
                answer = await scope["app"].exception_handlers[Problem](request, problem)
                answer.headers.update(standard_headers(secure=self.settings.secure))
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

    def _identify(self, token: str, request: Request) -> SignedIn | None:
        now = clock.now()
        signed = clients.looks_signed(token)
        claims = self.machines.claims(token, now=now) if signed else None
        if signed and claims is None:
            return None
        with self.database.transaction(write=False) as session:
            if claims is not None:
                found = clients.identify(session, claims, now=now)
            else:
                idle = timedelta(minutes=self.settings.session_idle_minutes)
                found = service.identify(session, token, idle=idle, now=now)
        if found is not None and found.machine is not None:
            tokens.note_use(self.database, found.machine, request.client.host if request.client else "", now=now)
        if found is not None and found.is_to_be_touched:
            sessions.note_use(self.database, found.session_id, now=now)
        return found
