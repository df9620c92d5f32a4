"""Damaged dumps, through a real runner host: the right verdict, the true reason, nothing touched and nothing left."""

import gzip
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runners.backup import plain
from runners.backup.tools import given_or_found
from runners.contract import Outcome, Verdict
from tests.lab.backup_source import ROWS, Source
from tests.reliability.damage import Looker, cut, flipped
from tests.reliability.damaged import (
    FORMS,
    RUNNERS,
    as_it_was,
    asked,
    copied,
    emptied,
    good_ones_pass,
    header_of,
    in_ascii,
    largest,
    said_to_be,
    swapped,
    verified,
    without,
)
from tests.reliability.figures import times, told
from tests.reliability.good_backups import (  # noqa: F401
    a_checksum,
    a_fresh_ground,
    a_looker,
    a_source,
    a_table,
    good_backups,
)

COUNTED: dict[str, int] = {}


def count(outcome: Outcome) -> Outcome:
    COUNTED[outcome.verdict.value] = COUNTED.get(outcome.verdict.value, 0) + 1
    return outcome


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


def test_good_backups_still_pass_after_all_this(looker: Looker, made: dict[str, Path], table: dict[str, Any]) -> None:
    good_ones_pass(looker, made, table, "damaged dumps")


def test_the_ground_is_as_it_was(looker: Looker) -> None:
    as_it_was(looker)
