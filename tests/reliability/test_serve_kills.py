"""The service with its worker killed at random under load: what the API acknowledged is there, and no effect twice."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.reliability.figures import times, told
from tests.reliability.processes import Ground, ground
from tests.reliability.random_kills import Tally, batch
from tests.reliability.served import Load, Served, data
from tests.reliability.test_random_kills import SEED


class ServeProcess:
    """The service, killed and started as a worker is."""

    def __init__(self, served: Served, folder: Path) -> None:
        self._served, self._sign = served, folder / "served"

    @property
    def alive(self) -> bool:
        return self._served.process is not None and self._served.process.poll() is None

    def kill(self) -> None:
        assert self._served.process is not None
        self._served.process.kill()
        self._served.process.wait()

    def launch(self) -> Path:
        """Start it; answers once it answers."""
        self._sign.unlink(missing_ok=True)
        self._served.start()
        self._sign.touch()
        return self._sign


class Observers(threading.Thread):
    """People who note things during runs by the API, and write down in its history what was acknowledged."""

    def __init__(self, real: Ground, served: Served, dice: random.Random) -> None:
        super().__init__()
        self._real, self._served, self._dice, self._over = real, served, dice, threading.Event()
        self.noted = 0

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def __enter__(self) -> "Observers":
        self.start()
        return self

    def run(self) -> None:
        """Note something in one of the runs, again and again."""
        while not self._over.wait(0.1):
            runs = sorted(file.stem for file in (self._real.folder / "history").glob("*.jsonl"))
            if runs:
                self._note(self._dice.choice(runs))

    def _note(self, run_id: str) -> None:
        body = {"kind": "note", "text": "Wat ik zag."}
        try:
            answer = self._served.ask("POST", f"/runs/{run_id}/observations", body)
        except httpx.TransportError:
            return  # not acknowledged: it may be there, and need not be
        if answer.status_code == 201:
            self._real.acknowledged(run_id, "observation")
            self.noted += 1


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = ground(tmp_path)
    found = Served(made, data(tmp_path / "data"))
    try:
        found.start().sign_in("operator")
        yield found
    finally:
        found.end()
        made.end()


def test_a_service_killed_at_random_keeps_what_it_acknowledged_and_goes_on_with_its_runs(served: Served) -> None:
    dice, tally, real = random.Random(SEED), Tally(), served.ground
    process = ServeProcess(served, real.folder)
    with Load(served, clients=1) as load, Observers(real, served, random.Random(SEED)) as observers:
        for _ in range(times(1, 15)):
            batch(real, process, dice, tally, size=times(3, 8), kills=3)
        load.wait_for(3)
    lost, twice = load.lost_and_twice()
    wrong = [each for each in load.wrong if not each.startswith("no answer")]
    acknowledged = len(load.acknowledged) + observers.noted
    told(
        "crash anywhere (the service killed)", f"{tally}; {acknowledged} answers, {len(lost)} lost, {len(twice)} twice"
    )
    assert tally.complaints == [], f"WISSEL_SEED={SEED}"
    assert tally.states == {"completed": tally.runs}, f"WISSEL_SEED={SEED}"
    assert (lost, twice, wrong) == ([], [], [])
    assert observers.noted > 0, "nothing was noted, so nothing was shown"
