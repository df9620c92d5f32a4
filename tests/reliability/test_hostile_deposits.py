"""Hostile and poor escrow deposits, through a real runner host: refused for the true reason, and nothing is touched."""

import io
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runners.contract import Verdict
from runners.escrow.archive import unpack
from runners.escrow.naming import ArchiveRefused
from runners.escrow.sandbox import RoomLimits, _system, _walls, bubblewrap
from tests.bad_inputs.read import named
from tests.reliability.damage import Looker, cut, flipped, ground, processes
from tests.reliability.figures import times, told
from tests.reliability.hostile_archives import HOSTILE, harmless
from tests.unit.runners_escrow.deposits import RECIPE, deposited, good_files, packed, with_manifest
from tests.unit.runners_escrow.test_archive import HOSTILE as KNOWN

LEVEL_ONE = ("escrow.integrity", "escrow.completeness")


@pytest.fixture(scope="module")
def looker() -> Iterator[Looker]:
    with ground() as at:
        made = Looker(at, WISSEL_SECRET_PLANTED="planted")
        yield made
        made.close()


@pytest.fixture(scope="module")
def room(looker: Looker) -> Looker:
    """The same, where a clean room can be made."""
    made = looked(looker, "escrow.build", packed(with_manifest(good_files()))).verdict is Verdict.PASSED
    if not made and os.environ.get("CI") == "true":
        pytest.fail("no clean room can be made on this machine")
    if not made:
        pytest.skip("not run: no clean room can be made on this machine")
    return looker


@pytest.fixture(autouse=True)
def empty(looker: Looker) -> Iterator[None]:
    yield
    for path in looker.ground.given.iterdir():
        if path.name != "canary":
            path.unlink()


def looked(looker: Looker, runner: str, content: bytes, **changes: object):
    deposit = deposited(looker.ground.given, content, **changes)
    return looker.look(runner, deposit=deposit.model_dump())


EVERY = {**{name: (content, reason) for name, (content, _, reason) in KNOWN.items()}, **HOSTILE}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_for_its_reason(case: str, looker: Looker) -> None:
    content, reason = HOSTILE[case]
    outcome = looked(looker, "escrow.integrity", content)
    assert outcome.verdict is Verdict.FAILED, outcome.reason.en
    assert reason in outcome.reason.en
    assert outcome.reason.nl.startswith("Het archief is geweigerd")


@pytest.mark.parametrize("case", named("archives"))
def test_the_code_of_a_refusal_is_stable(case: str, looker: Looker) -> None:
    outcome = looked(looker, "escrow.integrity", EVERY[case][0])
    assert [each.value for each in outcome.measurements if each.name == "refused"] == [named("archives")[case]["code"]]


def test_every_hostile_archive_stands_in_the_corpus() -> None:
    assert set(named("archives")) == set(EVERY)


def test_every_driver_of_a_deposit_refuses_every_hostile_archive(looker: Looker) -> None:
    for content, _ in EVERY.values():
        for runner in ("escrow.completeness", "escrow.build", "escrow.smoke"):
            outcome = looked(looker, runner, content)
            assert outcome.verdict is Verdict.FAILED, outcome.reason.en
    told("hostile archives refused, by each of four drivers", f"{len(EVERY)} of {len(EVERY)}, peak {looker.peak()} MiB")
    assert looker.peak() < 200


@pytest.mark.parametrize("case", harmless())
def test_what_ordinary_writers_make_is_taken(case: str, tmp_path: Path) -> None:
    unpack(io.BytesIO(harmless()[case]), tmp_path)
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz", "zip"])
def test_an_archive_that_was_cut_or_changed_anywhere_is_refused_or_yields_exactly_its_files(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = with_manifest(good_files()) | {"noise": os.urandom(2000)}
    whole = packed(files, kind)
    counted = {"refused": 0, "the same": 0, "other": 0}

    @settings(max_examples=times(150, 3000), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(part=st.floats(0, 0.9999), bit=st.integers(-1, 7))
    def attempt(part: float, bit: int) -> None:
        content = cut(whole, part) if bit < 0 else flipped(whole, part, bit)
        into = tmp_path_factory.mktemp("out")
        try:
            unpack(io.BytesIO(content), into)
        except ArchiveRefused:
            counted["refused"] += 1
            return
        found = {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
        counted["the same" if found == files else "other"] += 1
        # A plain tar has no checksum over its content: there the manifest and the signature see it.
        assert found == files or kind == ""

    attempt()
    assert counted["refused"] > counted["the same"] + counted["other"] or kind == ""
    told(f"cut or flipped archives ({kind or 'tar'})", str(counted))


def building(command: str, **more: object) -> bytes:
    """A deposit that is built by one Python program."""
    files = good_files()
    recipe = RECIPE | {"build": [["python3", "-c", command]], "artefacts": ["LICENSE"]} | more
    return packed(with_manifest(files | {"recipe.json": json.dumps(recipe).encode()}))


SLEEP = "7393.5"
BUILDS: dict[str, tuple[str, str]] = {
    "forks without end": ("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
    "not done after 4 seconds"),
    "forks and ends well": (
        "import os, time\nfor _ in range(9999):\n  try:\n    if not os.fork(): time.sleep(99)\n  except OSError: break",
        "",
    ),
    "never ends": ("while True: pass", "not done after 4 seconds"),
    "never ends and ignores every signal": (
        "import signal, time\nfor s in range(1, 32):\n  try: signal.signal(s, signal.SIG_IGN)\n  except OSError: pass\n"
        "time.sleep(99)", "not done after 4 seconds",
    ),
    "prints a gigabyte": (
        "import sys\nfor _ in range(1000): sys.stdout.write('x' * 1000000)\nsys.exit(3)", "ends with code 3",
    ),
    "takes memory in many processes": (
        "import os, time\nfor _ in range(5): os.fork()\nx = bytearray(60_000_000)\ntime.sleep(99)",
        "took more than 1024 MiB",
    ),
    "takes memory in one process": ("x = bytearray(3 * 10**9)", "MemoryError"),
    "fills its folder": ("f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 20))", ""),
    "fills the shared memory": ("f = open('/dev/shm/big', 'wb')\nwhile True: f.write(bytes(1 << 20))", ""),
    "needs the network": (
        "import urllib.request; urllib.request.urlopen('https://pypi.org/simple/')", "urlopen error",
    ),
    "needs a package that is not in it": (
        "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-m', 'pip', 'install', 'flask']))",
        "ends with code",
    ),
    "writes outside": ("open('{outside}/canary', 'w')", "No such file"),
    "writes into the system": ("open('/usr/lib/evil', 'w')", "Read-only"),
    "writes into the deposit": ("open('/deposit/evil', 'w')", "Read-only"),
    "reads the secrets": ("import os; print(os.environ['WISSEL_SECRET_PLANTED'])", "KeyError"),
    "reads the secrets of who started it": (
        "import re, sys\nfor n in range(1, 50):\n  try: t = open(f'/proc/{{n}}/environ').read()\n"
        "  except OSError: continue\n"
        "  if 'planted' in t: sys.exit(0)\nsys.exit(7)", "ends with code 7",
    ),
    "kills its parent": ("import os; os.kill(os.getppid(), 9)", "broke off"),
    "kills all it can": ("import os; os.kill(-1, 9)", ""),
    "forges the report": (
        "import os, sys\nfor p in os.listdir('/proc'):\n  if p.isdigit() and int(p) != os.getpid():\n"
        "    for f in range(3, 40):\n"
        "      try: open(f'/proc/{{p}}/fd/{{f}}', 'w').write('x')\n      except OSError: continue\n"
        "      else: sys.exit(0)\n"
        "sys.exit(7)", "ends with code 7",
    ),
    "becomes root by a program that may": (
        "import os, subprocess, sys\nstatus = open('/proc/self/status').read()\n"
        "open('mine', 'w').write('x')\nos.chmod('mine', 0o4755)\n"
        "subprocess.run(['su', '-c', 'id'], capture_output=True)\n"
        "sys.exit(7 if 'NoNewPrivs:\\t1' in status and 'CapEff:\\t0000000000000000' in status and os.geteuid() else 0)",
        "ends with code 7",
    ),
    "mounts": (
        "import ctypes, sys\nsys.exit(7 if ctypes.CDLL('libc.so.6').mount(b'x', b'/mnt', b'tmpfs', 0, 0) else 0)",
        "ends with code 7",
    ),
    "makes a device": (
        "import os, stat, sys\ntry: os.mknod('disk', 0o600 | stat.S_IFBLK, os.makedev(8, 0))\n"
        "except OSError: sys.exit(7)", "ends with code 7",
    ),
    "asks this machine over loopback": (
        "import socket, sys\ntry: socket.create_connection(('127.0.0.1', {port}), 1)\nexcept OSError: sys.exit(7)",
        "ends with code 7",
    ),
    "asks this machine by an abstract name": (
        "import socket, sys\ns = socket.socket(socket.AF_UNIX)\n"
        "try: s.connect('\\0wissel-{port}')\nexcept OSError: sys.exit(7)", "ends with code 7",
    ),
    "turns the knobs of the kernel": (
        "import sys\nfor knob in ('sys/kernel/core_pattern', 'sysrq-trigger', 'sys/vm/drop_caches'):\n"
        "  try: open('/proc/' + knob, 'w').write('c')\n  except OSError: continue\n  else: sys.exit(0)\n"
        "sys.exit(7)", "ends with code 7",
    ),
    "takes hold of its keeper": (
        "import ctypes, os, sys\nlibc = ctypes.CDLL('libc.so.6')\n"
        "held = [p for p in (1, os.getppid()) if libc.ptrace(16, p, 0, 0) == 0]\n"
        "sys.exit(0 if held else 7)", "ends with code 7",
    ),
    "reads what stands beside the deposit": (
        "import os, sys\nbeside = ('{outside}', '/root/.ssh', '/var/lib', '/etc/shadow', '/run', '/etc/ssh')\n"
        "seen = [f for f in beside if os.path.exists(f) and (os.path.isfile(f) or os.listdir(f))]\n"
        "sys.exit(0 if seen else 7)", "ends with code 7",
    ),
    "is killed in C": ("import ctypes; ctypes.string_at(0)", "ends with code -11"),
    "makes folders without end": (
        "import os\nos.mkdir('a')\nos.chdir('a')\nfor _ in range(5000):\n  os.mkdir('a')\n  os.chdir('a')\n"
        "raise SystemExit(4)",
        "ends with code 4",
    ),
}  # fmt: skip
WELL = ("forks and ends well",)


@pytest.mark.parametrize("case", BUILDS)
def test_a_hostile_build_is_ended_within_its_limits(case: str, room: Looker) -> None:
    command, reason = BUILDS[case]
    heard = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
    port = heard[0].getsockname()[1]
    heard[1].bind(f"\0wissel-{port}")
    heard[1].listen()
    command = command.replace("{outside}", str(room.ground.folder)).replace("{port}", str(port))
    content = building(command.replace("{{", "{").replace("}}", "}"))
    deposit = deposited(room.ground.given, content)
    limits = {
        "max_seconds": 4 if case != "prints a gigabyte" else 60,
        "max_size_mb": 64,
        "max_memory_mb": 512,
        "max_together_mb": 1024,
        "max_processes": 64,
    }
    begun = time.monotonic()
    outcome = room.look("escrow.build", deposit=deposit.model_dump(), **limits)
    took = time.monotonic() - begun
    for each in heard:
        each.close()
    assert outcome.verdict is (Verdict.PASSED if case in WELL else Verdict.FAILED), outcome.reason.en
    assert reason in outcome.reason.en
    found = {each.name: each.value for each in outcome.measurements}
    size = sum(each.stat().st_size for each in room.ground.evidence.iterdir()) / 2**20
    told(
        f"a build that {case}",
        f"{took:.1f} s (of {limits['max_seconds']}), memory {int(found['room_memory']) // 2**20} MiB (of 1024), "
        f"evidence {size:.1f} MiB",
    )
    assert took < 70
    assert size < 6
    assert int(found["room_memory"]) < 3 * 2**30


def test_what_a_build_leaves_behind_is_gone(room: Looker) -> None:
    left = (
        f"import os, subprocess\nsubprocess.Popen(['sleep', '{SLEEP}'])\n"
        f"subprocess.Popen(['setsid', 'sleep', '{SLEEP}'])\n"
        f"if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: os.execvp('sleep', ['sleep', '{SLEEP}'])"
    )
    outcome = looked(room, "escrow.build", building(left))
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    assert not [each for each in processes(SLEEP) if "sleep" in each]


@pytest.mark.parametrize("to", ["/proc/1/environ", "{outside}/canary", "/etc/passwd", "../../../../../../etc/hostname"])
def test_what_a_build_hands_out_is_never_a_link_to_something_else(to: str, room: Looker) -> None:
    command = f"import os; os.symlink({to.replace('{outside}', str(room.ground.folder))!r}, 'stolen')"
    outcome = looked(room, "escrow.build", building(command, artefacts=["stolen"]))
    assert outcome.verdict is Verdict.FAILED, outcome.reason.en
    kept = b"".join(each.read_bytes() for each in room.ground.evidence.iterdir())
    assert b"root:x:0" not in kept
    assert b"WISSEL_" not in kept


def test_in_the_room_of_an_ordinary_user_no_further_room_can_be_made() -> None:
    """Wissel does not run as root; a room that root makes for a test has no namespace of users to close."""
    limits = RoomLimits(seconds=1, size=2**20, memory=2**20, processes=1)
    closing = ["--unshare-user", "--disable-userns"]
    assert set(closing) <= set(_walls(Path("/"), Path("/"), limits, as_root=False))
    rest = ["--cap-drop", "ALL", "--unshare-pid", *_system(), "--proc", "/proc", "--dev", "/dev", "--"]
    as_whom = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    found = {}
    for closed in (True, False):
        argv = [*closing[: 2 if closed else 1], *rest]
        done = subprocess.run([*as_whom, bubblewrap(), *argv, "/usr/bin/unshare", "--user", "true"], check=False)
        found[closed] = done.returncode
    assert found[True] != 0
    assert found[False] == 0, "the question says nothing on this machine"


def test_a_build_that_replaces_its_recipe_changes_nothing(room: Looker) -> None:
    command = "open('recipe.json', 'w').write('{}'); open('manifest.json', 'w').write('{}')"
    recipe = [["python3", "-c", command], ["python3", "-c", "raise SystemExit(5)"]]
    outcome = looked(room, "escrow.build", building("", build=recipe))
    assert (outcome.verdict, "ends with code 5" in outcome.reason.en) == (Verdict.FAILED, True)


def serving(program: str) -> bytes:
    """A deposit whose service is this program, that must answer within three seconds."""
    files = good_files() | {"source/desk/__main__.py": program.encode()}
    smoke = RECIPE["smoke"] | {"within_seconds": 3}
    return packed(with_manifest(files | {"recipe.json": json.dumps(RECIPE | {"smoke": smoke}).encode()}))


SERVICE = good_files()["source/desk/__main__.py"].decode()
RAW = """import socket, time
s = socket.create_server(('127.0.0.1', 8080))
while True:
  c = s.accept()[0]; c.recv(999)
  """
ANSWERS = {
    "answers and dies": (SERVICE.replace("serve_forever", "handle_request"), "once, but a second later no more"),
    "answers 200 with the wrong body": (SERVICE.replace('"ok"', '"broken"'), "another answer"),
    "answers 200 with no body": (RAW + "c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"
    "'); c.close()", "another"),
    "answers with HTML": (SERVICE.replace("json.dumps(", "('<html>') or str("), "another answer"),
    "answers true for 1": (SERVICE.replace('"status": "ok"', '"status": True'), "another answer"),
    "listens on another port": (SERVICE.replace("8080", "8081"), "no answer"),
    "drips its answer": (
        RAW + "\n  while True: c.sendall(b'HTTP/1.1 200 OK\\r\\n'[:1]); time.sleep(0.2)", "no answer",
    ),
    "sends headers without end": (RAW + "c.sendall(b'HTTP/1.1 200 OK\\r\\n' + b'A: b\\r\\n' * 9999)", "no answer"),
    "leads elsewhere": (
        RAW + "c.sendall(b'HTTP/1.1 302 Found\\r\\nLocation: http://192.0.2.1/\\r\\nContent-Length: 0\\r\\n"
        "\\r\\n'); c.close()",
        "status 302",
    ),
    "sends a gigabyte": (
        RAW + "c.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n')\n  try:\n    while True: c.sendall(b'[' * 65536)\n"
        "  except OSError: pass",
        "",
    ),
    "needs longer than it may": ("import time; time.sleep(9)\n" + SERVICE, "no answer"),
    "is no program": ("this is no Python", "ends with code 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_a_service_that_does_not_serve_fails_for_its_reason(case: str, room: Looker) -> None:
    program, reason = ANSWERS[case]
    begun = time.monotonic()
    outcome = looked(room, "escrow.smoke", serving(program))
    assert (outcome.verdict, reason in outcome.reason.en) == (Verdict.FAILED, True), outcome.reason.en
    assert time.monotonic() - begun < 40


def test_a_good_deposit_still_passes_all_four(room: Looker) -> None:
    content = packed(with_manifest(good_files()))
    for runner in (*LEVEL_ONE, "escrow.build", "escrow.smoke"):
        outcome = looked(room, runner, content)
        assert outcome.verdict is Verdict.PASSED, outcome.reason.en


def test_no_driver_takes_an_archive_whose_signature_is_not_the_depositors(room: Looker) -> None:
    deposit = deposited(room.ground.given, packed(with_manifest(good_files())))
    (room.ground.given / "deposit.sig").write_bytes(bytes(64))
    for runner in (*LEVEL_ONE, "escrow.build", "escrow.smoke"):
        outcome = room.look(runner, deposit=deposit.model_dump())
        assert (outcome.verdict, "signature" in outcome.reason.en) == (Verdict.FAILED, True), outcome.reason.en


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def hole(path: Path) -> None:
    path.touch()
    os.truncate(path, 10 * 2**30)


def test_what_is_no_file_is_no_deposit(room: Looker) -> None:
    deposit = deposited(room.ground.given, packed(with_manifest(good_files())))
    for name in ("deposit", "deposit.sig"):
        path = room.ground.given / name
        kept = path.read_bytes()
        path.unlink()
        for make in (os.mkfifo, os.mkdir, zeros, hole):
            make(path)
            begun = time.monotonic()
            outcome = room.look("escrow.integrity", deposit=deposit.model_dump())
            assert outcome.verdict is Verdict.FAILED, outcome.reason.en
            assert time.monotonic() - begun < 20
            path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(kept)
