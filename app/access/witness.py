"""Sees every request: where it comes from, and which attempts to change something were refused.

What is refused rolls back, its own audit rows included; so the refusal is written afterwards, in a transaction of its
own. Who was refused often in a minute is told for a part of it: nobody fills the log by knocking.
"""

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import reach
from app.access.rules import Actor
from app.core import audit
from app.core.db import Database
from app.core.limits import Budget, Spent

log = structlog.get_logger()
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_REFUSALS = frozenset({401, 403, 404, 409, 410, 423, 429})
_KINDS = {"playbook_version": "playbook", "machine_token": "machine-token"}
"""How the audit log calls rows of a table, where not as the table is called."""
NOBODY = "nobody"


@dataclass(frozen=True)
class Refusal:
    """An attempt that was refused."""

    actor: str
    action: str
    collection: str
    key: str
    detail: dict[str, Any]


class Witness:
    """ASGI middleware within `Identity`: it needs to know who asks."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app, self._database = app, database
        self._told = {True: Spent(Budget(60, 60)), False: Spent(Budget(20, 60))}
        """How much is told of who is known, and of strangers at one address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the origin known to the audit log, and write down what was refused before the answer leaves."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        client = scope.get("client")
        origin = str(client[0]) if client else "unknown"
        before = audit.ORIGIN.set(origin)

        async def seen(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["method"] in _CHANGING:
                refusal = _refused(scope, message["status"])
                if refusal is not None and self._is_told(refusal.actor, origin):
                    await run_in_threadpool(self._tell, refusal)
            await send(message)

        try:
            await self.app(scope, receive, seen)
        finally:
            audit.ORIGIN.reset(before)

    def _is_told(self, actor: str, origin: str) -> bool:
        key = origin if actor == NOBODY else actor
        return not self._told[actor != NOBODY].take(key.encode())

    def _tell(self, refusal: Refusal) -> None:
        try:
            with self._database.transaction() as session:
                kind, key = _named(session, refusal)
                audit.attempt(session, audit.REFUSED, refusal.actor, refusal.action, kind, key, refusal.detail)
        except SQLAlchemyError as error:  # the answer is a refusal either way
            log.error("a refusal could not be written down", action=refusal.action, error=str(error).splitlines()[0])


def _refused(scope: Scope, status: int) -> Refusal | None:
    """What was refused; None where nothing was, or where nobody who is known asked for a thing that is not open."""
    route, state = scope.get("route"), scope.get("state", {})
    code = state.get("refused")
    if route is None or (status not in _REFUSALS and not (code and 300 <= status < 400)):
        return None
    actor: Actor | None = state.get("actor")
    action = _declared(getattr(route, "dependant", None))
    if actor is None and action is not None:
        return None
    detail = {"method": scope["method"].lower(), "route": route.path, "status": status, "code": code or ""}
    named = reach.named_by(route.path)
    collection, key = (named[0], str(scope["path_params"].get(named[1], ""))) if named else (_last(route.path), "")
    return Refusal(actor.ref if actor else NOBODY, str(action or _last(route.path)), collection, key[:80], detail)


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2][:40] or "/"


def _declared(dependant: Any) -> str | None:
    """The permission that a route declares; None where it is open to everybody."""
    if dependant is None:
        return None
    action = getattr(dependant.call, "action", None)
    found = [str(action.value)] if action is not None else [_declared(each) for each in dependant.dependencies]
    return next((each for each in found if each), None)


def _named(session: Session, refusal: Refusal) -> tuple[str, str]:
    """Kind and id of what was named, as other events call it; as it was named, where there is no such thing."""
    table = reach.table_of(refusal.collection)
    if table is None or not refusal.key.isprintable() or not refusal.key:
        return refusal.collection[:40], refusal.key if refusal.key.isprintable() else ""
    key = next(iter(table.primary_key))
    by_ref = [table.c.ref == refusal.key.upper()] if "ref" in table.c else []
    found = session.execute(select(key).where(or_(key == refusal.key, *by_ref))).scalar()
    return _KINDS.get(table.name, table.name), str(found if found is not None else refusal.key)
