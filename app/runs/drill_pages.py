"""The page of one drill with its runs: moments, readiness, approvals beforehand, and the button that starts it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import or_
from sqlmodel import Session, col, select

import app.drills.labels
import app.runs.labels  # noqa: F401 – the words on this page
from app.access.guard import Reader, allowed
from app.access.models import Person
from app.access.rules import Action, Actor, may
from app.catalog.models import CatalogObject, EnvironmentPair, Service
from app.core import clock
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import Problem
from app.core.i18n import gettext as _
from app.core.web import redirect, render
from app.drills import readiness, service
from app.drills.claiming import moment_by_hand, schedule_of
from app.drills.models import Drill, DrillMoment
from app.drills.schedules import in_words
from app.plans.models import Plan
from app.playbooks.models import PlaybookVersion
from app.playbooks.rules import Playbook
from app.runs import approval, planning, shown
from app.runs.approval import Standing
from app.runs.command_pages import read_approval
from app.runs.models import Run
from app.runs.preview import preview
from app.runs.record import Approval, ApprovalVerdict
from app.runs.shapes import PreviewOut
from app.runs.wanted import wanted
from runners.contract import Side

router = APIRouter(include_in_schema=False)
Operator = Annotated[Actor, Depends(allowed(Action.OPERATE_RUN))]
Approver = Annotated[Actor, Depends(allowed(Action.APPROVE_RUN))]
Planner = Annotated[Actor, Depends(allowed(Action.PLAN_DRILL))]
Sent = Annotated[Fields, Depends(form)]
Key = Annotated[str, Path(max_length=64)]
NEWEST = 12


@router.get("/drills/{key}")
def drill(request: Request, session: SessionDep, actor: Reader, key: Key) -> HTMLResponse:
    """One drill: when it falls, what is missing, who approved, what came of it."""
    row, now = service.find(session, key), clock.now()
    version = session.get_one(PlaybookVersion, row.playbook_id)
    partner = session.get(Drill, row.partner_id) if row.partner_id else None
    came = session.exec(
        select(DrillMoment).where(DrillMoment.drill_id == row.id).order_by(col(DrillMoment.due_at).desc()).limit(NEWEST)
    ).all()
    runs = session.exec(
        select(Run).where(Run.drill_id == row.id).order_by(col(Run.planned_at).desc()).limit(NEWEST)
    ).all()
    calls, refused = _calls(session, row)
    context: dict[str, Any] = {
        "drill": row,
        "plan": session.get_one(Plan, row.plan_id),
        "service": session.get(Service, row.service_id) if row.service_id else None,
        "playbook": Playbook.model_validate(version.content),
        "playbook_version": version,
        "partner": partner,
        "words": in_words(schedule_of(row)),
        "coming": service.coming_of(session, row, count=5, now=now),
        "came": came,
        "runs": runs,
        "runs_by_id": {run.id: run for run in runs},
        "lacks": [] if row.archived_at else readiness.lacks(session, row, registry=request.app.state.registry, now=now),
        "input_names": _input_names(session, row),
        "people": {person.id: person for person in session.exec(select(Person)).all()},
        "calls": calls,
        "refused": refused,
        **_approvals(session, row, actor, calls),
        "may_plan": may(actor, Action.PLAN_DRILL),
        "may_start": may(actor, Action.OPERATE_RUN),
    }
    return render(request, "runs/drill.html", section="drills", **context)


def _input_names(session: Session, row: Drill) -> dict[str, str]:
    """What the drill was given, in words: objects and pairs by their names, a side as people call it."""
    keys = [value for value in row.inputs.values() if isinstance(value, str)]
    found = {Side.PRIMARY.value: _("Primary side"), Side.FALLBACK.value: _("Fallback side")}
    for model in (EnvironmentPair, CatalogObject):
        wanted = select(model).where(or_(col(model.id).in_(keys), col(model.ref).in_(keys)))
        found |= {key: f"{each.name} ({each.ref})" for each in session.exec(wanted) for key in (each.id, each.ref)}
    return found


def _calls(session: Session, row: Drill) -> tuple[PreviewOut | None, str]:
    try:
        return preview(session, row), ""
    except Problem as problem:
        return None, str(problem)


def _approvals(session: Session, row: Drill, actor: Actor, calls: PreviewOut | None) -> dict[str, Any]:
    """The approvals given beforehand, and whether the reader may give one."""
    beforehand = select(Approval).where(Approval.drill_id == row.id, col(Approval.run_id).is_(None))
    given = session.exec(beforehand.order_by(col(Approval.at).desc())).all()
    out, now = approval.excluded(session, row, None), clock.now()
    said = [each for each in given if each.person_id == actor.person_id and each.revoked_at is None]
    same = [each for each in said if calls is not None and each.digest == calls.digest and each.used_at is None]
    return {
        "policy": approval.policy_of(row),
        "wanted": wanted(session, row, None, now=now),
        "approvals": [shown.approval_out(session, each, now=now) for each in given],
        "mine": {each.id for each in said},
        "may_approve": may(actor, Action.APPROVE_RUN) and actor.person_id not in out and not same,
        "not_independent": may(actor, Action.APPROVE_RUN) and actor.person_id in out,
    }


@router.post("/drills/{key}/runs")
def start_now(session: SessionDep, actor: Operator, key: Key, fields: Sent) -> RedirectResponse:
    """Plan a run now, and start it unless it still needs approval."""
    now, row = clock.now(), service.find(session, key)
    moment = moment_by_hand(session, row, now=now)
    by_hand = fields.text("byHand") == "yes"
    run = planning.plan_run(session, row, actor=actor, now=now, moment=moment, by_hand=by_hand, person=True)
    if not run.needs_approval or approval.stands(session, run, now=now) is Standing.GRANTED:
        planning.start(session, run.id, actor=actor, now=now)
    return redirect(f"/runs/{run.ref}")


@router.post("/drills/{key}/approvals")
def approve(session: SessionDep, actor: Approver, key: Key, fields: Sent) -> RedirectResponse:
    """Approve or deny beforehand, for the next run, exactly what was shown."""
    row, data = service.find(session, key), read_approval(fields)
    verdict = ApprovalVerdict(data.verdict)
    approval.give(session, row, None, actor, verdict, digest=data.digest, comment=data.comment, now=clock.now())
    return redirect(f"/drills/{row.ref}")


@router.post("/drills/{key}/archivals")
def archive(session: SessionDep, actor: Planner, key: Key, fields: Sent) -> RedirectResponse:
    """End the drill."""
    row = service.archive(session, key, actor, reason=fields.text("comment"), now=clock.now())
    return redirect(f"/drills/{row.ref}")
