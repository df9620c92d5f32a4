"""What is no backup, is asked for wrongly, changes or is cut short: the true reason, nothing touched, nothing left."""

import gzip
import os
import random
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runners.contract import Outcome, Verdict
from runners.host_client import HostDied
from runners.host_protocol import Call, HostRequest
from tests.reliability.damage import Looker, ground, processes, soon
from tests.reliability.damaged import RUNNERS, as_it_was, asked, copied, good_ones_pass, largest, verified
from tests.reliability.figures import times
from tests.reliability.good_backups import (  # noqa: F401
    a_checksum,
    a_fresh_ground,
    a_looker,
    a_source,
    a_table,
    good_backups,
)


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
    "a link to itself": (lambda path: path.symlink_to(path), Verdict.FAILED, ("leads to itself", "leads to itself")),
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


def test_a_folder_with_very_many_files_costs_no_memory(looker: Looker) -> None:
    folder = looker.ground.given / "many"
    folder.mkdir()
    for number in range(100_000):
        (folder / f"{number:0200}").touch()
    before = looker.peak()
    for kind in RUNNERS:
        assert verified(looker, folder, kind=kind).verdict is Verdict.FAILED
    assert looker.peak() - before < 32
    shutil.rmtree(folder)


@pytest.mark.parametrize("form", ["custom", "tar"])
def test_a_sound_dump_that_is_packed_once_more_is_not_called_damaged(
    form: str, looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    path = looker.ground.given / "backup.gz"
    path.write_bytes(gzip.compress(made[form].read_bytes()))
    outcome = verified(looker, path, table)
    assert (outcome.verdict, "unpack it first" in outcome.reason.en) == (Verdict.UNKNOWN, True), outcome.reason.en


def test_the_newest_backup_may_be_found_through_a_link(
    looker: Looker, made: dict[str, Path], table: dict[str, Any]
) -> None:
    (looker.ground.given / "latest").symlink_to(copied(made["custom"], looker))
    assert verified(looker, looker.ground.given / "latest", table).verdict is Verdict.PASSED


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
    good_ones_pass(looker, made, table, "odd backups")


def test_the_ground_is_as_it_was(looker: Looker) -> None:
    as_it_was(looker)
