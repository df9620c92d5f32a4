"""A small application of playbooks and drills, with a service, a plan and people, for the flow tests of both."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from sqlmodel import SQLModel

import app.tables  # noqa: F401
from app.access.models import Person
from app.access.rules import Actor, Kind, Role
from app.catalog.models import CatalogObject, Environment, EnvironmentPair, Service, Site
from app.catalog.rules import ObjectKind, SideRole
from app.core.db import Database
from app.core.problems import Handlers
from app.drills.api import router as drills
from app.plans.facts import PlanKind, VersionState
from app.plans.models import Plan, PlanClaim, PlanVersion
from app.playbooks import service as playbooks
from app.playbooks.api import router as playbooks_router
from app.playbooks.rules import ClaimKind
from runners import registry
from tests.flow.catalog_app import House, codes
from tests.flow.proof import ALWAYS

__all__ = ["NOW", "OWNER", "REVIEWER", "build", "codes", "swap"]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OWNER, REVIEWER, VIEWER = "owner", "reviewer", "viewer"
ROLES = {
    OWNER: frozenset({Role.PLAN_OWNER, Role.APPROVER}),
    REVIEWER: frozenset({Role.APPROVER}),
    VIEWER: frozenset({Role.VIEWER}),
}
RUNNERS = registry.load()


def build(folder: Path, url: str | None = None) -> House:
    """A fresh application: one service with a pair of environments, one approved plan, the shipped playbooks."""
    made = FastAPI()
    made.state.database = Database(url or f"sqlite:///{folder / 'test.db'}")
    made.state.registry = RUNNERS
    SQLModel.metadata.create_all(made.state.database.engine)
    with made.state.database.transaction() as session:
        _fill(session)
    with made.state.database.transaction() as session:
        playbooks.load_shipped(session, registry=RUNNERS)

    @made.middleware("http")
    async def sign_in(request: Request, call_next: Any) -> Any:
        name = request.headers.get("X-Test-Person", "")
        if name.startswith("machine"):
            request.state.actor = Actor(Kind.MACHINE, name, name, ROLES[OWNER])
        elif name:
            request.state.actor = Actor(Kind.PERSON, name, name, ROLES[name], proved_at=ALWAYS)
        return await call_next(request)

    made.include_router(playbooks_router)
    made.include_router(drills)
    Handlers(made, lambda _request, problem: PlainTextResponse(str(problem.detail), problem.status)).install()
    return House(made, made.state.database)


def _fill(session: Any) -> None:
    at = {"created_at": NOW, "updated_at": NOW}
    for number, name in enumerate(ROLES, start=1):
        session.add(Person(id=name, ref=f"PER-00{number}", name=name, email=f"{name}@example.nl", created_at=NOW))
    session.add(Service(id="service", ref="SVC-001", name="Zaaksysteem", **at))
    session.add(Service(id="other", ref="SVC-002", name="Website", **at))
    session.flush()
    for number, (name, role) in enumerate((("noord", SideRole.PRIMARY), ("zuid", SideRole.FALLBACK)), start=1):
        session.add(Site(id=name, ref=f"SIT-00{number}", name=name, **at))
        session.flush()
        driver = {"dsn": f"secret://{name}", "data_directory": f"/data/{name}", "health": f"http://{name}/health"}
        session.add(
            Environment(
                id=f"env-{name}",
                ref=f"ENV-00{number}",
                name=name,
                service_id="service",
                role=role,
                site_id=name,
                driver=driver,
                **at,
            )
        )
    session.flush()
    session.add(
        EnvironmentPair(
            id="pair",
            ref="PAIR-001",
            name="Zaak",
            service_id="service",
            primary_id="env-noord",
            fallback_id="env-zuid",
            service_url="http://zaak.example.nl/",
            home_since=NOW,
            proxy={"socket": "/run/haproxy", "backend": "zaak", "primary": "n", "fallback": "z"},
            **at,
        )
    )
    backup = {"kind": "dump", "path": "/backups/zaak.dump", "tables": [{"name": "cases", "min_rows": 5}]}
    session.add(CatalogObject(id="backup", ref="OBJ-001", name="Dump", kind=ObjectKind.BACKUP_SET, driver=backup, **at))
    session.add(CatalogObject(id="empty", ref="OBJ-002", name="Leeg", kind=ObjectKind.BACKUP_SET, **at))
    _plan(session, "plan", "PLN-001", VersionState.APPROVED)
    _plan(session, "draft", "PLN-002", VersionState.DRAFT)


def _plan(session: Any, name: str, ref: str, state: VersionState) -> None:
    session.add(
        Plan(
            id=name,
            ref=ref,
            name=name,
            kind=PlanKind.FALLBACK,
            service_id="service",
            created_by="person:owner",
            created_at=NOW,
        )
    )
    session.flush()
    version = f"{name}-1"
    session.add(
        PlanVersion(id=version, plan_id=name, major=1, minor=0, state=state, author="person:owner", created_at=NOW)
    )
    session.flush()
    for position, kind in enumerate((ClaimKind.SWITCHOVER, ClaimKind.WAY_BACK, ClaimKind.RESTORE)):
        session.add(
            PlanClaim(
                plan_version_id=version,
                position=position,
                key=f"the-{kind.value}",
                kind=kind,
                min_level=4,
                valid_days=365,
            )
        )


def swap(**more: Any) -> dict[str, Any]:
    """The request that plans one sound live switch to the fallback side."""
    return {
        "title": "Wissel",
        "planId": "PLN-001",
        "playbook": "switch-sides",
        "mode": "live",
        "inputs": {"pair": "PAIR-001", "from": "primary", "to": "fallback"},
        "approvals": {"needed": 2, "processOwner": True},
        "schedule": {"kind": "recurring", "month": "1,4,7,10", "day": "1st sun", "hour": 2},
        **more,
    }
