"""What every escrow driver begins with: open the archive, unpack it in a throwaway folder, say what is wrong."""

import base64
import binascii
import mmap
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import Field

from runners.contract import Deposit, Frozen, Measurement, Outcome, could_not_look, failed
from runners.escrow.archive import check_size, unpack
from runners.escrow.deposit import DepositWrong
from runners.escrow.naming import ArchiveRefused
from runners.scratch import throwaway

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MIB = 1024 * 1024


class KeyUnusable(Exception):
    """The public key that we were given is none: nothing can be verified with it."""


class DepositParams(Frozen):
    """Parameters of the drivers that look at a deposit."""

    deposit: Deposit


class RoomParams(DepositParams):
    """Parameters of the drivers that run a deposit's programs in the clean room."""

    max_size_mb: int = Field(default=1024, ge=1, le=65_536)
    """Largest size of each of the three writable folders, and of each file (MiB); they are kept in memory."""
    max_memory_mb: int = Field(default=2048, ge=64, le=262_144)
    """Largest address space of each process (MiB)."""
    max_together_mb: int = Field(default=4096, ge=64, le=1_048_576)
    """Most memory that all processes of the room may hold at once (MiB)."""
    max_processes: int = Field(default=256, ge=4, le=10_000)
    max_seconds: int = Field(default=1800, ge=1, le=86_400)
    """Largest duration of the whole; the time-out of the step counts as well."""


def with_archive(deposit: Deposit, look: Callable[[BinaryIO], Outcome]) -> Outcome:
    """The outcome of `look` on the opened archive; what is wrong with the deposit is an outcome too."""
    try:
        with plain_file(deposit.archive) as archive:
            check_size(archive)
            before = os.fstat(archive.fileno())
            outcome = look(archive)
            after = os.stat(deposit.archive)
    except FileNotFoundError as error:
        return failed(
            f"Het depot is niet compleet aanwezig: '{error.filename}' bestaat niet.",
            f"The deposit is not all there: '{error.filename}' does not exist.",
        )
    except ArchiveRefused as refused:
        return failed(refused.text.nl, refused.text.en, Measurement(name="refused", value=refused.code))
    except DepositWrong as wrong:
        return failed(wrong.text.nl, wrong.text.en)
    except KeyUnusable:
        return could_not_look(
            "De publieke sleutel van de deponent is geen Ed25519-sleutel in base64.",
            "The depositor's public key is no Ed25519 key in base64.",
        )
    except OSError as error:
        what = f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
        return could_not_look(
            f"Het depot kon niet worden bekeken: {what}.", f"The deposit could not be looked at: {what}."
        )
    if _seen(before) != _seen(after):
        return could_not_look(
            "Het depot is veranderd terwijl het werd bekeken.", "The deposit changed while it was being looked at."
        )
    return outcome


def _seen(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def plain_file(path: str) -> BinaryIO:
    """An open file. Raises `DepositWrong` where there is a folder, a pipe or a device instead."""
    if "\0" in path:
        raise DepositWrong("Het pad van het depot bevat een nulteken.", "The path of the deposit has a NUL character.")
    # A pipe that nobody writes to would else be waited for without end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DepositWrong(
            f"Het pad '{path}' leidt niet naar een gewoon bestand.", f"The path '{path}' leads to no plain file."
        )
    return os.fdopen(descriptor, "rb")


def with_files(deposit: Deposit, look: Callable[[Path], Outcome]) -> Outcome:
    """The outcome of `look` on the unpacked deposit, which is removed afterwards.

    The signature is verified each time: between two steps another archive may have come in its place.
    """

    def unpacked(archive: BinaryIO) -> Outcome:
        verify_signature(deposit, archive)
        with throwaway("escrow") as folder:
            root = folder / "deposit"
            root.mkdir()
            unpack(archive, root)
            return look(root)

    return with_archive(deposit, unpacked)


def verify_signature(deposit: Deposit, archive: BinaryIO) -> None:
    """Raises `DepositWrong` where the archive is not signed with the depositor's key, `KeyUnusable`."""
    # Loaded here: every process of Wissel imports every driver, and few ever look at a deposit.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(deposit.public_key, validate=True))
    except (ValueError, binascii.Error) as error:
        raise KeyUnusable from error
    if not _signed(key, _signature(deposit.signature), archive):
        raise DepositWrong(
            "De handtekening hoort niet bij dit archief en deze sleutel.",
            "The signature does not belong to this archive and this key.",
        )


def _signature(path: str) -> bytes:
    with plain_file(path) as stream:
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


def _signed(key: "Ed25519PublicKey", signature: bytes, archive: BinaryIO) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        # Mapped, not read: an archive may be larger than the memory that a host should take.
        with mmap.mmap(archive.fileno(), 0, access=mmap.ACCESS_READ) as content:
            key.verify(signature, memoryview(content))
    except InvalidSignature:
        return False
    except ValueError:  # an empty file cannot be mapped
        return False
    return True
