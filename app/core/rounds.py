"""Rounds: threads that each do one thing again and again, and that say when one of them does so no more."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core import clock

log = structlog.get_logger()


@dataclass
class Round:
    """One thing that is done again and again; all times by `clock.passed`, which no setting of the clock moves."""

    name: str
    every: float
    body: Callable[[], None]
    late: float
    """Seconds after which it is wrong that none has ended well."""
    stuck: float
    """Seconds after which it is wrong that one is still under way."""
    again: float
    """Seconds to the next one after one that failed."""
    ended: float = field(default_factory=clock.passed)
    begun: float | None = None
    thread: threading.Thread | None = None

    def trouble(self) -> str | None:
        """What is wrong with it; None where it goes as it should."""
        now = clock.passed()
        if self.thread is None or not self.thread.is_alive():
            return f"the {self.name} thread does not run"
        if self.begun is not None and now - self.begun > self.stuck:
            return f"has been busy for {now - self.begun:.0f} s"
        if self.begun is None and now - self.ended > self.late:
            return f"has not run for {now - self.ended:.0f} s"
        return None

    def go(self) -> bool:
        """Do it once, and say whether it went well.

        A database that does not answer, or a bug, does not end the rounds: health turns red.
        """
        self.begun = clock.passed()
        try:
            self.body()
            self.ended = clock.passed()
            return True
        except SQLAlchemyError as error:
            log.warning("the database did not answer", thread=self.name, error=str(error).splitlines()[0])
        except Exception:  # a watcher that died silently would leave an abort unheard
            log.exception("a watcher failed", thread=self.name)
        finally:
            self.begun = None
        return False


class Rounds:
    """All rounds of one process."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._rounds: list[Round] = []

    def add(
        self,
        name: str,
        every: float,
        body: Callable[[], None],
        *,
        late: float,
        stuck: float,
        again: float | None = None,
    ) -> None:
        """A further round, before `start`; `again`: seconds to the next one after one that failed, else `every`."""
        self._rounds.append(Round(name, every, body, late, stuck, every if again is None else min(again, every)))

    def start(self) -> None:
        """Begin all; each does its thing for the first time after its pause."""
        for each in self._rounds:
            each.ended = clock.passed()
            each.thread = threading.Thread(target=self._repeat, args=(each,), name=each.name, daemon=True)
            each.thread.start()

    def stop(self) -> None:
        """Let none begin any more; `join` waits for those under way."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for those under way, so many seconds for each at most."""
        for each in self._rounds:
            if each.thread is not None:
                each.thread.join(timeout=seconds)

    def went_on(self, name: str) -> None:
        """What is under way has much to do, but does not hang: its time begins anew."""
        for each in self._rounds:
            if each.name == name and each.begun is not None:
                each.begun = clock.passed()

    def trouble(self) -> dict[str, str | None]:
        """What is wrong, by name."""
        return {each.name: each.trouble() for each in self._rounds}

    def _repeat(self, each: Round) -> None:
        pause = each.every
        while not self._stopping.wait(pause):
            pause = each.every if each.go() else each.again
