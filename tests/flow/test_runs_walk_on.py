"""Outcome and next intent in one transaction: kept while the database is away, known when its answer was lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from app.core.settings import Settings
from app.playbooks.rules import Mode
from app.runs.engine import Boot, Engine
from app.runs.models import RunEvent
from app.runs.perform import Performed
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
    performer: Any = SimpleNamespace(life=1)
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


def test_what_is_no_passing_trouble_of_the_database_is_not_tried_for_ever(world, tmp_path):
    made = engine(world, tmp_path)
    made._stopping.set()
    made._database.away = 1
    with pytest.raises(OperationalError):
        made._begin("any", 1)
