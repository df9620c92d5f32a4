"""Lists of findings, and findings, actions and acceptances as they go out."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import case, false
from sqlmodel import Session, col, select

from app.access.models import Person
from app.access.reach import lookup
from app.catalog.models import CatalogObject, Service
from app.catalog.shapes import Reference
from app.core.listing import paged
from app.findings import work
from app.findings.models import Acceptance, Finding, FindingAction
from app.findings.rules import CLOSED, AcceptanceState, Operation, Severity, next_operations
from app.findings.shapes import (
    AcceptanceOut,
    ActionOut,
    FindingOut,
    FindingQuery,
    NextOperation,
    PlanReference,
    TitleOut,
)

_RANK = case({Severity.LOW.value: 0, Severity.MEDIUM.value: 1}, value=col(Finding.severity), else_=2)
_SORTABLE = {
    name: getattr(Finding, attribute)
    for name, attribute in {
        "ref": "ref",
        "state": "state",
        "source": "source",
        "cause": "cause",
        "level": "level",
        "openedAt": "opened_at",
        "closedAt": "closed_at",
        "retestedAt": "retested_at",
        "dueOn": "due_on",
        "claimKey": "claim_key",
    }.items()
} | {"severity": _RANK}
_SEARCHED = [col(Finding.ref), col(Finding.title_nl), col(Finding.title_en), col(Finding.description)]
_WHERE = {
    Operation.REJECT: "rejections",
    Operation.REQUEST_ACCEPTANCE: "acceptances",
}


def listed(session: Session, query: FindingQuery) -> tuple[list[Finding], int]:
    """One page of findings, and how many there are in all."""
    conditions = [_condition(session, name, value) for name, value in query.filters().items()]
    statement = select(Finding).where(*conditions)
    tie = col(Finding.id)
    return paged(session, statement, query, sortable=_SORTABLE, searched=_SEARCHED, default="-openedAt", tie=tie)


def _condition(session: Session, name: str, value: Any) -> Any:
    match name:
        case "closed":
            closed = col(Finding.state).in_(CLOSED)
            return closed if value else ~closed
        case "plan":
            return _same(Finding.plan_id, work.plan_id(session, value))
        case "service":
            return _same(Finding.service_id, _id(session, Service, value))
        case "owner":
            return _same(Finding.owner_id, _id(session, Person, value))
        case "due_before":
            return col(Finding.due_on) < value
        case _:
            return getattr(Finding, name) == value


def _id(session: Session, table: type[Any], key: str) -> str | None:
    found = lookup(session, table, key)
    return None if found is None else str(found.id)


def _same(column: Any, id: str | None) -> Any:
    return false() if id is None else column == id


def shown(session: Session, rows: Sequence[Finding]) -> list[FindingOut]:
    """Findings as they go out, what they refer to looked up once for the whole page."""
    plans = work.plan_refs(session, {row.plan_id for row in rows if row.plan_id})
    services = references(session, Service, (row.service_id for row in rows))
    people = references(session, Person, (row.owner_id for row in rows))
    objects = references(session, CatalogObject, (id for row in rows for id in row.object_ids))
    waiting = _waiting(session, [row.id for row in rows])
    return [
        FindingOut.model_validate(
            _own(row)
            | {
                "plan": PlanReference(id=row.plan_id, ref=plans.get(row.plan_id, "")) if row.plan_id else None,
                "service": services.get(row.service_id or ""),
                "owner": people.get(row.owner_id or ""),
                "objects": [objects[id] for id in row.object_ids if id in objects],
                "next_actions": _next_actions(row, waiting.get(row.id)),
            }
        )
        for row in rows
    ]


def _own(row: Finding) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in FindingOut.model_fields if hasattr(row, name)}
    return values | {"title": TitleOut(nl=row.title_nl, en=row.title_en)}


def _waiting(session: Session, ids: list[str]) -> dict[str, str]:
    """The acceptance that waits for a decision, per finding."""
    statement = select(Acceptance.finding_id, Acceptance.id).where(
        col(Acceptance.finding_id).in_(ids), Acceptance.state == AcceptanceState.REQUESTED
    )
    return dict(session.exec(statement).all())


def _next_actions(row: Finding, waiting: str | None) -> list[NextOperation]:
    legal = next_operations(row.state, acceptance_requested=waiting is not None, retestable=row.claim_key is not None)
    return [NextOperation(operation=each, href=f"/api/v1/findings/{row.id}/{_place(each, waiting)}") for each in legal]


def _place(operation: Operation, waiting: str | None) -> str:
    if operation is Operation.ACCEPT_RISK:
        return f"acceptances/{waiting}/decisions"
    return _WHERE.get(operation, "transitions")


def references(session: Session, table: type[Any], ids: Iterable[str | None]) -> dict[str, Reference]:
    """Id, reference and name of rows by id, in portions that each database takes."""
    wanted = sorted({id for id in ids if id})
    found: dict[str, Reference] = {}
    for start in range(0, len(wanted), 500):
        portion = wanted[start : start + 500]
        for id, ref, name in session.exec(select(table.id, table.ref, table.name).where(table.id.in_(portion))):
            found[id] = Reference(id=id, ref=ref, name=name)
    return found


def shown_actions(session: Session, rows: Sequence[FindingAction]) -> list[ActionOut]:
    """Actions as they go out."""
    people = references(session, Person, (row.owner_id for row in rows))
    return [
        ActionOut.model_validate(
            {name: getattr(row, name) for name in ActionOut.model_fields if name != "owner"}
            | {"owner": people.get(row.owner_id or "")}
        )
        for row in rows
    ]


def shown_acceptances(session: Session, rows: Sequence[Acceptance]) -> list[AcceptanceOut]:
    """Requests to accept a risk as they go out."""
    people = references(session, Person, (id for row in rows for id in (row.requested_by_id, row.decided_by_id)))
    people_fields = {"requested_by", "decided_by"}
    return [
        AcceptanceOut.model_validate(
            {name: getattr(row, name) for name in AcceptanceOut.model_fields if name not in people_fields}
            | {"requested_by": people[row.requested_by_id], "decided_by": people.get(row.decided_by_id or "")}
        )
        for row in rows
    ]
