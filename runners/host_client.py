"""The worker's side of a runner host: starts the child process, calls runners in it, and can kill it at any moment."""

import json
import os
import pwd
import selectors
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from runners.cleaning import LINES, cleaned, plain
from runners.contract import Text
from runners.host_protocol import LONGEST_LINE, Call, HostReply, HostRequest, Progress
from runners.processes import MARK, is_alive, kill_marked, kill_tree
from runners.secrets import SiteSecrets, of_command, references
from runners.term import Term

READY_WITHIN = 20.0
"""Seconds that a new host has to report; it takes a quarter of a second on an idle machine."""
GRACE = 0.5
"""Seconds past its deadline before a call's host is killed: a runner that watches its deadline answers in time."""
_HOST = b"runners.host"
MOST_SAID = LINES + 500
"""Replies to one call, its progress not counted; the host itself says less."""
MOST_MEMORY = 1024 * 1024 * 1024
"""Bytes that a runner host may hold; what it reads from files is not counted, nor the programs that it starts."""
LOOK_EVERY = 0.25
"""Seconds between two looks at a host at work."""
_PASSED_ON = ("WISSEL_LAB_", "WISSEL_RUNNER_")
_NEVER = ("WISSEL_SECRET", "CREDENTIALS_DIRECTORY")
"""Not even where a whole environment is given: secrets go through the pipe, so that no program inherits them."""


class HostRefused(Exception):
    """A runner host cannot be started here; the message says what to do."""


class HostDied(Exception):
    """The host ended, or was killed, before it answered: the outcome of the call is unknown. `text` is for people."""

    def __init__(self, nl: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(nl=nl, en=en)


class DeadlinePassed(HostDied):
    """The host was killed because the call had not answered at its deadline."""


class RunnerHost:
    """One runner host. `call` is for one thread at a time; `kill` may come from any thread.

    `drop_to`: when this process is root, the user that the host runs as; None keeps root (for a site whose runners
    need it). `environment`: the host's whole environment; default this one's without the application's settings.
    `interpreter`: a Python that this user can reach and that finds `runners` and its dependencies. `term`: until when
    it may act; None: for as long as it runs. `secrets`: those of the site; default: those of `environment`.
    """

    def __init__(
        self,
        *,
        drop_to: str | None = "nobody",
        environment: Mapping[str, str] | None = None,
        interpreter: str = sys.executable,
        term: Term | None = None,
        secrets: SiteSecrets | None = None,
    ) -> None:
        given = environment if environment is not None else inherited()
        self._secrets = secrets or SiteSecrets(environment if environment is not None else os.environ)
        self._interpreter, self._term = interpreter, term
        self._drop_to = drop_to if os.geteuid() == 0 else None
        self._mark = uuid.uuid4().hex
        kept = {name: value for name, value in given.items() if not name.startswith(_NEVER)}
        self._environment = {**kept, MARK: self._mark}
        self._looked = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._talk: Lines | None = None
        self._killed = False
        self._lock = threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and not self._killed and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id, which is also that of the process group."""
        return self._process.pid if self._process else None

    def start(self) -> "RunnerHost":
        """Start it and wait until it is ready. Raises `HostRefused`."""
        errors = _Tail()
        with self._lock:
            self._process = self._spawn(errors.write_end)
        errors.begin()
        out = self._process.stdout
        if out is None:
            raise HostRefused("the runner host has no output pipe")
        self._talk = Lines(out.fileno())
        try:
            ready = self._talk.next(time.monotonic() + READY_WITHIN)
        except (TimeoutError, OverflowError):
            self.kill()
            raise HostRefused(f"the runner host was not ready within {READY_WITHIN:g} seconds") from None
        if ready is None:
            self.kill()
            raise HostRefused(f"the runner host did not start{self._as_whom()}: {errors.text() or 'it said nothing'}")
        return self

    def call(
        self,
        request: HostRequest,
        on_progress: Callable[[Progress], None] | None = None,
        on_log: Callable[[str], None] | None = None,
    ) -> HostReply:
        """Ask, pass on progress and log lines, and give the reply that ends the call.

        Raises `DeadlinePassed` (the host was killed then) and `HostDied`; both mean that the outcome is unknown.
        """
        until = time.monotonic() + (request.deadline - datetime.now(UTC)).total_seconds() + GRACE
        self._hand_over(Path(request.evidence))
        self._send(self._with_secrets(request).model_dump_json().encode() + b"\n")
        said = 0
        while True:
            reply = self._reply(until)
            said += reply.progress is None
            if said > MOST_SAID:
                self.kill()
                raise HostDied(
                    "hij zei meer dan een uitvoerder mag; zijn processen zijn beëindigd",
                    "it said more than a runner host may; its processes were killed",
                )
            # Without an id it can only say that the request was no request.
            if reply.id != request.id and (reply.id or reply.error is None):
                continue
            if reply.progress is not None and on_progress:
                on_progress(reply.progress.model_copy(update={"text": self._secrets.masks.mask(reply.progress.text)}))
            if reply.log is not None and on_log:
                on_log(self._secrets.masks.mask(reply.log))
            if reply.spent:
                self.kill()
            if reply.final:
                return self._masked(reply)

    def warm(self, names: Iterable[str]) -> None:
        """Let it load these drivers; does not wait for that. Raises `HostDied`."""
        request = HostRequest(
            id="warm",
            call=Call.WARM,
            runner="",
            effect_key="",
            fencing_token=0,
            deadline=datetime.now(UTC),
            evidence="",
            soon=tuple(names),
        )
        self._send(request.model_dump_json().encode() + b"\n")

    def kill(self) -> None:
        """SIGKILL the host and everything below it, now; a pending call raises `HostDied`. Harmless when repeated."""
        with self._lock:
            process, already = self._process, self._killed
            self._killed = True
        if process is None or already:
            return
        if process.poll() is None:
            kill_tree(process.pid)
        process.wait()

    def close(self, within: float = 3.0) -> None:
        """Let an idle host close its connections and end; kill it when it has not ended `within` seconds."""
        process = self._process
        if process is not None and process.poll() is None and not self._killed and process.stdin:
            process.stdin.close()
            try:
                process.wait(within)
            except subprocess.TimeoutExpired:
                self.kill()
        self.kill()
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()
        if self._talk is not None:
            self._talk.close()

    def __enter__(self) -> "RunnerHost":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _with_secrets(self, request: HostRequest) -> HostRequest:
        """The request with the values of the secrets that its parameters name, and of no other."""
        wanted = references(request.params) | of_command(request.policy, request.params)
        handed = self._secrets.hand(wanted)
        return request.model_copy(update={"secrets": handed.values, "missing": handed.missing})

    def _masked(self, reply: HostReply) -> HostReply:
        """The reply without any secret of this site: the host itself knows only those that it was given."""
        told = self._secrets.masks.mask_all(reply.model_dump(mode="json"))
        if reply.outcome is not None:
            for shown, given in zip(told["outcome"]["evidence"], reply.outcome.evidence, strict=True):
                shown["path"] = given.path  # it is only used to find the file
        return HostReply.model_validate(told)

    def _spawn(self, errors: int) -> subprocess.Popen[bytes]:
        whom = _account(self._drop_to) if self._drop_to else None
        shared = (self._term.descriptor,) if self._term else ()
        try:
            return subprocess.Popen(
                [self._interpreter, "-P", "-m", "runners.host", str(os.getpid()), *map(str, shared)],
                pass_fds=shared,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd="/",
                env=self._environment,
                start_new_session=True,
                user=whom.pw_uid if whom else None,
                group=whom.pw_gid if whom else None,
                extra_groups=[] if whom else None,
                umask=0o077,
                bufsize=0,
            )
        except PermissionError as error:
            raise HostRefused(
                f"user '{self._drop_to}' cannot reach the interpreter {Path(self._interpreter).resolve()}: make the "
                "virtual environment with a Python that every user can read, or name a user that can read this one"
            ) from error
        finally:
            os.close(errors)

    def _as_whom(self) -> str:
        return f" as user '{self._drop_to}'" if self._drop_to else ""

    def _hand_over(self, evidence: Path) -> None:
        if self._drop_to and evidence.is_dir():
            account = _account(self._drop_to)
            os.chown(evidence, account.pw_uid, account.pw_gid)

    def _send(self, line: bytes) -> None:
        if self._process is None or self._process.stdin is None or self._killed:
            raise HostDied("hij draait niet", "the runner host does not run")
        try:
            view = memoryview(line)
            while view:
                view = view[self._process.stdin.write(view) or 0 :]
        except (BrokenPipeError, ValueError) as error:
            self.kill()
            raise HostDied("hij was al geëindigd", "the runner host had ended") from error

    def _reply(self, until: float) -> HostReply:
        assert self._talk is not None  # noqa: S101 - _send has refused already where the host was not started
        try:
            line = self._line(self._talk, until)
            if line is not None:
                # Cleaned on this side too: a driver that means harm can write to the pipe past its own host.
                return HostReply.model_validate_json(json.dumps(cleaned(json.loads(line))))
        except TimeoutError as late:
            self.kill()
            raise DeadlinePassed(
                "hij had op tijd geen antwoord; zijn processen zijn beëindigd",
                "the call had not answered at its deadline; its processes were killed",
            ) from late
        except (ValueError, RecursionError, OverflowError) as error:
            self.kill()
            raise HostDied(
                "hij gaf iets dat geen antwoord is", "the runner host said something that is no reply"
            ) from error
        self.kill()
        # It died by itself, so nobody ended what it had started.
        kill_marked(self._mark)
        raise HostDied("hij eindigde voordat hij antwoord gaf", "the runner host ended before it answered")

    def _line(self, talk: "Lines", until: float) -> bytes | None:
        """The next line, or None where the host ended; looks at it meanwhile. Raises TimeoutError at `until`."""
        while True:
            self._look()
            try:
                return talk.next(min(until, time.monotonic() + LOOK_EVERY))
            except TimeoutError:
                if time.monotonic() >= until:
                    raise
                if not self.alive:  # something that it forked may still hold its pipe
                    return None

    def _look(self) -> None:
        """Kill a host that takes too much memory: the machine would choose somebody else."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY or self._process is None:
            return
        self._looked = now
        if _memory(self._process.pid) > MOST_MEMORY:
            self.kill()
            most = MOST_MEMORY // 2**20
            raise HostDied(
                f"hij nam meer dan {most} MiB geheugen; zijn processen zijn beëindigd",
                f"it took more than {most} MiB of memory; its processes were killed",
            )


def end_hosts(parent: int) -> None:
    """End the runner hosts that a process which is no more had started, with everything below them.

    They end by themselves when they notice; but whoever takes over its steps at once must know that they have.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            argv = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended meanwhile
        if _HOST in argv and argv[argv.index(_HOST) + 1 :][:1] == [str(parent).encode()]:
            _end(int(folder.name))


def _end(pid: int, within: float = 2.0) -> None:
    kill_tree(pid)
    until = time.monotonic() + within
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.005)


class Lines:
    """Lines from a pipe, each waited for until a moment."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(descriptor, selectors.EVENT_READ)

    def close(self) -> None:
        """Stop waiting on the pipe; the pipe itself is its owner's."""
        self._selector.close()

    def next(self, until: float) -> bytes | None:
        """The next line, or None at the end. Raises TimeoutError at `until` (monotonic), OverflowError if too long."""
        searched = 0
        while (end := self._rest.find(b"\n", searched)) < 0:
            searched = len(self._rest)
            if searched > LONGEST_LINE:
                raise OverflowError("the line is too long")
            # A moment in the past still looks once: an answer that lies ready is not thrown away.
            if not self._selector.select(max(0.0, until - time.monotonic())):
                raise TimeoutError
            chunk = os.read(self._descriptor, 65_536)
            if not chunk:
                return None
            self._rest += chunk
        line, self._rest = self._rest[:end], self._rest[end + 1 :]
        return line


class _Tail(threading.Thread):
    """Reads what a host writes to its real stderr and keeps the end of it, for the message when it does not start.

    It is not passed on: it may hold values that only the host can mask.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._read_end, self.write_end = os.pipe()
        self._kept = b""

    def begin(self) -> None:
        """Start reading."""
        self.start()

    def run(self) -> None:
        """Read until every process that has the other end is gone."""
        with os.fdopen(self._read_end, "rb", buffering=0) as source:
            while chunk := source.read(65_536):
                self._kept = (self._kept + chunk)[-2_000:]

    def text(self) -> str:
        """The last lines, once the host has ended."""
        self.join(1.0)
        lines = self._kept.decode(errors="replace").strip().splitlines()
        return plain(lines[-1] if lines else "")


def _memory(pid: int) -> int:
    """Bytes of its own that a process holds; 0 where it cannot be seen."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(("RssAnon:", "VmSwap:")))


def inherited() -> dict[str, str]:
    """This process's environment without the application's own settings: a driver needs no database of ours."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WISSEL_", *_NEVER)) or name.startswith(_PASSED_ON)
    }


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise HostRefused(f"there is no user '{user}' on this machine to run the runner host as") from None
