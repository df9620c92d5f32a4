"""A disk that is really full under a served Wissel: runs wait for a person, abort works, nothing is lost, then on."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability import slow
from tests.reliability.figures import told
from tests.reliability.processes import ground, playbook, step, until
from tests.reliability.served import Load, Served, data

SIZE = 48
RESERVE = 4


@dataclass
class Disk:
    """A small disk of its own."""

    folder: Path

    def free(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """To the last byte, whatever is written meanwhile."""
        with (self.folder / "ballast-of-others").open("ab", buffering=0) as file:
            for size in (1024 * 1024, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def make_room(self) -> None:
        (self.folder / "ballast-of-others").unlink()

    def whole(self) -> dict[str, str]:
        """What SQLite says of each of its files."""
        found = {}
        for name in ("test.db", "data/engine.db"):
            link = sqlite3.connect(self.folder / name)
            found[name] = link.execute("PRAGMA integrity_check").fetchone()[0]
            link.close()
        return found


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disk]:
    """A tmpfs; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "wissel-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        why = "a small disk can be mounted by root only"
        pytest.skip(f"not run: {why}")
    yield Disk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def served(small: Disk, tmp_path: Path) -> Iterator[Served]:
    """A served Wissel whose database, evidence and scratch lie on the small disk."""
    made = ground(small.folder)
    made.folder = tmp_path  # what the test's own bodies write lies elsewhere
    found = Served(made, data(small.folder / "data") | {"WISSEL_RESERVE_MIB": str(RESERVE)})
    try:
        found.start().sign_in("operator")
        yield found
    finally:
        found.end()
        made.end()


def test_killed_and_started_again_on_a_full_disk_it_still_takes_an_abort(small: Disk, served: Served) -> None:
    real = served.ground
    run_id = real.begun(playbook("test-full-again", step("one", real.folder)))
    real.wait_called(1, 60)
    small.fill()
    until(lambda: is_short(served), "it is noticed", 60)
    small.fill()
    assert served.process is not None
    served.process.kill()
    served.process.wait()
    small.fill()
    served.start()
    until(lambda: abort(served, run_id), "abort is taken", 60)
    real.wait_state(run_id, "aborting", 60)
    small.make_room()
    until(lambda: not is_short(served), "there is room", 60)
    assert small.whole() == {"test.db": "ok", "data/engine.db": "ok"}
    assert real.told(slow.EFFECTS) == ["one"]


def is_short(served: Served) -> bool:
    import httpx

    answer = httpx.get(f"{served.url}/readyz", timeout=30)
    return answer.status_code == 503 and answer.json()["space"].startswith("no space left")


def test_a_full_disk_stops_runs_for_a_person_and_nothing_is_lost_or_broken(small: Disk, served: Served) -> None:
    real = served.ground
    chain = [step("one", real.folder), step("two", real.folder, needs=["one"])]
    run_id = real.begun(playbook("test-full", *chain))
    other = real.begun(playbook("test-abort", step("other", real.folder)))
    real.wait_called(2, 60)
    with Load(served) as load:
        load.wait_for(10)
        small.fill()
        until(lambda: is_short(served), "it is noticed", 60)
        small.fill()  # and what the reserve gave back is eaten by others as well, but for what we took first
        until(lambda: real.state(run_id) == "paused by guard", "the run waits for a person", 60)
        reason = real.world.held(run_id).run.pause_reason
        until(lambda: load.codes["507 no-space"] > 5, "it is refused", 60)
        aborted = until(lambda: abort(served, other), "abort is taken", 60)
        real.go("one")  # an outcome that comes while there is no room
        until(lambda: real.steps(run_id)["one"] in ("succeeded", "unknown", "ready", "started"), "it is kept", 60)
        small.make_room()
        load.wait_for(10, 90)
    assert not is_short(served)
    lost, twice = load.lost_and_twice()
    assert (lost, twice, load.wrong) == ([], [], [])
    assert "no space" in reason["en"]
    real.go()
    assert served.ask("POST", f"/runs/{run_id}/resumptions", {"reason": "room"}).is_success
    real.wait_state(run_id, "completed", 60)
    assert sorted(real.told(slow.EFFECTS)) == ["one", "other", "two"]
    assert small.whole() == {"test.db": "ok", "data/engine.db": "ok"}
    told(
        "disk full under a served Wissel (SQLite, evidence and scratch on it)",
        f"{load.codes}; {len(lost)} rows lost, {len(twice)} twice, integrity ok; abort taken after {aborted:.1f} s",
    )


def abort(served: Served, run_id: str) -> bool:
    answer = served.ask("POST", f"/runs/{run_id}/cancellations", {"reason": "no room"})
    assert answer.status_code < 500 or answer.status_code in (503, 507), answer.text
    return answer.is_success
