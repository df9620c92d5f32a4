"""What every escrow driver begins with: open the archive, unpack it in a throwaway folder, say what is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pydantic import Field

from runners.contract import Deposit, Frozen, Outcome, could_not_look, failed
from runners.escrow.archive import unpack
from runners.escrow.deposit import DepositWrong
from runners.escrow.naming import ArchiveRefused
from runners.scratch import throwaway

MIB = 1024 * 1024


class DepositParams(Frozen):
    """Parameters of the drivers that look at a deposit."""

    deposit: Deposit


class RoomParams(DepositParams):
    """Parameters of the drivers that run a deposit's programs in the clean room."""

    max_size_mb: int = Field(default=1024, ge=1, le=65_536)
    """Largest size of the writable folder, and of each file (MiB); it is kept in memory."""
    max_memory_mb: int = Field(default=2048, ge=64, le=262_144)
    """Largest address space of each process (MiB)."""
    max_processes: int = Field(default=256, ge=4, le=10_000)
    max_seconds: int = Field(default=1800, ge=1, le=86_400)
    """Largest duration of the whole; the time-out of the step counts as well."""


def with_archive(deposit: Deposit, look: Callable[[BinaryIO], Outcome]) -> Outcome:
    """The outcome of `look` on the opened archive; what is wrong with the deposit is an outcome too."""
    try:
        with Path(deposit.archive).open("rb") as archive:
            return look(archive)
    except FileNotFoundError as error:
        return failed(
            f"Het depot is niet compleet aanwezig: '{error.filename}' bestaat niet.",
            f"The deposit is not all there: '{error.filename}' does not exist.",
        )
    except (ArchiveRefused, DepositWrong) as wrong:
        return failed(wrong.text.nl, wrong.text.en)
    except OSError as error:
        return could_not_look(
            f"Het depot kon niet worden bekeken: {error.strerror} ({error.filename}).",
            f"The deposit could not be looked at: {error.strerror} ({error.filename}).",
        )


def with_files(deposit: Deposit, look: Callable[[Path], Outcome]) -> Outcome:
    """The outcome of `look` on the unpacked deposit, which is removed afterwards."""

    def unpacked(archive: BinaryIO) -> Outcome:
        with throwaway("escrow") as folder:
            root = folder / "deposit"
            root.mkdir()
            unpack(archive, root)
            return look(root)

    return with_archive(deposit, unpacked)
