"""What can happen in the scene at any moment, to whom it may; how often it does is told in `model_odds`.

Each takes two whole numbers that pick what or whom it happens to; where it can't happen, nothing does.
"""

from collections.abc import Callable

from app.playbooks.rules import Mode
from app.runs.models import Run
from app.runs.rules import Command, Legal
from app.runs.view import read
from tests.reliability.model.model_ground import PEOPLE
from tests.reliability.model.model_scene import Scene
from tests.reliability.model.model_workers import AtWork, Worker
from tests.reliability.model.model_world import SIDES

Happening = Callable[[Scene, int, int], None]
JUMPS = (-600.0, 0.0, 90.0, 4000.0, 365 * 86400.0)
SKEWS = (-120.0, -20.0, 20.0, 120.0)
WORDS = (Command.ABORT, Command.UNDO, Command.UNDO, Command.PAUSE, Command.ABORT, Command.THIS_IS_REAL)
SPANS = (1.0, 2.0, 6.0, 17.0, 70.0, 1900.0)


def work(scene: Scene, a: int, b: int) -> None:
    """Workers go on for some instants."""
    for _ in range(1 + a % 5):
        if not scene.work(b):
            return


def work_on(scene: Scene, a: int, b: int) -> None:
    """Workers go on until they need somebody or something, with people who answer yes."""
    for _ in range(12):
        if not scene.work(b):
            answer(scene, a, 0)


def answer(scene: Scene, a: int, b: int) -> None:
    """Somebody answers what is asked."""
    for run_id in scene.open_runs():
        asked = [legal for legal in scene.legal(run_id) if legal.command is Command.ANSWER]
        if asked:
            scene.command(run_id, asked[a % len(asked)], b)
            return


def legal_command(scene: Scene, a: int, b: int) -> None:
    """A person does one of the things that are shown as possible; it must be accepted, or refused for a reason."""
    runs = scene.open_runs()
    if runs:
        run_id = runs[b % len(runs)]
        may = [each for each in scene.legal(run_id) if each.command not in _RARE or a % 4 == 0]
        if may:
            scene.command(run_id, may[a % len(may)], b)


_RARE = (Command.THIS_IS_REAL, Command.ABORT, Command.LEAVE, Command.DENY)


def any_command(scene: Scene, a: int, b: int) -> None:
    """A person tries something that may not be possible now."""
    if not scene.runs:
        return
    run_id = scene.runs[b % len(scene.runs)]
    with scene.transaction(write=False) as session:
        names = list(read(session, session.get_one(Run, run_id)).steps)
    scene.command(run_id, Legal(list(Command)[a % len(Command)], names[b % len(names)]), a)


def stop_it(scene: Scene, a: int, b: int) -> None:
    """Abort, undo, pause or this is real."""
    runs = scene.open_runs()
    if runs:
        scene.command(runs[b % len(runs)], Legal(WORDS[a % len(WORDS)]))


def approve(scene: Scene, a: int, b: int) -> None:
    runs = scene.open_runs()
    if runs:
        scene.approve(runs[b % len(runs)], PEOPLE[a % len(PEOPLE)], yes=a % 13 != 12)


def revoke(scene: Scene, a: int, b: int) -> None:
    if scene.book.said:
        scene.revoke(a)


def edit_environment(scene: Scene, a: int, b: int) -> None:
    scene.edit_environment(a)


def another_run(scene: Scene, a: int, b: int) -> None:
    """Another run is planned, in whatever mode, and mostly approved."""
    if len(scene.runs) > 3:
        return
    mode = (Mode.LIVE, Mode.LIVE, Mode.LIVE, Mode.TABLETOP, Mode.REHEARSAL)[a % 5]
    run_id = scene.plan(mode=mode)
    if run_id and b % 4:
        scene.approve(run_id, "approver")
        scene.approve(run_id, "owner")
        scene.start(run_id)


def kill(scene: Scene, a: int, b: int) -> None:
    """A worker dies; with work in hands, or not."""
    worker = _worker(scene, a)
    if worker.alive:
        worker.kill()


def kill_in_transaction(scene: Scene, a: int, b: int) -> None:
    """A worker dies before its intent, or the outcome, is committed."""
    busy = [(worker, each) for worker, each in scene.busy() if each.ended]
    if busy:
        worker, each = busy[a % len(busy)]
        worker.tell(each, die=True)
        return
    for ready in scene.ready():
        takers = scene.takers(ready)
        if takers:
            takers[a % len(takers)].take(ready, die=True)
            return


def restart(scene: Scene, a: int, b: int) -> None:
    for worker in scene.workers:
        if not worker.alive:
            worker.restart()
            return


def restart_all(scene: Scene, a: int, b: int) -> None:
    for worker in scene.workers:
        if not worker.alive:
            worker.restart()


def stop_worker(scene: Scene, a: int, b: int) -> None:
    """A worker stops in the middle of what it does, and may wake up later."""
    worker = _worker(scene, a)
    if worker.alive:
        worker.frozen = True


def wake(scene: Scene, a: int, b: int) -> None:
    for worker in scene.workers:
        if worker.alive and worker.frozen:
            worker.thaw()


def cut(scene: Scene, a: int, b: int) -> None:
    """A site is cut off from everything outside it."""
    scene.world.cut.add(SIDES[a % 2])


def heal(scene: Scene, a: int, b: int) -> None:
    scene.world.cut.clear()


def lose_answer(scene: Scene, a: int, b: int) -> None:
    """A body is killed, or its answer is lost, after some of its instants."""
    busy = scene.busy()
    if busy:
        worker, each = busy[a % len(busy)]
        if not each.looking:
            for _ in range(b % 3):
                if not each.ended:
                    worker.go_on(each)
        lose(each)


def lose(each: AtWork) -> None:
    """Its host is killed, or what it says gets lost."""
    each.body, each.outcome, each.seen, each.ended, each.looking = None, None, None, True, False


def crash_database(scene: Scene, a: int, b: int) -> None:
    scene.world.nodes[SIDES[a % 2]].up = False


def start_database(scene: Scene, a: int, b: int) -> None:
    """A machine comes back by itself: as its files say, read-only or not."""
    for node in scene.world.nodes.values():
        if not node.up:
            node.start()


def lag(scene: Scene, a: int, b: int) -> None:
    scene.world.lazy = a % 2 == 0


def pass_time(scene: Scene, a: int, b: int) -> None:
    scene.pass_time(SPANS[a % len(SPANS)])


def move_clock(scene: Scene, a: int, b: int) -> None:
    """The clock that people and approvals go by is set wrong."""
    scene.hub_skew = JUMPS[a % len(JUMPS)]


def skew_worker(scene: Scene, a: int, b: int) -> None:
    """A worker's clock is wrong, by minutes."""
    _worker(scene, a).skew = SKEWS[b % len(SKEWS)]


def _worker(scene: Scene, number: int) -> Worker:
    """Those with work in hands first: that is where it hurts."""
    busy = [worker for worker in scene.workers if worker.held]
    return busy[0] if busy and number % 3 else scene.workers[number % len(scene.workers)]
