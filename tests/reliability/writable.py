"""Writes straight to both servers of a pair all the time, past the proxy: when did each of them take writes?"""

import threading
import time
from dataclasses import dataclass, field

import psycopg

from tests.lab.pair import LabPair, LabServer

NUMBERS = {"primary": 1_000_000, "fallback": 2_000_000}
"""Rows that are written past the proxy begin here, so that they are told apart."""


@dataclass(frozen=True)
class Taken:
    """A write that a server acknowledged: when it was asked for, when it was answered, and its row."""

    asked: float
    answered: float
    row: int


@dataclass
class Asker:
    """Asks one server again and again to take a row."""

    server: LabServer
    stop: threading.Event
    taken: list[Taken] = field(default_factory=list)

    def run(self) -> None:
        """Until told to stop; a server that is away or refuses is asked again."""
        link, row = None, NUMBERS[self.server.name]
        while not self.stop.is_set():
            try:
                link = link or psycopg.connect(self.server.dsn, autocommit=True, connect_timeout=2)
                asked = time.monotonic()
                link.execute("insert into written values (%s) on conflict do nothing", [row])
                self.taken.append(Taken(asked, time.monotonic(), row))
                row += 1
            except psycopg.Error:
                if link is not None and link.closed:
                    link = None
            time.sleep(0.01)
        if link is not None:
            link.close()


class BothSides:
    """Both servers asked at once, as long as the test runs."""

    def __init__(self, pair: LabPair) -> None:
        self._stop = threading.Event()
        self.primary, self.fallback = Asker(pair.primary, self._stop), Asker(pair.fallback, self._stop)
        self._threads = [threading.Thread(target=each.run) for each in (self.primary, self.fallback)]

    def __enter__(self) -> "BothSides":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def overlap(self) -> float:
        """Seconds in which both took writes; 0 or less where one had ended before the other began."""
        if not (self.primary.taken and self.fallback.taken):
            return 0.0
        return max(each.asked for each in self.primary.taken) - min(each.answered for each in self.fallback.taken)

    def acknowledged(self) -> set[int]:
        """All rows that either of them acknowledged."""
        return {each.row for asker in (self.primary, self.fallback) for each in asker.taken}
