"""A runner that looks whether a file is there."""

from pathlib import Path

from runners.contract import (
    Context,
    Effect,
    Frozen,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    Seen,
    Text,
    failed,
    passed,
)


class FileIsThereParams(Frozen):
    """Proves: a file lies at this path on the worker. Cannot see: what is in it."""

    path: str


class FileIsThere(Runner):
    """``tiny.file-is-there``: one look."""

    name = "tiny.file-is-there"
    Params = FileIsThereParams
    effect = Effect.OBSERVES
    repeat = Repeat.OBSERVABLE

    def preview(self, params: FileIsThereParams, context: Context) -> Preview:
        """The one look."""
        return Preview(calls=(f"stat {params.path}",), changes=Text(nl="Verandert niets.", en="Changes nothing."))

    def observe(self, params: FileIsThereParams, context: Context) -> Observation:
        """A look has no effect that could be there."""
        return Observation(seen=Seen.NOT_DONE, reason=Text(nl="Er is nog niet gekeken.", en="Nobody looked yet."))

    def run(self, params: FileIsThereParams, context: Context) -> Outcome:
        """Look."""
        if Path(params.path).is_file():
            return passed("Het bestand is er.", "The file is there.")
        return failed("Het bestand is er niet.", "The file is not there.")
