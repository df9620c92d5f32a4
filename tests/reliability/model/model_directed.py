"""Trouble that is aimed: at a step that is in hands, at every change on the way, at the way back."""

from collections.abc import Collection

from app.runs.models import Run
from app.runs.rules import Command, Legal, StepState
from app.runs.view import read
from runners.contract import Effect
from tests.reliability.model.model_ends import lead_out
from tests.reliability.model.model_happenings import WORDS, answer, lose, work_on
from tests.reliability.model.model_scene import Scene
from tests.reliability.model.model_workers import LEASE, AtWork, Worker


def until(
    scene: Scene, number: int, near: int = 4, *, changes: bool = False, but: Collection[str] = ()
) -> AtWork | None:
    """Workers and people go on as they should until a step is in hands: one of the next few, by its number.

    `changes`: one that changes something; `but`: none of these.
    """
    with scene.transaction(write=False) as session:
        runs = [session.get_one(Run, run_id) for run_id in scene.runs]
        going = next((run for run in runs if run.started_at is not None and run.ended is None), None)
        if going is None:
            return None
        ahead = (StepState.NOT_STARTED, StepState.READY, StepState.STARTED)
        rows = read(session, going).steps.values()
        wanted = [row for row in rows if row.driver and row.state in ahead and row.step_id not in but]
        names = [row.step_id for row in wanted if not changes or row.effect is Effect.CHANGES][:near]
    if not names:
        return None
    name = names[number % len(names)]
    for _ in range(60):
        for worker, each in scene.busy():
            if each.step_id == name and each.work.run_id == going.id and worker.connected:
                return each
        if not scene.work():
            before = len(scene.book.intents)
            answer(scene, 0, 0)
            if not scene.ready() and len(scene.book.intents) == before and not scene.busy():
                return None
    return None


def trouble_at(scene: Scene, a: int, b: int) -> None:
    """Just when a certain step is under way, and some instants into it, its worker dies or the answer gets lost."""
    each = until(scene, a)
    if each is None:
        return
    worker = hands(scene, each)
    for _ in range(1 + b % 3):
        if not each.ended:
            worker.go_on(each)
    if b // 3 % 4 == 3:
        lose(each)
    else:
        worker.kill()


def sleep_at(scene: Scene, a: int, b: int) -> None:
    """In the middle of a step its worker falls asleep for longer than its lease; others go on; then it wakes up."""
    each = until(scene, a)
    if each is None:
        return
    worker = hands(scene, each)
    for _ in range(b % 3):
        if not each.ended:
            worker.go_on(each)
    worker.frozen = True
    if b % 2:
        scene.command(each.work.run_id, Legal(WORDS[b % len(WORDS)]))
    scene.pass_time(2 * LEASE)
    for _ in range(b // 4):
        if not scene.work():
            answer(scene, a, 0)
        scene.watch()
    worker.thaw()


def word_at(scene: Scene, a: int, b: int) -> None:
    """Just when a certain step is under way somebody aborts, takes back, pauses, or says that this is real."""
    each = until(scene, a)
    if each is not None:
        scene.command(each.work.run_id, Legal(WORDS[b % len(WORDS)]))


def hands(scene: Scene, each: AtWork) -> Worker:
    """Who has it in hands."""
    return next(worker for worker in scene.workers if each in worker.held.values())


def on_the_way(scene: Scene, a: int, b: int) -> None:
    """Somewhere on the way the step that is in hands meets trouble."""
    until(scene, a, near=60)
    (trouble_at, trouble_at, sleep_at, word_at)[b % 4](scene, 0, b // 4)


def shaken(scene: Scene, a: int, b: int) -> None:
    """On the whole way each change is made, and its worker dies before it can tell; the next life goes on."""
    shaken: set[str] = set()
    for _ in range(16):
        each = until(scene, 0, changes=True, but=shaken)
        if each is None:
            for run_id in scene.open_runs():
                lead_out(scene, run_id, 0)
            continue
        shaken.add(each.step_id)
        worker = hands(scene, each)
        while not each.ended:
            worker.go_on(each)
        worker.kill()
        worker.restart()


def taken_back(scene: Scene, a: int, b: int) -> None:
    """When some changes stand somebody takes them all back, and nothing is in the way of that."""
    each = until(scene, 2 + a % 3, 60, changes=True)
    if each is not None:
        scene.command(each.work.run_id, Legal(Command.UNDO))
        scene.watch()
        for _ in range(b % 4):
            work_on(scene, a, b)


def stopped(scene: Scene, a: int, b: int) -> None:
    """In the middle of a step somebody says stop."""
    each = until(scene, a, near=60)
    if each is not None:
        scene.command(each.work.run_id, Legal(Command.ABORT))
