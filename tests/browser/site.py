"""The pages on a database of their own, for tests that look at them as a browser does."""

import asyncio
import re
from pathlib import Path

import httpx
from fastapi import FastAPI
from sqlmodel import SQLModel

import app.access.api
import app.access.pages
import app.catalog.api
import app.catalog.pages
import app.findings.api
import app.findings.pages
import app.plans.pages
import app.playbooks.pages
import app.reports.pages
import app.tables
from app.access import service as access
from app.access.identity import Identity
from app.access.models import Person, PersonIn
from app.access.rules import SYSTEM, Role
from app.core import clock, web
from app.core.browser import Browser
from app.core.db import Database
from app.core.limits import Budget, Limits
from app.core.problems import Handlers
from app.core.settings import Settings
from runners import registry
from tests.flow.proof import prove_all

HOME = "http://wissel.test"


def make_site(folder: Path) -> FastAPI:
    """The pages, without drills and runs, over an empty database in `folder`."""
    settings = Settings(data_dir=folder, organisation="Gemeente Voorbeeld")
    made = FastAPI(title="Wissel", version="0.1.0", docs_url=None, redoc_url=None, openapi_url=None)
    made.state.settings = settings
    made.state.database = Database(f"sqlite:///{folder / 'pages.db'}")
    made.state.registry = registry.load()
    made.state.limits = Limits(address=Budget(1000, 60))
    SQLModel.metadata.create_all(made.state.database.engine)
    for domain in (app.access, app.catalog, app.findings, app.playbooks, app.plans, app.reports):
        made.include_router(domain.pages.router)
    for api in (app.access.api, app.catalog.api, app.findings.api):
        made.include_router(api.router)
    made.include_router(web.router)
    made.mount("/static", web.Files(directory=web.STATIC), name="static")
    Handlers(made, web.problem_page).install()
    made.add_middleware(Browser)
    made.add_middleware(Identity, database=made.state.database, settings=settings)
    return made


def sign_in_token(site: FastAPI, email: str, *roles: Role) -> str:
    """A one-time token of a person, who is made where there is none with this address."""
    with site.state.database.transaction() as session:
        try:
            person: Person = access.find_person(session, email)
        except Exception:
            given = PersonIn(name=email.split("@")[0].replace(".", " ").title(), email=email, roles=list(roles))
            person = access.add_person(session, given, actor=SYSTEM, now=clock.now())
        return access.make_link(session, person, actor=SYSTEM, now=clock.now())[0]


class Visitor:
    """A browser without JavaScript: keeps cookies, sends forms with the token of the page that it read last."""

    def __init__(self, site: FastAPI, language: str = "nl") -> None:
        self.site, self.csrf = site, ""
        self.cookies = httpx.Cookies({"wissel_language": language})

    async def ask(self, method: str, path: str, **sent) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.site)
        async with httpx.AsyncClient(transport=transport, base_url=HOME, cookies=self.cookies) as client:
            answer = await client.request(method, path, **sent)
            self.cookies = client.cookies
        return answer

    def get(self, path: str) -> httpx.Response:
        answer = asyncio.run(self.ask("GET", path))
        if found := re.search(r'name="csrf" value="([^"]*)"', answer.text):
            self.csrf = found[1]
        return answer

    def post(self, path: str, *, forged: bool = False, **fields) -> httpx.Response:
        data = fields if forged else {"csrf": self.csrf, **fields}
        return asyncio.run(self.ask("POST", path, data=data, headers={"Origin": HOME}))

    def sign_in(self, email: str, *roles: Role) -> "Visitor":
        answer = self.post("/sign-in", token=sign_in_token(self.site, email, *roles), next="/services")
        assert answer.status_code == 303, answer.text
        prove_all(self.site.state.database)
        return self
