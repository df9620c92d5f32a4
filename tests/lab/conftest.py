"""Fixtures over real servers; a lab that is missing is said, and fails where CI=true."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.lab.pair import LabPair, lab_pair
from tests.lab.postgres_drivers import Drivers


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell that runs these tests in its background has them ignore Ctrl-C, and so would all that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def pair() -> Iterator[LabPair]:
    """A primary, a streaming standby and a proxy, running, for one test."""
    with lab_pair() as started:
        yield started


@pytest.fixture
def drivers(pair: LabPair, tmp_path: Path) -> Iterator[Drivers]:
    """The postgres drivers and switch.haproxy on that pair."""
    made = Drivers(pair, tmp_path)
    yield made
    made.context.close()


class Writer:
    """Writes numbered rows through the proxy and remembers which were acknowledged, and the longest gap."""

    def __init__(self, dsn: str) -> None:
        self._dsn, self._stop = dsn, threading.Event()
        self.acknowledged: list[int] = []
        self.moments: list[float] = []
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for(self, more: int) -> None:
        """Until so many further rows were acknowledged."""
        wanted, end = len(self.acknowledged) + more, time.monotonic() + 10
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < end, "nothing is acknowledged any more"
            time.sleep(0.005)

    def outage_ms(self) -> float:
        return max(b - a for a, b in zip(self.moments, self.moments[1:], strict=False)) * 1000

    def _write(self) -> None:
        number, link = 0, None
        while not self._stop.is_set():
            try:
                link = link or psycopg.connect(self._dsn, autocommit=True, connect_timeout=2)
                # After a lost answer the row may be there already; that is a success.
                link.execute("insert into written values (%s) on conflict do nothing", [number])
                self.acknowledged.append(number)
                self.moments.append(time.monotonic())
                number += 1
            except psycopg.Error:
                link = None
            time.sleep(0.005)
        if link:
            link.close()


@pytest.fixture
def writer(pair: LabPair) -> Iterator[Writer]:
    """A client that writes about 150 rows a second through the proxy while the test runs."""
    with Writer(pair.proxy.dsn) as writing:
        writing.wait_for(10)
        yield writing
