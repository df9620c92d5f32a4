"""A small application of catalogue, findings and plans, on a real database, for the flow tests of plans."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request
from sqlmodel import SQLModel

import app.tables  # noqa: F401
from app.access.models import Person
from app.access.rules import Actor, Kind, Role
from app.catalog.api import router as catalog
from app.core import clock
from app.core.db import Database
from app.core.problems import Handlers
from app.findings.api import router as findings
from app.plans.api import router as plans
from tests.flow.proof import ALWAYS

ROLES = {
    "anna": frozenset({Role.PLAN_OWNER, Role.APPROVER}),
    "bert": frozenset({Role.APPROVER, Role.PLAN_OWNER}),
    "carla": frozenset({Role.PLAN_OWNER}),
    "vera": frozenset({Role.VIEWER}),
}


@dataclass
class House:
    """The application, its database, and who knocks."""

    app: FastAPI
    database: Database

    def call(self, method: str, path: str, body: Any = None, *, by: str = "anna", **headers: str) -> httpx.Response:
        """One request."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"X-Test-Person": by}
        content = None if body is None else json.dumps(body)
        sent |= {} if content is None else {"Content-Type": "application/json"}

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, f"/api/v1{path}", content=content, headers=sent)

        return asyncio.run(ask())

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """A request that must succeed; answers its JSON."""
        answer = self.call(method, path, body, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
        """A request that must not succeed; answers status and code."""
        answer = self.call(method, path, body, **more)
        return answer.status_code, answer.json()["code"]

    def service(self, **more: Any) -> dict[str, Any]:
        """A service."""
        return self.ok("POST", "/services", {"name": "Burgerzaken", "mtpd": "P1D", "rto": "PT4H"} | more)

    def plan(self, service: str, **more: Any) -> dict[str, Any]:
        """A fallback plan with two claims, in draft, by anna."""
        claims = [
            {"kind": "restore", "validDays": 31},
            {"kind": "switchover", "rto": "PT15M", "rpo": "PT0S"},
        ]
        body = {"name": "Uitwijk", "kind": "fallback", "service": service, "claims": claims} | more
        return self.ok("POST", "/plans", body)

    def approved(self, plan: str, version: str = "1.0", **submission: Any) -> dict[str, Any]:
        """Submitted by anna, approved by bert."""
        self.ok("POST", f"/plans/{plan}/versions/{version}/submissions", submission)
        return self.ok("POST", f"/plans/{plan}/versions/{version}/approvals", by="bert")

    def status(self, plan: str, at: str = "") -> dict[str, Any]:
        """The status, now or at a moment."""
        return self.ok("GET", f"/plans/{plan}/status" + (f"?asOf={at}" if at else ""))


def build(folder: Path) -> House:
    """A fresh application with its people."""
    made = FastAPI()
    made.state.database = Database(f"sqlite:///{folder / 'test.db'}")
    SQLModel.metadata.create_all(made.state.database.engine)
    with made.state.database.transaction() as session:
        for number, name in enumerate(ROLES, start=1):
            session.add(
                Person(id=name, ref=f"PER-00{number}", name=name, email=f"{name}@example.nl", created_at=clock.now())
            )

    @made.middleware("http")
    async def sign_in(request: Request, call_next: Any) -> Any:
        name = request.headers["X-Test-Person"]
        kind = Kind.MACHINE if name == "robot" else Kind.PERSON
        request.state.actor = Actor(kind, name, name, ROLES.get(name, ROLES["bert"]), proved_at=ALWAYS)
        return await call_next(request)

    for router in (catalog, findings, plans):
        made.include_router(router)
    Handlers(made, None).install()  # type: ignore[arg-type]
    return House(made, made.state.database)
