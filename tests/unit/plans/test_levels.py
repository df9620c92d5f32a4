"""The evidence level of a run, decided by what it did."""

import pytest

from app.plans.facts import Verdict
from app.plans.levels import AuditWord, Did, Mode, Performance, Probe, Series, audit_word, proof_level, series

LOOK, APART, CHANGE, HAND, WAIT = Did.OBSERVED, Did.ISOLATED, Did.CHANGED, Did.BY_HAND, Did.NOTHING
SAW, WHOLE = Probe.SAW_OTHER_SIDE, Probe.WHOLE_TIME
LIVE, REHEARSAL, TABLETOP, REAL = Mode.LIVE, Mode.REHEARSAL, Mode.TABLETOP, Mode.ACTIVATION


@pytest.mark.parametrize(
    ("done", "level"),
    [
        (Performance(LIVE, []), 0),
        (Performance(LIVE, [LOOK, WAIT], [LOOK, WAIT]), 0),
        (Performance(LIVE, [WAIT], [WAIT]), 0),
        (Performance(LIVE, [LOOK], [LOOK], probe=WHOLE), 0),
        (Performance(LIVE, [LOOK, CHANGE], [LOOK, CHANGE], probe=WHOLE, simulated=True), 1),
        (Performance(TABLETOP, [HAND], [HAND]), 2),
        (Performance(TABLETOP, [CHANGE], [CHANGE], probe=WHOLE), 2),
        (Performance(LIVE, [HAND], [HAND]), 2),
        (Performance(REHEARSAL, [APART], [APART]), 3),
        (Performance(LIVE, [APART], [APART], probe=WHOLE), 3),
        (Performance(LIVE, [CHANGE], [CHANGE]), 3),
        (Performance(LIVE, [LOOK], [LOOK, CHANGE]), 0),
        (Performance(LIVE, [LOOK], [LOOK, CHANGE], probe=SAW), 4),
        (Performance(REHEARSAL, [LOOK], [LOOK, CHANGE], probe=WHOLE), 4),
        (Performance(LIVE, [LOOK], [LOOK, CHANGE], probe=WHOLE), 5),
        (Performance(LIVE, [LOOK, HAND], [LOOK, HAND], probe=SAW), 4),
        (Performance(LIVE, [LOOK, HAND], [LOOK, HAND], probe=WHOLE), 4),
        (Performance(LIVE, [LOOK], [LOOK, CHANGE], probe=WHOLE, holds=True), 4),
        (Performance(LIVE, [LOOK], [LOOK, CHANGE], probe=WHOLE, holds=True, hold_ms=5000), 5),
        (Performance(REAL, [LOOK, HAND], [LOOK, HAND], probe=SAW, times_logged=True), 5),
        (Performance(REAL, [LOOK], [LOOK, CHANGE], probe=WHOLE), 4),
    ],
)
def test_the_level_follows_from_what_was_done(done: Performance, level: int):
    found = proof_level(done)
    assert found.number == level
    assert str(found.why)


def told_of(passed: int, *, planned: int | None = None, missed: int = 0) -> Series:
    number = passed if planned is None else planned
    return Series(planned=number, done=number - missed, passed=passed, inconclusive=0, missed=missed)


@pytest.mark.parametrize(
    ("complete", "levels", "told", "word"),
    [
        (False, [5], told_of(4), AuditWord.NONE),
        (True, [], told_of(0), AuditWord.DESIGN),
        (True, [2], told_of(1), AuditWord.DESIGN),
        (True, [3], told_of(1), AuditWord.EXISTENCE),
        (True, [4], told_of(2), AuditWord.OPERATING),
        (True, [4], told_of(2, planned=3), AuditWord.EXISTENCE),
        (True, [4], told_of(2, planned=3, missed=1), AuditWord.EXISTENCE),
    ],
)
def test_the_words_of_an_auditor(complete, levels, told, word):
    assert audit_word(complete=complete, passed_levels=levels, series=told) is word


P, PARTLY, F, UNSEEN = Verdict.PASS, Verdict.PARTIAL, Verdict.FAIL, Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("runs", "missed", "expected"),
    [
        ([], 0, Series(0, 0, 0, 0, 0)),
        ([[P, P]], 0, Series(1, 1, 1, 0, 0)),
        ([[P], [P, PARTLY]], 0, Series(2, 2, 1, 0, 0)),
        ([[P, UNSEEN], [F, UNSEEN]], 0, Series(2, 2, 0, 1, 0)),
        ([[P], [P]], 1, Series(3, 2, 2, 0, 1)),
    ],
)
def test_a_run_counts_once_in_the_series_by_the_worst_of_what_it_showed(runs, missed, expected):
    assert series(runs, missed=missed) == expected


def test_one_run_of_two_claims_is_not_two_in_a_row():
    told = series([[P, P]], missed=0)
    assert audit_word(complete=True, passed_levels=[4, 4], series=told) is AuditWord.EXISTENCE


def test_the_ceiling_is_only_named_where_it_took_something_away():
    talked = proof_level(Performance(Mode.TABLETOP, [Did.OBSERVED], [Did.OBSERVED]))
    assert (talked.number, str(talked.why)) == (2, "It was talked through, not done.")
