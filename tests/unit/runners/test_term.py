"""Until when a runner host may act: its worker writes it, each host reads it, and ends by itself when it is over."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runners.host_client import RunnerHost
from runners.host_protocol import Call, ErrorKind, HostRequest
from runners.term import Leave, Term, passed


@pytest.fixture
def term() -> Term:
    return Term()


@pytest.mark.parametrize(
    ("until", "life", "begun_in", "holds"),
    [
        (60.0, 1, 1, True),
        (60.0, 1, None, True),
        (-0.001, 1, 1, False),
        (-0.001, 1, None, False),
        (60.0, 2, 1, False),
        (60.0, 2, 2, True),
        (float("inf"), 1, 1, True),
    ],
)
def test_a_call_may_act_within_the_term_and_the_life_in_which_it_was_begun(
    term: Term, until: float, life: int, begun_in: int | None, holds: bool
) -> None:
    for _ in range(life - 1):
        term.begin_anew()
    term.extend(passed() + until)
    assert term.life == life
    assert Leave(term.descriptor).holds(begun_in) is holds


def test_a_term_that_was_over_before_it_was_extended_is_known_to_have_lapsed(term: Term) -> None:
    assert (term.is_over, term.lapses) == (False, 0)
    term.extend(passed() + 60)
    term.extend(passed() - 0.001)
    assert (term.is_over, term.lapses) == (True, 0)
    term.extend(passed() + 60)
    assert (term.is_over, term.lapses) == (False, 1)


def test_without_a_term_a_host_acts_for_as_long_as_it_runs() -> None:
    assert Leave(None).holds(7)


def test_a_host_can_read_the_term_and_not_write_it(term: Term) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(term.descriptor, b"x", 0)


@pytest.fixture
def host(term: Term) -> Iterator[RunnerHost]:
    term.extend(passed() + 60)
    with RunnerHost(drop_to=None, term=term) as made:
        yield made


def request(folder: Path, life: int) -> HostRequest:
    return HostRequest(
        id="one",
        call=Call.PREVIEW,
        runner="check.tcp",
        params={"address": "127.0.0.1:1"},
        effect_key="run:step:1",
        fencing_token=0,
        deadline=datetime.now(UTC) + timedelta(seconds=30),
        evidence=str(folder),
        life=life,
    )


def test_a_host_refuses_what_was_begun_in_a_former_life_of_its_worker(
    host: RunnerHost, term: Term, tmp_path: Path
) -> None:
    assert host.call(request(tmp_path, term.life)).preview is not None
    before = term.life
    term.begin_anew()
    error = host.call(request(tmp_path, before)).error
    assert error is not None
    assert (error.kind, host.call(request(tmp_path, term.life)).error) == (ErrorKind.TERM_OVER, None)


def test_a_host_whose_term_is_over_ends_with_what_it_started_though_nobody_tells_it_to(
    host: RunnerHost, term: Term
) -> None:
    assert host.alive
    term.extend(passed() + 0.3)
    until = time.monotonic() + 20
    while host.alive:
        assert time.monotonic() < until, "it lives on"
        time.sleep(0.01)
    assert passed() > 0.3


def test_the_clock_that_it_is_counted_by_is_the_same_for_all_processes_of_a_machine() -> None:
    ours = passed()
    code = "from runners.term import passed; print(passed())"
    theirs = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert ours < theirs < passed()
