"""The lab on real servers: it starts quickly, loses nothing in a swap, and leaves no process however it ends.

Runs itself as a program too: PostgreSQL refuses root, so the servers are started by this file as an ordinary user.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.lab import ground, haproxy, postgres, writer
from app.lab.backups import base_backup, cut_off, dump, is_listed, is_readable
from app.lab.leftovers import leftovers
from app.lab.postgres import SEEDED, ComponentMissing, PostgresServer, ServerFailed, tool
from app.lab.processes import Supervisor
from app.lab.servers import SITES, Servers, health, slot
from runners.contract import Side, Verdict
from runners.host_client import RunnerHost
from runners.host_protocol import Call, HostRequest


def start_writer(supervisor: Supervisor, lab: Servers) -> Path:
    log = supervisor.folder / "writes.log"
    argv = [sys.executable, "-m", "app.lab.writer", lab.proxy.url.removeprefix("http://"), str(log)]
    supervisor.start("writer", argv)
    while len(writer.read(log)) < 25:
        time.sleep(0.01)
    return log


def swap(lab: Servers) -> None:
    old, new = lab.databases[Side.PRIMARY], lab.databases[Side.FALLBACK]
    old.stop()
    with new.connect("postgres") as connection:
        connection.execute("SELECT pg_promote(true)")
    lab.proxy.tell("set server permit_desk/primary state maint")
    lab.proxy.tell("set server permit_desk/fallback state ready")
    while lab.serving() is not Side.FALLBACK:
        time.sleep(0.005)


def rejoin(lab: Servers) -> None:
    old, new = lab.databases[Side.PRIMARY], lab.databases[Side.FALLBACK]
    tool("pg_rewind", "-D", old.data_directory, f"--source-server={new.dsn()}")
    with (old.data_directory / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"primary_conninfo = '{new.dsn()}'\nprimary_slot_name = '{slot(Side.PRIMARY)}'\n")
    (old.data_directory / "standby.signal").touch()
    old.start()
    new.wait_for_standby()


def scenario_swap(folder: Path) -> dict[str, object]:
    began = time.monotonic()
    with Supervisor(folder) as supervisor:
        lab = Servers.start(supervisor)
        up = time.monotonic() - began
        before = lab.serving()
        log = start_writer(supervisor, lab)
        start = datetime.now(UTC)
        swap(lab)
        rejoin(lab)
        end = datetime.now(UTC)
        writes = writer.read(log)
        stopping = time.monotonic()
        database = lab.databases[Side.FALLBACK]
        result = {
            "uid": os.geteuid(),
            "up": up,
            "before": before,
            "after": lab.serving(),
            "standby serves": (health(f"http://127.0.0.1:{lab.desks[Side.PRIMARY]}") or {}).get("writable"),
            "rejoined on its own port": lab.databases[Side.PRIMARY].pid() is not None,
            "outage": writer.outage_ms(writes, start, end),
            "acknowledged": writer.acknowledged(writes, start, end),
            "lost": sorted(writer.lost(writes, database.numbers(writer.FIRST))),
            "secrets": [oct(file.stat().st_mode & 0o777) for file in sorted(lab.secrets.iterdir())],
        }
    return {
        **result,
        "down": time.monotonic() - stopping,
        "left": [one.name for one in leftovers(folder, supervisor.mark)],
    }


def scenario_backups(folder: Path) -> dict[str, object]:
    with Supervisor(folder) as supervisor:
        lab = Servers.start(supervisor)
        primary: PostgresServer = lab.databases[Side.PRIMARY]
        start_writer(supervisor, lab)
        good = dump(primary, folder / "backups" / "good.dump")
        bad = cut_off(good, folder / "backups" / "bad.dump")
        base = base_backup(primary, folder / "backups" / "base")
        with primary.connect("postgres") as connection:
            connection.execute("CREATE DATABASE restored")
        tool("pg_restore", "-d", primary.dsn("restored"), "--exit-on-error", good.path)
        with primary.connect("restored") as connection:
            row = connection.execute("SELECT count(*) FROM permit").fetchone()
        return {
            "rows": row[0] if row else None,
            "expected": good.tables[0].rows,
            "good": [is_listed(Path(good.path)), is_readable(Path(good.path))],
            "bad": [is_listed(Path(bad.path)), is_readable(Path(bad.path))],
            "base": tool("pg_verifybackup", base.path).strip(),
        }


def scenario_drivers(folder: Path) -> dict[str, object]:
    with Supervisor(folder) as supervisor:
        lab = Servers.start(supervisor)
        log = start_writer(supervisor, lab)
        start = datetime.now(UTC)
        with RunnerHost(environment={**os.environ, "WISSEL_SECRETS_DIR": str(lab.secrets)}) as host:
            verdicts = switch_by_drivers(host, lab)
        end = datetime.now(UTC)
        old, new = lab.databases[Side.PRIMARY], lab.databases[Side.FALLBACK]
        with contextlib.suppress(ServerFailed):
            new.wait_for_standby(3)
        writes = writer.read(log)
        return {
            "verdicts": verdicts,
            "serving": lab.serving(),
            "outage": writer.outage_ms(writes, start, end),
            "lost": sorted(writer.lost(writes, new.numbers(writer.FIRST))),
            "old side still runs": old.pid() is not None,
        }


def switch_by_drivers(host: RunnerHost, lab: Servers) -> dict[str, str]:
    verdicts: dict[str, str] = {}

    def call(runner: str, **parameters: object) -> dict[str, object]:
        evidence = lab.folder / "evidence" / runner
        evidence.mkdir(parents=True)
        request = HostRequest(
            id=runner,
            call=Call.RUN,
            runner=runner,
            params={"pair": lab.pair().model_dump(mode="json"), **parameters},
            effect_key=f"run:{runner}:1",
            fencing_token=1,
            deadline=datetime.now(UTC) + timedelta(seconds=30),
            evidence=str(evidence),
        )
        reply = host.call(request)
        outcome = reply.outcome
        assert outcome is not None, reply
        verdicts[runner] = outcome.verdict
        return {one.name: one.value for one in outcome.measurements}

    fenced = call("postgres.fence", node="primary")
    call("postgres.check-fenced", node="primary")
    call("postgres.caught-up", node="fallback", lsn=fenced["final_lsn"])
    call("postgres.promote", node="fallback")
    call("postgres.check-writable", node="fallback", canary=fenced["canary"])
    call("switch.haproxy", to="fallback")
    call("postgres.follow", node="primary", upstream="fallback")
    return verdicts


def scenario_stand(folder: Path) -> dict[str, object]:
    with Supervisor(folder) as supervisor:
        lab = Servers.start(supervisor)
        start_writer(supervisor, lab)
        print(json.dumps({"mark": supervisor.mark}), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(60)
    return {}


def main(name: str, folder: Path) -> None:
    print(json.dumps(globals()[f"scenario_{name}"](folder)), flush=True)


class Actor:
    """Runs this file as an ordinary user."""

    def __init__(self, folder: Path) -> None:
        self.folder = ground.data_folder(folder, now=datetime.now(UTC))
        self.stand = ground.prepare(self.folder, ground.ordinary_user()) if ground.is_root() else None
        self.script = self.folder / "scenario.py"
        self.script.write_text(Path(__file__).read_text())
        self.script.chmod(0o644)
        self.count = 0

    def start(self, name: str) -> tuple[subprocess.Popen[str], Path]:
        self.count += 1
        folder = self.folder / f"{name}-{self.count}"
        python, who = str(sys.executable), {}
        if self.stand:
            user, python = self.stand.user, str(self.stand.python)
            who = {"user": user.uid, "group": user.gid, "extra_groups": user.groups}
            environment = ground.environment(self.stand, self.folder)
        else:
            environment = dict(os.environ)
        argv = [python, str(self.script), name, str(folder)]
        process = subprocess.Popen(argv, cwd=self.folder, env=environment, stdout=subprocess.PIPE, text=True, **who)
        return process, folder

    def run(self, name: str) -> dict:
        process, _ = self.start(name)
        with process:
            lines = process.stdout.read().splitlines()
        assert process.returncode == 0
        return json.loads(lines[-1])


@pytest.fixture(scope="module")
def actor(tmp_path_factory):
    try:
        postgres.binaries(), haproxy.binary()
    except ComponentMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"not run: {missing}")
    folder = Path(tempfile.mkdtemp(prefix="wissel-test-"))
    folder.chmod(0o755)
    yield Actor(folder / "lab")
    shutil.rmtree(folder)


def test_a_swap_by_hand_under_load_loses_no_acknowledged_write(actor):
    seen = actor.run("swap")
    assert seen["uid"] != 0
    assert (seen["before"], seen["after"]) == (Side.PRIMARY, Side.FALLBACK)
    assert seen["acknowledged"] > 0
    assert seen["lost"] == []
    assert seen["outage"] > 20, "nothing was switched"
    assert seen["standby serves"] is False
    assert seen["rejoined on its own port"]
    assert seen["secrets"] == ["0o600", "0o600"]
    print(f"the lab was up after {seen['up']:.1f} s")
    assert seen["left"] == []


def test_the_drivers_switch_under_load_and_what_they_started_outlives_them(actor):
    seen = actor.run("drivers")
    assert set(seen["verdicts"].values()) == {Verdict.PASSED}
    assert seen["serving"] == Side.FALLBACK
    assert seen["lost"] == []
    assert seen["old side still runs"]


def test_the_damaged_dump_looks_good_to_a_listing_and_the_real_restore_sees_it(actor):
    seen = actor.run("backups")
    assert seen["good"] == [True, True]
    assert seen["bad"] == [True, False]
    assert seen["rows"] == seen["expected"] > SEEDED
    assert "backup successfully verified" in seen["base"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_stays_however_the_lab_is_ended(actor, number):
    process, folder = actor.start("stand")
    with process:
        mark = json.loads(process.stdout.readline())["mark"]
        names = {one.name for one in leftovers(folder, mark)}
        assert {"postgres", "haproxy"} <= names
        process.send_signal(number)
        process.wait(15)
    deadline = time.monotonic() + 8
    while (left := leftovers(folder, mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
    assert (folder / f"site-{SITES[Side.PRIMARY]}" / "pg" / "postmaster.pid").exists() is False


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
