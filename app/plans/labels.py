"""The words of plans for people."""

import re

import app.playbooks.labels  # noqa: F401 – the words of claims
from app.core.labels import add
from app.core.messages import Message, say
from app.plans.defaults import SwapPolicy
from app.plans.facts import (
    ExitMode,
    PlanKind,
    ProofSource,
    Status,
    Verdict,
    VersionState,
    WeakeningKind,
    WithoutSupplier,
)
from app.plans.fit import Fit
from app.plans.levels import AuditWord

add(Fit, {Fit.FITS: say("fits"), Fit.DOES_NOT_FIT: say("does not fit"), Fit.UNKNOWN: say("nobody measured it")})
add(PlanKind, {PlanKind.EXIT: say("exit plan"), PlanKind.FALLBACK: say("fallback plan")})
add(ExitMode, {ExitMode.PLANNED: say("planned"), ExitMode.STRESSED: say("stressed, without the supplier")})
add(
    Status,
    {
        Status.NO_PLAN: say("no plan"),
        Status.DRAFT: say("draft"),
        Status.FAILED: say("failed"),
        Status.STALE: say("out of date"),
        Status.OVERDUE: say("overdue"),
        Status.PARTIALLY_PROVEN: say("partially proven"),
        Status.PROVEN: say("proven"),
        Status.PAPER_ONLY: say("on paper only"),
        Status.NEVER_TESTED: say("never tested"),
    },
)
add(
    VersionState,
    {
        VersionState.DRAFT: say("draft"),
        VersionState.IN_REVIEW: say("in review"),
        VersionState.APPROVED: say("approved"),
        VersionState.RETIRED: say("retired"),
    },
)
add(
    ProofSource,
    {
        ProofSource.RUN: say("a run"),
        ProofSource.REVIEW: say("a review"),
        ProofSource.ATTESTED: say("told: a test outside Wissel"),
    },
)
add(
    Verdict,
    {
        Verdict.PASS: say("passed"),
        Verdict.PARTIAL: say("partly passed"),
        Verdict.FAIL: say("failed"),
        Verdict.INCONCLUSIVE: say("no conclusion"),
    },
)
add(
    WithoutSupplier,
    {WithoutSupplier.YES: say("yes"), WithoutSupplier.NO: say("no"), WithoutSupplier.UNKNOWN: say("unknown")},
)
add(
    AuditWord,
    {
        AuditWord.NONE: say("none yet"),
        AuditWord.DESIGN: say("design: there is a complete, approved plan"),
        AuditWord.EXISTENCE: say("existence: it was really carried out"),
        AuditWord.OPERATING: say("operating effectiveness: it works again and again"),
    },
)
add(
    SwapPolicy,
    {
        SwapPolicy.NONE: say("no regular swap"),
        SwapPolicy.YEARLY: say("every year"),
        SwapPolicy.HALF_YEARLY: say("every half year"),
        SwapPolicy.QUARTERLY: say("every quarter"),
    },
)
add(
    WeakeningKind,
    {
        WeakeningKind.CLAIM_DROPPED: say("a claim is dropped"),
        WeakeningKind.LOWER_LEVEL: say("a lower level"),
        WeakeningKind.LONGER_VALIDITY: say("proof counts for longer"),
        WeakeningKind.LOOSER_GOAL: say("a looser goal"),
        WeakeningKind.WITH_SUPPLIER: say("now with the supplier's help"),
        WeakeningKind.RESTS_ON_LESS: say("rests on fewer objects"),
        WeakeningKind.FEWER_FAMILIES: say("for fewer scenarios"),
        WeakeningKind.LOWER_CRITICALITY: say("a lower criticality"),
        WeakeningKind.PLAN_RETIRED: say("the plan ends"),
    },
)

_REASONS = (
    say("the plan was made"),
    say("the draft was edited"),
    say("a claim was added to the draft"),
    say("a claim of the draft was edited"),
    say("a claim was taken out of the draft"),
    say("version {number} was approved"),
    say("version {number} was sent back"),
    say("run {number}"),
    say("a review was recorded"),
    say("an outside test was attested"),
    say("the plan was retired"),
    say("time passed, or the catalogue changed"),
)


def reason(why: str) -> Message:
    """Why a status changed, as the row says it in English, in the reader's language."""
    for known in _REASONS:
        pattern = re.escape(known.text).replace(re.escape("{number}"), r"(?P<number>[\w.-]+)")
        if found := re.fullmatch(pattern, why):
            return Message(known.text, found.groupdict())
    return Message("{why}", {"why": why})
