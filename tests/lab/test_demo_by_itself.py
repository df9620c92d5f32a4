"""The whole demonstration as a user starts it: real servers, six drills by the scheduler, and nothing left behind."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"ref", "mode", "triggeredBy", "verdict", "rtaSeconds", "rpaSeconds"}
KEYS |= {"clientOutageMs", "writesAcknowledged", "writesLost"}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that the ordinary user can reach, for root becomes one."""
    folder = Path(tempfile.mkdtemp(prefix="wissel-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Shown:
    """What one demonstration did."""

    status: int
    output: str
    folder: Path

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.output.splitlines()[-1])
        return found

    def drill(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.result["drills"][number]
        return found

    def after(self, ref: str) -> str:
        return next(plan["after"] for plan in self.result["plans"] if plan["ref"] == ref)


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "app", "demo", "--data", str(folder), *more]


@pytest.fixture(scope="module")
def shown(place: Path) -> Shown:
    folder = place / "auto"
    done = subprocess.run(
        command(folder, "--auto"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=420,
        check=False,
    )
    if done.returncode == 3 and os.environ.get("CI") != "true":
        reason = done.stdout.splitlines()[-2]
        pytest.skip(f"not run: the demonstration could not look here: {reason}")
    return Shown(done.returncode, done.stdout, folder)


def of(folder: Path) -> list[str]:
    """Command lines of the processes that work in the folder or were told about it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
            if str(folder).encode() in words or (entry / "cwd").readlink().is_relative_to(folder):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found


def test_it_ends_as_it_should_and_the_last_line_is_the_result(shown: Shown) -> None:
    assert shown.status == 0, shown.output
    assert set(shown.result) == {"drills", "plans", "findings"}
    assert [set(drill) for drill in shown.result["drills"]] == [KEYS] * 6


def test_each_of_the_six_drills_was_triggered_by_the_schedule_and_ended_as_planned(shown: Shown) -> None:
    assert {drill["triggeredBy"] for drill in shown.result["drills"]} == {"schedule"}
    verdicts = [drill["verdict"] for drill in shown.result["drills"]]
    assert verdicts == ["passed", "passed", "passed", "failed", "passed", "failed"]


def test_both_switches_were_measured_and_lost_no_write(shown: Shown) -> None:
    for number in (0, 1):
        drill = shown.drill(number)
        assert drill["mode"] == "live"
        assert drill["rpaSeconds"] == 0
        assert drill["writesLost"] == 0
        assert drill["writesAcknowledged"] > 100
        # The client sees less than the runners count: they begin when the stop is ordered.
        assert 0 < drill["clientOutageMs"] / 1000 < 20
        assert 0 < drill["rtaSeconds"] < 20


def test_the_plans_tell_what_was_proven_and_what_was_not(shown: Shown) -> None:
    before = {plan["before"] for plan in shown.result["plans"]}
    assert {"paper_only", "never_tested", "draft"} <= before
    switched, stressed, damaged, poor = (shown.after(f"PLN-{number:03}") for number in (1, 2, 4, 5))
    assert (switched, damaged, poor) == ("proven", "failed", "failed")
    assert stressed == "partially_proven"
    assert next(plan["provenUntil"] for plan in shown.result["plans"] if plan["after"] == "proven")


def test_the_findings_name_the_true_causes_and_the_shared_fate_was_found_by_itself(shown: Shown) -> None:
    titles = {finding["plan"]: finding["title"] for finding in shown.result["findings"]}
    assert "both sides hang on the parent company" in titles["PLN-006"]
    assert "end of file" in titles["PLN-004"]
    assert "flit_core" in titles["PLN-005"]


def test_it_leaves_its_data_folder_and_no_process(shown: Shown) -> None:
    assert of(shown.folder) == []
    assert (shown.folder / "wissel" / "wissel.db").is_file()


@pytest.fixture
def served(place: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A demonstration with people that has got as far as their links."""
    folder, log = place / "people", place / "people.log"
    with log.open("w") as output:
        process = subprocess.Popen(command(folder), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 240
    while "Ctrl-C stops" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)
    yield process, log
    process.kill()
    process.wait()


def test_with_people_it_prints_five_links_serves_and_ends_on_ctrl_c(
    served: tuple[subprocess.Popen[str], Path], place: Path
) -> None:
    process, log = served
    links = [line.strip() for line in log.read_text().splitlines() if "/sign-in?token=" in line]
    assert len(set(links)) == 5
    assert httpx.get(links[0], trust_env=False).status_code in (200, 303)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert of(place / "people") == []
    assert str(place / "people") in log.read_text().splitlines()[-1]
