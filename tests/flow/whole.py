"""The application as a whole, on a database built by the migrations, with people who signed in as people do."""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from fastapi import FastAPI

import app.playbooks.service
from app.access import service as access
from app.access.rules import PEOPLE_ONLY, Action
from app.core import clock, migrations
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from runners import registry
from tests.flow.proof import prove_all
from tests.lab.pair import NOBODY, LabServer, postgres_binaries

API = "/api/v1"
PEOPLE: dict[str, list[str]] = {
    "author": ["plan-owner"],
    "approver": ["approver"],
    "operator": ["operator"],
    "process-owner": ["approver"],
    "viewer": ["viewer"],
    "auditor": ["auditor"],
    "facilitator": ["facilitator"],
}
EVERYBODY = "everybody"
"""One person who bears every role there is."""
ADMINISTRATOR = "administrator"
MACHINE = "machine"
"""A machine token for all that a token can do at all, made by the person with every role."""
EVERY_ROLE = sorted({role for roles in PEOPLE.values() for role in roles} | {ADMINISTRATOR})


@dataclass
class Whole:
    """The application, its settings and database, and a bearer token for each person by the name of their part."""

    app: FastAPI
    settings: Settings
    tokens: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """The application's own database."""
        return self.app.state.database

    def ask(
        self,
        method: str,
        url: str,
        *,
        by: str | None = None,
        body: Any = None,
        content: bytes | str | None = None,
        headers: dict[str, str] | None = None,
        cookies: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One request to any address, as it stands; nobody signs it unless `by` says who."""
        sent = dict(headers or {})
        if by is not None:
            sent.setdefault("Authorization", f"Bearer {self.tokens[by]}")
        if body is not None:
            content = json.dumps(body)
        if content is not None:
            sent.setdefault("Content-Type", "application/json")

        async def knock() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test", cookies=cookies) as client:
                return await client.request(method, url, content=content, headers=sent, **more)

        return asyncio.run(knock())

    def call(self, method: str, path: str, body: Any = None, *, by: str = "author", **more: Any) -> httpx.Response:
        """One request to the API by a person."""
        return self.ask(method, f"{API}{path}", by=by, body=body, **more)

    def ok(self, method: str, path: str, body: Any = None, *, by: str = "author", **more: Any) -> Any:
        """A request that must succeed; its JSON."""
        answer = self.call(method, path, body, by=by, **more)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: Any = None, *, by: str = "author", **more: Any) -> tuple[int, str]:
        """A request that must be refused as problem+json; its status and code."""
        answer = self.call(method, path, body, by=by, **more)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        return answer.status_code, answer.json()["code"]

    def sign_in_token(self, part: str) -> str:
        """A fresh one-time token for this person, made by the administrator."""
        made = self.ok("POST", f"/people/{self.people[part]}/sign-in-links", by=ADMINISTRATOR)
        return str(made["token"])

    def service(self, **more: Any) -> dict[str, Any]:
        """A service in the catalogue."""
        made: dict[str, Any] = self.ok(
            "POST", "/services", {"name": "Burgerzaken", "mtpd": "P1D", "rto": "PT4H"} | more
        )
        return made


def settings_in(folder: Path, **more: Any) -> Settings:
    """Settings of one installation, whatever the environment of the test says."""
    return Settings(data_dir=folder, **{"database_url": None, "base_url": None, "site_policy": None} | more)


def fill(database: Database) -> str:
    """Schema, shipped playbooks and the first administrator; answers the administrator's one-time token."""
    migrations.upgrade(database)
    with database.transaction() as session:
        app.playbooks.service.load_shipped(session, registry=registry.load())
    with database.transaction() as session:
        _, token, _ = access.bootstrap(session, name="Ada Beheer", email="ada@example.nl", now=clock.now())
    return token


def populate(whole: Whole, first_token: str) -> None:
    """Sign the administrator in, let them make the others, and sign these in too."""
    signed_in = whole.ask("POST", f"{API}/sessions", body={"signInToken": first_token}).json()
    whole.tokens[ADMINISTRATOR], whole.people[ADMINISTRATOR] = signed_in["token"], signed_in["person"]["id"]
    for part, roles in {**PEOPLE, EVERYBODY: EVERY_ROLE}.items():
        given = {"name": f"Bo {part}", "email": f"{part}@example.nl", "roles": roles, "functions": [part]}
        whole.people[part] = whole.ok("POST", "/people", given, by=ADMINISTRATOR)["id"]
        answer = whole.ask("POST", f"{API}/sessions", body={"signInToken": whole.sign_in_token(part)})
        whole.tokens[part] = answer.json()["token"]
    prove_all(whole.database)
    actions = [action.value for action in Action if action not in PEOPLE_ONLY]
    token = {"name": "robot", "actions": actions, "everywhere": True}
    whole.tokens[MACHINE] = whole.ok("POST", "/machine-tokens", token, by=EVERYBODY)["token"]


@dataclass(frozen=True)
class Template:
    """A filled SQLite file to copy, and what the people in it hold."""

    file: Path
    tokens: dict[str, str]
    people: dict[str, str]

    def copy(self, folder: Path, **more: Any) -> Whole:
        """An application of its own on a copy in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.file, folder / "wissel.db")
        settings = settings_in(folder, **more)
        return Whole(create_app(settings), settings, dict(self.tokens), dict(self.people))


def make_template(folder: Path) -> Template:
    """Build the database once, by the migrations, with everybody in it."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = settings_in(folder)
    whole = Whole(create_app(settings), settings)
    populate(whole, fill(whole.database))
    with whole.database.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    whole.database.dispose()
    return Template(folder / "wissel.db", whole.tokens, whole.people)


class Cluster:
    """A PostgreSQL server that gives each test a database of its own."""

    def __init__(self, server: LabServer) -> None:
        self._server, self._made = server, 0

    def empty(self) -> str:
        """The URL of a new, empty database."""
        self._made += 1
        name = f"wissel_{self._made}"
        with psycopg.connect(self._server.dsn, autocommit=True) as link:
            link.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@127.0.0.1:{self._server.port}/{name}"

    def whole(self, folder: Path) -> Whole:
        """An application with its people on a new database."""
        settings = settings_in(folder, database_url=self.empty())
        made = Whole(create_app(settings), settings)
        populate(made, fill(made.database))
        return made


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running PostgreSQL; skipped, or a failure where CI=true, when its programs are not installed."""
    binaries = postgres_binaries()
    folder = Path(tempfile.mkdtemp(prefix="wissel-whole-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    server = LabServer(folder, "database", binaries)
    try:
        server.create()
        server.start()
        yield Cluster(server)
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)
