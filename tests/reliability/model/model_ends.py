"""How each scene begins, and how it must end: by what is shown as possible, once all is well again."""

from collections.abc import Callable

from app.runs.rules import Command
from tests.reliability.model.model_happenings import restart_all, wake
from tests.reliability.model.model_invariants import Broken
from tests.reliability.model.model_people import UNPLANNED
from tests.reliability.model.model_scene import Scene


def lose_home(scene: Scene, number: int) -> None:
    """The disaster: the side that serves is dead, or only cut off, and nobody outside can tell which."""
    scene.pass_time(1.0)
    if number % 2:
        scene.world.nodes["primary"].up = False
    scene.world.cut.add("primary")


def begin(scene: Scene, people: tuple[str, ...] = ("approver", "owner"), *, edited: bool = False) -> str:
    """A run that people approve one after the other, so that it begins; `edited`: something changes in between."""
    if scene.playbook == UNPLANNED:
        lose_home(scene, len(people) + edited)
    run_id = scene.plan()
    assert run_id is not None
    for number, person in enumerate(people):
        if edited and number:
            scene.edit_environment(1)
        scene.approve(run_id, person)
    return run_id


_WAYS_OUT = (Command.RESUME, Command.RETRY, Command.IGNORE, Command.UNDO, Command.LEAVE, Command.ABORT, Command.DENY)


def settle(scene: Scene, check: Callable[[], None]) -> None:
    """All is well again and people are sensible: every run must come to an end by what is shown as possible."""
    unplanned = scene.playbook == UNPLANNED
    if not unplanned:
        scene.world.cut.clear()
    scene.world.lazy = False
    for worker in scene.workers:
        worker.skew = 0.0
    wake(scene, 0, 0)
    restart_all(scene, 0, 0)
    for node in scene.world.nodes.values():
        if not node.up and not (unplanned and node.side == "primary"):
            node.start()
    for patience in range(60):
        for _ in range(100):
            if not scene.work():
                break
            scene.watch()
            check()
        runs = scene.open_runs()
        if not runs:
            return
        for run_id in runs:
            lead_out(scene, run_id, patience)
        scene.pass_time(2.0 if patience < 30 else 70.0)
    left = [scene.held(run_id) for run_id in scene.open_runs()]
    states = [(each.run.state.value, {row.step_id: row.state.value for row in each.steps.values()}) for each in left]
    raise Broken(6, f"nothing that is shown as possible leads out of {states}")


def lead_out(scene: Scene, run_id: str, patience: int) -> None:
    """What a sensible person does next; with less hope, the longer it takes."""
    may = scene.legal(run_id)
    asked = [each for each in may if each.command is Command.ANSWER]
    if asked:
        scene.command(run_id, asked[0], 0)
        return
    hopeful = _WAYS_OUT if patience < 12 else _WAYS_OUT[2:]
    for word in hopeful:
        for legal in may:
            if legal.command is word and scene.command(run_id, legal):
                return
