"""Who is held for dead: by how long a lease stood still while somebody looked, never by what a wall clock shows."""

from datetime import UTC, datetime, timedelta

import pytest

from app.runs.leases import Watch, WorkerLease

NOON = datetime(2027, 1, 10, 12, tzinfo=UTC)
LEASE = 15.0


def lease(name: str, expires_at: datetime) -> WorkerLease:
    return WorkerLease(boot_id=name, host="h", pid=1, sites="*", started_at=NOON, expires_at=expires_at)


def looks(*seen: tuple[float, datetime]) -> set[str]:
    """What the last of these looks says of one lease; each: seconds that passed, and the lease's end by its owner."""
    watch, found = Watch(LEASE), set()
    for passed, expires_at in seen:
        found = watch.silent([lease("a", expires_at)], passed=passed)
    return found


def beaten(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


EVERY_SECOND = [float(n) for n in range(40)]


@pytest.mark.parametrize(
    ("told", "seen", "dead"),
    [
        ("it beats", [(t, beaten(t // 3 * 3)) for t in EVERY_SECOND], False),
        ("it stopped a whole lease ago", [(t, beaten(0)) for t in EVERY_SECOND[:16]], True),
        ("it stopped not quite so long ago", [(t, beaten(0)) for t in EVERY_SECOND[:15]], False),
        ("its clock shows next year, and it stopped", [(t, beaten(31e6)) for t in EVERY_SECOND[:16]], True),
        ("its clock was set back at each beat", [(t, beaten(-600 * (t // 3))) for t in EVERY_SECOND], False),
        ("it beats by a clock ten minutes slow", [(t, beaten(t // 3 * 3 - 600)) for t in EVERY_SECOND], False),
        ("who looks slept an hour between two looks", [(0.0, beaten(0)), (3600.0, beaten(0))], False),
        ("who looks slept an hour, and then it beat", [(0.0, beaten(0)), (3600.0, beaten(3600))], False),
        ("it slept, went on looking", [(0.0, beaten(0)), *((3600.0 + t, beaten(0)) for t in range(15))], True),
        ("it beat again at the last moment", [*((t, beaten(0)) for t in EVERY_SECOND[:15]), (15.0, beaten(15))], False),
    ],
)  # fmt: skip
def test_a_process_is_held_for_dead_only_when_its_lease_stood_still_before_our_eyes(
    told: str, seen: list[tuple[float, datetime]], dead: bool
) -> None:
    assert (looks(*seen) == {"a"}) is dead, told


def test_one_that_signed_off_and_came_back_is_watched_anew() -> None:
    watch = Watch(LEASE)
    for passed in range(14):
        assert watch.silent([lease("a", NOON)], passed=passed) == set()
    assert watch.silent([], passed=14) == set()
    for passed in range(15, 29):
        assert watch.silent([lease("a", NOON)], passed=passed) == set()
