"""What comes next in a run, from every state in which it can be cut off."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from app.playbooks.rules import Choice, Playbook
from app.runs.planner import Moves, StepNow, next_moves
from app.runs.rules import (
    ENDS,
    MET,
    Call,
    Command,
    Pause,
    RunFlags,
    RunState,
    StepFact,
    StepState,
    next_actions,
    passed_no_return,
    run_state,
    tally,
)
from runners.contract import Effect

NOW = datetime(2027, 1, 10, 10, tzinfo=UTC)
RUNNING = RunFlags(started=True, approved=True, queued=True)
CHANGING = ("fence", "promote", "redirect")


def playbook(**changed: dict[str, Any]) -> Playbook:
    """check → go → fence → promote (point of no return) → redirect → owner; `changed` edits steps by id."""
    undo = {"uses": "x.undo", "timeout": 60}
    steps: list[dict[str, Any]] = [
        {"id": "check", "uses": "x.look", "timeout": 30},
        {
            "id": "go",
            "decide": {"nl": "?", "en": "?"},
            "options": {"go": "continue", "no": "stop", "back": "undo", "over": "goto redirect", "again": "goto check"},
            "on_timeout": "no",
            "timeout": 60,
            "needs": ["check"],
            "unattended": "go",
        },
        {"id": "fence", "uses": "x.fence", "timeout": 60, "needs": ["go"], "undo": undo},
        {"id": "promote", "uses": "x.promote", "timeout": 60, "needs": ["fence"], "point_of_no_return": True},
        {"id": "redirect", "uses": "x.redirect", "timeout": 60, "needs": ["promote"], "irreversible": True},
        {"id": "owner", "ask": {"nl": "?", "en": "?"}, "timeout": 60, "needs": ["redirect"], "unattended": "skip"},
    ]
    for step in steps:
        step.update(changed.get(step["id"], {}))
    return Playbook.model_validate(
        {"playbook": "test", "title": {"nl": "t", "en": "t"}, "modes": ["live"], "steps": steps}
    )


BOOK = playbook()


def rows(book: Playbook = BOOK, **states: StepState | StepFact) -> dict[str, StepNow]:
    """The steps: not started, but for the states given."""
    found: dict[str, StepNow] = {}
    for number, step in enumerate(book.steps, 1):
        given_state = states.get(step.id, StepState.NOT_STARTED)
        if isinstance(given_state, StepFact):
            found[step.id] = StepNow(given_state)
            continue
        intended = step.uses is not None and given_state not in (
            StepState.NOT_STARTED,
            StepState.READY,
            StepState.SKIPPED,
        )
        fact = StepFact(
            step.id,
            given_state,
            effect=(Effect.CHANGES if step.id in CHANGING else Effect.OBSERVES) if step.uses else None,
            intended=intended,
            undoable=step.undo is not None,
            irrevocable=step.irrevocable,
            no_return=step.point_of_no_return,
            asks=step.uses is None,
            order=number if intended else 0,
        )
        found[step.id] = StepNow(fact, chosen="go" if step.id == "go" and given_state in MET else None)
    return found


DONE, FAILED, UNKNOWN, STARTED = StepState.SUCCEEDED, StepState.FAILED, StepState.UNKNOWN, StepState.STARTED
FENCED = {"check": DONE, "go": DONE, "fence": DONE}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, Moves(start=("check",))),
        ({"check": StepState.READY}, Moves()),
        ({"check": STARTED}, Moves()),
        ({"check": StepState.WARNING}, Moves(open=("go",))),
        ({"check": StepState.SKIPPED}, Moves(open=("go",))),
        ({"check": StepState.IGNORED}, Moves(open=("go",))),
        ({"check": FAILED}, Moves()),
        ({"check": UNKNOWN}, Moves()),
        ({"check": StepState.TIMED_OUT}, Moves()),
        ({"check": DONE, "go": StepState.WAITING}, Moves()),
        ({"check": DONE, "go": DONE}, Moves(start=("fence",))),
        (FENCED, Moves(start=("promote",))),
        ({**FENCED, "promote": STARTED}, Moves()),
        ({**FENCED, "promote": UNKNOWN}, Moves()),
        ({**FENCED, "promote": DONE, "redirect": DONE}, Moves(open=("owner",))),
        ({**FENCED, "promote": DONE, "redirect": DONE, "owner": DONE}, Moves(over=RunState.COMPLETED)),
        (
            {**FENCED, "promote": DONE, "redirect": StepState.IGNORED, "owner": DONE},
            Moves(over=RunState.COMPLETED_WITH_EXCEPTIONS),
        ),
    ],
)
def test_a_step_starts_when_all_it_needs_is_met_and_nothing_waits_for_a_person(
    states: dict[str, StepState], expected: Moves
) -> None:
    assert next_moves(BOOK, rows(**states), RUNNING, NOW) == expected


@pytest.mark.parametrize("flags", [RunFlags(), replace(RUNNING, ended=RunState.COMPLETED)])
def test_nothing_moves_before_the_start_or_after_the_end(flags: RunFlags) -> None:
    assert not next_moves(BOOK, rows(), flags, NOW)


@pytest.mark.parametrize("pause", list(Pause))
def test_a_paused_run_starts_nothing(pause: Pause) -> None:
    assert not next_moves(BOOK, rows(), replace(RUNNING, paused=pause), NOW)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("no", Moves(turn=Choice.STOP)),
        ("back", Moves(turn=Choice.UNDO)),
        ("again", Moves(again=("check", "go", "fence", "promote", "redirect", "owner"))),
        ("over", Moves(skip=(("fence", "passed-over"), ("promote", "passed-over")))),
    ],
)
def test_a_decision_does_what_its_option_says(option: str, expected: Moves) -> None:
    steps = rows(check=DONE, go=DONE)
    steps["go"] = replace(steps["go"], chosen=option)
    found = next_moves(BOOK, steps, RUNNING, NOW)
    assert replace(found, skip=tuple(sorted(found.skip))) == expected


def test_a_step_that_proves_a_safety_fact_is_not_jumped_over() -> None:
    steps = rows(check=DONE, go=DONE)
    steps["go"] = replace(steps["go"], chosen="over")
    steps["fence"] = StepNow(replace(steps["fence"].fact, provides=True))
    assert next_moves(BOOK, steps, RUNNING, NOW).skip == (("promote", "passed-over"),)


def test_an_undo_that_is_decided_past_the_point_of_no_return_only_stops() -> None:
    steps = rows(**FENCED, promote=DONE)
    steps["go"] = replace(steps["go"], chosen="back")
    assert next_moves(BOOK, steps, RUNNING, NOW) == Moves(turn=Choice.STOP)


@pytest.mark.parametrize(
    ("word", "states", "expected"),
    [
        ("stop", {"check": FAILED}, Moves(over=RunState.FAILED)),
        ("undo", {"check": FAILED}, Moves(turn=Choice.UNDO)),
        ("continue", {"check": FAILED}, Moves(ignore=("check",))),
        ("ask", {"check": FAILED}, Moves()),
    ],
)
def test_a_failure_does_what_the_playbook_says_of_it(word: str, states: dict[str, StepState], expected: Moves) -> None:
    book = playbook(check={"on_failure": word})
    assert next_moves(book, rows(book, **states), RUNNING, NOW) == expected


def test_a_failure_that_stops_leaves_a_run_with_a_change_in_the_world_to_a_person() -> None:
    book = playbook(fence={"on_failure": "stop"})
    assert not next_moves(book, rows(book, check=DONE, go=DONE, fence=FAILED), RUNNING, NOW)


def test_a_failed_check_that_proves_a_safety_fact_is_never_let_pass() -> None:
    book = playbook(check={"on_failure": "continue"})
    steps = rows(book, check=FAILED)
    steps["check"] = StepNow(replace(steps["check"].fact, provides=True))
    assert not next_moves(book, steps, RUNNING, NOW)


def test_undo_takes_started_and_unknown_changes_back_in_reverse_and_one_at_a_time() -> None:
    book = playbook(promote={"point_of_no_return": False, "undo": {"uses": "x.undo", "timeout": 5}})
    undoing = replace(RUNNING, undoing=True)
    steps = rows(book, **FENCED, promote=UNKNOWN)
    assert next_moves(book, steps, undoing, NOW) == Moves(undo="promote")
    steps["promote"] = StepNow(replace(steps["promote"].fact, state=StepState.READY, call=Call.UNDO))
    assert not next_moves(book, steps, undoing, NOW)
    steps["promote"] = StepNow(replace(steps["promote"].fact, state=StepState.UNDONE))
    assert next_moves(book, steps, undoing, NOW) == Moves(undo="fence")
    steps["fence"] = StepNow(replace(steps["fence"].fact, state=StepState.UNDONE))
    assert next_moves(book, steps, undoing, NOW) == Moves(over=RunState.UNDONE)


def test_a_failed_undo_stops_the_walk() -> None:
    steps = rows(check=DONE, go=DONE, fence=StepState.UNDO_FAILED)
    assert not next_moves(BOOK, steps, replace(RUNNING, undoing=True), NOW)


def test_a_change_that_was_looked_for_and_is_not_there_needs_no_undo() -> None:
    steps = rows(check=DONE, go=DONE, fence=FAILED)
    steps["fence"] = StepNow(replace(steps["fence"].fact, absent=True))
    assert next_moves(BOOK, steps, replace(RUNNING, undoing=True), NOW) == Moves(over=RunState.UNDONE)


def test_an_abort_withdraws_what_has_not_begun_and_ends_only_when_nothing_stands() -> None:
    aborting = replace(RUNNING, aborting=True)
    assert next_moves(BOOK, rows(check=StepState.READY), aborting, NOW) == Moves(withdraw=("check",))
    assert next_moves(BOOK, rows(check=DONE), aborting, NOW) == Moves(over=RunState.ABORTED)
    assert not next_moves(BOOK, rows(check=STARTED), aborting, NOW)
    assert not next_moves(BOOK, rows(**FENCED), aborting, NOW)


def test_nobody_there_to_answer_means_the_playbooks_own_word() -> None:
    unattended = replace(RUNNING, unattended=True)
    assert next_moves(BOOK, rows(check=DONE), unattended, NOW) == Moves(choose=(("go", "go"),))
    last = rows(**FENCED, promote=DONE, redirect=DONE)
    assert next_moves(BOOK, last, unattended, NOW) == Moves(skip=(("owner", "unattended"),))


def test_a_question_times_out_at_its_moment_and_not_before() -> None:
    steps = rows(check=DONE, go=StepState.WAITING)
    steps["go"] = replace(steps["go"], due_at=NOW)
    assert not next_moves(BOOK, steps, RUNNING, NOW - timedelta(milliseconds=1))
    assert next_moves(BOOK, steps, RUNNING, NOW) == Moves(choose=(("go", "no"),))


def test_an_automatic_retry_waits_for_its_moment() -> None:
    steps = rows(check=FAILED)
    steps["check"] = StepNow(replace(steps["check"].fact, retrying=True), retry_at=NOW)
    assert not next_moves(BOOK, steps, RUNNING, NOW - timedelta(seconds=1))
    assert next_moves(BOOK, steps, RUNNING, NOW) == Moves(repeat=("check",))


def test_one_veto_decides_and_else_the_first_option_with_its_quorum() -> None:
    assert tally(["go"], quorum=2, veto=None) is None
    assert tally(["go", "no", "go"], quorum=2, veto=None) == "go"
    assert tally(["go", "go", "no"], quorum=2, veto="no") == "no"


STATES = some.fixed_dictionaries({step.id: some.sampled_from(list(StepState)) for step in BOOK.steps})
FLAGS = some.builds(
    RunFlags,
    ended=some.none(),
    needs_approval=some.booleans(),
    approved=some.booleans(),
    queued=some.booleans(),
    started=some.booleans(),
    paused=some.sampled_from([None, *Pause]),
    aborting=some.booleans(),
    undoing=some.booleans(),
    unattended=some.booleans(),
)


@settings(max_examples=400, deadline=None)
@given(states=STATES, flags=FLAGS)
def test_every_unfinished_run_can_be_aborted_and_its_state_is_no_end(
    states: dict[str, StepState], flags: RunFlags
) -> None:
    facts = [each.fact for each in rows(**states).values()]
    assert run_state(flags, facts) not in ENDS
    assert Command.ABORT in {legal.command for legal in next_actions(flags, facts)}


@settings(max_examples=400, deadline=None)
@given(states=STATES, flags=FLAGS)
def test_no_step_starts_before_all_it_needs_is_met_or_while_the_run_must_not_go_on(
    states: dict[str, StepState], flags: RunFlags
) -> None:
    steps = rows(**states)
    moves = next_moves(BOOK, steps, flags, NOW)
    for step_id in (*moves.start, *moves.open):
        assert flags.started
        assert not any((flags.aborting, flags.undoing, flags.paused))
        assert all(steps[need].fact.state in MET for need in BOOK.step(step_id).needs)
    if moves.undo is not None:
        assert steps[moves.undo].fact.stands
        assert not steps[moves.undo].fact.irrevocable


@settings(max_examples=400, deadline=None)
@given(states=STATES, flags=FLAGS)
def test_undo_is_never_offered_past_the_point_of_no_return(states: dict[str, StepState], flags: RunFlags) -> None:
    facts = [each.fact for each in rows(**states).values()]
    offered = {legal.command for legal in next_actions(flags, facts)}
    assert not (passed_no_return(facts) and flags.started and Command.UNDO in offered)


@settings(max_examples=300, deadline=None)
@given(some.lists(some.sampled_from(["pass", "fail", "unknown", "abort", "undo", "ignore"]), max_size=40))
def test_a_run_that_is_walked_at_random_never_undoes_twice_and_never_ends_with_a_change_it_forgot(
    choices: list[str],
) -> None:
    steps, flags, undone = rows(), RUNNING, list[str]()
    for choice in choices:
        moves = next_moves(BOOK, steps, flags, NOW)
        if moves.over in (RunState.ABORTED, RunState.UNDONE):
            assert not any(s.fact.stands and not s.fact.irrevocable for s in steps.values())
        if moves.over is not None:
            return
        flags = _applied(steps, moves, flags, undone)
        flags = _person(steps, flags, choice)
    assert len(undone) == len(set(undone))


def _applied(steps: dict[str, StepNow], moves: Moves, flags: RunFlags, undone: list[str]) -> RunFlags:
    for step_id in moves.start:
        fact = steps[step_id].fact
        order = 1 + max(each.fact.order for each in steps.values())
        steps[step_id] = StepNow(replace(fact, state=STARTED, intended=True, order=order))
    for step_id in moves.open:
        steps[step_id] = StepNow(replace(steps[step_id].fact, state=StepState.WAITING))
    for step_id in moves.withdraw:
        steps[step_id] = StepNow(replace(steps[step_id].fact, state=StepState.NOT_STARTED))
    if moves.undo:
        undone.append(moves.undo)
        steps[moves.undo] = StepNow(replace(steps[moves.undo].fact, state=StepState.UNDONE))
    return replace(flags, aborting=flags.aborting or moves.turn is Choice.STOP)


def _person(steps: dict[str, StepNow], flags: RunFlags, choice: str) -> RunFlags:
    facts = [each.fact for each in steps.values()]
    legal = {each.command for each in next_actions(flags, facts)}
    if choice == "abort":
        return replace(flags, aborting=True, undoing=False)
    if choice == "undo" and Command.UNDO in legal:
        return replace(flags, undoing=True, aborting=False)
    ends = {"pass": DONE, "fail": FAILED, "unknown": UNKNOWN}
    for step_id, each in steps.items():
        if choice in ends and each.fact.state in (STARTED, StepState.WAITING):
            steps[step_id] = StepNow(replace(each.fact, state=ends[choice]), chosen="go" if step_id == "go" else None)
        if choice == "ignore" and each.fact.state in (FAILED, UNKNOWN):
            steps[step_id] = StepNow(replace(each.fact, state=StepState.IGNORED), chosen=each.chosen)
    return flags
