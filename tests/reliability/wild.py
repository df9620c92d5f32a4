"""Drivers that misbehave in every way that a program can; found by entry points as any other."""

import ctypes
import gc
import locale
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from runners.contract import (
    Context,
    Effect,
    Evidence,
    Measurement,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    Seen,
    Text,
    Verdict,
    passed,
)
from runners.processes import MARK

WORDS = Text(nl="Zo is het.", en="So it is.")
MARKER = "7391.5"


class WildParams(BaseModel):
    """`do`: what it does; `folder`: where it may tell of it."""

    do: str = "behave"
    folder: str = "/nowhere"


class Odd(Outcome):
    """An outcome with methods of its own."""

    def model_dump_json(self, **_: Any) -> str:
        raise OSError("not today")


class Unheard(BaseException):
    """Nothing that anybody catches."""


class Wild(Runner):
    """Does one wild thing."""

    name = "wild.thing"
    Params = WildParams
    effect: ClassVar[Effect] = Effect.ISOLATED
    repeat: ClassVar[Repeat] = Repeat.OBSERVABLE

    def preview(self, params: WildParams, context: Context) -> Preview:
        return Preview(calls=("wild",), changes=WORDS)

    def observe(self, params: WildParams, context: Context) -> Observation:
        return Observation(seen=Seen.UNKNOWN, reason=WORDS)

    def run(self, params: WildParams, context: Context) -> Outcome:
        return getattr(self, "do_" + params.do.replace(" ", "_"))(params, context) or passed(WORDS.nl, WORDS.en)

    def do_behave(self, params: WildParams, context: Context) -> Outcome:
        values = {
            "cwd": os.getcwd(),
            "umask": f"{_umask():o}",
            "environment": "|".join(f"{key}={os.environ[key]}" for key in sorted(os.environ) if key != MARK),
            "locale": locale.setlocale(locale.LC_ALL),
            "signals": "|".join(_handler(each) for each in sorted(signal.valid_signals())),
            "blocked": str(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
            "timer": str(signal.getitimer(signal.ITIMER_REAL)),
            "streams": f"{type(sys.stdout).__name__} {type(sys.stderr).__name__}",
            "zone": str(time.localtime(0).tm_hour),
            "path": str(sys.path[0]),
            "timeout": str(socket.getdefaulttimeout()),
            "collects": str(gc.isenabled()),
            "recursion": str(sys.getrecursionlimit()),
            "threads": str(threading.active_count()),
        }
        told = (Measurement(name=key, value=value[:1900]) for key, value in values.items())
        return passed(WORDS.nl, WORDS.en, *told)

    # It hangs.
    def do_sleep(self, params: WildParams, context: Context) -> None:
        time.sleep(600)

    def do_spin(self, params: WildParams, context: Context) -> None:
        while True:
            pass

    def do_hold_the_interpreter(self, params: WildParams, context: Context) -> None:
        ctypes.PyDLL(None).sleep(600)

    def do_ignore_every_signal(self, params: WildParams, context: Context) -> None:
        for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(each, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        time.sleep(600)

    def do_stop_itself(self, params: WildParams, context: Context) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600)

    def do_match_for_ever(self, params: WildParams, context: Context) -> None:
        import re

        re.fullmatch("(a+)+b", "a" * 60)

    # It floods.
    def do_flood_print(self, params: WildParams, context: Context) -> None:
        for _ in range(300):
            print("x" * 1_000_000)

    def do_flood_one_line(self, params: WildParams, context: Context) -> None:
        print("x" * 200_000_000)

    def do_flood_stderr(self, params: WildParams, context: Context) -> None:
        chunk = b"y" * 1_000_000
        for _ in range(1000):
            os.write(2, chunk)

    def do_flood_program(self, params: WildParams, context: Context) -> None:
        subprocess.run(["head", "-c", "1000000000", "/dev/zero"], check=True)

    def do_flood_log(self, params: WildParams, context: Context) -> None:
        for _ in range(50_000):
            context.log("z" * 5000)

    def do_flood_progress(self, params: WildParams, context: Context) -> None:
        for number in range(100_000):
            context.progress(1, 1, "p" * 3000 + str(number))

    def do_odd_progress(self, params: WildParams, context: Context) -> None:
        context.progress(10**400, -5, "\x1b]0;x\x07\u202e\ud800" + "q" * 10**7)

    # It answers nonsense.
    def do_none_at_all(self, params: WildParams, context: Context) -> Any:
        return ["not", "an", "outcome"]

    def do_not_a_number(self, params: WildParams, context: Context) -> Outcome:
        return passed("a", "b", Measurement(name="x", value=float("nan")))

    def do_infinity(self, params: WildParams, context: Context) -> Outcome:
        return passed("a", "b", Measurement(name="x", value=float("1e400")))

    def do_surrogates(self, params: WildParams, context: Context) -> Outcome:
        return passed("a\ud800", "b\udfff")

    def do_wrong_types(self, params: WildParams, context: Context) -> Outcome:
        return Outcome.model_construct(verdict="splendid", reason=7, measurements=None, evidence="x")

    def do_green_in_disguise(self, params: WildParams, context: Context) -> Outcome:
        return Outcome.model_construct(verdict=True, reason=WORDS)

    def do_a_shape_that_raises(self, params: WildParams, context: Context) -> Outcome:
        return Odd(verdict=Verdict.PASSED, reason=WORDS)

    def do_a_huge_number(self, params: WildParams, context: Context) -> Outcome:
        return passed("a", "b", Measurement(name="x", value=10**5000))

    def do_a_huge_reason(self, params: WildParams, context: Context) -> Outcome:
        return passed("a" * 50_000_000, "b")

    def do_a_list_of_evidence(self, params: WildParams, context: Context) -> Outcome:
        return passed("a", "b", evidence=tuple(Evidence(path=f"{n}") for n in range(100_000)))

    def do_evidence_outside(self, params: WildParams, context: Context) -> Outcome:
        return passed("a", "b", evidence=(Evidence(path="../../canary"),))

    def do_evidence_absolute(self, params: WildParams, context: Context) -> Outcome:
        return passed("a", "b", evidence=(Evidence(path="/etc/passwd"),))

    def do_evidence_behind_a_link(self, params: WildParams, context: Context) -> Outcome:
        (context.evidence / "d").symlink_to("/etc")
        return passed("a", "b", evidence=(Evidence(path="d/passwd"),))

    def do_evidence_that_is_a_pipe(self, params: WildParams, context: Context) -> Outcome:
        os.mkfifo(context.evidence / "pipe")
        return passed("a", "b", evidence=(Evidence(path="pipe"),))

    def do_evidence_of_a_gigabyte(self, params: WildParams, context: Context) -> Outcome:
        with (context.evidence / "big").open("wb") as file:
            file.truncate(2**30)
        return passed("a", "b", evidence=(Evidence(path="big"),))

    def do_evidence_too_deep(self, params: WildParams, context: Context) -> Outcome:
        os.chdir(context.evidence)
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        return passed("a", "b")

    # It raises.
    def do_exit(self, params: WildParams, context: Context) -> None:
        sys.exit(0)

    def do_interrupt(self, params: WildParams, context: Context) -> None:
        raise KeyboardInterrupt

    def do_no_memory(self, params: WildParams, context: Context) -> None:
        raise MemoryError("x" * 50_000_000)

    def do_recurse(self, params: WildParams, context: Context) -> None:
        self.do_recurse(params, context)

    def do_unheard(self, params: WildParams, context: Context) -> None:
        raise Unheard

    def do_raise_nonsense(self, params: WildParams, context: Context) -> None:
        class Nasty(Exception):
            def __str__(self) -> str:
                raise ValueError("not even that")

        raise Nasty

    # It breaks what it stands on.
    def do_close_everything(self, params: WildParams, context: Context) -> None:
        os.closerange(0, 200)

    def do_write_to_the_pipe(self, params: WildParams, context: Context) -> None:
        for each in _pipes():
            os.write(each, b'{"id": "", "outcome": {"verdict": "passed", "reason": {"nl": "vals", "en": "forged"}}}\n')

    def do_write_rubbish_to_the_pipe(self, params: WildParams, context: Context) -> None:
        for each in _pipes():
            os.write(each, b"\xff\x00rubbish\n" * 10)

    def do_write_a_gigantic_line(self, params: WildParams, context: Context) -> None:
        for each in _pipes():
            for _ in range(40):
                _all_of(each, b"x" * 1_000_000)

    def do_write_lines_without_end(self, params: WildParams, context: Context) -> None:
        for each in _pipes():
            while True:
                _all_of(each, b'{"id": "wild", "log": "' + b"x" * 1000 + b'"}\n')

    def do_leave_at_once(self, params: WildParams, context: Context) -> None:
        os._exit(0)

    def do_kill_its_host(self, params: WildParams, context: Context) -> None:
        _left_behind()
        os.kill(os.getpid(), signal.SIGKILL)

    def do_abort_in_c(self, params: WildParams, context: Context) -> None:
        _left_behind()
        ctypes.string_at(0)

    # It leaves things behind.
    def do_leave_children(self, params: WildParams, context: Context) -> None:
        _left_behind()

    def do_fork_itself(self, params: WildParams, context: Context) -> None:
        os.fork()

    def do_leave_a_thread(self, params: WildParams, context: Context) -> None:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

    def do_take_memory(self, params: WildParams, context: Context) -> None:
        held = []
        while True:
            held.append(b"m" * 50_000_000)

    def do_take_descriptors(self, params: WildParams, context: Context) -> None:
        held = []
        while True:
            held.append(Path("/dev/null").open())  # noqa: SIM115

    def do_turn_all_over(self, params: WildParams, context: Context) -> None:
        os.chdir("/usr")
        os.umask(0)
        os.environ.clear()
        os.environ |= {"WILD": "1", "PATH": "/nowhere", "TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8"}
        time.tzset()
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        for each in (signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(each, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
        signal.setitimer(signal.ITIMER_REAL, 100)
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        sys.path.insert(0, "/nowhere")
        sys.setrecursionlimit(300)
        socket.setdefaulttimeout(0.001)
        gc.disable()


def _handler(number: int) -> str:
    found = signal.getsignal(number)
    return getattr(found, "__qualname__", str(found))


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def _all_of(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _pipes() -> list[int]:
    """The descriptors above the standard ones that lead into a pipe and can be written to."""
    found = []
    for each in range(3, 50):
        try:
            if os.readlink(f"/proc/self/fd/{each}").startswith("pipe:") and os.get_blocking(each):
                os.write(each, b"")
                found.append(each)
        except OSError:
            continue
    return found


def _left_behind() -> None:
    """A child, one in a session of its own, one that forked twice, and one without our environment."""
    subprocess.Popen(["sleep", MARKER])
    subprocess.Popen(["setsid", "sleep", MARKER])
    subprocess.run(["sh", "-c", f"setsid sleep {MARKER} >/dev/null 2>&1 &"], check=True)
    time.sleep(0.1)


KINDS: tuple[type[Wild], ...] = (Wild,)


def install(folder: Path) -> Path:
    """Write what an installed package of drivers has; the folder to put on the path."""
    info = folder / "wissel_wild-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wissel-wild\nVersion: 1.0\n")
    entries = "".join(f"{kind.name} = {kind.__module__}:{kind.__qualname__}\n" for kind in KINDS)
    (info / "entry_points.txt").write_text(f"[wissel.runners]\n{entries}")
    return folder
