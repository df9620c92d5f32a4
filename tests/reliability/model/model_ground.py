"""The ground under the model test: a real SQLite database with a service, its two sides, people and playbooks.

The database is made once as a template and copied for each example; where there is one, the copy lies in memory.
"""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sqlmodel import Session, SQLModel, select

import app.tables  # noqa: F401
from app.access.models import Person
from app.access.rules import Actor, Kind, Role
from app.catalog.models import Environment, EnvironmentPair, Service, Site
from app.core.db import Database
from app.plans.facts import PlanKind, VersionState
from app.plans.models import Plan, PlanClaim, PlanVersion
from app.playbooks.loader import load
from app.playbooks.models import PlaybookVersion
from app.playbooks.models import VersionState as TextState
from app.playbooks.rules import ClaimKind, Mode
from tests.flow.runs_world import drill_row
from tests.reliability.model.model_runners import REGISTRY, START

PEOPLE = ("operator", "approver", "owner", "author", "second")
ROLES = {
    "operator": {Role.OPERATOR, Role.APPROVER},
    "approver": {Role.APPROVER},
    "second": {Role.APPROVER, Role.OPERATOR},
    "owner": {Role.APPROVER, Role.PLAN_OWNER},
    "author": {Role.PLAN_OWNER, Role.APPROVER},
}
OWN = Path(__file__).with_name("switch.yaml")
SHIPPED = Path(__file__).resolve().parents[3] / "playbooks"


_CLAIMS = {"over": ClaimKind.SWITCHOVER, "back": ClaimKind.WAY_BACK, "unplanned": ClaimKind.FAILOVER}


def actor(name: str) -> Actor:
    return Actor(Kind.PERSON, name, name, frozenset(ROLES[name]))


def playbook_files() -> dict[str, Path]:
    """The playbooks that the model runs, by name."""
    return {"model-switch": OWN, **{name: SHIPPED / f"{name}.yaml" for name in ("switch-sides", "fail-over")}}


def scratch() -> Path:
    """A folder in memory where the machine has one."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="wissel-model-", dir=memory if memory.is_dir() else None))


class Ground:
    """A fresh database; `close` takes it away. The engine is kept, for it has learned every statement by heart."""

    def __init__(self) -> None:
        self.folder = scratch()
        file = _file()
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            file.with_name(name).unlink(missing_ok=True)
        shutil.copyfile(template(), file)
        self.database = _database()

    def close(self) -> None:
        self.database.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)

    def drill(self, playbook: str, mode: Mode, home: str) -> str:
        """A drill that switches away from the side that is home; its id."""
        away = "fallback" if home == "primary" else "primary"
        with self.database.transaction() as session:
            version = session.exec(select(PlaybookVersion).where(PlaybookVersion.name == playbook)).one()
            direction, inputs = "over" if home == "primary" else "back", {"pair": "pair", "from": home, "to": away}
            return drill_row(session, version.id, mode, pair_id="pair", direction=direction, inputs=inputs)


@cache
def _file() -> Path:
    folder = scratch()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "model.db"


@cache
def _database() -> Database:
    return Database(f"sqlite:///{_file()}")


@cache
def template() -> Path:
    """The database as each scene finds it."""
    file = _file().with_name("template.db")
    database = Database(f"sqlite:///{file}")
    SQLModel.metadata.create_all(database.engine)
    with database.transaction() as session:
        _fill(session)
    with database.engine.connect() as link:
        link.exec_driver_sql("COMMIT")
        link.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        link.exec_driver_sql("BEGIN")
    database.dispose()
    return file


def _fill(session: Session) -> None:
    when = {"created_at": START, "updated_at": START}
    for number, name in enumerate(PEOPLE, 1):
        email = f"{name}@example.nl"
        session.add(
            Person(id=name, ref=f"PER-{number:03}", name=name, email=email, roles=sorted(ROLES[name]), created_at=START)
        )
    session.add(
        Service(
            id="service", ref="SVC-001", name="Vergunningen", process_owner="owner", process_owner_id="owner", **when
        )
    )
    session.flush()
    for number, side in enumerate(("primary", "fallback"), 1):
        session.add(Site(id=f"site-{side}", ref=f"SIT-00{number}", name=side, **when))
        session.flush()
        place = {"service_id": "service", "role": side, "site_id": f"site-{side}"}
        session.add(Environment(id=side, ref=f"ENV-00{number}", name=side, **place, **when))
    session.flush()
    sides = {"primary_id": "primary", "fallback_id": "fallback", "service_url": "http://127.0.0.1:1/"}
    pair = EnvironmentPair(
        id="pair", ref="PAIR-001", name="permits", service_id="service", home_since=START, **sides, **when
    )
    plan = Plan(
        id="plan",
        ref="PLN-001",
        name="Uitwijk",
        kind=PlanKind.FALLBACK,
        service_id="service",
        created_by="person:author",
        created_at=START,
    )
    session.add_all([pair, plan])
    session.flush()
    version = PlanVersion(
        id="version",
        plan_id="plan",
        major=1,
        minor=0,
        state=VersionState.APPROVED,
        author="person:author",
        approved_at=START,
        created_at=START,
    )
    session.add(version)
    session.flush()
    for place, (key, kind) in enumerate(_CLAIMS.items()):
        claim = {"position": place, "key": key, "kind": kind, "min_level": 4, "valid_days": 365, "rto_s": 600}
        session.add(PlanClaim(plan_version_id="version", **claim))
    for name, file in playbook_files().items():
        _publish(session, name, file)


def _publish(session: Session, name: str, file: Path) -> None:
    """The real text through the real loader, checked against the simulated drivers' real parameters."""
    text = file.read_text(encoding="utf-8")
    playbook = load(text, registry=REGISTRY, source=file.name)
    content = playbook.model_dump(mode="json", by_alias=True, exclude_none=True)
    row = PlaybookVersion(
        name=name,
        version=1,
        sha256=f"{len(text):064x}",
        text=text,
        content=content,
        state=TextState.PUBLISHED,
        author_id="author",
        created_at=START,
    )
    session.add(row)
