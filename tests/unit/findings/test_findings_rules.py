"""Decisions about findings: the table of transitions, what verifies, how long a risk can be accepted."""

from datetime import UTC, datetime, timedelta

import pytest

from app.findings.rules import (
    BY_THE_SYSTEM,
    CLOSED,
    Operation,
    Retest,
    State,
    after,
    latest_end,
    next_operations,
    verifies,
)

OPENED = datetime(2026, 1, 1, tzinfo=UTC)
LIVE = [State.OPEN, State.ACTION, State.AWAITING_RETEST]


def test_only_a_passing_retest_leads_to_verified():
    ways = {op for op in Operation for state in State if after(state, op) is State.VERIFIED}
    assert ways == {Operation.VERIFY}
    offered = {
        op
        for state in State
        for requested in (True, False)
        for retestable in (True, False)
        for op in next_operations(state, acceptance_requested=requested, retestable=retestable)
    }
    assert BY_THE_SYSTEM.isdisjoint(offered)


@pytest.mark.parametrize(
    ("state", "operation", "target"),
    [
        (State.OPEN, Operation.START_ACTION, State.ACTION),
        (State.ACTION, Operation.START_ACTION, None),
        (State.ACTION, Operation.REQUEST_RETEST, State.AWAITING_RETEST),
        (State.OPEN, Operation.REQUEST_RETEST, State.AWAITING_RETEST),
        (State.AWAITING_RETEST, Operation.RETURN_TO_ACTION, State.ACTION),
        (State.OPEN, Operation.RETURN_TO_ACTION, None),
        (State.RISK_ACCEPTED, Operation.END_ACCEPTANCE, State.OPEN),
        (State.RISK_ACCEPTED, Operation.VERIFY, None),
        (State.RISK_ACCEPTED, Operation.ACCEPT_RISK, None),
        (State.REJECTED, Operation.REOPEN, State.OPEN),
        (State.VERIFIED, Operation.REOPEN, None),
        *[(state, Operation.REJECT, State.REJECTED) for state in LIVE],
        *[(state, Operation.ACCEPT_RISK, State.RISK_ACCEPTED) for state in LIVE],
        *[(state, Operation.VERIFY, State.VERIFIED) for state in LIVE],
        *[(State.VERIFIED, operation, None) for operation in Operation],
    ],
)
def test_a_finding_moves_only_as_the_table_says(state, operation, target):
    assert after(state, operation) is target


def test_verified_is_the_end():
    assert next_operations(State.VERIFIED, acceptance_requested=False, retestable=True) == ()
    assert {State.VERIFIED, State.REJECTED} == CLOSED


def test_a_retest_can_only_be_asked_for_where_there_is_a_claim():
    def offered(retestable):
        return next_operations(State.ACTION, acceptance_requested=False, retestable=retestable)

    assert Operation.REQUEST_RETEST in offered(True)
    assert Operation.REQUEST_RETEST not in offered(False)


def test_a_request_for_acceptance_is_decided_before_another_is_made():
    waiting = next_operations(State.OPEN, acceptance_requested=True, retestable=True)
    assert Operation.ACCEPT_RISK in waiting
    assert Operation.REQUEST_ACCEPTANCE not in waiting
    none = next_operations(State.OPEN, acceptance_requested=False, retestable=True)
    assert Operation.ACCEPT_RISK not in none
    assert Operation.REQUEST_ACCEPTANCE in none


@pytest.mark.parametrize(
    ("level", "failed_at", "passed", "days", "run", "closes"),
    [
        (4, 4, True, 1, "R2", True),
        (5, 4, True, 1, "R2", True),
        (3, 4, True, 1, "R2", False),
        (4, 4, False, 1, "R2", False),
        (4, 4, True, 0, "R2", False),
        (4, 4, True, -1, "R2", False),
        (4, 4, True, 1, "R1", False),
        (3, None, True, 1, "R2", True),
        (2, None, True, 1, "R2", False),
    ],
)
def test_only_a_later_pass_at_the_failed_level_or_higher_verifies(level, failed_at, passed, days, run, closes):
    retest = Retest(level, passed, OPENED + timedelta(days=days), run)
    assert verifies(retest, level=failed_at, opened_at=OPENED, run_id="R1") is closes


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2027, 11, 23, 12, tzinfo=UTC)),
        (datetime(2028, 2, 29, tzinfo=UTC), datetime(2029, 2, 28, tzinfo=UTC)),
        (datetime(2027, 2, 28, tzinfo=UTC), datetime(2028, 2, 28, tzinfo=UTC)),
    ],
)
def test_a_risk_is_accepted_for_twelve_months_at_most(now, end):
    assert latest_end(now) == end
