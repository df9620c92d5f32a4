"""The client of the lab: numbers its writes, keeps what was acknowledged, and tells outage and loss."""

import argparse
import http.client
import json
import signal
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import TextIO

FIRST = 100_001
"""The first number that the writer uses; lower ones were there before."""
RATE = 50.0
"""Writes a second."""
PAUSE_AFTER_REFUSAL = 0.005
TIMEOUT = 2.0


@dataclass(frozen=True)
class Acknowledged:
    """One write that the service said is kept."""

    number: int
    sent_at: datetime
    """When it was first sent, by the wall clock."""
    acknowledged_at: datetime
    ticks: int
    """When it was acknowledged, in nanoseconds of the monotonic clock: differences are right whatever the wall does."""


def read(log: Path) -> list[Acknowledged]:
    """The acknowledged writes of a log in the order of their acknowledgement; a half-written last line is left out."""
    whole = log.read_text().rpartition("\n")[0].splitlines() if log.exists() else []
    rows = [line.split() for line in whole]
    return [
        Acknowledged(int(number), datetime.fromisoformat(sent), datetime.fromisoformat(acked), int(ticks))
        for number, sent, acked, ticks in rows
    ]


def acknowledged(log: Sequence[Acknowledged], start: datetime, end: datetime) -> int:
    """How many writes were acknowledged in the window."""
    return sum(start <= one.acknowledged_at <= end for one in log)


def outage_ms(log: Sequence[Acknowledged], start: datetime, end: datetime) -> float | None:
    """Largest gap in milliseconds between two successive acknowledged writes that touches the window.

    A gap counts whole, also where it begins before the window or ends after it. None without two such writes.
    """
    gaps = [b.ticks - a.ticks for a, b in pairwise(log) if b.acknowledged_at >= start and a.acknowledged_at <= end]
    return max(gaps) / 1e6 if gaps else None


def lost(log: Sequence[Acknowledged], numbers_in_database: Collection[int]) -> set[int]:
    """Numbers that were acknowledged and are not in the database."""
    return {one.number for one in log} - set(numbers_in_database)


class Writer:
    """Sends numbered writes at a steady rate; an unanswered one is sent again until it is acknowledged."""

    def __init__(self, address: str, log: Path, *, rate: float = RATE, first: int = FIRST) -> None:
        self.address = address
        self.log = log
        self.interval = 1 / rate
        self.next_number = first
        self.stopping = False
        self._pending: deque[tuple[int, datetime]] = deque()
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Write until `stop`, then until nothing is pending (at most two seconds more)."""
        due = time.monotonic()
        with self.log.open("a", buffering=1) as log:
            while not self.stopping:
                if time.monotonic() >= due:
                    self._pending.append((self.next_number, datetime.now(UTC)))
                    self.next_number += 1
                    due += self.interval
                self._step(log, due)
            last = time.monotonic() + 2
            while self._pending and time.monotonic() < last:
                self._step(log, due)

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Take no new numbers (also a signal handler)."""
        del number, frame
        self.stopping = True

    def _step(self, log: TextIO, due: float) -> None:
        if not self._pending:
            time.sleep(max(0.0, min(self.interval, due - time.monotonic())))
            return
        number, sent = self._pending[0]
        if self._send(number):
            self._pending.popleft()
            log.write(f"{number} {sent.isoformat()} {datetime.now(UTC).isoformat()} {time.monotonic_ns()}\n")
        else:
            time.sleep(PAUSE_AFTER_REFUSAL)

    def _send(self, number: int) -> bool:
        """Whether the write was acknowledged, now or before: "already there" means that an answer was lost."""
        self._connection = self._connection or http.client.HTTPConnection(self.address, timeout=TIMEOUT)
        body = json.dumps({"number": number, "applicant": f"Aanvrager № {number}"})
        try:
            self._connection.request("POST", "/permits", body, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            return False
        return answer.status in (200, 201)


def main() -> None:
    """Command line: python -m app.lab.writer HOST:PORT LOG [RATE]; writes until SIGTERM."""
    parser = argparse.ArgumentParser(description="Write numbered permits through the proxy")
    parser.add_argument("address")
    parser.add_argument("log", type=Path)
    parser.add_argument("--rate", type=float, default=RATE)
    options = parser.parse_args()
    writer = Writer(options.address, options.log, rate=options.rate)
    signal.signal(signal.SIGTERM, writer.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    writer.run()


if __name__ == "__main__":
    main()
