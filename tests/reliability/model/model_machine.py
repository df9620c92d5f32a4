"""The state machine: Hypothesis draws what happens in the scene, and every invariant is checked after each step."""

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.reliability.model.model_ground import playbook_files
from tests.reliability.model.model_happenings import CHAOS, NORMAL, Happening, begin, settle
from tests.reliability.model.model_invariants import Broken, Checker
from tests.reliability.model.model_scene import Scene

NUMBER = st.integers(0, 59)


class Switching(RuleBasedStateMachine):
    """A service that is switched while everything goes wrong that can."""

    tried: set[object] = set()
    """Situations in which an abort was tried, in all examples of one search."""
    examples = 0

    @initialize(playbook=st.sampled_from(sorted(playbook_files())), begun=st.sampled_from((True, True, True, False)))
    def first(self, playbook: str, begun: bool) -> None:
        type(self).examples += 1
        self.scene = Scene(playbook)
        self.check = Checker(self.scene, self.tried)
        self.broken = False
        if begun:
            self._happens(_begun, 0, 0)
        else:
            self.scene.plan()

    @rule(happening=st.sampled_from(NORMAL), a=NUMBER, b=NUMBER)
    def goes_on(self, happening: Happening, a: int, b: int) -> None:
        self._happens(happening, a, b)

    @rule(happening=st.sampled_from(CHAOS), a=NUMBER, b=NUMBER)
    def goes_otherwise(self, happening: Happening, a: int, b: int) -> None:
        self._happens(happening, a, b)

    def _happens(self, happening: Happening, a: int, b: int) -> None:
        try:
            happening(self.scene, a, b)
            self.scene.watch()
            self.check()
        except BaseException:
            self.broken = True
            raise

    def teardown(self) -> None:
        if not hasattr(self, "scene"):
            return
        try:
            if not self.broken:
                settle(self.scene, self.check)
        finally:
            self.scene.close()


def _begun(scene: Scene, a: int, b: int) -> None:
    begin(scene)


def search(examples: int, *, steps: int = 30) -> Broken | None:
    """The first invariant that some sequence breaks, or None; the same sequences each time."""
    found = type("Search", (Switching,), {"tried": set(), "examples": 0})
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
