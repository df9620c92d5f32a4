"""Damaged base backups, through a real runner host: the right verdict, the true reason, nothing touched or left."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runners.contract import Verdict
from tests.reliability.damage import Looker, flipped
from tests.reliability.damaged import as_it_was, copied, good_ones_pass, largest, linked, rewritten, verified
from tests.reliability.figures import times, told
from tests.reliability.good_backups import (  # noqa: F401
    a_checksum,
    a_fresh_ground,
    a_looker,
    a_source,
    a_table,
    good_backups,
)

BASE: dict[str, tuple[Callable[[Path], Any], Verdict, str]] = {
    "no manifest": (lambda top: (top / "backup_manifest").unlink(), Verdict.FAILED, "has no manifest"),
    "an empty manifest": (lambda top: os.truncate(top / "backup_manifest", 0), Verdict.FAILED, "pg_verifybackup"),
    "a cut manifest": (
        lambda top: os.truncate(top / "backup_manifest", 3000), Verdict.FAILED, "damaged according to pg_verifybackup",
    ),
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
        lambda top: (top / "PG_VERSION").write_bytes(os.urandom(5000)), Verdict.FAILED, "names no version",
    ),
    "no version": (lambda top: os.truncate(top / "PG_VERSION", 0), Verdict.FAILED, "names no version"),
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


def test_good_backups_still_pass_after_all_this(looker: Looker, made: dict[str, Path], table: dict[str, Any]) -> None:
    good_ones_pass(looker, made, table, "damaged base backups")


def test_the_ground_is_as_it_was(looker: Looker) -> None:
    as_it_was(looker)
