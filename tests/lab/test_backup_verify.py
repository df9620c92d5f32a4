"""backup.verify-dump and backup.verify-basebackup against real PostgreSQL: good backups pass, damaged ones do not."""

import gzip
import hashlib
import json
import os
import pwd
import re
import shutil
import tarfile
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from runners.backup import content
from runners.backup.basebackup import VerifyBasebackup, VerifyBasebackupParams
from runners.backup.dump import VerifyDump, VerifyDumpParams
from runners.backup.tools import given_or_found
from runners.contract import Backup, ExpectedTable, Verdict
from tests.lab.backup_source import ROWS, serving
from tests.unit.runners_escrow.deposits import Bench


@pytest.fixture(scope="module")
def source():
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def checksum(source):
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        content.prepare(connection, 30)
        return content.checksum(connection, "permit")


@pytest.fixture(scope="module")
def dumps(source):
    found = {}
    for form in ("custom", "plain", "tar", "directory"):
        found[form] = source.path(form)
        source.tool("pg_dump", "-d", source.dsn, f"--format={form}", "-f", found[form])
    return found


@pytest.fixture(scope="module")
def base(source):
    source.tool("pg_basebackup", "-d", source.dsn, "-D", source.path("base"), "-X", "stream", "-c", "fast")
    return source.path("base")


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "evidence", seconds=90)


@pytest.fixture(autouse=True)
def nothing_left(tmp_path, monkeypatch):
    """Whatever a test does: no server and no folder of the drivers stays; in a folder of our own."""
    own = Path(tempfile.mkdtemp(prefix="wissel-verify-"))
    own.chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    yield
    assert not list(own.glob("wissel-restore-*"))
    assert not [line for line in commands() if f"{own}/wissel-restore" in line]
    shutil.rmtree(own)


def commands():
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


PERMIT = ExpectedTable(name="permit", rows=ROWS, newest="filed_at", text="applicant")


def dump(path, bench, *tables, max_age=None, **more):
    backup = Backup(kind="dump", path=str(path), tables=tables or (PERMIT,), **({"taken_at": datetime.now(UTC)} | more))
    return VerifyDump().run(VerifyDumpParams(backup=backup, max_age=max_age), bench)


def basebackup(path, bench, *tables, max_age=None, **more):
    fields = {"database": "permits", "role": "owner", "taken_at": datetime.now(UTC)} | more
    backup = Backup(kind="basebackup", path=str(path), tables=tables or (PERMIT,), **fields)
    return VerifyBasebackup().run(VerifyBasebackupParams(backup=backup, max_age=max_age), bench)


def measured(outcome):
    return {each.name: each.value for each in outcome.measurements}


@pytest.mark.parametrize("form", ["custom", "plain", "tar", "directory"])
def test_a_good_dump_is_restored_and_measured(dumps, bench, checksum, form):
    outcome = dump(dumps[form], bench, PERMIT.model_copy(update={"checksum": checksum}))
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    found = measured(outcome)
    assert found["rows"] == ROWS
    assert found["encoding"] == "UTF8"
    assert 60_000 <= found["rpa_ms"] < 60_000 + 600_000
    assert found["rta_ms"] > 0
    assert (bench.evidence / "report.json").is_file()


def test_a_plain_dump_in_gzip_and_one_made_of_inserts_are_restored(source, dumps, bench, tmp_path):
    packed = tmp_path / "dump.sql.gz"
    packed.write_bytes(gzip.compress(dumps["plain"].read_bytes()))
    assert dump(packed, bench).verdict is Verdict.PASSED
    source.tool("pg_dump", "-d", source.dsn, "--inserts", "-f", source.path("inserts.sql"))
    assert dump(source.path("inserts.sql"), bench).verdict is Verdict.PASSED


def test_the_documented_sql_gives_the_checksum(source, checksum):
    lines = content.__doc__.splitlines()
    settings, query = (" ".join(line.strip() for line in lines if word in line) for word in ("SET ", "SELECT"))
    query = query.replace("ORDER BY t.id", 'ORDER BY t.number COLLATE "C"')
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        connection.execute(settings)
        assert connection.execute(query).fetchone()[0] == checksum


def test_a_good_base_backup_is_started_and_measured(base, bench, checksum):
    outcome = basebackup(base, bench, PERMIT.model_copy(update={"checksum": checksum}))
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    assert measured(outcome)["rows"] == ROWS
    assert measured(outcome)["rta_ms"] > 0


def test_without_a_role_the_bootstrap_superuser_of_the_backup_is_found(base, bench):
    outcome = basebackup(base, bench, role=None)
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en


TABLES = [
    (ExpectedTable(name="permit", rows=ROWS + 1), "has 500 rows; at the backup there were 501"),
    (ExpectedTable(name="permit", min_rows=1000), "at least 1000 were expected"),
    (ExpectedTable(name="nothing"), "has 0 rows; at least 1"),
    (ExpectedTable(name="gone"), "lacks table gone"),
    (ExpectedTable(name="permit; DROP TABLE permit"), "lacks table"),
    (ExpectedTable(name="permit", checksum="0" * 64), "another checksum"),
    (ExpectedTable(name="permit", newest="filed"), "lacks an expected column"),
    (ExpectedTable(name="mangled", text="name"), "wrong encoding: ZoÃ«"),
    (ExpectedTable(name="lost", text="name"), "no characters outside ASCII any more"),
]


@pytest.mark.parametrize(("table", "reason"), TABLES, ids=[reason for _, reason in TABLES])
def test_content_that_is_not_as_expected_fails_for_its_reason(dumps, bench, table, reason):
    outcome = dump(dumps["custom"], bench, table)
    assert outcome.verdict is Verdict.FAILED
    assert reason in outcome.reason.en


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (ExpectedTable(name="keyless", checksum="0" * 64), "no primary key"),
        (ExpectedTable(name="permit", checksum="crc"), "no SHA-256 or MD5"),
        (ExpectedTable(name="permit", newest="applicant"), "holds no times"),
    ],
)
def test_content_that_cannot_be_compared_means_could_not_look(dumps, bench, table, reason):
    outcome = dump(dumps["custom"], bench, table)
    assert outcome.verdict is Verdict.UNKNOWN
    assert reason in outcome.reason.en


def test_names_in_capitals_with_spaces_or_a_schema_are_found(dumps, bench):
    tables = (ExpectedTable(name="Odd name", newest="said"), ExpectedTable(name="public.permit"))
    assert dump(dumps["custom"], bench, *tables).verdict is Verdict.PASSED


def test_too_old_a_newest_row_fails_with_its_age(dumps, base, bench):
    later = datetime.now(UTC) + timedelta(hours=5)
    for verify, path in ((dump, dumps["custom"]), (basebackup, base)):
        outcome = verify(path, bench, max_age=timedelta(hours=4), taken_at=later)
        assert outcome.verdict is Verdict.FAILED
        assert "is 5:0" in outcome.reason.en
        assert "allowed is 4:00:00" in outcome.reason.en


def test_a_dump_of_nothing_fails_and_one_of_unknown_tables_passes_with_a_warning(source, dumps, bench):
    source.tool("pg_dump", "-d", f"host={source.folder} user=owner dbname=postgres", "-Fc", "-f", source.path("empty"))
    backup = Backup(kind="dump", path=str(source.path("empty")))
    outcome = VerifyDump().run(VerifyDumpParams(backup=backup), bench)
    assert (outcome.verdict, "no table at all" in outcome.reason.en) == (Verdict.FAILED, True)
    known = VerifyDump().run(VerifyDumpParams(backup=Backup(kind="dump", path=str(dumps["custom"]))), bench)
    assert (known.verdict, known.warning) == (Verdict.PASSED, True)


@pytest.mark.parametrize("form", ["custom", "plain", "tar"])
@pytest.mark.parametrize("part", [0.2, 0.66, 0.98])
def test_a_cut_dump_fails_wherever_it_is_cut(dumps, bench, tmp_path, form, part):
    whole = dumps[form].read_bytes()
    if form == "tar":
        whole = whole.rstrip(b"\0")
    (tmp_path / "cut").write_bytes(whole[: int(len(whole) * part)])
    outcome = dump(tmp_path / "cut", bench)
    assert outcome.verdict is Verdict.FAILED, outcome.reason.en


def test_a_flipped_byte_in_the_data_of_a_dump_fails(dumps, bench, tmp_path, checksum):
    whole = bytearray(dumps["custom"].read_bytes())
    place = len(whole) - 3_000
    whole[place] ^= 0x10
    (tmp_path / "flipped").write_bytes(whole)
    outcome = dump(tmp_path / "flipped", bench, PERMIT.model_copy(update={"checksum": checksum}))
    assert outcome.verdict is Verdict.FAILED, outcome.reason.en


def test_a_table_left_out_of_the_dump_fails(source, bench):
    source.tool("pg_dump", "-d", source.dsn, "-Fc", "-T", "permit", "-f", source.path("without"))
    assert "lacks table permit" in dump(source.path("without"), bench).reason.en


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "does not exist"), (b"", "is empty"), (b"\0\1\2" * 1000, "damaged"), (b"hello\n", "no dump of pg_dump")],
)
def test_what_is_no_dump_fails(bench, tmp_path, content, reason):
    if content is not None:
        (tmp_path / "dump").write_bytes(content)
    outcome = dump(tmp_path / "dump", bench)
    assert outcome.verdict is Verdict.FAILED
    assert reason in outcome.reason.en


def test_bytes_in_another_encoding_than_the_dump_says_fail(dumps, bench, tmp_path):
    (tmp_path / "dump").write_bytes(dumps["plain"].read_bytes().replace("ë".encode(), "ë".encode("latin-1")))
    outcome = dump(tmp_path / "dump", bench)
    assert outcome.verdict is Verdict.FAILED
    assert "invalid byte sequence" in outcome.reason.en


def test_a_dump_in_latin1_is_restored_in_latin1(source, bench):
    source.tool("pg_dump", "-d", source.dsn, "-Fc", "-E", "LATIN1", "-f", source.path("latin"), "-t", "permit")
    outcome = dump(source.path("latin"), bench)
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    assert measured(outcome)["encoding"] == "LATIN1"


HOSTILE = {
    "a shell command of psql": ("\\! touch {witness}\n", Verdict.FAILED, "psql command \\!"),
    "a pipe of psql": ("\\o |touch {witness}\n", Verdict.FAILED, "psql command \\o"),
    "a command of psql in a line": ("SELECT 1 \\! touch {witness}\n;", Verdict.FAILED, "restore fails"),
    "a program of COPY": ("COPY (SELECT 1) TO PROGRAM 'touch {witness}';\n", Verdict.UNKNOWN, "asks for rights"),
    "a file of COPY": ("COPY (SELECT 1) TO '{witness}';\n", Verdict.UNKNOWN, "asks for rights"),
    "a server setting": ("ALTER SYSTEM SET archive_command = 'touch {witness}';\n", Verdict.FAILED, "restore fails"),
    "a foreign language": (
        "CREATE FUNCTION s(text) RETURNS int LANGUAGE c AS 'libc.so.6', 'system'; SELECT s('touch {witness}');\n",
        Verdict.UNKNOWN, "asks for rights",
    ),
    "another role": ("SET SESSION AUTHORIZATION throwaway;\nCOPY (SELECT 1) TO PROGRAM 'touch {witness}';\n",
                     Verdict.UNKNOWN, "asks for rights"),
    "a whole cluster": ("\\connect postgres\n", Verdict.UNKNOWN, "\\connect"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_the_sql_of_a_dump_cannot_run_programs(dumps, bench, tmp_path, case):
    witness = Path(tempfile.gettempdir()) / f"wissel-witness-{os.getpid()}"
    line, verdict, reason = HOSTILE[case]
    (tmp_path / "dump").write_bytes(line.format(witness=witness).encode() + dumps["plain"].read_bytes())
    outcome = dump(tmp_path / "dump", bench)
    assert outcome.verdict is verdict, outcome.reason.en
    assert reason in outcome.reason.en
    assert not witness.exists()


def test_the_markers_that_pg_dump_itself_writes_are_passed_over(dumps, bench, tmp_path):
    text = re.sub(rb"^\\(un)?restrict.*\n", b"", dumps["plain"].read_bytes(), flags=re.M)
    (tmp_path / "dump").write_bytes(b"\\restrict abc\n" + text + b"\\unrestrict abc\n")
    assert dump(tmp_path / "dump", bench).verdict is Verdict.PASSED


def older():
    return next((each for each in given_or_found(None) if each.major < given_or_found(None)[0].major), None)


def test_a_backup_of_a_newer_major_version_means_could_not_look(dumps, base, bench):
    other = older()
    if other is None:
        pytest.skip("not run: this machine has one version of PostgreSQL")
    for verify, path in ((dump, dumps["custom"]), (dump, dumps["plain"]), (basebackup, base)):
        outcome = verify(path, bench, binaries=str(other.folder))
        assert outcome.verdict is Verdict.UNKNOWN
        assert "version" in outcome.reason.en


def test_an_older_dump_is_restored_by_newer_programs(source, bench, dumps, tmp_path):
    text = re.sub(rb"(server|database|pg_dump) version \d+[.\d]*", rb"\1 version 12.4", dumps["plain"].read_bytes())
    (tmp_path / "dump").write_bytes(text)
    assert dump(tmp_path / "dump", bench, binaries=str(source.binaries)).verdict is Verdict.PASSED


def test_without_the_programs_it_could_not_look(dumps, base, bench, tmp_path):
    for verify, path in ((dump, dumps["custom"]), (basebackup, base)):
        outcome = verify(path, bench, binaries=str(tmp_path))
        assert outcome.verdict is Verdict.UNKNOWN
        assert "no usable PostgreSQL programs" in outcome.reason.en


def test_no_time_left_means_could_not_look(dumps, base, tmp_path):
    bench = Bench(tmp_path / "evidence", seconds=0)
    assert dump(dumps["custom"], bench).verdict is Verdict.UNKNOWN
    assert basebackup(base, bench).verdict is Verdict.UNKNOWN


@pytest.fixture
def copy(base, tmp_path):
    shutil.copytree(base, tmp_path / "base")
    return tmp_path / "base"


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def largest(folder: Path) -> Path:
    return max((path for path in (folder / "base").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


DAMAGES = {
    "a flipped byte": (lambda folder: flip(largest(folder)), Verdict.FAILED, "pg_verifybackup: checksum mismatch"),
    "a cut file": (lambda folder: os.truncate(largest(folder), 8192), Verdict.FAILED, "pg_verifybackup"),
    "a missing file": (lambda folder: largest(folder).unlink(), Verdict.FAILED, "pg_verifybackup"),
    "an extra file": (lambda folder: (folder / "base" / "extra").touch(), Verdict.FAILED, "pg_verifybackup"),
    "no manifest": (lambda folder: (folder / "backup_manifest").unlink(), Verdict.FAILED, "has no manifest"),
    "a changed manifest": (lambda folder: flip(folder / "backup_manifest"), Verdict.FAILED, "pg_verifybackup"),
    "no version": (lambda folder: (folder / "PG_VERSION").unlink(), Verdict.FAILED, "no PG_VERSION"),
    "an old version": (lambda folder: (folder / "PG_VERSION").write_text("9.6\n"), Verdict.UNKNOWN, "PostgreSQL 9.6"),
    "no WAL": (lambda folder: [each.unlink() for each in (folder / "pg_wal").glob("0*")], Verdict.UNKNOWN, "no WAL"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_base_backup_never_passes(copy, bench, case):
    damage, verdict, reason = DAMAGES[case]
    damage(copy)
    outcome = basebackup(copy, bench)
    assert outcome.verdict is verdict, outcome.reason.en
    assert reason in outcome.reason.en


def with_new_manifest(folder: Path) -> Path:
    """Make the manifest fit the folder as it is now, so that only starting the backup can tell."""
    old = json.loads((folder / "backup_manifest").read_text())
    files = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and name != "backup_manifest" and not name.startswith("pg_wal/"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            at = "2026-01-01 00:00:00 GMT"
            entry = {"Path": name, "Size": path.stat().st_size, "Last-Modified": at}
            files.append({**entry, "Checksum-Algorithm": "SHA256", "Checksum": digest})
    old["Files"] = files
    del old["Manifest-Checksum"]
    text = json.dumps(old).removesuffix("}") + ",\n"
    checksum = hashlib.sha256(text.encode()).hexdigest()
    (folder / "backup_manifest").write_text(f'{text}"Manifest-Checksum": "{checksum}"}}\n')
    return folder


def test_a_base_backup_that_is_whole_by_its_manifest_but_does_not_start_fails(copy, bench):
    (copy / "backup_label").write_text("nonsense\n")
    outcome = basebackup(with_new_manifest(copy), bench)
    assert outcome.verdict is Verdict.FAILED
    assert "does not start on this data" in outcome.reason.en


def test_a_page_whose_checksum_is_wrong_is_seen_by_looking_though_the_manifest_fits(source, copy, bench):
    with psycopg.connect(source.dsn) as connection:
        path = connection.execute("SELECT pg_relation_filepath('permit')").fetchone()[0]
    flip(copy / path)
    outcome = basebackup(with_new_manifest(copy), bench)
    assert outcome.verdict is Verdict.FAILED
    assert "invalid page" in outcome.reason.en


@pytest.mark.parametrize(
    ("more", "verdict", "reason"),
    [
        ({"role": "stranger"}, Verdict.UNKNOWN, "Role 'stranger' cannot log in"),
        ({"role": "asleep"}, Verdict.UNKNOWN, "Role 'asleep' cannot log in"),
        ({"role": "clerk"}, Verdict.UNKNOWN, "may not read table permit"),
        ({"database": "other"}, Verdict.FAILED, "lacks database 'other'"),
    ],
)
def test_a_wrong_role_or_database_says_so(base, bench, more, verdict, reason):
    outcome = basebackup(base, bench, **more)
    assert outcome.verdict is verdict
    assert reason in outcome.reason.en


def test_what_is_no_base_backup_says_so(dumps, bench, tmp_path):
    assert basebackup(dumps["custom"], bench).verdict is Verdict.FAILED
    assert basebackup(tmp_path / "none", bench).verdict is Verdict.FAILED
    with tarfile.open(tmp_path / "base.tar", "w"):
        outcome = basebackup(tmp_path, bench)
    assert (outcome.verdict, "tar format" in outcome.reason.en) == (Verdict.UNKNOWN, True)


def test_a_copy_of_a_standby_does_not_follow_its_primary(source, copy, bench):
    (copy / "postgresql.auto.conf").write_text(f"primary_conninfo = 'host={source.folder} user=owner'\n")
    (copy / "standby.signal").touch()
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO nothing VALUES (1)")
        outcome = basebackup(with_new_manifest(copy), bench, ExpectedTable(name="nothing", rows=0, min_rows=0))
        connection.execute("DELETE FROM nothing")
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root has another user to become")
def test_as_root_the_server_runs_as_an_ordinary_user(dumps, bench, monkeypatch):
    seen = set()
    original = content.look

    def looking(*arguments):
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if b"wissel-restore" in (folder / "cmdline").read_bytes():
                    seen.add(folder.stat().st_uid)
            except OSError:
                continue
        return original(*arguments)

    monkeypatch.setattr("runners.backup.verdict.look", looking)
    assert dump(dumps["custom"], bench).verdict is Verdict.PASSED
    assert seen == {pwd.getpwnam("nobody").pw_uid}
