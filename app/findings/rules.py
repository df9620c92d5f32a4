"""The words of findings and their decisions: which step from one state to another is legal, and what verifies one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

LEVEL_WHEN_UNTOLD = 3
"""A finding on a claim that tells no failed level asks for something really executed (plan-status: component)."""


class Source(StrEnum):
    """Where a finding came from."""

    EXERCISE = "exercise"
    RUNNER = "runner"
    AUDIT = "audit"
    INCIDENT = "incident"
    RULE = "rule"


class Cause(StrEnum):
    """Why it went wrong."""

    CONTRACT = "contract"
    UNKNOWN_OBJECT = "unknown-object"
    ACCESS = "access"
    TECHNIQUE = "technique"
    PEOPLE = "people"
    CAPACITY = "capacity"
    ORGANISATION = "organisation"
    TOO_SLOW = "too-slow"


class Severity(StrEnum):
    """How bad it is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Impact(StrEnum):
    """What it does to the organisation: low, the primary process goes on; high, a crucial service is gone."""

    LOW = "low"
    HIGH = "high"


class Control(StrEnum):
    """What mending asks: easy, within normal operation; hard, a project, the board, money or over half a year."""

    EASY = "easy"
    HARD = "hard"


class State(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    ACTION = "action"
    AWAITING_RETEST = "awaiting-retest"
    VERIFIED = "verified"
    RISK_ACCEPTED = "risk-accepted"
    REJECTED = "rejected"


CLOSED = frozenset({State.VERIFIED, State.REJECTED})
"""States in which the same fact found again opens a new finding."""


class Operation(StrEnum):
    """What moves a finding from one state to another."""

    START_ACTION = "start-action"
    REQUEST_RETEST = "request-retest"
    RETURN_TO_ACTION = "return-to-action"
    REOPEN = "reopen"
    REJECT = "reject"
    REQUEST_ACCEPTANCE = "request-acceptance"
    ACCEPT_RISK = "accept-risk"
    END_ACCEPTANCE = "end-acceptance"
    VERIFY = "verify"
    WITHDRAW = "withdraw"


BY_THE_SYSTEM = frozenset({Operation.VERIFY, Operation.WITHDRAW})
"""Nobody can ask for these: a passing retest verifies, and a rule that no longer finds it withdraws its own finding."""

_LIVE = frozenset({State.OPEN, State.ACTION, State.AWAITING_RETEST})
_TABLE: dict[Operation, dict[State, State]] = {
    Operation.START_ACTION: {State.OPEN: State.ACTION},
    Operation.REQUEST_RETEST: {State.OPEN: State.AWAITING_RETEST, State.ACTION: State.AWAITING_RETEST},
    Operation.RETURN_TO_ACTION: {State.AWAITING_RETEST: State.ACTION},
    Operation.REOPEN: {State.REJECTED: State.OPEN},
    Operation.REJECT: dict.fromkeys(_LIVE, State.REJECTED),
    Operation.REQUEST_ACCEPTANCE: {state: state for state in _LIVE},
    Operation.ACCEPT_RISK: dict.fromkeys(_LIVE, State.RISK_ACCEPTED),
    Operation.END_ACCEPTANCE: {State.RISK_ACCEPTED: State.OPEN},
    Operation.VERIFY: dict.fromkeys(_LIVE, State.VERIFIED),
    Operation.WITHDRAW: dict.fromkeys(_LIVE | {State.RISK_ACCEPTED}, State.REJECTED),
}


def after(state: State, operation: Operation) -> State | None:
    """The state that `operation` leads to, None where it is not legal now."""
    return _TABLE[operation].get(state)


def next_operations(state: State, *, acceptance_requested: bool, retestable: bool) -> tuple[Operation, ...]:
    """What people can do now, in the order of the table.

    `acceptance_requested`: somebody asked for acceptance of the risk and waits for an answer. `retestable`: the
    finding is about a claim, so that a retest can verify it.
    """

    def open_to_people(operation: Operation) -> bool:
        match operation:
            case Operation.ACCEPT_RISK:
                return acceptance_requested
            case Operation.REQUEST_ACCEPTANCE:
                return not acceptance_requested
            case Operation.REQUEST_RETEST:
                return retestable
            case _:
                return operation not in BY_THE_SYSTEM

    return tuple(each for each, moves in _TABLE.items() if state in moves and open_to_people(each))


@dataclass(frozen=True)
class Retest:
    """What a later run showed about a claim."""

    level: int
    passed: bool
    at: datetime
    run_id: str | None


def verifies(retest: Retest, *, level: int | None, opened_at: datetime, run_id: str | None) -> bool:
    """Whether `retest` closes a finding: a pass, by a later run, at the failed level or higher."""
    if not retest.passed or retest.at <= opened_at or (run_id is not None and retest.run_id == run_id):
        return False
    return retest.level >= (LEVEL_WHEN_UNTOLD if level is None else level)


class AcceptanceState(StrEnum):
    """Where a request to accept the residual risk stands."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    ENDED = "ended"


def latest_end(now: datetime) -> datetime:
    """The last moment until which a risk can be accepted: twelve months on (29 February becomes the 28th)."""
    day = 28 if (now.month, now.day) == (2, 29) else now.day
    return now.replace(year=now.year + 1, day=day)


@dataclass(frozen=True)
class FindingFact:
    """What plan status asks of one finding."""

    claim_key: str | None
    severity: Severity
    opened: datetime
    retested: datetime | None
    """When a passing retest verified it."""
    accepted_until: datetime | None
    """End of the acceptance of its risk that holds or held last."""
