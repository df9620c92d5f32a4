"""The command line: what it prints, and exit codes that a script can trust."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import uvicorn

from app.main import create_app
from tests.flow import example
from tests.flow.whole import ADMINISTRATOR
from tests.flow.wissel_command import wissel

ROOT = Path(__file__).parents[2]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yaml"))
BAD = ROOT / "tests" / "bad_inputs" / "playbooks" / "duplicate-key.yaml"


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command with these arguments."""
    return lambda *arguments: wissel(monkeypatch, capsys, *arguments)


@pytest.fixture
def nowhere(monkeypatch):
    """An address where nobody answers."""
    monkeypatch.setenv("WISSEL_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("WISSEL_TOKEN", raising=False)


@pytest.fixture(scope="module")
def served(template, tmp_path_factory):
    """The example organisation, served on a free port; answers the address and everybody's tokens."""
    filled = template.copy(tmp_path_factory.mktemp("served"))
    example.enter(filled)
    filled.database.dispose()
    server = uvicorn.Server(
        uvicorn.Config(create_app(filled.settings), host="127.0.0.1", port=0, log_level="warning", lifespan="on")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end, "the service did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", filled.tokens
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def as_operator(served, monkeypatch):
    """The command's environment of the operator."""
    monkeypatch.setenv("WISSEL_URL", served[0])
    monkeypatch.setenv("WISSEL_TOKEN", served[1]["operator"])


def test_the_shipped_playbooks_are_valid(run):
    done = run("check", *PLAYBOOKS)
    assert done.code == 0
    assert done.out.splitlines() == [f"{path}: valid" for path in PLAYBOOKS]


def test_a_bad_playbook_is_told_with_line_and_remedy_and_ends_with_1(run):
    done = run("check", PLAYBOOKS[0], BAD)
    assert done.code == 1
    assert "duplicate-key.yaml, line " in done.out
    assert f"{PLAYBOOKS[0]}: valid" in done.out


def test_check_speaks_json_for_programs(run):
    done = run("check", "--json", PLAYBOOKS[0], BAD)
    told = json.loads(done.out)
    assert done.code == 1
    assert told[str(PLAYBOOKS[0])] == []
    assert {"file", "line", "code"} <= set(told[str(BAD)][0])


def test_a_file_that_is_not_there_is_told_and_no_trace(run):
    done = run("check", "/no/such/playbook.yaml")
    assert done.code in (1, 2)
    assert "playbook.yaml" in done.out + done.err
    assert "Traceback" not in done.out + done.err


def test_bootstrap_prints_a_link_that_works_once_and_refuses_a_second_administrator(run, monkeypatch, tmp_path):
    monkeypatch.setenv("WISSEL_DATA_DIR", str(tmp_path / "new"))
    told = json.loads(run("admin", "bootstrap", "--json", "--name", "Ada").out)
    assert told["url"].endswith(told["token"])
    kept = Path(told["file"])
    assert (kept.stat().st_mode & 0o777, told["url"] in kept.read_text()) == (0o600, True)
    monkeypatch.setenv("WISSEL_DATA_DIR", str(tmp_path / "other"))
    assert "you sign in with ada@example.nl" in run("admin", "bootstrap", "--email", "ada@example.nl").out
    monkeypatch.setenv("WISSEL_DATA_DIR", str(tmp_path / "new"))
    again = run("admin", "bootstrap")
    assert (again.code, again.out) == (1, "")
    assert "There is an administrator already" in again.err


@pytest.mark.parametrize("setting", [("WISSEL_PORT", "often"), ("WISSEL_SITES", ","), ("WISSEL_LEASE_SECONDS", "0")])
def test_a_wrong_setting_stops_the_start_and_is_named(run, monkeypatch, tmp_path, setting):
    monkeypatch.setenv("WISSEL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv(*setting)
    done = run("serve")
    assert done.code == 2
    assert setting[0].removeprefix("WISSEL_").lower() in done.err
    assert "Traceback" not in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can try to serve as root")
@pytest.mark.parametrize("process", ["serve", "worker"])
def test_neither_web_nor_worker_runs_as_root(run, monkeypatch, tmp_path, process):
    monkeypatch.setenv("WISSEL_DATA_DIR", str(tmp_path / "data"))
    done = run(process)
    assert done.code == 1
    assert "does not run as root" in done.err
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can write into the folder of somebody else")
def test_root_writes_nothing_into_the_folder_of_the_services_user(run, monkeypatch, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    monkeypatch.setenv("WISSEL_DATA_DIR", str(folder))
    done = run("admin", "bootstrap")
    assert (done.code, list(folder.iterdir())) == (2, [])
    assert "run this as that user" in done.err


def test_status_shows_all_plans_and_one_with_its_claims(run, as_operator):
    done = run("status")
    assert done.code == 0, done.err
    assert {"PLN-001", "never_tested"} <= set(done.out.replace("│", " ").split())
    told = json.loads(run("status", "PLN-001", "--json").out)
    assert told["claims"]
    past = json.loads(run("status", "PLN-001", "--as-of", "2020-01-01", "--json").out)
    assert past["status"] != told["status"] or past["claims"] != told["claims"]


@pytest.mark.parametrize("command", [("status",), ("drill", "list")])
def test_each_column_of_a_list_is_a_field_of_the_api(run, as_operator, monkeypatch, command):
    shown = []
    monkeypatch.setattr("app.cli._show", lambda value, as_json, columns=(): shown.append((value["items"], columns)))
    assert run(*command).code == 0
    [(items, columns)] = shown
    assert items
    assert set(columns) <= set(items[0])


def test_drills_are_listed_shown_and_not_planned_from_nonsense(run, as_operator, tmp_path):
    rows = json.loads(run("drill", "list", "--json").out)["items"]
    assert len(rows) >= 6
    assert json.loads(run("drill", "show", rows[0]["ref"], "--json").out)["id"] == rows[0]["id"]
    (tmp_path / "drill.json").write_text("{}")
    done = run("drill", "plan", tmp_path / "drill.json")
    assert done.code == 1
    assert all(field in done.err for field in ("title", "planId", "playbook", "[invalid-input]")), done.err
    (tmp_path / "drill.json").write_text("{")
    assert run("drill", "plan", tmp_path / "drill.json").code == 2


def test_a_run_is_started_shown_and_aborted(run, as_operator):
    rows = json.loads(run("drill", "list", "--json").out)["items"]
    started = next(
        json.loads(done.out) for row in rows if (done := run("drill", "start", row["ref"], "--json")).code == 0
    )
    assert started["ref"] in run("run", "list").out
    assert run("run", "abort", started["ref"], "--reason", "Toch niet").code == 0
    shown = json.loads(run("run", "show", started["ref"], "--json").out)
    assert shown["state"] in {"aborting", "aborted", "cancelled", "finished", "stopped", "over"}, shown["state"]


def test_what_is_not_there_ends_with_1_and_a_sentence(run, as_operator):
    done = run("run", "show", "RUN-999")
    assert done.code == 1
    assert "RUN-999" in done.err


def test_what_is_not_allowed_ends_with_4(run, served, as_operator, monkeypatch):
    monkeypatch.setenv("WISSEL_TOKEN", served[1]["viewer"])
    assert run("drill", "start", "DRL-001").code == 4
    monkeypatch.setenv("WISSEL_TOKEN", "wsl_nobody")
    assert run("status").code == 4


def test_a_service_that_does_not_answer_ends_with_3(run, nowhere):
    done = run("status")
    assert done.code == 3
    assert "Is `wissel serve` running?" in done.err


@pytest.mark.parametrize(
    "command", [(), ("serve",), ("worker",), ("demo",), ("check",), ("status",), ("admin",), ("drill",), ("run",)]
)
def test_every_command_explains_itself(run, command):
    done = run(*command, "--help")
    assert done.code == 0
    assert "Usage: " in done.out


def test_an_unknown_command_is_wrong_usage(run):
    assert run("swich").code == 2


def test_the_shell_can_complete_it():
    wanted = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    argv = [str(Path(sys.executable).with_name("wissel")), "--show-completion", "bash"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=wanted)
    assert done.returncode == 0, done.stderr
    assert "complete " in done.stdout


def test_the_administrators_token_is_no_shortcut_to_a_run(run, served, as_operator, monkeypatch):
    monkeypatch.setenv("WISSEL_TOKEN", served[1][ADMINISTRATOR])
    assert run("drill", "start", "DRL-001").code == 4
