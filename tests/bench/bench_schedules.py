"""One beat of the clock over ten thousand schedules, against reading the number of their rows."""

import time
from datetime import timedelta

from sqlmodel import func, select

from app.drills.models import Drill
from app.runs import drivers, service
from tests.bench.told import timed, told
from tests.flow.runs_world import build
from tests.reliability import figures

SCHEDULES = 10_000
DUE = 5


def test_a_beat_of_the_clock_over_ten_thousand_schedules(tmp_path):
    world = build(tmp_path)
    first = world.switch(schedule={"kind": "recurring", "hour": "12", "minute": "0"})
    with world.database.transaction() as session:
        like = session.get_one(Drill, first)
        like.planned_until, like.next_due_at = world.now, world.now + timedelta(days=80)
        fields = like.model_dump(exclude={"id", "ref"})
        for number in range(SCHEDULES):
            drill = Drill(**fields, ref=f"DRL-{number + 2:06}")
            drill.next_due_at = world.now + (timedelta(seconds=1) if number < DUE else timedelta(days=80))
            session.add(drill)

    def beat() -> None:
        world.later(seconds=2)
        service.tick(world.database, drivers.registry(), now=world.now)

    def count() -> None:
        with world.database.transaction(write=False) as session:
            assert session.exec(select(func.count()).select_from(Drill)).one() > SCHEDULES

    begun = time.perf_counter()
    beat()
    due = (time.perf_counter() - begun) * 1000
    told(
        f"a beat of the clock over {SCHEDULES} schedules, none due, against counting them",
        timed(beat, 5),
        timed(count, 5),
    )
    figures.told(f"a beat of the clock over {SCHEDULES} schedules, {DUE} due", f"{due:.0f} ms (wanted: < 1000)")
    world.database.dispose()
