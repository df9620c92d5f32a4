"""Everything that can happen in the scene: drawn by Hypothesis in the state machine, by chance in the fail-overs.

Each takes two whole numbers that pick what or whom it happens to; where it can't happen, nothing does.
"""

from collections.abc import Callable

from app.playbooks.rules import Mode
from app.runs.models import Run
from app.runs.rules import Command, Legal, StepState
from app.runs.view import read
from tests.reliability.model.model_ground import PEOPLE
from tests.reliability.model.model_invariants import Broken
from tests.reliability.model.model_scene import UNPLANNED, Scene
from tests.reliability.model.model_workers import LEASE, AtWork, Worker
from tests.reliability.model.model_world import SIDES

Happening = Callable[[Scene, int, int], None]
JUMPS = (-600.0, 0.0, 90.0, 4000.0, 365 * 86400.0)
SKEWS = (-120.0, -20.0, 20.0, 120.0)
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


def until(scene: Scene, number: int, near: int = 4) -> AtWork | None:
    """Workers and people go on as they should until a step is in hands: one of the next few, by its number."""
    with scene.transaction(write=False) as session:
        runs = [session.get_one(Run, run_id) for run_id in scene.runs]
        going = next((run for run in runs if run.started_at is not None and run.ended is None), None)
        if going is None:
            return None
        ahead = (StepState.NOT_STARTED, StepState.READY, StepState.STARTED)
        rows = read(session, going).steps.values()
        names = [row.step_id for row in rows if row.driver and row.state in ahead][:near]
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
    worker = next(worker for worker in scene.workers if each in worker.held.values())
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
    worker = next(worker for worker in scene.workers if each in worker.held.values())
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


WORDS = (Command.ABORT, Command.UNDO, Command.UNDO, Command.PAUSE, Command.ABORT, Command.THIS_IS_REAL)


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


NORMAL: tuple[Happening, ...] = (work, work, work_on, answer, pass_time)
CHAOS: tuple[Happening, ...] = (
    trouble_at,
    trouble_at,
    trouble_at,
    sleep_at,
    sleep_at,
    word_at,
    word_at,
    legal_command,
    any_command,
    stop_it,
    approve,
    revoke,
    edit_environment,
    another_run,
    kill,
    kill_in_transaction,
    restart,
    stop_worker,
    wake,
    cut,
    heal,
    lose_answer,
    crash_database,
    start_database,
    lag,
    pass_time,
    move_clock,
    skew_worker,
)


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
            _lead_out(scene, run_id, patience)
        scene.pass_time(2.0 if patience < 30 else 70.0)
    left = [scene.held(run_id) for run_id in scene.open_runs()]
    states = [(each.run.state.value, {row.step_id: row.state.value for row in each.steps.values()}) for each in left]
    raise Broken(6, f"nothing that is shown as possible leads out of {states}")


def _lead_out(scene: Scene, run_id: str, patience: int) -> None:
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
