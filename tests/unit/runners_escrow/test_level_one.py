"""escrow.integrity and escrow.completeness: a good deposit passes, and each lack fails for its true reason."""

import base64
import json

import pytest

from runners.contract import Verdict
from runners.escrow.completeness import Completeness, CompletenessParams
from runners.escrow.integrity import Integrity, IntegrityParams
from runners.escrow.versions import behind
from tests.unit.runners_escrow.deposits import (
    KEY,
    RECIPE,
    SBOM,
    WHEEL,
    Bench,
    deposited,
    good,
    good_files,
    packed,
    with_manifest,
)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "evidence")


def integrity(deposit, bench):
    return Integrity().run(IntegrityParams(deposit=deposit), bench)


def completeness(deposit, bench):
    return Completeness().run(CompletenessParams(deposit=deposit), bench)


@pytest.mark.parametrize("kind", ["", "gz", "xz", "bz2", "zip"])
def test_a_good_deposit_passes_both_halves_of_level_one(tmp_path, bench, kind):
    deposit = deposited(tmp_path, packed(with_manifest(good_files()), kind))
    assert integrity(deposit, bench).verdict is Verdict.PASSED
    outcome = completeness(deposit, bench)
    assert outcome.verdict is Verdict.PASSED
    assert (bench.evidence / outcome.evidence[0].path).is_file()


def test_a_signature_in_base64_is_good_too(tmp_path, bench):
    deposit = good(tmp_path)
    content = (tmp_path / "deposit").read_bytes()
    (tmp_path / "deposit.sig").write_bytes(base64.b64encode(KEY.sign(content)) + b"\n")
    assert integrity(deposit, bench).verdict is Verdict.PASSED


def test_every_flipped_byte_of_the_archive_is_noticed(tmp_path, bench):
    deposit = good(tmp_path)
    whole = (tmp_path / "deposit").read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 50)):
        (tmp_path / "deposit").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        outcome = integrity(deposit, bench)
        assert outcome.verdict is Verdict.FAILED
        assert "signature" in outcome.reason.en


def signature_of(content):
    def change(tmp_path):
        (tmp_path / "deposit.sig").write_bytes(content)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (signature_of(b""), "signature"),
        (signature_of(b"\0" * 64), "signature"),
        (signature_of(b"no signature"), "holds no Ed25519 signature"),
        (lambda tmp_path: (tmp_path / "deposit.sig").unlink(), "does not exist"),
        (lambda tmp_path: (tmp_path / "deposit").unlink(), "does not exist"),
        (lambda tmp_path: (tmp_path / "deposit").write_bytes(b""), "it is empty"),
    ],
)
def test_a_missing_or_wrong_signature_fails(tmp_path, bench, change, reason):
    deposit = good(tmp_path)
    change(tmp_path)
    outcome = integrity(deposit, bench)
    assert outcome.verdict is Verdict.FAILED
    assert reason in outcome.reason.en


@pytest.mark.parametrize("key", ["", "no key", base64.b64encode(b"short").decode()])
def test_a_public_key_that_is_no_key_means_could_not_look(tmp_path, bench, key):
    deposit = good(tmp_path).model_copy(update={"public_key": key})
    assert integrity(deposit, bench).verdict is Verdict.UNKNOWN


def test_another_depositors_key_fails(tmp_path, bench):
    other = base64.b64encode(bytes(31) + b"\1").decode()
    deposit = good(tmp_path).model_copy(update={"public_key": other})
    assert integrity(deposit, bench).verdict is not Verdict.PASSED


def manifest_with(**changes):
    return with_manifest(good_files(), **changes)


def changed_file():
    return with_manifest(good_files()) | {"LICENSE": b"EUPL-1.1"}


def without(name):
    return {path: content for path, content in with_manifest(good_files()).items() if path != name}


TWICE = json.dumps({"path": "LICENSE", "sha256": "0" * 64, "size": 1})
INTEGRITY = [
    (changed_file(), "'LICENSE' is not the one"),
    (without("LICENSE"), "'LICENSE' is in the manifest but not in the deposit"),
    (with_manifest(good_files()) | {"extra": b"x"}, "'extra' is in the deposit but not in the manifest"),
    (without("manifest.json"), "lacks manifest.json"),
    (manifest_with(format="wissel-deposit/9"), "field 'format'"),
    (manifest_with(files=[{"path": "../x", "sha256": "0" * 64, "size": 1}]), "field 'files.0.path'"),
    (manifest_with(files=[json.loads(TWICE)] * 2), "names a file twice"),
    (manifest_with(surprise=1), "field 'surprise'"),
    (manifest_with(made_at="2999-01-01T00:00:00Z"), "future"),
    (manifest_with(made_at="2026-01-05T09:00:00"), "field 'made_at'"),
    (good_files() | {"manifest.json": b'{"name": 1, "name": 2}'}, "a key stands twice"),
    (good_files() | {"manifest.json": b"[" * 5_000}, "no valid JSON"),
    (good_files() | {"manifest.json": b"\xff"}, "no valid JSON"),
]


@pytest.mark.parametrize(("files", "reason"), INTEGRITY, ids=[reason for _, reason in INTEGRITY])
def test_files_that_differ_from_the_manifest_fail_by_name(tmp_path, bench, files, reason):
    outcome = integrity(deposited(tmp_path, packed(files)), bench)
    assert outcome.verdict is Verdict.FAILED
    assert reason in outcome.reason.en


def files_with(**changes):
    files = good_files()
    for name, content in changes.items():
        files[name.replace("__", "/").replace("_", ".")] = content
    return with_manifest({path: content for path, content in files.items() if content is not None})


def sbom_with(**changes):
    return files_with(sbom_json=json.dumps(SBOM | changes).encode())


def component(**changes):
    return sbom_with(components=[SBOM["components"][0] | changes])


def recipe_with(**changes):
    return files_with(recipe_json=json.dumps(RECIPE | changes).encode())


MISSING = {"type": "library", "name": "gone", "version": "1", "purl": "pkg:pypi/gone@1"}
COMPLETENESS = [
    (files_with(LICENSE=None), "lacks a licence"),
    (files_with(LICENSE=b""), "lacks a licence"),
    (files_with(recipe_json=None), "lacks recipe.json"),
    (files_with(sbom_json=None), "lacks sbom.json"),
    (files_with(sbom_json=b"{"), "no valid CycloneDX"),
    (files_with(sbom_json=b'{"bomFormat": "SPDX", "specVersion": "1.5"}'), "no CycloneDX"),
    (files_with(sbom_json=b"[]"), "no valid CycloneDX"),
    (sbom_with(components=[]), "in the wheelhouse but not in the SBOM"),
    (sbom_with(components=[*SBOM["components"], MISSING]), "names gone 1, but it is neither"),
    (component(purl="pkg:pypi/tiny-thing@2.1"), "not in the SBOM"),
    (component(hashes=[{"alg": "SHA-256", "content": "0" * 64}]), "another hash"),
    (sbom_with(metadata={"component": {"name": "desk", "version": "1.3.0"}}), "SBOM is of desk 1.3.0"),
    (files_with(**{"wheelhouse/readme": b"x"}), "is no package"),
    (recipe_with(build=[]), "field 'build'"),
    (recipe_with(build=["make all"]), "field 'build.0'"),
    (recipe_with(artefacts=["../../etc/passwd"]), "field 'artefacts.0'"),
    (recipe_with(shell=True), "field 'shell'"),
    (with_manifest({path: content for path, content in good_files().items() if "source" not in path}), "source code"),
]


@pytest.mark.parametrize(("files", "reason"), COMPLETENESS, ids=range(len(COMPLETENESS)))
def test_a_lack_in_the_deposit_fails_for_its_reason(tmp_path, bench, files, reason):
    outcome = completeness(deposited(tmp_path, packed(files)), bench)
    assert outcome.verdict is Verdict.FAILED
    assert reason in outcome.reason.en


def test_a_package_that_is_kept_as_source_counts(tmp_path, bench):
    vendored = {"type": "library", "name": "desk", "version": "1.4.0"}
    files = sbom_with(components=[*SBOM["components"], vendored])
    assert completeness(deposited(tmp_path, packed(files)), bench).verdict is Verdict.PASSED


def test_a_deposit_that_lags_behind_production_fails(tmp_path, bench):
    deposit = good(tmp_path).model_copy(update={"version": "1.5.0"})
    outcome = completeness(deposit, bench)
    assert outcome.verdict is Verdict.FAILED
    assert "lags behind" in outcome.reason.en


@pytest.mark.parametrize(
    ("deposit", "production", "verdict"),
    [
        ("1.4.0", None, None),
        ("1.4.0", "1.4.0", None),
        ("1.4", "1.4.0", None),
        ("1.10", "1.9", None),
        ("v2", "1.9.9", None),
        ("1.4.0.post1", "1.4.0", None),
        ("1.4.0rc1", "1.4.0", Verdict.FAILED),
        ("1.4.0", "1.4.1", Verdict.FAILED),
        ("1.9", "1.10", Verdict.FAILED),
        ("main-7f3a", "1.4.0", Verdict.UNKNOWN),
        ("main-7f3a", "main-7f3a", None),
    ],
)
def test_versions_are_compared_as_versions(deposit, production, verdict):
    outcome = behind(deposit, production)
    assert (outcome.verdict if outcome else None) is verdict


def test_nothing_stays_in_the_temporary_folder(tmp_path, bench, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    integrity(good(tmp_path), bench)
    completeness(deposited(tmp_path, packed({f"{WHEEL}/../../x": b""})), bench)
    assert list((tmp_path / "temporary").iterdir()) == []
