"""Pages of the audit log: the search for auditors, its downloads, and the tab of each object."""

from datetime import UTC, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.responses import Response

from app.access import reach
from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.core import forms, sheets
from app.core.audit import AuditEvent
from app.core.db import SessionDep
from app.core.errors import not_found
from app.core.formats import ZONE
from app.core.messages import say
from app.core.web import TABS, render
from app.reports.audit import export, log
from app.reports.audit.api import get_verifier
from app.reports.audit.shapes import AuditEventOut, AuditQuery

router = APIRouter(include_in_schema=False)
Auditor = Annotated[Actor, Depends(allowed(Action.READ_AUDIT))]
Key = Annotated[str, Path(max_length=80)]
COLLECTIONS = {
    "services": "service",
    "suppliers": "supplier",
    "objects": "ict_object",
    "contracts": "contract",
    "environment-pairs": "environment_pair",
    "plans": "plan",
    "mvos": "mvo",
    "playbooks": "playbook",
    "drills": "drill",
    "runs": "run",
    "findings": "finding",
    "people": "person",
}
"""The addresses of objects that have a page, with what the audit log calls them."""
TABS.update(name for name in COLLECTIONS if name != "people")
RESULTS = {"done": say("done"), "refused": say("refused"), "failed": say("failed")}
_DAYS = {"since": time.min, "until": time.max}


@router.get("/audit")
def search(request: Request, session: SessionDep, actor: Auditor) -> Response:
    """The audit log by the filters of the address, as a page or as a sheet."""
    query = _query(request)
    rows, total = log.listed(session, query, actor)
    if sheets.asked(request):
        return sheets.sheet(session, "audit", AuditEventOut, rows)
    kinds = session.scalars(select(col(AuditEvent.object_kind)).distinct().order_by(col(AuditEvent.object_kind))).all()
    context: dict[str, Any] = {
        "kinds": [(each, each.replace("_", " ")) for each in kinds],
        "results": list(RESULTS.items()),
        "days": {name: request.query_params.get(name, "") for name in _DAYS},
        "head": log.head(session),
        "all": log.sees_all(actor),
    }
    return render(request, "reports/audit.html", section="audit", **context, **_shown(rows, total, query))


@router.get("/audit/log")
def whole_log(request: Request, actor: Auditor) -> Response:
    """The whole log as a file."""
    return export.whole_log(request, actor)


@router.get("/audit/verifier")
def verifier(actor: Auditor) -> Response:
    """The program that verifies it."""
    return get_verifier(actor)


def _query(request: Request) -> AuditQuery:
    """The filters of the address; days as people write them are whole days of Amsterdam."""
    given = {name: value for name, value in request.query_params.items() if value != "" and name != "format"}
    for name, at in _DAYS.items():
        if len(given.get(name, "")) == len("2026-11-24"):
            try:
                day = datetime.fromisoformat(given[name]).date()
            except ValueError:
                continue  # the shape says what is wrong
            given[name] = datetime.combine(day, at, tzinfo=ZONE).astimezone(UTC).isoformat()
    found = forms.read(AuditQuery, given)
    return sheets.whole(found) if sheets.asked(request) else found


def _shown(rows: list[AuditEventOut], total: int, query: AuditQuery) -> dict[str, Any]:
    places = {kind: name for name, kind in COLLECTIONS.items() if name != "people"}
    return {"rows": rows, "total": total, "query": query, "places": places, "words": RESULTS}


def _tab(collection: str, kind: str) -> Any:
    def tab(request: Request, session: SessionDep, actor: Auditor, key: Key) -> HTMLResponse:
        """What happened to one object."""
        found = _id(session, collection, kind, key)
        given = {name: value for name, value in request.query_params.items() if name in ("page", "pageSize")}
        query = forms.read(AuditQuery, given | {"kind": kind, "object": found})
        rows, total = log.listed(session, query, actor)
        context = {"collection": collection, "key": key, **_shown(rows, total, query)}
        return render(request, "reports/audit_tab.html", **context)

    return tab


def _id(session: Session, collection: str, kind: str, key: str) -> str:
    """The id of the object. Raises NotFound."""
    table = reach.table_of(collection)
    if table is not None and key.isprintable():
        by_ref = (table.c.ref == key.upper()) if "ref" in table.c else False
        found = session.execute(select(table.c.id).where((table.c.id == key) | by_ref)).scalar()
        if found is not None:
            return str(found)
    raise not_found(kind, key)


for _collection, _kind in COLLECTIONS.items():
    router.add_api_route(f"/{_collection}/{{key}}/audit", _tab(_collection, _kind), methods=["GET"])
