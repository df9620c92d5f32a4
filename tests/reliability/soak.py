"""A soak: a served Wissel under API load, with pages and streams open and a drill triggered each second.

`python -m tests.reliability.soak 3600` runs it for an hour and prints the figures; the test beside it runs it shortly.
"""

import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlmodel import col, func, select

from app.access import service as access
from app.access.rules import SYSTEM
from app.playbooks.rules import Mode
from app.runs.models import Run
from tests.reliability import figures
from tests.reliability.processes import ground, step, until
from tests.reliability.served import Served, data

DRILLS = 5
VIEWERS = 4
PAGES = ("/", "/runs", "/plans", "/drills", "/services", "/findings", "/coverage", "/suppliers", "/playbooks")
READS = ("/runs?pageSize=50", "/plans", "/drills", "/services", "/findings", "/drill-moments", "/suppliers?pageSize=50")
STUCK_AFTER = 90.0
"""Seconds that the last runs get to end by themselves."""


@dataclass
class Found:
    """What was measured; megabytes by the second of the soak, seconds per request."""

    seconds: float
    serve: list[tuple[float, float]] = field(default_factory=list)
    """Resident memory of the service itself."""
    tree: list[tuple[float, float]] = field(default_factory=list)
    """The same with its runner hosts."""
    api: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    events: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    stuck: int = 0

    @property
    def settled(self) -> float:
        """The second from which on memory may not grow: ten minutes of an hour, one of five."""
        return min(600.0, self.seconds / 5)

    def growth(self, samples: list[tuple[float, float]]) -> float:
        """Per cent from the first fifth after it settled to the last fifth of the soak."""
        after = [size for at, size in samples if at >= self.settled]
        part = max(1, len(after) // 5)
        first, last = statistics.median(after[:part]), statistics.median(after[-part:])
        return (last - first) / first * 100

    def tell(self) -> None:
        """Print and keep the figures."""
        api, pages = p99(self.api) * 1000, p99(self.pages) * 1000
        figures.told(
            f"soak of {self.seconds:.0f} s: memory after {self.settled:.0f} s",
            f"service {self.growth(self.serve):+.1f} % to {self.serve[-1][1]:.0f} MB, with its runner hosts "
            f"{self.growth(self.tree):+.1f} % (wanted: < 10 %)",
        )
        wrong = f"{sum(self.wrong.values())} wrong {dict(self.wrong.most_common(3)) or ''}"
        figures.told(
            f"soak of {self.seconds:.0f} s: answers",
            f"{len(self.api)} of the API, p99 {api:.0f} ms (wanted: < 500); {len(self.pages)} pages, "
            f"p99 {pages:.0f} ms; {self.events} events streamed; {wrong}",
        )
        figures.told(f"soak of {self.seconds:.0f} s: runs", f"{self.runs} triggered, {self.stuck} stuck (wanted: 0)")


def p99(values: list[float]) -> float:
    """The hundredth part is slower than this."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


class Soak:
    """The clients of one served Wissel, until the time is up."""

    def __init__(self, served: Served, drills: list[str], seconds: float) -> None:
        self._served, self._drills = served, drills
        self.found = Found(seconds)
        self._over, self._begun, self._newest = threading.Event(), time.monotonic(), ""
        self._cookies = _signed_in(served)

    def run(self) -> Found:
        """All of it; ends when the last run has ended, or is stuck."""
        beats: list[tuple[Callable[[httpx.Client, int], None], float]] = [
            (self._trigger, 1.0),
            (self._read, 0.05),
            (self._read, 0.05),
            (self._write, 0.1),
            (self._page, 0.25),
            (self._sample, 1.0),
        ]
        threads = [threading.Thread(target=self._repeat, args=beat) for beat in beats]
        threads += [threading.Thread(target=self._watch) for _ in range(VIEWERS)]
        for thread in threads:
            thread.start()
        time.sleep(self.found.seconds)
        self._over.set()
        for thread in threads:
            thread.join(30)
        self._end()
        return self.found

    def _repeat(self, beat: Callable[[httpx.Client, int], None], every: float) -> None:
        headers = {"Authorization": f"Bearer {self._served.tokens['operator']}"}
        number = 0
        with httpx.Client(base_url=f"{self._served.url}/api/v1", headers=headers, timeout=30) as client:
            due = time.monotonic()
            while not self._over.wait(max(0.0, due - time.monotonic())):
                number += 1
                due = max(due + every, time.monotonic() - every)
                try:
                    beat(client, number)
                except httpx.TransportError as error:
                    self.found.wrong[type(error).__name__] += 1

    def _ask(self, client: httpx.Client, method: str, path: str, body: Any = None) -> httpx.Response:
        begun = time.perf_counter()
        answer = client.request(method, path, json=body)
        self.found.api.append(time.perf_counter() - begun)
        if not answer.is_success:
            self.found.wrong[f"{method} {path.partition('?')[0]} {answer.status_code}"] += 1
        return answer

    def _trigger(self, client: httpx.Client, number: int) -> None:
        answer = self._ask(client, "POST", f"/drills/{self._drills[number % len(self._drills)]}/runs")
        if answer.is_success:
            self._newest = answer.json()["ref"]

    def _read(self, client: httpx.Client, number: int) -> None:
        paths = (*READS, *((f"/runs/{self._newest}", f"/runs/{self._newest}/events") if self._newest else ()))
        self._ask(client, "GET", paths[number % len(paths)])

    def _write(self, client: httpx.Client, number: int) -> None:
        self._ask(client, "POST", "/suppliers", {"name": f"Leverancier {number}"})

    def _page(self, client: httpx.Client, number: int) -> None:
        paths = (*PAGES, *((f"/runs/{self._newest}",) if self._newest else ()))
        begun = time.perf_counter()
        path = paths[number % len(paths)]
        answer = httpx.get(f"{self._served.url}{path}", cookies=self._cookies, timeout=30)
        self.found.pages.append(time.perf_counter() - begun)
        if answer.status_code != 200:
            self.found.wrong[f"page {path} {answer.status_code}"] += 1

    def _sample(self, client: httpx.Client, number: int) -> None:
        assert self._served.process is not None
        own, tree = resident(self._served.process.pid)
        at = time.monotonic() - self._begun
        self.found.serve.append((at, own))
        self.found.tree.append((at, tree))

    def _watch(self) -> None:
        """Look at one run after the other, each for some seconds, as an open page does."""
        while not self._over.wait(0.5):
            if not self._newest:
                continue
            until_then, url = time.monotonic() + random.uniform(3, 12), f"{self._served.url}/runs/{self._newest}/stream"
            try:
                with httpx.stream("GET", url, cookies=self._cookies, timeout=httpx.Timeout(5, read=2)) as answer:
                    for _ in answer.iter_lines():
                        self.found.events += 1
                        if time.monotonic() > until_then or self._over.is_set():
                            break
            except httpx.TimeoutException:
                continue  # nothing happened in that run for a while
            except httpx.TransportError as error:
                self.found.wrong[f"stream {type(error).__name__}"] += 1

    def _end(self) -> None:
        try:
            until(lambda: not self._unfinished(), "the last runs ended", STUCK_AFTER)
        except AssertionError:
            self.found.stuck = self._unfinished()
        with self._served.ground.world.database.transaction(write=False) as session:
            self.found.runs = session.exec(select(func.count()).select_from(Run)).one()

    def _unfinished(self) -> int:
        time.sleep(0.5)
        with self._served.ground.world.database.transaction(write=False) as session:
            return session.exec(select(func.count()).select_from(Run).where(col(Run.ended).is_(None))).one()


def _signed_in(served: Served) -> dict[str, str]:
    """The cookie of a browser in which the operator signed in."""
    database = served.ground.world.database
    with database.transaction() as session:
        person = access.find_person(session, "operator")
        link, _ = access.make_link(session, person, actor=SYSTEM, now=datetime.now(UTC))
    answer = httpx.post(f"{served.url}/sign-in", data={"token": link}, headers={"Origin": served.url}, timeout=30)
    assert answer.status_code == 303, answer.text
    return dict(answer.cookies)


def resident(pid: int) -> tuple[float, float]:
    """Resident megabytes of a process, and of it with everything below it."""
    own = _megabytes(pid)
    return own, own + sum(resident(child)[1] for child in _children(pid))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(each) for each in task.read_text().split()]
        except OSError:
            continue  # the thread ended just now
    return found


def _megabytes(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    except (OSError, IndexError):
        return 0.0


def look(name: str, folder: Path, *, waits: bool) -> dict[str, Any]:
    """A rehearsal of checks that nothing holds up; with a pause in it where `waits`."""
    steps = [step("one", folder, "look", timeout=30), step("two", folder, "look", timeout=30, needs=["one"])]
    pause = {"id": "pause", "wait": "PT5S", "needs": ["one"]}
    return {
        "playbook": name,
        "title": {"nl": name, "en": name},
        "modes": ["rehearsal"],
        "steps": [*steps, pause] if waits else steps,
    }


def soak(seconds: float, folder: Path) -> Found:
    """A fresh service in `folder`, soaked for so long."""
    made = ground(folder)
    made.go()  # no body waits for anybody
    drills = [made.world.drill(look(f"soak-{n}", folder, waits=n % DRILLS == 0), Mode.REHEARSAL) for n in range(DRILLS)]
    served = Served(made, data(folder / "data"))
    try:
        served.start().sign_in("operator")
        return Soak(served, drills, seconds).run()
    finally:
        served.end()
        made.end()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="wissel-soak-") as place:
        found = soak(float(sys.argv[1]) if len(sys.argv) > 1 else 3600.0, Path(place))
    found.tell()
    good = found.growth(found.serve) < 10 and p99(found.api) < 0.5 and found.stuck == 0 and not found.wrong
    raise SystemExit(0 if good else 1)
