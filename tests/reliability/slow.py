"""Drivers that wait until the test lets them go on, and write down each effect; found by entry points as any other."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from runners.contract import (
    Context,
    Effect,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    Seen,
    Text,
    passed,
)

WORDS = Text(nl="Zo is het.", en="So it is.")
EFFECTS, CALLS, PIDS, GO = "effects", "calls", "pids", "go"


class SlowParams(BaseModel):
    """`folder`: where effects are written; `name`: of the effect; `late`: it comes only when it may go on."""

    folder: str
    name: str = "it"
    late: bool = False
    site: str | None = None


class Slow(Runner):
    """Makes one effect, and waits for the file ``go``, before or after it."""

    Params = SlowParams
    effect: ClassVar[Effect] = Effect.CHANGES
    repeat: ClassVar[Repeat] = Repeat.OBSERVABLE

    def site(self, params: SlowParams) -> str | None:
        return params.site

    def preview(self, params: SlowParams, context: Context) -> Preview:
        return Preview(calls=(f"{self.name} {params.name}",), changes=WORDS)

    def observe(self, params: SlowParams, context: Context) -> Observation:
        there = params.name in lines(Path(params.folder) / EFFECTS)
        return Observation(seen=Seen.DONE if there else Seen.NOT_DONE, reason=WORDS)

    def run(self, params: SlowParams, context: Context) -> Outcome:
        folder = Path(params.folder)
        add(folder / PIDS, str(os.getpid()))
        if not params.late:
            self.make(folder, params, context)
        add(folder / CALLS, f"{params.name} {context.effect_key}")  # the test may kill us from here on
        while not (folder / GO).exists() and not (folder / f"{GO}-{params.name}").exists():
            time.sleep(0.01)
        if params.late:
            self.make(folder, params, context)
        return passed(WORDS.nl, WORDS.en, needed_supplier=False)

    def make(self, folder: Path, params: SlowParams, context: Context) -> None:
        del context
        add(folder / EFFECTS, params.name)


class SlowObservable(Slow):
    """Its effect can be looked for."""

    name = "slow.observable"


class SlowNever(Slow):
    """Nobody can see whether its effect is there."""

    name = "slow.never"
    repeat = Repeat.NEVER


class SlowKeyed(Slow):
    """Its target knows the key of what it did before."""

    name = "slow.keyed"
    repeat = Repeat.KEYED

    def make(self, folder: Path, params: SlowParams, context: Context) -> None:
        if context.effect_key not in lines(folder / "keys"):
            add(folder / "keys", context.effect_key)
            super().make(folder, params, context)


class SlowLook(Slow):
    """Changes nothing; looks until it may go on."""

    name = "slow.look"
    effect = Effect.OBSERVES

    def make(self, folder: Path, params: SlowParams, context: Context) -> None:
        """No effect."""


KINDS: tuple[type[Slow], ...] = (SlowObservable, SlowNever, SlowKeyed, SlowLook)


def lines(file: Path) -> list[str]:
    """The lines of a file; none where it is not there."""
    return file.read_text().splitlines() if file.exists() else []


def add(file: Path, line: str) -> None:
    """Add a line, durably enough for a process that is killed right after."""
    with file.open("a") as out:
        out.write(f"{line}\n")


def install(folder: Path, kinds: Sequence[type[Runner]]) -> Path:
    """Write what an installed package of these drivers has; the folder to put on the path."""
    info = folder / "wissel_slow-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wissel-slow\nVersion: 1.0\n")
    entries = "".join(f"{kind.name} = {kind.__module__}:{kind.__qualname__}\n" for kind in kinds)
    (info / "entry_points.txt").write_text(f"[wissel.runners]\n{entries}")
    return folder
