"""Worker processes that a test starts, kills and starts again, beside a world whose people it plays itself."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import select

import app.tables  # noqa: F401
from app.playbooks.rules import Mode
from app.runs import drivers
from app.runs.models import Run, RunEvent
from runners.contract import Effect, Repeat
from tests.flow.runs_world import REGISTRY, World, build
from tests.reliability import history, slow, targets
from tests.reliability.history import Event, Facts, Kind
from tests.reliability.warm_start import WarmProcess

CHECKOUT = Path(__file__).resolve().parents[2]


def until(true: Callable[[], Any], what: str, seconds: float = 20.0, every: float = 0.01) -> float:
    """Wait for a fact, looking often; how long it took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(every)
    return time.monotonic() - begun


@dataclass
class WorkerProcess:
    """One worker in a process of its own."""

    folder: Path
    name: str
    environment: dict[str, str]
    sites: str = "*"
    lease_seconds: float = 15
    process: subprocess.Popen[bytes] | WarmProcess | None = None
    begun: int = 0
    warm: bool = False
    """Started from a process that has loaded Wissel already: for tests that do not measure how long a start takes."""
    crash: dict[str, str] = field(default_factory=dict)
    """Where and how the next life crashes; see `crash_points`."""

    def start(self) -> "WorkerProcess":
        """Start it and wait until it works."""
        sign = self.launch()
        until(lambda: sign.exists() or not self.alive, f"{self.name} started", 60)
        assert sign.exists(), (self.folder / f"{self.name}.log").read_text()
        return self

    @property
    def alive(self) -> bool:
        """Whether its process is there, at work or stopped."""
        return self.process is not None and self.process.poll() is None

    def launch(self) -> Path:
        """Start it; the file that will be there once it works."""
        self.begun += 1
        sign = self.folder / f"{self.name}-{self.begun}"
        log = self.folder / f"{self.name}.log"
        environment = self.environment | self.crash
        environment |= {"WISSEL_SITES": self.sites, "WISSEL_LEASE_SECONDS": str(self.lease_seconds)}
        environment |= {"WISSEL_DATA_DIR": str(self.folder / f"data-{self.name}")}
        start = WarmProcess if self.warm else _cold
        self.process = start(sign, environment, log, CHECKOUT)
        return sign

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


def outer() -> dict[str, str]:
    """What a process of ours gets of the environment: nothing of Wissel's own, and leave to keep its bytecode.

    An installed Wissel has its bytecode; without, a start compiles all of it, and would be measured with that.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WISSEL_") and name != "PYTHONDONTWRITEBYTECODE"
    }


def _cold(sign: Path, environment: dict[str, str], log: Path, folder: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.worker_process", str(sign)],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


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

    def due_later(self, text: dict[str, Any]) -> str:
        """A live run that is approved before its moment, so that the clock starts it; its id."""
        self.world.now = datetime.now(UTC)
        run_id = self.world.planned(self.world.drill(text, Mode.LIVE))
        with self.world.database.transaction() as session:
            run = session.get_one(Run, run_id)
            run.planned_at = datetime.now(UTC) + timedelta(seconds=3)
            session.add(run)
        self.world.approve(run_id)
        return run_id

    def command(self, name: str, run_id: str, *more: Any) -> None:
        self.world.now = datetime.now(UTC)
        self.world.command(name, run_id, *more)

    def state(self, run_id: str) -> str:
        with self.world.database.transaction(write=False) as session:
            return session.get_one(Run, run_id).state.value

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
        """Whether the last body still runs; one that ended and that nobody has buried yet does not."""
        try:
            return ") Z " not in Path(f"/proc/{self.told(slow.PIDS)[-1]}/stat").read_text()
        except OSError:
            return False

    def history(self, run_id: str) -> list[history.Entry]:
        """What the targets and the people saw of a run."""
        return history.read(history.file_of(self.folder, run_id))

    def acknowledged(self, run_id: str, command: str, step: str = "") -> None:
        """Note that a command was answered with yes."""
        with history.at_target(self.folder, run_id) as target:
            target.add(Kind.ACKNOWLEDGED, command, step=step)

    def facts(self, run_id: str) -> Facts:
        """What the database says of a run, for the judge of its history."""
        held = self.world.held(run_id)
        with self.world.database.transaction(write=False) as session:
            rows = session.exec(select(RunEvent).where(RunEvent.run_id == run_id).order_by("id")).all()
        return Facts(
            state=held.run.state.value,
            steps={row.step_id: row.state.value for row in held.steps.values()},
            needs={each.id: each.needs for each in held.playbook.steps},
            changing=frozenset(row.step_id for row in held.steps.values() if row.effect is Effect.CHANGES),
            blind=frozenset(row.step_id for row in held.steps.values() if row.driver.get("repeat") == Repeat.NEVER),
            events=[Event(row.at.timestamp(), row.kind, row.step_id) for row in rows],
        )

    def complaints(self, run_id: str) -> list[str]:
        """What is wrong with the history of a run."""
        return history.judge(self.history(run_id), self.facts(run_id))

    def end(self) -> None:
        self.go()
        for worker in self.workers:
            worker.end()
        self.world.database.dispose()
        drivers.use(REGISTRY)


def ground(folder: Path, url: str | None = None) -> Ground:
    """A fresh world; `url`: an empty PostgreSQL database, else SQLite."""
    world = build(folder)
    kinds = (*slow.KINDS, *targets.KINDS)
    drivers.use({**REGISTRY, **{kind.name: kind() for kind in kinds}})
    packages = slow.install(folder / "packages", kinds)
    environment = outer() | {
        "PYTHONPATH": f"{packages}{os.pathsep}{CHECKOUT}",
        "WISSEL_DATABASE_URL": url or f"sqlite:///{folder / 'test.db'}",
        "WISSEL_TICK_SECONDS": "1",
        "WISSEL_RUNNER_USER": "root",
        "WISSEL_RESERVE_MIB": "1",
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


def target(name: str, folder: Path, kind: str, *needs: str, undone: bool = False, **more: Any) -> dict[str, Any]:
    """A step of a driver whose target keeps the history; `undone`: it can be taken back."""
    given = {key: more.pop(key) for key in ("before", "after", "works", "back", "evidence") if key in more}
    found = {
        "id": name,
        "uses": f"target.{kind}",
        "with": {"folder": str(folder), "name": name, **given},
        "timeout": 60,
        "needs": list(needs),
    }
    undo = {"uses": found["uses"], "with": found["with"], "timeout": 60}
    return found | ({"undo": undo} if undone else {"irreversible": kind != "look"}) | more


def playbook(name: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A live playbook of these steps that proves nothing."""
    return {"playbook": name, "title": {"nl": name, "en": name}, "modes": ["live"], "steps": list(steps)} | more
