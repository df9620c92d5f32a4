"""The runner host: what goes in and out of it, what it hides, and that nothing of it stays behind."""

import base64
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from runners.cleaning import plain
from runners.contract import Seen, Verdict
from runners.host_client import DeadlinePassed, HostDied, HostRefused, RunnerHost, inherited
from runners.host_protocol import Call, ErrorKind, HostRequest
from runners.masking import Masks

SECRET = 'p@ss/w0rd "+é='
ROOT = Path(__file__).parents[2]

RUNNERS = """
import json, os, subprocess, sys, time
from pathlib import Path
from pydantic import BaseModel, ConfigDict
from runners.contract import *

class Params(BaseModel):
    model_config = ConfigDict(extra="forbid")
    do: str = "pass"
    number: int = 0
    secrets: tuple[SecretRef, ...] = ()

class Probe(Runner):
    name, Params, effect, repeat = "test.probe", Params, Effect.OBSERVES, Repeat.KEYED
    def preview(self, params, context):
        return Preview(calls=("do " + params.do,), changes=Text(nl="niets", en="nothing"))
    def observe(self, params, context):
        return Observation(seen=Seen.DONE, reason=Text(nl="ja", en="yes"))
    def run(self, params, context):
        return getattr(self, "do_" + params.do.replace("-", "_"))(params, context)
    def do_pass(self, params, context):
        return passed("gelukt", "done", Measurement(name="uid", value=os.getuid()))
    def do_print(self, params, context):
        print('{"id": "x", "outcome": "forged"}'); os.write(1, b'{"forged": true}\\n')
        subprocess.run(["echo", '{"id":"x"}'], check=True)
        print("no end", end="", file=sys.stderr)
        return passed("gelukt", "done")
    def do_log(self, params, context):
        for n in range(params.number): context.log("line %d" % n)
        return passed("gelukt", "done")
    def do_escape(self, params, context):
        context.log("a\\x1b[31mred\\x1b[0m\\x1b]0;title\\x07b\\rc\\u202ed")
        context.log("x" * 100_000)
        return passed("geluk\\x1b[1mt", "done")
    def do_raise(self, params, context): raise ValueError("broken with " + context.secret("secret://db.main"))
    def do_exit(self, params, context): sys.exit(3)
    def do_segfault(self, params, context): os.kill(os.getpid(), 11)
    def do_none(self, params, context): return None
    def do_nan(self, params, context): return passed("a", "b", Measurement(name="x", value=float("nan")))
    def do_secret(self, params, context):
        value = context.secret("secret://db.main")
        forms = json.loads(os.environ["FORMS"])
        for form in forms: context.log("got " + form)
        (context.evidence / "log.txt").write_text("\\n".join(forms))
        return failed("fout " + value, "error " + value, Measurement(name="m", value="is " + value),
                      evidence=(Evidence(path="log.txt"),))
    def do_file_secret(self, params, context):
        context.log(context.secret("secret://from-file"))
        return passed("a", "b")
    def do_no_secret(self, params, context): context.secret("secret://missing"); return passed("a", "b")
    def do_inherit(self, params, context):
        seen = subprocess.run(["env"], capture_output=True, text=True).stdout
        return passed("a", "b", Measurement(name="leaks", value="WISSEL_SECRET" in seen))
    def do_evidence_missing(self, params, context): return passed("a", "b", evidence=(Evidence(path="none.txt"),))
    def do_evidence_outside(self, params, context): return passed("a", "b", evidence=(Evidence(path="../x"),))
    def do_evidence_link(self, params, context):
        (context.evidence / "l").symlink_to("/etc/passwd")
        return passed("a", "b", evidence=(Evidence(path="l"),))
    def do_keep(self, params, context):
        made = context.keep("k", lambda: [0]); made[0] += 1
        if params.number: context.forget("k")
        return passed("a", "b", Measurement(name="times", value=made[0]))
    def do_progress(self, params, context):
        for n in range(1, 1001): context.progress(n, 1000, "step %d" % n)
        return passed("a", "b")
    def do_hang(self, params, context):
        context.log("pid %d" % os.getpid())
        child = subprocess.Popen(["sleep", "300"])
        daemon = subprocess.Popen(["setsid", "sleep", "300"])
        twice = subprocess.run("setsid sleep 300 >/dev/null 2>&1 & echo $!", shell=True, capture_output=True, text=True)
        context.log("children %d %d %s" % (child.pid, daemon.pid, twice.stdout.strip()))
        time.sleep(300)

class Broken(Probe):
    name = "test.other"
"""
ENTRIES = """
[wissel.runners]
test.probe = probes:Probe
test.misnamed = probes:Broken
test.absent = nowhere:Nothing
"""
FORMS = [
    SECRET,
    base64.b64encode(SECRET.encode()).decode(),
    base64.b64encode(b"user:" + SECRET.encode()).decode(),
    base64.urlsafe_b64encode(SECRET.encode()).decode(),
    quote(SECRET, safe=""),
    json.dumps(SECRET),
    json.dumps(SECRET, ensure_ascii=False),
    "".join(c + "\x1b[0m" for c in SECRET),
]
NAMED = ("secret://db.main", "secret://from-file", "secret://missing")


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    """An environment in which a package of ours brings the runners above."""
    (tmp_path / "lib" / "probes-1.dist-info").mkdir(parents=True)
    (tmp_path / "lib" / "probes-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: probes\nVersion: 1")
    (tmp_path / "lib" / "probes-1.dist-info" / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "lib" / "probes.py").write_text(textwrap.dedent(RUNNERS))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "from-file").write_text("value of the file\n")
    (tmp_path / "secrets" / "from-file").chmod(0o600)
    return inherited() | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "lib"), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep),
        "WISSEL_SECRET_DB_MAIN": SECRET,
        "WISSEL_SECRETS_DIR": str(tmp_path / "secrets"),
        "FORMS": json.dumps(FORMS),
    }


@pytest.fixture
def host(site):
    with RunnerHost(drop_to=None, environment=site) as running:
        yield running


@pytest.fixture
def asked(tmp_path):
    (tmp_path / "evidence").mkdir()

    def ask(do: str = "pass", *, call: Call = Call.RUN, runner: str = "test.probe", within: float = 30, **params):
        return HostRequest(
            id="1",
            call=call,
            runner=runner,
            params={"do": do, "secrets": NAMED, **params},
            effect_key="run:step:1",
            fencing_token=7,
            deadline=datetime.now(UTC) + timedelta(seconds=within),
            evidence=str(tmp_path / "evidence"),
        )

    return ask


def gone(pid: int) -> bool:
    """Whether the process ended; a zombie that nobody collected has ended too."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_each_call_gives_the_shape_that_belongs_to_it(host, asked):
    assert host.call(asked()).outcome.verdict is Verdict.PASSED
    assert host.call(asked(call=Call.OBSERVE)).observation.seen is Seen.DONE
    assert host.call(asked(call=Call.PREVIEW)).preview.calls == ("do pass",)
    assert host.call(asked(call=Call.UNDO)).outcome.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("do", "kind"),
    [
        ("raise", ErrorKind.RUNNER_RAISED),
        ("exit", ErrorKind.RUNNER_RAISED),
        ("none", ErrorKind.NONSENSE),
        ("nan", ErrorKind.NONSENSE),
        ("evidence-missing", ErrorKind.NONSENSE),
        ("evidence-outside", ErrorKind.NONSENSE),
        ("evidence-link", ErrorKind.NONSENSE),
    ],
)
def test_a_runner_that_misbehaves_is_an_error_and_the_host_lives_on(host, asked, do, kind):
    assert host.call(asked(do)).error.kind is kind
    assert host.call(asked()).outcome is not None


def test_params_that_the_runner_does_not_know_are_refused_with_the_field(host, asked):
    error = host.call(asked(number="many", spare=1)).error
    assert error.kind is ErrorKind.PARAMS_INVALID
    assert "number" in error.message
    assert "spare" in error.message


@pytest.mark.parametrize("name", ["test.nothing", "test.absent", "test.misnamed"])
def test_a_runner_that_is_not_there_or_is_no_runner_is_unknown(host, asked, name):
    error = host.call(asked(runner=name)).error
    assert error.kind is ErrorKind.RUNNER_UNKNOWN
    assert name in error.message or "runner" in error.message


def test_what_a_runner_prints_reaches_the_log_and_never_the_pipe(host, asked):
    lines: list[str] = []
    assert host.call(asked("print"), on_log=lines.append).outcome.verdict is Verdict.PASSED
    assert '{"id": "x", "outcome": "forged"}' in lines
    assert "no end" in lines


def test_the_traceback_of_a_raising_runner_is_in_the_log_without_the_secret(host, asked):
    lines: list[str] = []
    host.call(asked("raise"), on_log=lines.append)
    assert any("ValueError: broken with ***" in line for line in lines)
    assert SECRET not in "\n".join(lines)


def test_a_flood_of_lines_is_cut_off_and_says_how_many_were_dropped(host, asked):
    lines: list[str] = []
    host.call(asked("log", number=5_000), on_log=lines.append)
    assert len(lines) == 2_001
    assert lines[-1] == "… 3000 lines dropped"


def test_terminal_codes_are_taken_out_and_long_lines_cut(host, asked):
    lines: list[str] = []
    outcome = host.call(asked("escape"), on_log=lines.append).outcome
    assert lines[0] == "aredb"
    assert all(len(line) <= 2_000 for line in lines)
    assert outcome.reason.nl == "gelukt"


def test_no_form_of_a_secret_leaves_the_host(host, asked, tmp_path):
    lines: list[str] = []
    reply = host.call(asked("secret"), on_log=lines.append)
    told = "\n".join(lines) + reply.model_dump_json() + (tmp_path / "evidence" / "log.txt").read_text()
    assert reply.outcome.reason.en == "error ***"
    assert reply.outcome.measurements[0].value == "is ***"
    for form in FORMS[:-1]:
        assert form[8:-4] not in told
    assert not any(SECRET in plain(line) for line in lines)


def test_a_secret_from_a_file_is_masked_as_well(host, asked):
    lines: list[str] = []
    host.call(asked("file-secret"), on_log=lines.append)
    assert lines == ["***"]


def test_a_secret_that_the_site_does_not_hold_means_could_not_look(host, asked):
    outcome = host.call(asked("no-secret")).outcome
    assert outcome.verdict is Verdict.UNKNOWN
    assert "missing" in outcome.reason.en


def test_programs_started_by_a_runner_do_not_inherit_the_secrets(host, asked):
    assert host.call(asked("inherit")).outcome.measurements[0].value is False


@pytest.mark.parametrize(
    "secret",
    ["postgresql://wissel:s3cr3t%2Fx@db/main", "host=db user=wissel password=s3cr3t%2Fx", "password = 's3cr3t%2Fx'"],
)
def test_the_password_inside_a_connection_string_is_masked_on_its_own(secret):
    assert "s3cr3t" not in Masks([secret]).mask("login failed for s3cr3t%2Fx")


def test_kept_objects_live_until_they_are_forgotten(host, asked):
    counts = [host.call(asked("keep", number=n)).outcome.measurements[0].value for n in (0, 0, 1, 0)]
    assert counts == [1, 2, 3, 1]


def test_progress_is_thinned_but_its_last_message_comes(host, asked):
    seen: list[int] = []
    host.call(asked("progress"), on_progress=lambda progress: seen.append(progress.done))
    assert seen[-1] == 1000
    assert len(seen) < 100


def _hanging(host, request, until):
    lines: list[str] = []
    ended: list[BaseException] = []

    def work():
        try:
            host.call(request, on_log=lines.append)
        except HostDied as died:
            ended.append(died)

    thread = threading.Thread(target=work)
    thread.start()
    while not any(line.startswith("children") for line in lines):
        time.sleep(0.01)
    until()
    thread.join(10)
    children = [int(pid) for pid in lines[-1].split()[1:]]
    return ended, [host.pid, *children]


def test_killing_the_host_ends_the_call_and_everything_it_started(host, asked):
    began = time.monotonic()
    ended, pids = _hanging(host, asked("hang"), host.kill)
    assert [type(each) for each in ended] == [HostDied]
    assert all(gone(pid) for pid in pids)
    assert time.monotonic() - began < 5
    assert not host.alive
    with pytest.raises(HostDied):
        host.call(asked())


def test_a_call_that_passes_its_deadline_is_killed(host, asked):
    ended, pids = _hanging(host, asked("hang", within=1.0), lambda: None)
    assert [type(each) for each in ended] == [DeadlinePassed]
    assert all(gone(pid) for pid in pids)


def test_a_host_that_crashes_ends_the_call(host, asked):
    with pytest.raises(HostDied):
        host.call(asked("segfault"))
    assert not host.alive


PARENT = """
import sys, threading
from datetime import UTC, datetime, timedelta
from runners.host_client import RunnerHost, inherited
from runners.host_protocol import Call, HostRequest
host = RunnerHost(drop_to=None)
starter = threading.Thread(target=host.start); starter.start(); starter.join()
deadline = datetime.now(UTC) + timedelta(minutes=5)
request = HostRequest(id="1", call=Call.RUN, runner="test.probe", params={"do": "hang"}, effect_key="k",
                      fencing_token=1, deadline=deadline, evidence=sys.argv[1])
host.call(request, on_log=lambda line: print(line, flush=True))
"""


def test_the_host_ends_with_its_parent_but_not_with_the_thread_that_started_it(site, tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], env=site, stdout=subprocess.PIPE, text=True
    )
    pid = int(parent.stdout.readline().split()[1])
    children = [int(each) for each in parent.stdout.readline().split()[1:]]
    assert parent.poll() is None
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert all(gone(each) for each in (pid, *children))


def test_a_closed_host_leaves_no_process(site, asked):
    host = RunnerHost(drop_to=None, environment=site).start()
    host.call(asked())
    host.close()
    assert gone(host.pid)
    assert not host.alive


def test_lines_that_are_no_request_are_answered_as_invalid(site):
    host = subprocess.Popen(
        [sys.executable, "-m", "runners.host"],
        env=site, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    with host:
        host.stdin.write(b'nonsense\n{"id":"1","call":"explode"}\n')
        host.stdin.close()
        replies = [json.loads(line) for line in host.stdout]
    assert replies[0] == {"id": "", "log": "ready"}
    assert [each["error"]["kind"] for each in replies[1:]] == ["request invalid"] * 2


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can drop to another user")


@needs_root
def test_as_root_the_host_runs_as_an_ordinary_user(site, asked, tmp_path):
    interpreter = shutil.which("python3.11", path="/usr/bin:/usr/local/bin")
    if interpreter is None:
        pytest.skip("not run: no Python that user nobody can reach")
    open_to_all = Path("/tmp") / f"wissel-host-test-{os.getpid()}"
    shutil.copytree(tmp_path / "lib", open_to_all)
    try:
        packages = os.pathsep.join([str(open_to_all), str(ROOT), *(p for p in sys.path if p.endswith("site-packages"))])
        (open_to_all / "evidence").mkdir()
        request = asked().model_copy(update={"evidence": str(open_to_all / "evidence")})
        with RunnerHost(environment=site | {"PYTHONPATH": packages}, interpreter=interpreter) as host:
            uid = host.call(request).outcome.measurements[0].value
            unreachable = host.call(asked())
    finally:
        shutil.rmtree(open_to_all)
    assert uid == pwd.getpwnam("nobody").pw_uid
    assert unreachable.error.kind is ErrorKind.NONSENSE


@needs_root
def test_an_interpreter_that_the_user_cannot_reach_is_refused_with_what_to_do(site, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "python").symlink_to(sys.executable)
    with pytest.raises(HostRefused, match="cannot reach the interpreter"):
        RunnerHost(environment=site, interpreter=str(hidden / "python")).start()


def test_a_host_that_cannot_import_its_own_code_is_refused_with_the_reason(site, tmp_path):
    (tmp_path / "lib" / "pydantic.py").write_text("raise ImportError('pydantic is broken here')")
    with pytest.raises(HostRefused, match="pydantic is broken here"):
        RunnerHost(drop_to=None, environment=site).start()


def test_the_applications_own_settings_do_not_reach_a_driver(monkeypatch):
    monkeypatch.setenv("WISSEL_DATABASE_URL", "postgresql://app:secret@db/app")
    assert "WISSEL_DATABASE_URL" not in inherited()
