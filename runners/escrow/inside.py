"""Runs inside the clean room, alone and with the standard library only: builds, hashes, starts and asks.

Started by `runners.escrow.sandbox` as ``python3 -I -S inside.py PLAN REPORT``: PLAN is a file with the plan (JSON),
REPORT the number of an open file descriptor for its report, a JSON object a line. What the deposit's own programs print
goes to stdout. It lowers its rights before it starts any of them.
"""

import ctypes
import hashlib
import http.client
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_NO_NEW_PRIVS = 38
PR_SET_DUMPABLE = 4
LARGEST_ANSWER = 1024 * 1024
MOST_ARTEFACTS = 1000
STAYS = 1.0
"""Seconds after which what answered right is asked again: one that stops after its first answer serves nobody."""


def main() -> None:
    """Do the plan; every ending is reported."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    report = os.fdopen(int(sys.argv[2]), "w", encoding="utf-8", buffering=1)
    os.set_inheritable(report.fileno(), False)

    def tell(**what: Any) -> None:
        report.write(json.dumps(what) + "\n")

    lower_rights(plan)
    tell(event="inside", uid=os.getuid())
    try:
        work = prepare(plan)
        if build(plan, work, tell) and hash_artefacts(plan, work, tell) and plan["smoke"]:
            smoke(plan["smoke"], work, tell)
    except OSError as error:
        # Most often: the size-limited folder is full.
        tell(event="trouble", message=f"{error.strerror or error}: {error.filename or ''}")
    except RecursionError:
        tell(event="trouble", message="there are folders too deep to look through")


def say(line: str) -> None:
    """A line of our own between those of the deposit's programs."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def lower_rights(plan: dict[str, Any]) -> None:
    """Become the ordinary user, without a way back, and within the limits."""
    limits = plan["limits"]
    for number, value in (
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["size"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        lower(number, value)
    if plan["uid"] is not None:
        os.setgroups([])
        os.setresgid(plan["gid"], plan["gid"], plan["gid"])
        os.setresuid(plan["uid"], plan["uid"], plan["uid"])
    # Only now, for it does not bind root.
    lower(resource.RLIMIT_NPROC, limits["processes"])
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    # The programs of the deposit run as the same user and must not reach into this process.
    library.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def lower(number: int, value: int) -> None:
    """Set a limit, never above what already holds."""
    hard = resource.getrlimit(number)[1]
    lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(number, (lowest, lowest))


def prepare(plan: dict[str, Any]) -> Path:
    """A writable copy of the deposit in the size-limited folder."""
    work = Path(plan["work"])
    for entry in Path(plan["deposit"]).iterdir():
        # Not the folder itself: it is not ours, and so its times and mode cannot be set.
        (shutil.copytree if entry.is_dir() else shutil.copy2)(entry, work / entry.name)
    (work / ".home").mkdir(exist_ok=True)
    os.chdir(work)
    return work


def build(plan: dict[str, Any], work: Path, tell: Any) -> bool:
    """Run the commands of the recipe; the first that does not end with 0 ends it."""
    for number, argv in enumerate(plan["build"]):
        tell(event="command", number=number)
        say(f"$ {' '.join(argv)}")
        began = time.monotonic()
        try:
            code = subprocess.run(argv, cwd=work, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT).returncode
        except (OSError, ValueError) as error:
            say(f"{argv[0]}: {error}")
            code = 127
        tell(event="ended", number=number, code=code, ms=round((time.monotonic() - began) * 1000))
        if code != 0:
            return False
    # Nothing that the build left running may change the artefacts while they are hashed.
    end_all_others()
    return True


def end_all_others() -> None:
    """SIGKILL every process in this room but the room's own first one and this one."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def hash_artefacts(plan: dict[str, Any], work: Path, tell: Any) -> bool:
    """Report size and SHA-256 of each promised artefact; false when one is missing."""
    complete, room = True, MOST_ARTEFACTS
    for name in plan["artefacts"]:
        files = artefact_files(work, name)
        if not files:
            tell(event="missing", path=name)
            complete = False
        files = files[: max(1, room)]
        room -= len(files)
        for path in files:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            tell(event="artefact", path=str(path.relative_to(work)), sha256=digest, size=path.stat().st_size)
    return complete


def artefact_files(work: Path, name: str) -> list[Path]:
    """The plain files that an artefact stands for: itself, or all in the folder; none when it leads outside."""
    path = work / name
    if not path.resolve().is_relative_to(work.resolve()):
        return []
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [each for each in found if each.is_file() and not each.is_symlink()][:MOST_ARTEFACTS]


def smoke(plan: dict[str, Any], work: Path, tell: Any) -> None:
    """Start what was built and ask it, until it answers right or the time is up."""
    say(f"$ {' '.join(plan['start'])}")
    began = time.monotonic()
    try:
        started = subprocess.Popen(plan["start"], cwd=work, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    except (OSError, ValueError) as error:
        tell(event="not started", message=f"{plan['start'][0]}: {error}")
        return
    last: dict[str, Any] = {"problem": "nothing was asked"}
    while time.monotonic() - began < plan["within_seconds"]:
        last = ask(plan["ask"], plan["within_seconds"] - (time.monotonic() - began))
        ended = started.poll()
        if last.get("right") or ended is not None:
            break
        time.sleep(0.05)
    took = round((time.monotonic() - began) * 1000)
    if last.get("right"):
        time.sleep(STAYS)
        again = ask(plan["ask"], plan["within_seconds"])
        if not again.get("right") or started.poll() is not None:
            last = {**again, "right": False, "problem": again.get("problem", "ended"), "first_right": True}
    tell(event="answer", ms=took, exit_code=started.poll(), **last)
    end_all_others()


def ask(question: dict[str, Any], patience: float) -> dict[str, Any]:
    """One request on the room's own loopback."""
    patience = max(0.05, min(patience, 5))
    connection = http.client.HTTPConnection("127.0.0.1", question["port"], timeout=patience)
    # The time-out of a socket begins anew with each byte; an answer that drips must not hold us for ever.
    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        connection.request("GET", question["path"], headers={"Accept": "application/json, */*", "Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(LARGEST_ANSWER)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return {"problem": f"{type(error).__name__}: {error}"[:300]}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.close()
    text = body.decode(errors="replace")
    if answer.status != question["expect_status"]:
        return {"status": answer.status, "body": text[:2000], "problem": "status"}
    if question["expect_json"] is not None and not agrees(question["expect_json"], read(text)):
        return {"status": answer.status, "body": text[:2000], "problem": "json"}
    return {"status": answer.status, "body": text[:2000], "right": True}


def too_late(_number: int, _frame: Any) -> None:
    """The alarm of one request."""
    raise TimeoutError("the answer took too long")


def read(text: str) -> Any:
    """The answer as JSON, None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def agrees(expected: Any, found: Any) -> bool:
    """Whether `found` has at least the fields of `expected`, with the same values; true is not 1."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            name in found and agrees(value, found[name]) for name, value in expected.items()
        )
    return bool(expected == found) and isinstance(expected, bool) == isinstance(found, bool)


if __name__ == "__main__":
    main()
