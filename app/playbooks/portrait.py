"""What the page of a playbook shows of each step: who or what does it, what it changes, and the way back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.playbooks.rules import Playbook, Step, StepKind
from runners.contract import Effect, Registry, Text

_SYMBOLS = {
    StepKind.USES: "play",
    StepKind.ASK: "user",
    StepKind.DECIDE: "users",
    StepKind.WAIT: "hourglass",
    StepKind.PLAY: "list-checks",
    StepKind.INJECT: "message-square",
}


@dataclass(frozen=True)
class StepShown:
    """A step with what a reader wants to know beside its own keys."""

    step: Step
    title: Text | str
    effect: Effect | None
    """What its runner may do; None where no runner does it, or where the runner is not installed here."""
    symbol: str
    tone: str
    needs: tuple[tuple[str, Text | str], ...]
    """Id and title of each step that must be done before."""
    parameters: tuple[str, ...]
    undo_parameters: tuple[str, ...]
    options: tuple[tuple[str, str], ...]


def steps(playbook: Playbook, registry: Registry) -> list[StepShown]:
    """The steps in the order of the file, then what the exercise clock releases."""
    titles = {step.id: title(step) for step in playbook.steps}
    return [_shown(step, titles, registry) for step in (*playbook.steps, *playbook.injects)]


def title(step: Step) -> Text | str:
    """What a step is called: its own title, else what it asks, else its id."""
    return step.title or step.ask or step.decide or step.inject or step.id


def _shown(step: Step, titles: Mapping[str, Text | str], registry: Registry) -> StepShown:
    runner = registry.get(step.uses) if step.uses else None
    effect = runner.effect if runner is not None else None
    return StepShown(
        step=step,
        title=title(step),
        effect=effect,
        symbol=_symbol(step, effect),
        tone=_tone(step, effect),
        needs=tuple((need, titles[need]) for need in step.needs),
        parameters=parameters(step.with_),
        undo_parameters=parameters(step.undo.with_) if step.undo else (),
        options=tuple(step.options.items()),
    )


def _symbol(step: Step, effect: Effect | None) -> str:
    if step.point_of_no_return:
        return "flag"
    return "search" if effect is Effect.OBSERVES else _SYMBOLS[step.kind]


def _tone(step: Step, effect: Effect | None) -> str:
    if step.point_of_no_return:
        return "negative"
    if effect is Effect.CHANGES:
        return "warning"
    return "info" if step.kind in {StepKind.ASK, StepKind.DECIDE} else "neutral"


def parameters(given: Mapping[str, Any], before: str = "") -> tuple[str, ...]:
    """``name: value`` per parameter, nested names with dots; references as they are written."""
    lines: list[str] = []
    for name, value in given.items():
        if isinstance(value, Mapping):
            lines += parameters(value, f"{before}{name}.")
        elif isinstance(value, list | tuple):
            lines.append(f"{before}{name}: {', '.join(map(str, value))}")
        else:
            lines.append(f"{before}{name}: {value}")
    return tuple(lines)
