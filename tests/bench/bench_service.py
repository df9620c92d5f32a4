"""The service itself: how soon it answers after its start, and what it keeps in memory after two hundred pages."""

import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from app.access import service as access
from app.access.rules import SYSTEM
from app.core.db import Database
from tests.flow.whole import make_template
from tests.lab.pair import free_port
from tests.reliability import figures
from tests.reliability.processes import CHECKOUT, outer
from tests.reliability.soak import PAGES, resident

VIEWS = 200
STARTS = 3


class Serve:
    """`wissel serve` on a filled data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Serve":
        environment = outer() | {"WISSEL_DATA_DIR": str(self.folder), "WISSEL_PORT": str(self.port)}
        environment |= {"PYTHONPATH": str(CHECKOUT)}
        client = httpx.Client(timeout=5)  # one: to make it anew for each look costs as much as a part of the start
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.instance_process"], cwd=CHECKOUT, env=environment
        )
        while not self._answers(client):
            assert self.process.poll() is None, "it ended at its start"
            assert time.perf_counter() - begun < 120, "it did not answer within two minutes"
            time.sleep(0.01)
        self.started = time.perf_counter() - begun
        client.close()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def _answers(self, client: httpx.Client) -> bool:
        try:
            return client.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def cookies(self) -> dict[str, str]:
        """Of a browser in which the administrator signed in."""
        database = Database(f"sqlite:///{self.folder / 'wissel.db'}")
        with database.transaction() as session:
            person = access.find_person(session, "ada@example.nl")
            link, _ = access.make_link(session, person, actor=SYSTEM, now=datetime.now(UTC))
        database.dispose()
        answer = httpx.post(f"{self.url}/sign-in", data={"token": link}, headers={"Origin": self.url}, timeout=30)
        assert answer.status_code == 303, answer.text
        return dict(answer.cookies)


def bare_start() -> float:
    """Seconds of a Python that imports what we stand on, and nothing of ours."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import fastapi, sqlmodel, dbos, uvicorn"], check=True)
    return time.perf_counter() - begun


def test_start_and_memory_of_the_service(tmp_path):
    make_template(tmp_path / "template").copy(tmp_path / "data")
    started, bare, memory = [], [], []
    for _ in range(STARTS):
        bare.append(bare_start())
        with Serve(tmp_path / "data") as serve:
            started.append(serve.started)
    with Serve(tmp_path / "data") as serve, httpx.Client(cookies=serve.cookies(), timeout=30) as client:
        memory.append(resident(serve.process.pid)[0])
        for number in range(VIEWS):
            assert client.get(f"{serve.url}{PAGES[number % len(PAGES)]}").status_code == 200
        memory.append(resident(serve.process.pid)[0])
    begun, without = statistics.median(started), statistics.median(bare)
    figures.told(
        "start of wissel serve to its first answer",
        f"{begun:.2f} s, against {without:.2f} s for importing its libraries alone, ratio {begun / without:.2f} "
        "(wanted: < 2 s)",
    )
    figures.told(
        f"resident memory of wissel serve, at its start and after {VIEWS} pages",
        f"{memory[0]:.0f} MB, {memory[1]:.0f} MB (wanted: < 150)",
    )
