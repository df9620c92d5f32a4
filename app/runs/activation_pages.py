"""Pages of the real thing: the form that puts a plan to work, and a pair of environments with what it is owed."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

import app.runs.labels  # noqa: F401 – the words on these pages
from app.access import reach
from app.access.guard import Reader, allowed
from app.access.models import Person
from app.access.rules import Action, Actor, may
from app.catalog import service as catalog
from app.catalog.models import Environment, EnvironmentPair, Service, Site
from app.core import clock, formats, forms
from app.core.browser import Fields, form, form_with_file
from app.core.db import SessionDep
from app.core.errors import FieldError, NotAllowed, Problem
from app.core.i18n import gettext as _
from app.core.i18n import pick
from app.core.messages import say
from app.core.web import field_errors, redirect, render
from app.drills import form_fields
from app.plans.models import Plan
from app.plans.standing import find_plan
from app.playbooks.models import PlaybookVersion, VersionState
from app.playbooks.rules import Mode, Playbook
from app.runs import activations, debts, obligations, operations, service
from app.runs.activation_inputs import playbook_for
from app.runs.activation_shapes import ActivationIn, ActivationReviewIn
from app.runs.aftercare_shapes import CompletionIn
from app.runs.models import EnvironmentLock, Obligation, Run, Stay
from runners.contract import Side

router = APIRouter(include_in_schema=False)
Operator = Annotated[Actor, Depends(allowed(Action.OPERATE_RUN))]
Approver = Annotated[Actor, Depends(allowed(Action.APPROVE_RUN))]
Sent = Annotated[Fields, Depends(form)]
SentWithFile = Annotated[Fields, Depends(form_with_file)]
Key = Annotated[str, Path(max_length=64)]


@router.get("/plans/{key}/activate")
def ask(request: Request, session: SessionDep, actor: Operator, key: Key, lost: str = "") -> HTMLResponse:
    """The form that puts a plan to work."""
    plan = find_plan(session, key)
    values = {"alarmAt": _local(clock.now()), "lost": lost or _home(session, plan), "breakGlass": "yes"}
    values |= _usual_people(session, plan)
    return _show(request, session, plan, values)


@router.post("/plans/{key}/activations")
def activate(request: Request, session: SessionDep, actor: Operator, key: Key, fields: Sent) -> Response:
    """Put a plan to work, and show its run."""
    plan = find_plan(session, key)
    try:
        with session.begin_nested():
            held = activations.start(session, read_activation(plan.id, fields), actor=actor, now=clock.now())
    except NotAllowed:
        raise
    except Problem as problem:
        return _show(request, session, plan, dict(fields), problem)
    return redirect(f"/runs/{held.run.ref}")


def read_activation(plan: str, fields: Fields) -> ActivationIn:
    """What the form tells. Raises InvalidInput with every fault."""
    given: dict[str, Any] = {
        "plan": plan,
        "reason": fields.text("reason"),
        "scenario": fields.text("scenario"),
        "lost": {"sides": [fields.text("lost")] if fields.text("lost") else []},
        "breakGlass": fields.text("breakGlass") == "yes",
        "participants": form_fields.participants_of(fields),
    }
    given |= {name: fields.text(name) for name in ("playbook", "pair") if fields.text(name)}
    given |= {name: _utc(name, fields.text(name)) for name in ("alarmAt", "outageAt") if fields.text(name)}
    return forms.read(ActivationIn, given)


def _local(moment: datetime) -> str:
    """A moment as the field of a form holds it, in the local time of the reader."""
    return f"{formats.local(moment):%Y-%m-%dT%H:%M:%S}"


def _utc(name: str, text: str) -> datetime:
    """A moment that was typed in local time."""
    try:
        typed = datetime.fromisoformat(text)
    except ValueError:
        raise forms.wrong([FieldError(name, "wrong-moment", say("Give a day and a time."))]) from None
    return typed.replace(tzinfo=typed.tzinfo or formats.ZONE)


def _home(session: Session, plan: Plan) -> str:
    pair = next(iter(_pairs(session, plan)), None)
    return pair.home_side.value if pair else ""


def _pairs(session: Session, plan: Plan) -> list[EnvironmentPair]:
    wanted = select(EnvironmentPair).where(EnvironmentPair.service_id == plan.service_id)
    return list(
        session.exec(wanted.where(col(EnvironmentPair.archived_at).is_(None)).order_by(col(EnvironmentPair.ref)))
    )


def _usual_people(session: Session, plan: Plan) -> dict[str, str]:
    """The fields of who took part in the last drill of this plan, as far as they are still there."""
    found: dict[str, str] = {}
    for number, each in enumerate(activations.usual_people(session, plan)):
        found[f"participants.{number}.personId"] = session.get_one(Person, each["personId"]).ref
        found[f"participants.{number}.role"] = each["role"]
    return found


def _playbook(session: Session, values: dict[str, Any]) -> Playbook | None:
    """The playbook that would run, as far as it is clear; its roles are asked for."""
    try:
        return Playbook.model_validate(playbook_for(session, values.get("playbook") or None).content)
    except Problem:
        return None


def _show(
    request: Request, session: Session, plan: Plan, values: dict[str, Any], problem: Problem | None = None
) -> HTMLResponse:
    reach.only_look(session)
    pairs = _pairs(session, plan)
    errors = field_errors(problem) if problem else {}
    shown_at = {"sides": "lost", "personId": "participants", "role": "participants"}
    errors = {shown_at.get(name, name): reason for name, reason in errors.items()}
    people = session.exec(select(Person).where(col(Person.active)).order_by(col(Person.name))).all()
    context: dict[str, Any] = {
        "plan": plan,
        "service": session.get(Service, plan.service_id) if plan.service_id else None,
        "pairs": [(row.ref, f"{row.name} ({row.ref})") for row in pairs],
        "owed": [row for pair in pairs for row in debts.open_of(session, pair.id)],
        "playbooks": [("", _("The only one that proves an unplanned fail-over")), *_playbooks(session)],
        "sides": [("", _("Nothing is lost for certain")), *((s.value, _side(s)) for s in Side)],
        "people": [("", "–"), *((row.ref, row.name) for row in people)],
        "rows": form_fields.people_rows(values, _playbook(session, values)),
        "values": forms.Typed(values),
        "errors": forms.Typed(errors),
        "problem": problem,
    }
    status = problem.status if problem else 200
    return render(request, "runs/activate.html", status=status, section="plans", **context)


def _side(side: Side) -> str:
    return _("Primary side") if side is Side.PRIMARY else _("Fallback side")


def _playbooks(session: Session) -> list[tuple[str, str]]:
    wanted = select(PlaybookVersion).where(PlaybookVersion.state == VersionState.PUBLISHED)
    found = {row.name: Playbook.model_validate(row.content) for row in session.exec(wanted)}
    return [(name, pick(each.title)) for name, each in sorted(found.items()) if Mode.LIVE in each.modes]


@router.get("/environment-pairs/{key}")
def pair(request: Request, session: SessionDep, actor: Reader, key: Key) -> HTMLResponse:
    """A pair of environments: which side is home, what is owed to a side, who holds it, and where it stayed."""
    row = catalog.find(session, EnvironmentPair, key)
    owed = debts.open_of(session, row.id)
    stays = select(Stay).where(Stay.pair_id == row.id).order_by(col(Stay.since).desc()).limit(10)
    runs = select(Run).where(Run.pair_id == row.id).order_by(col(Run.planned_at).desc()).limit(10)
    plans = select(Plan).where(Plan.service_id == row.service_id, col(Plan.archived_at).is_(None))
    found = session.exec(runs).all()
    context: dict[str, Any] = {
        "pair": row,
        "service": session.get_one(Service, row.service_id),
        "sides": [_described(session, row, side, owed) for side in Side],
        "owed": owed,
        "run_refs": {each.run_id: session.get_one(Run, each.run_id).ref for each in owed},
        "stays": session.exec(stays).all(),
        "runs": found,
        "stay_runs": {each.id: each.ref for each in session.exec(select(Run).where(Run.pair_id == row.id))},
        "holder": _holder(session, row),
        "plans": session.exec(plans.order_by(col(Plan.ref))).all(),
        "may_operate": may(actor, Action.OPERATE_RUN),
        "may_edit": may(actor, Action.EDIT_CATALOG),
    }
    return render(request, "runs/pair.html", section="services", **context)


def _described(session: Session, row: EnvironmentPair, side: Side, owed: list[Obligation]) -> dict[str, Any]:
    environment = session.get_one(Environment, row.primary_id if side is Side.PRIMARY else row.fallback_id)
    return {
        "side": side.value,
        "title": _side(side),
        "name": environment.name,
        "site": session.get_one(Site, environment.site_id).name,
        "home": row.home_side.value == side.value,
        "owed": sum(each.side == side.value for each in owed),
    }


def _holder(session: Session, row: EnvironmentPair) -> Run | None:
    keys = [f"environment:{row.primary_id}", f"environment:{row.fallback_id}"]
    held = select(EnvironmentLock.run_id).where(
        col(EnvironmentLock.key).in_(keys), col(EnvironmentLock.run_id).is_not(None)
    )
    run_id = session.exec(held).first()
    return session.get(Run, run_id) if run_id else None


@router.post("/runs/{key}/debts/{obligation}")
def settle(
    request: Request, session: SessionDep, actor: Operator, key: Key, obligation: Key, fields: SentWithFile
) -> Response:
    """Close what is owed, with a file that shows it; or force it, with a reason."""
    run = service.find(session, key)
    row = obligations.owed_by(session, run, obligation)
    file, files = fields.file("file"), []
    if file is not None and row.step_id is not None:
        files = [operations.keep(session, run, row.step_id, file, request.app.state.evidence, actor=actor).sha256]
    given = {"reason": fields.text("comment"), "forced": fields.text("forced") == "yes", "evidence": files}
    data = forms.read(CompletionIn, given)
    said: dict[str, Any] = {"reason": data.reason, "forced": data.forced, "evidence": data.evidence}
    obligations.complete(session, row.id, actor=actor, now=clock.now(), **said)
    return redirect(f"/runs/{run.ref}")


@router.post("/runs/{key}/reviews/{obligation}")
def review(session: SessionDep, actor: Approver, key: Key, obligation: Key, fields: Sent) -> Response:
    """Say whether it was right to begin without approval."""
    data = forms.read(ActivationReviewIn, {"agreed": fields.text("agreed") == "yes", "reason": fields.text("comment")})
    run = service.find(session, key)
    row = obligations.owed_by(session, run, obligation)
    obligations.review(session, row.id, actor=actor, agreed=data.agreed, reason=data.reason, now=clock.now())
    return redirect(f"/runs/{run.ref}")
