"""An approval signs everything that will run: whatever changes by one byte, the yes is void, with a clear code."""

import importlib
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from app.access.rules import SYSTEM
from app.catalog.models import Environment, EnvironmentPair, Site
from app.core.errors import Problem
from app.drills.models import Drill
from app.drills.rules import Attendance
from app.findings.models import Acceptance, Finding
from app.findings.rules import AcceptanceState, Control, Impact, Severity, Source
from app.plans.facts import VersionState
from app.plans.models import PlanVersion
from app.playbooks.models import PlaybookVersion
from app.playbooks.rules import Mode
from app.runs import approval, beside, commands, drivers, planning
from app.runs.compose import compose
from app.runs.models import Run
from app.runs.record import Approval, ApprovalVerdict
from tests.flow.runs_world import REGISTRY, START, SWITCH, World, build


def _drill(**values: Any) -> Callable[[Session], None]:
    def change(session: Session) -> None:
        row = session.exec(select(Drill)).one()
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)

    return change


def _row(table: type[Any], key: str, **values: Any) -> Callable[[Session], None]:
    def change(session: Session) -> None:
        row = session.get_one(table, key)
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)

    return change


def _playbook(session: Session) -> None:
    row = session.exec(select(PlaybookVersion)).one()
    row.sha256 = "a" * 63 + "b"
    session.add(row)


def _plan_version(session: Session) -> None:
    given: dict[str, Any] = {"plan_id": "plan", "major": 1, "minor": 1, "state": VersionState.APPROVED}
    session.get_one(PlanVersion, "version").state = VersionState.RETIRED
    session.flush()
    session.add(PlanVersion(id="version-2", author="person:author", created_at=START, **given))
    session.flush()
    _drill(plan_version_id="version-2")(session)


def _accepted(session: Session, conditions: str = "at night only") -> None:
    given: dict[str, Any] = {"source": Source.AUDIT, "severity": Severity.LOW, "opened_by": "system"}
    titles = {"title_nl": "Zo.", "title_en": "So."}
    session.add(Finding(id="finding", ref="FND-001", key="k", plan_id="plan", opened_at=START, **given, **titles))
    session.flush()
    risk: dict[str, Any] = {"impact": Impact.LOW, "control": Control.EASY, "conditions": conditions}
    session.add(
        Acceptance(
            id="acceptance",
            finding_id="finding",
            state=AcceptanceState.ACCEPTED,
            what_can_happen="one row is lost",
            until=START + timedelta(days=300),
            requested_by_id="author",
            requested_at=START,
            **risk,
        )
    )


WINDOW = [{"days": ["mon"], "starts": "20:00", "ends": "23:00"}]
CHANGES: dict[str, Callable[[Session], None]] = {
    "plan version": _plan_version,
    "playbook": _playbook,
    "parameters": _drill(inputs={"pair": "pair", "from": "fallback", "to": "primary"}),
    "environment": _row(Environment, "fallback", name="fallbacl"),
    "driver of an environment": _row(Environment, "primary", driver={"conninfo": "host=other"}),
    "pair": _row(EnvironmentPair, "pair", service_url="http://127.0.0.1:2/"),
    "site": _row(Site, "site-primary", name="dc-primarz"),
    "mode of attendance": _drill(attendance=Attendance.UNATTENDED),
    "window": _drill(windows=WINDOW),
    "limits": _drill(limits={"stopWord": "halt"}),
    "who takes part": _drill(participants=[{"personId": "author", "role": "crisis-manager"}]),
    "how many must approve": _drill(approvals={"needed": 1, "processOwner": False, "validFor": "P14D"}),
    "an accepted risk": _accepted,
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def approved(world: World) -> str:
    """A run of a later moment that both said yes to."""
    run_id = world.planned(world.switch())
    with world.database.transaction() as session:
        session.get_one(Run, run_id).planned_at = world.now + timedelta(hours=1)
    world.approve(run_id)
    return run_id


def void_by(world: World, change: Callable[[Session], None]) -> None:
    run_id = approved(world)
    with world.database.transaction() as session:
        run = session.get_one(Run, run_id)
        shown = run.digest
        assert approval.stands(session, run, now=world.now) is approval.Standing.GRANTED
        change(session)
    world.later(hours=2)
    with world.database.transaction() as session:
        planning.try_start(session, run_id, actor=SYSTEM, now=world.now)
        run = session.get_one(Run, run_id)
        assert run.started_at is None
        if run.end_reason["code"] == "not-approved":  # else what it became can't be run at all
            rows = session.exec(select(Approval)).all()
            assert {approval.why_not(session, row, run, now=world.now).value for row in rows} == {"other-digest"}
            assert run.digest != shown
            given: dict[str, Any] = {"verdict": ApprovalVerdict.APPROVED, "digest": shown, "comment": ""}
            with pytest.raises(Problem) as problem:
                commands.approve(
                    session, run_id, actor=world.actor("approver"), valid_until=None, now=world.now, **given
                )
            assert problem.value.code == "approval-other-digest"


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_changes_makes_every_yes_void(world: World, what: str) -> None:
    void_by(world, CHANGES[what])


def test_a_value_of_an_accepted_risk_is_signed_too(world: World) -> None:
    with world.database.transaction() as session:
        _accepted(session)
    void_by(world, _row(Acceptance, "acceptance", conditions="at night onlz"))


def test_that_an_accepted_risk_ended_makes_every_yes_void(world: World) -> None:
    with world.database.transaction() as session:
        _accepted(session)
    void_by(world, _row(Acceptance, "acceptance", state=AcceptanceState.ENDED))


RUNNER = '''"""A driver of another package."""
from typing import ClassVar
from tests.flow.runs_world import Bodyless
from agency_drivers import shared
class Agency(Bodyless):
    name = "test.look"
'''


def test_another_version_of_a_runner_or_of_what_it_imports_makes_every_yes_void(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "agency_drivers"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "shared.py").write_text("WAIT = 1\n")
    (folder / "look.py").write_text(RUNNER)
    monkeypatch.syspath_prepend(str(tmp_path))
    kind = importlib.import_module("agency_drivers.look").Agency
    drivers.use({**REGISTRY, "test.look": kind()})
    try:
        before = beside.version_of(kind)
        assert before == beside.version_of(kind), "the same sources are the same version"
        void_by(world, lambda _session: (folder / "shared.py").write_text("WAIT = 22\n") and None)
        assert beside.version_of(kind) != before
    finally:
        drivers.use(REGISTRY)
        for name in [name for name in sys.modules if name.startswith("agency_drivers")]:
            del sys.modules[name]


def test_the_same_drill_in_another_mode_or_by_hand_is_another_digest(world: World) -> None:
    text = {**SWITCH, "modes": ["live", "rehearsal"]}
    drill_id = world.drill(
        text, Mode.LIVE, pair_id="pair", inputs={"pair": "pair", "from": "primary", "to": "fallback"}
    )
    with world.database.transaction() as session:
        drill = session.get_one(Drill, drill_id)
        live, by_hand = compose(session, drill).digest, compose(session, drill, by_hand=True).digest
        drill.mode = Mode.REHEARSAL
        assert len({live, by_hand, compose(session, drill).digest}) == 3


def test_the_home_side_is_moved_by_runs_and_makes_no_approval_void(world: World) -> None:
    drill_id = world.switch()
    with world.database.transaction() as session:
        drill, pair = session.get_one(Drill, drill_id), session.get_one(EnvironmentPair, "pair")
        before = compose(session, drill).digest
        pair.home_side, pair.revision = "fallback", pair.revision + 1
        session.add(pair)
        session.flush()
        assert compose(session, drill).digest == before
