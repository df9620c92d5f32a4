"""The time between two steps, from the end of one body to the beginning of the next, beside other ways to walk on."""

import json
import os
import statistics
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import text

from app.runs import drivers
from tests.bench import noop, own_postgres
from tests.bench.bare_noop import gaps
from tests.bench.bare_noop import noop as bare
from tests.bench.told import timed, told
from tests.flow.runs_world import REGISTRY, build
from tests.reliability import figures
from tests.reliability.processes import CHECKOUT, Ground, playbook

STEPS = 12
"""As many as the shipped switch has."""
RUNS = figures.times(4, 12)
CHAOS = CHECKOUT / ".venv" / "share" / "chaos" / "bin" / "chaos"


def line(file: Path) -> list[dict[str, object]]:
    """Steps one after the other; each is a change that nothing takes back, so its approval is looked at again."""
    return [
        {"id": f"s{n}", "uses": "bench.noop", "with": {"file": str(file)}, "timeout": 60, "irreversible": True}
        | ({"needs": [f"s{n - 1}"]} if n else {})
        for n in range(STEPS)
    ]


def by_wissel(folder: Path, url: str | None) -> tuple[list[float], float]:
    """All gaps of some runs, by a worker process; and one bare commit on the same database, in milliseconds."""
    folder.mkdir()
    world = build(folder)
    drivers.use({**REGISTRY, **noop.registry()})
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WISSEL_")}
    environment |= {
        "PYTHONPATH": f"{noop.install(folder / 'packages')}{os.pathsep}{CHECKOUT}",
        "WISSEL_DATABASE_URL": url or f"sqlite:///{folder / 'test.db'}",
        "WISSEL_RUNNER_USER": "root",
    }
    ground = Ground(world, folder, environment)
    try:
        ground.worker().start()
        found: list[float] = []
        for number in range(RUNS):
            file = folder / f"times-{number}"
            ground.wait_state(ground.begun(playbook(f"bench-line-{number}", *line(file))), "completed", 60)
            found += gaps(file)
        return found, bare_commit(world.database)
    finally:
        ground.end()


def bare_commit(database) -> float:
    """Milliseconds of one written row, committed."""
    with database.transaction() as session:
        session.connection().execute(text("CREATE TABLE bench (n integer)"))

    def commit() -> None:
        with database.transaction() as session:
            session.connection().execute(text("INSERT INTO bench VALUES (1)"))

    return timed(commit, 100)


def test_time_between_two_steps_on_sqlite(tmp_path):
    found, commit = by_wissel(tmp_path / "sqlite", None)
    told("time between two steps on SQLite, p50, against a bare commit", statistics.median(found), commit)
    figures.told("time between two steps on SQLite", f"p50 {statistics.median(found):.1f} ms (wanted: <= 10)")


def test_time_between_two_steps_on_postgres(tmp_path, monkeypatch):
    with own_postgres.running() as server:
        url = server.empty()
        monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        found, commit = by_wissel(tmp_path / "postgres", url)
    told("time between two steps on PostgreSQL, p50, against a bare commit", statistics.median(found), commit)
    figures.told("time between two steps on PostgreSQL", f"p50 {statistics.median(found):.1f} ms (wanted: <= 15)")


def test_the_same_steps_by_a_bare_loop(tmp_path):
    for _ in range(200):
        bare(str(tmp_path / "times"))
    figures.told(
        "the same steps by a bare loop that keeps nothing",
        f"p50 {statistics.median(gaps(tmp_path / 'times')):.3f} ms",
    )


def test_the_same_steps_by_chaos_toolkit(tmp_path):
    if not CHAOS.exists():
        figures.told("the same steps by Chaos Toolkit", "not run: it is not installed (make bench installs it)")
        pytest.skip("not run: Chaos Toolkit is not installed")
    file = tmp_path / "times"
    act = {
        "type": "action",
        "name": "noop",
        "provider": {"type": "python", "module": "bare_noop", "func": "noop", "arguments": {"file": str(file)}},
    }
    experiment = {"title": "no-op", "description": "no-op", "version": "1.0.0", "method": [act] * 100, "rollbacks": []}
    (tmp_path / "experiment.json").write_text(json.dumps(experiment))
    done = subprocess.run(
        [str(CHAOS), "--no-version-check", "run", "experiment.json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = statistics.median(gaps(file))
    figures.told("the same steps by Chaos Toolkit", f"p50 {found:.1f} ms; it keeps its journal in memory until the end")
