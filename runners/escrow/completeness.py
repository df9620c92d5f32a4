"""escrow.completeness: what a stranger needs to build the software is listed, licensed, and recent enough."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runners.contract import Context, Deposit, Effect, Evidence, Measurement, Outcome, Preview, Text, passed
from runners.escrow.deposit import DepositWrong, age_days, document, manifest, recipe
from runners.escrow.opened import DepositParams, with_files
from runners.escrow.sbom import Component, components, differences, packages
from runners.escrow.versions import behind
from runners.looking import Looking

LICENCES = tuple(f"{name}{ending}" for name in ("LICENSE", "LICENCE", "COPYING") for ending in ("", ".txt", ".md"))


class CompletenessParams(DepositParams):
    """Level 1 of an escrow verification, its second half: nothing is missing by what the deposit itself says.

    Proves: there is source code, a licence, a well-formed build recipe, and an SBOM (CycloneDX JSON) that names exactly
    the packages that lie in the wheelhouse, with their hashes where it gives them; the deposit is not older than the
    version that production runs (`deposit.version`).
    Cannot see: a dependency that the SBOM forgets as well; only a build without a network (`escrow.build`) sees that.
    Nor whether the licence gives the rights that the contract promises: that is for a lawyer.
    Needs on the machine: room in the temporary folder for the unpacked deposit.
    Bad input: every lack *fails*, with its reason; versions that cannot be compared mean *could not look*.
    """


class Completeness(Looking):
    """Checks SBOM, licence, recipe and version."""

    name = "escrow.completeness"
    Params = CompletenessParams
    effect = Effect.OBSERVES

    def preview(self, params: Any, context: Context) -> Preview:
        """What would be read."""
        del context
        deposit: Deposit = params.deposit
        return Preview(
            calls=(f"read manifest, recipe, SBOM, licence and wheelhouse in {deposit.archive}",),
            changes=Text(nl="Verandert niets.", en="Changes nothing."),
        )

    def run(self, params: Any, context: Context) -> Outcome:
        """Look at each part; the first lack is the reason, the evidence names all packages."""
        deposit: Deposit = params.deposit
        return with_files(deposit, lambda root: _look(deposit, root, context))


def _look(deposit: Deposit, root: Path, context: Context) -> Outcome:
    listed = manifest(root)
    _licence(root)
    _source(root)
    recipe(root)
    named, product = components(document(root, "sbom.json"))
    held = packages(root)
    _write_report(context.evidence, named, sorted(path.name for paths in held.values() for path in paths))
    if product is not None and product != (listed.name, listed.version):
        raise DepositWrong(
            f"De SBOM is van {product[0]} {product[1]}, het depot van {listed.name} {listed.version}.",
            f"The SBOM is of {product[0]} {product[1]}, the deposit of {listed.name} {listed.version}.",
        )
    differences(named, held, root / "source")
    verdict = behind(listed.version, deposit.version)
    if verdict is not None:
        return verdict
    return passed(
        f"Het depot van versie {listed.version} is compleet: bron, licentie, bouwrecept en alle pakketten van de SBOM.",
        f"The deposit of version {listed.version} is complete: source, licence, recipe and all packages of the SBOM.",
        Measurement(name="packages", value=sum(len(paths) for paths in held.values())),
        Measurement(name="deposit_age", value=age_days(listed.made_at, datetime.now(UTC)), unit="days"),
        Measurement(name="deposit_version", value=listed.version),
        evidence=(Evidence(path="packages.json", media_type="application/json", title="Packages"),),
        # Only the files and the key were read, all of them ours to reach.
        needed_supplier=False,
    )


def _licence(root: Path) -> None:
    if not any((root / name).is_file() and (root / name).stat().st_size for name in LICENCES):
        raise DepositWrong("In het depot ontbreekt een licentie.", "The deposit lacks a licence.")


def _source(root: Path) -> None:
    if not any(path.is_file() for path in (root / "source").rglob("*")):
        raise DepositWrong("In het depot ontbreekt de broncode.", "The deposit lacks the source code.")


def _write_report(folder: Path, named: list[Component], held: list[str]) -> None:
    report = {"sbom": [[each.name, each.version] for each in named], "wheelhouse": held}
    (folder / "packages.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
