"""The judge of histories, tried on histories that are wrong: each planted fault must be caught, and a good one pass."""

from dataclasses import replace

import pytest

from tests.reliability.history import Entry, Event, Facts, Kind, at_target, file_of, judge, read

GOOD = [
    Entry(10.0, Kind.ACKNOWLEDGED, "run", "start"),
    Entry(11.5, Kind.EFFECT, "run", "one", key="run:one:1"),
    Entry(11.8, Kind.REFUSED, "run", "one", key="run:one:1"),
    Entry(12.5, Kind.EFFECT, "run", "two", key="run:two:1"),
]
FACTS = Facts(
    state="completed",
    steps={"one": "succeeded", "two": "succeeded", "look": "succeeded"},
    needs={"one": (), "two": ("one",), "look": ("two",)},
    changing=frozenset({"one", "two"}),
    events=(
        Event(10.0, "run.started"),
        Event(10.0, "step.ready", "one"),
        Event(11.0, "step.started", "one"),
        Event(11.6, "step.worker-lost", "one"),
        Event(11.7, "step.started", "one"),
        Event(11.9, "step.succeeded", "one"),
        Event(12.0, "step.started", "two"),
        Event(12.6, "step.progress", "two"),
        Event(12.7, "step.succeeded", "two"),
        Event(13.0, "run.completed"),
    ),
)
UNDONE = [
    *GOOD,
    Entry(14.0, Kind.TAKEN_BACK, "run", "two", key="run:two:1:undo"),
    Entry(15.0, Kind.TAKEN_BACK, "run", "one", key="run:one:1:undo"),
]
UNDONE_FACTS = replace(FACTS, state="undone", steps={"one": "undone", "two": "undone", "look": "not started"})
AGAIN = Entry(12.8, Kind.EFFECT, "run", "two", key="run:two:2")
RETRIED = Entry(12.7, Kind.ACKNOWLEDGED, "run", "retry", step="two")


def without(entry: int) -> list[Entry]:
    return [each for n, each in enumerate(GOOD) if n != entry]


def told(*events: Event) -> Facts:
    return replace(FACTS, events=(*FACTS.events[:-1], *events, FACTS.events[-1]), blind=frozenset({"two"}))


def test_a_good_history_and_its_undo_pass_without_complaint() -> None:
    assert judge(GOOD, FACTS) == []
    assert judge(UNDONE, UNDONE_FACTS) == []


def test_an_effect_made_again_by_a_person_who_looked_is_no_complaint() -> None:
    assert judge([*GOOD, RETRIED, AGAIN], told(Event(12.75, "command.retry", "two"))) == []


PLANTED: dict[str, tuple[list[Entry], Facts, str]] = {
    "an effect twice": ([*GOOD, AGAIN], FACTS, "twice: two"),
    "twice under one key": ([*GOOD, replace(GOOD[1], at=12.9)], FACTS, "twice: one"),
    "twice after one permission": ([*GOOD, RETRIED, AGAIN, AGAIN], told(Event(13, "command.retry", "two")), "twice"),
    "twice after a retry of what could have been looked at": (
        [*GOOD, RETRIED, AGAIN],
        replace(told(Event(13, "command.retry", "two")), blind=frozenset()),
        "twice: two",
    ),
    "taken back twice": ([*UNDONE, replace(UNDONE[-1], at=16.0)], UNDONE_FACTS, "twice: one was taken back"),
    "an effect lost": (without(3), FACTS, "lost: two"),
    "an undo lost": (UNDONE[:-1], UNDONE_FACTS, "lost: one is said to be undone"),
    "an effect of a step that was never begun": (
        GOOD,
        replace(FACTS, steps=FACTS.steps | {"two": "not started"}),
        "lost: two is not started",
    ),
    "an effect of a step that failed": (GOOD, replace(FACTS, steps=FACTS.steps | {"two": "failed"}), "lost: two"),
    "steps in the wrong order": ([GOOD[0], GOOD[3], GOOD[1]], FACTS, "out of order: two before one"),
    "an undo in the wrong order": ([*GOOD, UNDONE[-1], UNDONE[-2]], UNDONE_FACTS, "taken back before two"),
    "an effect before its intent": (
        [GOOD[0], replace(GOOD[1], at=10.5), *GOOD[2:]],
        FACTS,
        "no intent: one",
    ),
    "a start that was acknowledged and forgotten": (GOOD, replace(FACTS, events=FACTS.events[1:]), "not kept: run.st"),
    "an abort that was acknowledged and forgotten": (
        [*GOOD, Entry(12.6, Kind.ACKNOWLEDGED, "run", "abort")],
        FACTS,
        "not kept: command.abort",
    ),
    "two answers of which one was kept": (
        [*GOOD, RETRIED, RETRIED, AGAIN],
        told(Event(13, "command.retry", "two")),
        "not kept: command.retry two",
    ),
    "an event after the end": (
        GOOD,
        replace(FACTS, events=(*FACTS.events, Event(13.5, "step.progress", "two"))),
        "events: step.progress two after",
    ),
    "two beginnings": (
        GOOD,
        replace(FACTS, events=(*FACTS.events[:3], Event(11.1, "step.started", "one"), *FACTS.events[3:])),
        "events: one was begun twice",
    ),
    "an event before its time": (
        GOOD,
        replace(FACTS, events=(*FACTS.events[:-1], Event(-3.0, "run.completed"))),
        "events: run.completed",
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_caught(fault: str) -> None:
    entries, facts, complaint = PLANTED[fault]
    found = judge(entries, facts)
    assert any(complaint in each for each in found), found


def test_targets_write_what_they_saw_and_the_judge_reads_it(tmp_path) -> None:
    with at_target(tmp_path, "run") as target:
        target.add(Kind.EFFECT, "one", key="run:one:1")
        assert [each.name for each in target.entries()] == ["one"]
    assert [(each.kind, each.key) for each in read(file_of(tmp_path, "run"))] == [(Kind.EFFECT, "run:one:1")]
