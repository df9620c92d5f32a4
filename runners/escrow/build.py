"""escrow.build: the deposit can be built by somebody else, without a network, from what is in it."""

from typing import Any

from runners.contract import Context, Effect, Measurement, Outcome, Preview, Text, passed
from runners.escrow.deposit import Recipe
from runners.escrow.making import make
from runners.escrow.opened import RoomParams
from runners.escrow.sandbox import Finding
from runners.looking import Looking


class BuildParams(RoomParams):
    """Level 2 of an escrow verification: the commands of the recipe run in a clean room and make what they promise.

    Proves: with only the deposit, this machine's /usr and a bare Python, without a network, every command of the recipe
    ends with 0 and every artefact is there; evidence is the build log and the SHA-256 of the artefacts.
    Cannot see: whether the result works (`escrow.smoke`) or is the same as what production runs. Compilers come from
    this machine, so another version of them may decide otherwise.
    Needs on the machine: bubblewrap and permission to make namespaces; without them it *could not look*.
    Bad input: a deposit that cannot be unpacked, a command that fails, a time-out, a full folder or a missing artefact
    *fails* with its reason. The programs of the deposit see no secret, no network and no file of this machine.
    """


class Build(Looking):
    """Builds the deposit in the clean room."""

    name = "escrow.build"
    Params = BuildParams
    effect = Effect.ISOLATED

    def preview(self, params: Any, context: Context) -> Preview:
        """What would be done; the commands themselves are in the deposit."""
        del context
        return Preview(
            calls=(f"unpack {params.deposit.archive}", "bwrap (no network, nobody) recipe.json: build"),
            changes=Text(nl="Verandert niets buiten een wegwerpmap.", en="Changes nothing outside a throwaway folder."),
        )

    def run(self, params: Any, context: Context) -> Outcome:
        """Build it."""
        return make(params, context, _judge, smoke=False)


def _judge(_how: Recipe, finding: Finding) -> Outcome:
    artefacts = finding.all("artefact")
    duration = sum(each["ms"] for each in finding.all("ended"))
    return passed(
        f"Het depot is zonder netwerk gebouwd; het recept leverde op: {_named(artefacts)}.",
        f"The deposit was built without a network; the recipe made: {_named(artefacts)}.",
        Measurement(name="build_ms", value=duration, unit="ms"),
        Measurement(name="artefacts", value=len(artefacts)),
        Measurement(name="artefact_sha256", value=artefacts[0]["sha256"]),
    )


def _named(artefacts: list[dict[str, Any]]) -> str:
    names = [each["path"] for each in artefacts[:3]]
    return ", ".join(names) + (f" (+{len(artefacts) - 3})" if len(artefacts) > 3 else "")
