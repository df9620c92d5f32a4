"""Tells in a terminal how far a backup or a restore is, and what a person must look at after a restore."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.core.backup.writing import Told
from app.keeping import BackedUp, Restored
from app.runs.restored import Found
from app.runs.rules import RunState


@contextmanager
def progress() -> Iterator[Told]:
    """How far it is, on standard error: a bar for each kind of part; nothing where nobody looks on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:
        known = {}

        def told(what: str, done: int, of: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=of)
            bars.update(known[what], completed=done)

        yield told


def backed_up(out: Console, made: BackedUp) -> None:
    """What the file holds, and what it does not."""
    manifest = made.manifest
    _say(out, f"{made.file}: {manifest.rows} rows of {len(manifest.tables)} tables and {len(manifest.evidence)} files")
    _say(out, f"of evidence, as they were at {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC.")
    _say(out, f"SHA-256 {made.sha256}")
    _say(
        out,
        "Not in it: sessions, sign-in links, passwords and second factors, machine tokens, and the values of "
        "secrets, which Wissel never has.",
    )
    for sha256 in manifest.missing:
        _say(out, f"MISSING or damaged in the evidence store: {sha256}")


def restored(out: Console, found: Restored) -> None:
    """What came out, what was running, and what to look at in the world before anything goes on."""
    manifest = found.manifest
    _say(out, f"Restored {manifest.rows} rows and {len(manifest.evidence)} files of evidence.")
    _say(out, f"What happened after {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC is not known here.")
    for sha256 in manifest.missing:
        _say(out, f"MISSING since before the backup, named by a row: evidence {sha256}")
    _say(out, f"Fencing tokens begin above {found.token_floor}: what still runs of the old installation is refused by")
    _say(out, "targets that check tokens, from the first step on. Stop it all the same.")
    _say(out, "References such as RUN-013 jump ahead as well: none that the lost installation gave out is given again.")
    if not found.runs:
        _say(out, "No run was unfinished.")
    for run in found.runs:
        _run(out, run)
    _say(out, "Every home side is shown as not looked at since the restore. Sessions, links and machine tokens ended:")
    _say(out, "sign in with `wissel admin link E-MAIL`, and make new machine tokens.")


def _run(out: Console, run: Found) -> None:
    held = run.becomes == RunState.PAUSED_BY_GUARD  # the restore itself is the guard here
    now = "waits for a person's look" if held else f"is now {run.becomes}"
    _say(out, f"\n{run.run} {run.title} ({run.mode}): was {run.state}, {now}")
    _say(out, "  steps: " + ", ".join(f"{name} {state}" for name, state in run.steps.items()))
    if run.pair:
        _say(out, f"  pair {run.pair}, believed home: {run.home}")
    for each in run.check:
        _say(out, f"  CHECK {each.subject}: {each.look['en']}")


def _say(out: Console, line: str) -> None:
    out.print(line, soft_wrap=True, markup=False, highlight=False)
