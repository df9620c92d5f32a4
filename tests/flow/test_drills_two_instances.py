"""Two instances on one PostgreSQL: each moment is claimed by one of them, and neither fails."""

import os
import shutil
import tempfile
import threading
from pathlib import Path

import pytest
from sqlmodel import select

from app.access.rules import SYSTEM
from app.core.db import Database
from app.drills.claiming import claim_due_moments
from app.drills.models import DrillMoment
from app.drills.service import plan_drill
from app.drills.shapes import DrillIn
from tests.flow.drills_app import NOW, RUNNERS, build, swap
from tests.flow.test_drills_moments_claimed import FIRST
from tests.lab.pair import NOBODY, LabServer, postgres_binaries


@pytest.fixture
def url():
    folder = Path(tempfile.mkdtemp(prefix="wissel-claims-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    server = LabServer(folder, "database", postgres_binaries())
    server.create()
    server.start()
    yield f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/postgres"
    server.end()
    shutil.rmtree(folder)


def test_each_moment_is_claimed_by_one_instance_and_none_is_lost(url, tmp_path):
    house = build(tmp_path, url)
    with house.database.transaction() as session:
        for _ in range(40):
            plan_drill(session, DrillIn.model_validate(swap()), SYSTEM, registry=RUNNERS, now=NOW)
    instances = [house.database, *(Database(url) for _ in range(3))]
    claimed: list[str] = []
    failed: list[BaseException] = []
    ready = threading.Barrier(len(instances))

    def look(database):
        ready.wait()
        try:
            with database.transaction() as session:
                claimed.extend(row.drill_id for row in claim_due_moments(session, now=FIRST))
        except BaseException as error:
            failed.append(error)

    clocks = [threading.Thread(target=look, args=(each,)) for each in instances]
    for each in clocks:
        each.start()
    for each in clocks:
        each.join()
    with house.database.transaction(write=False) as session:
        rows = session.exec(select(DrillMoment.drill_id)).all()
    for each in instances:
        each.dispose()
    assert failed == []
    assert sorted(claimed) == sorted(rows)
    assert len(set(rows)) == len(rows) == 40
