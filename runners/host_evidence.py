"""Checks and masks the evidence files of a call before anyone outside the runner host can read them."""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runners.masking import Masks

LARGEST = 64 * 1024 * 1024
"""Bytes; a larger file is refused, for it could not be searched for secrets."""


class EvidenceWrong(Exception):
    """An evidence file is missing, lies outside the folder, is no plain file, or is too large."""


def settle(folder: Path, named: Iterable[Mapping[str, Any]], masks: Masks) -> None:
    """Mask every file below `folder` and check that each evidence that the answer names is one of them.

    What is neither a folder nor a plain file is removed: a link would lead the store to a file of its own site.
    """
    try:
        if folder.is_dir():
            for path in sorted(folder.rglob("*")):
                _settle_one(path, masks)
        for each in named:
            _check(folder, str(each["path"]))
    except RecursionError as error:
        raise EvidenceWrong("the evidence folder has folders that are too deep") from error
    except OSError as error:
        raise EvidenceWrong(f"the evidence folder cannot be read: {error.strerror} ({error.filename})") from error


def _settle_one(path: Path, masks: Masks) -> None:
    status = path.lstat()
    if stat.S_ISDIR(status.st_mode):
        return
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        path.unlink()
        return
    if status.st_size > LARGEST:
        path.unlink()
        raise EvidenceWrong(f"evidence file '{path.name}' has {status.st_size} bytes; the largest is {LARGEST}")
    content = path.read_bytes()
    masked = masks.mask_bytes(content)
    if masked != content:
        path.write_bytes(masked)


def _check(folder: Path, name: str) -> None:
    if os.path.isabs(name) or ".." in Path(name).parts or not (folder / name).is_file():
        raise EvidenceWrong(f"evidence '{name}' is no file in the evidence folder")
