"""Enters findings by hand, edits them, and keeps the actions that people take on them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import column, or_
from sqlalchemy import select as select_columns
from sqlalchemy import table as table_of
from sqlmodel import Session, col, select

from app.access.models import Person
from app.access.reach import lookup
from app.access.rules import Actor
from app.catalog.models import CatalogObject, Service
from app.core import audit
from app.core.columns import new_id
from app.core.errors import Conflict, FieldError, InvalidInput, not_found
from app.core.messages import say
from app.findings.models import Finding, FindingAction
from app.findings.rules import Operation, State
from app.findings.service import NewFinding, Title, edit, move, open_finding
from app.findings.shapes import ActionIn, FindingIn

_PLAN = table_of("plan", column("id"), column("ref"))
"""Plans stand to the right, so only these two columns are known here, by name."""


class AlreadyDone(Conflict):
    """The action was finished before."""

    code = "already-done"


def plan_refs(session: Session, ids: set[str]) -> dict[str, str]:
    """Human reference of each plan by id."""
    if not ids:
        return {}
    rows = session.execute(select_columns(_PLAN.c.id, _PLAN.c.ref).where(_PLAN.c.id.in_(ids)))
    return {row.id: row.ref for row in rows}


def plan_id(session: Session, key: str) -> str | None:
    """Id of the plan with this id or reference, None where there is none."""
    wanted = select_columns(_PLAN.c.id).where(or_(_PLAN.c.id == key, _PLAN.c.ref == key.upper()))
    found: str | None = session.execute(wanted).scalar()
    return found


class _References:
    """Turns keys into ids, keeping every fault so that they are told at once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.faults: list[FieldError] = []

    def id(self, at: str, key: str | None, table: type[Any]) -> str | None:
        """Id of the row, None (and a fault) where there is none."""
        if key is None:
            return None
        found = lookup(self._session, table, key)
        return self._kept(at, key, str(table.__tablename__), None if found is None else found.id)

    def plan(self, key: str | None) -> str | None:
        """Id of the plan."""
        return None if key is None else self._kept("plan", key, "plan", plan_id(self._session, key))

    def _kept(self, at: str, key: str, kind: str, id: str | None) -> str | None:
        if id is None:
            self.faults.append(FieldError(at, "not-found", say("There is no {kind} '{key}'.", kind=kind, key=key)))
        return id

    def require_all(self) -> None:
        """Raise InvalidInput where any key led nowhere."""
        if self.faults:
            raise InvalidInput(say("Some fields are not right. Nothing was saved."), errors=self.faults)


def enter(session: Session, data: FindingIn, *, now: datetime, actor: Actor) -> Finding:
    """A finding that a person enters. Raises InvalidInput with every wrong reference at once."""
    known = _References(session)
    plan, service = known.plan(data.plan), known.id("service", data.service, Service)
    owner = known.id("owner", data.owner, Person)
    objects = [known.id(f"objects.{number}", key, CatalogObject) for number, key in enumerate(data.objects)]
    if data.claim_key is not None and data.plan is None:
        known.faults.append(FieldError("plan", "required", say("Name the plan that makes this claim.")))
    known.require_all()
    new = NewFinding(
        key=f"entered:{new_id()}",
        plan_id=plan,
        claim_key=data.claim_key,
        object_ids=tuple(id for id in objects if id),
        source=data.source,
        cause=data.cause,
        severity=data.severity,
        title=Title(data.title.nl, data.title.en),
        description=data.description,
        level=data.level,
        service_id=service,
        plan_version=data.plan_version,
    )
    finding = open_finding(session, new, now=now, actor=actor)
    finding.owner_id, finding.due_on = owner, data.due_on
    session.add(finding)
    return finding


def change(session: Session, finding: Finding, sent: Mapping[str, Any], *, actor: Actor) -> Finding:
    """Change what was sent: cause, owner, due day, places on the axes."""
    return edit(session, finding, _with_owner_id(session, sent), actor=actor)


def _with_owner_id(session: Session, sent: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(sent)
    if "owner" in values:
        known = _References(session)
        values["owner_id"] = known.id("owner", values.pop("owner"), Person)
        known.require_all()
    return values


def actions(session: Session, finding: Finding) -> list[FindingAction]:
    """The actions on a finding, the oldest first."""
    statement = select(FindingAction).where(FindingAction.finding_id == finding.id)
    return list(session.exec(statement.order_by(col(FindingAction.created_at), col(FindingAction.id))))


def find_action(session: Session, finding: Finding, id: str) -> FindingAction:
    """One action on this finding. Raises NotFound."""
    row = session.get(FindingAction, id) if id.isprintable() else None
    if row is None or row.finding_id != finding.id:
        raise not_found("action", id)
    return row


def add_action(session: Session, finding: Finding, data: ActionIn, *, now: datetime, actor: Actor) -> FindingAction:
    """Agree on an action; the first one takes an open finding to *action*. Raises NotNow for a closed finding."""
    known = _References(session)
    owner = known.id("owner", data.owner, Person)
    known.require_all()
    if finding.state not in (State.ACTION, State.AWAITING_RETEST):
        move(session, finding, Operation.START_ACTION, now=now, actor=actor)
    row = FindingAction(
        finding_id=finding.id, what=data.what, owner_id=owner, due_on=data.due_on, note=data.note, created_at=now
    )
    session.add(row)
    session.flush()
    audit.record(session, actor.ref, "finding_action.added", "finding_action", row.id, finding=finding.ref)
    return row


def change_action(session: Session, row: FindingAction, sent: Mapping[str, Any], *, actor: Actor) -> FindingAction:
    """Change what was sent. Raises AlreadyDone for a finished action."""
    _require_open(row)
    values = _with_owner_id(session, sent)
    before = {name: _plain(getattr(row, name)) for name in values}
    for name, value in values.items():
        setattr(row, name, value)
    differing = audit.changes(before, {name: _plain(value) for name, value in values.items()})
    if differing:
        row.revision += 1
        session.add(row)
        audit.record(session, actor.ref, "finding_action.edited", "finding_action", row.id, changes=differing)
    return row


def complete_action(session: Session, row: FindingAction, note: str, *, now: datetime, actor: Actor) -> FindingAction:
    """Finish an action. Raises AlreadyDone."""
    _require_open(row)
    row.done_at, row.done_by, row.note = now, actor.ref, note or row.note
    row.revision += 1
    session.add(row)
    audit.record(session, actor.ref, "finding_action.done", "finding_action", row.id)
    return row


def _require_open(row: FindingAction) -> None:
    if row.done_at is not None:
        raise AlreadyDone(say("This action was finished already. Add a new one."))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
