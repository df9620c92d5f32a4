"""What a long-running process gives back of its memory while it runs."""

import asyncio
import subprocess
import sys

import pytest
from fastapi import FastAPI

from app.core import memory
from app.core.settings import Settings
from app.main import create_app

SCATTERED = """
import asyncio, contextlib
from app.core import memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4 // 1024

memory.be_frugal()
memory.EVERY = 0.2
kept = [bytes(2000) for _ in range(60_000)]
kept = kept[::50]  # what stays lies scattered between what went
before = resident()

async def some_time():
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(memory.give_back_often(), 1)

asyncio.run(some_time())
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="not run: only glibc gives memory back on request")
def test_what_lies_unused_between_what_stays_goes_back_to_the_system():
    done = subprocess.run([sys.executable, "-c", SCATTERED], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) > 50, "megabytes"


def test_the_service_gives_back_for_as_long_as_it_serves(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(memory, "EVERY", 0.01)
    monkeypatch.setattr(memory, "_trim", lambda: given.append(1))
    made = create_app(Settings(data_dir=tmp_path))

    async def served(made: FastAPI) -> int:
        async with made.router.lifespan_context(made):
            await asyncio.sleep(0.2)
        count = len(given)
        await asyncio.sleep(0.1)
        return len(given) - count

    assert asyncio.run(served(made)) <= 1, "it went on after the end"
    assert len(given) > 2
