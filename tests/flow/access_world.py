"""An organisation with two units: all there is belongs to Noord, one lonely service to Zuid; and people of each."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from sqlalchemy import Table, select
from sqlmodel import Session, SQLModel, col

from app.access import reach
from app.access.absence_models import Absence
from app.access.models import Person, PersonIn, SessionKind, UserSession
from app.access.rules import SYSTEM, Role
from app.access.service import add_person, hashed
from app.access.token_models import MachineToken, RoleGrant
from app.catalog import crud, resources, shapes
from app.catalog.models import Service
from app.core import clock
from app.core.db import Database
from app.core.outbox import OutboxMessage
from app.drills.models import Blackout, Drill
from app.findings.models import Acceptance, Finding, FindingAction
from app.plans.models import Mvo, Weakening
from app.plans.service import add_plan
from app.plans.shapes import PlanIn
from app.playbooks.models import PlaybookVersion
from app.runs.models import EnvironmentLock, EvidenceFile, Obligation, Run
from app.runs.record import Approval
from tests.browser import example
from tests.flow.whole import API, Template, Whole

NORTH, SOUTH = "Noord", "Zuid"
WHOLE = "whole"
"""A role in the organisation as a whole."""
HOME = "http://test"
_UNDER = {"/measures": "contract", "/environment-pairs": "service"}
"""Pages that make a thing under another, which they are told by a field."""
_PATH_KEY = re.compile(r"\{(\w+)\}")


class ReadBack(Database):
    """A database that forgets what a request wrote, so that each starts from the same state."""

    forgets = False

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[Session]:
        """As ever, but rolled back at the end once it forgets."""
        with super().transaction(write=write) as session:
            yield session
            if self.forgets and write:
                session.flush()
                session.rollback()

    @contextmanager
    def kept(self) -> Iterator[Session]:
        """A transaction that is not forgotten."""
        with super().transaction() as session:
            yield session


@dataclass
class Units:
    """The application with both units in it, and the tokens of a person for each role and place."""

    whole: Whole
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    """For each persona a bearer token and a browser's cookie; an empty cookie for machines."""
    csrf: str = "csrf-of-the-tests"
    keys: dict[str, str] = field(default_factory=dict)
    """What stands in addresses, all of it Noord's."""
    northern: set[str] = field(default_factory=set)
    """Every id and reference of what is Noord's."""
    southern: dict[str, str] = field(default_factory=dict)
    """The plan, the run and the finding of Zuid."""

    def address(self, path: str) -> str:
        """The path of a route with keys of what is there, all of it Noord's."""
        if path.endswith("/new") and (under := _UNDER.get(path.removesuffix("/new"))):
            return f"{path}?{under}={self.keys[under + 's']}"
        collection = (reach.named_by(path) or ("", ""))[0]
        first = True

        def put(found: re.Match[str]) -> str:
            nonlocal first
            name, value = found[1], self.keys.get(found[1], "1")
            if first:
                value, first = self.keys[collection], False
            return value if name else ""

        return _PATH_KEY.sub(put, path)

    def ask(self, method: str, path: str, persona: str | None, **fields: str) -> httpx.Response:
        """One request by somebody, with an empty body, or a form of these fields; `path` as it stands."""
        bearer, cookie = self.tokens[persona] if persona else ("", "")
        if path.startswith(API):
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            body = {} if method in {"POST", "PUT", "PATCH"} else None
            return self.whole.ask(method, path, body=body, headers=headers)
        cookies = {"wissel-session": cookie} if cookie else {}
        sent: dict[str, Any] = {"headers": {"Origin": HOME}, "cookies": cookies}
        if method == "POST":
            if under := _UNDER.get(path):
                fields[under] = self.keys[f"{under}s"]
            sent |= {
                "content": urlencode({"csrf": self.csrf, **fields}),
                "headers": {"Origin": HOME, "Content-Type": "application/x-www-form-urlencoded"},
            }
        return self.whole.ask(method, path, **sent)

    def send(self, method: str, path: str, persona: str, body: Any) -> httpx.Response:
        """One request to the API with a body; `path` below its prefix."""
        return self.whole.ask(
            method, API + path, body=body, headers={"Authorization": f"Bearer {self.tokens[persona][0]}"}
        )

    def reads(self, path: str, persona: str) -> httpx.Response:
        """A page or answer as this persona reads it."""
        return self.ask("GET", path, persona)


def make(template: Template, folder: Path) -> Units:
    """Both units, filled through the services, and everybody signed in."""
    whole = template.copy(folder)
    whole.app.state.database = ReadBack(whole.settings.url)
    units = Units(whole)
    with whole.database.transaction() as session:
        made = example.fill(session)
        for service in session.scalars(select(Service)):
            service.unit = NORTH
        session.flush()
        _more(session, made)
        session.flush()
        units.northern = theirs(session)
        units.southern = _south(session, made)
        for role in Role:
            for place in (WHOLE, NORTH, SOUTH):
                _person(session, units, role, place)
        _person(session, units, Role.PLAN_OWNER, SOUTH, reads=NORTH)
        _machine(session, units)
        units.keys = _keys(session, made)
    return units


def _south(session: Session, made: example.Example) -> dict[str, str]:
    """One service of the other unit, with a plan, a run and a finding of its own."""
    now = clock.now()
    given = shapes.ServiceIn(name="Havenloket", unit=SOUTH)
    service = crud.create(session, resources.SERVICE, given, SYSTEM)
    plan, version = add_plan(
        session, PlanIn(name="Uitwijk haven", kind="fallback", service=service.ref), actor=made.anna, now=now
    )
    model = session.scalars(select(Drill)).first()
    assert model is not None
    moved = {"plan_id": plan.id, "plan_version_id": version.id, "service_id": service.id}
    drill = Drill(**model.model_dump(exclude={"id", "ref", *moved}), ref="DRL-ZUID", **moved)
    session.add(drill)
    session.flush()
    example_run = session.scalars(select(Run)).first()
    assert example_run is not None
    run = Run(
        **example_run.model_dump(exclude={"id", "ref", "drill_id", *moved}), ref="RUN-ZUID", drill_id=drill.id, **moved
    )
    finding = Finding(
        **made.finding.model_dump(exclude={"id", "ref", "key", "open_key", *moved}), ref="FND-ZUID", key="zuid"
    )
    finding.plan_id, finding.service_id = plan.id, service.id
    session.add_all([run, finding])
    session.flush()
    return {"services": service.id, "plans": plan.id, "runs": run.id, "findings": finding.id}


def _person(session: Session, units: Units, role: Role, place: str, *, reads: str = "") -> None:
    now = clock.now()
    name = f"{role.value}-{place}{reads}".lower()
    roles = [role] if place == WHOLE else []
    person = add_person(session, PersonIn(name=name, email=f"{name}@example.nl", roles=roles), actor=SYSTEM, now=now)
    if place != WHOLE:
        session.add(RoleGrant(person_id=person.id, role=role, unit=place, since=now, given_by="system", created_at=now))
    if reads:
        only = {"role": Role.VIEWER, "unit": reads}
        session.add(RoleGrant(person_id=person.id, **only, since=now, given_by="system", created_at=now))
    tokens = []
    for kind in (SessionKind.BEARER, SessionKind.BROWSER):
        tokens.append(secrets.token_urlsafe())
        session.add(
            UserSession(
                token_hash=hashed(tokens[-1]),
                person_id=person.id,
                kind=kind,
                csrf=units.csrf,
                created_at=now,
                proved_at=now + timedelta(minutes=30),  # so that the tests may take their time
                expires_at=now + timedelta(hours=8),
            )
        )
    persona = f"{role.value} who reads the other" if reads else f"{role.value} {place}"
    units.tokens[persona] = (tokens[0], tokens[1])


def _machine(session: Session, units: Units) -> None:
    now, secret = clock.now(), secrets.token_urlsafe()
    maker = max(session.scalars(select(Person)), key=lambda person: len(person.roles))
    session.add(
        MachineToken(
            name="robot",
            prefix="wsl_x",
            token_hash=hashed(secret),
            roles=list(Role),
            created_by=maker.id,
            created_at=now,
            expires_at=now + timedelta(days=1),
        )
    )
    units.tokens["machine"] = (secret, "")


def _more(session: Session, made: example.Example) -> None:
    """What the example has none of, so that every address has something to name."""
    now = clock.now()
    run = session.scalars(select(Run).order_by(col(Run.ref).desc())).first()
    assert run is not None
    run.playbook = session.get_one(PlaybookVersion, run.playbook_version_id).content
    finding, person = made.finding, made.mo.id
    session.add_all(
        [
            Blackout(
                ref="BLK-901",
                name="Verkiezingen",
                starts_at=now,
                ends_at=now + timedelta(days=1),
                service_id=made.permits.id,
                created_at=now,
            ),
            FindingAction(finding_id=finding.id, what="Depot aanvullen", created_at=now),
            Acceptance(
                finding_id=finding.id,
                what_can_happen="De bouw lukt niet",
                impact="high",
                control="hard",
                until=now + timedelta(days=30),
                requested_by_id=made.anna.id,
                requested_at=now,
            ),
            Approval(
                drill_id=run.drill_id,
                digest="0" * 64,
                person_id=person,
                verdict="approved",
                at=now,
                valid_from=now,
                valid_until=now + timedelta(days=1),
            ),
            EvidenceFile(run_id=run.id, sha256="a" * 64, size=3, media_type="text/plain", title="Uitvoer", at=now),
            Obligation(run_id=run.id, kind="clean-up", what="Kopie weghalen", created_at=now, due_at=now),
            Weakening(
                plan_id=made.draft.id,
                kind="longer-validity",
                reason="Korter kan niet",
                requested_by=made.anna.ref,
                requested_at=now,
            ),
            Absence(person_id=person, starts_on=now.date(), ends_on=now.date(), created_at=now),
            OutboxMessage(
                key="x",
                kind="x",
                channel="mail",
                person_id=person,
                subject="x",
                text="x",
                created_at=now,
                until=now + timedelta(days=1),
                next_at=now,
            ),
            EnvironmentLock(key="noordse-sleutel", token=1, run_id=run.id, since=now),
        ]
    )
    mvo = session.scalars(select(Mvo)).one()
    mvo.plan_id = made.fallback.id
    session.flush()


def _keys(session: Session, made: example.Example) -> dict[str, str]:
    """What stands in an address: the first row of each collection that is Noord's, and what lies under it."""
    found: dict[str, str] = {"runners": "check.http"}
    for name, table in sorted(SQLModel.metadata.tables.items()):
        first = session.execute(select(next(iter(table.primary_key))).limit(1)).scalar()
        if first is not None:
            found[name.replace("_", "-") + "s"] = str(first)
    run = session.scalars(select(EvidenceFile.run_id)).one()
    return found | {
        "people": made.mo.id,
        "sessions": found["user-sessions"],
        "providers": "none",
        "kits": made.permits.id,
        "services": made.permits.id,
        "playbooks": found["playbook-versions"],
        "plans": made.draft.id,
        "runs": run,
        "findings": made.finding.id,
        "acceptanceId": found["acceptances"],
        "acceptance_id": found["acceptances"],
        "actionId": found["finding-actions"],
        "action_id": found["finding-actions"],
        "version": "1",
        "number": "1",
        "sha256": "a" * 64,
        "obligation": found["obligations"],
        "weakening": found["weakenings"],
    }


def theirs(session: Session) -> set[str]:
    """Every id and reference of what belongs to a unit, while there is no other than Noord."""
    found: set[str] = set()
    for table in SQLModel.metadata.tables.values():
        if reach.is_placed(table):
            found |= _names(session, table)
    return found - {"PLN-001", "SVC-001", "SVC-004"}  # which forms name as examples of a reference


def _names(session: Session, table: Table) -> set[str]:
    wanted = [table.c[name] for name in ("id", "ref") if name in table.c]
    rows = session.execute(select(*wanted)) if wanted else ()
    return {value for row in rows for value in row if isinstance(value, str)}
