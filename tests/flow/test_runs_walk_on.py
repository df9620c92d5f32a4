"""Outcome and next intent in one transaction: kept while the database is away, known when its answer was lost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session, select

from app.core import clock
from app.core.evidence import EvidenceStore
from app.core.settings import Settings
from app.playbooks.rules import Mode
from app.runs import engine as engine_module
from app.runs import handover, steps
from app.runs.engine import BEGINS_WITHIN, SOON, Boot, Engine
from app.runs.models import RunEvent
from app.runs.perform import Performed, Performer
from runners.contract import SitePolicy
from runners.host_client import HostDied
from runners.term import Term
from tests.flow.runs_world import LINE, World, build, passed


class Unsteady:
    """A database that is away for some transactions, before them or only after their commit."""

    def __init__(self, real: Any, away: int = 0, deaf: int = 0) -> None:
        self.real, self.away, self.deaf = real, away, deaf

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[Session]:
        if self.away:
            self.away -= 1
            raise gone()
        with self.real.transaction(write=write) as session:
            yield session
        if self.deaf:
            self.deaf -= 1
            raise gone()


def gone() -> OperationalError:
    return OperationalError("COMMIT", {}, Exception("the connection was lost"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def engine(world: World, tmp_path: Path, **unsteady: int) -> Engine:
    performer: Any = SimpleNamespace(life=1, may_act=True)
    database: Any = Unsteady(world.database, **unsteady)
    return Engine(Settings(data_dir=tmp_path, sites="*"), database, performer, Boot("boot-1", "here", 1))


def started(world: World, step: str) -> int:
    """How often the intent of a step was written."""
    with world.database.transaction(write=False) as session:
        wanted = select(RunEvent).where(RunEvent.kind == "step.started", RunEvent.step_id == step)
        return len(session.exec(wanted).all())


def test_an_outcome_waits_for_a_database_that_is_away_and_the_next_step_is_begun_once(world, tmp_path):
    run_id = world.started(world.drill(LINE, Mode.REHEARSAL))
    [first] = world.ready()
    made = engine(world, tmp_path)
    work, life = made._begin(first.step_run_id, first.attempt)
    made._database.away = 3
    following, _ = made._finish_and_begin(work, Performed(passed()))
    assert (life, world.states(run_id)) == (1, {"restore": "succeeded", "rows": "started"})
    assert (started(world, "restore"), started(world, "rows")) == (1, 1)
    assert made.holds(following.step_run_id, following.attempt)


def test_a_commit_of_which_only_the_answer_was_lost_is_recognised_by_the_intent_that_it_wrote(world, tmp_path):
    run_id = world.started(world.drill(LINE, Mode.REHEARSAL))
    [first] = world.ready()
    made = engine(world, tmp_path, deaf=1)
    work, _ = made._begin(first.step_run_id, first.attempt)
    assert (started(world, "restore"), made.holds(work.step_run_id, work.attempt)) == (1, True)
    made._database.deaf = 2
    following, _ = made._finish_and_begin(work, Performed(passed()))
    assert world.states(run_id) == {"restore": "succeeded", "rows": "started"}
    assert started(world, "rows") == 1
    assert made.holds(following.step_run_id, following.attempt)


def test_a_commit_that_is_still_under_way_when_its_answer_is_lost_is_waited_for(world, tmp_path):
    run_id = world.started(world.drill(LINE, Mode.REHEARSAL))
    [first] = world.ready()
    made = engine(world, tmp_path)
    made._database = Slow(world.database)
    work, _ = made._begin(first.step_run_id, first.attempt)
    assert (started(world, "restore"), made.holds(work.step_run_id, work.attempt)) == (1, True)
    assert world.states(run_id)["restore"] == "started"


class Slow:
    """A database of which the first commit goes on after its answer was given up."""

    def __init__(self, real: Any) -> None:
        self.real, self.slow = real, True

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[Session]:
        whole = self.real.transaction(write=write)
        yield whole.__enter__()
        if not self.slow:
            whole.__exit__(None, None, None)
            return
        self.slow = False
        threading.Timer(1.0, whole.__exit__, (None, None, None)).start()
        raise gone()


def test_what_is_no_passing_trouble_of_the_database_is_not_tried_for_ever(world, tmp_path):
    made = engine(world, tmp_path)
    made._stopping.set()
    made._database.away = 1
    with pytest.raises(OperationalError):
        made._begin("any", 1)


def test_a_body_begins_once_the_lease_is_renewed_and_has_its_whole_time_from_then_on(world, tmp_path):
    world.started(world.drill(LINE, Mode.REHEARSAL))
    [first] = world.ready()
    made, looks = engine(world, tmp_path), iter([False] * 4 + [True])
    made._performer = Waiting(looks)
    before = clock.now()
    work, _ = made._begin(first.step_run_id, first.attempt)
    assert list(looks) == []
    [timeout] = [each["timeout"] for each in LINE["steps"] if each["id"] == "restore"]
    assert work.deadline >= before + timedelta(seconds=timeout + 4 * SOON)


class Waiting:
    """A performer whose lease is renewed only after some looks."""

    life = 1

    def __init__(self, looks: Iterator[bool]) -> None:
        self._looks = looks

    @property
    def may_act(self) -> bool:
        return next(self._looks)


@pytest.mark.parametrize("ended", ["the lease ran out", "it was held for dead, or it stops"])
def test_a_body_that_our_own_lease_ended_says_nothing_of_its_step_and_is_done_again_without_a_person(
    world, tmp_path, ended
):
    run_id = world.started(world.drill(LINE, Mode.REHEARSAL))
    [first] = world.ready()
    made = engine(world, tmp_path)
    work, life = made._begin(first.step_run_id, first.attempt)
    hosts = Dying(ended)
    made._performer = Performer(
        world.database, EvidenceStore(tmp_path / "e"), hosts, made._boot.owner, tmp_path / "scratch", SitePolicy
    )
    assert made._walk_on(work, life) is None
    assert (hosts.calls, made.holds(work.step_run_id, work.attempt)) == (1, False)
    assert world.states(run_id)["restore"] == "started"  # no outcome, no look: as if its worker were lost
    with world.database.transaction() as session:
        [(step, attempt)] = handover.orphans(session, "boot-1")
        handover.give_up(session, step, attempt, now=world.now)
    row = world.held(run_id).steps["restore"]
    assert (row.state, row.call, row.attempt) == ("ready", "run", first.attempt + 1)


def test_a_host_that_died_within_the_lease_is_an_outcome_that_nobody_knows(world, tmp_path):
    world.started(world.drill(LINE, Mode.REHEARSAL))
    [first] = world.ready()
    made = engine(world, tmp_path)
    work, life = made._begin(first.step_run_id, first.attempt)
    performer = Performer(
        world.database,
        EvidenceStore(tmp_path / "e"),
        Dying("by itself"),
        made._boot.owner,
        tmp_path / "scratch",
        SitePolicy,
    )
    performed = performer.perform(work, life)
    assert performed is not None
    assert (performed.outcome, "ended before" in performed.error.en) == (None, True)


class Dying:
    """Hosts of which each dies in its call, for a reason."""

    def __init__(self, why: str) -> None:
        self.term, self.why, self.calls = Term(), why, 0
        self.term.extend(clock.passed() + 60)

    def take(self, run_id: str, key: str) -> "Dying":
        return self

    def give_back(self, run_id: str, key: str) -> None:
        pass

    def call(self, *asked: Any) -> Any:
        self.calls += 1
        if self.why == "the lease ran out":
            self.term.extend(clock.passed() - 1)
            self.term.extend(clock.passed() + 60)  # renewed before anybody looked
        elif self.why != "by itself":
            self.term.begin_anew()
        raise HostDied("hij eindigde voordat hij antwoord gaf", "the runner host ended before it answered")


def dispatched(made: Engine, ready: Any, times: int) -> list[bool]:
    """What dispatching says, each time after a beginning that ended as it may."""
    said = []
    for _ in range(times):
        with suppress(SQLAlchemyError, ValueError):
            made._begin(ready.step_run_id, ready.attempt)
        said.append(made.dispatch(ready))
    return said


def test_only_an_error_of_our_own_in_the_beginning_counts_and_not_a_database_that_is_away(world, tmp_path, monkeypatch):
    world.started(world.drill(LINE, Mode.REHEARSAL))
    [first] = world.ready()
    made = engine(world, tmp_path)
    monkeypatch.setattr(made, "_dispatched", lambda ready: None)  # the outer edge: DBOS

    def stop(*given: Any, **more: Any) -> None:
        made._stopping.set()
        raise gone()

    def wrong(*given: Any, **more: Any) -> None:
        raise ValueError("rows that this version cannot read")

    monkeypatch.setattr("app.runs.engine.steps.begin", stop)
    assert dispatched(made, first, 4) == [True] * 4
    made._stopping.clear()
    monkeypatch.setattr("app.runs.engine.steps.begin", wrong)
    assert dispatched(made, first, 3) == [True, True, False]


@pytest.mark.parametrize("trouble", [gone(), PoolTimeout("no connection is free")])
def test_a_beginning_waits_for_a_database_that_is_away_or_busy(world, tmp_path, monkeypatch, trouble):
    world.started(world.drill(LINE, Mode.REHEARSAL))
    [first] = world.ready()
    made, begin, left = engine(world, tmp_path), steps.begin, [trouble] * 3

    def busy(*given: Any, **more: Any) -> Any:
        if left:
            raise left.pop()
        return begin(*given, **more)

    monkeypatch.setattr("app.runs.engine.steps.begin", busy)
    assert made._begin(first.step_run_id, first.attempt) is not None
    assert left == []


def test_a_workflow_that_was_taken_but_never_began_is_under_way_for_a_moment_only(world, tmp_path, monkeypatch):
    monkeypatch.setattr(engine_module.DBOS, "start_workflow", lambda *_: None)
    made, taken = engine(world, tmp_path), clock.passed()
    made._start_here(lambda *_: None, "step-1:1", SimpleNamespace(step_run_id="step-1", attempt=1))
    mine = made._boot.owner.executor_id
    assert made._is_under_way("step-1:1", "PENDING", mine)
    monkeypatch.setattr(clock, "passed", lambda: taken + BEGINS_WITHIN + 1)
    assert not made._is_under_way("step-1:1", "PENDING", mine), "it has no thread and nobody else would take it"
