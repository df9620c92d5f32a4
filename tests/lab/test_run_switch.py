"""Whole runs on real servers: the engine, the real drivers, a worker process, and what goes wrong in the world."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.catalog.models import Environment, EnvironmentPair
from app.findings.models import Finding
from app.runs import drivers
from runners import registry
from tests.flow.runs_world import build
from tests.lab.conftest import Writer
from tests.lab.pair import LabPair
from tests.reliability.processes import CHECKOUT, Ground, until

BOTH = {"from": "${from}", "to": "${to}"}
FROM, TO = {"pair": "${pair}", "node": "${from}"}, {"pair": "${pair}", "node": "${to}"}
LSN = "${steps.fence.measurements.final_lsn}"
CANARY = "${steps.fence.measurements.canary}"


def _step(name: str, uses: str, given: dict[str, Any], *needs: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "uses": uses, "with": given, "timeout": 20, "needs": list(needs)} | more


SWAP: dict[str, Any] = {
    "playbook": "test-real-swap",
    "title": {"nl": "Wisselen", "en": "Switch"},
    "modes": ["live"],
    "inputs": {"pair": {"type": "environment-pair"}, "from": {"type": "side"}, "to": {"type": "side"}},
    "locks": ["pair"],
    "proves": {"switchover": ["fenced", "writable", "serve"]},
    "steps": [
        _step("home", "postgres.check-writable", FROM),
        _step("lag", "postgres.replication-lag", {"pair": "${pair}", **BOTH, "at_most": "PT5S"}),
        _step(
            *("fence", "postgres.fence", FROM, "home", "lag"),
            phase="over",
            starts_outage=True,
            undo={"uses": "postgres.unfence", "with": FROM, "timeout": 20},
        ),
        _step("fenced", "postgres.check-fenced", FROM, "fence", phase="over"),
        _step("final", "postgres.caught-up", {**TO, "lsn": LSN}, "fenced", phase="over"),
        _step("promote", "postgres.promote", TO, "final", phase="over", point_of_no_return=True),
        _step("writable", "postgres.check-writable", {**TO, "canary": CANARY}, "promote", phase="over"),
        _step(
            *("redirect", "switch.haproxy", {"pair": "${pair}", "to": "${to}"}, "writable"),
            phase="over",
            irreversible=True,
        ),
        _step("serve", "postgres.check-writable", TO, "redirect", ends_outage=True),
        _step("follow", "postgres.follow", {**FROM, "upstream": "${to}"}, "serve", irreversible=True, timeout=60),
    ],
}


@pytest.fixture
def real(tmp_path: Path, pair: LabPair) -> Iterator[Ground]:
    world = build(tmp_path)
    drivers.use(registry.load())
    shape = pair.environment
    with world.database.transaction() as session:
        for side in ("primary", "fallback"):
            row = session.get_one(Environment, side)
            row.driver = getattr(shape, side).model_dump(exclude={"site"}, exclude_none=True)
            session.add(row)
        both = session.get_one(EnvironmentPair, "pair")
        both.proxy = shape.proxy.model_dump() if shape.proxy else {}
        session.add(both)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WISSEL_")}
    environment |= {
        "PYTHONPATH": str(CHECKOUT),
        "WISSEL_DATABASE_URL": f"sqlite:///{tmp_path / 'test.db'}",
        "WISSEL_TICK_SECONDS": "1",
        "WISSEL_RUNNER_USER": "root",
        "WISSEL_SECRET_LAB_PRIMARY": pair.primary.dsn,
        "WISSEL_SECRET_LAB_FALLBACK": pair.fallback.dsn,
    }
    made = Ground(world, tmp_path, environment)
    made.worker().start()
    yield made
    made.end()


def begin(real: Ground, **changed: Any) -> str:
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    return real.begun(SWAP | changed, pair_id="pair", direction="over", inputs=inputs)


def standby(pair: LabPair) -> bool:
    """Whether the fallback is still a standby."""
    return pair.fallback.sql("select pg_is_in_recovery()") == [(True,)]


def ended(real: Ground, run_id: str) -> tuple[str, str | None]:
    """State and verdict after a person aborted the run that stopped."""
    real.command("abort", run_id)
    run = real.world.held(run_id).run
    return run.state.value, run.verdict.value if run.verdict else None


def test_a_planned_switch_under_load_passes_at_level_four_and_loses_no_write(
    real: Ground, pair: LabPair, writer: Writer
) -> None:
    run_id = begin(real)
    real.wait_state(run_id, "completed", 60)
    writer.wait_for(20)
    writer.__exit__()
    run = real.world.held(run_id).run
    assert real.world.proofs() == {"over": ("pass", 4)}
    held = {row[0] for row in pair.fallback.sql("select n from written")}
    assert set(writer.acknowledged) <= held
    assert run.rta_ms is not None
    print(f"RTA {run.rta_ms} ms, RPA {run.rpa_ms} ms, client outage {writer.outage_ms():.0f} ms")
    assert run.rpa_ms == 0
    assert writer.outage_ms() < run.rta_ms + 1000
    with real.world.database.transaction(write=False) as session:
        assert session.get_one(EnvironmentPair, "pair").home_side == "fallback"


def test_a_primary_that_is_dead_before_a_planned_switch_stops_it_and_is_an_incident(
    real: Ground, pair: LabPair
) -> None:
    pair.primary.kill()
    run_id = begin(real)
    real.wait_state(run_id, "paused by failed step", 40)
    until(lambda: real.steps(run_id)["lag"] == "failed", "the lag was looked at")
    assert standby(pair)
    assert ended(real, run_id) == ("aborted", "inconclusive")
    with real.world.database.transaction(write=False) as session:
        finding = session.exec(select(Finding)).one()
    assert (finding.source, finding.severity) == ("incident", "high")
    assert real.world.proofs()["over"][0] == "inconclusive"


def test_a_standby_that_is_stopped_is_never_switched_to(real: Ground, pair: LabPair) -> None:
    pair.fallback.stop()
    run_id = begin(real)
    real.wait_state(run_id, "paused by failed step", 40)
    assert real.steps(run_id)["fence"] == "not started"
    assert pair.primary.sql("select pg_is_in_recovery()") == [(False,)]
    assert ended(real, run_id)[0] == "aborted"


def test_a_standby_that_lags_too_far_is_never_switched_to(real: Ground, pair: LabPair, writer: Writer) -> None:
    pair.fallback.sql("select pg_wal_replay_pause()")
    writer.wait_for(300)
    steps = [
        each if each["id"] != "lag" else {**each, "with": {**each["with"], "at_most": "PT0.5S"}, "timeout": 8}
        for each in SWAP["steps"]
    ]
    run_id = begin(real, playbook="test-real-lag", steps=steps)
    real.wait_state(run_id, "paused by failed step", 40)
    assert (real.steps(run_id)["lag"], real.steps(run_id)["fence"]) == ("failed", "not started")
    assert standby(pair)


def test_a_proxy_that_cannot_be_reached_after_the_promotion_waits_for_it_and_loses_nothing(
    real: Ground, pair: LabPair, writer: Writer
) -> None:
    writer.__exit__()
    pair.proxy.end()
    pair.proxy.socket.unlink(missing_ok=True)
    run_id = begin(real)
    real.wait_state(run_id, "paused by failed step", 60)
    offered = {each.command.value for each in real.world.held(run_id).legal()}
    assert (real.steps(run_id)["promote"], "retry" in offered, "undo" in offered) == ("succeeded", True, False)
    pair.proxy.start()
    real.command("retry", run_id, "redirect")
    real.wait_state(run_id, "completed", 60)
    held = {row[0] for row in pair.fallback.sql("select n from written")}
    assert set(writer.acknowledged) <= held
    assert real.world.held(run_id).run.verdict == "passed"
