"""Damaged backups, through a real runner host: the right verdict, the true reason, nothing touched and nothing left."""

import gzip
import json
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runners.backup import content, plain
from runners.backup.tools import given_or_found
from runners.contract import Outcome, Verdict
from runners.host_client import HostDied
from runners.host_protocol import Call, HostRequest
from tests.lab.backup_source import ROWS, Source, serving
from tests.reliability.damage import Ground, Looker, cut, flipped, ground, processes, soon
from tests.reliability.figures import times, told

FORMS = ("custom", "plain", "tar", "directory")
RUNNERS = {"dump": "backup.verify-dump", "basebackup": "backup.verify-basebackup"}


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def checksum(source: Source) -> str:
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        content.prepare(connection, 30)
        return content.checksum(connection, "permit")


@pytest.fixture(scope="module")
def made(source: Source) -> dict[str, Path]:
    """A good backup of every kind."""
    found = {form: source.path(form) for form in (*FORMS, "base", "open")}
    for form in FORMS:
        source.tool("pg_dump", "-d", source.dsn, f"--format={form}", "-f", found[form])
    source.tool("pg_dump", "-d", source.dsn, "-Fc", "-Z0", "-f", found["open"])
    source.tool("pg_basebackup", "-d", source.dsn, "-D", found["base"], "-X", "stream", "-c", "fast")
    return found


@pytest.fixture(scope="module")
def looker() -> Iterator[Looker]:
    with ground() as at:
        looking = Looker(at)
        yield looking
        looking.close()


@pytest.fixture(autouse=True)
def fresh(looker: Looker) -> Iterator[None]:
    yield
    for path in looker.ground.given.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != "canary":
            path.unlink()


@pytest.fixture
def table(checksum: str) -> dict[str, Any]:
    return {"name": "permit", "rows": ROWS, "newest": "filed_at", "text": "applicant", "checksum": checksum}


def asked(path: Path | str, *tables: dict[str, Any], kind: str = "dump", **more: Any) -> dict[str, Any]:
    """The parameters of a verification."""
    limit = {"max_age": more.pop("max_age")} if "max_age" in more else {}
    backup = {"kind": kind, "path": str(path), "tables": list(tables), "taken_at": datetime.now(UTC).isoformat()}
    if kind == "basebackup":
        backup |= {"database": "permits", "role": "owner"}
    return {"backup": backup | more, **limit}


def verified(looker: Looker, path: Path | str, *tables: dict[str, Any], touches: bool = False, **more: Any) -> Outcome:
    runner = RUNNERS[str(more.get("kind", "dump"))]
    return looker.look(runner, touches=touches, **asked(path, *tables, **more))


def rows_of(source: Source, path: Path) -> list[Any] | None:
    """What an independent reader finds of the table in a dump; None where it cannot read it.

    As values: a flipped byte can turn `+00` into `+0 `, which is the same time zone.
    """
    done = source.tool("pg_restore", "--data-only", "-t", "permit", "-f", "-", path, check=False)
    if done.returncode != 0:
        return None
    lines = [line for line in done.stdout.splitlines() if line.startswith("p")]
    with psycopg.connect(source.dsn, autocommit=True) as link:
        link.execute("create temporary table found (like permit)")
        with link.cursor().copy("copy found from stdin") as into:
            into.write("".join(f"{line}\n" for line in lines))
        return link.execute("select * from found order by number").fetchall()


def copied(path: Path, looker: Looker) -> Path:
    """A copy of a backup that may be damaged."""
    target = looker.ground.given / "backup"
    if path.is_dir():
        shutil.copytree(path, target)
    else:
        shutil.copy(path, target)
    return target


def largest(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


COUNTED: dict[str, int] = {}


def count(outcome: Outcome) -> Outcome:
    COUNTED[outcome.verdict.value] = COUNTED.get(outcome.verdict.value, 0) + 1
    return outcome


@pytest.mark.parametrize("form", FORMS)
def test_a_dump_that_is_cut_anywhere_fails(
    form: str, looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    chance = random.Random(f"cut {form}")
    for _ in range(times(2, 60)):
        path = copied(made[form], looker)
        target = largest(path) if path.is_dir() else path
        whole = target.read_bytes()
        end = len(whole.rstrip(b"\0")) if form == "tar" else len(whole)
        target.write_bytes(cut(whole[:end], chance.random()))
        outcome = count(verified(looker, path, table))
        nothing_lost = form == "plain" and plain.COMPLETE in target.read_bytes()  # the cut took the last comment's end
        wanted = Verdict.PASSED if nothing_lost else Verdict.FAILED
        assert outcome.verdict is wanted, (target.stat().st_size, outcome.reason.en)
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("form", [*FORMS, "open"])
def test_a_dump_with_a_byte_flipped_anywhere_never_passes_unless_its_rows_are_the_same(
    form: str, looker: Looker, made: dict[str, Path], source: Source, table: dict[str, Any]
) -> None:
    chance = random.Random(f"flip {form}")
    readable = source.path("readable")
    for number in range(times(3, 120)):
        path = copied(made[form], looker)
        files = sorted(each for each in path.iterdir() if each.stat().st_size) if path.is_dir() else [path]
        target = files[number % len(files)]
        # Header and table of contents are a small part of a dump, and the part that programs believe.
        part = chance.random() * (0.02 if number % 2 else 1)
        target.write_bytes(flipped(target.read_bytes(), part, chance.randrange(8)))
        outcome = count(verified(looker, path, table))
        if outcome.verdict is Verdict.PASSED and form not in ("plain", "directory"):
            shutil.copy(path, readable)
            assert rows_of(source, readable) == rows_of(source, made[form]), f"{part} of {form}"
        assert outcome.verdict is not Verdict.UNKNOWN or "version" in outcome.reason.en or "asks" in outcome.reason.en
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    told("cut and flipped dumps: verdicts (passed only with the very same rows)", json.dumps(COUNTED))


def test_a_value_that_changed_is_seen_by_the_checksum_and_said_to_be_unseen_without_it(
    looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    path = copied(made["open"], looker)
    path.write_bytes(path.read_bytes().replace("Çelik 250".encode(), "Çelik 259".encode()))
    seen = verified(looker, path, table)
    assert (seen.verdict, "another checksum" in seen.reason.en) == (Verdict.FAILED, True)
    blind = verified(looker, path, {"name": "permit", "rows": ROWS})
    assert blind.verdict is Verdict.PASSED
    assert "Without a checksum a changed value would not be seen in: permit" in blind.reason.en


def emptied(whole: bytes) -> bytes:
    """A plain dump whose table has no rows."""
    begin = whole.index(b"COPY public.permit")
    line = whole.index(b"\n", begin) + 1
    return whole[:line] + whole[whole.index(b"\\.\n", line) :]


def without(whole: bytes) -> bytes:
    """A plain dump without the table."""
    begin = whole.index(b"CREATE TABLE public.permit")
    whole = whole[:begin] + whole[whole.index(b";\n", begin) + 2 :]
    begin = whole.index(b"COPY public.permit")
    whole = whole[:begin] + whole[whole.index(b"\\.\n", begin) + 3 :]
    begin = whole.index(b"ALTER TABLE ONLY public.permit")
    return whole[:begin] + whole[whole.index(b";\n", begin) + 2 :]


def said_to_be(version: bytes) -> Callable[[bytes], bytes]:
    def change(whole: bytes) -> bytes:
        begin = whole.index(b"-- Dumped from database version ") + 32
        return whole[:begin] + version + whole[whole.index(b"\n", begin) :]

    return change


def in_ascii(whole: bytes) -> bytes:
    """As from a server that knows no encoding, in which an old program wrote LATIN1."""
    return (
        whole.replace(b"client_encoding = 'UTF8'", b"client_encoding = 'SQL_ASCII'")
        .replace("ë".encode(), b"\xeb")
        .replace("Ç".encode(), b"\xc7")
    )


PLAIN: dict[str, tuple[Callable[[bytes], bytes], Verdict, str]] = {
    "an empty table": (emptied, Verdict.FAILED, "has 0 rows; at the backup there were 500"),
    "a missing table": (without, Verdict.FAILED, "lacks table permit"),
    "one row less": (lambda w: w.replace(b"p250\t", b"\\.\np250\t", 1), Verdict.FAILED, "psql command"),
    "LATIN1 in UTF8": (lambda w: w.replace("ë".encode(), b"\xeb"), Verdict.FAILED, "invalid byte sequence"),
    "UTF8 read as LATIN1": (
        lambda w: w.replace(b"client_encoding = 'UTF8'", b"client_encoding = 'LATIN1'"),
        Verdict.FAILED, "wrong encoding",
    ),
    "LATIN1 in a server without encoding": (in_ascii, Verdict.FAILED, "wrong encoding"),
    "UTF8 in a server without encoding": (
        lambda w: w.replace(b"client_encoding = 'UTF8'", b"client_encoding = 'SQL_ASCII'"),
        Verdict.PASSED, "knows no encoding",
    ),
    "its characters lost": (
        lambda w: w.replace("ë".encode(), b"?").replace("Ç".encode(), b"?"), Verdict.FAILED, "outside ASCII",
    ),
    "an encoding that does not exist": (
        lambda w: w.replace(b"client_encoding = 'UTF8'", b"client_encoding = 'UTF99'"),
        Verdict.FAILED, "does not exist",
    ),
    "a newer version": (said_to_be(b"99.1"), Verdict.UNKNOWN, "is of PostgreSQL 99"),
    "a version of a thousand digits": (said_to_be(b"9" * 5000), Verdict.UNKNOWN, "is of PostgreSQL 9999"),
    "two dumps in one file": (lambda w: w + w, Verdict.FAILED, "already exists"),
    "no last line": (lambda w: w[: w.index(b"-- PostgreSQL database dump complete")], Verdict.FAILED, "is cut off"),
    "a NUL in it": (lambda w: w[:2000] + b"\0" + w[2000:], Verdict.FAILED, "NUL"),
    "NULs in its rows": (lambda w: w.replace(b"p250\t", b"p2\x000\t"), Verdict.FAILED, "fail"),
    "one endless line": (lambda w: w + b"-" * 300_000_000, Verdict.UNKNOWN, "more than 256 MiB"),
    "UTF-16": (lambda w: w.decode().encode("utf-16"), Verdict.FAILED, "NUL"),
    "a damaged gzip": (lambda w: flipped(gzip.compress(w), 0.5, 3), Verdict.FAILED, ""),
    "a cut gzip": (lambda w: cut(gzip.compress(w), 0.7), Verdict.FAILED, "damaged"),
    "a statement that never ends": (
        lambda w: w.replace(b"CREATE TABLE", b"SELECT pg_sleep(600);\nCREATE TABLE", 1), Verdict.UNKNOWN, "time was up",
    ),
    "warnings without end": (
        lambda w: w.replace(
            b"CREATE TABLE",
            b"DO $$ BEGIN LOOP RAISE WARNING '%', repeat('x', 9000); END LOOP; END $$;\nCREATE TABLE", 1
        ), Verdict.UNKNOWN, "time was up",
    ),
    "an owner whom nobody knows": (
        lambda w: w.replace(b"OWNER TO owner", b"OWNER TO stranger"), Verdict.PASSED, "right",
    ),
    "rights for whom nobody knows": (
        lambda w: w.replace(b"TO asleep;", b"TO stranger;"), Verdict.PASSED, "right",
    ),
}  # fmt: skip
BY_CHARACTERS = ("UTF8 read as LATIN1", "LATIN1 in a server without encoding", "its characters lost")
ENDLESS = ("a statement that never ends", "warnings without end")


@pytest.mark.parametrize("case", PLAIN)
def test_what_is_wrong_with_a_plain_dump_is_said(
    case: str, looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    change, verdict, reason = PLAIN[case]
    path = looker.ground.given / "dump"
    path.write_bytes(change(made["plain"].read_bytes()))
    expected = table if case not in BY_CHARACTERS else {key: table[key] for key in ("name", "rows", "text")}
    seconds = 8 if case in ENDLESS else 120
    begun = time.monotonic()
    outcome = looker.look(RUNNERS["dump"], seconds=seconds, **asked(path, expected))
    assert (outcome.verdict, reason in outcome.reason.en) == (verdict, True), outcome.reason.en
    assert time.monotonic() - begun < seconds
    assert sum(each.stat().st_size for each in looker.ground.evidence.iterdir()) < 3 * 2**20


def header_of(version: int) -> Callable[[Path], None]:
    """A custom dump whose format says this minor version."""

    def change(path: Path) -> None:
        whole = bytearray(path.read_bytes())
        assert whole[:5] == b"PGDMP"
        whole[6] = version
        path.write_bytes(whole)

    return change


def swapped(at: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        target = next(each for each in sorted(path.iterdir()) if each.name != "toc.dat")
        target.unlink()
        os.symlink(at, target)

    return change


CUSTOM: dict[str, tuple[str, Callable[[Path], None], Verdict, str]] = {
    "a newer format": ("custom", header_of(17), Verdict.UNKNOWN, "another version of PostgreSQL"),
    "a nonsense format": ("custom", header_of(250), Verdict.FAILED, "unsupported version"),
    "a folder that lost a file": (
        "directory", lambda path: largest(path).unlink(), Verdict.FAILED, "could not open",
    ),
    "a folder that lost its contents page": (
        "directory", lambda path: (path / "toc.dat").unlink(), Verdict.FAILED, "no dump",
    ),
    "a folder with a link to a file of this machine": (
        "directory", swapped("/etc/passwd"), Verdict.FAILED, "holds a link",
    ),
    "a folder with a link to a folder": ("directory", swapped("/"), Verdict.FAILED, "holds a link"),
    "a folder with a pipe": (
        "directory", lambda path: os.mkfifo(path / "pipe"), Verdict.FAILED, "holds a pipe or device",
    ),
    "a tar without its end": (
        "tar", lambda path: path.write_bytes(path.read_bytes().rstrip(b"\0")), Verdict.FAILED, "end of the tar",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CUSTOM)
def test_what_is_wrong_with_a_dump_of_another_form_is_said(
    case: str, looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    form, change, verdict, reason = CUSTOM[case]
    path = copied(made[form], looker)
    change(path)
    outcome = verified(looker, path, table)
    assert (outcome.verdict, reason in outcome.reason.en) == (verdict, True), outcome.reason.en


def test_a_newest_row_that_is_too_old_fails_and_one_from_the_future_is_not_measured(
    looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    later = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    old = verified(looker, made["custom"], table, taken_at=later, max_age="PT4H")
    assert (old.verdict, "allowed is 4:00:00" in old.reason.en) == (Verdict.FAILED, True)
    early = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    ahead = verified(looker, made["custom"], table, taken_at=early)
    assert (ahead.verdict, ahead.warning) == (Verdict.PASSED, True)
    assert "dated after the backup" in ahead.reason.en
    assert "rpa_ms" not in {each.name for each in ahead.measurements}


def test_a_dump_of_a_newer_server_than_the_programs_here_cannot_be_looked_at(
    looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    found = given_or_found(None)
    if found[-1].major == found[0].major:
        pytest.skip("not run: this machine has one version of PostgreSQL")
    for form in FORMS:
        outcome = verified(looker, made[form], table, binaries=str(found[-1].folder))
        assert outcome.verdict is Verdict.UNKNOWN, outcome.reason.en
        assert "version" in outcome.reason.en


def nothing(path: Path) -> None:
    """No backup is there."""


def bound(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


def sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(10 * 2**30)


ODD: dict[str, tuple[Callable[[Path], None], Verdict, tuple[str, str]]] = {
    "nothing": (nothing, Verdict.FAILED, ("does not exist", "does not exist")),
    "no bytes": (lambda path: path.touch(), Verdict.FAILED, ("is empty", "no folder")),
    "a pipe": (os.mkfifo, Verdict.FAILED, ("pipe or device", "pipe or device")),
    "a socket": (bound, Verdict.FAILED, ("pipe or device", "pipe or device")),
    "an empty folder": (lambda path: path.mkdir(), Verdict.FAILED, ("no dump", "no PG_VERSION")),
    "a link to itself": (lambda path: path.symlink_to(path), Verdict.UNKNOWN, ("symbolic links", "symbolic links")),
    "a link to nowhere": (
        lambda path: path.symlink_to("nowhere"), Verdict.FAILED, ("does not exist", "does not exist"),
    ),
    "a link to the random device": (
        lambda path: path.symlink_to("/dev/urandom"), Verdict.FAILED, ("pipe or device", "pipe or device"),
    ),
    "ten gigabytes of nothing": (sparse, Verdict.FAILED, ("NUL", "no folder")),
    "a picture": (
        lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(5000)), Verdict.FAILED, ("dump", "no folder"),
    ),
    "a gzip of a picture": (
        lambda path: path.write_bytes(gzip.compress(b"\x89PNG\r\n\x1a\n" + os.urandom(5000))), Verdict.FAILED,
        ("dump", "no folder"),
    ),
    "a program": (lambda path: path.write_bytes(Path("/bin/true").read_bytes()), Verdict.FAILED, ("NUL", "no folder")),
    "a letter": (
        lambda path: path.write_text("Geachte mevrouw,\n"), Verdict.FAILED, ("no dump of pg_dump", "no folder"),
    ),
    "only the begin of a header": (lambda path: path.write_bytes(b"PGDMP"), Verdict.FAILED, ("fails", "no folder")),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_what_is_no_backup_at_all_says_so(case: str, looker: Looker) -> None:
    make, verdict, reasons = ODD[case]
    path = looker.ground.given / "backup"
    make(path)
    for kind, reason in zip(RUNNERS, reasons, strict=True):
        outcome = verified(looker, path, kind=kind)
        assert (outcome.verdict, reason in outcome.reason.en) == (verdict, True), outcome.reason.en
    assert looker.peak() < 400


def test_a_path_that_no_file_can_have_says_so(looker: Looker) -> None:
    for path in ("/tmp/a\0b", "x" * 5000, "/proc/self/mem", "/dev/tty", ""):
        for kind in RUNNERS:
            assert verified(looker, path, kind=kind).verdict is not Verdict.PASSED


def test_the_newest_backup_may_be_found_through_a_link(
    looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    (looker.ground.given / "latest").symlink_to(copied(made["custom"], looker))
    assert verified(looker, looker.ground.given / "latest", table).verdict is Verdict.PASSED


def flip_one(path: Path) -> None:
    path.write_bytes(flipped(path.read_bytes(), 0.5, 0))


def rewritten(path: Path, old: bytes, new: bytes) -> None:
    content_then = path.read_bytes()
    assert old in content_then
    path.write_bytes(content_then.replace(old, new, 1))


def linked(path: Path, to: str) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(to)


BASE: dict[str, tuple[Callable[[Path], Any], Verdict, str]] = {
    "no manifest": (lambda top: (top / "backup_manifest").unlink(), Verdict.FAILED, "has no manifest"),
    "an empty manifest": (lambda top: os.truncate(top / "backup_manifest", 0), Verdict.FAILED, "pg_verifybackup"),
    "a cut manifest": (lambda top: os.truncate(top / "backup_manifest", 3000), Verdict.FAILED, "pg_verifybackup"),
    "a manifest of another backup": (
        lambda top: rewritten(top / "backup_manifest", b'"base/1/', b'"base/9/'), Verdict.FAILED, "pg_verifybackup",
    ),
    "a file more than the manifest": (
        lambda top: (top / "global" / "extra").touch(), Verdict.FAILED, "pg_verifybackup",
    ),
    "a file less than the manifest": (lambda top: largest(top / "base").unlink(), Verdict.FAILED, "pg_verifybackup"),
    "another major version": (lambda top: (top / "PG_VERSION").write_text("15\n"), Verdict.FAILED, "pg_verifybackup"),
    "a major version that is not here": (
        lambda top: (top / "PG_VERSION").write_text("99\n"), Verdict.UNKNOWN, "PostgreSQL 99",
    ),
    "nonsense for a version": (
        lambda top: (top / "PG_VERSION").write_bytes(os.urandom(5000)), Verdict.UNKNOWN, "is of PostgreSQL",
    ),
    "no WAL": (lambda top: [each.unlink() for each in (top / "pg_wal").glob("0*")], Verdict.UNKNOWN, "holds no WAL"),
    "damaged WAL": (
        lambda top: [each.write_bytes(bytes(each.stat().st_size)) for each in (top / "pg_wal").glob("0*")],
        Verdict.FAILED, "pg_verifybackup",
    ),
    "WAL behind a link": (
        lambda top: linked(top / "pg_wal", "/var/lib"), Verdict.UNKNOWN, "WAL of the base backup lies elsewhere",
    ),
    "a tablespace": (lambda top: linked(top / "pg_tblspc" / "16999", "/etc"), Verdict.UNKNOWN, "tablespaces"),
    "a map of tablespaces": (
        lambda top: (top / "tablespace_map").write_text("16999 /etc\n"), Verdict.UNKNOWN, "tablespaces",
    ),
    "a file behind a link": (lambda top: linked(largest(top / "base"), "/etc/passwd"), Verdict.FAILED, "holds a link"),
    "a folder behind a link": (lambda top: linked(top / "pg_xact", "/etc"), Verdict.FAILED, "holds a link"),
    "a pipe in it": (lambda top: os.mkfifo(top / "pipe"), Verdict.FAILED, "holds a pipe or device"),
    "folders without end": (
        lambda top: os.makedirs(top / "/".join(["d"] * 60)), Verdict.FAILED, "too deep",
    ),
    "a huge hole in it": (
        lambda top: os.truncate(largest(top / "base"), 10 * 2**40), Verdict.UNKNOWN, "too little room",
    ),
    "settings that start programs": (
        lambda top: (top / "postgresql.conf").write_text("archive_command = 'touch /tmp/wissel-evil'\n"),
        Verdict.FAILED, "pg_verifybackup",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BASE)
def test_a_damaged_base_backup_is_seen(case: str, looker: Looker, made: dict[str, Path], table: dict[str, Any]) -> None:
    damage, verdict, reason = BASE[case]
    path = copied(made["base"], looker)
    damage(path)
    outcome = verified(looker, path, table, kind="basebackup")
    assert (outcome.verdict, reason in outcome.reason.en) == (verdict, True), outcome.reason.en


def test_a_base_backup_with_a_byte_flipped_in_any_file_fails(
    looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    chance, wrong = random.Random("base"), 0
    path = copied(made["base"], looker)
    files = sorted(each for each in path.rglob("*") if each.is_file() and each.stat().st_size)
    for _ in range(tried := times(3, 200)):
        target = chance.choice(files)
        whole = target.read_bytes()
        target.write_bytes(flipped(whole, chance.random(), chance.randrange(8)))
        outcome = verified(looker, path, table, kind="basebackup")
        # Beyond what the WAL of the backup needs, its last segment is empty: nothing that anybody reads.
        assert outcome.verdict is Verdict.FAILED or target.parent.name == "pg_wal", (target, outcome.reason.en)
        wrong += outcome.verdict is Verdict.FAILED
        target.write_bytes(whole)
    told("base backups with one bit flipped", f"{wrong} of {tried} failed, the others in unused WAL")


@pytest.mark.parametrize(
    ("more", "verdict", "reason"),
    [
        ({"role": "stranger"}, Verdict.UNKNOWN, "Role 'stranger' cannot log in"),
        ({"role": "asleep"}, Verdict.UNKNOWN, "Role 'asleep' cannot log in"),
        ({"role": "clerk"}, Verdict.UNKNOWN, "may not read table permit"),
        ({"role": "x' OR '1'='1"}, Verdict.UNKNOWN, "cannot log in"),
        ({"database": "other"}, Verdict.FAILED, "lacks database 'other'"),
    ],
)
def test_a_wrong_role_or_database_is_said(
    more: dict[str, str], verdict: Verdict, reason: str, looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    outcome = verified(looker, made["base"], table, kind="basebackup", **more)
    assert (outcome.verdict, reason in outcome.reason.en) == (verdict, True), outcome.reason.en


def during(looker: Looker, change: Callable[[], Any], **params: Any) -> Outcome:
    """The outcome of a look in which something happens once its programs have begun to speak."""
    happened = threading.Event()

    def heard(_line: str) -> None:
        if not happened.is_set():
            happened.set()
            change()

    request = HostRequest(
        id="during",
        call=Call.RUN,
        runner=RUNNERS[params["backup"]["kind"]],
        params=params,
        effect_key="run:step:1",
        fencing_token=1,
        deadline=datetime.now(UTC) + timedelta(seconds=120),
        evidence=str(looker.ground.evidence),
    )
    reply = looker.host.call(request, on_log=heard)
    assert happened.is_set()
    assert reply.outcome is not None, reply.error
    assert not list(looker.ground.scratch.iterdir())
    assert not looker.strays()
    return reply.outcome


@pytest.mark.parametrize("kind", RUNNERS)
@pytest.mark.parametrize("what", ["vanishes", "grows", "is replaced"])
def test_a_backup_that_changes_while_it_is_restored_cannot_be_looked_at(
    what: str, kind: str, looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    path = copied(made["plain" if kind == "dump" else "base"], looker)
    file = path if kind == "dump" else largest(path)

    def change() -> None:
        match what:
            case "vanishes":
                file.unlink()
            case "grows":
                with file.open("ab") as stream:
                    stream.write(b"-- more\n")
            case _:
                shutil.copy(file, f"{file}.new")
                os.replace(f"{file}.new", file)

    outcome = during(looker, change, **asked(path, table, kind=kind))
    assert (outcome.verdict, "changed or vanished" in outcome.reason.en) == (Verdict.UNKNOWN, True), outcome.reason.en


def test_a_host_that_is_killed_in_the_middle_leaves_no_server_and_the_next_one_sweeps(
    made: dict[str, Path], table: dict[str, Any]
) -> None:
    for _ in range(times(1, 25)):
        with ground() as at:
            first = Looker(at)
            timer = threading.Timer(random.uniform(0.3, 2.0), first.host.kill)
            timer.start()
            with suppress(HostDied):
                first.ask(RUNNERS["dump"], **asked(made["custom"], table))
            timer.join()
            assert soon(lambda at=at: not processes(str(at.scratch))), processes(str(at.scratch))
            first.host.close()
            second = Looker(at)
            assert second.look(RUNNERS["dump"], **asked(made["custom"], table)).verdict is Verdict.PASSED
            second.close()


def test_the_disk_is_never_filled_by_a_restore(made: dict[str, Path], table: dict[str, Any]) -> None:
    """On a disk of 280 MiB of which 256 MiB must stay free."""
    if os.geteuid() != 0:
        pytest.skip("not run: only root can make a small disk")
    with ground() as at:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=280m,mode=1777", "tmpfs", at.scratch], check=True)
        try:
            looking = Looker(at)
            outcome = looking.look(RUNNERS["dump"], **asked(made["custom"], table))
            looking.close()
        finally:
            subprocess.run(["umount", at.scratch], check=True)
    assert (outcome.verdict, "too little room" in outcome.reason.en) == (Verdict.UNKNOWN, True), outcome.reason.en


def test_good_backups_still_pass_after_all_this(looker: Looker, made: dict[str, Path], table: dict[str, Any]) -> None:
    for form in FORMS:
        assert verified(looker, made[form], table).verdict is Verdict.PASSED
    assert verified(looker, made["base"], table, kind="basebackup").verdict is Verdict.PASSED
    told("memory of the runner host after all damaged backups", f"peak {looker.peak()} MiB")


def test_the_ground_is_as_it_was(looker: Looker) -> None:
    at: Ground = looker.ground
    assert (at.folder / "canary").read_text() == "sings\n"
    assert not Path("/tmp/wissel-evil").exists()
