"""escrow.integrity: the deposit is whole, unchanged, and from whom it should be."""

import hashlib
import io
import json
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from runners.contract import (
    Context,
    Deposit,
    Effect,
    Evidence,
    Measurement,
    Outcome,
    Preview,
    Text,
    failed,
    passed,
)
from runners.escrow.archive import unpack
from runners.escrow.deposit import against_manifest, age_days, manifest
from runners.escrow.opened import DepositParams, verify_signature, with_archive
from runners.looking import Looking
from runners.scratch import throwaway


class IntegrityParams(DepositParams):
    """Level 1 of an escrow verification: the signature is the depositor's, and every file is the one that was signed.

    Proves: the Ed25519 signature over the archive is made with the depositor's key; the archive unpacks safely; each
    file of the manifest is there with its size and SHA-256; there is no other file.
    Cannot see: whether the content is the right software, or can be built. A key that came with the deposit proves
    nothing: obtain it apart.
    Needs on the machine: room in the temporary folder for the unpacked deposit.
    Bad input: a missing, hostile or damaged archive, signature or manifest *fails* with its reason; a public key that
    is no key means *could not look*.
    """


class Integrity(Looking):
    """Checks signature and manifest."""

    name = "escrow.integrity"
    Params = IntegrityParams
    effect = Effect.OBSERVES

    def preview(self, params: Any, context: Context) -> Preview:
        """What would be read."""
        del context
        deposit: Deposit = params.deposit
        return Preview(
            calls=(
                f"verify Ed25519 {deposit.signature} over {deposit.archive}",
                "compare every file with manifest.json",
            ),
            changes=Text(nl="Verandert niets.", en="Changes nothing."),
        )

    def run(self, params: Any, context: Context) -> Outcome:
        """Verify the signature first: nothing of an unsigned archive is unpacked."""
        deposit: Deposit = params.deposit
        return with_archive(deposit, lambda archive: _look(deposit, archive, context))


def _look(deposit: Deposit, archive: BinaryIO, context: Context) -> Outcome:
    verify_signature(deposit, archive)
    context.log("signature: good")
    with throwaway("escrow") as folder:
        files = unpack(archive, folder)
        context.log(f"unpacked {files} files")
        listed = manifest(folder)
        against_manifest(folder, listed)
    age = age_days(listed.made_at, datetime.now(UTC))
    if age < 0:
        return failed("Het depot is gedateerd in de toekomst.", "The deposit is dated in the future.")
    report = {"archive": deposit.archive, "archive_sha256": _digest(archive)}
    report |= listed.model_dump(mode="json")
    (context.evidence / "manifest.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return passed(
        f"De handtekening klopt en alle bestanden ({len(listed.files)}) zijn die uit het manifest.",
        f"The signature is good and all files ({len(listed.files)}) are those of the manifest.",
        Measurement(name="files", value=len(listed.files)),
        Measurement(name="deposit_age", value=age, unit="days"),
        Measurement(name="deposit_version", value=listed.version),
        evidence=(Evidence(path="manifest.json", media_type="application/json", title="Archive and manifest"),),
        # Only the files and the key were read, all of them ours to reach.
        needed_supplier=False,
    )


def _digest(archive: BinaryIO) -> str:
    """Of the very file that was verified, not of what may lie at its path by now."""
    archive.seek(0)
    return hashlib.file_digest(cast(io.BufferedReader, archive), "sha256").hexdigest()
