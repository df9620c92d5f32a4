"""The runner host: one child process per running branch, which runs the bodies of runners (`python -m runners.host`).

It reads a `HostRequest` a line on stdin and writes `HostReply` lines on what was its stdout; what runners print
goes to the log of their step. It ends, and kills everything it started, when its stdin closes or its parent dies.
A worker talks to it through `runners.host_client.RunnerHost`.
"""

import ctypes
import io
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any, BinaryIO

from pydantic import BaseModel, ValidationError

from runners.cleaning import Log, cleaned
from runners.contract import (
    Observation,
    Outcome,
    Preview,
    Runner,
    SecretMissing,
    Seen,
    Text,
    could_not_look,
)
from runners.host_context import HostContext, Keeper
from runners.host_evidence import EvidenceWrong, settle
from runners.host_protocol import LONGEST_LINE, Call, ErrorKind, HostRequest
from runners.masking import Masks
from runners.processes import adopt_orphans, end_with_children
from runners.registry import GROUP
from runners.surroundings import Surroundings
from runners.term import Leave

_PR_SET_PDEATHSIG = 1
_ANSWERS: dict[Call, tuple[str, type[BaseModel]]] = {
    Call.RUN: ("outcome", Outcome),
    Call.UNDO: ("outcome", Outcome),
    Call.OBSERVE: ("observation", Observation),
    Call.PREVIEW: ("preview", Preview),
}


class CallFailed(Exception):
    """A call that gives no answer of the kind that was asked for."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Pipe:
    """The way to the parent; whole lines, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._out = os.fdopen(descriptor, "wb", buffering=0)
        self._lock = threading.Lock()

    def say(self, **reply: Any) -> None:
        """Send one reply; a parent that is gone is noticed on stdin, not here."""
        line = json.dumps(reply, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        with self._lock:
            try:
                view = memoryview(line)
                while view:
                    view = view[self._out.write(view) or 0 :]
            except BrokenPipeError:
                end_with_children()


class Prints(io.TextIOBase):
    """Stands in for sys.stdout and sys.stderr: what a runner prints becomes lines of its step's log."""

    def __init__(self) -> None:
        self.log: Log | None = None
        self._begun = ""

    def write(self, text: str) -> int:
        """Keep what is no whole line yet, and log the rest."""
        *lines, self._begun = (self._begun + text).split("\n")
        if len(self._begun) > 10_000:
            lines, self._begun = [*lines, self._begun], ""
        for line in lines:
            if self.log is not None:
                self.log.add(line)
        return len(text)

    def finish(self) -> None:
        """Log the last line, which had no end."""
        if self._begun:
            self.write("\n")

    def writable(self) -> bool:
        """Always."""
        return True


class Host:
    """Answers the requests of one parent, one at a time."""

    def __init__(self, pipe: Pipe, prints: Prints, leave: Leave | None = None) -> None:
        self._pipe, self._prints, self._masks = pipe, prints, Masks()
        self._leave = leave or Leave(None)
        self.life: int | None = None
        """The worker's life in which the present call was begun."""
        self._keeper = Keeper()
        self._surroundings, self._born = Surroundings(), os.getpid()
        self._runners: dict[str, Runner] = {}

    def handle(self, line: bytes) -> None:
        """Answer one request."""
        identity = ""
        try:
            identity, request = _parse(line)
            self.life = request.life
            for value in request.secrets.values():
                self._masks.add(value)
            if not self._leave.holds(request.life):
                raise CallFailed(ErrorKind.TERM_OVER, "the worker was held for dead: the step is not its own any more")
            self._answer(request)
        except CallFailed as failure:
            self._reply(identity, error={"kind": failure.kind, "message": cleaned(str(failure), self._masks.mask)})
        finally:
            self.life = None

    def watch(self) -> None:
        """End with everything that was started, the moment that it may not act any more; for a thread of its own."""
        while self._leave.holds(self.life):
            self._leave.wait()
        end_with_children()

    def begin(self) -> None:
        """From now on what is here, threads included, is how it should stand before each call."""
        self._surroundings = Surroundings()

    def close(self) -> None:
        """Close what was kept."""
        self._keeper.close()

    def _reply(self, identity: str, **answer: Any) -> None:
        """End a call: put everything back as it was first, for the next call is of another driver."""
        if os.getpid() != self._born:
            os._exit(0)  # a driver forked us and let both return: this is the copy
        whole = self._surroundings.restore()
        self._pipe.say(id=identity, **answer, **({} if whole else {"spent": True}))

    def _answer(self, request: HostRequest) -> None:
        log = Log(self._masks, lambda line: self._pipe.say(id=request.id, log=line))
        self._prints.log = log
        try:
            self._load_ahead(request.soon)
            if request.call is Call.WARM:
                return
            runner = self._runner(request.runner)
            params = _params(runner, request.params)
            answer = self._call(runner, params, request, log)
        finally:
            self._prints.finish()
            self._prints.log = None
            log.close()
        self._reply(request.id, **answer)

    def _call(self, runner: Runner, params: BaseModel, request: HostRequest, log: Log) -> dict[str, Any]:
        def tell(done: int, total: int, text: str) -> None:
            shown = cleaned(str(text), self._masks.mask)
            self._pipe.say(id=request.id, progress={"done": int(done), "total": int(total), "text": shown})

        context = HostContext(request, self._keeper, log, tell, self._leave)
        field, kind = _ANSWERS[request.call]
        try:
            given = getattr(runner, request.call.value)(params, context)
        except SecretMissing as missing:
            given = _without_secret(request.call, missing.text)
        except BaseException as error:  # a foreign runner may raise anything, to leave Python included
            log.add(traceback.format_exc())
            raise CallFailed(ErrorKind.RUNNER_RAISED, f"{runner.name} raised {type(error).__name__}") from error
        answer = _checked(given, kind, runner.name)
        try:
            settle(context.evidence, answer.get("evidence") or [], self._masks)
        except EvidenceWrong as wrong:
            raise CallFailed(ErrorKind.NONSENSE, f"{runner.name}: {wrong}") from wrong
        return {field: _shown(answer, self._masks)}

    def _load_ahead(self, names: Iterable[str]) -> None:
        """Load drivers before they are needed; what is wrong with one of them is told when it is called itself."""
        for name in names:
            with suppress(CallFailed):
                self._runner(name)

    def _runner(self, name: str) -> Runner:
        if name not in self._runners:
            self._runners[name] = _load(name)
        return self._runners[name]


def _parse(line: bytes) -> tuple[str, HostRequest]:
    try:
        request = HostRequest.model_validate_json(line)
    except ValidationError as error:
        raise CallFailed(ErrorKind.REQUEST_INVALID, _problems(error)) from error
    if request.deadline.tzinfo is None:
        raise CallFailed(ErrorKind.REQUEST_INVALID, "deadline: has no time zone")
    return request.id, request


def _params(runner: Runner, params: Mapping[str, Any]) -> BaseModel:
    try:
        return runner.Params.model_validate_json(json.dumps(dict(params)))
    except ValidationError as error:
        raise CallFailed(ErrorKind.PARAMS_INVALID, _problems(error)) from error


def _problems(error: ValidationError) -> str:
    # The given value is left out: it may be long, and it is known to whoever sent it.
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'whole'}: {each['msg']}" for each in error.errors())


def _checked(given: Any, kind: type[BaseModel], name: str) -> dict[str, Any]:
    """The answer as JSON values; read back, for a shape can be made that its own checks would refuse (NaN, say)."""
    if not isinstance(given, kind):
        raise CallFailed(ErrorKind.NONSENSE, f"{name} answered {type(given).__name__} instead of {kind.__name__}")
    try:
        text = given.model_dump_json()
        kind.model_validate_json(text)
    except Exception as error:  # it may be a shape of the runner's own, with methods that raise anything
        told = _problems(error) if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
        raise CallFailed(ErrorKind.NONSENSE, f"{name} answered an impossible {kind.__name__}: {told[:500]}") from error
    if len(text) > LONGEST_LINE // 4:
        raise CallFailed(ErrorKind.NONSENSE, f"{name} answered {len(text)} characters, which is too much")
    answer: dict[str, Any] = json.loads(text)
    return answer


def _shown(answer: dict[str, Any], masks: Masks) -> dict[str, Any]:
    """The answer as it may be told; where its files lie is for the worker alone, who finds them by it."""
    shown: dict[str, Any] = cleaned(answer, masks.mask)
    for told, given in zip(shown.get("evidence") or (), answer.get("evidence") or (), strict=True):
        told["path"] = given["path"]
    return shown


def _without_secret(call: Call, why: Text) -> BaseModel:
    nl, en = f"Deze locatie mist een geheim: {why.nl}.", f"This site misses a secret: {why.en}."
    match call:
        case Call.OBSERVE:
            return Observation(seen=Seen.UNKNOWN, reason=Text(nl=nl, en=en))
        case Call.PREVIEW:
            raise CallFailed(ErrorKind.RUNNER_RAISED, why.en)
        case _:
            return could_not_look(nl, en)


def _load(name: str) -> Runner:
    """Only the runner that is asked for is imported: the first step of a branch must not wait for all the others."""
    found = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    if not found:
        raise CallFailed(ErrorKind.RUNNER_UNKNOWN, f"no runner called '{name}' is installed at this site")
    try:
        kind = found[0].load()
        if not (isinstance(kind, type) and issubclass(kind, Runner) and kind.name == name):
            raise CallFailed(ErrorKind.RUNNER_UNKNOWN, f"'{found[0].value}' is no runner called '{name}'")
        return kind()
    except CallFailed:
        raise
    except Exception as error:  # a foreign package may raise anything while it is imported
        raise CallFailed(ErrorKind.RUNNER_UNKNOWN, f"runner '{name}' does not import: {error!r}") from error


class Requests(threading.Thread):
    """Reads stdin all the time, so that its end is noticed in the middle of a call too."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__(daemon=True)
        self._source = source
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.busy = threading.Event()

    def run(self) -> None:
        """Pass lines on; when the parent is gone while a runner works, end at once."""
        while (line := self._source.readline(LONGEST_LINE)).endswith(b"\n"):
            self._lines.put(line)
        if self.busy.is_set():
            end_with_children()
        self._lines.put(None)

    def next(self) -> bytes | None:
        """The next request, or None when there will be none."""
        return self._lines.get()


def _tie_to_parent() -> None:
    """Die with the parent, and let nothing that a runner starts get away by forking twice.

    The signal also comes when only the *thread* that started us ends: that is no death of the parent.
    """
    parent = int(sys.argv[1]) if len(sys.argv) > 1 else os.getppid()

    def look(_number: int, _frame: object) -> None:
        if os.getppid() != parent:
            end_with_children()

    signal.signal(signal.SIGUSR1, look)
    signal.signal(signal.SIGTERM, lambda *_: end_with_children())
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1, 0, 0, 0)
    adopt_orphans(True)
    if os.getppid() != parent:
        end_with_children()


def _own_pipes() -> tuple[BinaryIO, Pipe, Prints]:
    """Take stdin and stdout away from whatever runs here: reads see nothing, prints go to the log."""
    source, answers = os.fdopen(os.dup(0), "rb"), Pipe(os.dup(1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    prints = Prints()
    sys.stdout = sys.stderr = prints
    return source, answers, prints


def main() -> None:
    """Serve until stdin closes."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    _tie_to_parent()
    source, pipe, prints = _own_pipes()
    requests = Requests(source)
    host = Host(pipe, prints, Leave(int(sys.argv[2]) if len(sys.argv) > 2 else None))
    requests.start()
    threading.Thread(target=host.watch, daemon=True).start()
    host.begin()
    try:
        pipe.say(id="", log="ready")
        while (line := requests.next()) is not None:
            requests.busy.set()
            host.handle(line)
            requests.busy.clear()
        host.close()
    finally:
        end_with_children()  # also where a driver broke what we stand on: its pipe, its threads


if __name__ == "__main__":
    main()
