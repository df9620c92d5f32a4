"""What a recorded proof counts for: simulated, told, with the supplier's help, steps skipped, goals missed."""

from typing import assert_never

from app.plans.facts import Claim, Proof, Verdict, WithoutSupplier, Worth

TOLD_AT_MOST = 3
"""Highest level of what was attested: done outside and told, not measured."""
WITH_HELP_AT_MOST = 2
"""Highest level where a claim asks *without the supplier* and the proof does not say yes."""
MEASURED_FROM = 4
"""From this level on a goal that was not measured leaves the proof inconclusive."""


def worth(claim: Claim, proof: Proof) -> Worth:
    """What `proof` counts for as proof of `claim`; a failure keeps the level it failed at."""
    match proof.verdict:
        case Verdict.INCONCLUSIVE:
            return Worth(proof, proof.level, Verdict.INCONCLUSIVE)
        case Verdict.FAIL:
            return Worth(proof, proof.level, Verdict.INCONCLUSIVE if proof.simulated else Verdict.FAIL)
        case Verdict.PARTIAL:
            verdict = Verdict.INCONCLUSIVE if proof.simulated else Verdict.PARTIAL
            return Worth(proof, _level(claim, proof), verdict)
        case Verdict.PASS:
            level = _level(claim, proof)
            return Worth(proof, level, _pass_weighed(claim, proof, level))
        case _:
            assert_never(proof.verdict)


def _level(claim: Claim, proof: Proof) -> int:
    level = min(proof.level, 1) if proof.simulated else proof.level
    if proof.attested:
        level = min(level, TOLD_AT_MOST)
    if claim.without_supplier and proof.without_supplier is not WithoutSupplier.YES:
        level = min(level, WITH_HELP_AT_MOST)
    return level


def _pass_weighed(claim: Claim, proof: Proof, level: int) -> Verdict:
    """A pass against what was skipped and the goals; what is known to be too little outweighs the unmeasured."""
    goals = _goals(claim, proof)
    if proof.mandatory_skipped or any(met is False for met in goals):
        return Verdict.PARTIAL
    if level >= MEASURED_FROM and any(met is None for met in goals):
        return Verdict.INCONCLUSIVE
    return Verdict.PASS


def _goals(claim: Claim, proof: Proof) -> list[bool | None]:
    """Per goal of the claim: met, not met, or None where it was not measured."""

    def at_most(goal: int | None, measured: int | None) -> bool | None:
        return None if measured is None or goal is None else measured <= goal * 1000

    def at_least(goal: float | None, measured: float | None) -> bool | None:
        return None if measured is None or goal is None else measured >= goal

    hold_goal = None if claim.min_hold_s is None else claim.min_hold_s * 1000
    told = (
        (claim.rto_s, at_most(claim.rto_s, proof.rto_ms)),
        (claim.rpo_s, at_most(claim.rpo_s, proof.rpo_ms)),
        (hold_goal, at_least(hold_goal, proof.hold_ms)),
        (claim.mbco, at_least(claim.mbco, proof.mbco)),
    )
    return [met for goal, met in told if goal is not None]
