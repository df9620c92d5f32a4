"""Edges of the status of a claim: one instant, order of entry, caps, goals, versions, changes, findings."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.plans.facts import (
    Change,
    Claim,
    Facts,
    Finding,
    FindingSeverity,
    PlanFacts,
    Proof,
    Status,
    Verdict,
    WithoutSupplier,
)
from app.plans.rules import claim_status, plan_status, summary
from app.plans.worth import worth

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + 30 * DAY
CLAIM = Claim("restore", min_level=3, valid_days=365, objects=frozenset({"db"}))
GOALS = replace(CLAIM, min_level=4, rto_s=900, rpo_s=0)
PASS, PARTIAL, FAIL, UNSURE = Verdict.PASS, Verdict.PARTIAL, Verdict.FAIL, Verdict.INCONCLUSIVE
HIGH, MEDIUM = FindingSeverity.HIGH, FindingSeverity.MEDIUM


def proof(day: float, verdict: Verdict = PASS, level: int = 3, **more) -> Proof:
    return Proof("restore", level, verdict, START + day * DAY, more.pop("major", 1), **more)


def status(*proofs: Proof, claim: Claim = CLAIM, now=NOW, changes=(), findings=(), major: int = 1) -> Status:
    facts = Facts(PlanFacts(True, True, major), [claim], proofs, changes, findings)
    return claim_status(claim, facts, now=now).status


@pytest.mark.parametrize(
    ("proofs", "expected"),
    [
        ([proof(1), proof(1, FAIL)], Status.FAILED),
        ([proof(1, FAIL), proof(1)], Status.FAILED),
        ([proof(1), proof(1, PARTIAL)], Status.PARTIALLY_PROVEN),
        ([proof(1, PARTIAL), proof(1)], Status.PARTIALLY_PROVEN),
        ([proof(1), proof(1, major=0)], Status.STALE),
        ([proof(2), proof(1, FAIL)], Status.PROVEN),
        ([proof(2, PARTIAL), proof(1)], Status.PARTIALLY_PROVEN),
        ([proof(1, PARTIAL), proof(2)], Status.PROVEN),
        ([proof(1), proof(2, PARTIAL, level=2)], Status.PROVEN),
        ([proof(1, FAIL), proof(2, PARTIAL)], Status.FAILED),
        ([proof(1, FAIL, level=5), proof(2, level=4)], Status.FAILED),
        ([proof(1, FAIL, level=2), proof(2, level=2)], Status.PAPER_ONLY),
        ([proof(1, FAIL, level=1), proof(2, level=5)], Status.PROVEN),
        ([proof(1, FAIL), proof(2), proof(3, FAIL)], Status.FAILED),
        ([proof(1, FAIL), proof(2, UNSURE)], Status.FAILED),
        ([proof(1, FAIL), proof(2, mandatory_skipped=True)], Status.FAILED),
        ([proof(1, FAIL), proof(2, level=5, simulated=True)], Status.FAILED),
        ([proof(1, FAIL, level=4, attested=True), proof(2)], Status.FAILED),
        ([proof(1, FAIL, attested=True), proof(2)], Status.PROVEN),
        ([proof(1, FAIL, attested=True), proof(2, attested=True)], Status.FAILED),
        ([proof(1, attested=True)], Status.PROVEN),
        ([proof(1, UNSURE)], Status.NEVER_TESTED),
        ([proof(1, PARTIAL, simulated=True, level=5)], Status.NEVER_TESTED),
        ([proof(1, level=0)], Status.NEVER_TESTED),
        ([proof(1, PARTIAL)], Status.PARTIALLY_PROVEN),
        ([proof(31, FAIL)], Status.NEVER_TESTED),
        ([proof(30)], Status.PROVEN),
    ],
)
def test_which_proof_decides(proofs, expected):
    assert status(*proofs) is expected
    assert status(*reversed(proofs)) is expected


def test_a_partial_does_not_become_overdue_but_the_expired_pass_is_told():
    facts = Facts(PlanFacts(True, True, 1), [CLAIM], [proof(0), proof(5, PARTIAL)])
    found = claim_status(CLAIM, facts, now=START + 400 * DAY)
    assert (found.status, found.overdue_since) == (Status.PARTIALLY_PROVEN, START + 365 * DAY)


def test_a_renewed_pass_is_not_overdue_since_the_one_before():
    facts = Facts(PlanFacts(True, True, 1), [CLAIM], [proof(0), proof(300)])
    found = claim_status(CLAIM, facts, now=START + 400 * DAY)
    assert (found.status, found.until, found.overdue_since) == (Status.PROVEN, START + 665 * DAY, None)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [(0.9, Status.PROVEN), (1, Status.PROVEN), (1.1, Status.STALE), (30, Status.STALE), (30.1, Status.PROVEN)],
)
def test_only_a_change_after_the_proof_and_up_to_now_makes_it_stale(changed, expected):
    change = Change(START + changed * DAY, frozenset({"db", "lb"}))
    assert status(proof(1), changes=[change]) is expected


def test_a_stale_proof_outranks_its_expiry_and_its_partiality():
    change = Change(START + 2 * DAY, frozenset(), whole_plan=True)
    assert status(proof(1), changes=[change], now=START + 400 * DAY) is Status.STALE
    assert status(proof(1, PARTIAL), changes=[change]) is Status.STALE
    assert status(proof(1, level=2), changes=[change]) is Status.PAPER_ONLY


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (Finding("restore", HIGH, START + 2 * DAY), Status.PARTIALLY_PROVEN),
        (Finding("restore", MEDIUM, START + 2 * DAY), Status.PROVEN),
        (Finding("other", HIGH, START + 2 * DAY), Status.PROVEN),
        (Finding(None, HIGH, START + 2 * DAY), Status.PARTIALLY_PROVEN),
        (Finding("restore", HIGH, START + 31 * DAY), Status.PROVEN),
        (Finding("restore", HIGH, NOW), Status.PARTIALLY_PROVEN),
        (Finding("restore", HIGH, START, retested=NOW), Status.PROVEN),
        (Finding("restore", HIGH, START, retested=NOW + DAY), Status.PARTIALLY_PROVEN),
    ],
)
def test_an_open_high_finding_caps_what_is_proven(finding, expected):
    assert status(proof(1), findings=[finding]) is expected


def test_a_finding_does_not_lift_what_is_less_than_proven():
    finding = Finding("restore", HIGH, START)
    assert status(proof(1, level=2), findings=[finding]) is Status.PAPER_ONLY
    assert status(proof(1), findings=[finding], now=START + 400 * DAY) is Status.OVERDUE


@pytest.mark.parametrize(
    ("more", "level", "verdict"),
    [
        ({"rto_ms": 900_000, "rpo_ms": 0}, 4, PASS),
        ({"rto_ms": 900_001, "rpo_ms": 0}, 4, PARTIAL),
        ({"rto_ms": 1, "rpo_ms": 1}, 4, PARTIAL),
        ({"rto_ms": 1}, 4, UNSURE),
        ({"rto_ms": 900_001}, 4, PARTIAL),
        ({"rto_ms": 1, "level": 3}, 3, PASS),
        ({"rto_ms": 900_001, "level": 2}, 2, PARTIAL),
        ({"level": 5}, 5, UNSURE),
        ({"level": 5, "attested": True}, 3, PASS),
        ({"level": 5, "simulated": True}, 1, PASS),
        ({"mandatory_skipped": True}, 4, PARTIAL),
        ({"verdict": FAIL, "level": 5, "attested": True}, 5, FAIL),
        ({"verdict": FAIL, "level": 5, "simulated": True}, 5, UNSURE),
        ({"verdict": PARTIAL}, 4, PARTIAL),
        ({"verdict": UNSURE, "rto_ms": 1, "rpo_ms": 0}, 4, UNSURE),
    ],
)
def test_what_a_proof_counts_for(more, level, verdict):
    counted = worth(GOALS, proof(1, **({"level": 4} | more)))
    assert (counted.level, counted.verdict) == (level, verdict)


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        ({"hold_ms": 60_000, "mbco": 400}, PASS),
        ({"hold_ms": 59_999, "mbco": 400}, PARTIAL),
        ({"hold_ms": 60_000, "mbco": 399.9}, PARTIAL),
        ({"hold_ms": 60_000}, UNSURE),
        ({"mbco": 400}, UNSURE),
    ],
)
def test_a_stay_of_exactly_the_least_length_at_exactly_the_least_output_is_enough(measured, verdict):
    least = replace(CLAIM, min_level=5, min_hold_s=60, mbco=400)
    assert worth(least, proof(0, level=5, **measured)).verdict is verdict


@pytest.mark.parametrize("told", [WithoutSupplier.NO, WithoutSupplier.UNKNOWN])
def test_a_failure_with_the_suppliers_help_is_not_cleared_by_talking(told):
    claim = replace(CLAIM, without_supplier=True)
    failed = proof(1, FAIL, level=4, without_supplier=told)
    assert worth(claim, failed).level == 4
    assert status(failed, proof(2, level=2), claim=claim) is Status.FAILED
    helped = proof(2, level=5, without_supplier=told)
    assert status(failed, helped, claim=claim) is Status.FAILED
    assert status(failed, replace(helped, without_supplier=WithoutSupplier.YES), claim=claim) is Status.PROVEN


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([], Status.NEVER_TESTED),
        ([Status.PROVEN, Status.STALE, Status.OVERDUE], Status.STALE),
        ([Status.PROVEN, Status.OVERDUE, Status.NEVER_TESTED], Status.OVERDUE),
        ([Status.PARTIALLY_PROVEN, Status.PAPER_ONLY], Status.PARTIALLY_PROVEN),
        ([Status.PROVEN, Status.PAPER_ONLY], Status.PARTIALLY_PROVEN),
        ([Status.PAPER_ONLY, Status.NEVER_TESTED], Status.PAPER_ONLY),
        ([Status.STALE, Status.FAILED], Status.FAILED),
    ],
)
def test_the_worst_claim_names_the_plan(claims, expected):
    assert summary(claims) is expected
    assert summary(claims[::-1]) is expected


@pytest.mark.parametrize("due", [NOW - DAY, NOW])
def test_a_first_due_date_counts_from_its_very_moment_and_only_for_what_is_untested(due):
    def since(*proofs: Proof) -> datetime | None:
        return plan_status(Facts(PlanFacts(True, True, 1, first_due=due), [CLAIM], proofs), now=NOW).overdue_since

    assert since() == due
    assert since(proof(1, level=2)) == due
    assert since(proof(1)) is None
    assert since(proof(1, FAIL)) is None


some_proofs = some.lists(
    some.builds(
        proof,
        some.integers(0, 60),
        some.sampled_from(list(Verdict)),
        some.integers(0, 5),
        major=some.integers(1, 2),
        simulated=some.booleans(),
        attested=some.booleans(),
        mandatory_skipped=some.booleans(),
    ),
    max_size=8,
)


@given(some_proofs, some.randoms())
def test_the_order_in_which_proof_is_entered_never_matters(proofs, chance):
    mixed = list(proofs)
    chance.shuffle(mixed)
    assert status(*proofs, major=2) is status(*mixed, major=2)


@given(some_proofs)
def test_what_was_told_or_partly_done_never_ends_a_failure(proofs):
    later = START + 100 * DAY
    told = [proof(70, level=5, attested=True), proof(71, UNSURE, level=5), proof(72, PARTIAL, level=5)]
    if status(*proofs, now=later) is Status.FAILED:
        assert status(*proofs, *told, now=later) is Status.FAILED


@given(some_proofs, some.integers(0, 2000), some.integers(0, 2000))
def test_time_alone_only_makes_a_claim_overdue(proofs, sooner, longer):
    first = status(*proofs, now=START + (60 + sooner) * DAY)
    later = status(*proofs, now=START + (60 + sooner + longer) * DAY)
    assert later is first or (first is Status.PROVEN and later is Status.OVERDUE)


@pytest.mark.parametrize(("due", "since"), [(5, 5), (20, 10)])
def test_overdue_is_told_since_the_earliest_of_what_ran_out_and_what_nobody_tested(due, since):
    claims = [replace(CLAIM, valid_days=10), replace(CLAIM, key="swap")]
    plan = PlanFacts(True, True, 1, START + due * DAY)
    assert plan_status(Facts(plan, claims, [proof(0)]), now=NOW).overdue_since == START + since * DAY
