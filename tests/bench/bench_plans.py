"""A thousand plans judged by the sweep: how long it takes, and for how long any other writer waits meanwhile."""

import threading
import time

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.core import clock
from app.core.db import Database
from app.plans import service as plans
from app.plans.models import Plan, PlanClaim, PlanVersion
from tests.bench.told import timed, told
from tests.flow.whole import make_template
from tests.reliability import figures

PLANS = 1000


def copies(session, plan: Plan, number: int) -> None:
    """Copies of an approved plan with its versions and claims, whose status nobody has computed yet."""
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
        session.connection().execute(text("CREATE TABLE bench (n integer)"))
    yield whole
    whole.database.dispose()


class OtherWriter(threading.Thread):
    """Writes one row now and then, and remembers how long each took."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database, self._over = database, threading.Event()
        self.waits: list[float] = []

    def __enter__(self) -> "OtherWriter":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.01):
            begun = time.perf_counter()
            with self._database.transaction() as session:
                session.connection().execute(text("INSERT INTO bench VALUES (1)"))
            self.waits.append((time.perf_counter() - begun) * 1000)


def test_status_of_a_thousand_plans_and_what_other_writers_wait_for_it(filled):
    def read() -> None:
        with filled.database.transaction(write=False) as session:
            assert len(session.exec(select(Plan)).all()) > PLANS

    reference = timed(read, 3)
    for what in ("all of them to be written", "nothing to be written"):
        with OtherWriter(filled.database) as other:
            took = timed(lambda: plans.sweep(filled.database, now=clock.now()), 1)
        told(f"sweep of {PLANS} plans, {what}, against reading their rows", took, reference)
        waits = sorted(other.waits)
        figures.told(
            f"longest wait of another writer during it ({what})",
            f"{waits[-1]:.0f} ms, p99 {waits[int(len(waits) * 0.99)]:.0f} ms of {len(waits)} writes (wanted: <= 100)",
        )
