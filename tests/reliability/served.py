"""A served Wissel over a small world, and clients that write to it and keep what they were told."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from app.access import service as access
from app.access.rules import SYSTEM, Role
from tests.flow.proof import prove_all
from tests.lab.pair import free_port
from tests.reliability.processes import CHECKOUT, Ground, until


@dataclass
class Served:
    """The process and its address; a bearer token for each person of the world."""

    ground: Ground
    environment: dict[str, str]
    port: int = 0
    tokens: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Served":
        """Start it, and sign people in."""
        self.port = self.port or free_port()
        with (self.ground.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.reliability.serve_process", str(self.port)],
                cwd=CHECKOUT,
                env=self.ground.environment | {"WISSEL_SITES": "*"} | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, "it serves", 60)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            return httpx.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        return (self.ground.folder / "serve.log").read_text()

    def sign_in(self, *names: str) -> None:
        """A session for people of the world, by a link as they would be given one."""
        database = self.ground.world.database
        for name in names:
            with database.transaction() as session:
                person = access.find_person(session, name)
                person.roles = [Role.OPERATOR, Role.PLAN_OWNER, Role.ADMINISTRATOR]
                session.add(person)
                link, _ = access.make_link(session, person, actor=SYSTEM, now=datetime.now(UTC))
            answer = httpx.post(f"{self.url}/api/v1/sessions", json={"signInToken": link}, timeout=30)
            self.tokens[name] = answer.json()["token"]
        prove_all(database)

    def ask(self, method: str, path: str, body: Any = None, *, by: str = "operator", **more: Any) -> httpx.Response:
        """One request to the API."""
        headers = {"Authorization": f"Bearer {self.tokens[by]}"} | more.pop("headers", {})
        return httpx.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=90, **more)

    def end(self) -> None:
        """Stop it, with what it started."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait()


class Load:
    """Clients that add suppliers, one after another, each under a key, and say again what was not acknowledged."""

    def __init__(self, served: Served, clients: int = 3) -> None:
        self.served = served
        self.acknowledged: dict[str, str] = {}
        """Reference by the name that was added."""
        self.codes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Until so many further rows were acknowledged."""
        wanted = len(self.acknowledged) + more
        until(lambda: len(self.acknowledged) >= wanted, f"{more} rows more: {self.codes} {self.wrong[:2]}", seconds)

    def _write(self, client: int) -> None:
        number = 0
        while not self._stop.is_set():
            name = f"Leverancier {client}-{number}"
            if self._added(name) or self._stop.is_set():
                number += 1
            else:
                time.sleep(0.05)

    def _added(self, name: str) -> bool:
        try:
            answer = self.served.ask("POST", "/suppliers", {"name": name}, headers={"Idempotency-Key": name})
        except httpx.TransportError as error:
            self.wrong.append(f"no answer: {error!r}")
            return False
        code = "" if answer.is_success else answer.json().get("code", "?")
        self.codes[f"{answer.status_code} {code}".strip()] += 1
        if answer.status_code == 201:
            self.acknowledged[name] = answer.json()["ref"]
            return True
        refused = answer.status_code == 503 and "Retry-After" in answer.headers
        if not refused and not (answer.status_code == 507 and code == "no-space"):
            self.wrong.append(f"{answer.status_code} {answer.text[:300]}")
        return False

    def found(self) -> dict[str, list[str]]:
        """The references by name, as the API lists them now."""
        found: dict[str, list[str]] = {}
        page = 1
        while True:
            answer = self.served.ask("GET", "/suppliers", params={"pageSize": 100, "page": page}).json()
            for item in answer["items"]:
                found.setdefault(item["name"], []).append(item["ref"])
            if page * 100 >= answer["total"]:
                return found
            page += 1

    def lost_and_twice(self) -> tuple[list[str], list[str]]:
        """What was acknowledged and is not there, and what is there more than once."""
        found = self.found()
        lost = [name for name, ref in self.acknowledged.items() if ref not in found.get(name, [])]
        return lost, [name for name, refs in found.items() if len(refs) > 1]


def data(folder: Path) -> dict[str, str]:
    """The environment that names this data folder."""
    return {"WISSEL_DATA_DIR": str(folder)}
