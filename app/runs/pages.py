"""HTML pages of runs: the list, the cockpit of one run, and its evidence."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse
from sqlmodel import col, select
from starlette.responses import Response

import app.drills.labels
import app.findings.labels
import app.plans.labels
import app.runs.labels  # noqa: F401 – the words on these pages
from app.access.guard import Reader
from app.catalog.models import Service
from app.core import labels, sheets
from app.core.db import SessionDep
from app.core.routers import add
from app.core.web import render
from app.playbooks.rules import Mode
from app.runs import activation_pages, api, command_pages, drill_pages, service, shown, stream
from app.runs.rules import RunState, RunVerdict
from app.runs.run_page import show
from app.runs.shapes import RunQuery, RunRow

router = APIRouter(include_in_schema=False)
Key = Annotated[str, Path(max_length=64)]


@router.get("/runs")
def runs(request: Request, session: SessionDep, actor: Reader) -> Response:
    """Every run, by the filters of the address."""
    query = sheets.query(RunQuery, request)
    rows, total = shown.listed(session, query)
    if sheets.asked(request):
        return sheets.sheet(session, "runs", RunRow, rows)
    services = session.exec(select(Service).order_by(col(Service.name))).all()
    context: dict[str, Any] = {
        "rows": rows,
        "query": query,
        "total": total,
        "states": labels.options(RunState),
        "verdicts": labels.options(RunVerdict),
        "modes": labels.options(Mode),
        "services": [(row.ref, row.name) for row in services],
        "names": {row.ref: row.name for row in services},
    }
    return render(request, "runs/runs.html", section="runs", **context)


@router.get("/runs/{key}")
def run(request: Request, session: SessionDep, actor: Reader, key: Key) -> HTMLResponse:
    """One run: live while it runs, its result after."""
    return show(request, session, actor, service.find(session, key))


@router.get("/runs/{key}/evidence/{sha256}")
def evidence(session: SessionDep, actor: Reader, request: Request, key: Key, sha256: Key) -> Response:
    """A file that shows what was seen, as a download."""
    return api.evidence(session, actor, request, key, sha256)


add(router, activation_pages.router)
add(router, command_pages.router)
add(router, drill_pages.router)
add(router, stream.router)
