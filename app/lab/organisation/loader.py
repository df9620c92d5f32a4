"""Enters the example organisation by the public API: as the author, with reviews and approvals by somebody else."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from app.lab.organisation.material import Filling, read
from app.lab.people import Part, People

CATALOGUE = ("suppliers", "services", "places", "contracts")
"""Files of the catalogue, each after what it names; their sections are the API's paths."""


@dataclass(frozen=True)
class PlannedDrill:
    """A drill that the scheduler will trigger, and how it should end."""

    key: str
    id: str
    ref: str
    title: str
    expected: str
    """The verdict that it should end with."""
    fails_at: str | None
    """The step that should find the planted fault."""
    live: bool
    unattended: bool


@dataclass
class Organisation:
    """What was entered."""

    names: dict[str, str]
    """Name in the files → id."""
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Reference of each plan → its status with its claims, before any drill."""
    drills: list[PlannedDrill] = field(default_factory=list)
    refs: dict[str, str] = field(default_factory=dict)
    """Name of each plan in the files → its reference."""


def enter(people: People, filling: Filling, *, tell: Callable[[str], None]) -> Organisation:
    """Enter everything but the drills. Raises `ApiRefused` where the API refuses something."""
    author, approver = people[Part.AUTHOR].api, people[Part.APPROVER].api
    entered = Organisation(filling.known)
    filling.known |= {part.value: person.id for part, person in people.items()}
    for file in CATALOGUE:
        for path, rows in read(file).items():
            for row in rows:
                body = {name: value for name, value in row.items() if name != "key"}
                filling.known[row["key"]] = author.post(f"/{path}", filling.fill(body))["id"]
    tell("Catalogue entered: suppliers, services, sites, contracts, objects.")
    for row in read("minimum")["mvos"]:
        body = {name: value for name, value in row.items() if name != "key"}
        made = author.post("/mvos", filling.fill(body))
        approver.post(f"/mvos/{made['id']}/approvals", {"boardApprovedOn": filling.now.date().isoformat()})
        filling.known[row["key"]] = made["id"]
    for row in read("plans")["plans"]:
        entered.refs[row["key"]] = _plan(people, filling, row)
    entered.before = statuses(people)
    return entered


def _plan(people: People, filling: Filling, row: dict[str, Any]) -> str:
    """Enter one plan, have it approved and reviewed by somebody else; its reference."""
    author, approver = people[Part.AUTHOR].api, people[Part.APPROVER].api
    made = author.post("/plans", filling.fill(row["body"]))
    filling.known[row["key"]] = made["id"]
    if row.get("approved", True):
        version = f"/plans/{made['id']}/versions/{made['draft']}"
        author.post(f"{version}/submissions")
        approver.post(f"{version}/approvals")
    if row.get("reviewed"):
        note = filling.fill({"note": {"nl": "Gelezen en akkoord.", "en": "Read and agreed."}})
        claims = [claim["kind"] for claim in row["body"]["claims"]]
        approver.post(f"/plans/{made['id']}/reviews", {"claims": claims, **note})
    return str(made["ref"])


def statuses(people: People) -> dict[str, dict[str, Any]]:
    """Reference of each plan → its status with its claims, now."""
    api = people[Part.AUTHOR].api
    page = api.get("/plans", pageSize=100, sort="ref")
    return {plan["ref"]: api.get(f"/plans/{plan['id']}/status") for plan in page["items"]}


def plan_drills(people: People, filling: Filling, entered: Organisation, *, auto: bool) -> None:
    """Plan the six drills, some seconds ahead of `filling.now`, and the rhythm in which they would go on."""
    author = people[Part.AUTHOR].api
    wanted = read("drills")
    for row in wanted["drills"]:
        at = filling.now + timedelta(seconds=row["after"]["auto" if auto else "people"])
        body = filling.fill(row["body"]) | {"schedule": {"kind": "once", "at": at.isoformat()}}
        made = author.post("/drills", body)
        filling.known[row["key"]] = made["id"]
        entered.drills.append(
            PlannedDrill(
                key=row["key"],
                id=made["id"],
                ref=made["ref"],
                title=made["title"],
                expected=row["expect"],
                fails_at=row.get("failsAt"),
                live=made["mode"] == "live",
                unattended=made["attendance"] == "unattended",
            )
        )
    for row in wanted["later"]:
        author.post(f"/{row['path']}", filling.fill(row["body"]))
