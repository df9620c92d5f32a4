"""A small application of catalogue and findings alone, on a real database, for the flow tests of both."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from sqlmodel import SQLModel

import app.tables  # noqa: F401
from app.access.models import Person
from app.access.rules import Actor, Kind, Role
from app.catalog.api import router as catalog
from app.core import clock
from app.core.db import Database
from app.core.problems import Handlers
from app.findings.api import router as findings
from tests.flow.proof import ALWAYS

OWNER, APPROVER, VIEWER = "owner", "approver", "viewer"
ROLES = {
    OWNER: frozenset({Role.PLAN_OWNER}),
    APPROVER: frozenset({Role.APPROVER, Role.PLAN_OWNER}),
    VIEWER: frozenset({Role.VIEWER}),
}


@dataclass
class House:
    """The application, its database, and who knocks."""

    app: FastAPI
    database: Database

    def call(self, method: str, path: str, body: Any = None, *, as_: str | None = OWNER, **headers: str) -> Any:
        """One request; the answer's JSON is at `.json()`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if as_ is not None:
            sent["X-Test-Person"] = as_
        content = None if body is None else json.dumps(body)
        sent |= {} if content is None else {"Content-Type": "application/json"}

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, f"/api/v1{path}", content=content, headers=sent)

        return asyncio.run(ask())

    def make(self, path: str, body: Any, **more: Any) -> Any:
        """Create something that must succeed; answers its JSON."""
        answer = self.call("POST", path, body, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()


def build(folder: Path) -> House:
    """A fresh application with three people."""
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
        name = request.headers.get("X-Test-Person", "")
        if name.startswith("machine"):
            request.state.actor = Actor(Kind.MACHINE, name, name, ROLES[APPROVER])
        elif name:
            request.state.actor = Actor(Kind.PERSON, name, name, ROLES[name], proved_at=ALWAYS)
        return await call_next(request)

    made.include_router(catalog)
    made.include_router(findings)
    Handlers(made, lambda _request, problem: PlainTextResponse(str(problem.detail), problem.status)).install()
    return House(made, made.state.database)


def codes(answer: Any) -> dict[str, str]:
    """The faults that a 400 names: field → code."""
    assert answer.status_code == 400, answer.text
    return {each["field"]: each["code"] for each in answer.json()["errors"]}
