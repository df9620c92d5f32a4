"""Shows the page of one run, also again with what was wrong with a form on it."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select

from app.access import reach
from app.access.rules import Actor
from app.core import clock
from app.core.errors import Problem
from app.core.web import field_errors, render
from app.drills.service import find as find_drill
from app.runs import cockpit, stream
from app.runs.cockpit import Viewer
from app.runs.models import EvidenceFile, Run
from app.runs.preview import preview
from app.runs.snapshot import take
from app.runs.wanted import wanted


def show(
    request: Request, session: Session, actor: Actor, row: Run, problem: Problem | None = None, step: str = ""
) -> HTMLResponse:
    """The page of a run; with a problem it is shown at the form of `step`."""
    reach.only_look(session)
    found, viewer = take(session, row, now=clock.now()), Viewer.of(actor)
    drill = find_drill(session, row.drill_id)
    context = cockpit.context(found, viewer, watching=stream.feed_of(request).names(row.id))
    files = session.exec(select(EvidenceFile).where(EvidenceFile.run_id == row.id).order_by(col(EvidenceFile.at))).all()
    calls, refused = None, ""
    if context["approval"]["asked"]:
        try:
            calls = preview(session, drill, by_hand=row.by_hand)
        except Problem as reason:
            refused = str(reason)
    more: dict[str, Any] = {
        "drill": drill,
        "files": files,
        "calls": calls,
        "refused": refused,
        "wanted": wanted(session, drill, row, now=found.at) if context["approval"]["asked"] else None,
        "problem": problem,
        "problem_step": step,
        "errors": field_errors(problem) if problem else {},
    }
    status = problem.status if problem else 200
    return render(request, "runs/run.html", status=status, section="runs", **context, **more)
