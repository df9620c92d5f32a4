"""Worker processes that a test starts, kills and starts again, beside a world whose people it plays itself."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import app.tables  # noqa: F401
from app.playbooks.rules import Mode
from app.runs import drivers
from tests.flow.runs_world import REGISTRY, World, build
from tests.reliability import slow

CHECKOUT = Path(__file__).resolve().parents[2]


def until(true: Callable[[], Any], what: str, seconds: float = 20.0) -> float:
    """Wait for a fact, looking often; how long it took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - begun


@dataclass
class WorkerProcess:
    """One worker in a process of its own."""

    folder: Path
    name: str
    environment: dict[str, str]
    sites: str = "*"
    lease_seconds: float = 15
    process: subprocess.Popen[bytes] | None = None
    begun: int = 0

    def start(self) -> "WorkerProcess":
        """Start it and wait until it works."""
        self.begun += 1
        sign = self.folder / f"{self.name}-{self.begun}"
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.reliability.worker_process", str(sign)],
                cwd=CHECKOUT,
                env=self.environment
                | {"WISSEL_SITES": self.sites, "WISSEL_LEASE_SECONDS": str(self.lease_seconds)}
                | {"WISSEL_DATA_DIR": str(self.folder / f"data-{self.name}")},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: sign.exists() or self.process.poll() is not None, f"{self.name} started")
        assert sign.exists(), (self.folder / f"{self.name}.log").read_text()
        return self

    def kill(self) -> None:
        """SIGKILL, as the machine's end would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Let it end as an operator does."""
        if self.process is None or self.process.poll() is not None:
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass
class Ground:
    """A world on a real database, the folder in which effects happen, and the workers."""

    world: World
    folder: Path
    environment: dict[str, str]
    workers: list[WorkerProcess] = field(default_factory=list)

    def worker(self, name: str = "worker", **more: Any) -> WorkerProcess:
        """A worker, not started."""
        made = WorkerProcess(self.folder, name, self.environment, **more)
        self.workers.append(made)
        return made

    def begun(self, text: dict[str, Any], **more: Any) -> str:
        """A live run of this playbook, approved and started; its id."""
        self.world.now = datetime.now(UTC)
        return self.world.started(self.world.drill(text, Mode.LIVE, **more))

    def command(self, name: str, run_id: str, *more: Any) -> None:
        self.world.now = datetime.now(UTC)
        self.world.command(name, run_id, *more)

    def state(self, run_id: str) -> str:
        return self.world.held(run_id).run.state.value

    def steps(self, run_id: str) -> dict[str, str]:
        return self.world.states(run_id)

    def go(self, name: str | None = None) -> None:
        """Let the bodies go on: all, or that of one step."""
        (self.folder / (slow.GO if name is None else f"{slow.GO}-{name}")).touch()

    def told(self, file: str) -> list[str]:
        return slow.lines(self.folder / file)

    def wait_called(self, times: int, seconds: float = 20.0) -> None:
        until(lambda: len(self.told(slow.CALLS)) >= times, f"{times} bodies begun", seconds)

    def wait_state(self, run_id: str, state: str, seconds: float = 20.0) -> float:
        try:
            return until(lambda: self.state(run_id) == state, f"the run is {state}", seconds)
        except AssertionError:
            raise AssertionError(f"{self.state(run_id)}, not {state}: {self.steps(run_id)}") from None

    def body_alive(self) -> bool:
        """Whether the last body still runs."""
        return Path(f"/proc/{self.told(slow.PIDS)[-1]}").exists()

    def end(self) -> None:
        self.go()
        for worker in self.workers:
            worker.end()
        self.world.database.dispose()
        drivers.use(REGISTRY)


def ground(folder: Path, url: str | None = None) -> Ground:
    """A fresh world; `url`: an empty PostgreSQL database, else SQLite."""
    world = build(folder)
    drivers.use({**REGISTRY, **slow.registry()})
    packages = slow.install(folder / "packages")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WISSEL_")}
    environment |= {
        "PYTHONPATH": f"{packages}{os.pathsep}{CHECKOUT}",
        "WISSEL_DATABASE_URL": url or f"sqlite:///{folder / 'test.db'}",
        "WISSEL_TICK_SECONDS": "1",
        "WISSEL_RUNNER_USER": "root",
    }
    return Ground(world, folder, environment)


def step(name: str, folder: Path, kind: str = "observable", **more: Any) -> dict[str, Any]:
    """A step of a slow driver."""
    given = {key: more.pop(key) for key in ("late", "site") if key in more}
    found: dict[str, Any] = {
        "id": name,
        "uses": f"slow.{kind}",
        "with": {"folder": str(folder), "name": name, **given},
        "timeout": 60,
        "irreversible": kind != "look",
    }
    return found | more


def playbook(name: str, *steps: dict[str, Any]) -> dict[str, Any]:
    """A live playbook of these steps that proves nothing."""
    return {"playbook": name, "title": {"nl": name, "en": name}, "modes": ["live"], "steps": list(steps)}
