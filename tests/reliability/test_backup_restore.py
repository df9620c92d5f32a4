"""Wissel is backed up under load and in the middle of a step, lost, and restored: it says so, looks first, goes on."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core import migrations
from app.core.backup.reading import Backup
from app.core.db import Database
from tests.reliability import database, slow
from tests.reliability.figures import times, told
from tests.reliability.processes import CHECKOUT, Ground, ground, playbook, step, until
from tests.reliability.served import Load, Served, data

BACKUPS = times(1, 10)
BOTH = ["sqlite", "postgresql"]


@dataclass
class Kept:
    """A served Wissel on one kind of database, and empty databases to restore into."""

    served: Served
    folder: Path
    server: Any = None

    @property
    def ground(self) -> Ground:
        return self.served.ground

    def fresh(self, name: str) -> dict[str, str]:
        """The environment of an empty installation."""
        environment = self.ground.environment | data(self.folder / name)
        if self.server is None:
            return {key: value for key, value in environment.items() if key != "WISSEL_DATABASE_URL"}
        self.server.sql(f"create database {name}")
        return environment | {"WISSEL_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{self.server.port}/{name}"}


@pytest.fixture
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    if request.param == "sqlite":
        yield from _kept(ground(tmp_path), tmp_path, None)
        return
    with database.server() as (server, url):
        monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        yield from _kept(ground(tmp_path, url), tmp_path, server)


def _kept(made: Ground, folder: Path, server: Any) -> Iterator[Kept]:
    with made.world.database.transaction() as session:  # the world makes its tables as the migrations do
        [head] = migrations._heads()
        session.connection().execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        session.connection().execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": head})
    served = Served(made, data(folder / "data"))
    try:
        served.start().sign_in("operator")
        yield Kept(served, folder, server)
    finally:
        served.end()
        made.end()


def wissel(environment: dict[str, str], *arguments: object) -> dict[str, Any]:
    """The command as a shell would run it; what it says in JSON."""
    argv = [sys.executable, "-m", "app", *map(str, arguments), "--json"]
    done = subprocess.run(argv, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows(url: str, query: str) -> list[Any]:
    """What a database holds."""
    opened = Database(url)
    try:
        with opened.transaction(write=False) as session:
            return list(session.connection().execute(text(query)).all())
    finally:
        opened.dispose()


def address(environment: dict[str, str]) -> str:
    plain = environment.get("WISSEL_DATABASE_URL") or f"sqlite:///{environment['WISSEL_DATA_DIR']}/wissel.db"
    return plain.replace("postgresql:", "postgresql+psycopg:")


@pytest.mark.parametrize("kept", BOTH[times(1, 0) :], indirect=True)
def test_backups_under_load_hold_all_that_was_acknowledged_before_and_the_evidence_of_their_rows(kept: Kept) -> None:
    real = kept.ground
    real.go()
    ask = {"id": "ask", "ask": {"nl": "x", "en": "x"}, "timeout": 600, "needs": ["one"]}
    run_id = real.begun(playbook("test-evidence", step("one", real.folder), ask))
    real.wait_state(run_id, "waiting for a person", 60)
    missing: list[str] = []
    environment = real.environment | kept.served.environment
    with Load(kept.served, clients=2) as load:
        for number in range(BACKUPS):
            for each in range(3):
                upload(kept.served, run_id, f"{number}-{each}")
            load.wait_for(5)
            before = dict(load.acknowledged)
            file = kept.folder / f"{number}.backup"
            made = wissel(environment, "backup", file)
            assert made["missing"] == []
            with Backup(file) as opened:
                list(opened.verify())
                names = {json.loads(line)["name"] for line in opened.lines("supplier")}
                named = {json.loads(line)["sha256"] for line in opened.lines("evidence_file")}
                assert named == set(opened.manifest.evidence)
                assert len(named) == 3 * (number + 1)
            missing += sorted(set(before) - names)
    new = kept.fresh("new")
    wissel(new, "restore", file)
    lost = set(before) - {row[0] for row in rows(address(new), "select name from supplier")}
    assert (missing, sorted(lost), load.wrong) == ([], [], [])
    told(
        f"backup under load ({'PostgreSQL' if kept.server else 'SQLite'})",
        f"{BACKUPS} backups, {len(before)} rows acknowledged before the last: {len(missing) + len(lost)} missing",
    )


def upload(served: Served, run_id: str, content: str) -> None:
    headers = {"Authorization": f"Bearer {served.tokens['operator']}"}
    url = f"{served.url}/api/v1/runs/{run_id}/steps/ask/evidence"
    answer = httpx.post(url, files={"file": ("note.txt", content.encode())}, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("kept", BOTH[: times(1, 2)], indirect=True)
def test_what_was_running_is_told_held_and_looked_at_and_no_effect_of_the_lost_life_is_made_again(kept: Kept) -> None:
    real = kept.ground
    names = ["one", "two", "three"]
    chain = [step(each, real.folder, needs=names[max(0, n - 1) : n]) for n, each in enumerate(names)]
    run_id = real.begun(playbook("test-restored", *chain))
    real.wait_called(1, 60)
    file = kept.folder / "wissel.backup"
    made = wissel(real.environment | kept.served.environment, "backup", file)
    real.go("one")  # the life that will be lost goes on: it ends step one and makes the effect of step two
    real.wait_called(2, 60)
    assert kept.served.process is not None
    kept.served.process.kill()
    kept.served.process.wait()
    until(lambda: not real.body_alive(), "the bodies ended with it", 30)

    new = kept.fresh("new")
    found = wissel(new, "restore", file, "--sha256", made["sha256"])
    [run] = found["runs"]
    assert (run["state"], run["becomes"]) == ("running", "paused by guard")
    assert [(each["what"], each["subject"].split()[0]) for each in run["check"]] == [
        ("outcome-unknown", "one"),
        ("may-have-been-done", "two"),
        ("may-have-been-done", "three"),
    ]
    real.environment = new
    real.world.database.dispose()
    real.world.database = Database(address(new))
    kept.served.environment = {}
    kept.served.start().sign_in("operator")
    held = "paused by guard"
    calls = len(real.told(slow.CALLS))
    time.sleep(3)
    assert (kept.served.ask("GET", f"/runs/{run_id}").json()["state"], len(real.told(slow.CALLS))) == (held, calls)
    assert kept.served.ask("POST", f"/runs/{run_id}/resumptions", {"reason": "looked"}).is_success
    real.go()
    real.wait_state(run_id, "paused by guard", 60)
    until(lambda: "approval" in real.world.held(run_id).run.pause_reason.get("en", ""), "its approval is void", 60)
    real.world.approve(run_id)
    kept.served.ask("POST", f"/runs/{run_id}/resumptions", {"reason": "approved again"})
    real.wait_state(run_id, "completed", 60)
    assert real.told(slow.EFFECTS) == ["one", "two", "three"]
