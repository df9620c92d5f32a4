"""Many runs at once whose worker is killed at random moments and started again; what that did to each of them."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sqlmodel import col, select

from app.runs.models import Run, RunEvent
from app.runs.rules import ENDS, Command, RunState
from tests.reliability.processes import Ground, playbook, target, until

LONGEST = 240.0
"""Seconds in which a batch must be over, on a machine that does much else."""


@dataclass
class Tally:
    """What a number of runs came to."""

    runs: int = 0
    kills: int = 0
    interrupted: int = 0
    """Runs that went on after a kill, counted once for each kill."""
    asked: int = 0
    """How often a person was asked, because a step had lost its worker too often."""
    complaints: list[str] = field(default_factory=list)
    resumed: list[float] = field(default_factory=list)
    """Seconds from the start of the new worker's process to the first step that it began, per interrupted run."""
    up: list[float] = field(default_factory=list)
    """Seconds that a new worker needed to be up: Python, its libraries and the machine's other work."""
    states: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        twice, lost, order = (sum(each.startswith(word) for each in self.complaints) for word in WORDS)
        slowest = f"{max(self.resumed):.1f} s" if self.resumed else "–"
        up = f"{max(self.up):.1f} s" if self.up else "–"
        return (
            f"{self.runs} runs, {self.kills} kills, {self.interrupted} interrupted: {twice} effects twice, "
            f"{lost} lost, {order} out of order; resumed within {slowest} of the start of the process, which was up "
            f"after {up} at most; {self.asked} times asked a person"
        )


WORDS = ("twice", "lost", "out of order")


def steps_of(folder: Path, dice: random.Random) -> list[dict[str, Any]]:
    """Six steps of which two stand beside each other, whose effects come early or late."""

    def one(name: str, *needs: str) -> dict[str, Any]:
        before, after = (round(dice.uniform(0, 0.3), 3) for _ in range(2))
        return target(name, folder, dice.choice(("keyed", "seen")), *needs, before=before, after=after)

    return [
        one("one"),
        one("two", "one"),
        target("look", folder, "look", "two", before=0.05),
        one("left", "look"),
        one("right", "look"),
        one("last", "left", "right"),
    ]


class Killable(Protocol):
    """A worker in a process of its own, alone or inside the service."""

    @property
    def alive(self) -> bool:
        """Whether it is there."""
        ...

    def kill(self) -> None:
        """SIGKILL."""
        ...

    def launch(self) -> Path:
        """Start it; the file that is there once it works."""
        ...


def batch(real: Ground, worker: Killable, dice: random.Random, tally: Tally, *, size: int, kills: int) -> None:
    """Begin so many runs, kill their worker so often at random moments, and judge each when all is over."""
    runs = [begun(real, dice) for _ in range(size)]
    for left in reversed(range(kills)):
        time.sleep(dice.uniform(0.1, 2.5))
        if all_over(real, runs):
            break
        worker.kill()
        tally.kills += 1
        last = last_event(real)
        restarted = time.time()
        sign = worker.launch()
        if left and dice.random() < 0.3:
            time.sleep(dice.uniform(0, 1.5))  # the next kill may find it while it starts
            continue
        until(sign.exists, "the worker is up again", LONGEST)
        tally.up.append(sign.stat().st_mtime - restarted)
        measure(real, runs, last, restarted, tally)
    until(lambda: all_over(real, runs) or care(real, worker, runs, tally), "all runs are over", LONGEST)
    for run_id in runs:
        tally.runs += 1
        state = real.state(run_id)
        tally.states[state] = tally.states.get(state, 0) + 1
        tally.complaints += [f"{each} ({run_id})" for each in real.complaints(run_id)]


def begun(real: Ground, dice: random.Random) -> str:
    """A run of steps that the dice chose, acknowledged."""
    run_id = real.begun(playbook(f"test-kills-{dice.getrandbits(40):x}", *steps_of(real.folder, dice)))
    real.acknowledged(run_id, "start")
    return run_id


def all_over(real: Ground, runs: list[str]) -> bool:
    """Whether every run has ended."""
    with real.world.database.transaction(write=False) as session:
        wanted = select(Run.id).where(col(Run.id).in_(runs), col(Run.ended).is_(None))
        return session.exec(wanted).first() is None


def care(real: Ground, worker: Killable, runs: list[str], tally: Tally) -> bool:
    """Start a dead worker, and play the person who is asked: look at the target, and let the step be tried again."""
    if not worker.alive:
        worker.launch()
    for run_id, step in asking(real, runs):
        real.acknowledged(run_id, "retry", step)
        real.command("retry", run_id, step)
        tally.asked += 1
    time.sleep(0.2)
    return False


def asking(real: Ground, runs: list[str]) -> Iterator[tuple[str, str]]:
    """The steps that a person may try again, of runs that wait for one."""
    with real.world.database.transaction(write=False) as session:
        wanted = select(Run.id).where(col(Run.id).in_(runs), Run.state == RunState.INTERRUPTED)
        waiting = list(session.exec(wanted))
    for run_id in waiting:
        legal = real.world.held(run_id).legal()
        yield from ((run_id, each.step) for each in legal if each.command is Command.RETRY and each.step)


def last_event(real: Ground) -> int:
    """Number of the last event of all."""
    with real.world.database.transaction(write=False) as session:
        return session.exec(select(RunEvent.id).order_by(col(RunEvent.id).desc())).first() or 0


def measure(real: Ground, runs: list[str], last: int, restarted: float, tally: Tally) -> None:
    """How long after the restart each run that had a step under way, or ready, began a step."""
    unfinished = [run_id for run_id in runs if real.world.held(run_id).run.state not in ENDS]
    begun_at: dict[str, float] = {}

    def all_began() -> bool:
        begun_at.update(began_after(real, unfinished, last))
        open_runs = [each for each in unfinished if each not in begun_at and real.state(each) is RunState.RUNNING.value]
        return not open_runs

    until(all_began, "the interrupted runs went on", 120)
    tally.interrupted += len(begun_at)
    tally.resumed += [at - restarted for at in begun_at.values()]


def began_after(real: Ground, runs: list[str], last: int) -> dict[str, float]:
    """When each run first began a step after that event."""
    with real.world.database.transaction(write=False) as session:
        wanted = select(RunEvent).where(col(RunEvent.run_id).in_(runs), col(RunEvent.id) > last)
        rows = session.exec(wanted.where(RunEvent.kind == "step.started").order_by(col(RunEvent.id).desc())).all()
    return {row.run_id: row.at.timestamp() for row in rows}
