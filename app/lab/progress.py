"""Follows the six drills through the API and tells calmly what happens; knows when all of them ended."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.lab.organisation.loader import PlannedDrill
from app.remote import Remote

ENDED = frozenset({"missed", "denied", "completed", "completed with exceptions", "failed", "aborted", "undone"})
"""States in which nothing more happens to a run."""
WORDS = {
    "awaiting approval": "waits for approval",
    "queued": "waits until the environment is free",
    "running": "runs",
    "waiting for a person": "waits for a person",
}


@dataclass
class Progress:
    """What is known of the runs of the planned drills."""

    api: Remote
    drills: Sequence[PlannedDrill]
    tell: Callable[[str], None]
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Id of the drill → its run with all steps, once it is over."""
    _left_out: set[str] = field(default_factory=set)
    _states: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether every drill ended."""
        return {drill.id for drill in self.drills} <= self.ended.keys() | self._left_out

    def leave_out(self, drill: PlannedDrill, reason: str) -> None:
        """Wait no more for a drill that will not come."""
        self._left_out.add(drill.id)
        self.tell(f"{drill.title}: will not run. {reason}")

    def look(self) -> list[dict[str, Any]]:
        """Look once: tells what changed and returns the runs that are still going on, with all steps."""
        refs = {drill.ref: drill for drill in self.drills}
        going = []
        for row in self.api.get("/runs", pageSize=100)["items"]:
            drill = refs.get(row["drill"])
            if drill is None or drill.id in self.ended:
                continue
            run = self.api.get(f"/runs/{row['id']}")
            self._note(drill, run)
            if run["state"] in ENDED:
                self.ended[drill.id] = run
            else:
                going.append(run)
        self._look_for_moments_without_run()
        return going

    def _look_for_moments_without_run(self) -> None:
        drills = {drill.id: drill for drill in self.drills if drill.id not in self._left_out}
        for moment in self.api.get("/drill-moments", pageSize=100)["items"]:
            if moment["state"] != "planned" and moment["runId"] is None and moment["drillId"] in drills:
                self.leave_out(drills[moment["drillId"]], moment["reason"].get("en", moment["reasonCode"]))

    def _note(self, drill: PlannedDrill, run: dict[str, Any]) -> None:
        if self._states.get(run["id"]) == run["state"]:
            return
        self._states[run["id"]] = run["state"]
        if run["state"] in ENDED:
            self.tell(f"{drill.title}: {_ending(drill, run)}")
        else:
            self.tell(f"{drill.title}: {WORDS.get(run['state'], run['state'])}")


def _ending(drill: PlannedDrill, run: dict[str, Any]) -> str:
    verdict = run["verdict"] or run["state"]
    if verdict == "passed" and run["rtaMs"] is not None:
        return f"passed, service back after {run['rtaMs'] / 1000:.2f} s"
    if verdict == drill.expected:
        return verdict if verdict == "passed" else f"{verdict}, as it should: the fault was found"
    return f"{verdict} ({_reason(run)})"


def _reason(run: dict[str, Any]) -> str:
    told = [step["reason"]["en"] for step in run["steps"] if step["verdict"] != "passed" and step["reason"]]
    return told[0] if told else str(run["endReason"].get("text") or run["verdictReason"].get("en") or run["state"])


def follow(progress: Progress, act: Callable[[list[dict[str, Any]]], None], *, patience: float, pause: float) -> bool:
    """Look every `pause` seconds and let `act` do its part, until all ended; False where `patience` ran out before."""
    end = time.monotonic() + patience
    while not progress.done:
        act(progress.look())
        if time.monotonic() > end:
            return False
        if not progress.done:
            time.sleep(pause)
    return True
