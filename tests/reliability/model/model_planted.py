"""The twelve bugs that are planted, each in the code that is really run; the machine must find every one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.playbooks.rules import Playbook
from app.runs import approval, assignment, facts, leases, locks, outcomes, planner, steps
from app.runs.rules import Call, StepFact, StepState
from runners.contract import Verdict

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Bug:
    """A bug: how it is planted, and the invariants of which one must find it."""

    name: str
    plant: Callable[[Patch], None]
    breaks: tuple[str, ...]


def skip_fence(patch: Patch) -> None:
    """The proof of the fence is passed over, and nobody asks for it."""
    patch.setattr(facts, "missing", lambda *_, **__: [])
    real = planner._skipped

    def skipped(playbook: Playbook, now: Any, flags: Any) -> Any:
        fence = [each for each in now.values() if each.fact.id in ("fence", "fenced", "final")]
        found = tuple((each.fact.id, "passed-over") for each in fence if each.fact.state is StepState.NOT_STARTED)
        return found or real(playbook, now, flags)

    patch.setattr(planner, "_skipped", skipped)


def promote_first(patch: Patch) -> None:
    """A step waits for nothing that it needs, and for no fact."""
    patch.setattr(facts, "missing", lambda *_, **__: [])
    real = planner._free
    patch.setattr(planner, "_free", lambda step, now: step.id == "promote" or real(step, now))


def trust_exit_code(patch: Patch) -> None:
    """What ended without a word counts as done: the program came back, after all."""
    real = outcomes.settle

    def settle(row: Any, outcome: Any, now: Any) -> None:
        trusted = outcome.verdict is Verdict.UNKNOWN
        real(row, outcome.model_copy(update={"verdict": Verdict.PASSED}) if trusted else outcome, now)

    def no_outcome(row: Any, error: Any, now: Any) -> None:
        row.state, row.verdict, row.finished_at = StepState.SUCCEEDED, Verdict.PASSED, now

    patch.setattr(steps, "settle", settle)
    patch.setattr(steps, "no_outcome", no_outcome)


def lag_before_fence(patch: Patch) -> None:
    """The lag that was measured before the fence is good enough; nobody waits for the rest."""
    real_remember, real_skipped = facts.remember, planner._skipped

    def remember(session: Any, run: Any, row: Any, verdict: Any, *, now: Any) -> None:
        real_remember(session, run, row, verdict, now=now)
        if row.step_id in ("home", "lag", "fenced") and row.call is Call.RUN and verdict is Verdict.PASSED:
            target = run.inputs["to"]
            fact = f"caught-up:{run.inputs['pair']['name']}:{target}"
            facts.note(session, run, fact, holds=True, step_id=row.step_id, now=now)

    def skipped(playbook: Playbook, now: Any, flags: Any) -> Any:
        final = "final" in now and now["final"].fact.state is StepState.NOT_STARTED
        return (("final", "passed-over"),) if final else real_skipped(playbook, now, flags)

    patch.setattr(facts, "remember", remember)
    patch.setattr(planner, "_skipped", skipped)


def no_token(patch: Patch) -> None:
    """Every owner of a lock gets the same token."""
    patch.setattr(locks, "highest", lambda _session: 0)


def no_key(patch: Patch) -> None:
    """A repeated effect gets a key of its own each time."""
    real = assignment.work

    def work(held: Any, row: Any, now: Any, *, looked: bool = False) -> Any:
        made = real(held, row, now, looked=looked)
        return replace(made, effect_key=f"{made.effect_key}:{row.attempt}")

    patch.setattr(assignment, "work", work)


def undo_forward(patch: Patch) -> None:
    """What was done first is taken back first."""
    real = planner._undoing

    def undoing(now: Any) -> Any:
        turned = {name: replace(each, fact=replace(each.fact, order=-each.fact.order)) for name, each in now.items()}
        return real(turned)

    patch.setattr(planner, "_undoing", undoing)


def undo_twice(patch: Patch) -> None:
    """What was taken back still stands in the eyes of the planner."""

    def stands(fact: StepFact) -> bool:
        gone = fact.absent or fact.state is StepState.SKIPPED
        return bool(fact.effect == "changes" and fact.intended and not gone)

    patch.setattr(StepFact, "stands", property(stands))


def approve_self(patch: Patch) -> None:
    """Who starts or wrote it may approve it."""
    patch.setattr(approval, "excluded", lambda *_, **__: frozenset())


def approval_not_bound(patch: Patch) -> None:
    """An approval counts for whatever runs in the end."""
    real = approval.standing

    def standing(policy: Any, said: Sequence[Any], digest: str, **more: Any) -> Any:
        return real(policy, [replace(each, digest=digest) for each in said], digest, **more)

    patch.setattr(approval, "standing", standing)


def lease_by_wall_clock(patch: Patch) -> None:
    """Dead is whose lease ran out by the clock of whoever looks."""

    def bury(session: Any, *, now: Any, host: str, me: str, dead_pids: Any = (), **_: Any) -> list[str]:
        others = [row for row in leases.living(session) if row.boot_id != me]
        dead = [row for row in others if row.expires_at < now or (row.host == host and row.pid in set(dead_pids))]
        for row in dead:
            row.ended_at = now
            session.add(row)
        return [row.boot_id for row in dead]

    patch.setattr(leases, "bury", bury)


def abort_ignored(patch: Patch) -> None:
    """The worker does not look whether its run was aborted."""
    patch.setattr(steps, "kill_wanted", lambda *_: False)


BUGS = (
    Bug("skip fence", skip_fence, ("one_writable_primary",)),
    Bug("promote first", promote_first, ("one_writable_primary",)),
    Bug("trust exit code", trust_exit_code, ("unknown_is_unsafe",)),
    Bug("lag before fence", lag_before_fence, ("no_loss_above_the_goal",)),
    Bug("no token", no_token, ("tokens_grow_with_each_owner", "effects_at_most_once")),
    Bug("no key", no_key, ("effects_at_most_once",)),
    Bug("undo forward", undo_forward, ("undo_in_reverse_and_once",)),
    Bug("undo twice", undo_twice, ("undo_in_reverse_and_once",)),
    Bug("approve self", approve_self, ("nothing_live_unapproved",)),
    Bug("approval not bound", approval_not_bound, ("nothing_live_unapproved",)),
    Bug("lease by wall clock", lease_by_wall_clock, ("effects_at_most_once",)),
    Bug("abort ignored", abort_ignored, ("abort_is_heard",)),
)
