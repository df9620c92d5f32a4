"""Many starts on one environment at once: one gets it, the rest are told who has it."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from app.runs import planning
from app.runs.locks import EnvironmentBusy
from app.runs.models import EnvironmentLock, Run
from app.runs.record import Approval, ApprovalVerdict
from app.runs.rules import RunState
from tests.flow.runs_world import World, build

STARTS = 12


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def test_of_many_starts_at_once_one_gets_the_environment_and_the_rest_a_clear_refusal(world: World) -> None:
    ids = [world.planned(world.switch()) for _ in range(STARTS)]
    with world.database.transaction() as session:
        for run_id in ids:  # approved by hand-set rows: only the lock is tried here
            run = session.get_one(Run, run_id)
            _approvals(session, world, run)
    outcomes: list[str] = []
    together = threading.Barrier(STARTS)

    def start(run_id: str) -> None:
        together.wait()
        try:
            with world.database.transaction() as session:
                planning.start(session, run_id, actor=world.actor("operator"), now=world.now)
            outcomes.append("started")
        except EnvironmentBusy as busy:
            outcomes.append(str(busy))

    threads = [threading.Thread(target=start, args=(run_id,)) for run_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("started") == 1
    assert sum("held by run RUN-" in each for each in outcomes) == STARTS - 1
    with world.database.transaction() as session:
        [holder] = {lock.run_id for lock in session.exec(select(EnvironmentLock))}
        assert holder is not None
        assert session.get_one(Run, holder).state is RunState.RUNNING


def _approvals(session: Session, world: World, run: Run) -> None:
    for person in ("approver", "owner"):
        session.add(
            Approval(
                drill_id=run.drill_id,
                run_id=run.id,
                digest=run.digest,
                person_id=person,
                as_owner=person == "owner",
                verdict=ApprovalVerdict.APPROVED,
                at=world.now,
                valid_from=world.now,
                valid_until=world.now + timedelta(hours=1),
            )
        )


def test_the_token_grows_with_each_owner(world: World) -> None:
    first = world.started(world.switch())
    assert world.begin().fencing_token == 1
    world.command("this_is_real", first)
    world.started(world.switch())
    assert world.begin().fencing_token == 2
