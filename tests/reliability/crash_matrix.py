"""The cases of the crash suite: runs that pass every crash point, and the care for a worker that crashes in them."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import select

from app.core import clock
from app.runs.leases import WorkerLease
from app.runs.models import EnvironmentLock, Run, StepRun
from app.runs.rules import ACTIVE, ENDS, RunState, StepState
from tests.reliability import crash_points
from tests.reliability.crash_points import Crash, How
from tests.reliability.processes import Ground, WorkerProcess, playbook, target, until
from tests.reliability.slow import lines

WAITS_FOR_A_PERSON = frozenset(
    {RunState.INTERRUPTED, RunState.PAUSED_BY_FAILED_STEP, RunState.PAUSED_BY_GUARD, RunState.WAITING}
    | {RunState.UNDO_FAILED, RunState.ABORTING, RunState.PAUSED_BY_OPERATOR}
)
LEASE = 3.0
SETTLED = 1.5
"""Seconds; the sweep comes each second."""
LONGEST = 90.0
"""Seconds until a run must have come to rest, on a machine that does much else."""
Steps = list[dict[str, Any]]


@dataclass(frozen=True)
class Scenario:
    """A run, what happens around it, and crashes that come before the one that is tried."""

    name: str
    steps: Callable[[Path], Steps]
    before: tuple[Crash, ...] = ()
    during: Callable[[Ground, str, WorkerProcess], None] | None = None
    """What is done to it from outside, once its first body is at work."""
    first: str = "effect: before"
    """The point at which that is."""
    late: bool = False
    """Its moment comes only after it was approved, so that the clock starts it."""
    locked: bool = False
    guard: dict[str, Any] | None = None
    works: bool = True
    """What the guard sees."""
    sites: str = "*"

    def begun(self, real: Ground) -> str:
        """The run, approved and due; its id."""
        watched = {"folder": str(real.folder), "name": "watch", "works": self.works}
        more: dict[str, Any] = {"guards": [self.guard | {"with": watched}]} if self.guard else {}
        inputs: dict[str, Any] = {}
        if self.locked:
            more |= {"inputs": {"pair": {"type": "environment-pair"}}, "locks": ["pair"]}
            inputs = {"pair_id": "pair", "inputs": {"pair": "pair"}}
        text = playbook(f"test-{self.name}", *self.steps(real.folder), **more)
        return real.due_later(text) if self.late else real.begun(text, **inputs)


def _every_kind(folder: Path) -> Steps:
    """Keyed, observable with evidence, and a look, with a decision of the clock between them."""
    decide = {
        "id": "go",
        "decide": {"nl": "Doorgaan?", "en": "Go on?"},
        "options": {"go": "continue", "no-go": "stop"},
        "on_timeout": "go",
        "role": "crisis-manager",
        "timeout": 1,
        "needs": ["seen"],
    }
    return [
        target("keyed", folder, "keyed", after=0.2),
        target("seen", folder, "seen", "keyed", evidence=True, before=0.1),
        decide,
        target("last", folder, "look", "go"),
    ]


def _never(folder: Path) -> Steps:
    return [target("never", folder, "never", before=0.1), target("after", folder, "keyed", "never")]


def _taken_back(folder: Path, **last: Any) -> Steps:
    """Two changes, and a failure by which both are taken back."""
    return [
        target("keyed", folder, "keyed", undone=True, **last),
        target("seen", folder, "seen", "keyed", undone=True),
        target("fails", folder, "seen", "seen", works=False, on_failure="undo"),
    ]


def _fails(folder: Path) -> Steps:
    return [target("fails", folder, "look", works=False, on_failure="stop")]


def _asks(folder: Path) -> Steps:
    ask = {"id": "ask", "ask": {"nl": "Goed?", "en": "Well?"}, "role": "operator", "timeout": 1, "needs": ["keyed"]}
    return [target("keyed", folder, "keyed"), ask]


def _decides(choice: str) -> Callable[[Path], Steps]:
    def steps(folder: Path) -> Steps:
        decide = _every_kind(folder)[2] | {"options": {"go": choice, "no-go": "continue"}, "needs": ["keyed"]}
        return [target("keyed", folder, "keyed", undone=True), decide, target("last", folder, "look", "go")]

    return steps


def _long(folder: Path) -> Steps:
    return [target("seen", folder, "seen", before=2, undone=True), target("last", folder, "keyed", "seen")]


def _watched(folder: Path) -> Steps:
    return [target("keyed", folder, "keyed", undone=True), target("last", folder, "look", "keyed", before=4)]


def _elsewhere(folder: Path) -> Steps:
    far = target("far", folder, "seen", "keyed")
    return [target("keyed", folder, "keyed", after=1), far | {"with": far["with"] | {"site": "far"}}]


def _abort(real: Ground, run_id: str, _worker: WorkerProcess) -> None:
    real.command("abort", run_id)
    real.acknowledged(run_id, "abort")


def _bury(real: Ground, _run_id: str, _worker: WorkerProcess) -> None:
    """As another worker does that found the lease run out."""
    with real.world.database.transaction() as session:
        for lease in session.exec(select(WorkerLease)):
            lease.ended_at = clock.now()
            session.add(lease)


def _lose_lock(real: Ground, _run_id: str, _worker: WorkerProcess) -> None:
    with real.world.database.transaction() as session:
        for lock in session.exec(select(EnvironmentLock)):
            lock.token += 1
            session.add(lock)


def _pass_latest_end(real: Ground, run_id: str, _worker: WorkerProcess) -> None:
    with real.world.database.transaction() as session:
        run = session.get_one(Run, run_id)
        run.latest_end_at = clock.now()
        session.add(run)


def _wait_in_vain(real: Ground, run_id: str, _worker: WorkerProcess) -> None:
    until(lambda: real.steps(run_id)["far"] == "ready", "the far step is ready", LONGEST)
    with real.world.database.transaction() as session:
        row = session.exec(select(StepRun).where(StepRun.run_id == run_id, StepRun.step_id == "far")).one()
        row.ready_at = clock.now() - timedelta(minutes=5)
        session.add(row)


def _end_worker(_real: Ground, _run_id: str, worker: WorkerProcess) -> None:
    assert worker.process is not None
    assert worker.process.stdin is not None
    worker.process.stdin.close()


WATCHED = {"id": "watch", "uses": "target.look", "every": 1, "from": "keyed", "until": "last"}
CALM = WATCHED | {"tolerate": 30, "on_breach": "pause"}
FORWARD = Scenario("forward", _every_kind, guard=CALM)
NEVER = Scenario("never", _never)
UNDO = Scenario("undo", _taken_back)
FAILED_UNDO = Scenario("failed-undo", lambda folder: _taken_back(folder, back=False))
FAILED = Scenario("failed", _fails)
ASKED = Scenario("asked", _asks)
DECIDED_UNDO, DECIDED_STOP = Scenario("decided-undo", _decides("undo")), Scenario("decided-stop", _decides("stop"))
ABORTED = Scenario("aborted", _long, during=_abort, first="host called: after")
TAKEN_OVER = Scenario("taken-over", _every_kind, before=(Crash("effect: after", How.KILL, 2),))
NEVER_BEGUN = Scenario("never-begun", _every_kind, before=(Crash("dispatch: after", How.KILL),))
TROUBLED = Scenario("troubled", lambda folder: [target("fails", folder, "seen", works=False)])
DIED_IDLE = Scenario("died-idle", _every_kind, before=(Crash("question opened: after", How.KILL),))
UNBEGUN = Scenario(
    "unbegun", _every_kind, before=tuple(Crash("intent: before", How.EXCEPTION, nth) for nth in (1, 2, 3))
)
LOST_HOLD = Scenario("lost-hold", _every_kind, before=(Crash("walk-on: before", How.EXCEPTION),))
BURIED = Scenario("buried", _long, during=_bury, first="host called: after")
SIGNED_OFF = Scenario("signed-off", _long, during=_end_worker, first="host called: after")
LOCKED = Scenario("locked", _long, during=_lose_lock, first="host called: after", locked=True)
TOO_LATE = Scenario("too-late", _long, during=_pass_latest_end, first="host called: after")
UNSERVED = Scenario("unserved", _elsewhere, during=_wait_in_vain, sites="orchestrator")
CLOCKED = Scenario("clocked", _never, late=True)
BREACHED = Scenario("breached", _watched, guard=WATCHED | {"on_breach": "undo"}, works=False)


@dataclass(frozen=True)
class Ended:
    """What became of a run whose worker crashed."""

    state: RunState
    steps: dict[str, str]
    complaints: tuple[str, ...]
    permitted: tuple[str, ...]
    crashed: tuple[str, ...]
    unnamed: tuple[str, ...]
    passed: frozenset[str]

    @property
    def stuck(self) -> bool:
        """Neither over nor waiting for a person who may do something."""
        return self.state not in ENDS and not (self.state in WAITS_FOR_A_PERSON and self.permitted)


@dataclass
class Carer:
    """Looks after a worker as a service manager does: starts it again when it died, wakes it when it was stopped."""

    worker: WorkerProcess
    stopped_for: float
    sign: Path | None = None
    stopped_at: float | None = None

    def look(self) -> bool:
        """Once around; whether the worker is up."""
        if not self.worker.alive:
            self.sign = self.worker.launch()
        assert self.worker.process is not None
        if is_stopped(self.worker.process.pid):
            self.stopped_at = self.stopped_at or time.monotonic()
            if time.monotonic() - self.stopped_at < self.stopped_for:
                return False
            os.kill(self.worker.process.pid, signal.SIGCONT)
        self.stopped_at = None
        return self.sign is not None and self.sign.exists()


def is_stopped(pid: int) -> bool:
    """Whether a process was halted by a signal."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def tried(real: Ground, scenario: Scenario, *crashes: Crash, stopped_for: float = 1.0, spare: bool = False) -> Ended:
    """Run a scenario whose worker crashes so, start the worker again where it died, and wait until all is at rest.

    `spare`: a second worker lives beside it, so that what stops is taken over before it wakes up.
    """
    marks, every = real.folder / "marks", (*scenario.before, *crashes)
    worker = real.worker("first", crash=crash_points.planned(marks, *every), lease_seconds=LEASE, warm=True)
    worker.sites = scenario.sites
    carer = Carer(worker, stopped_for)
    run_id = scenario.begun(real)
    if not scenario.late:
        real.acknowledged(run_id, "start")
    until(lambda: carer.look() or lines(marks / crash_points.CRASHED), "the worker began", LONGEST, 0.05)
    if spare:
        real.worker("spare", lease_seconds=LEASE, warm=True).start()
    if scenario.during is not None:
        until(lambda: carer.look() and scenario.first in lines(marks / crash_points.PASSED), "a body", LONGEST, 0.05)
        scenario.during(real, run_id, worker)
    rest = Rest(real, run_id)
    until(lambda: carer.look() and _all_happened(marks, every) and rest.lasts(), f"rest: {every}", LONGEST, 0.1)
    return _ended(real, run_id, marks)


def _all_happened(marks: Path, crashes: tuple[Crash, ...]) -> bool:
    return len(lines(marks / crash_points.CRASHED)) >= len(crashes)


@dataclass
class Rest:
    """Whether a run is at rest, and has been for longer than a worker needs to find what it should go on with."""

    real: Ground
    run_id: str
    since: float | None = None

    def lasts(self) -> bool:
        """Look once."""
        with self.real.world.database.transaction(write=False) as session:
            run = session.get_one(Run, self.run_id)
            rows = session.exec(select(StepRun).where(StepRun.run_id == self.run_id)).all()
        busy = {StepState.STARTED} if run.paused is not None else ACTIVE
        active = any(row.state in busy or row.due_at or row.retry_at for row in rows)
        at_rest = run.state in ENDS or (run.state in WAITS_FOR_A_PERSON and not active)
        self.since = (self.since or time.monotonic()) if at_rest else None
        return self.since is not None and time.monotonic() - self.since > SETTLED


def _ended(real: Ground, run_id: str, marks: Path) -> Ended:
    held = real.world.held(run_id)
    return Ended(
        state=held.run.state,
        steps=real.steps(run_id),
        complaints=tuple(real.complaints(run_id)),
        permitted=tuple(sorted({each.command.value for each in held.legal()})),
        crashed=tuple(lines(marks / crash_points.CRASHED)),
        unnamed=tuple(lines(marks / crash_points.UNNAMED)),
        passed=frozenset(lines(marks / crash_points.PASSED)),
    )
