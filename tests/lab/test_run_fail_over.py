"""The whole thing on real servers: an activation by the shipped playbook, and the return of the lost side."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import select

from app.access.models import Person
from app.plans.models import PlanClaim
from app.playbooks import yaml_text
from app.playbooks.rules import ClaimKind
from app.playbooks.service import SHIPPED
from app.runs.models import Obligation, RunAddition
from tests.flow.activation_world import activated, answer, publish
from tests.flow.runs_world import World
from tests.lab.conftest import Writer
from tests.lab.pair import LabPair
from tests.lab.pair import until as until_true
from tests.lab.test_fail_over import lose_the_primary, lost_to_the_writer, replication_lost
from tests.lab.test_run_switch import real as real
from tests.reliability.figures import told
from tests.reliability.processes import Ground, until

MANDATED = ("operator", "author")
"""Who may decide together to lose something."""


def shipped(name: str) -> dict[str, Any]:
    """A playbook as it ships, but for the service, which this lab lacks: the database is asked in its place."""
    text: dict[str, Any] = yaml_text.read((SHIPPED / name).read_text(encoding="utf-8")).data
    text["guards"] = []
    for step in text["steps"]:
        step.pop("evidence", None)
        if step["id"] == "serve":
            step |= {"uses": "postgres.check-writable", "with": {"pair": "${pair}", "node": "${to}"}}
    return text


@pytest.fixture
def world(real: Ground) -> World:
    with real.world.database.transaction() as session:
        publish(session, shipped("fail-over.yaml"))
        claim = PlanClaim(
            plan_version_id="version",
            position=9,
            key="unplanned",
            kind=ClaimKind.FAILOVER,
            min_level=4,
            valid_days=365,
            rto_s=900,
        )
        session.add(claim)
        for name in ("approver", "owner", "author"):
            session.get_one(Person, name).roles = ["approver"]
    return real.world


def reached(real: Ground, run_id: str, step: str) -> None:
    """Until this step waits for somebody; else the test says where the run stands."""
    try:
        until(lambda: real.steps(run_id)[step] == "waiting", step, 60)
    except AssertionError:
        rows = real.world.held(run_id).steps.values()
        raise AssertionError([(row.step_id, row.state.value, row.outcome) for row in rows]) from None


def say(real: Ground, run_id: str, step: str, option: str, *names: str) -> None:
    """These people answer, once they are asked."""
    reached(real, run_id, step)
    for name in names or ("operator",):
        answer(real.world, run_id, step, option, by=name)


def decided(real: Ground) -> str:
    """An activation up to the decision to accept the loss; the id of its run."""
    real.world.now = datetime.now(UTC)
    run_id = activated(real.world, participants=[{"role": "crisis-manager", "personId": each} for each in MANDATED])
    say(real, run_id, "alarm", "done")
    say(real, run_id, "go", "go")
    return run_id


def test_an_activation_takes_over_and_the_return_lists_what_was_lost_and_settles_the_debts(
    real: Ground, world: World, pair: LabPair, writer: Writer
) -> None:
    lose_the_primary(pair)
    run_id = decided(real)
    reached(real, run_id, "accept")
    lost_ms = {each["name"]: each["value"] for each in world.held(run_id).steps["loss"].outcome["measurements"]}
    say(real, run_id, "accept", "accept", *MANDATED)
    say(real, run_id, "tell", "done")
    say(real, run_id, "owner", "done", "owner")
    real.wait_state(run_id, "completed", 60)
    writer.wait_for(20)
    writer.__exit__()
    run = world.held(run_id).run
    assert real.steps(run_id) | {"compare": "skipped", "follow": "skipped", "listed": "skipped"} == real.steps(run_id)
    assert world.proofs()["unplanned"][0] == "pass"
    assert run.rpa_ms is not None
    lost = lost_to_the_writer(pair, writer)
    inputs = {"pair": "pair", "from": "primary", "to": "fallback", "rows": 1000, "incomplete": False}
    back = real.begun(shipped("return-old-side.yaml"), pair_id="pair", direction="none", inputs=inputs)
    say(real, back, "back", "done")
    say(real, back, "discard", "discard", "owner")
    real.wait_state(back, "completed", 90)
    with world.database.transaction(write=False) as session:
        debts = session.exec(select(Obligation).where(Obligation.run_id == run_id, Obligation.kind == "debt")).all()
        added = session.exec(select(RunAddition).where(RunAddition.run_id == run_id)).one()
    assert {debt.step_id for debt in debts} >= {"fence-old", "compare", "follow"}
    assert [debt.step_id for debt in debts if debt.done_at is None and debt.runner] == []
    assert added.figures["lost_rows"] == len(lost)
    query = "select count(*), md5(string_agg(n::text, ',' order by n)) from written"
    until_true(lambda: pair.primary.sql(query) == pair.fallback.sql(query), 30)
    shown = f"RTA {run.rta_ms} ms, RPA at most {run.rpa_ms} ms, loss shown for the decision {lost_ms['loss_ms']:.0f} ms"
    told(
        "a killed primary is failed over from, its lost rows listed at its return",
        f"{shown}; {len(lost)} of {len(lost)}",
    )


def test_a_primary_that_answers_after_all_stops_the_activation_before_anybody_can_accept(
    real: Ground, world: World, pair: LabPair
) -> None:
    replication_lost(pair)
    run_id = decided(real)
    real.wait_state(run_id, "paused by failed step", 60)
    assert (real.steps(run_id)["cut-seen"], real.steps(run_id)["promote"]) == ("failed", "not started")
    assert pair.fallback.sql("select pg_is_in_recovery()") == [(True,)]
    assert "fence-by-hand" not in {each.command.value for each in world.held(run_id).legal()}
