"""The outage of a switch by the whole of Wissel, against a shell script of the same commands and a tight loop."""

import statistics
from pathlib import Path

import pytest

from tests.bench.bare_swaps import by_script, by_tight_loop
from tests.bench.orchestrated import Swapped, ready_to_swap, steered_pair, swap, writes_quickly
from tests.bench.own_postgres import OwnPostgres, running
from tests.bench.told import spread, told
from tests.reliability import figures

ROUNDS = figures.times(3, 6)


def by_wissel(folder: Path, url: str | None = None) -> Swapped:
    """One switch of a fresh pair."""
    with steered_pair() as steered, ready_to_swap(folder, steered.pair, url) as ground:
        with writes_quickly(steered.pair) as writer:
            writer.wait_for(50)
            found = swap(ground, writer)
            held = {row[0] for row in steered.pair.fallback.sql("select n from written")}
            assert set(writer.acknowledged) - held <= {writer.acknowledged[-1]}, "an acknowledged write was lost"
        return found


def on_postgres(folder: Path, server: OwnPostgres, monkeypatch: pytest.MonkeyPatch) -> Swapped:
    """One switch with Wissel's own rows on PostgreSQL."""
    url = server.empty()
    with monkeypatch.context() as patched:
        patched.setenv("WISSEL_TEST_POSTGRES", url)
        return by_wissel(folder, url)


def bare(way: object, folder: Path) -> tuple[float, float]:
    """Outage and whole of one swap by a reference."""
    folder.mkdir(parents=True, exist_ok=True)
    with steered_pair() as steered, writes_quickly(steered.pair) as writer:
        writer.wait_for(50)
        whole = way(steered, folder)  # type: ignore[operator]
        writer.wait_for(50)
        return writer.outage_ms(), whole


def tell_steps(what: str, all_of: list[Swapped]) -> None:
    """Where the time of the median switch went: each step with the pause before it."""
    middle = sorted(all_of, key=lambda each: each.outage)[len(all_of) // 2]
    print(f"  {what}: " + ", ".join(f"{name} {pause:.0f}+{own:.0f}" for name, pause, own in middle.steps))


def test_outage_of_the_shipped_switch_against_a_script_and_a_tight_loop(tmp_path, monkeypatch):
    sqlite, postgres, script, loop = [], [], [], []
    with running() as server:
        for number in range(ROUNDS):
            sqlite.append(by_wissel(tmp_path / f"sqlite_{number}"))
            postgres.append(on_postgres(tmp_path / f"postgres_{number}", server, monkeypatch))
            script.append(bare(by_script, tmp_path / f"script_{number}"))
            loop.append(bare(by_tight_loop, tmp_path / f"loop_{number}"))
    median = statistics.median
    shell, tight = median(each[0] for each in script), median(each[0] for each in loop)
    for name, ours in (("SQLite", sqlite), ("PostgreSQL", postgres)):
        outage, whole = median(each.outage for each in ours), median(each.whole for each in ours)
        told(f"outage of the orchestrated switch ({name}) against a shell script", outage, shell, wanted="<= 1.0")
        told(f"outage of the orchestrated switch ({name}) against a tight loop", outage, tight, wanted="near 1.5")
        told(
            f"whole orchestrated switch ({name}) against a shell script",
            whole,
            median(each[1] for each in script),
            wanted="<= 1.2",
        )
        print(f"  outages {spread([each.outage for each in ours])} ms, RTA {spread([each.rta for each in ours])} ms")
        print(f"  before the first step: {spread([each.waited for each in ours])} ms")
        tell_steps(name, ours)
    print(f"  script {spread([each[0] for each in script])} ms, loop {spread([each[0] for each in loop])} ms")
