"""Damaged backups, hostile deposits and wild drivers in whole runs: the verdict, the true reason, and a finding."""

import io
import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runners.backup.tools import CannotLook, given_or_found
from runners.scratch import remove
from tests.lab.backup_source import ROWS, serving
from tests.reliability.damage import processes, snapshot, soon
from tests.reliability.looking import Looking, looking
from tests.unit.runners_escrow.deposits import deposited, good_files, packed, with_manifest


@pytest.fixture(scope="module")
def here() -> Iterator[Looking]:
    folder = Path(tempfile.mkdtemp(prefix="wissel-found-"))
    folder.chmod(0o755)  # the servers of the backups run as another user
    with looking(folder) as made:
        yield made
        scratch = folder / "scratch"
        assert soon(lambda: not list(scratch.iterdir())), list(scratch.iterdir())
        assert soon(lambda: not [each for each in processes(str(scratch / "wissel-")) if "postgres" in each])
    remove(folder)


WILD = {
    "raise nonsense": "raised Nasty",
    "wrong types": "answered an impossible Outcome",
    "kill its host": "ended before it answered",
    "take memory": "more than 1024 MiB",
    "write lines without end": "said more than",
    "spin": "had not answered at its deadline",
}


@pytest.mark.parametrize("do", WILD)
def test_a_wild_driver_is_found_and_the_worker_and_the_other_runs_go_on(do: str, here: Looking) -> None:
    wild = here.begin("wild.thing", given={"do": do}, timeout=4 if do == "spin" else 60)
    other = here.begin("wild.thing", given={"do": "behave"})
    found = here.found(wild)
    assert here.found(other).verdict == "passed"
    assert (found.verdict, found.steps) == ("inconclusive", {"thing": "unknown"})
    assert WILD[do] in found.reason_en
    assert found.reason_nl.startswith("De uitvoerder")
    if do not in ("raise nonsense", "wrong types"):  # a driver's own error is told as it stands
        assert WILD[do] not in found.reason_nl
    assert any(WILD[do] in text for _, text in found.findings), found.findings
    after = here.begin("wild.thing", given={"do": "behave"})
    assert here.found(after).verdict == "passed"


def evil() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("d")
        link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
        archive.addfile(link)
    return buffer.getvalue()


MAIN = "source/desk/__main__.py"
DEPOSITS: dict[str, tuple[bytes, str, str]] = {
    "an archive with a link": (evil(), "integrity", "symbolic link"),
    "a file that is not the one of the manifest": (
        packed(with_manifest(good_files()) | {"LICENSE": b"other"}), "integrity", "'LICENSE' is not the one",
    ),
    "a build that does not do": (
        packed(with_manifest(good_files() | {"recipe.json": b'{"build": [["false"]], "artefacts": ["x"]}'})),
        "build", "ends with code 1",
    ),
    "a service that answers wrongly": (
        packed(with_manifest(good_files() | {MAIN: good_files()[MAIN].replace(b'"ok"', b'"broken"')})),
        "smoke", "another answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DEPOSITS)
def test_a_poor_deposit_fails_its_run_with_a_finding(case: str, here: Looking, tmp_path: Path) -> None:
    content, step, reason = DEPOSITS[case]
    (tmp_path / "given").mkdir()
    ref = here.known(deposited(tmp_path / "given", content).model_dump())
    before = snapshot(tmp_path / "given")
    steps = ("escrow.integrity", "escrow.completeness", "escrow.build", "escrow.smoke")
    found = here.found(here.begin(*steps, given={"deposit": ref}, kind="deposit"))
    if "bubblewrap" in found.reason_en or "clean room" in found.reason_en:
        pytest.skip("not run: no clean room can be made on this machine")
    assert (found.verdict, found.steps[step]) == ("failed", "failed")
    assert reason in found.reason_en
    assert any(reason in text for _, text in found.findings), found.findings
    assert snapshot(tmp_path / "given") == before


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    try:
        given_or_found(None)
    except CannotLook:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL programs are missing")
        pytest.skip("not run: PostgreSQL programs are missing")
    with serving() as server:
        server.tool("pg_dump", "-d", server.dsn, "-f", server.path("dump"))
        return server.path("dump").read_bytes()


def table(**more: Any) -> dict[str, Any]:
    return {"name": "permit", "rows": ROWS, "newest": "filed_at", "text": "applicant"} | more


DUMPS: dict[str, tuple[Any, dict[str, Any], tuple[str, str], str]] = {
    "cut": (lambda whole: whole[: len(whole) // 2], table(), ("failed", "failed"), "cut off"),
    "wrong encoding": (
        lambda whole: whole.replace("ë".encode(), b"\xeb"), table(), ("failed", "failed"), "invalid byte sequence",
    ),
    "missing table": (lambda whole: whole, table(name="gone"), ("failed", "failed"), "lacks table gone"),
    "newer version": (
        lambda whole: whole.replace(b"-- Dumped from database version ", b"-- Dumped from database version 9"), table(),
        ("inconclusive", "unknown"), "is of PostgreSQL",
    ),
    "no backup": (lambda whole: b"\x7fELF" * 999, table(), ("failed", "failed"), "no dump of pg_dump"),
}  # fmt: skip


@pytest.mark.parametrize("case", DUMPS)
def test_a_damaged_backup_fails_its_run_with_a_finding(case: str, here: Looking, dump: bytes, tmp_path: Path) -> None:
    change, expected, (verdict, state), reason = DUMPS[case]
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "dump").write_bytes(change(dump))
    before = snapshot(tmp_path / "given")
    backup = {"kind": "dump", "path": str(tmp_path / "given" / "dump"), "tables": [expected]}
    ref = here.known(backup | {"taken_at": datetime.now(UTC).isoformat()})
    found = here.found(here.begin("backup.verify-dump", given={"backup": ref}, kind="backup"))
    assert (found.verdict, found.steps) == (verdict, {"verify-dump": state})
    assert reason in found.reason_en
    assert any(reason in text for _, text in found.findings), found.findings
    assert snapshot(tmp_path / "given") == before


def test_nothing_of_all_this_still_runs() -> None:
    time.sleep(0.1)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "wissel-restore" not in listed
    assert "/room/inside.py" not in listed
