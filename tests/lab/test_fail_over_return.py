"""The lost side comes back: what it wrote on its own is listed before it is thrown away, and then it follows."""

import csv
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from runners.contract import Verdict
from runners.postgres import private
from runners.postgres.private import PREFIX
from tests.lab.conftest import Writer
from tests.lab.pair import LabPair, until
from tests.lab.postgres_drivers import FALLBACK, PRIMARY, Drivers
from tests.lab.test_fail_over import fail_over, lose_the_primary, lost_to_the_writer, replication_lost
from tests.reliability.figures import told
from tests.reliability.processes import CHECKOUT
from tests.unit.runners.fake_context import figures


def listed(folder: Path) -> list[dict[str, str]]:
    with (folder / "lost-rows.csv").open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def both_alike(pair: LabPair, table: str = "written") -> None:
    """Both sides hold the same rows, and the old one streams."""
    query = f"select count(*), coalesce(md5(string_agg(t::text, ',' order by t::text)), '') from {table} as t"
    until(lambda: pair.primary.sql(query) == pair.fallback.sql(query), 30)


def taken_over(pair: LabPair, drivers: Drivers) -> None:
    """The fallback serves; what the primary wrote on its own is its own."""
    for outcome in fail_over(drivers):
        assert outcome.verdict is Verdict.PASSED, outcome.reason.en


def alone(pair: LabPair, *statements: str) -> None:
    """The primary writes on without the standby, and is lost."""
    replication_lost(pair)
    for statement in statements:
        pair.primary.sql(statement)
    pair.primary.kill()


def test_exactly_the_lost_rows_are_listed_before_the_rewind_and_both_sides_are_alike_afterwards(
    pair: LabPair, drivers: Drivers, writer: Writer, tmp_path: Path
) -> None:
    lose_the_primary(pair)
    taken_over(pair, drivers)
    writer.wait_for(50)
    writer.__exit__()
    lost = lost_to_the_writer(pair, writer)
    assert drivers.rejoin(PRIMARY, FALLBACK).verdict is Verdict.FAILED  # nothing is listed yet
    assert drivers.fence_returned(PRIMARY).verdict is Verdict.PASSED
    started = time.monotonic()
    outcome = drivers.divergence(PRIMARY)
    took = time.monotonic() - started
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    found = figures(outcome)
    rows = [row for row in listed(tmp_path) if row["kind"] == "missing"]
    assert {int(row["key"].split('"')[3]) for row in rows} == lost
    assert (found["lost_rows"], found["lost_tables"], found["diverged"]) == (len(lost), 1, True)
    assert drivers.check_listed(PRIMARY).verdict is Verdict.PASSED
    rejoined = drivers.rejoin(PRIMARY, FALLBACK)
    assert rejoined.verdict is Verdict.PASSED, rejoined.reason.en
    both_alike(pair)
    figure = f"{len(rows)} of {len(lost)} acknowledged rows, in {took:.1f} s; {found['lost_seconds']} s of commits"
    told("rows that a fail-over loses are listed before a rewind", figure)


def test_what_was_changed_deleted_or_made_anew_is_told_apart(pair: LabPair, drivers: Drivers, tmp_path: Path) -> None:
    for server in (pair.primary,):
        server.sql("create table permit (a int, b text, note text, primary key (a, b))")
        server.sql("insert into permit select g, 'x', '=cmd()' from generate_series(1, 10) g")
        server.sql("create table journal (said text)")
        server.sql("insert into journal select 'same' from generate_series(1, 3)")
    until(lambda: pair.fallback.sql("select 1 from pg_class where relname = 'journal'"))
    until(lambda: pair.fallback.sql("select count(*) from journal") == [(3,)])
    alone(
        pair,
        "update permit set note = 'new' where a = 1",
        "insert into permit values (11, 'y', '=cmd()'), (12, 'Zoë', 'a' || chr(10) || 'b')",
        "delete from permit where a = 2",
        "insert into journal values ('same'), ('same'), ('own')",
        "create table later (n int); insert into later values (1)",
    )
    taken_over(pair, drivers)
    pair.fallback.sql("insert into permit values (12, 'Zoë', 'a' || chr(10) || 'b')")  # it was entered again
    pair.fallback.sql("update permit set note = 'elsewhere' where a = 3")  # no loss: only the new side changed it
    pair.fallback.sql("delete from permit where a = 4")
    drivers.fence_returned(PRIMARY)
    outcome = drivers.divergence(PRIMARY)
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    rows = [row for row in listed(tmp_path) if row["kind"] != "definition"]
    assert sorted((row["table"], row["kind"], row["rows"]) for row in rows) == [
        ("journal", "missing", "1"),
        ("journal", "missing", "1"),
        ("journal", "missing", "1"),
        ("later", "missing", "1"),
        ("permit", "changed", "1"),
        ("permit", "deleted", "1"),
        ("permit", "missing", "1"),
    ]
    changed = next(row for row in rows if row["kind"] == "changed")
    assert (changed["key"], "new" in changed["content"]) == ('{"a": "1", "b": "x"}', True)
    assert figures(outcome)["lost_definitions"] > 0
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_a_transaction_that_was_open_at_the_fork_and_committed_after_it_is_listed_whole(
    pair: LabPair, drivers: Drivers, tmp_path: Path
) -> None:
    pair.primary.sql("create table untouched (n int primary key)")
    with psycopg.connect(pair.primary.dsn) as link:
        link.execute("insert into untouched values (1)")  # in a block that nothing writes after the fork
        pair.primary.sql("insert into written values (100)")
        until(lambda: pair.fallback.sql("select 1 from written where n = 100"))
        pair.primary.sql("checkpoint")  # says which transactions are open, so that this one is known to be older
        time.sleep(0.3)
        replication_lost(pair)
        link.execute("savepoint a")
        link.execute("insert into written values (2)")
        link.execute("release savepoint a")
        link.commit()
    pair.primary.kill()
    taken_over(pair, drivers)
    drivers.fence_returned(PRIMARY)
    outcome = drivers.divergence(PRIMARY)
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    rows = {(row["table"], row["key"]) for row in listed(tmp_path) if row["kind"] == "missing"}
    assert rows == {("untouched", '{"n": "1"}'), ("written", '{"n": "2"}')}


def test_a_side_that_came_back_running_is_stopped_first_and_nobody_gets_in_while_it_is_compared(
    pair: LabPair, drivers: Drivers
) -> None:
    lose_the_primary(pair)
    taken_over(pair, drivers)
    pair.primary.start()
    pair.primary.sql("insert into written values (77777)")
    assert drivers.divergence(PRIMARY).verdict is Verdict.FAILED
    assert drivers.fence_returned(PRIMARY).verdict is Verdict.PASSED
    assert drivers.check_fenced(PRIMARY).verdict is Verdict.PASSED
    outcome = drivers.divergence(PRIMARY)
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    assert figures(outcome)["lost_rows"] == 1
    assert drivers.check_fenced(PRIMARY).verdict is Verdict.PASSED
    assert not list(Path(private.tempfile.gettempdir()).glob(f"{PREFIX}*"))


def test_a_list_of_an_older_state_opens_no_way_to_a_rewind(pair: LabPair, drivers: Drivers) -> None:
    alone(pair, "insert into written values (5)")
    taken_over(pair, drivers)
    drivers.fence_returned(PRIMARY)
    drivers.divergence(PRIMARY)
    (pair.primary.data / "standby.signal").unlink()
    pair.primary.start()
    pair.primary.sql("insert into written values (88888)")
    drivers.fence_returned(PRIMARY)
    assert drivers.check_listed(PRIMARY).verdict is Verdict.FAILED
    refused = drivers.rejoin(PRIMARY, FALLBACK)
    assert (refused.verdict, "not listed yet" in refused.reason.en) == (Verdict.FAILED, True), refused.reason.en
    assert drivers.divergence(PRIMARY).verdict is Verdict.PASSED
    assert drivers.rejoin(PRIMARY, FALLBACK).verdict is Verdict.PASSED


def test_what_was_not_all_compared_is_unknown_and_never_nothing(
    pair: LabPair, drivers: Drivers, tmp_path: Path
) -> None:
    alone(pair, "insert into written select generate_series(1, 1000)")
    taken_over(pair, drivers)
    drivers.fence_returned(PRIMARY)
    outcome = drivers.divergence(PRIMARY, at_most=100)
    assert (outcome.verdict, figures(outcome)["lost_rows"]) == (Verdict.UNKNOWN, 1000)
    assert len(listed(tmp_path)) == 100
    assert drivers.rejoin(PRIMARY, FALLBACK).verdict is Verdict.FAILED
    pair.fallback.sql(
        "alter table written rename to moved; alter table moved rename n to m; alter table moved rename to written"
    )
    outcome = drivers.divergence(PRIMARY)
    assert (outcome.verdict, figures(outcome)["compared_all"]) == (Verdict.UNKNOWN, False)
    accepted = drivers.divergence(PRIMARY, incomplete=True)
    assert (accepted.verdict, accepted.warning) == (Verdict.PASSED, True)
    assert drivers.rejoin(PRIMARY, FALLBACK).verdict is Verdict.PASSED


def test_a_log_that_is_gone_cannot_be_compared(pair: LabPair, drivers: Drivers) -> None:
    alone(pair, "insert into written select generate_series(1, 60000)", "checkpoint")
    taken_over(pair, drivers)
    drivers.fence_returned(PRIMARY)
    control = pair.primary.run("pg_controldata", str(pair.primary.data))
    redo = next(line.split()[-1] for line in control.splitlines() if "REDO WAL file" in line)
    for each in (pair.primary.data / "pg_wal").iterdir():
        if len(each.name) == 24 and each.name < redo:
            each.unlink()
    outcome = drivers.divergence(PRIMARY)
    assert outcome.verdict is Verdict.UNKNOWN, outcome.reason.en
    assert drivers.rejoin(PRIMARY, FALLBACK).verdict is Verdict.FAILED


def test_a_data_directory_that_is_gone_is_made_anew_and_its_loss_cannot_be_listed(
    pair: LabPair, drivers: Drivers
) -> None:
    lose_the_primary(pair)
    taken_over(pair, drivers)
    assert drivers.rebuild(PRIMARY, FALLBACK).verdict is Verdict.FAILED  # it is not empty
    assert (pair.primary.data / "PG_VERSION").exists()
    shutil.rmtree(pair.primary.data)
    lost = drivers.divergence(PRIMARY)
    assert (lost.verdict, "cannot be listed" in lost.reason.en) == (Verdict.UNKNOWN, True)
    outcome = drivers.rebuild(PRIMARY, FALLBACK)
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    pair.fallback.sql("insert into written values (424242)")
    both_alike(pair)
    assert drivers.lag(FALLBACK, PRIMARY).verdict is Verdict.PASSED


def test_a_comparison_that_was_killed_half_way_is_done_again_and_lets_nobody_in(
    pair: LabPair, drivers: Drivers, tmp_path: Path
) -> None:
    alone(pair, "insert into written values (5)")
    taken_over(pair, drivers)
    drivers.fence_returned(PRIMARY)
    program = (
        "import os, sys; from pathlib import Path; from runners.postgres.folder import folder;"
        " from runners.contract import Node; from runners.postgres.private import private;"
        " from tests.unit.runners.fake_context import FakeContext\n"
        f"place = folder(Node(site='a', data_directory={str(pair.primary.data)!r}, binaries={str(pair.primary.binaries)!r}))\n"  # noqa: E501
        f"with private(place, 'postgres', FakeContext(Path({str(tmp_path)!r}))):\n    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT)
    assert killed.returncode == -9
    assert pair.primary.processes()  # it was left behind, on a socket that only its owner reaches
    assert drivers.check_fenced(PRIMARY).verdict is not Verdict.PASSED
    outcome = drivers.divergence(PRIMARY)
    assert (outcome.verdict, figures(outcome)["lost_rows"]) == (Verdict.PASSED, 1), outcome.reason.en
    assert not pair.primary.processes()
    assert drivers.rejoin(PRIMARY, FALLBACK).verdict is Verdict.PASSED
