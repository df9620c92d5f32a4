"""The emergency kit: whole on paper, checkable, made again after each change, and there when Wissel is not."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from app.catalog import service as catalog
from app.catalog.models import Service
from app.core import clock
from app.reports.kit import print as printing
from app.reports.kit.contents import gather
from app.reports.kit.keep import KitStore, Renewal
from runners.processes import is_alive
from tests.flow import example
from tests.flow.whole import Template, Whole
from tests.flow.wissel_command import wissel

PERMITS = "SVC-004"
"""A service of the example organisation with two sides, three plans and six drills."""


@pytest.fixture(scope="module")
def filled(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The example organisation."""
    made = template.copy(tmp_path_factory.mktemp("kits"))
    example.enter(made)
    return made


@pytest.fixture
def without_pango(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which weasyprint finds no Pango: kits are quick to make."""
    (tmp_path / "weasyprint").mkdir()
    (tmp_path / "weasyprint" / "__init__.py").write_text("raise OSError('cannot load library libpango-1.0-0')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def files_of(packed: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as parcel:
        return {name: parcel.read(name) for name in parcel.namelist()}


def unpacked(pdf: bytes) -> bytes:
    """The streams of a PDF, those that are compressed unpacked."""
    found = b""
    for piece in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            found += zlib.decompressobj().decompress(piece)
        except zlib.error:
            found += piece
    return found


def by_api(whole: Whole, service: str, language: str = "en") -> dict[str, bytes]:
    answer = whole.call("GET", f"/kits/{service}?language={language}", by="viewer")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return files_of(answer.content)


def page(files: dict[str, bytes]) -> str:
    return next(content.decode() for name, content in files.items() if name.endswith(".html"))


def test_a_kit_has_the_page_a_pdf_the_playbooks_and_the_hash_of_each(filled: Whole) -> None:
    files = by_api(filled, PERMITS)
    told = json.loads(files["manifest.json"])
    if told["noPdfBecause"]:
        text = f"not run: {told['noPdfBecause']}"
        pytest.fail(text) if os.environ.get("CI") == "true" else pytest.skip(text)
    assert files["emergency-kit.pdf"].startswith(b"%PDF-")
    assert b"pdfuaid:part" in unpacked(files["emergency-kit.pdf"])  # it calls itself PDF/UA
    sums = dict(line.split("  ")[::-1] for line in files["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(text).hexdigest() for name, text in files.items() if name != "SHA256SUMS"}
    assert any(name.startswith("playbooks/") for name in files)


@pytest.mark.usefixtures("without_pango")
class TestWithoutPdf:
    def test_it_says_why_there_is_no_pdf_and_what_to_install(self, whole: Whole) -> None:
        files = by_api(whole, whole.service()["ref"])
        assert "libpangoft2" in json.loads(files["manifest.json"])["noPdfBecause"]
        assert "emergency-kit.pdf" not in files
        assert "There is no PDF in this kit" in files["README.txt"].decode()

    def test_each_step_of_the_playbooks_stands_in_it_with_its_instruction_by_hand(self, filled: Whole) -> None:
        text = page(by_api(filled, PERMITS))
        for instruction in ("pg_ctl stop -m fast", "select pg_promote()", "pg_last_wal_replay_lsn()"):
            assert instruction in text, instruction
        assert "Point of no return." in text
        assert "Nobody wrote how to do this step by hand" not in text

    def test_a_plan_with_nothing_for_a_lost_side_gets_the_shipped_fail_over_and_says_so(self, filled: Whole) -> None:
        text = page(by_api(filled, PERMITS))
        assert "Fail over after the loss of a side" in text
        assert "This one comes with Wissel: read it before you rely on it." in text

    def test_a_dutch_reader_gets_it_in_dutch(self, filled: Whole) -> None:
        files = by_api(filled, PERMITS, "nl")
        assert "LEESMIJ.txt" in files
        assert '<html lang="nl">' in page(files)
        text = page(files)
        for word in ("Wie u belt", "door crisismanager", "accepteren <span", "(wordt teruggedraaid)"):
            assert word in text, word

    def test_the_page_needs_nothing_from_elsewhere(self, filled: Whole) -> None:
        text = page(by_api(filled, PERMITS))
        assert "<script" not in text
        assert 'src="' not in text
        assert "@import" not in text
        assert "url(" not in text

    def test_a_hostile_name_stays_text(self, whole: Whole) -> None:
        made = whole.service(name="<script>alert(1)</script><img src=x>")
        text = page(by_api(whole, made["ref"]))
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text

    def test_a_service_without_a_plan_has_a_kit_that_says_so(self, whole: Whole) -> None:
        assert "This service has no plan." in page(by_api(whole, whole.service()["ref"]))

    def test_an_unknown_service_has_none(self, whole: Whole) -> None:
        assert whole.refused("GET", "/kits/SVC-999", by="viewer") == (404, "not-found")

    def test_what_did_not_change_is_not_made_again_and_what_changed_is(self, whole: Whole) -> None:
        one, two = whole.service(name="One"), whole.service(name="Two")
        renewal = Renewal(whole.settings, whole.database)
        made = {each.manifest["service"]: each.manifest["digest"] for each in renewal.look(now=clock.now())}
        assert set(made) == {one["ref"], two["ref"]}
        assert renewal.look(now=clock.now()) == []
        whole.ok("PATCH", f"/services/{one['ref']}", {"processOwner": "Fatima"})
        after = {each.manifest["service"]: each.manifest["digest"] for each in renewal.look(now=clock.now())}
        assert after[one["ref"]] != made[one["ref"]]
        assert after[two["ref"]] == made[two["ref"]]

    def test_the_kit_of_a_service_that_is_no_more_goes_away(self, whole: Whole) -> None:
        made, renewal = whole.service(), Renewal(whole.settings, whole.database)
        renewal.look(now=clock.now())
        whole.ok("POST", f"/services/{made['ref']}/archivals", {"reason": "stopped"})
        renewal.look(now=clock.now())
        assert KitStore(whole.settings).all_kept() == []

    def test_the_command_hands_out_the_kept_ones_when_the_database_is_gone(
        self, whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        made = whole.service()
        KitStore(whole.settings).renew(whole.database, now=clock.now())
        monkeypatch.setenv("WISSEL_DATA_DIR", str(whole.settings.data_dir))
        monkeypatch.setenv("WISSEL_DATABASE_URL", "postgresql://wissel@127.0.0.1:1/wissel?connect_timeout=2")
        ended = wissel(monkeypatch, capsys, "kit", "--to", tmp_path / "out")
        assert ended.code == 3
        assert "the database does not answer" in ended.out
        (there,) = (tmp_path / "out").iterdir()
        assert json.loads(files_of(there.read_bytes())["manifest.json"])["service"] == made["ref"]

    def test_the_command_makes_no_empty_database_where_the_file_is_gone_and_names_what_is_not_ready(
        self, whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        made = whole.service()
        KitStore(whole.settings).renew(whole.database, now=clock.now())
        folder = tmp_path / "saved"
        shutil.copytree(whole.settings.data_dir / "kits", folder / "kits")
        monkeypatch.setenv("WISSEL_DATA_DIR", str(folder))
        ended = wissel(monkeypatch, capsys, "kit", made["ref"], "SVC-999", "--to", tmp_path / "out")
        assert ended.code == 3
        assert made["ref"] in ended.out
        assert "No kit of SVC-999 lies ready" in ended.err
        assert [each.name for each in folder.iterdir()] == ["kits"]

    def test_a_service_may_be_named_by_its_id(
        self, whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        made = whole.service()
        monkeypatch.setenv("WISSEL_DATA_DIR", str(whole.settings.data_dir))
        ended = wissel(monkeypatch, capsys, "kit", made["id"], "--to", tmp_path / "out")
        assert made["ref"] in ended.out
        assert "No kit of" not in ended.err

    def test_the_command_says_so_when_no_kit_was_ever_made(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("WISSEL_DATA_DIR", str(tmp_path / "empty"))
        monkeypatch.setenv("WISSEL_DATABASE_URL", "postgresql://wissel@127.0.0.1:1/wissel?connect_timeout=2")
        ended = wissel(monkeypatch, capsys, "kit", "--to", tmp_path / "out")
        assert (ended.code, "No kit lies ready" in ended.err) == (3, True)


def test_an_automated_step_without_an_instruction_is_told_on_the_first_page(filled: Whole, tmp_path: Path) -> None:
    with filled.database.transaction(write=False) as session:
        kit = gather(session, catalog.find(session, Service, PERMITS), now=clock.now())
    assert kit.gaps == []
    part = kit.plans[0].playbooks[0]
    step = next(each for each in part.steps if each.step.uses)
    object.__setattr__(step.step, "manual", None)
    text = printing.html(kit, language="en", organisation="Test")
    assert "1 automated step has no instruction by hand." in text
    assert "Nobody wrote how to do this step by hand." in text


def test_a_printing_process_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "weasyprint.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(printing, "PDF_SECONDS", 1)
    made = printing.pdf("<p>")
    assert (made.content, made.reason) == (None, "it took longer than 1 s")


def test_a_printing_process_that_cannot_start_leaves_a_kit_without_pdf(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path))  # a folder: nobody can run it
    made = printing.pdf("<p>")
    assert (made.content, made.reason) == (None, "the printing process did not start: Permission denied")


@pytest.mark.skipif(sys.platform != "linux", reason="not run: only Linux ends a child with its parent")
def test_a_printing_process_ends_with_the_service_that_asked() -> None:
    reading, writing = os.pipe()  # its page never comes to an end, also when whoever asked is gone
    asks = (
        "import subprocess as s, sys; print(s.Popen([sys.executable, '-m', 'app.reports.kit.paper']).pid, flush=True)"
    )
    asks += "; import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", asks], stdin=reading, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        printer = int(service.stdout.readline())
        os.close(reading)
        time.sleep(1)
        assert is_alive(printer)
        service.kill()
    ended = time.monotonic() + 5
    while is_alive(printer) and time.monotonic() < ended:
        time.sleep(0.05)
    os.close(writing)
    assert not is_alive(printer)


def test_a_kit_that_was_made_is_there_after_a_power_cut_for_its_folder_is_on_disk_too(
    filled: Whole, without_pango: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, real = KitStore(filled.settings), os.fsync
    (store.folder / f"{PERMITS}-en.zip").unlink(missing_ok=True)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), real(handle)))
    kept = store.fresh(filled.database, PERMITS, language="en", now=clock.now())
    assert {kept.path.stat().st_ino, store.folder.stat().st_ino} <= set(synced)
