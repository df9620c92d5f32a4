"""A run's file of history (what its targets saw, what the service acknowledged) and the judge who reads it afterwards.

The file is written by the targets and by whoever gave the commands, never by the engine: what the engine believes is
only compared with it. The judge is pure: entries and rows in, complaints out.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Kind(StrEnum):
    """What an entry is about."""

    EFFECT = "effect"
    """The target changed."""
    TAKEN_BACK = "taken back"
    REFUSED = "refused"
    """The target knew the key already and changed nothing."""
    ACKNOWLEDGED = "acknowledged"
    """A command of a person was answered with yes."""


@dataclass(frozen=True)
class Entry:
    """One thing that happened to a run, outside the engine; `at` in seconds since 1970."""

    at: float
    kind: Kind
    run: str
    name: str
    """The step whose effect it is, or the command that was acknowledged."""
    key: str = ""
    step: str = ""
    """The step that a command was about."""


def file_of(folder: Path, run: str) -> Path:
    """The history of one run."""
    return folder / "history" / f"{run}.jsonl"


@contextmanager
def at_target(folder: Path, run: str) -> Iterator["Target"]:
    """The targets of a run, nobody else at them meanwhile: what is read and written within is one act."""
    file = file_of(folder, run)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield Target(file, run)


@dataclass(frozen=True)
class Target:
    """The history as the targets' own memory."""

    file: Path
    run: str

    def entries(self) -> list[Entry]:
        return read(self.file)

    def add(self, kind: Kind, name: str, *, key: str = "", step: str = "") -> None:
        """Written by one call, so that a process that is killed leaves a whole line or none."""
        entry = {"at": time.time(), "kind": kind, "run": self.run, "name": name, "key": key, "step": step}
        descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, json.dumps(entry).encode() + b"\n")
        finally:
            os.close(descriptor)


def read(file: Path) -> list[Entry]:
    """The entries of a history, in the order in which they were written."""
    if not file.exists():
        return []
    found = []
    for line in file.read_text().splitlines():
        given: dict[str, Any] = json.loads(line)
        found.append(Entry(**given | {"kind": Kind(given["kind"])}))
    return found


def standing(entries: Sequence[Entry], name: str) -> bool:
    """Whether the effect of this name is there now."""
    changes = [each for each in entries if each.name == name and each.kind in (Kind.EFFECT, Kind.TAKEN_BACK)]
    return bool(changes) and changes[-1].kind is Kind.EFFECT


@dataclass(frozen=True)
class Event:
    """An event as the database holds it, in order of its number."""

    at: float
    kind: str
    step: str | None = None


@dataclass(frozen=True)
class Facts:
    """What the database says of a run when all is over."""

    state: str
    steps: Mapping[str, str]
    """State by step."""
    needs: Mapping[str, Sequence[str]]
    """The steps that must have come before, by step."""
    changing: frozenset[str]
    """The steps that have an effect at a target."""
    events: Sequence[Event] = field(default=())
    blind: frozenset[str] = frozenset()
    """The steps whose effect nobody can see: a person who retries one answers for it."""


_DONE = frozenset({"succeeded", "succeeded with warning"})
_OPEN_END = frozenset({"unknown", "undo failed", "failed but ignored", "started"})
"""States in which the engine says itself that it does not know."""
_OVER = frozenset({"run.completed", "run.completed with exceptions", "run.aborted", "run.undone", "run.failed"})
_AFTERWARDS = ("obligation.", "observation.", "lock.", "evidence.", "guard.", "claim.", "finding.", "home.")
_COMMANDS = {
    "start": "run.started",
    "approve": "approval.approved",
    "answer": "step.answered",
    "observation": "observation.added",
}
SKEW = 0.05
"""Seconds by which the clocks of two processes on one machine may be read in another order."""
WAITED = 10.0
"""Seconds that a writer may have waited for the lock of the run after it had read the clock."""


def judge(entries: Sequence[Entry], facts: Facts) -> list[str]:
    """Every complaint about this run: an effect twice, lost, out of order, unexplained; an answer that was not kept."""
    return [
        *_twice(entries, facts),
        *_lost(entries, facts),
        *_out_of_order(entries, facts),
        *_taken_back_out_of_order(entries),
        *_without_intent(entries, facts),
        *_not_kept(entries, facts),
        *_events_out_of_order(facts),
    ]


def _twice(entries: Sequence[Entry], facts: Facts) -> Iterator[str]:
    there: set[str] = set()
    permitted: set[str] = set()
    for each in entries:
        if each.kind is Kind.ACKNOWLEDGED and each.name == "retry" and each.step in facts.blind:
            permitted.add(each.step)
        elif each.kind is Kind.EFFECT:
            if each.name in there and each.name not in permitted:
                yield f"twice: {each.name} under {each.key}"
            permitted.discard(each.name)
            there.add(each.name)
        elif each.kind is Kind.TAKEN_BACK:
            if each.name not in there:
                yield f"twice: {each.name} was taken back and was not there"
            there.discard(each.name)


def _lost(entries: Sequence[Entry], facts: Facts) -> Iterator[str]:
    for step in sorted(facts.changing):
        state, there = facts.steps[step], standing(entries, step)
        if state in _DONE and not there:
            yield f"lost: {step} is said to have {state}, and its target knows nothing"
        if state == "undone" and there:
            yield f"lost: {step} is said to be undone, and its effect stands"
        if state in ("not started", "skipped") and there:
            yield f"lost: {step} is {state}, and its effect stands"
        if state in ("failed", "timed out") and there:
            yield f"lost: {step} is {state}, and its effect stands"


def _out_of_order(entries: Sequence[Entry], facts: Facts) -> Iterator[str]:
    there: set[str] = set()
    for each in entries:
        if each.kind is Kind.EFFECT:
            missing = [need for need in facts.needs.get(each.name, ()) if need in facts.changing - there]
            if missing:
                yield f"out of order: {each.name} before {', '.join(missing)}"
            there.add(each.name)
        elif each.kind is Kind.TAKEN_BACK:
            there.discard(each.name)


def _taken_back_out_of_order(entries: Sequence[Entry]) -> Iterator[str]:
    made: list[str] = []
    for each in entries:
        if each.kind is Kind.EFFECT and each.name not in made:
            made.append(each.name)
        elif each.kind is Kind.TAKEN_BACK and each.name in made:
            if made[-1] != each.name:
                yield f"out of order: {each.name} was taken back before {made[-1]}"
            made.remove(each.name)


def _without_intent(entries: Sequence[Entry], facts: Facts) -> Iterator[str]:
    begun = [event for event in facts.events if event.kind == "step.started"]
    for each in entries if facts.events else ():
        intended = any(event.step == each.name and event.at <= each.at + SKEW for event in begun)
        if each.kind in (Kind.EFFECT, Kind.TAKEN_BACK) and not intended:
            yield f"no intent: {each.name} was done, and no intent was written before"


def _not_kept(entries: Sequence[Entry], facts: Facts) -> Iterator[str]:
    if not facts.events:
        return
    wanted: dict[tuple[str, str], int] = {}
    for each in entries:
        if each.kind is Kind.ACKNOWLEDGED:
            kind = _COMMANDS.get(each.name, f"command.{each.name}")
            wanted[kind, each.step] = wanted.get((kind, each.step), 0) + 1
    for (kind, step), times in wanted.items():
        kept = sum(event.kind == kind and (event.step or "") == step for event in facts.events)
        if kept < times:
            yield f"not kept: {kind} {step} was acknowledged {times} times and is in the database {kept} times"


def _events_out_of_order(facts: Facts) -> Iterator[str]:
    begun: set[str] = set()
    over, last = "", 0.0
    for event in facts.events:
        if event.at < last - WAITED:
            yield f"events: {event.kind} {event.step or ''} lies {last - event.at:.2f} s before the one in front of it"
        last = max(last, event.at)
        if over and not event.kind.startswith(_AFTERWARDS):
            yield f"events: {event.kind} {event.step or ''} after {over}"
        over = event.kind if event.kind in _OVER else over
        if event.step is not None:
            yield from _at_step(event.kind, event.step, begun)


def _at_step(kind: str, step: str, begun: set[str]) -> Iterator[str]:
    """A step is begun, tells what it does, and has an outcome, in this order; `begun` is kept up to date."""
    if kind == "step.started":
        if step in begun:
            yield f"events: {step} was begun twice without an outcome between"
        begun.add(step)
    elif kind in ("step.progress", "step.observed"):
        if step not in begun:
            yield f"events: {kind} of {step}, which nobody was at"
    elif kind.startswith("step.") and kind not in ("step.undoing", "step.answered"):
        begun.discard(step)
