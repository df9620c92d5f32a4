"""What an activation and its debts must hold against: a lost target, other locks, machines, and an undo afterwards."""

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.access.rules import Actor, Kind, Role
from app.catalog.models import Environment, EnvironmentPair
from app.core.errors import InvalidInput, NotAllowed
from app.playbooks.rules import Mode
from app.runs import commands, obligations
from app.runs.locks import EnvironmentBusy
from app.runs.models import Obligation, Run
from app.runs.rules import Pause, RunState
from tests.flow.activation_world import FAIL_OVER, RETURN, activated, answer, back, failed_over, publish, ready
from tests.flow.runs_world import World, build

MACHINE = Actor(Kind.MACHINE, "nightly", "nightly", frozenset({Role.OPERATOR}))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return ready(build(tmp_path))


def debts_of(world: World, run_id: str) -> dict[str | None, bool]:
    with world.database.transaction(write=False) as session:
        rows = session.exec(select(Obligation).where(Obligation.run_id == run_id, Obligation.kind == "debt"))
        return {row.step_id: row.done_at is not None for row in rows}


def test_nobody_fails_over_to_the_side_that_is_lost(world: World) -> None:
    sides = {"from": "primary", "to": "fallback"}
    with pytest.raises(InvalidInput) as refused:
        activated(world, lost={"sides": ["fallback"]}, inputs=sides)
    assert [(each.field, each.code) for each in refused.value.errors] == [("lost/sides", "target-lost")]
    world.drill(FAIL_OVER, Mode.LIVE, pair_id="pair", direction="over", inputs={"pair": "pair", **sides})
    with pytest.raises(InvalidInput) as refused:
        activated(world, lost={"sides": ["fallback"]}, drill="DRL-001")
    assert refused.value.errors[0].code == "target-lost"


def second_pair(world: World) -> None:
    """Another service that falls back elsewhere."""
    with world.database.transaction() as session:
        common = {"created_at": world.now, "updated_at": world.now}
        for name in ("third", "fourth"):
            more = {"ref": f"ENV-{name}", "service_id": "service", "role": "fallback", "site_id": "site-fallback"}
            session.add(Environment(id=name, name=name, **more, **common))
        session.flush()
        more = {"service_id": "service", "primary_id": "third", "fallback_id": "fourth", "home_since": world.now}
        session.add(EnvironmentPair(id="net", ref="PAIR-002", name="network", service_url="", **more, **common))


def test_a_second_activation_beside_one_that_waits_for_approval_is_refused_with_its_name(world: World) -> None:
    second_pair(world)
    first = world.held(activated(world, pair="pair", breakGlass=False)).run
    assert first.state is RunState.AWAITING_APPROVAL
    for broken in (False, True):
        with pytest.raises(EnvironmentBusy) as refused:
            activated(world, pair="pair", breakGlass=broken)
        assert (refused.value.status, refused.value.extra["heldBy"]) == (409, first.ref)
        assert f"{first.ref} waits for its approval" in str(refused.value)
    elsewhere = world.held(activated(world, pair="net", breakGlass=False)).run
    assert elsewhere.state is RunState.AWAITING_APPROVAL, "other environments are another matter"
    world.command("abort", first.id)
    assert world.held(activated(world, pair="pair")).run.state is RunState.WAITING


def test_while_one_runs_another_does_not_even_wait(world: World) -> None:
    first = world.held(activated(world)).run
    with pytest.raises(EnvironmentBusy) as refused:
        activated(world, breakGlass=False)
    assert refused.value.extra["heldBy"] == first.ref
    with world.database.transaction(write=False) as session:
        assert len(session.exec(select(Run)).all()) == 1


def test_a_step_that_is_undone_later_settled_nothing(world: World) -> None:
    run_id = failed_over(world)
    undo = {"uses": "test.unfence", "with": {"pair": "${pair}", "node": "${side}"}, "timeout": 60}
    fence, compare, follow = RETURN["steps"]
    kept = {key: value for key, value in fence.items() if key != "irreversible"}
    way_back = back(world, {**RETURN, "playbook": "undone", "steps": [{**kept, "undo": undo}, compare, follow]})
    world.do(step="fence")
    world.do(step="compare")
    work = world.begin()
    assert work.runner == "test.follow"
    world.finish(work, None)
    world.command("undo", way_back)
    assert debts_of(world, run_id)["fence"] is False


def test_what_is_done_for_a_lost_side_alone_may_lock_more_and_is_approved_all_the_same(world: World) -> None:
    second_pair(world)
    given = {"pair": "${net}", "node": "${from}"}
    only = {"id": "shut", "uses": "test.keyed", "with": given, "timeout": 60, "needs": ["go"], "lost": "only"}
    steps_ = [dict(each) for each in FAIL_OVER["steps"]]
    steps_[1]["needs"] = ["shut"]
    text = {**FAIL_OVER, "playbook": "two-pairs", "steps": [steps_[0], {**only, "irreversible": True}, *steps_[1:]]}
    text["inputs"] = {**FAIL_OVER["inputs"], "net": {"type": "environment-pair"}}
    with world.database.transaction() as session:
        publish(session, text)
    run_id = activated(world, playbook="two-pairs", pair="pair", inputs={"net": "net"})
    assert len(world.held(run_id).run.lock_keys) == 4
    answer(world, run_id, "go", "go")
    for step in ("shut", "cut", "promote"):
        assert world.do(step=step) == step


def test_a_machine_closes_no_debt(world: World) -> None:
    run_id = failed_over(world)
    with world.database.transaction(write=False) as session:
        debt = session.exec(select(Obligation).where(Obligation.step_id == "fence")).one().id
    given: dict[str, Any] = {"reason": "done", "forced": True, "now": world.now}
    with pytest.raises(NotAllowed), world.database.transaction() as session:
        obligations.complete(session, debt, actor=MACHINE, **given)
    assert debts_of(world, run_id)["fence"] is False


@pytest.mark.parametrize("command", ["resume", "undo"])
def test_a_machine_lets_nothing_go_on_that_came_out_of_a_backup(world: World, command: str) -> None:
    run_id = world.started(world.switch())
    world.do(step="lag")
    answer(world, run_id, "go", "go")
    world.do(step="fence")
    with world.database.transaction() as session:
        session.get_one(Run, run_id).paused = Pause.RESTORED
    given: dict[str, Any] = {"reason": "", "now": world.now}
    with pytest.raises(NotAllowed), world.database.transaction() as session:
        getattr(commands, command)(session, run_id, actor=MACHINE, **given)
    assert world.held(run_id).run.paused is Pause.RESTORED
