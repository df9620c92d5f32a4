"""A small world for the flow tests of runs: a service with two sides, a plan, drills, drivers without bodies."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel
from sqlmodel import Session, SQLModel, select

import app.tables  # noqa: F401
from app.access.models import Person
from app.access.rules import Actor, Kind, Role
from app.catalog.models import Environment, EnvironmentPair, Service, Site
from app.core.db import Database
from app.drills.models import Drill
from app.plans.facts import PlanKind, ProofSource, VersionState
from app.plans.models import Plan, PlanClaim, PlanVersion, ProofRow
from app.playbooks.models import PlaybookVersion
from app.playbooks.models import VersionState as TextState
from app.playbooks.rules import ClaimKind, Mode, Playbook
from app.runs import commands, drivers, planning, steps
from app.runs.models import Run, StepRun
from app.runs.record import ApprovalVerdict
from app.runs.view import Held, hold
from app.runs.work import Owner, ReadyStep, Work
from runners.contract import (
    Context,
    Effect,
    Fact,
    Measurement,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    Seen,
    Side,
    Text,
    Verdict,
)
from runners.contract import (
    EnvironmentPair as PairShape,
)
from tests.flow.proof import ALWAYS

START = datetime(2027, 1, 10, 10, tzinfo=UTC)
ME = Owner("boot-1", "here:1")
WORDS = Text(nl="Zo is het.", en="So it is.")


class AnyParams(BaseModel):
    """Parameters of the drivers here."""

    pair: PairShape | None = None
    node: Side | None = None
    lsn: str | None = None


class Bodyless(Runner):
    """A driver that is only described: the tests hand in what came of it."""

    Params = AnyParams
    effect: ClassVar[Effect] = Effect.OBSERVES
    repeat: ClassVar[Repeat] = Repeat.OBSERVABLE

    def preview(self, params: Any, context: Context) -> Preview:
        return Preview(calls=(f"{self.name} {params.node}",), changes=WORDS)

    def observe(self, params: Any, context: Context) -> Observation:
        raise AssertionError("no body is ever run here")

    def run(self, params: Any, context: Context) -> Outcome:
        raise AssertionError("no body is ever run here")


def driver(
    name: str, effect: Effect = Effect.OBSERVES, repeat: Repeat = Repeat.OBSERVABLE, **more: Any
) -> tuple[str, Runner]:
    kind = type(name, (Bodyless,), {"name": name, "effect": effect, "repeat": repeat, **more})
    return name, kind()


REGISTRY = dict(
    (
        driver("test.look"),
        driver("test.isolated", Effect.ISOLATED),
        driver("test.fence", Effect.CHANGES),
        driver("test.unfence", Effect.CHANGES),
        driver("test.once", Effect.CHANGES, Repeat.NEVER),
        driver("test.keyed", Effect.CHANGES, Repeat.KEYED),
        driver("test.check-fenced", provides=(Fact(kind="fenced"),)),
        driver("test.promote", Effect.CHANGES, requires=(Fact(kind="fenced", opposite=True),)),
        driver("test.serve", probe=True),
    )
)

SWITCH: dict[str, Any] = {
    "playbook": "test-switch",
    "title": {"nl": "Wisselen", "en": "Switch"},
    "modes": ["live"],
    "inputs": {"pair": {"type": "environment-pair"}, "from": {"type": "side"}, "to": {"type": "side"}},
    "locks": ["pair"],
    "proves": {"switchover": ["fenced", "serve"]},
    "steps": [
        {"id": "lag", "uses": "test.look", "with": {"pair": "${pair}", "node": "${from}"}, "timeout": 30},
        {
            "id": "go",
            "decide": {"nl": "Doorgaan?", "en": "Go?"},
            "options": {"go": "continue", "no-go": "stop"},
            "on_timeout": "no-go",
            "role": "crisis-manager",
            "timeout": 1800,
            "needs": ["lag"],
            "unattended": "go",
        },
        {
            "id": "fence",
            "phase": "over",
            "uses": "test.fence",
            "with": {"pair": "${pair}", "node": "${from}"},
            "timeout": 60,
            "needs": ["go"],
            "starts_outage": True,
            "undo": {"uses": "test.unfence", "with": {"pair": "${pair}", "node": "${from}"}, "timeout": 60},
        },
        {
            "id": "fenced",
            "phase": "over",
            "uses": "test.check-fenced",
            "with": {"pair": "${pair}", "node": "${from}"},
            "timeout": 30,
            "needs": ["fence"],
        },
        {
            "id": "promote",
            "phase": "over",
            "uses": "test.promote",
            "with": {"pair": "${pair}", "node": "${to}", "lsn": "${steps.fence.measurements.final_lsn}"},
            "timeout": 60,
            "needs": ["fenced"],
            "point_of_no_return": True,
        },
        {
            "id": "serve",
            "uses": "test.serve",
            "with": {"pair": "${pair}", "node": "${to}"},
            "timeout": 60,
            "needs": ["promote"],
            "ends_outage": True,
        },
        {
            "id": "owner",
            "ask": {"nl": "Werkt het?", "en": "Does it work?"},
            "role": "process-owner",
            "timeout": 14400,
            "needs": ["serve"],
            "unattended": "skip",
        },
    ],
}

LINE: dict[str, Any] = {
    "playbook": "test-line",
    "title": {"nl": "Terugzetten", "en": "Restore"},
    "modes": ["rehearsal"],
    "proves": {"restore": ["restore", "rows"]},
    "steps": [
        {"id": "restore", "uses": "test.isolated", "timeout": 60, "on_failure": "stop"},
        {"id": "rows", "uses": "test.look", "timeout": 60, "needs": ["restore"], "on_failure": "stop"},
    ],
}


def drill_row(session: Session, playbook_id: str, mode: Mode, **more: Any) -> str:
    """The next drill of the one plan, of this version of a playbook; its id."""
    number = len(session.exec(select(Drill)).all()) + 1
    drill = Drill(
        ref=f"DRL-{number:03}",
        title="Oefening",
        plan_id="plan",
        plan_version_id="version",
        service_id="service",
        playbook_id=playbook_id,
        mode=mode,
        created_by="person:operator",
        created_at=START,
        **more,
    )
    session.add(drill)
    return drill.id


ROLES = {
    "operator": {Role.OPERATOR},
    "approver": {Role.APPROVER},
    "owner": {Role.APPROVER, Role.PLAN_OWNER},
    "author": {Role.PLAN_OWNER, Role.APPROVER},
}
"""The people, by id, and their roles."""


@dataclass
class World:
    """The database with its people, and a clock that the test moves."""

    database: Database
    now: datetime = START

    def later(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now

    def actor(self, name: str) -> Actor:
        return Actor(Kind.PERSON, name, name, frozenset(ROLES[name]), proved_at=ALWAYS)

    def drill(self, text: dict[str, Any], mode: Mode, **more: Any) -> str:
        """A drill of this playbook; its id."""
        playbook = Playbook.model_validate(text)
        with self.database.transaction() as session:
            version = session.exec(select(PlaybookVersion).where(PlaybookVersion.name == playbook.name)).first()
            if version is None:
                version = PlaybookVersion(
                    name=playbook.name,
                    version=1,
                    sha256="a" * 64,
                    text="",
                    content=playbook.model_dump(mode="json", by_alias=True, exclude_none=True),
                    state=TextState.PUBLISHED,
                    author_id="author",
                    created_at=START,
                )
                session.add(version)
                session.flush()
            return drill_row(session, version.id, mode, **more)

    def switch(self, **more: Any) -> str:
        """A live drill that switches over; its id."""
        inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
        return self.drill(SWITCH, Mode.LIVE, pair_id="pair", direction="over", inputs=inputs, **more)

    def planned(self, drill_id: str, **more: Any) -> str:
        """A run of the drill, not started; its id."""
        with self.database.transaction() as session:
            drill = session.get_one(Drill, drill_id)
            return planning.plan_run(session, drill, actor=self.actor("operator"), now=self.now, **more).id

    def approve(self, run_id: str, *names: str) -> None:
        for name in names or ("approver", "owner"):
            with self.database.transaction() as session:
                digest = session.get_one(Run, run_id).digest
                commands.approve(
                    session,
                    run_id,
                    actor=self.actor(name),
                    verdict=ApprovalVerdict.APPROVED,
                    digest=digest,
                    comment="",
                    valid_until=None,
                    now=self.now,
                )

    def started(self, drill_id: str, **more: Any) -> str:
        """A run that was approved where needed, and started; its id."""
        run_id = self.planned(drill_id, **more)
        with self.database.transaction() as session:
            needs = session.get_one(Run, run_id).needs_approval
        if needs:
            self.approve(run_id)
        else:
            with self.database.transaction() as session:
                if session.get_one(Run, run_id).started_at is None:  # else the clock of a worker beside us was first
                    planning.start(session, run_id, actor=self.actor("operator"), now=self.now)
        return run_id

    def held(self, run_id: str) -> Held:
        with self.database.transaction() as session:
            return hold(session, run_id)

    def states(self, run_id: str) -> dict[str, str]:
        return {row.step_id: row.state.value for row in self.held(run_id).steps.values()}

    def ready(self) -> list[ReadyStep]:
        with self.database.transaction(write=False) as session:
            return steps.ready_steps(session, None)

    def begin(self, owner: Owner = ME) -> Work:
        """Take the one step that is ready."""
        [only] = self.ready()
        with self.database.transaction() as session:
            work = steps.begin(session, only.step_run_id, only.attempt, owner=owner, now=self.now)
        assert work is not None
        return work

    def finish(self, work: Work, outcome: Outcome | None, *, owner: Owner = ME, seconds: float = 1) -> list[ReadyStep]:
        self.later(seconds=seconds)
        with self.database.transaction() as session:
            return steps.finish(session, work.step_run_id, work.attempt, outcome, owner=owner, now=self.now)

    def do(self, outcome: Outcome | None = None, *, step: str | None = None, seconds: float = 1) -> str:
        """Carry out the one ready step with this outcome (passed); its id."""
        work = self.begin()
        with self.database.transaction(write=False) as session:
            name = session.get_one(StepRun, work.step_run_id).step_id
        assert step in (None, name)
        self.finish(work, outcome or passed(), seconds=seconds)
        return name

    def observe(self, work: Work, seen: Seen, owner: Owner = ME) -> steps.AfterLook:
        with self.database.transaction() as session:
            observation = Observation(seen=seen, reason=WORDS)
            return steps.observed(
                session, work.step_run_id, work.attempt, observation, owner=owner, now=self.later(seconds=1)
            )

    def proofs(self) -> dict[str, tuple[str, int]]:
        with self.database.transaction(write=False) as session:
            return {row.claim_key: (row.verdict.value, row.level) for row in session.exec(select(ProofRow))}

    def command(self, name: str, run_id: str, *more: Any, by: str = "operator", reason: str = "because") -> None:
        with self.database.transaction() as session:
            getattr(commands, name)(session, run_id, *more, actor=self.actor(by), reason=reason, now=self.now)


def passed(**measured: Any) -> Outcome:
    values = tuple(Measurement(name=name, value=value) for name, value in measured.items())
    return Outcome(verdict=Verdict.PASSED, reason=WORDS, measurements=values, needed_supplier=False)


def failed(**measured: Any) -> Outcome:
    return passed(**measured).model_copy(update={"verdict": Verdict.FAILED})


def build(folder: Path) -> World:
    """A fresh world on SQLite, or on the PostgreSQL that WISSEL_TEST_POSTGRES names (emptied first)."""
    drivers.use(REGISTRY)
    other = os.environ.get("WISSEL_TEST_POSTGRES")
    database = Database(other or f"sqlite:///{folder / 'test.db'}")
    if other:
        SQLModel.metadata.drop_all(database.engine)
    SQLModel.metadata.create_all(database.engine)
    with database.transaction() as session:
        _fill(session)
    return World(database)


def _fill(session: Session) -> None:
    for n, (each, roles) in enumerate(ROLES.items(), 1):
        named: dict[str, Any] = {"id": each, "ref": f"PER-{n:03}", "name": each, "email": f"{each}@example.nl"}
        session.add(Person(**named, roles=sorted(roles), created_at=START))
    when = {"created_at": START, "updated_at": START}
    owner = {"process_owner": "owner", "process_owner_id": "owner"}
    session.add(Service(id="service", ref="SVC-001", name="Vergunningen", **owner, **when))
    session.flush()
    for n, side in enumerate(("primary", "fallback"), 1):
        session.add(Site(id=f"site-{side}", ref=f"SIT-00{n}", name=f"dc-{side}", created_at=START, updated_at=START))
        session.flush()
        session.add(
            Environment(
                id=side,
                ref=f"ENV-00{n}",
                name=side,
                service_id="service",
                role=side,
                site_id=f"site-{side}",
                created_at=START,
                updated_at=START,
            )
        )
    session.flush()
    session.add(
        EnvironmentPair(
            id="pair",
            ref="PAIR-001",
            name="permits",
            service_id="service",
            primary_id="primary",
            fallback_id="fallback",
            service_url="http://127.0.0.1:1/",
            home_since=START,
            created_at=START,
            updated_at=START,
        )
    )
    session.add(
        Plan(
            id="plan",
            ref="PLN-001",
            name="Uitwijk",
            kind=PlanKind.FALLBACK,
            service_id="service",
            created_by="person:author",
            created_at=START,
        )
    )
    session.flush()
    session.add(
        PlanVersion(
            id="version",
            plan_id="plan",
            major=1,
            minor=0,
            state=VersionState.APPROVED,
            author="person:author",
            approved_at=START,
            created_at=START,
        )
    )
    session.flush()
    kinds = {"over": (ClaimKind.SWITCHOVER, 4), "back": (ClaimKind.WAY_BACK, 4), "stay": (ClaimKind.HOLD, 5)}
    for n, (key, (kind, level)) in enumerate({**kinds, "restore": (ClaimKind.RESTORE, 3)}.items()):
        session.add(
            PlanClaim(
                plan_version_id="version",
                position=n,
                key=key,
                kind=kind,
                min_level=level,
                valid_days=365,
                rto_s=60 if key == "over" else None,
            )
        )


__all__ = ["LINE", "SWITCH", "ProofSource", "World", "build", "driver", "failed", "passed"]
