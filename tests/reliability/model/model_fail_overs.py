"""Fail-overs by the thousand: a switch in the simulated world with crashes and cuts by chance, from one seed each."""

import random
from dataclasses import dataclass, field

from tests.reliability.model.model_ends import begin, settle
from tests.reliability.model.model_invariants import Broken, Checker
from tests.reliability.model.model_odds import CHAOS, NORMAL
from tests.reliability.model.model_scene import Scene

STEPS = 20


@dataclass
class Tally:
    """What came of many fail-overs."""

    fail_overs: int = 0
    instants: int = 0
    two_writable: int = 0
    alone: int = 0
    """Instants in which a lost side, all of our ways to it shut, still took writes of its own beside the other one."""
    promoted: int = 0
    refused_tokens: int = 0
    ends: dict[str, int] = field(default_factory=dict)


def fail_over(playbook: str, seed: int, tally: Tally, *, story: list[str] | None = None) -> None:
    """One scene from its seed, with every invariant checked after each thing that happens."""
    chance, scene = random.Random(seed), Scene(playbook)
    trouble = chance.choice((0.1, 0.3, 0.5))
    told = [] if story is None else story
    try:
        check = Checker(scene)
        begin(scene)
        for _ in range(STEPS):
            happening = chance.choice(CHAOS if chance.random() < trouble else NORMAL)
            a, b = chance.randrange(60), chance.randrange(60)
            told.append(f"{happening.__name__}({a}, {b})")
            happening(scene, a, b)
            scene.watch()
            check()
        told.append("settle")
        settle(scene, check)
    except Broken as broken:
        raise broken.told(f"seed {seed}, {playbook}: {'; '.join(told)}") from broken
    finally:
        tally.fail_overs += len(scene.book.starts)
        tally.instants += scene.world.instants
        tally.two_writable += scene.world.two_writable
        tally.alone += scene.world.alone
        tally.promoted += len(scene.world.lost)
        tally.refused_tokens += scene.world.refused_tokens
        for run_id in scene.runs:
            state = scene.held(run_id).run.state.value
            tally.ends[state] = tally.ends.get(state, 0) + 1
        scene.close()
