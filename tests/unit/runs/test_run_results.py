"""What a run measured, what it proves, and whether enough others said yes: decided from plain facts."""

from datetime import UTC, datetime, timedelta

import pytest

from app.drills.rules import ApprovalPolicy
from app.plans.facts import Verdict as Proof
from app.plans.facts import WithoutSupplier
from app.plans.levels import Mode, Probe
from app.runs.approval import Said, Standing, standing
from app.runs.clocks import Ahead, StepTimes, clocks, expected_seconds, forecast_end
from app.runs.compose import digest_of
from app.runs.facts import key
from app.runs.record import ApprovalVerdict
from app.runs.rules import RunState, RunVerdict, StepState
from app.runs.verdicts import StepDone, claim_done, is_complete, performance, run_verdict, without_supplier
from runners.contract import Effect, Fact, Verdict

T = datetime(2027, 1, 10, 10, tzinfo=UTC)
OK, BAD = StepState.SUCCEEDED, StepState.FAILED


def at(milliseconds: int) -> datetime:
    return T + timedelta(milliseconds=milliseconds)


def test_the_service_clock_runs_from_the_first_outage_to_the_beginning_of_the_stable_period() -> None:
    steps = [
        StepTimes("go", OK, decides=True, opened_at=at(-5000), finished_at=at(-1000)),
        StepTimes("fence", OK, phase="over", starts_outage=True, began_at=at(0), finished_at=at(400)),
        StepTimes("redirect", OK, phase="over", began_at=at(500), finished_at=at(900)),
        StepTimes("serve", OK, ends_outage=True, began_at=at(900), finished_at=at(11_000), effective_at=at(1000)),
        StepTimes("lost", OK, rpa_ms=12.4),
    ]
    found = clocks(steps)
    assert (found.rta_ms, found.technical_ms, found.decision_ms, found.rpa_ms) == (1000, 900, 4000, 12)


@pytest.mark.parametrize("state", [BAD, StepState.SKIPPED, StepState.IGNORED, StepState.UNKNOWN, StepState.STARTED])
def test_no_recovery_time_is_told_where_service_was_not_seen_to_be_back(state: StepState) -> None:
    steps = [
        StepTimes("fence", OK, starts_outage=True, began_at=at(0), finished_at=at(1)),
        StepTimes("serve", state, ends_outage=True, began_at=at(1), finished_at=at(2)),
    ]
    assert clocks(steps).rta_ms is None


def test_the_expected_time_is_the_median_of_measured_runs_else_the_estimate() -> None:
    assert expected_seconds([10, 2, 3], 99) == 3
    assert expected_seconds([], 99) == 99
    assert expected_seconds([], None) is None


def test_the_forecast_follows_the_longest_path_and_never_lies_in_the_past() -> None:
    ahead = [Ahead("a", (), 10, began_at=T), Ahead("b", ("a",), 5), Ahead("c", ("a",), 60), Ahead("d", ("b", "c"), 1)]
    assert forecast_end(ahead, now=T) == T + timedelta(seconds=71)
    late = T + timedelta(hours=1)
    assert forecast_end([Ahead("a", (), 10, began_at=T)], now=late) == late
    assert forecast_end([], now=T) is None


def done(name: str, state: StepState = OK, verdict: Verdict | None = None, **more: object) -> StepDone:
    told = verdict or {OK: Verdict.PASSED, BAD: Verdict.FAILED, StepState.UNKNOWN: Verdict.UNKNOWN}.get(state)
    return StepDone(name, state, told, carried_out=state is not StepState.SKIPPED, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("carrier", "before", "breached", "expected"),
    [
        (done("c"), done("p"), False, Proof.PASS),
        (done("c", BAD), done("p"), False, Proof.FAIL),
        (done("c", StepState.NOT_STARTED), done("p", BAD), False, Proof.FAIL),
        (done("c", StepState.IGNORED, Verdict.FAILED), done("p"), False, Proof.FAIL),
        (done("c", StepState.UNDONE, Verdict.FAILED), done("p"), False, Proof.FAIL),
        (done("c"), done("p"), True, Proof.FAIL),
        (done("c", StepState.UNKNOWN), done("p"), False, Proof.INCONCLUSIVE),
        (done("c", StepState.IGNORED, Verdict.UNKNOWN), done("p"), False, Proof.INCONCLUSIVE),
        (done("c", StepState.NOT_STARTED), done("p"), False, Proof.INCONCLUSIVE),
        (done("c", StepState.UNDONE), done("p"), False, Proof.INCONCLUSIVE),
        (done("c", StepState.TIMED_OUT), done("p"), False, Proof.INCONCLUSIVE),
        (done("c", StepState.SKIPPED), done("p"), False, Proof.INCONCLUSIVE),
        (done("c"), done("p", StepState.SKIPPED), False, Proof.PARTIAL),
        (done("c"), done("p", StepState.SKIPPED, excused=True), False, Proof.PASS),
        (done("c"), done("p", BAD, primary_dead=True), False, Proof.INCONCLUSIVE),
    ],
)
def test_a_claim_is_the_worst_of_its_steps_and_nothing_proves_nothing(
    carrier: StepDone, before: StepDone, breached: bool, expected: Proof
) -> None:
    assert claim_done([carrier], [before, carrier], breached=breached).verdict is expected


def test_a_proof_is_complete_when_each_carrier_is_settled() -> None:
    assert is_complete([done("a"), done("b", StepState.SKIPPED)])
    assert not is_complete([done("a"), done("b", BAD)])
    assert not is_complete([])


def test_the_supplier_was_not_needed_only_when_every_step_can_tell() -> None:
    def step(needed: bool | None) -> StepDone:
        return done("s", effect=Effect.OBSERVES, needed_supplier=needed)

    assert without_supplier([step(False), step(False)]) is WithoutSupplier.YES
    assert without_supplier([step(False), step(None)]) is WithoutSupplier.UNKNOWN
    assert without_supplier([step(None), step(True)]) is WithoutSupplier.NO
    assert without_supplier([]) is WithoutSupplier.UNKNOWN


def test_a_probe_counts_only_when_it_passed_and_saw_the_target_side() -> None:
    switched = [done("promote", effect=Effect.CHANGES)]

    def seen(probe: StepDone, *, watched: bool = False) -> Probe:
        return performance(switched, switched, [*switched, probe], mode=Mode.LIVE, watched=watched).probe

    assert seen(done("look", probe=True, saw_target=True)) is Probe.SAW_OTHER_SIDE
    assert seen(done("look", probe=True, saw_target=True), watched=True) is Probe.WHOLE_TIME
    assert seen(done("look", probe=True, saw_target=False), watched=True) is Probe.NONE
    assert seen(done("look", BAD, probe=True, saw_target=True)) is Probe.NONE
    assert seen(done("look", probe=False, saw_target=True)) is Probe.NONE


@pytest.mark.parametrize(
    ("end", "claims", "step", "expected"),
    [
        (RunState.COMPLETED, [Proof.PASS], done("a"), RunVerdict.PASSED),
        (RunState.COMPLETED, [Proof.PARTIAL], done("a"), RunVerdict.PARTIAL),
        (RunState.COMPLETED, [], done("a", StepState.SKIPPED), RunVerdict.INCONCLUSIVE),
        (
            RunState.COMPLETED_WITH_EXCEPTIONS,
            [Proof.PASS],
            done("a", StepState.IGNORED, Verdict.FAILED),
            RunVerdict.FAILED,
        ),
        (RunState.FAILED, [Proof.FAIL], done("a", BAD), RunVerdict.FAILED),
        (RunState.FAILED, [Proof.INCONCLUSIVE], done("a", BAD, primary_dead=True), RunVerdict.INCONCLUSIVE),
        (RunState.UNDONE, [Proof.INCONCLUSIVE], done("a", StepState.UNDONE), RunVerdict.ABORTED),
        (RunState.UNDONE, [Proof.FAIL], done("a", BAD), RunVerdict.FAILED),
        (RunState.ABORTED, [], done("a", StepState.NOT_STARTED), RunVerdict.ABORTED),
        (RunState.MISSED, [], done("a", StepState.NOT_STARTED), RunVerdict.ABORTED),
    ],
)
def test_a_run_is_the_worst_of_its_claims_and_steps_and_aborted_where_it_was_stopped(
    end: RunState, claims: list[Proof], step: StepDone, expected: RunVerdict
) -> None:
    assert run_verdict(end, claims, [step]) is expected


def said(person: str, *, verdict: ApprovalVerdict = ApprovalVerdict.APPROVED, **more: object) -> Said:
    given: dict[str, object] = {
        "as_owner": person == "owner",
        "digest": "d",
        "valid_from": T,
        "valid_until": T + timedelta(hours=1),
    }
    return Said(person, verdict=verdict, **(given | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([said("a"), said("owner")], Standing.GRANTED),
        ([said("a")], Standing.WAITING),
        ([said("owner")], Standing.WAITING),
        ([said("owner"), said("owner")], Standing.WAITING),
        ([said("a"), said("b")], Standing.WAITING),
        ([said("starter"), said("owner")], Standing.WAITING),
        ([said("author"), said("owner")], Standing.WAITING),
        ([said("a", digest="e"), said("owner")], Standing.WAITING),
        ([said("a", revoked=True), said("owner")], Standing.WAITING),
        ([said("a", valid_until=T), said("owner")], Standing.WAITING),
        ([said("a", valid_from=T + timedelta(seconds=1)), said("owner")], Standing.WAITING),
        ([said("a"), said("owner"), said("b", verdict=ApprovalVerdict.DENIED)], Standing.DENIED),
        ([said("a"), said("owner"), said("b", verdict=ApprovalVerdict.DENIED, digest="e")], Standing.GRANTED),
    ],
)
def test_two_others_must_say_yes_to_this_very_digest_and_the_process_owner_is_one(
    given: list[Said], expected: Standing
) -> None:
    excluded = frozenset({"starter", "author"})
    assert standing(ApprovalPolicy(), given, "d", excluded=excluded, now=T) is expected


def test_one_changed_byte_is_another_digest_and_the_order_of_keys_is_not() -> None:
    assert digest_of({"a": 1, "b": "x"}) == digest_of({"b": "x", "a": 1})
    assert digest_of({"a": 1, "b": "x"}) != digest_of({"a": 1, "b": "y"})


def test_a_safety_fact_is_named_by_pair_and_side_and_can_be_about_the_other_side() -> None:
    params = {"pair": {"name": "permits"}, "node": "fallback"}
    assert key(Fact(kind="caught-up"), params) == "caught-up:permits:fallback"
    assert key(Fact(kind="fenced", opposite=True), params) == "fenced:permits:primary"
    assert key(Fact(kind="fenced"), {"node": "fallback"}) is None
    assert key(Fact(kind="fenced"), {"pair": {"name": "permits"}, "node": "elsewhere"}) is None
