"""Weakening, the lamps, time needed, coverage, fit and the status in words."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from app.catalog.graph import SharedKind
from app.catalog.rules import Criticality, ScenarioFamily
from app.core.messages import say
from app.plans.completeness import TimeNeeded, Work, complete, current, time_needed, too_slow, unreachable
from app.plans.coverage import Stand, coverage, does_not_count
from app.plans.defaults import SwapPolicy, default_claims, valid_days
from app.plans.facts import Claim, ExitMode, Facts, PlanFacts, PlanKind, Proof, Status, Verdict, WeakeningKind
from app.plans.fit import Amount, Fit, all_fit, fit
from app.plans.rules import plan_status
from app.plans.weakening import Default, Demand, lower_criticality, weaker_than_before, weaker_than_default
from app.plans.words import in_words
from app.playbooks.rules import ClaimKind

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CLAIM = Claim(
    "swap", 4, 198, rto_s=900, rpo_s=0, min_hold_s=60, mbco=400, without_supplier=True, objects=frozenset("ab")
)
FULL = Demand(CLAIM, frozenset({"swap", "datacentre"}))


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        ({"min_level": 3}, WeakeningKind.LOWER_LEVEL),
        ({"valid_days": 199}, WeakeningKind.LONGER_VALIDITY),
        ({"rto_s": 901}, WeakeningKind.LOOSER_GOAL),
        ({"rto_s": None}, WeakeningKind.LOOSER_GOAL),
        ({"rpo_s": 1}, WeakeningKind.LOOSER_GOAL),
        ({"min_hold_s": 59}, WeakeningKind.LOOSER_GOAL),
        ({"mbco": 399.5}, WeakeningKind.LOOSER_GOAL),
        ({"without_supplier": False}, WeakeningKind.WITH_SUPPLIER),
        ({"objects": frozenset("a")}, WeakeningKind.RESTS_ON_LESS),
    ],
)
def test_a_claim_that_asks_less_is_weaker(after, kind):
    found = weaker_than_before([FULL], [replace(FULL, claim=replace(CLAIM, **after))])
    assert [(each.kind, each.claim_key) for each in found] == [(kind, "swap")]


def test_dropping_a_claim_or_a_family_is_weaker_and_asking_more_is_not():
    dropped = weaker_than_before([FULL], [])
    assert [each.kind for each in dropped] == [WeakeningKind.CLAIM_DROPPED]
    fewer = weaker_than_before([FULL], [replace(FULL, families=frozenset({"swap"}))])
    assert [each.kind for each in fewer] == [WeakeningKind.FEWER_FAMILIES]
    more = replace(CLAIM, min_level=5, valid_days=100, rto_s=60, mbco=500, objects=frozenset("abc"))
    assert weaker_than_before([FULL], [replace(FULL, claim=more), Demand(replace(CLAIM, key="new"))]) == []


def test_another_kind_of_claim_under_an_old_key_drops_the_old_one():
    found = weaker_than_before([replace(FULL, kind="failover")], [replace(FULL, kind="switchover")])
    assert [(each.kind, each.before, each.after) for each in found] == [
        (WeakeningKind.CLAIM_DROPPED, "failover", "switchover")
    ]


def test_a_new_claim_is_held_against_the_default_and_a_known_one_is_not():
    defaults = {"swap": Default(min_level=5, valid_days=100)}
    assert len(weaker_than_default([FULL], defaults, frozenset())) == 2
    assert weaker_than_default([FULL], defaults, frozenset({"swap"})) == []


def test_not_assessed_counts_as_critical():
    assert lower_criticality(Criticality.NOT_ASSESSED, Criticality.CRITICAL) == []
    assert lower_criticality(Criticality.CRITICAL, Criticality.NOT_ASSESSED) == []
    assert len(lower_criticality(Criticality.NOT_ASSESSED, Criticality.IMPORTANT)) == 1


@pytest.mark.parametrize(
    ("kind", "criticality", "swap", "days"),
    [
        (ClaimKind.RESTORE, Criticality.CRITICAL, SwapPolicy.NONE, 31),
        (ClaimKind.RESTORE, Criticality.NOT_ASSESSED, SwapPolicy.NONE, 31),
        (ClaimKind.RESTORE, Criticality.IMPORTANT, SwapPolicy.NONE, 365),
        (ClaimKind.SWITCHOVER, Criticality.CRITICAL, SwapPolicy.QUARTERLY, 198),
        (ClaimKind.HOLD, Criticality.OTHER, SwapPolicy.QUARTERLY, 198),
        (ClaimKind.WAY_BACK, Criticality.OTHER, SwapPolicy.HALF_YEARLY, 365),
        (ClaimKind.FAILOVER, Criticality.OTHER, SwapPolicy.QUARTERLY, 365),
        (ClaimKind.ESCROW_BUILD, Criticality.CRITICAL, SwapPolicy.NONE, 365),
    ],
)
def test_the_default_validity(kind, criticality, swap, days):
    assert valid_days(kind, criticality=criticality, swap=swap) == days


def test_a_planned_exit_is_offered_claims_for_a_planned_exit_only():
    offered = default_claims(PlanKind.EXIT, ExitMode.PLANNED, criticality=Criticality.OTHER)
    assert {family for claim in offered for family in claim.families} == {ScenarioFamily.TAKEOVER_CARVEOUT}
    assert not any(claim.without_supplier for claim in offered)


def test_the_time_needed_is_the_longest_way_and_not_the_sum():
    work = [Work("a", 60), Work("b", 300), Work("c", 30, ("a", "b")), Work("d", None, ("c",))]
    found = time_needed(work)
    assert (found.seconds, found.path, found.unknown) == (330, ("b", "c", "d"), ("d",))
    assert (too_slow(found, 330), too_slow(found, 329), too_slow(found, None)) == (False, True, False)


def test_steps_in_a_ring_and_behind_it_cannot_be_reached():
    ring = [Work("a", 1, ("b",)), Work("b", 1, ("a",)), Work("c", 1, ("b",)), Work("free", 1)]
    assert unreachable(ring) == ("a", "b", "c")
    assert time_needed(ring).seconds is None


def test_complete_is_lit_only_with_every_part_and_time_enough():
    fits = TimeNeeded(60, ("a",), ())
    assert complete([(say("triggers"), True)], fits, 60).lit
    assert len(complete([(say("triggers"), False)], fits, 59).missing) == 2
    assert not complete([], fits, None).lit
    assert not complete([], TimeNeeded(60, ("a",), ("b",)), 600).lit
    assert not complete([], TimeNeeded(None, (), ()), 600).lit


@pytest.mark.parametrize(
    ("more", "lit"),
    [
        ({}, True),
        ({"next_review_on": None}, False),
        ({"next_review_on": date(2026, 5, 31)}, False),
        ({"contacts": {"Wethouder": None}}, False),
        ({"contacts": {"Wethouder": date(2025, 5, 31)}}, False),
        ({"assumptions": {"Stroom": date(2026, 6, 2)}}, False),
        ({"changes": [NOW - timedelta(days=11)]}, True),
        ({"changes": [NOW - timedelta(days=9)]}, False),
    ],
)
def test_current_asks_review_contacts_assumptions_and_no_change(more, lit):
    given = {
        "next_review_on": date(2026, 6, 1),
        "contacts": {"Wethouder": date(2025, 6, 1)},
        "assumptions": {"Stroom": date(2026, 6, 1)},
        "approved_at": NOW - timedelta(days=10),
        "changes": [],
    } | more
    assert current(**given, now=NOW).lit is lit


def stand(kind: ClaimKind = ClaimKind.FAILOVER, status: Status = Status.PROVEN, **more) -> Stand:
    families = frozenset({ScenarioFamily.BANKRUPTCY, ScenarioFamily.SWAP, ScenarioFamily.TAKEOVER_CARVEOUT})
    return Stand("svc", "PLN-001", kind.value, kind, more.pop("mode", None), status, families, **more)


@pytest.mark.parametrize(
    ("shared", "lost"),
    [
        (SharedKind.SITE, ScenarioFamily.DATACENTRE),
        (SharedKind.CERTIFICATE_HOLDER, ScenarioFamily.CERTIFICATE),
        (SharedKind.KEY_PERSON, ScenarioFamily.STAFF),
    ],
)
def test_what_both_sides_share_is_not_survived_by_the_other_side(shared, lost):
    one = replace(stand(), shared=frozenset({shared}))
    assert does_not_count(one, lost) is not None
    assert does_not_count(one, ScenarioFamily.BACKUP) is None
    assert does_not_count(replace(one, shared=frozenset({SharedKind.PARENT})), lost) is None
    assert does_not_count(replace(one, kind=ClaimKind.RESTORE), lost) is None


@pytest.mark.parametrize(
    ("one", "bankruptcy", "swap"),
    [
        (stand(), Status.PROVEN, Status.PROVEN),
        (stand(ClaimKind.SWITCHOVER), Status.NO_PLAN, Status.PROVEN),
        (stand(ClaimKind.DATA_OUT, mode=ExitMode.PLANNED), Status.NO_PLAN, Status.PROVEN),
        (stand(ClaimKind.DATA_OUT, mode=ExitMode.STRESSED), Status.PROVEN, Status.PROVEN),
        (stand(shared=frozenset({SharedKind.PARENT})), Status.NO_PLAN, Status.PROVEN),
        (stand(ClaimKind.OTHER_ENVIRONMENT, shared=frozenset({SharedKind.DNS})), Status.NO_PLAN, Status.PROVEN),
        (stand(ClaimKind.DATA_OUT, shared=frozenset({SharedKind.SUPPLIER})), Status.PROVEN, Status.PROVEN),
    ],
)
def test_no_proof_stands_for_another_kind_of_trouble(one, bankruptcy, swap):
    cells = {cell.family: cell for cell in coverage(["svc"], [one])}
    assert (cells[ScenarioFamily.BANKRUPTCY].status, cells[ScenarioFamily.SWAP].status) == (bankruptcy, swap)
    assert bool(cells[ScenarioFamily.BANKRUPTCY].refused) is (bankruptcy is Status.NO_PLAN)
    assert cells[ScenarioFamily.STAFF].status is Status.NO_PLAN


def test_a_cell_is_as_good_as_its_worst_claim():
    cells = {cell.family: cell for cell in coverage(["svc"], [stand(), stand(ClaimKind.DATA_OUT, Status.FAILED)])}
    assert cells[ScenarioFamily.BANKRUPTCY].status is Status.FAILED


def test_needs_add_up_and_what_was_only_said_is_unknown():
    needs = [Amount("Desks", "pieces", 30), Amount("desks ", "pieces", 31), Amount("Power", "kW", 5)]
    lines = {line.resource: line for line in fit(needs, [Amount("DESKS", "pieces", 60), Amount("Power", "W", 5000)])}
    assert (lines["Desks"].needed, lines["Desks"].verdict) == (61, Fit.DOES_NOT_FIT)
    assert lines["Power"].verdict is Fit.UNKNOWN
    (said,) = fit([Amount("Desks", "pieces", 1)], [Amount("Desks", "pieces", 60, measured=False)])
    assert said.verdict is Fit.UNKNOWN
    assert all_fit(list(lines.values())) is Fit.DOES_NOT_FIT
    assert all_fit([]) is Fit.UNKNOWN


def told(*proofs: Proof, approved: bool = True) -> str:
    claims = [Claim(f"c{number}", 3, 365) for number in range(6)]
    found = plan_status(Facts(PlanFacts(True, approved, 1), claims, proofs), now=NOW)
    return str(in_words(found, proofs, now=NOW))


def test_the_status_is_said_in_words():
    talked = [Proof(f"c{number}", 2, Verdict.PASS, NOW, 1) for number in range(2)]
    assert told(*talked) == "On paper: 2 of 6 claims only talked through; last real test: none"
    real = Proof("c0", 3, Verdict.PASS, NOW - timedelta(days=1), 1)
    assert told(real) == "Partly proven: 1 of 6 claims; last real test: 2026-05-31"
    assert told(replace(real, attested=True)).endswith("last real test: none")
    assert told(approved=False) == "Draft: nobody has approved this plan yet"
