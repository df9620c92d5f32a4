"""Runs that are cut off, aborted, undone or refused halfway: nothing twice, nothing lost, a person knows."""

import copy
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.findings.models import Finding
from app.playbooks.rules import Mode
from app.runs import answers, approval, handover, leases, planning, steps
from app.runs.commands import NotLegalNow
from app.runs.leases import WorkerLease
from app.runs.models import EnvironmentLock, Obligation
from app.runs.record import Approval
from app.runs.rules import Do, RunState
from app.runs.steps import POISON
from app.runs.work import Owner
from runners.contract import Seen
from tests.flow.runs_world import LINE, ME, SWITCH, World, build, failed, passed

OTHER = Owner("boot-2", "here:2")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def answer(world: World, run_id: str, step: str, option: str, by: str = "operator") -> None:
    with world.database.transaction() as session:
        answers.answer(
            session, run_id, step, option=option, comment="so", evidence=[], actor=world.actor(by), now=world.now
        )


def at_fence(world: World, text: dict[str, Any] = SWITCH) -> str:
    """A switch whose fence is ready."""
    run_id = world.started(
        world.drill(
            text,
            Mode.LIVE,
            pair_id="pair",
            direction="over",
            inputs={"pair": "pair", "from": "primary", "to": "fallback"},
        )
    )
    world.do(step="lag")
    answer(world, run_id, "go", "go")
    return run_id


def lose_worker(world: World, boot: str = ME.boot_id) -> None:
    with world.database.transaction() as session:
        handover.take_over(session, [boot], now=world.later(seconds=5))


def test_an_effect_whose_worker_was_lost_is_looked_for_and_adopted_when_it_is_there(world: World) -> None:
    run_id = at_fence(world)
    first = world.begin()
    lose_worker(world)
    again = world.begin(OTHER)
    assert (again.call, again.effect_key, again.attempt) == (Do.OBSERVE_FIRST, first.effect_key, first.attempt + 1)
    after = world.observe(again, Seen.DONE, OTHER)
    assert after.work is None
    assert world.states(run_id)["fence"] == "succeeded"
    assert [each.step_run_id for each in after.ready] == [each.step_run_id for each in world.ready()]


def test_an_effect_that_is_not_there_is_made_under_a_new_key(world: World) -> None:
    at_fence(world)
    first = world.begin()
    lose_worker(world)
    after = world.observe(world.begin(OTHER), Seen.NOT_DONE, OTHER)
    assert after.work is not None
    assert (after.work.call, after.work.effect_key) == (Do.RUN, first.effect_key.replace(":1", ":2"))


def test_an_effect_that_could_not_be_looked_for_leaves_the_run_interrupted_for_a_person(world: World) -> None:
    run_id = at_fence(world)
    world.begin()
    lose_worker(world)
    world.observe(world.begin(OTHER), Seen.UNKNOWN, OTHER)
    run = world.held(run_id)
    assert run.run.state is RunState.INTERRUPTED
    assert run.run.ended is None
    assert {"undo", "abort", "retry"} <= {each.command.value for each in run.legal()}


def test_a_switch_cut_off_halfway_is_never_repeated_by_itself_where_it_can_not_be_seen(world: World) -> None:
    text = copy.deepcopy(SWITCH)
    text["playbook"], text["steps"][2]["uses"] = "test-never", "test.once"
    run_id = at_fence(world, text)
    world.begin()
    lose_worker(world)
    assert world.ready() == []
    assert world.held(run_id).run.state is RunState.INTERRUPTED


def test_a_keyed_effect_is_repeated_under_the_same_key(world: World) -> None:
    text = copy.deepcopy(SWITCH)
    text["playbook"], text["steps"][2]["uses"] = "test-keyed", "test.keyed"
    at_fence(world, text)
    first = world.begin()
    lose_worker(world)
    again = world.begin(OTHER)
    assert (again.call, again.effect_key) == (Do.RUN, first.effect_key)


def test_the_outcome_of_a_former_owner_writes_nothing(world: World) -> None:
    run_id = at_fence(world)
    first = world.begin()
    lose_worker(world)
    world.finish(first, passed())
    assert world.states(run_id)["fence"] == "ready"


def test_a_step_that_kills_one_worker_after_the_other_is_parked_for_a_person(world: World) -> None:
    run_id = at_fence(world)
    for number in range(POISON):
        world.begin(Owner(f"boot-{number}", "x"))
        lose_worker(world, f"boot-{number}")
    assert world.ready() == []
    assert world.states(run_id)["fence"] == "unknown"


def test_a_body_without_an_outcome_is_looked_at_before_anything_else(world: World) -> None:
    run_id = at_fence(world)
    world.finish(world.begin(), None)
    look = world.begin()
    assert look.call is Do.OBSERVE_FIRST
    world.observe(look, Seen.NOT_DONE)
    assert world.states(run_id)["fence"] == "failed"
    assert world.held(run_id).run.state is RunState.PAUSED_BY_FAILED_STEP
    world.command("retry", run_id, "fence")
    assert world.begin().call is Do.RUN


def test_a_no_go_ends_as_aborted_and_not_as_failed(world: World) -> None:
    run_id = world.started(world.switch())
    world.do(step="lag")
    answer(world, run_id, "go", "no-go")
    run = world.held(run_id).run
    assert (run.state, run.verdict) == (RunState.ABORTED, "aborted")
    assert world.proofs() == {"over": ("inconclusive", 0)}
    with world.database.transaction() as session:
        assert all(lock.run_id is None for lock in session.exec(select(EnvironmentLock)))
        assert session.exec(select(Finding)).all() == []


def test_a_question_that_nobody_answers_takes_the_option_of_its_time_out(world: World) -> None:
    run_id = world.started(world.switch())
    world.do(step="lag")
    world.later(seconds=1801)
    tick(world, run_id)
    assert world.held(run_id).run.state is RunState.ABORTED


def tick(world: World, run_id: str) -> None:
    from app.runs.progress import advance
    from app.runs.view import hold

    with world.database.transaction() as session:
        advance(session, hold(session, run_id), now=world.now)


def test_undo_takes_back_what_was_started_and_looks_first(world: World) -> None:
    run_id = at_fence(world)
    world.do(passed(final_lsn="1"), step="fence")
    world.do(failed(), step="fenced")
    world.command("undo", run_id)
    work = world.begin()
    assert (work.runner, work.call, work.observe_runner) == ("test.unfence", Do.OBSERVE_FIRST, "test.fence")
    after = world.observe(work, Seen.DONE)
    assert after.work is not None
    assert after.work.call is Do.RUN
    world.finish(after.work, passed())
    run = world.held(run_id).run
    assert (run.state, world.states(run_id)["fence"]) == (RunState.UNDONE, "undone")
    assert world.proofs()["over"][0] == "fail"


def test_a_failed_undo_stops_and_is_never_green(world: World) -> None:
    run_id = at_fence(world)
    world.do(passed(final_lsn="1"), step="fence")
    world.command("undo", run_id)
    after = world.observe(world.begin(), Seen.DONE)
    assert after.work is not None
    world.finish(after.work, failed())
    held = world.held(run_id)
    assert held.run.state is RunState.UNDO_FAILED
    assert {"retry", "abort"} <= {each.command.value for each in held.legal()}
    world.command("ignore", run_id, "fence", reason="started it by hand")
    assert world.held(run_id).run.state is RunState.UNDONE


def test_abort_leaves_the_run_unfinished_while_a_change_stands(world: World) -> None:
    run_id = at_fence(world)
    work = world.begin()
    world.command("abort", run_id)
    with world.database.transaction() as session:
        assert steps.kill_wanted(session, work.step_run_id, work.attempt)
    world.finish(work, None)
    look = world.begin()
    world.observe(look, Seen.DONE)
    held = world.held(run_id)
    assert held.run.state is RunState.ABORTING
    assert {"undo", "leave", "abort"} <= {each.command.value for each in held.legal()}
    world.command("leave", run_id)
    with world.database.transaction() as session:
        assert {lock.run_id for lock in session.exec(select(EnvironmentLock))} == {run_id}
        assert len(session.exec(select(Obligation)).all()) == 1


def test_after_the_point_of_no_return_undo_is_refused_and_only_forward_leads_out(world: World) -> None:
    run_id = at_fence(world)
    world.do(passed(final_lsn="1"), step="fence")
    world.do(step="fenced")
    world.do(failed(), step="promote")
    with pytest.raises(NotLegalNow):
        world.command("undo", run_id)
    world.command("abort", run_id)
    world.command("resume", run_id)
    world.command("retry", run_id, "promote")
    assert world.begin().call is Do.OBSERVE_FIRST


def test_promotion_waits_for_a_fresh_proof_of_the_fence(world: World) -> None:
    run_id = at_fence(world)
    world.do(passed(final_lsn="1"), step="fence")
    world.do(step="fenced")
    world.later(seconds=61)
    [promote] = world.ready()
    with world.database.transaction() as session:
        assert steps.begin(session, promote.step_run_id, promote.attempt, owner=ME, now=world.now) is None
    assert world.do() == "fenced"
    assert world.do() == "promote"
    assert world.states(run_id)["promote"] == "succeeded"


def test_a_fence_that_is_not_proven_can_be_neither_skipped_nor_ignored(world: World) -> None:
    run_id = at_fence(world)
    world.do(passed(final_lsn="1"), step="fence")
    world.do(failed(), step="fenced")
    for command in ("skip", "ignore"):
        with pytest.raises(NotLegalNow):
            world.command(command, run_id, "fenced")


def test_a_decision_that_is_still_to_come_is_not_passed_over_by_an_operator(world: World) -> None:
    run_id = world.started(world.switch())
    world.command("pause", run_id)
    for command in ("skip", "ignore"):
        with pytest.raises(NotLegalNow):
            world.command(command, run_id, "go")


def test_an_approval_revoked_halfway_stops_before_the_point_of_no_return(world: World) -> None:
    run_id = at_fence(world)
    world.do(passed(final_lsn="1"), step="fence")
    with world.database.transaction() as session:
        given = session.exec(select(Approval).where(Approval.person_id == "owner")).one()
        approval.revoke(session, given.id, world.actor("owner"), now=world.now)
    world.do(step="fenced")
    [promote] = world.ready() or [None]
    assert promote is not None
    with world.database.transaction() as session:
        assert steps.begin(session, promote.step_run_id, promote.attempt, owner=ME, now=world.now) is None
    held = world.held(run_id)
    assert held.run.state in (RunState.PAUSED_BY_GUARD, RunState.RUNNING)
    assert "revoked" in held.run.pause_reason["en"]


def test_a_lock_taken_over_stops_the_former_holder(world: World) -> None:
    at_fence(world)
    with world.database.transaction() as session:
        for lock in session.exec(select(EnvironmentLock)):
            lock.token += 1
            session.add(lock)
    [fence] = world.ready()
    with world.database.transaction() as session:
        assert steps.begin(session, fence.step_run_id, fence.attempt, owner=ME, now=world.now) is None


def test_this_is_real_ends_the_drill_at_once_and_frees_the_environment(world: World) -> None:
    run_id = at_fence(world)
    work = world.begin()
    world.command("this_is_real", run_id)
    run = world.held(run_id).run
    assert (run.state, run.verdict, run.real) == (RunState.ABORTED, "aborted", True)
    with world.database.transaction() as session:
        assert steps.kill_wanted(session, work.step_run_id, work.attempt)
        assert all(lock.run_id is None for lock in session.exec(select(EnvironmentLock)))


def test_a_primary_that_was_dead_before_makes_it_inconclusive_and_an_incident(world: World) -> None:
    text = copy.deepcopy(SWITCH)
    text["playbook"] = "test-dead"
    text["steps"][0]["on_failure"] = "stop"
    drill = world.drill(
        text, Mode.LIVE, pair_id="pair", direction="over", inputs={"pair": "pair", "from": "primary", "to": "fallback"}
    )
    run_id = world.started(drill)
    world.do(failed(primary_reachable=False), step="lag")
    run = world.held(run_id).run
    assert (run.state, run.verdict) == (RunState.FAILED, "inconclusive")
    assert world.proofs()["over"][0] == "inconclusive"
    with world.database.transaction() as session:
        assert session.exec(select(Finding)).one().source == "incident"


def test_an_unattended_switch_runs_without_questions_on_approvals_given_beforehand(world: World) -> None:
    drill_id = world.switch(attendance="unattended", on_call_id="operator")
    with world.database.transaction() as session:
        from app.drills.models import Drill
        from app.runs.compose import compose
        from app.runs.record import ApprovalVerdict

        drill = session.get_one(Drill, drill_id)
        digest = compose(session, drill).digest
        for name in ("approver", "owner"):
            approval.give(
                session,
                drill,
                None,
                world.actor(name),
                ApprovalVerdict.APPROVED,
                digest=digest,
                comment="",
                now=world.now,
            )
    run_id = world.planned(drill_id)
    with world.database.transaction() as session:
        planning.try_start(session, run_id, actor=world.actor("operator"), now=world.now)
    world.do(step="lag")
    world.do(passed(final_lsn="1"), step="fence")
    for step in ("fenced", "promote", "serve"):
        world.do(step=step)
    run = world.held(run_id).run
    assert (run.state, run.verdict) == (RunState.COMPLETED, "passed")
    with world.database.transaction() as session:
        assert {row.run_id for row in session.exec(select(Approval))} == {run_id}


def test_a_rehearsal_with_a_step_that_changes_something_is_refused_at_planning(world: World) -> None:
    text = copy.deepcopy(LINE)
    text["playbook"], text["steps"][0]["uses"] = "test-changing", "test.fence"
    with pytest.raises(planning.RehearsalWouldChange):
        world.planned(world.drill(text, Mode.REHEARSAL))


def test_a_fence_that_nobody_can_look_at_is_signed_by_a_named_person_and_proves_nothing(world: World) -> None:
    run_id = at_fence(world)
    world.do(passed(final_lsn="1"), step="fence")
    [fenced] = world.ready()
    with world.database.transaction() as session:
        handover.nobody_there(session, fenced.step_run_id, fenced.attempt, now=world.later(seconds=70))
    offered = {(each.command.value, each.step) for each in world.held(run_id).legal()}
    assert ("fence-by-hand", "fenced") in offered
    assert ("ignore", "fenced") not in offered
    world.command("fence_by_hand", run_id, "fenced", reason="I saw the rack without power")
    world.do(step="promote")
    world.do(step="serve")
    assert world.states(run_id)["fenced"] == "failed but ignored"
    assert world.proofs()["over"][0] == "inconclusive"


def test_a_side_that_was_seen_alive_can_not_be_signed_away(world: World) -> None:
    run_id = at_fence(world)
    world.do(passed(final_lsn="1"), step="fence")
    world.do(failed(), step="fenced")
    with pytest.raises(NotLegalNow):
        world.command("fence_by_hand", run_id, "fenced")


def test_a_worker_that_is_held_for_dead_takes_no_step_and_what_a_process_lost_hold_of_goes_on(world: World) -> None:
    at_fence(world)
    [fence] = world.ready()
    lease = WorkerLease(
        boot_id=ME.boot_id,
        host="here",
        pid=1,
        sites="*",
        started_at=world.now,
        expires_at=world.now,
        ended_at=world.now,
    )
    with world.database.transaction() as session:
        session.add(lease)
    with world.database.transaction() as session:
        assert steps.begin(session, fence.step_run_id, fence.attempt, owner=ME, now=world.now) is None
        leases.revive(session, ME.boot_id, now=world.now, seconds=15)
    begun = world.begin()
    with world.database.transaction() as session:
        assert handover.orphans(session, ME.boot_id) == [(begun.step_run_id, begun.attempt)]
        [ready] = handover.give_up(session, begun.step_run_id, begun.attempt, now=world.now)
    assert (ready.attempt, world.begin(OTHER).call) == (begun.attempt + 1, Do.OBSERVE_FIRST)
