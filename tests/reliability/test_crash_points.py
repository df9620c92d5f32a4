"""The worker crashes at each named point, in each way: every run ends, is undone, or waits for a person who may act."""

import ast
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability import crash_matrix as matrix
from tests.reliability import database
from tests.reliability.crash_matrix import Ended, Scenario, tried
from tests.reliability.crash_points import CALLS, EDGES, EFFECTS, LIBRARY, WRITES, Crash, How
from tests.reliability.figures import times, told
from tests.reliability.processes import CHECKOUT, Ground, ground

LONG = bool(os.environ.get("WISSEL_LONG"))
TAKEN_OVER_IN = 20
"""Seconds: the lease, the time that the database waits for who is stopped in a transaction, and some for the rest."""
PLACES: dict[str, tuple[tuple[Scenario, int], ...]] = {
    "cannot begin": ((matrix.UNBEGUN, 1),),
    "lost hold": ((matrix.LOST_HOLD, 1),),
    "take-over": ((matrix.TAKEN_OVER, 1),),
    "burial": ((matrix.DIED_IDLE, 1), (matrix.NEVER_BEGUN, 1)),
    "guard acts": ((matrix.BREACHED, 1),),
    "guard's row": ((matrix.FORWARD, 1),),
    "end and proofs": ((matrix.FORWARD, 1),),
    "end of an undo": ((matrix.UNDO, 1),),
    "end of an abort": ((matrix.ABORTED, 1),),
    "end by failure": ((matrix.FAILED, 1),),
    "turn to undo": ((matrix.UNDO, 1), (matrix.DECIDED_UNDO, 1)),
    "turn to abort": ((matrix.DECIDED_STOP, 1),),
    "latest end": ((matrix.TOO_LATE, 1),),
    "pause by the engine": ((matrix.LOCKED, 1),),
    "nobody there": ((matrix.UNSERVED, 1),),
    "start of a run": ((matrix.CLOCKED, 1),),
    "look seen": ((matrix.TAKEN_OVER, 1), (matrix.UNDO, 1), (matrix.UNDO, 2)),
    "walk-on": ((matrix.FORWARD, 1), (matrix.UNDO, 2), (matrix.NEVER, 1)),
    "walk-on of an undo": ((matrix.UNDO, 1),),
    "intent": ((matrix.FORWARD, 1), (matrix.NEVER, 1)),
    "progress": ((matrix.FORWARD, 1), (matrix.UNDO, 3)),
    "question opened": ((matrix.FORWARD, 1),),
    "failed undo": ((matrix.FAILED_UNDO, 1),),
    "decision or wait": ((matrix.FORWARD, 1),),
    "clock moves a run": ((matrix.ASKED, 1),),
    "outcome": ((matrix.TROUBLED, 1),),
    "lease revived": ((matrix.BURIED, 1),),
    "lease beat": ((matrix.FORWARD, 1), (matrix.FORWARD, 4)),
    "signing off": ((matrix.SIGNED_OFF, 1),),
    "judge": ((matrix.ASKED, 1),),
    "audit log kept": ((matrix.ASKED, 1),),
    "secrets held": ((matrix.ASKED, 1),),
    "dispatch": ((matrix.FORWARD, 1), (matrix.UNDO, 1)),
    "abandoned attempts": ((matrix.TAKEN_OVER, 1),),
    "start of the engine": ((matrix.FORWARD, 1), (matrix.TAKEN_OVER, 3)),
    LIBRARY: ((matrix.FORWARD, 1), (matrix.FORWARD, 5), (matrix.TAKEN_OVER, 12)),
    "dispatching": ((matrix.FORWARD, 1), (matrix.TAKEN_OVER, 2)),
    "host called": ((matrix.FORWARD, 1), (matrix.FORWARD, 2), (matrix.NEVER, 1), (matrix.UNDO, 5)),
    "host answered": ((matrix.FORWARD, 1), (matrix.FORWARD, 2), (matrix.NEVER, 1), (matrix.UNDO, 5)),
    "evidence stored": ((matrix.FORWARD, 1),),
    "host started": ((matrix.FORWARD, 1), (matrix.TAKEN_OVER, 2)),
    "effect": ((matrix.FORWARD, 1), (matrix.FORWARD, 2), (matrix.NEVER, 1)),
    "taking back": ((matrix.UNDO, 1), (matrix.UNDO, 2)),
}
"""Where each point is tried: in which runs, and the how manieth time that it is passed there."""
ELSEWHERE = {
    "late lines": "only two threads that cross write it; tests/flow/test_runs_worker_lost.py says what is kept then",
    "look for room": "it is written on a full disk only: the suite of our own database fills one",
    "clock minded": "it is written when the clock was set: the suite of time sets it",
    "tick": "due moments are claimed in it: the suite of triggers kills its workers at the due second",
}
"""Writes that no run here reaches, and why."""

EVERY = [
    (scenario, Crash(f"{name}: {edge}", how, nth))
    for name, places in PLACES.items()
    for scenario, nth in places
    for edge in EDGES
    for how in How
]
SLICE = [
    (matrix.FORWARD, Crash("intent: after", How.KILL)),
    (matrix.FORWARD, Crash("effect: after", How.KILL, 2)),
    (matrix.UNDO, Crash("taking back: after", How.KILL)),
    (matrix.NEVER, Crash("host answered: after", How.EXCEPTION)),
    (matrix.FORWARD, Crash("host called: before", How.STOP, 2)),
]
"""What `make test` tries; `make reliability` tries every case."""


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Ground]:
    made = ground(tmp_path)
    yield made
    made.end()


def case_name(case: object) -> str:
    return case.name if isinstance(case, Scenario) else str(case)


@pytest.mark.parametrize(("scenario", "crash"), EVERY if LONG else SLICE, ids=case_name)
def test_a_run_comes_to_a_good_rest_wherever_its_worker_crashes(real: Ground, scenario: Scenario, crash: Crash) -> None:
    ended = tried(real, scenario, crash, stopped_for=times(1, 10))
    judged(ended, crash)
    SEEN[sort_of(ended)] += 1
    counts = ", ".join(f"{number} {sort}" for sort, number in sorted(SEEN.items()))
    told("each named crash point × {kill, exception, stop}", f"{SEEN.total()} cases: {counts}, 0 stuck")


SEEN: Counter[str] = Counter()
"""What became of the cases so far."""


def sort_of(ended: Ended) -> str:
    """Done, undone, ended otherwise, or left to a person who may do something."""
    if ended.state in matrix.WAITS_FOR_A_PERSON:
        return "wait for a person with a permitted action"
    return {"completed": "done", "undone": "undone"}.get(ended.state, "ended")


def judged(ended: Ended, crash: Crash) -> None:
    """What must be true after every crash."""
    assert crash.point in ended.crashed, "the crash did not happen, so nothing was shown"
    assert not ended.stuck, f"{ended.state}: {ended.steps}, permitted: {ended.permitted}"
    assert ended.complaints == ()
    assert ended.unnamed == (), "a write of the worker has no name; add it to WRITES"


STOPPED = [
    Crash("host called: before", How.STOP, 2),
    Crash("walk-on: before", How.STOP),
    Crash("intent: after", How.STOP),
    Crash("host answered: after", How.STOP, 2),
    Crash("effect: before", How.STOP, 2),
    Crash("progress: before", How.STOP),
    Crash("lease beat: before", How.STOP, 4),
]


@pytest.mark.parametrize("crash", STOPPED if LONG else STOPPED[:1], ids=str)
def test_what_a_stopped_worker_held_is_done_once_also_when_it_wakes_up_after_another_took_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash: Crash
) -> None:
    with database.url("postgresql", tmp_path) as url:
        monkeypatch.setenv("WISSEL_TEST_POSTGRES", str(url))
        real = ground(tmp_path, url)
        try:
            ended = tried(real, matrix.FORWARD, crash, stopped_for=times(8, TAKEN_OVER_IN), spare=True)
            judged(ended, crash)
            assert ended.state == "completed"
        finally:
            real.end()
    told("stopped worker, taken over, woken up", f"{crash}: {ended.state}, 0 effects twice, 0 lost")


def test_every_point_is_tried_somewhere() -> None:
    assert {*PLACES, *ELSEWHERE} == {*(each.name for each in WRITES), LIBRARY, *CALLS, *EFFECTS}


OPENED = {"Performer.flush": "progress", "Performer._after_look": "look seen", "Engine._until_taken": "intent"}
"""Functions whose transactions are named by the events that they write, and one such name."""


def test_every_function_of_the_worker_that_opens_a_transaction_has_a_named_write() -> None:
    named = {each.by for each in WRITES} | set(OPENED)
    found = {name for file in ("worker", "runs/engine", "runs/perform") for name in opening(file)}
    assert found - named == set()
    assert {"Performer._after_look", "Worker._beat"} <= found, "the search finds nothing"


def test_every_event_that_the_engine_tells_belongs_to_a_named_write() -> None:
    told_by_writes = [kind for each in WRITES for kind in each.told]
    kinds = {kind for file in (CHECKOUT / "app" / "runs").glob("*.py") for kind in tells(file)}
    assert "step.started" in kinds, "the search finds nothing"
    nameless = [kind for kind in sorted(kinds) if not _covered(kind, told_by_writes) and not _by_people(kind)]
    assert nameless == []


PEOPLE = ("command.", "approval.", "lock.", "evidence.", "observation.", "obligation.", "step.answered", "run.planned")
PEOPLE += ("run.restored", "run.taken-over", "activation.", "debt.settled", "participant.")
"""Written in the request of a person, which is one transaction that commits before it is answered."""
BESIDE = ("claim.proven", "finding.opened", "home.moved", "guard.changed", "run.configuration-changed")
BESIDE += ("loss.measured", "debt.incurred")
"""Written only in transactions that tell something else too, or have a name by their function."""


def _covered(kind: str, told_by_writes: list[str]) -> bool:
    return kind.endswith("*") or kind in told_by_writes or (kind.startswith("step.") and "step." in told_by_writes)


def _by_people(kind: str) -> bool:
    return kind.startswith(PEOPLE) or kind in BESIDE


def opening(file: str) -> set[str]:
    """Qualified names of the functions of a file that open a transaction in which they may write."""
    tree = ast.parse((CHECKOUT / "app" / f"{file}.py").read_text())
    found: set[str] = set()
    for scope in ast.walk(tree):
        for function in ast.iter_child_nodes(scope):
            if isinstance(function, ast.FunctionDef) and any(map(_opens, ast.walk(function))):
                found.add(f"{scope.name}.{function.name}" if isinstance(scope, ast.ClassDef) else function.name)
    return found


def _opens(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "transaction"):
        return False
    return not any(each.arg == "write" and ast.unparse(each.value) == "False" for each in node.keywords)


def tells(file: Path) -> set[str]:
    """The kinds of events that a file tells; what is made up while it runs ends in a star."""
    found: set[str] = set()
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tell":
            match _constant(tree, node.args[2]):
                case ast.Constant(value=str(kind)):
                    found.add(kind)
                case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]):
                    found.add(f"{start}*")
                case other:
                    raise AssertionError(f"{file.name}: a kind that cannot be read: {ast.unparse(other)}")
    return found


def _constant(tree: ast.Module, given: ast.expr) -> ast.expr:
    """The value of a name that the file itself gives, else what was given."""
    for each in tree.body:
        if isinstance(each, ast.Assign) and isinstance(given, ast.Name) and ast.unparse(each.targets[0]) == given.id:
            return each.value
    return given
