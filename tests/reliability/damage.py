"""Ways to damage what is fed to a runner, and the proof that a runner touched nothing and left nothing behind."""

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runners.contract import Outcome, Verdict
from runners.host_client import RunnerHost, inherited
from runners.host_protocol import Call, HostReply, HostRequest
from runners.scratch import remove


def cut(content: bytes, part: float) -> bytes:
    """Only the first part of it; at least one byte is gone."""
    return content[: min(int(len(content) * part), len(content) - 1)]


def flipped(content: bytes, part: float, bit: int) -> bytes:
    """One bit turned over."""
    place = min(int(len(content) * part), len(content) - 1)
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def snapshot(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a folder: kind, rights, owner, size, time, and what is in it."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        told: str = ""
        if stat.S_ISREG(status.st_mode) and status.st_size < 64 * 1024 * 1024:
            told = hashlib.sha256(path.read_bytes()).hexdigest()
        elif stat.S_ISLNK(status.st_mode):
            told = os.readlink(path)
        owner = (status.st_uid, status.st_gid)
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        found[str(path.relative_to(folder))] = (oct(status.st_mode), owner, size, status.st_mtime_ns, told)
    return found


def processes(text: str) -> list[str]:
    """The command lines, environments or working folders of processes that bear this text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        try:
            said = (folder / "cmdline").read_bytes() + b" " + (folder / "environ").read_bytes()
            said += os.readlink(folder / "cwd").encode()
        except OSError:
            continue
        if text.encode() in said:
            found.append(f"{folder.name} {said[:200]!r}")
    return found


def soon(true: Any, seconds: float = 20) -> bool:
    """Whether it comes true, looking often."""
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(true())


@dataclass
class Ground:
    """A folder of ours with what is fed to the runner (`given`), things it must not touch, and its scratch folder."""

    folder: Path

    @property
    def given(self) -> Path:
        return self.folder / "given"

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"


@contextmanager
def ground() -> Iterator[Ground]:
    """A ground on a short path that every user can reach; it is gone afterwards."""
    made = Ground(Path(tempfile.mkdtemp(prefix="wissel-ground-")))
    made.folder.chmod(0o755)
    for folder in (made.given, made.scratch, made.evidence):
        folder.mkdir()
    made.scratch.chmod(0o1777)
    for name, mode in (("canary", 0o666), ("given/canary", 0o666), ("secret", 0o600)):
        (made.folder / name).write_text("sings\n")
        (made.folder / name).chmod(mode)
    try:
        yield made
    finally:
        remove(made.folder)


class Looker:
    """Runs a driver in a real runner host, and checks after each call that nothing was touched and nothing is left."""

    def __init__(self, at: Ground, **environment: str) -> None:
        self.ground = at
        places = inherited() | {"TMPDIR": str(at.scratch)} | environment
        self.host = RunnerHost(drop_to=None, environment=places).start()
        self.calls = 0

    def close(self) -> None:
        self.host.close()
        assert soon(lambda: not processes(str(self.ground.scratch))), processes(str(self.ground.scratch))

    def ask(self, runner: str, seconds: float = 120, **params: Any) -> HostReply:
        """One call, with fresh evidence."""
        self.calls += 1
        for path in self.ground.evidence.iterdir():
            remove(path) if path.is_dir() else path.unlink()
        request = HostRequest(
            id=str(self.calls),
            call=Call.RUN,
            runner=runner,
            params=params,
            effect_key=f"run:step:{self.calls}",
            fencing_token=1,
            deadline=datetime.now(UTC) + timedelta(seconds=seconds),
            evidence=str(self.ground.evidence),
        )
        return self.host.call(request)

    def look(self, runner: str, *, seconds: float = 120, **params: Any) -> Outcome:
        """The outcome of one call; fails where it touched anything outside, or left a process or a scratch file."""
        before = self._outside()
        reply = self.ask(runner, seconds, **params)
        assert reply.outcome is not None, reply.error
        assert self._outside() == before
        assert soon(lambda: not list(self.ground.scratch.iterdir()), 5), list(self.ground.scratch.iterdir())
        assert soon(lambda: not self.strays(), 5), self.strays()
        sentence = reply.outcome.reason
        assert all(len(each) > 10 and each[0].isupper() and "None" not in each for each in (sentence.nl, sentence.en))
        return reply.outcome

    def peak(self) -> int:
        """The most memory that the host has held, in MiB."""
        status = Path(f"/proc/{self.host.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) // 1024

    def strays(self) -> list[str]:
        """Processes in the scratch folder, or below it, that are not the host."""
        return [each for each in processes(str(self.ground.scratch)) if not each.startswith(f"{self.host.pid} ")]

    def _outside(self) -> dict[str, tuple[Any, ...]]:
        found = snapshot(self.ground.folder)
        return {name: told for name, told in found.items() if not name.startswith(("scratch", "evidence"))}


def not_green(outcome: Outcome) -> bool:
    """Whether nobody could take it for good."""
    return outcome.verdict is not Verdict.PASSED
