"""Figures as ratios against a reference in the same run, for machines differ: `make bench` prints them, judges none."""

import socket
import statistics
import time

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.core import clock
from app.plans import service as plans
from app.plans.models import Plan, PlanClaim, PlanVersion
from app.playbooks.rules import Mode
from tests.flow.runs_world import LINE, build
from tests.flow.whole import make_template
from tests.lab.conftest import Writer
from tests.lab.pair import LabPair, as_user, lab_pair
from tests.lab.postgres_drivers import FALLBACK, PRIMARY, Drivers

ROUNDS = 3
PLANS = 1000


def told(what: str, ours: float, reference: float, unit: str = "ms") -> None:
    """One line of the report."""
    print(f"\n{what}: {ours:.2f} {unit} against {reference:.2f} {unit}, ratio {ours / reference:.2f}")


def swapped_by_drivers(folder) -> float:
    """Outage in ms that a client saw while our drivers swapped, every check included."""
    with lab_pair() as pair:
        drivers = Drivers(pair, folder)
        with Writer(pair.proxy.dsn) as writer:
            writer.wait_for(20)
            drivers.swap(PRIMARY, FALLBACK)
            writer.wait_for(20)
        drivers.context.close()
        return writer.outage_ms()


def swapped_by_script(pair: LabPair) -> None:
    """The least that a shell script does: stop the old side, promote the new one, turn the proxy."""
    control = str(pair.primary.binaries / "pg_ctl")
    commands = [
        [control, "stop", "-D", str(pair.primary.data), "-m", "fast", "-w", "-s"],
        [control, "promote", "-D", str(pair.fallback.data), "-w", "-s"],
    ]
    for command in commands:
        as_user(command, timeout=60)
    turn(pair, "disable server db/one; enable server db/two")


def turn(pair: LabPair, command: str) -> None:
    """One line to the proxy's runtime socket."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(pair.proxy.socket))
        wire.sendall(f"{command}\n".encode())
        wire.recv(1000)


def script_outage() -> float:
    """Outage in ms that a client saw while the script swapped."""
    with lab_pair() as pair, Writer(pair.proxy.dsn) as writer:
        writer.wait_for(20)
        swapped_by_script(pair)
        writer.wait_for(20)
        return writer.outage_ms()


def test_outage_of_a_swap_by_the_drivers_against_a_shell_script(tmp_path):
    ours, script = [], []
    for number in range(ROUNDS):
        ours.append(swapped_by_drivers(tmp_path / str(number)))
        script.append(script_outage())
    told(
        "outage of a swap, drivers against a shell script (median)", statistics.median(ours), statistics.median(script)
    )


def timed(work, times: int) -> float:
    """Median milliseconds of one call."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


def bare_commit(database) -> float:
    """Milliseconds of one written row, committed."""
    with database.transaction() as session:
        session.connection().execute(text("CREATE TABLE bench (n integer)"))

    def commit() -> None:
        with database.transaction() as session:
            session.connection().execute(text("INSERT INTO bench VALUES (1)"))

    return timed(commit, 200)


def test_keeping_a_step_against_a_bare_commit(tmp_path):
    world = build(tmp_path)
    taken = []
    for _ in range(20):
        world.started(world.drill(LINE, Mode.REHEARSAL))
        for _ in range(2):
            start = time.perf_counter()
            world.do()
            taken.append((time.perf_counter() - start) * 1000)
    reference = bare_commit(world.database)
    told("intent, outcome and plan of one step, body apart, against a bare commit", statistics.median(taken), reference)


def copies(session, plan: Plan, number: int) -> None:
    """Copies of an approved plan with its versions and claims."""
    versions = session.exec(select(PlanVersion).where(PlanVersion.plan_id == plan.id)).all()
    claims = {
        each.id: session.exec(select(PlanClaim).where(PlanClaim.plan_version_id == each.id)).all() for each in versions
    }
    for count in range(number):
        copy = f"copy-{count}"
        session.add(Plan(**plan.model_dump(exclude={"id", "ref"}), id=copy, ref=f"PLN-{count + 1000}"))
        session.flush()
        for version in versions:
            row = version.model_dump(exclude={"id", "plan_id"})
            session.add(PlanVersion(**row, id=f"{copy}-{version.id[-8:]}", plan_id=copy))
            session.flush()
            for claim in claims[version.id]:
                told_by = claim.model_dump(exclude={"id", "plan_version_id"})
                session.add(
                    PlanClaim(**told_by, id=f"{copy}-{claim.id[-8:]}", plan_version_id=f"{copy}-{version.id[-8:]}")
                )


@pytest.fixture
def filled(tmp_path):
    """The application with one approved plan and a thousand copies of it."""
    whole = make_template(tmp_path / "template").copy(tmp_path / "data")
    service = whole.service()
    claims = [{"kind": "restore", "validDays": 31}, {"kind": "switchover", "rto": "PT15M", "rpo": "PT0S"}]
    plan = whole.ok(
        "POST", "/plans", {"name": "Uitwijk", "kind": "fallback", "service": service["id"], "claims": claims}
    )
    whole.ok("POST", f"/plans/{plan['id']}/versions/{plan['draft']}/submissions", {})
    whole.ok("POST", f"/plans/{plan['id']}/versions/{plan['draft']}/approvals", by="approver")
    with whole.database.transaction() as session:
        copies(session, session.get_one(Plan, plan["id"]), PLANS)
    yield whole
    whole.database.dispose()


def test_status_of_a_thousand_plans_against_reading_them(filled):
    def judge() -> None:
        with filled.database.transaction() as session:
            plans.refresh(session, now=clock.now(), why="bench")

    def read() -> None:
        with filled.database.transaction(write=False) as session:
            assert len(session.exec(select(Plan)).all()) > PLANS

    told(f"status of {PLANS} plans against reading their rows", timed(judge, 1), timed(read, 3))
