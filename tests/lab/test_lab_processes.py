"""The supervisor and its watchdog: nothing stays, stubborn children and orphans included, also when it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.lab.leftovers import MARK, leftovers
from app.lab.luggage import CHECKOUT
from app.lab.processes import NotReady, ProcessDied, free_ports

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
# A grandchild in a session of its own whose parent is gone: what a daemon does.
DAEMON = "import subprocess; subprocess.Popen(['/bin/sleep', '60'], start_new_session=True)"

SUPERVISE = f"""
import sys, time
from pathlib import Path
from app.lab.processes import NotReady, ProcessDied, Supervisor
with Supervisor(Path(sys.argv[1])) as supervisor:
    stubborn = supervisor.start("stubborn", [sys.executable, "-c", {STUBBORN!r}], grace=0.2)
    supervisor.start("daemon", [sys.executable, "-c", {DAEMON!r}]).process.wait()
    stubborn.wait_until(lambda: "up" in stubborn.tail())
    supervisor.on_stop(lambda: print("first", flush=True))
    supervisor.on_stop(lambda: print("last", flush=True))
    print(supervisor.mark, flush=True)
    {{body}}
"""


def supervise(folder: Path, body: str) -> subprocess.Popen:
    argv = [sys.executable, "-c", SUPERVISE.replace("{body}", body), str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    return subprocess.Popen(argv, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True)


def gone(folder: Path, mark: str) -> bool:
    deadline = time.monotonic() + 10
    while leftovers(folder, mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not leftovers(folder, mark)


def test_everything_ends_in_reverse_order_with_the_supervisor_stubborn_children_and_orphans_too(tmp_path):
    with supervise(tmp_path, "pass") as process:
        mark, *order = process.stdout.read().split()
    assert process.returncode == 0
    assert order == ["last", "first"]
    assert leftovers(tmp_path, mark) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_to_the_supervisor_ends_everything(tmp_path, number):
    with supervise(tmp_path, "time.sleep(60)") as process:
        mark = process.stdout.readline().strip()
        assert len(leftovers(tmp_path, mark)) >= 3
        process.send_signal(number)
    assert gone(tmp_path, mark)


def test_an_error_in_the_lab_ends_everything_and_is_not_swallowed(tmp_path):
    with supervise(tmp_path, "raise SystemExit(7)") as process:
        mark = process.stdout.readline().strip()
    assert process.returncode == 7
    assert leftovers(tmp_path, mark) == []


@pytest.mark.parametrize(
    ("program", "error"),
    [("raise SystemExit('no such port')", ProcessDied), ("import time; print('slow'); time.sleep(60)", NotReady)],
)
def test_a_child_that_does_not_come_up_is_told_with_the_end_of_its_log(tmp_path, program, error):
    body = f"supervisor.start('child', [sys.executable, '-uc', {program!r}]).wait_until(lambda: False, 1)"
    with supervise(
        tmp_path,
        f"""
    try:
        {body}
    except {error.__name__} as error:
        print(error)""".strip(),
    ) as process:
        told = process.stdout.read()
    assert ("no such port" if error is ProcessDied else "slow") in told


def test_free_ports_are_all_different():
    assert len(set(free_ports(20))) == 20
