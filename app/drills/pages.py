"""HTML pages of drills: what is coming, all drills, the form to plan one, and the blackout calendar."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from sqlmodel import Session, col, select
from starlette.responses import Response

import app.drills.labels  # noqa: F401 – the words of drills
from app.access.guard import Reader
from app.access.rules import Action, may
from app.catalog.models import Service
from app.core import clock, forms, labels, sheets
from app.core.db import SessionDep
from app.core.formats import ZONE, local
from app.core.month import month
from app.core.routers import add
from app.core.web import render
from app.drills import blackout_pages, form_pages, service
from app.drills.claiming import Judged, schedule_of
from app.drills.models import Drill
from app.drills.moments import Nominal
from app.drills.rules import Attendance, MomentState
from app.drills.schedules import in_words
from app.drills.shapes import DrillOut, DrillQuery, drill_out
from app.playbooks.rules import Mode

router = APIRouter(include_in_schema=False)
MonthText = Annotated[str, Query(pattern=r"^(20\d\d-(0[1-9]|1[0-2]))?$")]
SOON = 8


class Coming(NamedTuple):
    """A moment of a drill that is to come."""

    drill: Drill
    nominal: Nominal
    judged: Judged


class Entry(NamedTuple):
    """What the calendar shows on a day."""

    label: str
    href: str
    tone: str


@router.get("/drills")
def drills(request: Request, session: SessionDep, actor: Reader, month: MonthText = "") -> Response:
    """What is coming, and all drills by the filters of the address."""
    now = clock.now()
    given = {name: value for name, value in request.query_params.items() if value != "" and name != "month"}
    if sheets.asked(request):
        rows, _ = service.listed(session, sheets.query(DrillQuery, request))
        return sheets.sheet(session, "drills", DrillOut, [drill_out(row) for row in rows])
    query = forms.read(DrillQuery, given)
    rows, total = service.listed(session, query)
    services = session.exec(select(Service).order_by(col(Service.name))).all()
    first = date.fromisoformat(f"{month}-01") if month else local(now).date().replace(day=1)
    context: dict[str, Any] = {
        "rows": rows,
        "words": {row.id: in_words(schedule_of(row)) for row in rows},
        "query": query,
        "total": total,
        "soon": soon(session, now=now),
        "services": {row.id: row for row in services},
        "service_options": [(row.ref, row.name) for row in services],
        "modes": labels.options(Mode),
        "attendances": labels.options(Attendance),
        "calendar": _calendar(session, first, now),
        "previous": (first - timedelta(days=1)).strftime("%Y-%m"),
        "next": (first + timedelta(days=32)).strftime("%Y-%m"),
        "may_plan": may(actor, Action.PLAN_DRILL),
    }
    return render(request, "drills/drills.html", section="drills", **context)


def _scheduled(session: Session) -> list[Drill]:
    wanted = select(Drill).where(col(Drill.archived_at).is_(None), col(Drill.schedule).is_not(None))
    return list(session.exec(wanted.order_by(col(Drill.next_due_at))))


def soon(session: Session, *, now: datetime) -> list[Coming]:
    """The next moments of all drills, the first to come first."""
    found = [
        Coming(drill, each, judged)
        for drill in _scheduled(session)
        for each, judged in service.coming_of(session, drill, count=3, now=now)
    ]
    return sorted(found, key=lambda each: each.nominal.due)[:SOON]


def _calendar(session: Session, first: date, now: datetime) -> Any:
    begin = max(now, datetime.combine(first - timedelta(days=8), time(), tzinfo=ZONE).astimezone(UTC))
    end = datetime.combine(first + timedelta(days=40), time(), tzinfo=ZONE)
    items: dict[date, list[Entry]] = {}
    for drill in _scheduled(session):
        for each in _between(session, drill, begin, end):
            items.setdefault(local(each.nominal.due).date(), []).append(_entry(each))
    return month(first.year, first.month, items, today=local(now).date())


def _between(session: Session, drill: Drill, begin: datetime, end: datetime) -> Iterator[Coming]:
    for each, judged in service.coming_of(session, drill, count=31, now=begin):
        if each.due >= end:
            return
        yield Coming(drill, each, judged)


def _entry(each: Coming) -> Entry:
    tone = "neutral" if each.judged.state is not MomentState.PLANNED else "info"
    return Entry(each.drill.title, f"/drills/{each.drill.ref}", tone)


add(router, form_pages.router)
add(router, blackout_pages.router)
