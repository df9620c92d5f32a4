"""The format of an escrow deposit, ``wissel-deposit/1``, and reading one that was unpacked.

A deposit is one archive (.tar, .tar.gz, .tar.xz, .tar.bz2 or .zip) of plain files and folders, with at its root:

manifest.json   ``{"format": "wissel-deposit/1", "name", "version", "made_at" (ISO 8601 with zone),
                "files": [{"path", "sha256" (hex), "size" (bytes)}, …]}``: every file but manifest.json itself, and no
                other; paths relative to the root, with ``/``.
recipe.json     ``{"build": [[argv…], …], "artefacts": [path, …], "smoke": {"start": [argv…], "ask": {"path": "/…",
                "port", "expect_status": 200, "expect_json": {…}}, "within_seconds": 30}}``. `build` and `artefacts` are
                never empty; `smoke` may be left out, and then `escrow.smoke` could not look. `expect_json`: fields
                that the answer must have with these values (deeper objects likewise); it may have more.
sbom.json       CycloneDX JSON, 1.4 to 1.6; `metadata.component` bears the manifest's name and version. Every package
                in wheelhouse/ is one of its components, and each component with a ``pkg:pypi/`` purl (or of type
                library without a purl) that is not `excluded` lies in wheelhouse/ or in source/.
LICENSE         (or LICENCE, COPYING, also with .txt or .md) what the holder of the deposit may do with it.
source/…        the source code.
wheelhouse/…    every Python package that the build needs: wheels or source archives. May be left out.

The signature is a file of its own beside the archive: Ed25519 over all bytes of the archive, 64 raw bytes or base64.

The commands of the recipe run without a shell in the clean room (`runners.escrow.sandbox`), one after the other, in
the folder ``/build``, which holds a writable copy of the whole deposit; `artefacts` are paths relative to it.
``python3`` on the PATH is a bare Python (standard library and pip, no other packages) of the version that runs the
drill; /usr is the machine's own, so a compiler is there where the machine has one. There is no network but an own
loopback, on which the smoke test asks ``http://127.0.0.1:PORT/PATH``; HOME is ``/build/.home``, TMPDIR ``/tmp``, LANG
``C.UTF-8``, SOURCE_DATE_EPOCH the first day of 1980, and pip is told never to look at an index.
"""

import hashlib
import json
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError

from runners.contract import Frozen, Text

LARGEST_DOCUMENT = 32 * 1024 * 1024
"""Bytes of a JSON document in a deposit."""


class DepositWrong(Exception):
    """A part of the deposit is missing or not as the format says; `text` is the reason for people."""

    def __init__(self, nl: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(nl=nl, en=en)


def _inside(path: str) -> str:
    parts = path.split("/")
    if not path or path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise ValueError("a path is relative to the root of the deposit, without '.' or '..'")
    if any(ord(character) < 32 for character in path):
        raise ValueError("a path has no control characters")
    return str(PurePosixPath(path))


def _asked(path: str) -> str:
    if not path.startswith("/") or any(ord(character) <= 32 or ord(character) > 126 for character in path):
        raise ValueError("the path that is asked begins with '/' and has no spaces or control characters")
    return path


def _argument(value: str) -> str:
    if "\0" in value:
        raise ValueError("an argument has no NUL character")
    return value


Shape = TypeVar("Shape", "Manifest", "Recipe")
InsidePath = Annotated[str, AfterValidator(_inside)]
Argument = Annotated[str, AfterValidator(_argument)]
Argv = Annotated[tuple[Argument, ...], Field(min_length=1, max_length=1000)]


class File(Frozen):
    """A line of the manifest."""

    path: InsidePath
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$")
    size: int = Field(ge=0)


class Manifest(Frozen):
    """What is in the deposit."""

    format: Literal["wissel-deposit/1"]
    name: str = Field(min_length=1, max_length=200)
    version: str = Field(min_length=1, max_length=100)
    made_at: AwareDatetime
    files: tuple[File, ...]


class Ask(Frozen):
    """The question to the started service, and the right answer."""

    path: Annotated[str, AfterValidator(_asked)] = "/"
    port: int = Field(ge=1, le=65535)
    expect_status: int = Field(default=200, ge=100, le=599)
    expect_json: dict[str, Any] | None = None


class Smoke(Frozen):
    """How to start what was built, and what to ask it."""

    start: Argv
    ask: Ask
    within_seconds: float = Field(default=30, gt=0, le=3600)


class Recipe(Frozen):
    """How to build it."""

    build: tuple[Argv, ...] = Field(min_length=1, max_length=200)
    artefacts: tuple[InsidePath, ...] = Field(min_length=1, max_length=1000)
    smoke: Smoke | None = None


def manifest(root: Path) -> Manifest:
    """The manifest of an unpacked deposit. Raises `DepositWrong`."""
    return _shape(root, "manifest.json", Manifest)


def recipe(root: Path) -> Recipe:
    """The build recipe. Raises `DepositWrong`."""
    return _shape(root, "recipe.json", Recipe)


def document(root: Path, name: str) -> bytes:
    """The bytes of one document at the root. Raises `DepositWrong` where it is missing or far too large."""
    path = root / name
    if not path.is_file():
        raise DepositWrong(f"In het depot ontbreekt {name}.", f"The deposit lacks {name}.")
    if path.stat().st_size > LARGEST_DOCUMENT:
        raise DepositWrong(f"{name} in het depot is te groot.", f"{name} in the deposit is too large.")
    return path.read_bytes()


def against_manifest(root: Path, listed: Manifest) -> None:
    """Compare every file with the manifest, both ways. Raises `DepositWrong` with the first difference."""
    expected = {file.path: file for file in listed.files}
    if len(expected) != len(listed.files):
        raise DepositWrong("Het manifest noemt een bestand twee keer.", "The manifest names a file twice.")
    present = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} - {"manifest.json"}
    for path in sorted(present - expected.keys()):
        raise DepositWrong(
            f"Het bestand '{path}' zit in het depot, maar staat niet in het manifest.",
            f"The file '{path}' is in the deposit but not in the manifest.",
        )
    for path, file in sorted(expected.items()):
        if path not in present:
            raise DepositWrong(
                f"Het bestand '{path}' staat in het manifest, maar ontbreekt in het depot.",
                f"The file '{path}' is in the manifest but not in the deposit.",
            )
        if (root / path).stat().st_size != file.size or digest(root / path) != file.sha256.lower():
            raise DepositWrong(
                f"Het bestand '{path}' is niet het bestand dat het manifest noemt: de inhoud verschilt.",
                f"The file '{path}' is not the one that the manifest names: its content differs.",
            )


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Digest of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def age_days(made_at: datetime, now: datetime) -> int:
    """Whole days between the making of the deposit and `now`."""
    return (now - made_at).days


def _shape(root: Path, name: str, shape: type[Shape]) -> Shape:
    content = document(root, name)
    try:
        json.loads(content, object_pairs_hook=no_twins)
        return shape.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "-"
        raise DepositWrong(
            f"{name} in het depot is ongeldig: veld '{where}' klopt niet.",
            f"{name} in the deposit is not valid: field '{where}': {first['msg']}.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise DepositWrong(
            f"{name} in het depot is geen geldige JSON.", f"{name} is no valid JSON: {error}."
        ) from error


def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads`: an object, refused with ValueError where a key stands in it twice."""
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("a key stands twice in one object")
    return dict(pairs)
