"""The scene of the model test: the real rows and functions of runs, with people, workers and time, round the world.

Each public method is something that can happen.
"""

from datetime import timedelta

from sqlmodel import col, select

from app.runs import guards, service, steps
from app.runs.models import Run
from app.runs.view import Held, read
from app.runs.work import ReadyStep
from tests.reliability.model.model_bodies import BODIES
from tests.reliability.model.model_people import People
from tests.reliability.model.model_runners import REGISTRY
from tests.reliability.model.model_workers import LEASE, AtWork, Worker
from tests.reliability.model.model_world import HUB, SIDES, Caller

TICK, INSTANT = 5.0, 2.0
"""Seconds between two beats and sweeps, and between two writes of those who write, while time goes by."""


class Scene(People):
    """Everything together; `close` at the end."""

    def __init__(self, playbook: str = "model-switch") -> None:
        super().__init__(playbook)
        places = {side: side for side in SIDES} | {"orchestrator": HUB}
        self.workers = [
            Worker(self, f"{site}-{number}", site, place) for site, place in places.items() for number in (1, 2)
        ]
        for worker in self.workers:
            worker.beat(force=True)

    # -- workers and time

    def ready(self) -> list[ReadyStep]:
        with self.transaction(write=False) as session:
            return steps.ready_steps(session, None)

    def busy(self) -> list[tuple[Worker, AtWork]]:
        """What is in the hands of workers that can go on."""
        return [(worker, each) for worker in self.workers if worker.works for each in worker.held.values()]

    def takers(self, ready: ReadyStep) -> list[Worker]:
        return [worker for worker in self.workers if worker.connected and worker.site == ready.site]

    def work(self, pick: int = 0) -> bool:
        """One thing that a worker does: an instant of a body, or a step that is taken; False: nobody has any work."""
        busy = self.busy()
        if busy:
            worker, each = busy[pick % len(busy)]
            worker.go_on(each)
            return True
        for ready in self.ready():
            takers = self.takers(ready)
            if takers:
                takers[pick % len(takers)].take(ready)
                return True
        return False

    def pass_time(self, seconds: float) -> None:
        """Time goes by: leases are renewed or run out, the clock moves the runs, guards look."""
        left = seconds
        while left > 0 and (part := min(left, TICK)) > 0 and seconds - left < 2 * LEASE:
            self._tick(part)
            left -= part
        if left > 0:
            self._jump(left)
        self.clock_beat()

    def _tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds
        for _ in range(max(1, round(seconds / INSTANT))):
            self.world.instant()
        for worker in self.workers:
            worker.beat()
        connected = [worker for worker in self.workers if worker.connected]
        for worker in connected[:1] + connected[-1:]:
            worker.sweep()
        for worker in connected:
            worker.give_up_orphans()
        self.watch()

    def _jump(self, seconds: float) -> None:
        """A long time in one go, in which every living worker beats all the while."""
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds
        for worker in self.workers:
            if worker.connected:
                worker.beaten = self.monotonic
                worker.beat(force=True)
        self._tick(0.5)

    def clock_beat(self) -> None:
        service.tick(self.ground.database, REGISTRY, now=self.wall)
        with self.transaction() as session:
            self.note_starts(session)
        self._guard()

    def _guard(self) -> None:
        with self.transaction(write=False) as session:
            looks = guards.due(session, frozenset({"orchestrator"}), now=self.wall)
        if not any(worker.connected and worker.place == HUB for worker in self.workers):
            return
        for look in looks:
            caller = Caller(look.run_id, look.guard_id, "guard", "guard", 0, 0, 0, params=look.params)
            body = BODIES[look.runner](self.world, caller)
            try:
                while True:
                    next(body)
            except StopIteration as end:
                with self.transaction() as session:
                    guards.seen(session, look.run_id, look.guard_id, end.value, now=self.wall)

    def watch(self) -> None:
        for worker in self.workers:
            worker.watch()

    # -- looking

    def held(self, run_id: str) -> Held:
        with self.transaction(write=False) as session:
            return read(session, session.get_one(Run, run_id))

    def open_runs(self) -> list[str]:
        with self.transaction(write=False) as session:
            wanted = select(Run.id).where(col(Run.ended).is_(None)).order_by("planned_at")
            return list(session.exec(wanted))
