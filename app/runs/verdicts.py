"""What a run says of a claim and of itself: the worst of its steps, three-valued, never green by absence. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.plans.facts import Verdict as ProofVerdict
from app.plans.facts import WithoutSupplier
from app.plans.levels import Did, Mode, Performance, Probe
from app.runs.rules import RunState, RunVerdict, StepState
from runners.contract import Effect, Text, Verdict


@dataclass(frozen=True)
class StepDone:
    """What the verdict asks of a step."""

    id: str
    state: StepState
    verdict: Verdict | None = None
    """Of the last outcome; it stays when the failure was ignored."""
    reason: Text | None = None
    effect: Effect | None = None
    """None for people's steps, waits and decisions."""
    asked: bool = False
    """Whether a person did it or answered it."""
    by_hand: bool = False
    excused: bool = False
    """Skipped by the playbook's own word: not a mandatory step then."""
    probe: bool = False
    saw_target: bool = False
    """Whether it named or saw the side that the switch went to."""
    needed_supplier: bool | None = None
    primary_dead: bool = False
    """Whether it found the primary dead before anything was changed."""
    carried_out: bool = False


@dataclass(frozen=True)
class ClaimDone:
    """What a run showed of one claim."""

    verdict: ProofVerdict
    reason: Text
    mandatory_skipped: bool
    culprit: str | None = None
    """The step that made it so."""
    incident: bool = False
    """Whether the primary was dead before the drill: an incident, no result."""


_PASSED = Text(nl="Elke stap is geslaagd.", en="Every step passed.")
_PASSED_BUT = Text(
    nl="Elke stap die moest, is geslaagd. De rest is overgeslagen, zoals het draaiboek toestaat.",
    en="Every step that had to be done passed. The rest was skipped, as the playbook permits.",
)
_NOT_DONE = Text(
    nl="De stappen die dit aantonen zijn niet allemaal uitgevoerd.",
    en="The steps that show this were not all carried out.",
)
_TAKEN_BACK = Text(
    nl="Wat gedaan was, is ongedaan gemaakt. Dit toont niets aan.",
    en="What had been done was taken back. This shows nothing.",
)
_SKIPPED = Text(
    nl="Een verplichte stap is overgeslagen of de fout ervan is genegeerd.",
    en="A mandatory step was skipped, or its failure was ignored.",
)
_BREACHED = Text(
    nl="Een bewaking zag tijdens de run dat de dienst niet goed werkte.",
    en="A guard saw during the run that the service did not work well.",
)
_DEAD = Text(
    nl="De primaire kant werkte al niet vóór de oefening. Er is niet gewisseld; dit is een incident.",
    en="The primary was dead before the drill. There was no switch; this is an incident.",
)
NOT_CLEANED_UP = Text(
    nl="Er moet nog iets worden opgeruimd. Tot die tijd is deze run niet geslaagd.",
    en="Something must still be cleaned up. Until then this run has not passed.",
)
SETTLED = frozenset({StepState.SUCCEEDED, StepState.WARNING, StepState.IGNORED, StepState.SKIPPED})
_OK = (StepState.SUCCEEDED, StepState.WARNING)


def is_complete(carriers: Sequence[StepDone]) -> bool:
    """Whether every step that carries a claim is settled, so that its proof can be written."""
    return bool(carriers) and all(step.state in SETTLED for step in carriers)


def claim_done(carriers: Sequence[StepDone], path: Sequence[StepDone], *, breached: bool) -> ClaimDone:
    """The verdict of a claim: `carriers` carry it, `path` is them and all that they need."""
    dead = next((s for s in path if s.primary_dead), None)
    skipped = any(_let_go(s) for s in path)
    if dead is not None:
        return ClaimDone(ProofVerdict.INCONCLUSIVE, _DEAD, skipped, dead.id, incident=True)
    failed = next((s for s in path if _failed(s)), None)
    if failed is not None:
        return ClaimDone(ProofVerdict.FAIL, failed.reason or _NOT_DONE, skipped, failed.id)
    if breached:
        return ClaimDone(ProofVerdict.FAIL, _BREACHED, skipped)
    unsure = next((s for s in path if s.state not in SETTLED or s.verdict is Verdict.UNKNOWN), None)
    if unsure is not None:
        # The reason of a step that was undone tells how well it had gone before.
        why = _TAKEN_BACK if unsure.state is StepState.UNDONE else unsure.reason or _NOT_DONE
        return ClaimDone(ProofVerdict.INCONCLUSIVE, why, skipped, unsure.id)
    if not any(s.state in _OK for s in carriers):
        return ClaimDone(ProofVerdict.INCONCLUSIVE, _NOT_DONE, skipped)
    if skipped:
        return ClaimDone(ProofVerdict.PARTIAL, _SKIPPED, skipped)
    excused = any(s.state is StepState.SKIPPED for s in path)
    return ClaimDone(ProofVerdict.PASS, _PASSED_BUT if excused else _PASSED, skipped)


def _failed(step: StepDone) -> bool:
    return step.verdict is Verdict.FAILED and step.state in (StepState.FAILED, StepState.IGNORED, StepState.UNDONE)


def _let_go(step: StepDone) -> bool:
    return step.state is StepState.IGNORED or (step.state is StepState.SKIPPED and not step.excused)


def performance(
    carriers: Sequence[StepDone],
    path: Sequence[StepDone],
    everything: Sequence[StepDone],
    *,
    mode: Mode,
    watched: bool,
    times_logged: bool = False,
) -> Performance:
    """What was done for a claim, as the level is decided from it.

    `everything`: all steps of the run, for the probe may stand beside the claim's own path. `watched`: whether a
    guard looked all the while and saw nothing wrong. `times_logged`: whether alarm, decision and service are timed.
    """
    probed = any(s.probe and s.saw_target and s.state in _OK for s in everything)
    probe = Probe.NONE if not probed else Probe.WHOLE_TIME if watched else Probe.SAW_OTHER_SIDE
    return Performance(mode=mode, carriers=_did(carriers), path=_did(path), probe=probe, times_logged=times_logged)


def _did(steps: Sequence[StepDone]) -> list[Did]:
    return [_what(step) for step in steps if step.carried_out]


def _what(step: StepDone) -> Did:
    if step.by_hand or step.asked:
        return Did.BY_HAND
    match step.effect:
        case Effect.OBSERVES:
            return Did.OBSERVED
        case Effect.ISOLATED:
            return Did.ISOLATED
        case Effect.CHANGES:
            return Did.CHANGED
        case None:
            return Did.NOTHING


def without_supplier(path: Sequence[StepDone]) -> WithoutSupplier:
    """*Yes* only if no step needed the supplier and each could tell; one that did makes it *no*."""
    told = [s.needed_supplier for s in path if s.carried_out and (s.effect is not None or s.asked)]
    if any(needed is True for needed in told):
        return WithoutSupplier.NO
    return WithoutSupplier.YES if told and all(needed is False for needed in told) else WithoutSupplier.UNKNOWN


def undecided(path: Sequence[StepDone]) -> list[str]:
    """The steps that were carried out and could not tell whether they needed the supplier."""
    counted = [s for s in path if s.carried_out and (s.effect is not None or s.asked)]
    return [s.id for s in counted if s.needed_supplier is None]


_RANK = (ProofVerdict.FAIL, ProofVerdict.INCONCLUSIVE, ProofVerdict.PARTIAL, ProofVerdict.PASS)
_WORDS = {
    ProofVerdict.FAIL: RunVerdict.FAILED,
    ProofVerdict.INCONCLUSIVE: RunVerdict.INCONCLUSIVE,
    ProofVerdict.PARTIAL: RunVerdict.PARTIAL,
    ProofVerdict.PASS: RunVerdict.PASSED,
}


def run_verdict(end: RunState, claims: Sequence[ProofVerdict], steps: Sequence[StepDone]) -> RunVerdict:
    """The verdict of a run: the worst of its claims and steps; aborted where it was stopped without a failure."""
    words = [*claims, claim_done(steps, steps, breached=False).verdict]
    failed = ProofVerdict.FAIL in words
    incident = any(step.primary_dead for step in steps)
    match end:
        case RunState.ABORTED | RunState.UNDONE | RunState.DENIED | RunState.MISSED:
            if incident:
                return RunVerdict.INCONCLUSIVE
            return RunVerdict.FAILED if failed else RunVerdict.ABORTED
        case RunState.FAILED if not incident:
            return RunVerdict.FAILED if failed else RunVerdict.INCONCLUSIVE
        case _:
            return _WORDS[next(word for word in _RANK if word in words)]
