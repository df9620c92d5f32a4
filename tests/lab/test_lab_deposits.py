"""The two escrow deposits: alike on paper, and only a build without a network tells them apart."""

import base64
import os
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.lab import deposits
from app.lab.postgres import ComponentMissing
from runners.escrow import deposit

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _wheelhouse():
    try:
        deposits.wheelhouse()
    except ComponentMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"not run: {missing}")


def unpack(archive: str, folder: Path) -> Path:
    with tarfile.open(archive) as whole:
        whole.extractall(folder)
    return folder


@pytest.mark.parametrize("make", [deposits.good, deposits.poor])
def test_both_deposits_are_signed_and_complete_by_their_own_manifest(make, tmp_path):
    made = make(tmp_path, now=NOW)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(made.public_key))
    key.verify(Path(made.signature).read_bytes(), Path(made.archive).read_bytes())
    root = unpack(made.archive, tmp_path / "unpacked")
    deposit.against_manifest(root, deposit.manifest(root))
    assert deposit.manifest(root).version == made.version


@pytest.mark.parametrize(("make", "builds"), [(deposits.good, True), (deposits.poor, False)])
def test_only_the_good_one_builds_without_a_network(make, builds, tmp_path):
    root = unpack(make(tmp_path, now=NOW).archive, tmp_path / "unpacked")
    recipe = deposit.recipe(root)
    bare = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
    }
    commands = [[word.replace("/build", str(root)) for word in argv] for argv in recipe.build]
    results = [subprocess.run(argv, cwd=root, env=bare, capture_output=True, text=True) for argv in commands]
    assert all(one.returncode == 0 for one in results) is builds
    assert all((root / path).exists() for path in recipe.artefacts) is builds
    if not builds:
        assert deposits.BACKEND in results[0].stderr.splitlines()[-1]
