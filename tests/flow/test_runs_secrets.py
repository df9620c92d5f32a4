"""No drill is started that would end halfway for want of a secret; the real thing goes as far as it can."""

import pytest
from sqlmodel import select

from app.catalog.models import Environment
from app.core import clock
from app.drills import held
from app.drills.held import SiteSecrets
from app.runs import drivers, planning
from app.runs.models import Run
from runners.contract import Fact
from tests.flow.runs_world import REGISTRY, build, driver


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = build(tmp_path)
    needy = driver("test.check-fenced", provides=(Fact(kind="fenced"),), dsns=("node",))
    drivers.use({**REGISTRY, **dict((needy,))})
    monkeypatch.setattr(clock, "now", lambda: made.now)
    with made.database.transaction() as session:
        for each in session.exec(select(Environment)):
            each.driver = {**each.driver, "dsn": f"secret://{each.role.value}"}
            session.add(each)
    return made


def says(world, why):
    told = {"source": None if why else "secrets folder", "why": why, "also": []}
    with world.database.transaction() as session:
        found = {"primary": told, "fallback": told}
        held.write(session, SiteSecrets(boot_id="b", sites="*", looked_at=world.now, found=found))


@pytest.mark.parametrize("why", ["missing", "open-to-others", "sealed"])
def test_a_drill_waits_with_its_reason_until_the_site_holds_the_secret(world, why):
    run = world.planned(world.switch())
    says(world, why)
    world.approve(run, "approver", "owner")
    for _ in range(2):
        with world.database.transaction() as session:
            planning.try_start(session, run, actor=world.actor("operator"), now=world.now)
        row = world.held(run).run
        assert row.started_at is None
        assert row.end_reason["code"] == "secret-missing"
        assert "'primary'" in row.end_reason["text"]["en"]
        assert world.ready() == []
    with world.database.transaction() as session, pytest.raises(planning.SecretMissing) as refused:
        planning.start(session, run, actor=world.actor("operator"), now=world.now)
    assert [each.field for each in refused.value.errors] == ["secrets/primary"]
    says(world, None)
    with world.database.transaction() as session:
        planning.start(session, run, actor=world.actor("operator"), now=world.now)
    assert world.held(run).run.started_at is not None


def test_the_real_thing_is_not_held_back(world):
    run = world.planned(world.switch())
    says(world, "missing")
    with world.database.transaction() as session:
        row = session.get_one(Run, run)
        row.activation = True
        session.add(row)
    with world.database.transaction(write=False) as session:
        planning._refuse_without_secrets(session, planning.hold(session, run), world.now)
