"""The backup of Wissel itself: all of it comes back, on either database, and nothing but a true backup is let in."""

import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from app import keeping
from app.access import service as access
from app.access.rules import SYSTEM
from app.core import clock, migrations
from app.core.backup import loading
from app.core.backup.reading import Backup
from app.core.backup.shape import BackupRefused
from app.core.db import Database
from app.core.durable import HALF
from app.core.evidence import EvidenceStore
from app.core.incarnation import Incarnation
from app.runs.models import EvidenceFile
from tests.flow.whole import ADMINISTRATOR, Whole, settings_in


def quiet(_what: str, _done: int, _of: int) -> None:
    """Nobody looks on."""


def restore(settings, file, expected=None):
    return keeping.restore(settings, file, expected=expected, told=quiet)


@pytest.fixture
def filled(whole: Whole) -> Whole:
    """A service whose texts are awkward, in the catalogue."""
    whole.service(name='Burgerzaken ‘Ü’ \\ "x" \u2028', mtpd="P1D", rto="PT4H")
    whole.ok("POST", "/suppliers", {"name": "Leverancier"})
    return whole


@pytest.fixture
def file(filled: Whole, tmp_path: Path) -> Path:
    made = tmp_path / "wissel.backup"
    keeping.backup(filled.settings, made, told=quiet)
    return made


def contents(whole_or_settings, folder: Path, name: str) -> dict:
    """What a backup of it says of each table."""
    made = keeping.backup(whole_or_settings, folder / name, told=quiet)
    return made.manifest.tables


@pytest.mark.parametrize("source", ["whole", "whole_on_postgres"])
@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_every_row_comes_back_as_it_was_whichever_database_it_came_from_or_goes_to(source, target, request, tmp_path):
    before = request.getfixturevalue(source)
    before.service(name='Burgerzaken ‘Ü’ \\ "x" \u2028')
    made = keeping.backup(before.settings, tmp_path / "one", told=quiet)
    url = request.getfixturevalue("postgres").empty() if target == "postgresql" else None
    settings = settings_in(tmp_path / "new", database_url=url)
    restore(settings, tmp_path / "one", made.sha256)
    after = contents(settings, tmp_path, "two")
    changed = {name for name, part in made.manifest.tables.items() if after[name] != part}
    ours = {"audit_event", "audit_link", "incarnation", "reference_counter"}
    assert changed == ours | ({"environment_pair", "outbox_message"} & changed)  # what waited is not sent again
    assert made.manifest.rows > 40


def test_it_serves_and_counts_on_after_a_restore(file, tmp_path, postgres):
    from app.main import create_app

    settings = settings_in(tmp_path / "new", database_url=postgres.empty())
    restore(settings, file)
    made = Whole(create_app(settings), settings)
    with made.database.transaction() as session:
        token, _ = access.make_link(
            session, access.find_person(session, "author@example.nl"), actor=SYSTEM, now=clock.now()
        )
    made.tokens["author"] = made.ask("POST", "/api/v1/sessions", body={"signInToken": token}).json()["token"]
    number = int(made.service(name="Nieuw")["ref"].removeprefix("SVC-"))
    assert 1_000 < number < 2_000, "SVC-002 may be something else in mail or on paper since the backup"
    made.database.dispose()


def test_no_secret_and_nothing_that_opens_a_door_is_in_the_file(filled, tmp_path):
    link = filled.sign_in_token("viewer")
    keeping.backup(filled.settings, tmp_path / "one", told=quiet)
    found = (tmp_path / "one").read_bytes()
    for secret in (*filled.tokens.values(), link):
        assert secret.encode() not in found
        assert access.hashed(secret).encode() not in found
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600


def test_who_was_signed_in_before_is_not_after(filled, file, tmp_path):
    from app.main import create_app

    settings = settings_in(tmp_path / "new")
    restore(settings, file)
    after = replace(filled, app=create_app(settings), settings=settings)
    for part in (ADMINISTRATOR, "machine"):
        assert after.call("GET", "/services", by=part).status_code == 401
    after.database.dispose()


@pytest.fixture
def with_evidence(filled: Whole, tmp_path: Path) -> tuple[Whole, str]:
    with filled.database.engine.connect() as connection:  # a row of evidence without its run is enough here
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        source = tmp_path / "source"
        source.write_bytes(b"proof" * 1000)
        stored = EvidenceStore(filled.settings.evidence_dir).put(source)
        with Session(connection) as session:
            row = EvidenceFile(run_id="x", sha256=stored.sha256, size=stored.size, media_type="x", at=clock.now())
            session.add(row)
            session.commit()
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
    return filled, stored.sha256


def test_evidence_that_rows_name_goes_along_and_nothing_else_of_the_store(with_evidence, tmp_path):
    whole, sha256 = with_evidence
    (whole.settings.evidence_dir / "half-written").write_bytes(b"x")
    made = keeping.backup(whole.settings, tmp_path / "one", told=quiet)
    assert (list(made.manifest.evidence), made.whole) == ([sha256], True)
    with Backup(tmp_path / "one") as opened:
        assert b"".join(opened.content(sha256)) == b"proof" * 1000


@pytest.mark.parametrize("harm", ["lost", "damaged"])
def test_evidence_that_is_lost_or_damaged_is_said_and_the_rest_is_still_backed_up(with_evidence, tmp_path, harm):
    whole, sha256 = with_evidence
    path = EvidenceStore(whole.settings.evidence_dir).path(sha256)
    path.unlink() if harm == "lost" else path.write_bytes(b"other")
    made = keeping.backup(whole.settings, tmp_path / "one", told=quiet)
    assert (made.manifest.missing, made.whole) == ([sha256], False)


def test_a_restore_goes_only_into_a_fresh_folder_and_an_empty_database(file, filled, tmp_path, postgres):
    with pytest.raises(BackupRefused, match="not empty"):
        restore(filled.settings, file)
    url = postgres.empty()
    migrations.upgrade(other := Database(settings_in(tmp_path, database_url=url).url))
    other.dispose()
    with pytest.raises(BackupRefused, match="database is not empty"):
        restore(settings_in(tmp_path / "new", database_url=url), file)


def test_a_restore_that_was_cut_off_can_be_done_again(file, tmp_path, monkeypatch):
    settings = settings_in(tmp_path / "new")
    with monkeypatch.context() as cut:
        cut.setattr(keeping.restored, "come_up", lambda *_args, **_more: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            restore(settings, file)
    assert (settings.data_dir / loading.UNFINISHED).exists()
    database = Database(settings.url)
    with database.engine.connect() as connection:
        assert migrations.revision(connection) is None
    database.dispose()
    assert restore(settings, file).runs == []
    assert not (settings.data_dir / loading.UNFINISHED).exists()


def test_a_backup_is_never_written_over_and_leaves_nothing_half(file, filled):
    before = file.read_bytes()
    with pytest.raises(BackupRefused, match="never written over"):
        keeping.backup(filled.settings, file, told=quiet)
    assert file.read_bytes() == before
    assert not list(file.parent.glob(f"{HALF}*"))


def test_where_there_is_no_database_there_is_no_backup(tmp_path):
    with pytest.raises(BackupRefused, match="no database"):
        keeping.backup(settings_in(tmp_path / "nothing"), tmp_path / "one", told=quiet)
    assert not (tmp_path / "one").exists()


def test_a_folder_that_is_not_there_is_named(filled, tmp_path):
    with pytest.raises(BackupRefused, match=f"There is no folder {tmp_path / 'gone'}"):
        keeping.backup(filled.settings, tmp_path / "gone" / "one", told=quiet)


def test_another_sha256_than_was_told_is_refused(file, tmp_path):
    with pytest.raises(BackupRefused, match="not the one you gave"):
        restore(settings_in(tmp_path / "new"), file, "0" * 64)
    assert not (tmp_path / "new").exists()


def rewritten(file: Path, change: Callable[[dict[str, bytes]], None], **more: int) -> None:
    """The same archive with other parts."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(file, "w", more.get("compression", zipfile.ZIP_STORED)) as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = more.get("compression", zipfile.ZIP_STORED)
            entry.external_attr = more.get("mode", 0o100600) << 16
            archive.writestr(entry, content)


def manifest(parts: dict[str, bytes], **more: object) -> None:
    parts["manifest.json"] = json.dumps(json.loads(parts["manifest.json"]) | more).encode()


def add(name: str, content: bytes = b"x") -> Callable[[dict[str, bytes]], None]:
    return lambda parts: parts.update({name: content})


HOSTILE = {
    "a way out": add("../outside"),
    "an absolute path": add("/tmp/outside"),
    "a way out below a folder of ours": add("tables/../../outside"),
    "a file of no table": add("tables/x.txt"),
    "a backslash": add("tables\\x.jsonl"),
    "a control character": add("tables/a\n.jsonl"),
    "a table that the manifest has not": add("tables/more.jsonl"),
    "evidence that the manifest has not": add("evidence/" + "a" * 64),
    "evidence whose name is no hash": add("evidence/passwd"),
    "a part gone": lambda parts: parts.pop("tables/person.jsonl"),
    "no manifest": lambda parts: parts.pop("manifest.json"),
    "a manifest that is no JSON": add("manifest.json", b"{"),
    "another format": lambda parts: manifest(parts, format="other-1"),
    "a field too many": lambda parts: manifest(parts, more=1),
    "a table of another name": lambda parts: manifest(parts, tables={}),
    "a newer revision": lambda parts: manifest(parts, revision="ffffffffffff"),
    "a revision that is a path": lambda parts: manifest(parts, revision="../../x"),
    "all revisions": lambda parts: manifest(parts, revision="heads"),
    "changed rows": add("tables/person.jsonl", b"{}\n"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_or_damaged_file_is_refused_and_nothing_is_written(what, file, tmp_path):
    rewritten(file, HOSTILE[what])
    with pytest.raises(BackupRefused) as refused:
        restore(settings_in(tmp_path / "new"), file)
    assert len(str(refused.value)) > 20
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    ("what", "more"),
    [
        ("compressed, so that it could grow without end", {"compression": zipfile.ZIP_DEFLATED}),
        ("links", {"mode": 0o120777}),
        ("devices", {"mode": 0o060600}),
        ("folders", {"mode": 0o040700}),
    ],
)
def test_an_archive_of_other_things_than_plain_files_is_refused(what, more, file, tmp_path):
    rewritten(file, lambda parts: None, **more)
    with pytest.raises(BackupRefused):
        restore(settings_in(tmp_path / "new"), file)


def test_a_name_that_is_in_it_twice_is_refused(file, tmp_path):
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("tables/person.jsonl", "")
    with pytest.raises(BackupRefused, match="twice"):
        restore(settings_in(tmp_path / "new"), file)


def test_a_file_cut_short_anywhere_is_refused(file):
    whole = file.read_bytes()
    for keep in range(0, len(whole), max(1, len(whole) // 60)):
        file.write_bytes(whole[:keep])
        with pytest.raises(BackupRefused), Backup(file) as opened:
            list(opened.verify())


def test_no_flipped_bit_changes_what_comes_out(file):
    whole = bytearray(file.read_bytes())
    with Backup(file) as opened:
        told = opened.manifest
    refused = 0
    for at in range(0, len(whole), max(1, len(whole) // 400)):
        whole[at] ^= 1
        file.write_bytes(whole)
        whole[at] ^= 1
        try:
            with Backup(file) as opened:
                list(opened.verify())
                assert opened.manifest == told, f"byte {at} changed what is told"
        except BackupRefused:
            refused += 1
    assert refused > 300


def test_a_backup_of_an_older_schema_is_migrated_forward(tmp_path):
    settings = settings_in(tmp_path / "old")
    settings.data_dir.mkdir()
    old = Database(settings.url)
    with old.engine.begin() as connection:
        first = next(each for each in (loading.migrations.FOLDER / "versions").glob("*first_tables.py"))
        revision = next(line for line in first.read_text().splitlines() if line.startswith("revision")).split("'\"")[0]
        migrations.upgrade_to(connection, revision.split("=")[1].strip(" '\""))
        connection.execute(text("INSERT INTO reference_counter (prefix, last) VALUES ('SVC', 41)"))
    old.dispose()
    keeping.backup(settings, tmp_path / "one", told=quiet)
    restore(settings_in(tmp_path / "new"), tmp_path / "one")
    made = Database(settings_in(tmp_path / "new").url)
    assert migrations.is_current(made)
    with made.transaction(write=False) as session:
        counted = text("SELECT last FROM reference_counter WHERE prefix = 'SVC'")
        assert 41 + 1_000 <= session.connection().execute(counted).scalar() < 41 + 2_000
    made.dispose()


def test_each_restore_of_the_same_old_backup_begins_a_life_with_higher_tokens(file, tmp_path, monkeypatch):
    floors = []
    for number, day in enumerate((1, 3)):
        monkeypatch.setattr(clock, "now", lambda day=day: datetime(2028, 1, day, tzinfo=UTC))
        settings = settings_in(tmp_path / str(number))
        floors.append(restore(settings, file).token_floor)
        database = Database(settings.url)
        with database.transaction(write=False) as session:
            assert session.exec(select(Incarnation)).one().token_floor == floors[-1]
        database.dispose()
    assert floors[1] - floors[0] == 2 * 24 * 3600
    shutil.rmtree(tmp_path / "0")
