"""Many processes on one PostgreSQL: they start at once, take over from each other, and a sleeper is fenced off."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.core.db import Database
from app.playbooks.models import PlaybookVersion
from app.runs import drivers
from app.runs.leases import WorkerLease
from app.runs.models import StepRun
from runners.switch.http import Http
from tests.lab.pair import free_port
from tests.reliability import database, slow
from tests.reliability.figures import times, told
from tests.reliability.http_target import HttpTarget
from tests.reliability.processes import CHECKOUT, Ground, WorkerProcess, ground, playbook, step, until

LEASE = 6.0


@pytest.fixture
def target() -> Iterator[HttpTarget]:
    made = HttpTarget()
    yield made
    made.end()


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: HttpTarget) -> Iterator[Ground]:
    with database.url("postgresql", tmp_path) as url:
        assert url is not None
        monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        made = ground(tmp_path, url)
        drivers.use({**drivers.registry(), "switch.http": Http()})
        policy = tmp_path / "policy.yaml"
        policy.write_text(f'http: ["{target.origin}"]\n')
        made.environment["WISSEL_SITE_POLICY"] = str(policy)
        yield made
        for each in made.workers:
            wake(each)
        made.end()


def asking(name: str, target: HttpTarget, **more: Any) -> dict[str, Any]:
    """A step that asks the target, by the runner that ships."""
    return {
        "id": name,
        "uses": "switch.http",
        "with": {"url": f"{target.origin}/{name}"},
        "timeout": 120,
        "irreversible": True,
        **more,
    }


def stop(worker: WorkerProcess) -> None:
    """As a machine that hangs: the worker does nothing, and does not know it; what it started goes on."""
    assert worker.process is not None
    os.kill(worker.process.pid, signal.SIGSTOP)


def wake(worker: WorkerProcess) -> None:
    if worker.process is not None and worker.process.poll() is None:
        os.kill(worker.process.pid, signal.SIGCONT)


def below(worker: WorkerProcess) -> list[int]:
    """The processes that the worker started."""
    assert worker.process is not None
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(worker.process.pid)], capture_output=True, text=True)
    return [int(each) for each in listed.stdout.split()]


def at_work(shared: Ground, run_id: str, *workers: WorkerProcess) -> WorkerProcess:
    """The worker that has the run's step; the others may keep a host too, of what they did before."""
    with shared.world.database.transaction(write=False) as session:
        [boot] = session.exec(select(StepRun.boot_id).where(StepRun.run_id == run_id)).all()
        pid = session.get_one(WorkerLease, boot).pid
    return next(each for each in workers if each.process and each.process.pid == pid)


def living(pid: int) -> bool:
    """Whether it runs; one that ended and waits for its stopped parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_two_instances_that_start_at_once_on_an_empty_database_both_become_ready(tmp_path: Path) -> None:
    with database.url("postgresql", tmp_path) as url:
        ports = [free_port(), free_port()]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WISSEL_")}
        started = []
        for number, port in enumerate(ports):
            own = {"WISSEL_DATABASE_URL": str(url), "WISSEL_PORT": str(port), "WISSEL_SITES": "*"}
            own["WISSEL_DATA_DIR"] = str(tmp_path / f"data-{number}")
            with (tmp_path / f"serve-{number}.log").open("wb") as log:
                command = [sys.executable, "-m", "tests.reliability.instance_process"]
                started.append(subprocess.Popen(command, cwd=CHECKOUT, env=environment | own, stdout=log, stderr=log))
        try:
            for number, port in enumerate(ports):
                until(lambda port=port: ready(port), f"instance {number} is ready", 90)
            held = Database(str(url))
            with held.transaction(write=False) as session:
                names = [(row.name, row.version) for row in session.exec(select(PlaybookVersion))]
            held.dispose()
            assert len(names) == len(set(names)) > 0
            started[0].kill()
            started[0].wait()
            assert ready(ports[1])
        except AssertionError as error:
            logs = "\n".join((tmp_path / f"serve-{n}.log").read_text()[-3000:] for n in range(2))
            raise AssertionError(f"{error}\n{logs}") from None
        finally:
            for each in started:
                each.kill()
                each.wait()


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def test_what_a_stopped_worker_asked_for_is_refused_by_the_target_after_another_took_over(
    shared: Ground, target: HttpTarget
) -> None:
    rounds, held_back = times(2, 50), 0
    first, second = (shared.worker(name, lease_seconds=LEASE).start() for name in ("first", "second"))
    for number in range(rounds):
        target.released.clear()
        old = target.released
        keys = len(target.arrived)
        run_id = shared.begun(playbook(f"test-sleeper-{number}", asking("one", target)) | LOCKS, **PAIR)
        until(lambda keys=keys: len(target.arrived) > keys, "the request is on its way")
        owner = at_work(shared, run_id, first, second)
        pids = below(owner)
        stop(owner)
        target.released = type(old)()  # what comes from here on is let through at once
        target.released.set()
        shared.wait_state(run_id, "completed", 20 * LEASE)
        # One that waits for work knows of no lease; it has nothing that it could still do.
        until(lambda pids=pids: not all(map(living, pids)), "the step's host ends although nobody tells it", LEASE)
        before = len(target.refused)
        old.set()  # now the first request reaches the target
        until(lambda before=before: len(target.refused) > before, "the late request was judged")
        wake(owner)
        held_back += 1
        assert owner.alive, "it lives on"
        assert target.with_an_old_token() == []
        assert len(target.done) == number + 1, "each effect once"
        time.sleep(1.5)  # it beats again, learns that it was held for dead, and must not finish what is others'
        assert shared.state(run_id) == "completed"
    assert [each.token for each in target.refused] == sorted(each.token for each in target.refused)
    told(
        "worker stopped past its lease and woken (PostgreSQL)",
        f"{held_back} of {rounds} taken over, its late request refused by the target (old token), 0 effects twice",
    )


LOCKS: dict[str, Any] = {"inputs": {"pair": {"type": "environment-pair"}}, "locks": ["pair"]}
PAIR: dict[str, Any] = {"pair_id": "pair", "inputs": {"pair": "pair"}}


def test_a_woken_worker_takes_steps_again_and_the_body_that_it_had_never_acted(shared: Ground) -> None:
    first = shared.worker("first", lease_seconds=LEASE).start()
    run_id = shared.begun(playbook("test-woken", step("one", shared.folder, late=True)))
    shared.wait_called(1)
    stop(first)
    until(lambda: not body(shared), "its body ended by itself", 10 * LEASE)
    second = shared.worker("second", lease_seconds=LEASE).start()
    shared.wait_called(2, 20 * LEASE)
    shared.go()
    shared.wait_state(run_id, "completed", 20 * LEASE)
    assert shared.told(slow.EFFECTS) == ["one"]
    wake(first)
    second.end()
    run_id = shared.begun(playbook("test-after", step("two", shared.folder)))
    shared.wait_state(run_id, "completed", 20 * LEASE)
    assert shared.told(slow.EFFECTS) == ["one", "two"]


def body(shared: Ground) -> bool:
    return living(int(shared.told(slow.PIDS)[-1]))
