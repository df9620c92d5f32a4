"""Which evidence level a test earned, decided by what was done and never by what the playbook says of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from app.core.messages import Message, say
from app.plans.facts import Verdict


class Mode(StrEnum):
    """How a playbook was carried out; an activation is the real thing and no drill."""

    TABLETOP = "tabletop"
    REHEARSAL = "rehearsal"
    LIVE = "live"
    ACTIVATION = "activation"


class Did(StrEnum):
    """What a step that was really carried out did: the effect of its runner, or a person's work or talk."""

    OBSERVED = "observes"
    ISOLATED = "isolated"
    CHANGED = "changes"
    BY_HAND = "by-hand"
    """A person did it and reported (an ``ask`` step)."""
    NOTHING = "nothing"
    """Waits, decisions and injects."""


class Probe(StrEnum):
    """What an independent check step (never the runner that switched it) saw of the serving or writable side."""

    NONE = "none"
    SAW_OTHER_SIDE = "saw-other-side"
    WHOLE_TIME = "whole-time"
    """It saw the other side, and a guard or repeated check went on looking until the end."""


@dataclass(frozen=True)
class Performance:
    """What was done for one claim in one run."""

    mode: Mode
    carriers: Sequence[Did]
    """The steps that the playbook names as carrying this claim, as far as they were carried out."""
    path: Sequence[Did] = ()
    """The carriers and every step that they need, as far as carried out."""
    probe: Probe = Probe.NONE
    simulated: bool = False
    """A dry run, or any runner that only pretended."""
    holds: bool = False
    """The claim is one of staying there (*hold*)."""
    hold_ms: int | None = None
    """Measured length of the stay."""
    times_logged: bool = False
    """For an activation: the moments of alarm, decision and service restored were logged."""


@dataclass(frozen=True)
class Level:
    """An evidence level, 0–5, and why it is not higher."""

    number: int
    why: Message


CEILING = {Mode.TABLETOP: 2, Mode.REHEARSAL: 4, Mode.LIVE: 5, Mode.ACTIVATION: 5}
"""The highest level that a mode can give (design: playbooks)."""


def proof_level(done: Performance) -> Level:
    """The level that `done` earned for its claim; the ceiling of its mode holds whatever was done."""
    earned = _earned(done)
    ceiling = CEILING[done.mode]
    if earned.number <= ceiling:
        return earned
    return Level(ceiling, say("A {mode} counts for level {level} at most.", mode=done.mode.value, level=ceiling))


def _earned(done: Performance) -> Level:
    carried = [did for did in done.carriers if did is not Did.NOTHING]
    if not carried and not done.path:
        return Level(0, say("No step that carries this claim was carried out."))
    if done.simulated:
        return Level(1, say("It was simulated: that counts as a review."))
    if done.mode is Mode.TABLETOP:
        return Level(2, say("It was talked through, not done."))
    return _whole_chain(done) or _less(carried)


def _whole_chain(done: Performance) -> Level | None:
    changed, by_hand = Did.CHANGED in done.path, Did.BY_HAND in done.path
    if done.probe is Probe.NONE or not (changed or by_hand):
        return None
    if done.mode is Mode.ACTIVATION and done.times_logged:
        return Level(5, say("It was a real activation with logged times."))
    if not changed:
        return Level(4, say("It was done by hand, and a check saw the other side."))
    if done.mode is not Mode.LIVE or done.probe is not Probe.WHOLE_TIME:
        return Level(4, say("The whole chain was done, and a check saw the other side, but not the whole time in use."))
    if done.holds and not done.hold_ms:
        return Level(4, say("The length of the stay was not measured."))
    return Level(5, say("It was done in production, and a check looked the whole time."))


def _less(carried: Sequence[Did]) -> Level:
    if Did.ISOLATED in carried or Did.CHANGED in carried:
        return Level(3, say("A measure was really carried out, but no independent check saw the other side."))
    if Did.BY_HAND in carried:
        return Level(2, say("People say that they did it, and no independent check saw the other side."))
    # Not even level 1: nobody read the plan, and nothing of it was done, so the claim stands where it stood.
    return Level(0, say("The steps that carry this claim only look or wait: nothing was done that could prove it."))


class AuditWord(StrEnum):
    """How sure an auditor can be: *opzet*, *bestaan*, *werking*."""

    NONE = "none"
    DESIGN = "design"
    EXISTENCE = "existence"
    OPERATING = "operating"


@dataclass(frozen=True)
class Series:
    """What was planned over a period, and what became of it."""

    planned: int
    done: int
    passed: int
    inconclusive: int
    missed: int


def series(runs: Sequence[Sequence[Verdict]], *, missed: int) -> Series:
    """The series of some runs, each by the verdicts on its claims: it passed if all of them did."""
    passed = sum(all(verdict is Verdict.PASS for verdict in run) for run in runs)
    bad = {Verdict.FAIL, Verdict.PARTIAL}
    inconclusive = sum(Verdict.INCONCLUSIVE in run and not bad & set(run) for run in runs)
    return Series(len(runs) + missed, len(runs), passed, inconclusive, missed)


PERIOD = timedelta(days=365)
"""Over which operating effectiveness is judged; a year is our choice, as audits of *werking* look back over one."""
SWITCHES_IN_A_ROW = 2
"""Operating effectiveness asks at least two in a row (design: plan status)."""


def audit_word(*, complete: bool, passed_levels: Sequence[int], series: Series) -> AuditWord:
    """Design: an approved, complete plan. Existence: a pass at level 3 and up. Operating: a series without a miss."""
    if not complete:
        return AuditWord.NONE
    if not any(level >= 3 for level in passed_levels):
        return AuditWord.DESIGN
    as_planned = series.planned == series.done == series.passed and not series.missed
    return AuditWord.OPERATING if as_planned and series.passed >= SWITCHES_IN_A_ROW else AuditWord.EXISTENCE
