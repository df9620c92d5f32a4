"""Drivers whose targets keep the file of history: one that refuses a known key, one that can be seen, one that cannot.

None of them remembers anything itself: each call changes the target, unless the target refuses it.
"""

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from runners.contract import (
    Context,
    Effect,
    Evidence,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    Seen,
    failed,
    passed,
)
from tests.reliability import crash_points
from tests.reliability.history import Kind, Target, at_target, standing
from tests.reliability.slow import WORDS


class TargetParams(BaseModel):
    """`before`, `after`: seconds that pass before the effect is there, and then until the body ends."""

    folder: str
    name: str
    before: float = 0
    after: float = 0
    works: bool = True
    """Otherwise it says that it failed, having changed nothing."""
    back: bool = True
    """Otherwise it says that it cannot be taken back, having changed nothing."""
    evidence: bool = False
    site: str | None = None


class Seeable(Runner):
    """Its effect can be looked for; done again it would be there twice."""

    name = "target.seen"
    Params = TargetParams
    effect: ClassVar[Effect] = Effect.CHANGES
    repeat: ClassVar[Repeat] = Repeat.OBSERVABLE

    def site(self, params: TargetParams) -> str | None:
        return params.site

    def preview(self, params: TargetParams, context: Context) -> Preview:
        return Preview(calls=(f"{self.name} {params.name}",), changes=WORDS, undo=WORDS)

    def observe(self, params: TargetParams, context: Context) -> Observation:
        with at_target(Path(params.folder), _run(context)) as target:
            there = standing(target.entries(), params.name)
        return Observation(seen=Seen.DONE if there else Seen.NOT_DONE, reason=WORDS)

    def run(self, params: TargetParams, context: Context) -> Outcome:
        if not params.works:
            return failed(WORDS.nl, WORDS.en, needed_supplier=False)
        time.sleep(params.before)
        self._change(params, context, Kind.EFFECT)
        time.sleep(params.after)
        shown = ()
        if params.evidence:
            (context.evidence / "seen.txt").write_text(f"{params.name} {context.effect_key}\n")
            shown = (Evidence(path="seen.txt"),)
        return passed(WORDS.nl, WORDS.en, needed_supplier=False, evidence=shown)

    def undo(self, params: TargetParams, context: Context) -> Outcome:
        if not params.back:
            return failed(WORDS.nl, WORDS.en, needed_supplier=False)
        time.sleep(params.before)
        self._change(params, context, Kind.TAKEN_BACK)
        time.sleep(params.after)
        return passed(WORDS.nl, WORDS.en, needed_supplier=False)

    def _change(self, params: TargetParams, context: Context, kind: Kind) -> None:
        context.log(f"{kind} of {params.name}")
        word = "effect" if kind is Kind.EFFECT else "taking back"
        crash_points.reach(f"{word}: before")
        with at_target(Path(params.folder), _run(context)) as target:
            self.receive(target, kind, params.name, context.effect_key)
        crash_points.reach(f"{word}: after")

    def receive(self, target: Target, kind: Kind, name: str, key: str) -> None:
        """What the target does with it."""
        target.add(kind, name, key=key)


class Keyed(Seeable):
    """Its target refuses a key that it knows."""

    name = "target.keyed"
    repeat: ClassVar[Repeat] = Repeat.KEYED

    def receive(self, target: Target, kind: Kind, name: str, key: str) -> None:
        known = any(each.key == key and each.kind is not Kind.REFUSED for each in target.entries())
        target.add(Kind.REFUSED if known else kind, name, key=key)


class Unseen(Seeable):
    """Nobody can see whether its effect is there."""

    name = "target.never"
    repeat: ClassVar[Repeat] = Repeat.NEVER

    def observe(self, params: TargetParams, context: Context) -> Observation:
        return Observation(seen=Seen.UNKNOWN, reason=WORDS)


class Look(Seeable):
    """Changes nothing."""

    name = "target.look"
    effect: ClassVar[Effect] = Effect.OBSERVES

    def run(self, params: TargetParams, context: Context) -> Outcome:
        time.sleep(params.before)
        answer = passed if params.works else failed
        return answer(WORDS.nl, WORDS.en, needed_supplier=False)


class Poison(Keyed):
    """Kills the worker that runs it, each time."""

    name = "target.poison"

    def run(self, params: TargetParams, context: Context) -> Outcome:
        time.sleep(params.before)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
        return passed(WORDS.nl, WORDS.en)


KINDS: tuple[type[Runner], ...] = (Seeable, Keyed, Unseen, Look, Poison)


def _run(context: Context) -> str:
    """The run that an effect key names; a guard's begins with the word."""
    first, second, *_ = context.effect_key.split(":")
    return second if first == "guard" else first
