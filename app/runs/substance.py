"""Answers and signatures that are an approval in substance ask for the same fresh proof of who gives them.

Whoever says *go* before what cannot be undone, accepts a measured loss, or vouches that a side is fenced opens the way
as an approver does, under another name. A *no*, an abort and an undo never ask for it.
"""

from datetime import datetime

from app.access.rules import Action, Actor, is_proved
from app.core.errors import StepUpNeeded
from app.core.messages import say
from app.playbooks.rules import Choice, Mode, Playbook, Step, StepKind
from app.runs.rules import Call
from app.runs.view import Held
from runners.contract import Effect

DONE = "done"


def require_proof(held: Held, step_id: str, option: str, actor: Actor, *, now: datetime) -> None:
    """Refuse an answer that opens the way to what can't be undone from who did not prove shortly who they are."""
    row = held.steps.get(step_id)
    if row is None or held.run.mode is not Mode.LIVE or row.call is Call.UNDO:
        return
    step = held.playbook.step(step_id)
    if _opens(held, step, option) or _signs(held, step, option):
        require_fresh(actor, now=now)


def require_fresh(actor: Actor, *, now: datetime) -> None:
    """Raise `StepUpNeeded` where this person proved themselves too long ago, or not in this session."""
    if not is_proved(actor, Action.APPROVE_RUN, now=now):
        raise StepUpNeeded(
            say(
                "With this answer you approve what cannot be undone, so prove first who you are. Then repeat this "
                "within five minutes. To say no, to abort and to undo never asks for it."
            )
        )


def _opens(held: Held, step: Step, option: str) -> bool:
    onward = (Choice.CONTINUE, Choice.GOTO)
    if step.kind is not StepKind.DECIDE or option not in step.options or step.effect(option).choice not in onward:
        return False
    after = held.playbook.descendants(step.id) | _beyond(held.playbook, step.effect(option).step)
    return any(_is_final(held, each) for each in after)


def _beyond(playbook: Playbook, target: str | None) -> frozenset[str]:
    return playbook.descendants(target) | {target} if target else frozenset()


def _is_final(held: Held, step_id: str) -> bool:
    step = held.playbook.step(step_id)
    return (step.irrevocable or step.point_of_no_return) and held.steps[step_id].effect is not Effect.OBSERVES


def _signs(held: Held, step: Step, option: str) -> bool:
    return option == DONE and (step.signs is not None or bool(held.steps[step.id].driver.get("provides")))
