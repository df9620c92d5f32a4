"""A driver that does nothing but write down when its body began and ended, found by entry points as any other."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from runners.contract import Context, Effect, Observation, Outcome, Preview, Repeat, Runner, Seen, Text, passed
from tests.bench.bare_noop import noop

WORDS = Text(nl="Niets gedaan.", en="Nothing done.")


class NoopParams(BaseModel):
    """`file`: where the moments are written."""

    file: str


class Noop(Runner):
    """Changes nothing that anybody sees, but counts as a change: its intent is kept as that of any step."""

    name: ClassVar[str] = "bench.noop"
    Params = NoopParams
    effect: ClassVar[Effect] = Effect.CHANGES
    repeat: ClassVar[Repeat] = Repeat.KEYED

    def preview(self, params: NoopParams, context: Context) -> Preview:
        return Preview(calls=("nothing",), changes=WORDS)

    def observe(self, params: NoopParams, context: Context) -> Observation:
        return Observation(seen=Seen.NOT_DONE, reason=WORDS)

    def run(self, params: NoopParams, context: Context) -> Outcome:
        noop(params.file)
        return passed(WORDS.nl, WORDS.en, needed_supplier=False)


def install(folder: Path) -> Path:
    """Write what an installed package with this driver has; the folder to put on the path."""
    info = folder / "wissel_bench-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wissel-bench\nVersion: 1.0\n")
    entry = f"{Noop.name} = {Noop.__module__}:{Noop.__qualname__}\n"
    (info / "entry_points.txt").write_text(f"[wissel.runners]\n{entry}")
    return folder


def registry() -> dict[str, Any]:
    """The driver by its name."""
    return {Noop.name: Noop()}
