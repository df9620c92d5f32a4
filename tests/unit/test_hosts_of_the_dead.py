"""Runner hosts of a worker that died: whoever takes over its steps at once ends them first."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from runners.host_client import end_hosts
from runners.processes import is_alive

PARENT = """
import sys, time
from runners.host_client import RunnerHost
host = RunnerHost(drop_to=None).start()
print(host.pid, flush=True)
time.sleep(600)
"""
CHECKOUT = str(Path(__file__).resolve().parents[2])


def parent() -> tuple[subprocess.Popen[str], int]:
    """A process that started a runner host, and the number of that."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": CHECKOUT},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_host_that_cannot_notice_that_its_worker_died_is_ended_by_who_takes_over() -> None:
    process, host = parent()
    other, living = parent()
    try:
        os.kill(host, signal.SIGSTOP)
        process.kill()
        process.wait()
        assert is_alive(host), "stopped, it notices nothing"
        end_hosts(process.pid)
        until(lambda: not is_alive(host))
        assert is_alive(living), "another worker's host is left alone"
    finally:
        other.kill()
        other.wait()
        until(lambda: not is_alive(living))


def test_a_process_that_ended_and_was_not_waited_for_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    until(lambda: not is_alive(process.pid))
    assert Path(f"/proc/{process.pid}").exists(), "it is still listed"
    process.wait()
