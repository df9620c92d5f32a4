"""Two escrow deposits of the permit desk: one that builds from itself alone, and one that only looks as if it would.

The poor one lacks the wheel of the build backend, and so does its list of parts: signature, manifest and list agree
with each other. Only who builds it without a network finds out.
"""

import base64
import gzip
import io
import json
import os
import sys
import tarfile
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.lab import service
from app.lab.postgres import ComponentMissing
from runners.contract import Deposit
from runners.escrow.deposit import Ask, File, Manifest, Recipe, Smoke

NAME = "permit-desk"
BACKEND = "flit_core"
WHEELS = ("pip", "psycopg", "psycopg_binary", "typing_extensions", BACKEND)
"""What `make demo` downloads into the wheelhouse; pip too, for many a Python comes without it."""

PROJECT = f"""[build-system]
requires = ["{BACKEND}>=3.9,<4"]
build-backend = "flit_core.buildapi"

[project]
name = "{NAME}"
version = "{service.VERSION}"
description = "The permit desk: files permits and says which side it is"
requires-python = ">=3.11"
dependencies = ["psycopg[binary]>=3.2"]
"""
LICENCE = f"""{NAME} {service.VERSION}
Licensed under the European Union Public Licence, version 1.2 (EUPL-1.2).

The municipality may build, run, change and pass on this software, also through another supplier, from the moment that
the escrow agent releases this deposit. This right does not end with the supplier's bankruptcy.
"""


def wheelhouse() -> Path:
    """Folder with the downloaded wheels: WISSEL_LAB_WHEELHOUSE, else in the venv. Raises `ComponentMissing`."""
    folder = Path(os.environ.get("WISSEL_LAB_WHEELHOUSE") or Path(sys.prefix) / "share" / "wissel" / "wheelhouse")
    for name in WHEELS:
        if not list(folder.glob(f"{name}-*.whl")):
            packages = "pip 'psycopg[binary]' flit_core"
            raise ComponentMissing(
                f"no wheel of {name} in {folder}: run make demo, or pip download -d {folder} {packages}"
            )
    return folder


def good(folder: Path, *, now: datetime) -> Deposit:
    """A deposit that builds offline; its files go into `folder`."""
    return _deposit(folder, "deposit-good", WHEELS, now)


def poor(folder: Path, *, now: datetime) -> Deposit:
    """A deposit without its build backend, signed and complete by its own manifest."""
    return _deposit(folder, "deposit-poor", [name for name in WHEELS if name != BACKEND], now)


def _deposit(folder: Path, name: str, wheels: Sequence[str], now: datetime) -> Deposit:
    folder.mkdir(parents=True, exist_ok=True)
    contents = _contents(wheels)
    contents["manifest.json"] = _manifest(contents, now)
    archive = folder / f"{name}.tar.gz"
    archive.write_bytes(_packed(contents, now))
    key = Ed25519PrivateKey.generate()
    signature = folder / f"{name}.sig"
    signature.write_bytes(key.sign(archive.read_bytes()))
    return Deposit(
        archive=str(archive),
        signature=str(signature),
        public_key=base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        version=service.VERSION,
    )


def _contents(wheels: Sequence[str]) -> dict[str, bytes]:
    house = wheelhouse()
    files = sorted(file for name in wheels for file in house.glob(f"{name}-*.whl"))
    packed = {f"wheelhouse/{file.name}": file.read_bytes() for file in files}
    return {
        "LICENSE": LICENCE.encode(),
        "recipe.json": _recipe(next(path for path in packed if path.startswith("wheelhouse/pip-"))).encode(),
        "sbom.json": _parts([file.name for file in files]),
        "source/pyproject.toml": PROJECT.encode(),
        "source/permit_desk/__init__.py": b'"""The permit desk."""\n',
        "source/permit_desk/__main__.py": Path(service.__file__).read_bytes(),
        **packed,
    }


def _recipe(pip: str) -> str:
    # pip runs from its own wheel: the recipe leans on Python alone.
    install = (f"{pip}/pip", "install", "--no-index", "--find-links", "wheelhouse", "--target")
    tools = ("/usr/bin/env", "PYTHONPATH=/build/tools")
    whole = Recipe(
        build=(
            # The tools first and apart, so that a missing one is named in the last line of the output.
            ("python3", *install, "tools", BACKEND),
            (*tools, "python3", *install, "built", "--no-build-isolation", "./source"),
        ),
        artefacts=("built/permit_desk/__main__.py", "built/psycopg/__init__.py"),
        smoke=Smoke(
            # The desk must say its version without a database: there is none in the clean room.
            start=("/usr/bin/env", "PYTHONPATH=/build/built", "python3", "-m", "permit_desk", "--port", "8099"),
            ask=Ask(path="/version", port=8099, expect_json={"version": service.VERSION}),
            within_seconds=20,
        ),
    )
    return whole.model_dump_json(indent=2)


def _parts(wheels: list[str]) -> bytes:
    """A CycloneDX list of the parts in the wheelhouse."""
    components = []
    for wheel in wheels:
        package, version = wheel.split("-")[:2]
        name = package.replace("_", "-").lower()
        components.append({"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"})
    subject = {"type": "application", "name": NAME, "version": service.VERSION}
    head = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": subject}}
    return json.dumps({**head, "components": components}, indent=2).encode()


def _manifest(contents: dict[str, bytes], now: datetime) -> bytes:
    files = tuple(File(path=p, sha256=sha256(data).hexdigest(), size=len(data)) for p, data in sorted(contents.items()))
    whole = Manifest(format="wissel-deposit/1", name=NAME, version=service.VERSION, made_at=now, files=files)
    return whole.model_dump_json(indent=2).encode()


def _packed(contents: dict[str, bytes], now: datetime) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in sorted(contents.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.mtime = len(data), 0o644, int(now.timestamp())
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), compresslevel=1, mtime=0)
