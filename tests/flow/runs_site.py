"""The whole application over the small world of runs, with visitors who use its pages as a browser does."""

import asyncio
import re
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from app.access import service as access
from app.access.rules import SYSTEM, Role
from app.core import clock
from app.core.settings import Settings
from app.main import create_app
from tests.flow.proof import prove_all
from tests.flow.runs_world import REGISTRY, SWITCH, World, build

HOME = "http://wissel.test"
ROLES = {
    "operator": [Role.OPERATOR],
    "approver": [Role.APPROVER],
    "owner": [Role.APPROVER, Role.PLAN_OWNER],
    "author": [Role.PLAN_OWNER, Role.APPROVER],
}
TITLES = {
    "lag": ("De nieuwe kant loopt bij", "The new side keeps up", 20),
    "go": ("Besluit om te wisselen", "Decision to switch", 120),
    "fence": ("De oude database stoppen", "Stop the old database", 30),
    "fenced": ("Bewijs dat de oude kant stil staat", "Proof that the old side is stopped", 15),
    "promote": ("De nieuwe kant de leiding geven", "Promote the new side", 45),
    "serve": ("De dienst werkt vanaf de nieuwe kant", "The service works from the new side", 60),
    "owner": ("Proef door de proceseigenaar", "Trial by the process owner", 600),
}


def told_switch() -> dict[str, Any]:
    """The switch of the small world, with titles, estimates and goals, as a playbook that ships has them."""
    text = deepcopy(SWITCH)
    text["playbook"] = "told-switch"
    text["title"] = {"nl": "Omschakelen Burgerzaken naar fallback", "en": "Switch Civil Affairs to fallback"}
    text["goals"] = {"rto": "PT15M", "rpo": "PT0S"}
    for step in text["steps"]:
        nl, en, estimate = TITLES[step["id"]]
        step["title"], step["estimate"] = {"nl": nl, "en": en}, estimate
    text["steps"][-1]["evidence"] = "required"
    return text


def make_world(folder: Path, *, minutes_ago: float = 12) -> tuple[World, FastAPI]:
    """The small world at about the present moment, and the application over it."""
    world = build(folder)
    world.now = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    with world.database.transaction() as session:
        for name, roles in ROLES.items():
            access.find_person(session, name).roles = [role.value for role in roles]
    site = create_app(Settings(data_dir=folder), database=world.database, runners=REGISTRY)
    return world, site


def link_of(site: FastAPI, key: str) -> str:
    """A one-time token of a person of the small world."""
    with site.state.database.transaction() as session:
        return access.make_link(session, access.find_person(session, key), actor=SYSTEM, now=clock.now())[0]


class Browser:
    """A browser without JavaScript: keeps cookies, sends forms with the token of the page that it read last."""

    def __init__(self, site: FastAPI, person: str = "", language: str = "en") -> None:
        self.site, self.csrf = site, ""
        self.cookies = httpx.Cookies({"wissel_language": language})
        if person:
            answer = self.post("/sign-in", token=link_of(site, person), next="/runs")
            assert answer.status_code == 303, answer.text
            prove_all(site.state.database)

    async def _ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.site)
        async with httpx.AsyncClient(transport=transport, base_url=HOME, cookies=self.cookies) as client:
            answer = await client.request(method, path, **sent)
            self.cookies = client.cookies
        return answer

    def get(self, path: str) -> httpx.Response:
        answer = asyncio.run(self._ask("GET", path))
        if found := re.search(r'name="csrf" value="([^"]*)"', answer.text):
            self.csrf = found[1]
        return answer

    def post(self, path: str, *, files: Any = None, forged: bool = False, **fields: Any) -> httpx.Response:
        data = fields if forged else {"csrf": self.csrf, **fields}
        return asyncio.run(self._ask("POST", path, data=data, files=files, headers={"Origin": HOME}))
