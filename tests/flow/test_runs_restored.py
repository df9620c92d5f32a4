"""Runs that come out of a backup: none moves by itself, what was seen counts no more, a person is told what to do."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from app.access.rules import Actor, Kind, Role
from app.catalog import service as catalog
from app.catalog.models import EnvironmentPair
from app.core.columns import ReferenceCounter, hold_counter, jump_ahead, next_ref
from app.core.errors import NotAllowed
from app.core.incarnation import Incarnation, floor_above
from app.drills.models import Drill, DrillMoment
from app.drills.rules import MomentState
from app.playbooks.rules import Mode
from app.runs import answers, commands, guards, locks, restored, service, steps
from app.runs.models import EnvironmentLock, Run, SeenFact
from app.runs.record import Approval
from app.runs.restored import Found
from app.runs.rules import Pause, RunState, StepState
from app.runs.work import Owner
from runners.contract import Seen
from tests.flow.runs_world import LINE, ME, REGISTRY, SWITCH, World, build, failed, passed

AFTER = Owner("boot-2", "there:2")
MACHINE = Actor(Kind.MACHINE, "nightly", "nightly", frozenset({Role.OPERATOR}))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def restore(world: World, *, minutes: float = 30) -> list[Found]:
    """The database is as it was, and it is later; its new life begins."""
    taken = world.now
    world.later(minutes=minutes)
    with world.database.transaction() as session:
        life = Incarnation(
            began_at=world.now,
            taken_at=taken,
            sha256="a" * 64,
            version="0.1.0",
            token_floor=floor_above(locks.highest(session), now=world.now),
        )
        return restored.come_up(session, life, now=world.now)


def answer(world: World, run_id: str, step_id: str, option: str, by: str) -> None:
    with world.database.transaction() as session:
        given = {"option": option, "comment": "", "evidence": [], "actor": world.actor(by), "now": world.now}
        answers.answer(session, run_id, step_id, **given)


def command_of(world: World, name: str, run_id: str, actor: Actor) -> None:
    with world.database.transaction() as session:
        getattr(commands, name)(session, run_id, actor=actor, reason="by hand", now=world.now)


def refuse(world: World) -> None:
    """Nobody may take the one step that is ready."""
    [ready] = world.ready()
    with world.database.transaction() as session:
        assert steps.begin(session, ready.step_run_id, ready.attempt, owner=AFTER, now=world.now) is None


def in_the_fence(world: World) -> str:
    """A switch whose fence has an intent and no outcome."""
    run_id = world.started(world.switch())
    world.do(step="lag")
    answer(world, run_id, "go", "go", "operator")
    world.begin()
    return run_id


def passes_of_time(world: World, run_id: str) -> list[str]:
    """The clock beats on for hours: the states that it makes of the run."""
    for _ in range(4):
        service.tick(world.database, REGISTRY, now=world.later(hours=1))
    return sorted({world.held(run_id).run.state.value, *(each.step_run_id for each in world.ready())})


def test_a_run_in_the_middle_of_a_step_waits_for_a_person_and_nothing_of_it_is_taken(world: World) -> None:
    run_id = in_the_fence(world)
    [found] = restore(world)
    assert (found.state, found.becomes, found.home) == ("running", "paused by guard", "primary")
    assert [(each.what, each.subject.split()[0]) for each in found.check] == [
        ("outcome-unknown", "fence"),
        ("may-have-been-done", "promote"),
        ("home-side", "PAIR-001"),
        ("lock", "ENV-002"),
        ("lock", "ENV-001"),
    ]
    assert passes_of_time(world, run_id) == ["paused by guard"]
    run = world.held(run_id).run
    assert "backup of 2027-01-10" in run.pause_reason["en"]
    assert "Look at: fence (test.fence, dc-primary), promote" in run.pause_reason["en"]
    assert {each.command.value for each in world.held(run_id).legal()} >= {"resume", "abort", "this-is-real"}


def test_once_resumed_it_looks_before_it_acts_and_adopts_what_is_there(world: World) -> None:
    run_id = in_the_fence(world)
    restore(world)
    world.command("resume", run_id)
    work = world.begin(AFTER)
    assert work.call == "observe-first"
    world.observe(work, Seen.DONE, AFTER)
    assert world.states(run_id)["fence"] == "succeeded"
    world.do(step="fenced")  # the proof of the fence is made again


def test_a_step_that_had_not_begun_is_looked_for_too_for_the_lost_life_may_have_done_it(world: World) -> None:
    run_id = in_the_fence(world)
    restore(world)
    world.command("resume", run_id)
    work = world.begin(AFTER)
    assert world.observe(work, Seen.NOT_DONE, AFTER).work is not None
    world.finish(work, passed(final_lsn="0/9"), owner=AFTER)
    world.do(step="fenced")
    refuse(world)
    assert "approval" in world.held(run_id).run.pause_reason["en"]
    world.approve(run_id)
    world.command("resume", run_id)
    work = world.begin(AFTER)
    assert (work.call, work.params["lsn"]) == ("observe-first", "0/9")
    world.observe(work, Seen.DONE, AFTER)
    world.do(step="serve")
    with world.database.transaction() as session:
        assert session.get_one(EnvironmentPair, "pair").home_unseen_since is None


def test_what_nobody_can_see_is_left_to_a_person_before_it_is_done_and_done_when_they_say_so(world: World) -> None:
    once = {"id": "once", "uses": "test.once", "timeout": 60, "needs": ["look"], "irreversible": True}
    look = {"id": "look", "uses": "test.look", "timeout": 60}
    text = {"playbook": "once", "title": {"nl": "x", "en": "x"}, "modes": ["live"], "steps": [look, once]}
    run_id = world.started(world.drill(text, Mode.LIVE))
    restore(world)
    world.command("resume", run_id)
    world.do(step="look")
    refuse(world)
    held = world.held(run_id)
    assert (held.run.state, world.states(run_id)["once"]) == (RunState.INTERRUPTED, "unknown")
    assert "Look yourself" in held.steps["once"].outcome["reason"]["en"]
    world.approve(run_id)
    world.command("retry", run_id, "once")
    assert world.begin(AFTER).call == "run"


def test_a_question_whose_time_ran_out_meanwhile_is_not_answered_by_the_clock(world: World) -> None:
    run_id = world.started(world.switch())
    world.do(step="lag")
    restore(world, minutes=300)
    passes_of_time(world, run_id)
    assert world.states(run_id)["go"] == "waiting"
    world.command("resume", run_id)
    passes_of_time(world, run_id)
    assert world.states(run_id)["go"] == "waiting"


def test_an_undo_that_was_under_way_goes_on_only_when_a_person_says_so(world: World) -> None:
    run_id = in_the_fence(world)
    [ready] = [each for each in world.held(run_id).steps.values() if each.step_id == "fence"]
    with world.database.transaction() as session:
        steps.finish(session, ready.id, ready.attempt, passed(final_lsn="0/1"), owner=ME, now=world.now)
    world.command("undo", run_id)
    restore(world)
    assert {each.command.value for each in world.held(run_id).legal()} == {"abort", "this-is-real", "resume"}
    assert passes_of_time(world, run_id) == ["paused by guard"]
    world.command("resume", run_id)
    held = world.held(run_id)
    assert (held.run.state, held.steps["fence"].state.value) == (RunState.UNDO_FAILED, "undo failed")
    world.command("retry", run_id, "fence")
    assert world.begin(AFTER).call == "observe-first"


def test_looking_is_all_that_is_done_of_an_undo_before_a_person_says_so(world: World) -> None:
    run_id = in_the_fence(world)
    world.command("undo", run_id)
    restore(world)
    work = world.begin(AFTER)
    assert work.call == "observe-first"
    world.observe(work, Seen.DONE, AFTER)
    assert passes_of_time(world, run_id) == ["paused by guard"]
    assert world.states(run_id)["fence"] == "succeeded"
    world.command("resume", run_id)
    assert world.held(run_id).steps["fence"].call == "undo"


def test_a_change_whose_outcome_was_unknown_already_is_told_to_be_looked_at(world: World) -> None:
    run_id = in_the_fence(world)
    fence = world.held(run_id).steps["fence"]
    with world.database.transaction() as session:
        fence.state = StepState.UNKNOWN
        session.merge(fence)
    [found] = restore(world)
    assert [each.what for each in found.check if each.subject.startswith("fence ")] == ["outcome-unknown"]


def test_an_abort_that_was_under_way_is_still_an_abort(world: World) -> None:
    run_id = in_the_fence(world)
    world.command("abort", run_id)
    restore(world)
    assert world.held(run_id).run.aborting
    world.command("resume", run_id)
    assert (world.held(run_id).run.state, world.held(run_id).run.aborting) == (RunState.ABORTING, True)


@pytest.fixture
def in_the_promote(world: World) -> str:
    """A switch out of a backup that was promoting: past the point of no return."""
    run_id = in_the_fence(world)
    [ready] = [each for each in world.held(run_id).steps.values() if each.step_id == "fence"]
    with world.database.transaction() as session:
        steps.finish(session, ready.id, ready.attempt, passed(final_lsn="0/1"), owner=ME, now=world.now)
    world.do(step="fenced")
    world.begin()
    restore(world)
    return run_id


def test_an_abort_is_no_look_so_no_machine_lets_the_run_go_on_past_the_point_of_no_return(
    world: World, in_the_promote: str
) -> None:
    command_of(world, "abort", in_the_promote, MACHINE)
    held = world.held(in_the_promote)
    assert (held.run.paused, held.run.aborting) == (Pause.RESTORED, True)
    assert "paused by guard" in passes_of_time(world, in_the_promote)
    with pytest.raises(NotAllowed):
        command_of(world, "resume", in_the_promote, MACHINE)
    world.command("resume", in_the_promote)  # a person looked: now it is aborted as asked
    held = world.held(in_the_promote)
    assert (held.run.paused, held.run.state) == (None, RunState.ABORTING)


def test_after_an_abort_people_may_undo_what_came_out_of_a_backup_and_machines_may_not(world: World) -> None:
    fence = {key: value for key, value in SWITCH["steps"][2].items() if key not in ("needs", "starts_outage")}
    text = {**SWITCH, "playbook": "only-fence", "proves": {}, "steps": [fence]}
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    run_id = world.started(world.drill(text, Mode.LIVE, pair_id="pair", inputs=inputs))
    world.begin()
    restore(world)
    world.command("abort", run_id)
    assert {each.command.value for each in world.held(run_id).legal()} == {"abort", "this-is-real", "undo", "resume"}
    with pytest.raises(NotAllowed):
        command_of(world, "undo", run_id, MACHINE)
    world.command("undo", run_id)
    assert (world.held(run_id).run.paused, world.held(run_id).run.state) == (None, RunState.UNDOING)


def test_a_guard_does_not_take_the_mark_of_a_restore_away_and_acts_once_a_person_has_looked(world: World) -> None:
    guard = {"id": "alive", "uses": "test.look", "every": 5, "from": "lag", "until": "owner", "tolerate": 0}
    text = {**SWITCH, "playbook": "guarded", "guards": [{**guard, "on_breach": "pause"}]}
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    run_id = world.started(world.drill(text, Mode.LIVE, pair_id="pair", direction="over", inputs=inputs))
    world.do(step="lag")
    restore(world)
    for paused in (Pause.RESTORED, Pause.GUARD):
        with world.database.transaction() as session:
            guards.seen(session, run_id, "alive", failed(), now=world.later(seconds=5))
        assert world.held(run_id).run.paused is paused
        if paused is Pause.RESTORED:
            world.command("resume", run_id)


def test_what_was_seen_and_approved_before_counts_no_more(world: World) -> None:
    run_id = in_the_fence(world)
    waiting = world.planned(world.switch())
    world.approve(waiting, "approver")
    with world.database.transaction() as session:
        session.add(SeenFact(run_id=run_id, fact="fenced:permits:primary", holds=True, at=world.now, step_id="fenced"))
    restore(world)
    with world.database.transaction() as session:
        assert not any(each.holds for each in session.exec(select(SeenFact)))
        assert all(each.revoked_at for each in session.exec(select(Approval)))
    world.approve(waiting, "owner")
    assert world.held(waiting).run.state is RunState.AWAITING_APPROVAL, "the yes from before the restore is void"


def test_a_rehearsal_that_was_queued_is_missed_with_the_reason_and_never_starts(world: World) -> None:
    waiting = world.planned(world.drill(LINE, Mode.REHEARSAL))
    restore(world)
    run = world.held(waiting).run
    assert (run.state, run.end_reason["code"]) == (RunState.MISSED, "restored")


def test_moments_since_the_backup_are_missed_with_the_reason_and_none_is_caught_up(world: World) -> None:
    drill_id = world.drill(LINE, Mode.REHEARSAL, grace_s=86_400)
    with world.database.transaction() as session:
        drill = session.get_one(Drill, drill_id)
        drill.schedule = {"kind": "recurring", "dayOfWeek": "*", "hour": "*", "minute": "0", "timeZone": "UTC"}
        drill.planned_until, drill.next_due_at = world.now, world.now + timedelta(hours=1)
        session.add(drill)
    restore(world, minutes=200)
    with world.database.transaction() as session:
        moments = session.exec(select(DrillMoment).order_by("due_at")).all()
    assert [each.state for each in moments] == [MomentState.MISSED] * 3
    assert moments[-1].reason_code == "restored"
    assert "Restored from a backup" in moments[-1].reason["en"]
    service.tick(world.database, REGISTRY, now=world.later(seconds=10))
    with world.database.transaction() as session:
        assert session.exec(select(Run)).all() == []


def test_every_token_from_before_is_refused_also_for_a_lock_that_the_backup_never_had(world: World) -> None:
    run_id = in_the_fence(world)
    old = dict(world.held(run_id).run.tokens)
    restore(world)
    with world.database.transaction() as session:
        floor = session.exec(select(Incarnation)).one().token_floor
        run = session.get_one(Run, run_id)
        assert min(run.tokens.values()) > floor > 1_000 > max(old.values())
        assert locks.still_held(session, run)
        run.tokens = old
        assert not locks.still_held(session, run), "who still acts for the lost life is refused"
        session.rollback()
    with world.database.transaction() as session:
        session.add(EnvironmentLock(key="never-seen"))
        run = session.get_one(Run, run_id)
        run.lock_keys = [*run.lock_keys, "never-seen"]
        locks.take(session, run, now=world.now)
        assert run.tokens["never-seen"] > floor
        session.rollback()


def made_at_most(world: World, seconds: int) -> set[str]:
    """References of a life that gives them out as fast as it may; of a kind that the backup had, and of a new one."""
    found = set()
    with world.database.transaction() as session:
        for _ in range(seconds):
            found |= {next_ref(session, "RUN"), next_ref(session, "FND")}
    world.later(seconds=seconds)
    return found


def test_no_reference_is_given_out_twice_by_lives_out_of_the_same_backup(world: World) -> None:
    with world.database.transaction() as session:
        last = hold_counter(session, "RUN").last
    taken = world.now
    lives = [made_at_most(world, 50)]
    for _ in range(2):
        with world.database.transaction() as session:  # the database is as it was at the backup
            for row in session.exec(select(ReferenceCounter)).all():
                session.delete(row)
            session.flush()
            session.add(ReferenceCounter(prefix="RUN", last=last))
            session.flush()
            jump_ahead(session, taken_at=taken, now=world.now)
        lives.append(made_at_most(world, 50))
    assert len(set.union(*lives)) == sum(len(each) for each in lives) == 300


def test_where_the_clock_stands_before_the_backup_the_numbers_jump_all_the_same(world: World) -> None:
    with world.database.transaction() as session:
        before = hold_counter(session, "RUN").last
        assert jump_ahead(session, taken_at=world.now + timedelta(hours=1), now=world.now) == 1_000_000
        assert next_ref(session, "RUN") == f"RUN-{before + 1_000_001}"


def test_a_restore_lets_the_references_jump(world: World) -> None:
    last = int(world.held(world.planned(world.switch())).run.ref.removeprefix("RUN-"))
    restore(world, minutes=30)
    assert world.held(world.planned(world.switch())).run.ref == f"RUN-{last + 1_000 + 30 * 60 + 1}"


def test_the_home_side_is_in_doubt_until_a_check_saw_it(world: World) -> None:
    restore(world)
    with world.database.transaction() as session:
        pair = session.get_one(EnvironmentPair, "pair")
        assert pair.home_unseen_since == world.now
        catalog.home_seen(session, "pair", "fallback")
        assert pair.home_unseen_since is not None, "another side than the one that is held for home was seen"
        catalog.home_seen(session, "pair", "primary")
        assert pair.home_unseen_since is None


def test_a_run_that_is_over_stays_as_it_is(world: World) -> None:
    run_id = world.started(world.drill(LINE, Mode.REHEARSAL))
    world.do()
    world.do()
    before = world.held(run_id).run.revision
    assert restore(world) == []
    assert world.held(run_id).run.revision == before
