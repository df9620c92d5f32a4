"""A run that waits for a person while Wissel itself is replaced by a newer one: it goes on under the new code."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import select

from app.access.models import Person
from app.core import migrations
from app.core.db import Database
from app.runs import answers, drivers
from app.runs.models import Run, RunEvent, StepRun
from app.runs.record import Approval
from tests.flow.runs_world import REGISTRY, World
from tests.reliability import database, slow
from tests.reliability.figures import told
from tests.reliability.other_worker import of_an_older_version
from tests.reliability.processes import CHECKOUT, Ground, ground, playbook, step, until

CASES = CHECKOUT / "tests" / "cases"
FOLDER = Path("/tmp/wissel-run-of-old-code")
"""Where the steps of the stored run have their effects."""
WORKER = "worker"


def restored(sql: Path, file: Path) -> None:
    """The database as the old code left it."""
    link = sqlite3.connect(file)
    link.executescript(sql.read_text(encoding="utf-8"))
    link.close()


def still_to_come(database_: Database) -> None:
    """What was good for a year when it was stored is good for a day from now."""
    later = datetime.now(UTC) + timedelta(days=1)
    with database_.transaction() as session:
        for approval in session.exec(select(Approval)):
            approval.valid_until = later
            session.add(approval)
        for row in session.exec(select(StepRun)):
            if row.due_at is not None:
                row.due_at = later
                session.add(row)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Ground]:
    """What older code (commit d6e9b98) left: one step done, a question open, one step to come."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / f"data-{WORKER}").mkdir(parents=True)
    restored(CASES / "old-code-waiting-run.sql", FOLDER / "test.db")
    restored(CASES / "old-code-engine.sql", FOLDER / f"data-{WORKER}" / "engine.db")
    held = Database(f"sqlite:///{FOLDER / 'test.db'}")
    migrations.upgrade(held)
    with held.transaction() as session:  # the people of this database had no roles, which nobody asked for then
        session.execute(update(Person).values(roles=["approver"]))
    still_to_come(held)
    drivers.use({**REGISTRY, **{kind.name: kind() for kind in slow.KINDS}})
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WISSEL_")}
    environment |= {
        "PYTHONPATH": f"{slow.install(FOLDER / 'packages', slow.KINDS)}{os.pathsep}{CHECKOUT}",
        "WISSEL_DATABASE_URL": f"sqlite:///{FOLDER / 'test.db'}",
        "WISSEL_TICK_SECONDS": "1",
        "WISSEL_RUNNER_USER": "root",
    }
    made = Ground(World(held, now=datetime.now(UTC)), FOLDER, environment)
    made.go()
    yield made
    made.end()
    shutil.rmtree(FOLDER, ignore_errors=True)


def answered(real: Ground, run_id: str) -> None:
    """The person whom the run waits for says yes."""
    with real.world.database.transaction() as session:
        operator = real.world.actor("operator")
        now = datetime.now(UTC)
        answers.answer(session, run_id, "ask", option="done", comment="", evidence=[], actor=operator, now=now)


def waiting(real: Ground) -> str:
    with real.world.database.transaction(write=False) as session:
        return session.exec(select(Run.id).where(Run.playbook_name == "test-old")).one()


def test_a_run_that_old_code_began_is_migrated_answered_and_completed_by_new_code(old: Ground) -> None:
    run_id = waiting(old)
    assert old.steps(run_id) == {"one": "succeeded", "ask": "waiting", "two": "not started"}
    worker = old.worker(WORKER).start()
    assert old.steps(run_id)["ask"] == "waiting", "the start of the new code answers nothing"
    answered(old, run_id)
    old.wait_state(run_id, "completed", 60)
    assert old.told(slow.EFFECTS) == ["two"], "what old code did is not done again, what is new is done once"
    with old.world.database.transaction(write=False) as session:
        kinds = list(session.exec(select(RunEvent.kind).where(RunEvent.run_id == run_id)))
    assert "run.configuration-changed" not in kinds
    assert worker.process is not None
    told("run of the code before this session, waiting for a person (SQLite)", "migrated, answered, completed; 0 twice")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    with database.url("postgresql", tmp_path) as url:
        assert url is not None
        monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        made = ground(tmp_path, url)
        yield made
        made.end()


def test_workers_are_replaced_one_by_one_while_a_run_waits_and_while_it_works(shared: Ground) -> None:
    question = {"id": "ask", "ask": {"nl": "Werkt het?", "en": "Does it work?"}, "role": "operator", "timeout": 3600}
    text = playbook(
        "test-old",
        step("one", shared.folder),
        question | {"needs": ["one"]},
        step("two", shared.folder, needs=["ask"]),
        step("three", shared.folder, needs=["two"]),
    )
    olds = [of_an_older_version(shared, f"old-{n}", 5).start() for n in range(2)]
    run_id = shared.begun(text)
    shared.wait_called(1)
    shared.go("one")
    until(lambda: shared.steps(run_id)["ask"] == "waiting", "it waits for a person", 60)
    for number, leaving in enumerate(olds):
        shared.worker(f"new-{number}", lease_seconds=5).start()
        leaving.end()
    answered(shared, run_id)
    shared.wait_called(2, 60)
    shared.go()
    shared.wait_state(run_id, "completed", 60)
    assert shared.told(slow.EFFECTS) == ["one", "two", "three"]
    told("rolling restart of two workers while a run waits (PostgreSQL)", "goes on and completes; 0 twice")
