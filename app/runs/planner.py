"""What must happen next in a run: a pure function of the playbook, the step rows, the flags and the time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.playbooks.rules import Choice, OnFailure, Playbook, Step, StepKind
from app.runs.rules import ACTIVE, MET, TROUBLE, Call, Pause, RunFlags, RunState, StepFact, StepState, passed_no_return


@dataclass(frozen=True)
class StepNow:
    """A step's fact with what the planner needs beyond it."""

    fact: StepFact
    chosen: str | None = None
    """The option that a decision ended with."""
    retry_at: datetime | None = None
    due_at: datetime | None = None
    lost: bool = False
    """Whether it is to be passed over because a side that it needs is lost."""
    looking: bool = False
    """Whether what it rests on is being looked at just now: it waits for that, also where it is no direct need."""


@dataclass(frozen=True)
class Moves:
    """What to do now; apply it and ask again until it is empty."""

    start: tuple[str, ...] = ()
    """Steps of a runner that may be carried out."""
    open: tuple[str, ...] = ()
    """Questions to ask, waits to begin."""
    skip: tuple[tuple[str, str], ...] = ()
    """Steps passed over, with the reason's code: ``unattended``, ``passed-over`` or ``lost-side``."""
    choose: tuple[tuple[str, str], ...] = ()
    """Decisions that an unattended run, or a time-out, takes by the playbook's own word: step and option."""
    repeat: tuple[str, ...] = ()
    """Failed steps whose automatic retry is due."""
    again: tuple[str, ...] = ()
    """Steps that a decision sends back to: they and what follows start afresh under a new generation."""
    ignore: tuple[str, ...] = ()
    """Failed steps that the playbook lets pass."""
    elapsed: tuple[str, ...] = ()
    """Waits that are over."""
    time_out: tuple[str, ...] = ()
    """Questions that nobody answered in time."""
    withdraw: tuple[str, ...] = ()
    """Ready or open steps that must not be carried out any more."""
    undo: str | None = None
    """The one step to take back now."""
    turn: Choice | None = None
    """The run must begin to undo, or stop, by a decision or by the playbook's word on a failure."""
    over: RunState | None = None
    """The run is over, in this state."""

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return self != Moves()


def next_moves(playbook: Playbook, steps: Mapping[str, StepNow], flags: RunFlags, now: datetime) -> Moves:
    """The next moves of a run whose `playbook` is already that of its mode.

    Nothing is started while a person is needed: paused, a failed step, aborting, undoing. Time is `now` only.
    """
    if flags.ended is not None or not flags.started or flags.paused is Pause.RESTORED:
        return Moves()
    if flags.undoing:
        return _undoing(steps)
    if flags.aborting:
        return _aborting(steps)
    turned = _turned(playbook, steps)
    if turned:
        return turned
    troubled = [each for each in steps.values() if each.fact.in_trouble]
    ignored = tuple(each.fact.id for each in troubled if _lets_pass(playbook.step(each.fact.id), each))
    if ignored:
        return Moves(ignore=ignored)
    elapsed, timed_out, chosen = _due(playbook, steps, now)
    if elapsed or timed_out or chosen:
        return Moves(elapsed=elapsed, time_out=timed_out, choose=chosen)
    again = _sent_back(playbook, steps)
    if again:
        return Moves(again=again)
    skipped = _skipped(playbook, steps, flags)
    if skipped:
        return Moves(skip=skipped)
    return _forward(playbook, steps, flags, now)


def _undoing(steps: Mapping[str, StepNow]) -> Moves:
    facts = [each.fact for each in steps.values()]
    withdraw = _withdrawn(facts)
    if withdraw:
        return Moves(withdraw=withdraw)
    busy = any(f.state in ACTIVE or (f.call is Call.UNDO and f.state is StepState.WAITING) for f in facts)
    if busy or any(f.state is StepState.UNDO_FAILED for f in facts):
        return Moves()
    standing = sorted((f for f in facts if f.stands and not f.irrevocable), key=lambda f: f.order, reverse=True)
    return Moves(undo=standing[0].id) if standing else Moves(over=RunState.UNDONE)


def _aborting(steps: Mapping[str, StepNow]) -> Moves:
    facts = [each.fact for each in steps.values()]
    withdraw = _withdrawn(facts)
    if withdraw:
        return Moves(withdraw=withdraw)
    if any(f.state in ACTIVE or f.stands for f in facts):
        return Moves()
    return Moves(over=RunState.ABORTED)


def _turned(playbook: Playbook, steps: Mapping[str, StepNow]) -> Moves:
    """Whether a decision or a failure turns the run; a failure with a change standing is left to a person."""
    facts = [each.fact for each in steps.values()]
    forward_only = passed_no_return(facts)
    for each in steps.values():
        step = playbook.step(each.fact.id)
        if step.kind is StepKind.DECIDE and each.fact.state in MET and each.chosen is not None:
            choice = step.effect(each.chosen).choice
            if choice in (Choice.UNDO, Choice.STOP):
                return Moves(turn=Choice.STOP if forward_only else choice)
    if forward_only or any(fact.state is StepState.STARTED for fact in facts):
        return Moves()
    failures = [playbook.step(fact.id).on_failure for fact in facts if fact.in_trouble]
    if OnFailure.UNDO in failures:
        return Moves(turn=Choice.UNDO)
    if OnFailure.STOP in failures and not any(fact.stands for fact in facts):
        withdraw = _withdrawn(facts)
        return Moves(withdraw=withdraw) if withdraw else Moves(over=RunState.FAILED)
    return Moves()


def _withdrawn(facts: Sequence[StepFact]) -> tuple[str, ...]:
    """Steps that were about to be carried out or asked, and now must not be."""
    return tuple(f.id for f in facts if f.call is Call.RUN and f.state in (StepState.READY, StepState.WAITING))


def _lets_pass(step: Step, each: StepNow) -> bool:
    return step.on_failure is OnFailure.CONTINUE and not each.fact.provides and not each.fact.crashed


def _due(
    playbook: Playbook, steps: Mapping[str, StepNow], now: datetime
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, str], ...]]:
    elapsed: list[str] = []
    timed_out: list[str] = []
    chosen: list[tuple[str, str]] = []
    for each in steps.values():
        if each.fact.state is not StepState.WAITING or each.due_at is None or now < each.due_at:
            continue
        step = playbook.step(each.fact.id)
        if step.kind is StepKind.WAIT:
            elapsed.append(step.id)
        elif step.kind is StepKind.DECIDE and step.on_timeout is not None:
            chosen.append((step.id, step.on_timeout))
        else:
            timed_out.append(step.id)
    return tuple(elapsed), tuple(timed_out), tuple(chosen)


def _sent_back(playbook: Playbook, steps: Mapping[str, StepNow]) -> tuple[str, ...]:
    """The target of a ``goto`` that lies before its decision, with everything that follows from the target."""
    for each in steps.values():
        step = playbook.step(each.fact.id)
        target = _target(step, each)
        if target is not None and (target == step.id or target in playbook.ancestors(step.id)):
            return tuple(s.id for s in playbook.steps if s.id == target or s.id in playbook.descendants(target))
    return ()


def _target(step: Step, each: StepNow) -> str | None:
    if step.kind is not StepKind.DECIDE or each.fact.state not in MET or each.chosen is None:
        return None
    return step.effect(each.chosen).step


def _skipped(playbook: Playbook, steps: Mapping[str, StepNow], flags: RunFlags) -> tuple[tuple[str, str], ...]:
    """Steps that a forward ``goto`` jumps over, what needs a lost side, and questions that nobody can answer."""
    found: dict[str, str] = {}
    for each in steps.values():
        target = _target(playbook.step(each.fact.id), each)
        if target is not None:
            kept = playbook.descendants(target) | {target}
            found.update(dict.fromkeys(playbook.descendants(each.fact.id) - kept, "passed-over"))
    for step in playbook.steps:
        if step.kind is StepKind.INJECT:
            found[step.id] = "passed-over"
        elif steps[step.id].lost and _free(step, steps):
            found[step.id] = "lost-side"
        elif flags.unattended and step.kind is StepKind.ASK and step.unattended == "skip" and _free(step, steps):
            found[step.id] = "unattended"
    return tuple((step_id, why) for step_id, why in found.items() if _untouched(steps[step_id].fact, why))


def _untouched(fact: StepFact, why: str) -> bool:
    # What is passed over for a lost side proves only what else is passed over; the loader sees to that.
    return fact.state is StepState.NOT_STARTED and (why == "lost-side" or not fact.provides)


def _free(step: Step, steps: Mapping[str, StepNow]) -> bool:
    return all(steps[need].fact.state in MET for need in step.needs)


def _forward(playbook: Playbook, steps: Mapping[str, StepNow], flags: RunFlags, now: datetime) -> Moves:
    if all(each.fact.state in MET for each in steps.values()):
        exceptions = any(each.fact.state is StepState.IGNORED for each in steps.values())
        return Moves(over=RunState.COMPLETED_WITH_EXCEPTIONS if exceptions else RunState.COMPLETED)
    if flags.paused is not None or any(each.fact.in_trouble for each in steps.values()):
        return Moves()
    repeat = tuple(
        each.fact.id
        for each in steps.values()
        if each.fact.state in TROUBLE and each.retry_at is not None and each.retry_at <= now
    )
    waiting = [s for s in playbook.steps if steps[s.id].fact.state is StepState.NOT_STARTED]
    free = [s for s in waiting if _free(s, steps) and not steps[s.id].looking]
    chosen = tuple((s.id, s.unattended) for s in free if _decides_itself(s, flags) and s.unattended is not None)
    taken = {step_id for step_id, _ in chosen}
    return Moves(
        start=tuple(s.id for s in free if s.kind is StepKind.USES),
        open=tuple(s.id for s in free if s.kind is not StepKind.USES and s.id not in taken),
        choose=chosen,
        repeat=repeat,
    )


def _decides_itself(step: Step, flags: RunFlags) -> bool:
    return flags.unattended and step.kind is StepKind.DECIDE
