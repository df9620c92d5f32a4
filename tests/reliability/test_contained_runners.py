"""Drivers that misbehave, in a real runner host and in whole runs: contained, said for what they are, nothing left."""

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.contract import Verdict
from runners.host_client import DeadlinePassed, HostDied
from runners.host_protocol import ErrorKind, HostReply
from runners.scratch import remove
from tests.reliability import wild
from tests.reliability.damage import Looker, ground, processes, soon
from tests.reliability.figures import told
from tests.reliability.processes import CHECKOUT

THING = "wild.thing"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    packages = wild.install(tmp_path_factory.mktemp("wild") / "packages")
    return {"PYTHONPATH": f"{packages}{os.pathsep}{CHECKOUT}"}


@pytest.fixture
def looker(site: dict[str, str]) -> Iterator[Looker]:
    with ground() as at:
        made = Looker(at, **site)
        before = made._outside()
        yield made
        assert made._outside() == before
        made.close()
        assert soon(lambda: not sleeping()), sleeping()


def sleeping() -> list[str]:
    return [each for each in processes(wild.MARKER) if "sleep" in each]


def behaves(looker: Looker) -> HostReply:
    """The host, or a new one, does the next step as if nothing had happened."""
    if not looker.host.alive:
        looker.host.close()
        looker.host = type(looker.host)(drop_to=None, environment=looker.host._environment).start()
    reply = looker.ask(THING)
    assert reply.outcome is not None, reply.error
    assert reply.outcome.verdict is Verdict.PASSED
    return reply


HANGS = ("sleep", "spin", "hold the interpreter", "ignore every signal", "stop itself", "match for ever")


@pytest.mark.parametrize("do", HANGS)
def test_a_driver_that_hangs_is_killed_at_its_deadline(do: str, looker: Looker) -> None:
    begun = time.monotonic()
    with pytest.raises(DeadlinePassed, match="deadline"):
        looker.ask(THING, 1.5, do=do)
    took = time.monotonic() - begun
    assert took < 15
    assert not looker.host.alive
    behaves(looker)


FLOODS = ("flood print", "flood one line", "flood stderr", "flood program", "flood log", "flood progress")


@pytest.mark.parametrize("do", [*FLOODS, "odd progress"])
def test_a_driver_that_floods_is_cut_off_and_the_worker_keeps_its_memory(do: str, looker: Looker) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    reply = looker.ask(THING, 100, do=do)
    assert reply.outcome is not None, reply.error
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    told(f"a driver that does '{do}'", f"{time.monotonic() - begun:.1f} s, the worker grew {grown} MiB")
    assert grown < 100
    behaves(looker)


NONSENSE = {
    "none at all": "answered list instead of Outcome",
    "not a number": "impossible Outcome",
    "infinity": "impossible Outcome",
    "surrogates": "impossible Outcome",
    "wrong types": "impossible Outcome",
    "green in disguise": "impossible Outcome",
    "a shape that raises": "impossible Outcome",
    "a huge number": "",
    "a huge reason": "too much",
    "evidence outside": "no file in the evidence folder",
    "evidence absolute": "no file in the evidence folder",
    "evidence behind a link": "no file in the evidence folder",
    "evidence that is a pipe": "no file in the evidence folder",
    "evidence of a gigabyte": "1073741824 bytes",
    "evidence too deep": "too deep",
}
RAISES = {
    "a list of evidence": "ValidationError",
    "exit": "SystemExit",
    "interrupt": "KeyboardInterrupt",
    "no memory": "MemoryError",
    "recurse": "RecursionError",
    "unheard": "Unheard",
    "raise nonsense": "Nasty",
    "take descriptors": "OSError",
}


@pytest.mark.parametrize("do", [*NONSENSE, *RAISES])
def test_a_driver_that_answers_nonsense_or_raises_is_said_to_and_the_host_goes_on(do: str, looker: Looker) -> None:
    reply = looker.ask(THING, 60, do=do)
    assert reply.error is not None
    assert reply.error.kind is (ErrorKind.NONSENSE if do in NONSENSE else ErrorKind.RUNNER_RAISED)
    assert (NONSENSE | RAISES)[do] in reply.error.message
    assert len(reply.error.message) < 3000
    host = looker.host.pid
    behaves(looker)
    assert looker.host.pid == host


BREAKS = {
    "close everything": "ended before it answered",
    "write rubbish to the pipe": "no reply",
    "write a gigantic line": "no reply",
    "write lines without end": "said more than",
    "leave at once": "ended before it answered",
    "kill its host": "ended before it answered",
    "abort in c": "ended before it answered",
    "take memory": "more than 1024 MiB",
}


@pytest.mark.parametrize("do", BREAKS)
def test_a_driver_that_breaks_its_host_takes_nobody_with_it_and_leaves_nothing(do: str, looker: Looker) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    with pytest.raises(HostDied, match=BREAKS[do]) as died:
        looker.ask(THING, 60, do=do)
    assert not isinstance(died.value, DeadlinePassed)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    told(f"a driver that does '{do}'", f"seen after {time.monotonic() - begun:.1f} s, the worker grew {grown} MiB")
    assert grown < 150
    assert soon(lambda: not sleeping(), 5), sleeping()
    behaves(looker)


def test_an_answer_forged_for_the_next_step_is_not_taken(looker: Looker) -> None:
    assert looker.ask(THING, do="write to the pipe").outcome.reason.en == "So it is."
    assert behaves(looker).outcome.reason.en == "So it is."


@pytest.mark.parametrize("do", ["leave children", "fork itself", "leave a thread", "turn all over"])
def test_what_a_driver_leaves_or_turns_over_does_not_reach_the_next_one(do: str, looker: Looker) -> None:
    clean = {each.name: each.value for each in behaves(looker).outcome.measurements}
    looker.ask(THING, do=do)
    assert soon(lambda: not sleeping(), 5), sleeping()
    after = {each.name: each.value for each in behaves(looker).outcome.measurements}
    assert {name: (clean[name], after[name]) for name in clean if clean[name] != after[name]} == {}
    copies = [each for each in processes(str(looker.ground.scratch)) if not each.startswith(f"{looker.host.pid} ")]
    assert copies == []


def test_the_host_is_kept_where_it_can_be_made_as_it_was(looker: Looker) -> None:
    host = looker.host.pid
    for do in ("leave children", "fork itself", "turn all over"):
        looker.ask(THING, do=do)
        behaves(looker)
    assert looker.host.pid == host
    assert looker.ask(THING, do="leave a thread").spent
    assert not looker.host.alive


def test_evidence_thousands_of_folders_deep_can_be_taken_away(looker: Looker, tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    here = os.getcwd()
    os.chdir(deep)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(here)
    remove(deep)
    assert not deep.exists()
