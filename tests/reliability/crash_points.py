"""The named crash points of the engine, and how a worker process of a test is made to crash at one of them.

A point is an edge, ``before`` or ``after``, of something that lasts: the commit of a transaction, told apart by the
events that it writes or by the function that opens it; a call of a runner host; an effect at a target. Commits are
seen at SQLAlchemy's own events, so production code knows nothing of this, and a write that has no name is noticed.
"""

import functools
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dbos._schemas.system_database import SystemSchema
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Session

FOLDER, PLAN = "CRASH_FOLDER", "CRASH_PLAN"
"""Environment of a worker: the folder of its marks, and the crashes that it is to have."""
CRASHED, UNNAMED, PASSED = "crashed", "unnamed", "passed"
"""Marks: the crashes that happened, the writes that have no name, every point that was passed."""


class How(StrEnum):
    """What happens to the worker at a point."""

    KILL = "kill"
    EXCEPTION = "exception"
    STOP = "stop"


class Planted(RuntimeError):
    """The exception that a test asked for."""


@dataclass(frozen=True)
class Crash:
    """One crash that is asked for: what happens when a point is passed for the nth time, in whichever life."""

    point: str
    how: How
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.how} at {self.point}" + (f" ({self.nth})" if self.nth > 1 else "")


def planned(folder: Path, *crashes: Crash) -> dict[str, str]:
    """The environment of a worker that is to crash so."""
    folder.mkdir(parents=True, exist_ok=True)
    return {FOLDER: str(folder), PLAN: json.dumps([[each.point, each.how, each.nth] for each in crashes])}


@dataclass(frozen=True)
class Write:
    """A transaction that the worker commits."""

    name: str
    told: tuple[str, ...] = ()
    """Kinds of events; all of them are written in it. One that ends in a dot is the beginning of a kind."""
    by: str = ""
    """Qualified name of the function that opens it, where it tells nothing, or not always."""

    def fits(self, kinds: set[str], functions: set[str]) -> bool:
        """Whether a commit is this write."""
        told = all(any(_like(kind, wanted) for kind in kinds) for wanted in self.told)
        return told and (not self.by or self.by in functions)


def _like(kind: str, wanted: str) -> bool:
    return kind.startswith(wanted) if wanted.endswith(".") else kind == wanted


WRITES: tuple[Write, ...] = (
    Write("dispatch", by="Engine.dispatch"),
    Write("abandoned attempts", by="Engine.abandon"),
    Write("cannot begin", by="Worker._dispatch"),
    Write("lost hold", by="Worker._give_up_orphans"),
    Write("take-over", told=("step.worker-lost",)),
    Write("burial", by="Worker._take_over"),
    Write("guard acts", told=("guard.acted",)),
    Write("guard's row", by="Worker._look_now"),
    Write("end and proofs", told=("run.completed",)),
    Write("end of an undo", told=("run.undone",)),
    Write("end of an abort", told=("run.aborted",)),
    Write("end by failure", told=("run.failed",)),
    Write("turn to undo", told=("run.undoing",)),
    Write("turn to abort", told=("run.aborting",)),
    Write("latest end", told=("run.latest-end-passed",)),
    Write("pause by the engine", told=("run.paused",)),
    Write("nobody there", told=("step.nobody-there",)),
    Write("start of a run", told=("run.started",)),
    Write("look seen", told=("step.observed",)),
    Write("walk-on", told=("step.succeeded", "step.started")),
    Write("walk-on of an undo", told=("step.undone", "step.started")),
    Write("intent", told=("step.started",)),
    Write("progress", told=("step.progress",)),
    Write("late lines", by="Performer.flush"),
    Write("question opened", told=("step.opened",)),
    Write("failed undo", told=("step.undo failed",)),
    Write("decision or wait", told=("step.succeeded",), by="tick"),
    Write("clock moves a run", told=("step.",), by="tick"),
    Write("outcome", told=("step.",), by="Engine._attempt"),
    Write("lease revived", by="Worker._live_again"),
    Write("lease beat", by="Worker._beat"),
    Write("signing off", by="Worker.stop"),
    Write("look for room", by="Worker._look_for_room"),
    Write("clock minded", by="Worker._mind_the_clock"),
    Write("judge", by="Worker._judge"),
    Write("audit log kept", by="Worker._audit"),
    Write("secrets held", by="Telling.look"),
    Write("tick", by="tick"),
    Write("start of the engine", by="Engine.start"),
)
"""Every write of a worker; the first that fits names a commit."""

CALLS = ("dispatching", "host called", "host answered", "evidence stored", "host started")
"""Calls with an edge before and one after, wrapped where they are made."""

EFFECTS = ("effect", "taking back")
"""Inside the runner host, at the target."""

LIBRARY = "the library's own bookkeeping"
BOOKKEEPING = frozenset({*(table.name for table in SystemSchema.metadata_obj.tables.values()), "datasource_outputs"})
EDGES = ("before", "after")


def points() -> list[str]:
    """Every point by name."""
    names = [*(each.name for each in WRITES), LIBRARY, *CALLS, *EFFECTS]
    return [f"{name}: {edge}" for name in names for edge in EDGES]


_engine_own = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM)\s+(?:\"?\w+\"?\.)?\"?(\w+)", re.IGNORECASE)
_here = threading.local()


def reach(point: str) -> None:
    """This process is at a point: crash if that was asked for, the nth time that it is passed."""
    where = os.environ.get(FOLDER)
    if where is None:
        return
    folder = Path(where)
    _append(folder / PASSED, point)
    here = {nth: How(how) for name, how, nth in json.loads(os.environ[PLAN]) if name == point}
    if here and (turn := _turn(folder, point)) in here:
        _append(folder / CRASHED, point)
        _crash(point, here[turn])


def _crash(point: str, how: How) -> None:
    worker = os.getppid() if point.split(":")[0] in EFFECTS else os.getpid()
    match how:
        case How.EXCEPTION:
            raise Planted(point)
        case How.KILL:
            os.kill(worker, signal.SIGKILL)
        case How.STOP:
            os.kill(worker, signal.SIGSTOP)


def _turn(folder: Path, point: str) -> int:
    """The how manieth time this point is passed, over restarts too."""
    turns = folder / f"turns of {point}"
    _append(turns, "x")
    return len(turns.read_text().splitlines())


def _append(file: Path, line: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def install() -> None:
    """Watch every commit and every call with an edge in this process."""
    event.listen(Session, "before_flush", _note_events)
    event.listen(Engine, "before_cursor_execute", _note_tables)
    event.listen(Engine, "commit", _before_commit)
    event.listen(Engine, "rollback", _forget)
    DefaultDialect.do_commit = _with_after(DefaultDialect.do_commit)  # type: ignore[method-assign]
    _wrap_calls()


def _wrap_calls() -> None:
    from app.core.evidence import EvidenceStore
    from app.runs.engine import Engine as StepEngine
    from runners.host_client import RunnerHost

    for owner, method, name in (
        (StepEngine, "dispatch", "dispatching"),
        (RunnerHost, "_send", "host called"),
        (RunnerHost, "call", "host answered"),
        (RunnerHost, "start", "host started"),
        (EvidenceStore, "put", "evidence stored"),
    ):
        setattr(owner, method, _edged(getattr(owner, method), name))


def _edged(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(call)
    def edged(*arguments: Any, **named: Any) -> Any:
        reach(f"{name}: before")
        result = call(*arguments, **named)
        reach(f"{name}: after")
        return result

    return edged


def _note_events(session: Session, *_: Any) -> None:
    kinds = [str(each.kind) for each in session.new if type(each).__name__ == "RunEvent"]
    _here.kinds = {*getattr(_here, "kinds", ()), *kinds}


def _note_tables(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    found = _engine_own.match(statement.lstrip())
    if found:
        connection.info.setdefault("written", set()).add(found.group(1).lower())


def _before_commit(connection: Any) -> None:
    tables = connection.info.pop("written", set())
    _here.committing = None
    if not tables:
        return
    kinds: set[str] = set()
    if not tables <= BOOKKEEPING:  # else the commit of our own transaction, around it or after it, is still to come
        kinds, _here.kinds = getattr(_here, "kinds", set()), set()
    name = _name(kinds, _functions(), tables)
    _here.committing = name
    reach(f"{name}: before")


def _forget(connection: Any) -> None:
    connection.info.pop("written", None)
    _here.kinds = set()


def _with_after(commit: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(commit)
    def with_after(dialect: Any, connection: Any) -> None:
        name, _here.committing = getattr(_here, "committing", None), None
        commit(dialect, connection)
        if name is not None:
            reach(f"{name}: after")

    return with_after


def _functions() -> set[str]:
    """The functions of ours that this thread is in."""
    frame, found = sys._getframe(), set()
    while frame is not None:
        if f"{os.sep}app{os.sep}" in frame.f_code.co_filename:
            found.add(frame.f_code.co_qualname)
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _name(kinds: set[str], functions: set[str], tables: set[str]) -> str:
    for write in WRITES:
        if write.fits(kinds, functions):
            return write.name
    if tables <= BOOKKEEPING:
        return LIBRARY
    folder = os.environ.get(FOLDER)
    if folder is not None:
        _append(Path(folder) / UNNAMED, f"{sorted(kinds)} {sorted(functions)} {sorted(tables)}")
    return "unnamed"
