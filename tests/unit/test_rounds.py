"""Rounds: what dies, hangs or fails says so; what has much to do does not count as hanging."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.exc import OperationalError

from app.core import clock
from app.core.rounds import Rounds


@pytest.fixture
def rounds() -> Iterator[Rounds]:
    made = Rounds()
    yield made
    made.stop()
    made.join(5)


def told(rounds: Rounds, seconds: float = 20.0) -> str:
    """The first trouble that is told of the only round."""
    until = time.monotonic() + seconds
    while (found := rounds.trouble()["it"]) is None:
        assert time.monotonic() < until, "no trouble was told"
        time.sleep(0.005)
    return found


def begun(rounds: Rounds, body: Callable[[], None], *, late: float = 60, stuck: float = 60) -> Rounds:
    rounds.add("it", 0.01, body, late=late, stuck=stuck)
    rounds.start()
    return rounds


def test_what_does_its_work_has_no_trouble_and_does_it_again_and_again(rounds: Rounds) -> None:
    done = threading.Semaphore(0)
    begun(rounds, done.release, late=30)
    for _ in range(3):
        assert done.acquire(timeout=20)
    assert rounds.trouble() == {"it": None}


def test_what_failed_is_done_again_soon_and_not_only_at_its_next_moment(rounds: Rounds) -> None:
    """A beat that met the database while it was away must not wait until it is away once more."""
    done = threading.Semaphore(0)

    def fail() -> None:
        done.release()
        raise OperationalError("select 1", {}, Exception("away"))

    rounds.add("it", 0.5, fail, late=600, stuck=600, again=0.001)
    begun = time.monotonic()
    rounds.start()
    for _ in range(60):
        assert done.acquire(timeout=20)
    assert time.monotonic() - begun < 60 * 0.5 / 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_told_at_once(rounds: Rounds) -> None:
    def die() -> None:
        raise SystemExit

    begun(rounds, die)
    assert told(rounds) == "the it thread does not run"


def test_one_that_was_never_begun_does_not_run(rounds: Rounds) -> None:
    rounds.add("it", 1, lambda: None, late=60, stuck=60)
    assert rounds.trouble() == {"it": "the it thread does not run"}


def test_one_that_hangs_is_told_when_it_hangs_too_long(rounds: Rounds) -> None:
    go = threading.Event()
    begun(rounds, lambda: [go.wait(60), None][1], stuck=0.1)
    assert told(rounds).startswith("has been busy for")
    go.set()


def test_one_that_goes_on_with_much_to_do_does_not_hang(rounds: Rounds) -> None:
    busy, stop = threading.Event(), threading.Event()

    def work() -> None:
        busy.set()
        while not stop.wait(0.01):
            rounds.went_on("it")

    begun(rounds, work, late=0.2, stuck=20)
    assert busy.wait(20)
    time.sleep(0.4)
    assert rounds.trouble() == {"it": None}
    stop.set()


@pytest.mark.parametrize("bug", [ValueError("a bug"), OSError("a disk")])
def test_one_that_only_ever_fails_lives_on_and_is_told(rounds: Rounds, bug: Exception) -> None:
    def fail() -> None:
        raise bug

    begun(rounds, fail, late=0.2)
    assert told(rounds).startswith("has not run for")


def test_a_clock_that_is_set_is_noticed_once_and_slewing_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    shows, passed = [1000.0], [50.0]

    class Shown:
        def timestamp(self) -> float:
            return shows[0]

    monkeypatch.setattr(clock, "now", Shown)
    monkeypatch.setattr(clock, "passed", lambda: passed[0])
    watch, found = clock.WallClock(), []
    for by in (0.0, 0.0005, -600.0, 0.0, 31_536_000.0, 0.0):
        shows[0], passed[0] = shows[0] + 1 + by, passed[0] + 1
        found.append(round(watch.moved()))
    assert found == [0, 0, -600, 0, 31_536_000, 0]
