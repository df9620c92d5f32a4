"""Verifying a dump by restoring it, against the bare tools in the same run: initdb, start, pg_restore, count."""

import os
import shutil
import statistics
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from runners.backup.dump import VerifyDump, VerifyDumpParams
from runners.contract import Backup, ExpectedTable, Verdict
from tests.bench.told import told
from tests.lab.backup_source import Source, serving
from tests.unit.runners_escrow.deposits import Bench

ROWS = 1_000_000
ROUNDS = 3
SCRIPT = r"""#!/bin/bash
set -eu
"$BIN/initdb" -D "$PLACE/data" -A trust -U bare -E UTF8 --locale=C --no-sync >/dev/null
"$BIN/pg_ctl" start -D "$PLACE/data" -w -s -l "$PLACE/log" -o "-c listen_addresses='' -k $PLACE -c fsync=off \
  -c full_page_writes=off -c autovacuum=off -c max_wal_size=4GB -c shared_buffers=64MB"
"$BIN/createdb" -h "$PLACE" -U bare restored
"$BIN/pg_restore" -h "$PLACE" -U bare -d restored --no-owner --no-privileges --exit-on-error "$DUMP"
"$BIN/psql" -h "$PLACE" -U bare -d restored -XAtq -c "select count(*), max(filed_at) from big" >/dev/null
"$BIN/pg_ctl" stop -D "$PLACE/data" -m immediate -w -s
"""


def filled(source: Source) -> Path:
    """A dump with a table that takes some seconds to restore."""
    with psycopg.connect(source.dsn, autocommit=True) as link:
        link.execute(
            "CREATE TABLE big AS SELECT n AS id, 'Zoë Çelik ' || n AS applicant, md5(n::text) AS code,"
            f" now() - n * interval '1 second' AS filed_at FROM generate_series(1, {ROWS}) AS n"
        )
        link.execute("ALTER TABLE big ADD PRIMARY KEY (id)")
    target = source.path("bench.dump")
    source.tool("pg_dump", "-d", source.dsn, "--format=custom", "-Z", "1", "-f", target)
    return target


def by_driver(dump: Path, evidence: Path) -> float:
    """Seconds for the driver, with all that it looks at."""
    table = ExpectedTable(name="big", rows=ROWS, newest="filed_at", text="applicant")
    backup = Backup(kind="dump", path=str(dump), tables=(table,), taken_at=datetime.now(UTC))
    begun = time.perf_counter()
    outcome = VerifyDump().run(VerifyDumpParams(backup=backup), Bench(evidence, seconds=300))
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    return time.perf_counter() - begun


def by_tools(source: Source, dump: Path) -> float:
    """Seconds for the script, which looks at no more than the number of rows and the newest one."""
    place = source.folder / "bare"
    place.mkdir()
    if source.user:
        shutil.chown(place, source.user)
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "BIN": str(source.binaries), "DUMP": str(dump)}
    begun = time.perf_counter()
    done = subprocess.run(
        ["/bin/bash", "-c", SCRIPT],
        env=environment | {"PLACE": str(place)},
        cwd="/",
        user=source.user,
        extra_groups=[] if source.user else None,
        stdin=subprocess.DEVNULL,
    )
    took = time.perf_counter() - begun
    assert done.returncode == 0, "the script failed"
    shutil.rmtree(place)
    return took


def test_verifying_a_dump_against_the_bare_tools(tmp_path):
    ours, bare = [], []
    with serving() as source:
        assert os.access(source.binaries / "psql", os.X_OK), "the reference needs psql"
        dump = filled(source)
        for number in range(ROUNDS):
            ours.append(by_driver(dump, tmp_path / str(number)))
            bare.append(by_tools(source, dump))
    told(
        f"restore verification of {ROWS:,} rows against the bare tools",
        statistics.median(ours),
        statistics.median(bare),
        "s",
        wanted="<= 1.1",
    )
