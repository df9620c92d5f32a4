"""The words of runs and steps, the state of a run as a priority function, and what may be done from each state."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from runners.contract import Effect


class RunState(StrEnum):
    """Where a run stands; computed from its step rows and flags, stored only for lists."""

    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting approval"
    MISSED = "missed"
    DENIED = "denied"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED_BY_OPERATOR = "paused by operator"
    PAUSED_BY_FAILED_STEP = "paused by failed step"
    PAUSED_BY_GUARD = "paused by guard"
    WAITING = "waiting for a person"
    UNDOING = "undoing"
    ABORTING = "aborting"
    COMPLETED = "completed"
    COMPLETED_WITH_EXCEPTIONS = "completed with exceptions"
    FAILED = "failed"
    ABORTED = "aborted"
    UNDONE = "undone"
    UNDO_FAILED = "undo failed"
    INTERRUPTED = "interrupted"


class StepState(StrEnum):
    """Where a step stands."""

    NOT_STARTED = "not started"
    READY = "ready"
    STARTED = "started"
    """The intent is written; the effect may or may not be there."""
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    WARNING = "succeeded with warning"
    FAILED = "failed"
    IGNORED = "failed but ignored"
    TIMED_OUT = "timed out"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    UNDONE = "undone"
    UNDO_FAILED = "undo failed"


class Call(StrEnum):
    """What a step's present attempt is about."""

    RUN = "run"
    UNDO = "undo"
    LOOK = "look"
    """Only look whether the effect of an attempt whose outcome is unknown is there."""


class Do(StrEnum):
    """What the engine must do with a unit of work."""

    RUN = "run"
    UNDO = "undo"
    OBSERVE_FIRST = "observe-first"


class RunVerdict(StrEnum):
    """What came of a run as a whole."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ABORTED = "aborted"


class Direction(StrEnum):
    """Whether a switch goes to the fallback side, or back; `none` for what is no switch."""

    OVER = "over"
    BACK = "back"
    NONE = "none"


class Command(StrEnum):
    """What a person can do to a run or to one of its steps."""

    APPROVE = "approve"
    DENY = "deny"
    START = "start"
    ANSWER = "answer"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    SKIP = "skip"
    IGNORE = "ignore"
    FENCE_BY_HAND = "fence-by-hand"
    """Sign that a side is fenced where nobody could look: a named person, a reason; the claim never passes by it."""
    UNDO = "undo"
    ABORT = "abort"
    LEAVE = "leave"
    """End an aborted or failed run as it stands, with a reason; its locks stay until a person releases them."""
    THIS_IS_REAL = "this-is-real"
    RELEASE = "release"


class Pause(StrEnum):
    """Who paused a run."""

    OPERATOR = "operator"
    GUARD = "guard"
    RESTORED = "restored"
    """It came out of a backup: nothing at all moves in it, not even an undo, before a person has looked."""


MET = frozenset({StepState.SUCCEEDED, StepState.WARNING, StepState.SKIPPED, StepState.IGNORED})
"""States that meet a `needs`."""
TROUBLE = frozenset({StepState.FAILED, StepState.TIMED_OUT, StepState.UNKNOWN})
"""States from which only a person, a retry or the playbook's `on_failure` leads on."""
ACTIVE = frozenset({StepState.READY, StepState.STARTED})
ENDS = frozenset(
    {RunState.MISSED, RunState.DENIED, RunState.COMPLETED, RunState.COMPLETED_WITH_EXCEPTIONS}
    | {RunState.FAILED, RunState.ABORTED, RunState.UNDONE}
)
"""States in which nothing more can happen to a run."""


@dataclass(frozen=True)
class StepFact:
    """What the rules need to know of one step row."""

    id: str
    state: StepState
    call: Call = Call.RUN
    effect: Effect | None = None
    """None for steps of people and waits."""
    intended: bool = False
    """Whether an intent to carry it out was ever written."""
    absent: bool = False
    """Whether its effect was looked for and is not there."""
    undoable: bool = False
    irrevocable: bool = False
    no_return: bool = False
    """Whether the step is the point of no return."""
    provides: bool = False
    """Whether it provides a safety fact, so that it can be neither skipped nor ignored."""
    fences: bool = False
    """Whether what it provides is that a side is fenced."""
    crashed: bool = False
    """Whether it is unknown because its worker was lost, not because the world could not be looked at."""
    asks: bool = False
    """Whether a person answers it (ask, decide, or a step done by hand)."""
    decides: bool = False
    """Whether it is a decision: that is taken by whom it was given to, and never passed over by somebody else."""
    order: int = 0
    """Rank of its first intent; 0 before."""
    tries: int = 0
    """Attempts within the present generation."""

    retrying: bool = False
    """Whether an automatic retry is due at some moment."""

    @property
    def stands(self) -> bool:
        """Whether its change stands, or may stand, in the world."""
        gone = self.absent or self.state in (StepState.UNDONE, StepState.SKIPPED)
        return self.effect is Effect.CHANGES and self.intended and not gone

    @property
    def in_trouble(self) -> bool:
        """Whether it went wrong and nothing will mend it by itself."""
        return self.state in TROUBLE and not self.retrying


@dataclass(frozen=True)
class RunFlags:
    """What a run carries beside its step rows."""

    ended: RunState | None = None
    needs_approval: bool = False
    approved: bool = False
    queued: bool = False
    started: bool = False
    paused: Pause | None = None
    aborting: bool = False
    undoing: bool = False
    unattended: bool = False
    activation: bool = False
    """Whether it is the real thing already."""


def passed_no_return(steps: Sequence[StepFact]) -> bool:
    """Whether the point of no return was, or may have been, passed: from there only forward."""
    return any(step.no_return and step.intended and not step.absent for step in steps)


def run_state(flags: RunFlags, steps: Sequence[StepFact]) -> RunState:
    """The state of a run: the first that applies, worst and most urgent first."""
    if flags.ended is not None:
        return flags.ended
    if not flags.started:
        return _before_start(flags)
    if flags.paused is Pause.RESTORED:
        return RunState.PAUSED_BY_GUARD
    states = {step.state for step in steps}
    if flags.undoing:
        return RunState.UNDO_FAILED if StepState.UNDO_FAILED in states else RunState.UNDOING
    if flags.aborting:
        return RunState.ABORTING
    if any(step.state is StepState.UNKNOWN and step.crashed for step in steps):
        return RunState.INTERRUPTED
    if flags.paused is not None:
        return RunState.PAUSED_BY_OPERATOR if flags.paused is Pause.OPERATOR else RunState.PAUSED_BY_GUARD
    if states & ACTIVE:
        return RunState.RUNNING
    if any(step.in_trouble for step in steps):
        return RunState.PAUSED_BY_FAILED_STEP
    return (
        RunState.WAITING if any(step.asks and step.state is StepState.WAITING for step in steps) else RunState.RUNNING
    )


def _before_start(flags: RunFlags) -> RunState:
    if flags.needs_approval and not flags.approved:
        return RunState.AWAITING_APPROVAL
    return RunState.QUEUED if flags.queued else RunState.PLANNED


@dataclass(frozen=True)
class Legal:
    """One thing that may be done now: to the run, or to one of its steps."""

    command: Command
    step: str | None = None


def next_actions(flags: RunFlags, steps: Sequence[StepFact]) -> tuple[Legal, ...]:
    """All commands that are legal now. An unfinished run always has at least *abort*."""
    state = run_state(flags, steps)
    if state in ENDS:
        return ()
    if not flags.started:
        return _before_start_actions(state)
    found = [Legal(Command.ABORT), *([] if flags.activation else [Legal(Command.THIS_IS_REAL)])]
    if flags.paused is Pause.RESTORED and flags.undoing:
        return (*found, Legal(Command.RESUME))
    if _may_undo(flags, steps):
        found.append(Legal(Command.UNDO))
    if flags.paused is Pause.RESTORED and flags.aborting:
        return (*found, Legal(Command.RESUME))
    if flags.undoing or flags.aborting:
        return (*found, *_winding_down(flags, steps))
    found.append(Legal(Command.PAUSE if flags.paused is None else Command.RESUME))
    for step in steps:
        found.extend(Legal(command, step.id) for command in _step_commands(step))
    return tuple(found)


def _before_start_actions(state: RunState) -> tuple[Legal, ...]:
    commands = {
        RunState.AWAITING_APPROVAL: (Command.APPROVE, Command.DENY, Command.ABORT),
        RunState.PLANNED: (Command.START, Command.ABORT),
    }.get(state, (Command.START, Command.DENY, Command.ABORT))
    return tuple(Legal(command) for command in commands)


def _may_undo(flags: RunFlags, steps: Sequence[StepFact]) -> bool:
    if passed_no_return(steps):
        return False
    if flags.undoing:
        return any(step.state is StepState.UNDO_FAILED for step in steps)
    return any(step.stands and not step.irrevocable for step in steps)


def _winding_down(flags: RunFlags, steps: Sequence[StepFact]) -> list[Legal]:
    """What leads out of undoing and aborting: forward after the point of no return, or left as it is."""
    found = [Legal(Command.LEAVE)] if not any(step.state in ACTIVE for step in steps) else []
    if flags.aborting and passed_no_return(steps):
        found.append(Legal(Command.RESUME))
    for step in steps:
        if step.state is StepState.UNDO_FAILED:
            found += [Legal(Command.RETRY, step.id), Legal(Command.IGNORE, step.id)]
        if step.call is Call.UNDO and step.state is StepState.WAITING:
            found.append(Legal(Command.ANSWER, step.id))
    return found


def _step_commands(step: StepFact) -> list[Command]:
    found: list[Command] = []
    if step.asks and step.state is StepState.WAITING:
        found.append(Command.ANSWER)
    if step.state in TROUBLE:
        found.append(Command.RETRY)
        if not step.provides and not step.decides:
            found.append(Command.IGNORE)
    if step.fences and step.state in (StepState.UNKNOWN, StepState.IGNORED):
        found.append(Command.FENCE_BY_HAND)
    needed = step.provides or step.decides or step.stands
    if not needed and step.state in TROUBLE | {StepState.NOT_STARTED}:
        found.append(Command.SKIP)
    return found


def tally(votes: Sequence[str], *, quorum: int, veto: str | None) -> str | None:
    """The option that won; None while no option has its quorum. One vote for the `veto` option decides."""
    if veto is not None and veto in votes:
        return veto
    return next((option for option in dict.fromkeys(votes) if votes.count(option) >= quorum), None)
