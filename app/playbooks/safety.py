"""Checks that on every path a step has the safety facts that its runner requires: no promote without a proven fence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.core.messages import Message, say
from app.playbooks.refusals import Notes
from app.playbooks.rules import (
    Choice,
    Input,
    InputType,
    Lost,
    Mode,
    OnFailure,
    Playbook,
    Signature,
    Step,
    opposed,
    reached,
)
from runners.contract import Effect, Fact, Registry, Runner, Side

FENCED = "fenced"
CAUGHT_UP = "caught-up"
MOST_SIDES = 4
"""Every way to fill them is looked at, so there may not be many."""


@dataclass(frozen=True)
class About:
    """A fact of one node of one pair, with the sides filled in."""

    kind: str
    pair: str
    side: Side


def check(playbook: Playbook, notes: Notes, registry: Registry) -> None:
    """Note each step that some path reaches without the facts it requires."""
    if ("steps",) in notes.broken or _too_many_sides(playbook, notes):
        return
    at = {step.id: index for index, step in enumerate(playbook.steps)}
    for mode in playbook.modes:
        if mode is not Mode.TABLETOP:
            for sides in assignments(playbook.inputs):
                for world in _worlds(playbook, mode):
                    _check_mode(world, sides, at, notes, registry)


def _worlds(playbook: Playbook, mode: Mode) -> Iterator[Playbook]:
    """The playbook with nothing lost; and with a side lost, where some steps are for that alone.

    What is passed over for a lost side provides no fact (see `lost`), so leaving it in only adds what disturbs.
    """
    yield playbook.for_mode(mode)
    if any(step.lost is Lost.ONLY for step in playbook.steps):
        yield playbook.for_mode(mode, lost=True)


def _too_many_sides(playbook: Playbook, notes: Notes) -> bool:
    names = [name for name, each in playbook.inputs.items() if each.type is InputType.SIDE]
    if len(names) > MOST_SIDES:
        reason = say("More than {most} inputs of type side cannot be judged. Split the playbook.", most=MOST_SIDES)
        notes.add(("inputs", names[MOST_SIDES]), "too-many-sides", reason)
    return len(names) > MOST_SIDES


def assignments(inputs: dict[str, Input]) -> Iterator[dict[str, Side]]:
    """Ways to fill the inputs of type side; those that planning demands to be opposite are."""
    names = [name for name, each in inputs.items() if each.type is InputType.SIDE]
    pair = opposed(inputs)
    for number in range(2 ** len(names)):
        sides = {name: list(Side)[number >> index & 1] for index, name in enumerate(names)}
        if pair is None or sides[pair[0]] is not sides[pair[1]]:
            yield sides


def _check_mode(
    playbook: Playbook, sides: dict[str, Side], at: dict[str, int], notes: Notes, registry: Registry
) -> None:
    world = _World(playbook, sides, registry)
    faulty = notes.faulty_calls()
    for step in playbook.steps:
        if faulty & (world.before[step.id] | {step.id}):
            continue  # mend those first: what they prove cannot be told
        for fact, about in world.required(step):
            path = ("steps", at[step.id], "needs")
            if about is None:
                reason = say("Name pair and node of this step by an input or a word, so that it can be judged.")
                notes.add(path, "fact-unclear", reason)
            elif (how := world.missing(step, about)) is not None:
                notes.add(path, _code(fact), _reason(fact, about, step, how))
    for step in playbook.steps:
        if step.on_failure is OnFailure.CONTINUE and world.provided(step) & world.all_required():
            reason = say("This step proves what a later one rests on; its failure cannot be passed over.")
            notes.add(("steps", at[step.id], "on_failure"), "fact-ignorable", reason)


def _code(fact: Fact) -> str:
    return "promote-without-fence" if fact.kind == FENCED else f"{fact.kind}-missing"


def _reason(fact: Fact, about: About, step: Step, how: Message) -> Any:
    if fact.kind == FENCED:
        return say(
            "Step '{step}' can be reached without proof that the {side} side is fenced ({how}). Put a step that proves "
            "it (postgres.check-fenced) before it on every path, or an ask with 'signs: {{fact: manually-fenced, …}}'.",
            step=step.id,
            side=about.side.value,
            how=how,
        )
    return say(
        "Step '{step}' can be reached without '{kind}' of the {side} side ({how}). Put a step that proves it before "
        "it on every path.",
        step=step.id,
        kind=fact.kind,
        side=about.side.value,
        how=how,
    )


class _World:
    """One mode of a playbook with its sides filled in."""

    def __init__(self, playbook: Playbook, sides: dict[str, Side], registry: Registry) -> None:
        self.playbook, self.sides, self.registry = playbook, sides, registry
        needs = {step.id: step.needs for step in playbook.steps}
        self.before = {name: reached(name, needs) - {name} for name in needs}
        self.after: dict[str, set[str]] = {name: set() for name in needs}
        for name, earlier in self.before.items():
            for each in earlier:
                self.after.setdefault(each, set()).add(name)

    def runner(self, step: Step) -> Runner | None:
        """The step's runner, where it has one that is installed."""
        return self.registry.get(step.uses or "")

    def side(self, value: Any) -> Side | None:
        """The side that a word or a reference stands for."""
        if isinstance(value, str) and value.startswith("${"):
            return self.sides.get(value[2:-1])
        return Side(value) if value in set(Side) else None

    def about(self, fact: Fact, step: Step) -> About | None:
        """What a fact is about when `step` requires or provides it; None where that cannot be told."""
        pair, side = step.with_.get(fact.pair), self.side(step.with_.get(fact.node))
        if not isinstance(pair, str) or side is None:
            return None
        return About(fact.kind, pair, side.other if fact.opposite else side)

    def required(self, step: Step) -> list[tuple[Fact, About | None]]:
        """Facts that the step's runner requires."""
        runner = self.runner(step)
        return [(fact, self.about(fact, step)) for fact in runner.requires] if runner else []

    def all_required(self) -> set[About]:
        """Every fact that some step requires."""
        return {about for step in self.playbook.steps for _, about in self.required(step) if about}

    def provided(self, step: Step) -> set[About]:
        """Facts that the step proves: by a runner that only looks, or signed by a named person."""
        runner = self.runner(step)
        found = [self.about(fact, step) for fact in runner.provides] if runner else []
        if runner is not None and runner.effect is not Effect.OBSERVES:
            found = [each for each in found if each and each.kind != FENCED]  # a fence does not prove itself
        if step.signs is not None and step.signs.fact is Signature.MANUALLY_FENCED:
            side = self.side(step.signs.node)
            found.append(About(FENCED, step.signs.pair, side) if side else None)
        return {each for each in found if each is not None}

    def disturbs(self, step: Step, about: About) -> bool:
        """Whether a step changes a node that a fact is about, so that an older proof says nothing any more.

        *Caught up* is about both: what the other side takes in after it, the standby was not seen to have.
        """
        runner = self.runner(step)
        if runner is None or runner.effect is not Effect.CHANGES:
            return False
        if step.with_.get("pair") != about.pair:
            return False
        side = self.side(step.with_.get("node"))
        return side is about.side or (about.kind == CAUGHT_UP and side is about.side.other)

    def missing(self, step: Step, about: About) -> Message | None:
        """None if the fact holds on every path to the step; else in words where it fails."""
        providers = [each for each in self.playbook.steps if about in self.provided(each)]
        if not any(self._holds(each, step, about) for each in providers):
            inside = [each for each in providers if each.id in self.before[step.id]]
            if inside:
                return self._how(inside[0], step, about)
            if not providers:
                return say("no step before it proves it")
            return say("'{step}' is not before it", step=providers[0].id)
        return self._missing_by_goto(step, about, providers)

    def _how(self, provider: Step, step: Step, about: About) -> Message:
        """Why what an earlier step proves counts no more at a later one."""
        if self._too_early(provider, step, about):
            side = about.side.other.value
            return say("'{step}' looks before the {side} side is proven fenced", step=provider.id, side=side)
        return say("'{step}' proves it, and a step after that changes it again", step=provider.id)

    def _too_early(self, provider: Step, step: Step, about: About) -> bool:
        """Whether it is measured what the standby has while the other side may still take in more.

        Only where the later step has its fence: else that is what must be mended first.
        """
        if about.kind != CAUGHT_UP:
            return False
        fence = About(FENCED, about.pair, about.side.other)
        proofs = [each for each in self.playbook.steps if fence in self.provided(each)]
        fenced = any(self._holds(each, step, fence) for each in proofs)
        return fenced and not any(self._holds(each, provider, fence) for each in proofs)

    def _holds(self, provider: Step, step: Step, about: About) -> bool:
        if provider.id not in self.before[step.id]:
            return False
        if self._too_early(provider, step, about):
            return False
        harmless = self.before[provider.id] | {provider.id, step.id} | self.after[step.id]
        return not any(self.disturbs(each, about) for each in self.playbook.steps if each.id not in harmless)

    def _missing_by_goto(self, step: Step, about: About, providers: list[Step]) -> Message | None:
        for decision in self.playbook.steps:
            for option in decision.options:
                effect = decision.effect(option)
                target = effect.step
                if effect.choice is not Choice.GOTO or target not in self.before:
                    continue
                again = {target} | self.after[target]
                if step.id in again and not any(
                    self._holds_after(each, step, about, decision, again) for each in providers
                ):
                    return say("by option '{option}' of '{step}'", option=option, step=decision.id)
        return None

    def _holds_after(self, provider: Step, step: Step, about: About, decision: Step, again: set[str]) -> bool:
        if provider.id in again:
            return self._holds(provider, step, about)
        if provider.id not in self.before[decision.id]:
            return False
        later = self.after[step.id] - self.before[decision.id]
        harmless = self.before[provider.id] | {provider.id, step.id} | later
        return not any(self.disturbs(each, about) for each in self.playbook.steps if each.id not in harmless)
