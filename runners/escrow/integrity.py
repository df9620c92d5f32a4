"""escrow.integrity: the deposit is whole, unchanged, and from whom it should be."""

import base64
import binascii
import json
import mmap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from runners.contract import (
    Context,
    Deposit,
    Effect,
    Evidence,
    Measurement,
    Outcome,
    Preview,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.escrow.archive import unpack
from runners.escrow.deposit import DepositWrong, against_manifest, age_days, digest, manifest
from runners.escrow.opened import DepositParams, with_archive
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
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(deposit.public_key, validate=True))
    except (ValueError, binascii.Error):
        return could_not_look(
            "De publieke sleutel van de deponent is geen Ed25519-sleutel in base64.",
            "The depositor's public key is no Ed25519 key in base64.",
        )
    if not _signed(key, _signature(Path(deposit.signature)), archive):
        return failed(
            "De handtekening hoort niet bij dit archief en deze sleutel.",
            "The signature does not belong to this archive and this key.",
        )
    context.log("signature: good")
    with throwaway("escrow") as folder:
        files = unpack(archive, folder)
        context.log(f"unpacked {files} files")
        listed = manifest(folder)
        against_manifest(folder, listed)
    age = age_days(listed.made_at, datetime.now(UTC))
    if age < 0:
        return failed("Het depot is gedateerd in de toekomst.", "The deposit is dated in the future.")
    report = {"archive": deposit.archive, "archive_sha256": digest(Path(deposit.archive))}
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


def _signature(path: Path) -> bytes:
    with path.open("rb") as stream:
        content = stream.read(1024)
    if len(content) == 64:
        return content
    try:
        return base64.b64decode(content.strip(), validate=True)
    except binascii.Error as error:
        raise DepositWrong(
            "Het bestand met de handtekening bevat geen Ed25519-handtekening.",
            "The signature file holds no Ed25519 signature.",
        ) from error


def _signed(key: Ed25519PublicKey, signature: bytes, archive: BinaryIO) -> bool:
    try:
        # Mapped, not read: an archive may be larger than the memory that a host should take.
        with mmap.mmap(archive.fileno(), 0, access=mmap.ACCESS_READ) as content:
            key.verify(signature, memoryview(content))
    except InvalidSignature:
        return False
    except ValueError:  # an empty file cannot be mapped
        return False
    return True
