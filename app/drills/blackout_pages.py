"""The page of the blackout calendar: times in which no drill is started."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

from app.access import reach
from app.access.guard import Reader, allowed
from app.access.rules import Action, Actor, may
from app.catalog.models import Service
from app.core import clock, forms
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import InvalidInput
from app.core.formats import ZONE
from app.core.web import field_errors, redirect, render
from app.drills import calendar
from app.drills.shapes import BlackoutIn, BlackoutQuery

router = APIRouter(include_in_schema=False)
Planner = Annotated[Actor, Depends(allowed(Action.PLAN_DRILL))]
Sent = Annotated[Fields, Depends(form)]
Key = Annotated[str, Path(max_length=64)]


def _page(
    request: Request,
    session: Session,
    actor: Actor,
    values: dict[str, Any] | None = None,
    problem: InvalidInput | None = None,
) -> HTMLResponse:
    reach.only_look(session)
    query = forms.query(BlackoutQuery, request)
    rows, total = calendar.listed(session, query)
    services = session.exec(select(Service).order_by(col(Service.name))).all()
    context: dict[str, Any] = {
        "rows": rows,
        "query": query,
        "total": total,
        "services": {row.id: row for row in services},
        "service_options": [(row.ref, row.name) for row in services],
        "values": values or {},
        "errors": field_errors(problem) if problem else {},
        "may_plan": may(actor, Action.PLAN_DRILL),
    }
    status = problem.status if problem else 200
    return render(request, "drills/blackouts.html", status=status, section="drills", **context)


@router.get("/blackouts")
def blackouts(request: Request, session: SessionDep, actor: Reader) -> HTMLResponse:
    """The times in which no drill is started."""
    return _page(request, session, actor)


@router.post("/blackouts")
def add(request: Request, session: SessionDep, actor: Planner, fields: Sent) -> Response:
    """Add a time in which no drill is started."""
    values: dict[str, Any] = fields.filled()
    moments = {name: here(values[name]) for name in ("startsAt", "endsAt") if name in values}
    try:
        calendar.add(session, forms.read(BlackoutIn, values | moments), actor, now=clock.now())
    except InvalidInput as problem:
        return _page(request, session, actor, values, problem)
    return redirect("/blackouts")


@router.post("/blackouts/{key}/archivals")
def lift(session: SessionDep, actor: Planner, key: Key, fields: Sent) -> RedirectResponse:
    """Lift a blackout."""
    calendar.archive(session, key, actor, reason=fields.text("comment"), now=clock.now())
    return redirect("/blackouts")


def here(text: str) -> str:
    """What a date-and-time field holds, as a moment with the offset of the clock on the wall here."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZONE).isoformat()
    except ValueError:
        return text
