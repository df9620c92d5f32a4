"""The state machine: Hypothesis draws what happens in the scene, and every invariant is checked after each step.

Hypothesis likes to draw small numbers and to repeat what it drew, which is good for shrinking and bad for a search that
must be short. So a drawn number is only the seed of what happens; the story of a failure names it in words.
"""

import random
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.reliability.model.model_ends import begin, settle
from tests.reliability.model.model_ground import playbook_files
from tests.reliability.model.model_happenings import Happening
from tests.reliability.model.model_invariants import Broken, Checker
from tests.reliability.model.model_odds import CHAOS, NORMAL, SITUATIONS
from tests.reliability.model.model_scene import Scene

DRAWN = st.integers(0, 2**32)
APPROVERS = (
    ("approver", "owner"),
    ("owner", "second"),
    ("operator", "owner", "approver"),
    ("author", "owner", "second"),
    ("approver", "operator", "owner"),
)
"""Who says yes, one after the other: the operator starts the run and the author wrote it, so theirs must not count."""


class Switching(RuleBasedStateMachine):
    """A service that is switched while everything goes wrong that can."""

    tried: set[object] = set()
    """Situations in which an abort was tried, in all examples of one search."""

    @initialize(drawn=DRAWN)
    def first(self, drawn: int) -> None:
        """A run is planned and approved, by the right people or not, and is somewhere on its way."""
        self.drawn, self.story = [drawn], []
        chance = self._chance(drawn)
        playbook, people = (
            chance.choice((*sorted(playbook_files()), "model-switch", "model-switch")),
            chance.choice(APPROVERS),
        )
        edited, situation = chance.random() < 0.2, chance.choice(SITUATIONS)
        self.trouble = chance.choice((0.2, 0.4, 0.6))
        self.story.append(f"{playbook}, approved by {people}, edited between {edited}")
        self.scene, self.broken = Scene(playbook), False
        self.check = Checker(self.scene, self.tried)

        def begun(scene: Scene, a: int, b: int) -> None:
            begin(scene, people, edited=edited)

        self._happens(begun, 0, 0)
        self._happens(situation, chance.randrange(60), chance.randrange(240))

    @rule(drawn=DRAWN)
    def happens(self, drawn: int) -> None:
        chance = self._chance(drawn)
        happening = chance.choice(CHAOS if chance.random() < self.trouble else NORMAL)
        self._happens(happening, chance.randrange(60), chance.randrange(60))

    def _chance(self, drawn: int) -> random.Random:
        self.drawn.append(drawn)
        return random.Random(f"{self.drawn[0]} {len(self.drawn)} {drawn}")

    def _happens(self, happening: Happening, a: int, b: int) -> None:
        self.story.append(f"{happening.__name__}({a}, {b})")
        try:
            happening(self.scene, a, b)
            self.scene.watch()
            self.check()
        except Broken as broken:
            self.broken = True
            raise broken.told(f"after {'; '.join(self.story)}") from broken
        except BaseException:
            self.broken = True
            raise

    def teardown(self) -> None:
        if not hasattr(self, "scene"):
            return
        try:
            if not self.broken:
                settle(self.scene, self.check)
        except Broken as broken:
            raise broken.told(f"settling after {'; '.join(self.story)}") from broken
        finally:
            self.scene.close()


def search(examples: int, *, steps: int = 20) -> Broken | None:
    """The first invariant that some sequence breaks, or None; the same sequences each time."""
    found = type("Search", (Switching,), {"tried": set()})
    how: dict[str, Any] = {
        "max_examples": examples,
        "stateful_step_count": steps,
        "deadline": None,
        "database": None,
        "derandomize": True,
        "print_blob": False,
        "phases": (Phase.generate,),
        "suppress_health_check": list(HealthCheck),
    }
    try:
        run_state_machine_as_test(found, settings=settings(**how))
    except Broken as broken:
        return broken
    return None
