"""Reads a CycloneDX SBOM and compares it with the packages that a deposit really holds."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from runners.escrow.deposit import DepositWrong, digest, no_twins

KNOWN = ("1.4", "1.5", "1.6")
ALGORITHMS = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
    "SHA3-256": "sha3_256",
    "SHA3-384": "sha3_384",
    "SHA3-512": "sha3_512",
}
"""CycloneDX's names; a hash of another kind is not compared."""
_SOURCE_ARCHIVES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".zip")


@dataclass(frozen=True)
class Component:
    """A package that the SBOM names, with the hashes that it gives."""

    name: str
    version: str
    python: bool
    """Whether it must lie in the wheelhouse or in the source."""
    hashes: frozenset[tuple[str, str]] = frozenset()
    """Algorithm as `hashlib` calls it, and the digest in hexadecimal."""

    @property
    def key(self) -> tuple[str, str]:
        """Name and version as package indexes compare them."""
        return normal(self.name), self.version


def normal(name: str) -> str:
    """A package name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def components(content: bytes) -> tuple[list[Component], tuple[str, str] | None]:
    """The components of an SBOM, and name and version of what it is about. Raises `DepositWrong`."""
    try:
        whole = json.loads(content, object_pairs_hook=no_twins)
        if whole["bomFormat"] != "CycloneDX" or whole["specVersion"] not in KNOWN:
            raise DepositWrong(
                f"De SBOM is geen CycloneDX {KNOWN[0]} tot {KNOWN[-1]}.",
                f"The SBOM is no CycloneDX {KNOWN[0]} to {KNOWN[-1]}.",
            )
        found = [each for item in whole.get("components", []) for each in _flat(item)]
        about = whole.get("metadata", {}).get("component")
        return found, (str(about["name"]), str(about.get("version", ""))) if about else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DepositWrong(
            "De SBOM (sbom.json) is geen geldige CycloneDX-JSON.", f"The SBOM is no valid CycloneDX JSON: {error!r}."
        ) from error


def _flat(item: Mapping[str, Any]) -> list[Component]:
    purl = str(item.get("purl", ""))
    python = purl.startswith("pkg:pypi/") or (not purl and item.get("type") == "library")
    given_hashes = [(ALGORITHMS.get(str(each["alg"])), str(each["content"]).lower()) for each in item.get("hashes", [])]
    hashes = frozenset((name, digest) for name, digest in given_hashes if name is not None)
    name, version = str(item["name"]), str(item.get("version", ""))
    if purl.startswith("pkg:pypi/"):
        given, _, number = purl.removeprefix("pkg:pypi/").split("?")[0].split("#")[0].partition("@")
        name, version = unquote(given), unquote(number) or version
    mine = Component(name, version, python and item.get("scope") != "excluded", hashes)
    return [mine, *(each for inner in item.get("components", []) for each in _flat(inner))]


Packages = Mapping[tuple[str, str], Sequence[Path]]
"""Files of each package by normal name and version: a wheel for each platform, a source archive."""


def packages(root: Path) -> Packages:
    """The packages in the wheelhouse. Raises `DepositWrong` at a file that is none."""
    found: dict[tuple[str, str], list[Path]] = {}
    for path in sorted((root / "wheelhouse").rglob("*")):
        if path.is_file():
            found.setdefault(_package(path.name), []).append(path)
    return found


def _package(file: str) -> tuple[str, str]:
    if file.endswith(".whl") and file.count("-") in (4, 5):
        name, version = file.split("-")[:2]
        return normal(name), version
    for ending in _SOURCE_ARCHIVES:
        if file.endswith(ending) and "-" in file:
            name, _, version = file.removesuffix(ending).rpartition("-")
            return normal(name), version
    raise DepositWrong(
        f"'{ascii(file)[1:-1]}' in de wheelhouse is geen pakket.",
        f"'{ascii(file)[1:-1]}' in the wheelhouse is no package.",
    )


def differences(named: list[Component], held: Packages, source: Path) -> None:
    """Raises `DepositWrong` at the first package that only one of the SBOM and the deposit has, or that differs."""
    known: dict[tuple[str, str], list[Component]] = {}
    for each in named:
        known.setdefault(each.key, []).append(each)
    for key, paths in held.items():
        for path in paths:
            _compare(path, known.get(key, []))
    inside = _folders(source)
    for each in named:
        key = each.key
        if each.python and key not in held and normal(each.name) not in inside:
            raise DepositWrong(
                f"De SBOM noemt {each.name} {each.version}, maar dat ligt niet in de wheelhouse of de bron.",
                f"The SBOM names {each.name} {each.version}, but it is neither in the wheelhouse nor in the source.",
            )


def _compare(path: Path, named: list[Component]) -> None:
    """Every entry of the SBOM for this package must agree with its file: two that differ cannot both be true."""
    if not named:
        raise DepositWrong(
            f"Het pakket '{path.name}' ligt in de wheelhouse, maar staat niet in de SBOM.",
            f"The package '{path.name}' is in the wheelhouse but not in the SBOM.",
        )
    for each in named:
        for algorithm in {name for name, _ in each.hashes}:
            if (algorithm, digest(path, algorithm)) not in each.hashes:
                raise DepositWrong(
                    f"Het pakket '{path.name}' heeft een andere hash dan de SBOM noemt.",
                    f"The package '{path.name}' has another hash than the SBOM says.",
                )


def _folders(source: Path) -> set[str]:
    """Normal names of what lies in the source, for packages that are kept there as code."""
    return {normal(path.stem if path.is_file() else path.name) for path in source.rglob("*")}
