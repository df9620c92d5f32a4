"""The one form to plan a drill or an alternating pair, with a preview of its next moments before it is saved."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

from app.access import reach
from app.access.guard import allowed
from app.access.models import Person
from app.access.rules import Action, Actor
from app.catalog.models import CatalogObject, EnvironmentPair
from app.core import clock, forms, labels
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import FieldError, InvalidInput, Problem
from app.core.i18n import gettext as _
from app.core.i18n import pick
from app.core.web import redirect, render
from app.drills import form_fields, service
from app.drills.claiming import coming
from app.drills.models import Drill
from app.drills.planning import faults_of
from app.drills.rules import Attendance
from app.drills.shapes import AlternationIn, DrillIn
from app.plans.models import Plan
from app.plans.standing import approved_version
from app.playbooks.models import PlaybookVersion, VersionState
from app.playbooks.rules import InputType, Mode, Playbook

router = APIRouter(include_in_schema=False)
Planner = Annotated[Actor, Depends(allowed(Action.PLAN_DRILL))]
Sent = Annotated[Fields, Depends(form)]


@router.get("/drills/new")
def new(
    request: Request, session: SessionDep, actor: Planner, plan: str = "", playbook: str = "", mode: str = ""
) -> HTMLResponse:
    """The empty form, for a plan or playbook where the address names one."""
    values = {**form_fields.DEFAULTS, "planId": plan, "playbook": playbook} | ({"mode": mode} if mode else {})
    return _page(request, session, values)


@router.post("/drills")
def create(request: Request, session: SessionDep, actor: Planner, fields: Sent) -> Response:
    """Save the drill, or show its inputs or its next moments first; the button says which."""
    values = form_fields.flat(fields)
    if fields.text("do") == "look":
        return _page(request, session, values)
    try:
        if fields.text("do") == "preview":
            return _page(request, session, values, moments=_moments(session, values))
        with session.begin_nested():
            row = _planned(request, session, actor, values)
    except InvalidInput as problem:
        return _page(request, session, values, problem)
    return redirect(f"/drills/{row.ref}")


def _planned(request: Request, session: Session, actor: Actor, values: dict[str, Any]) -> Drill:
    """The drill, or the first of the pair, that the form describes."""
    given, now = form_fields.nested(values, _playbook(session, values)), clock.now()
    registry = request.app.state.registry
    if values.get("alternate"):
        data = forms.read(AlternationIn, form_fields.without_sides(given))
        return service.plan_alternation(session, data, actor, registry=registry, now=now)[0]
    return service.plan_drill(session, forms.read(DrillIn, given), actor, registry=registry, now=now)


def _moments(session: Session, values: dict[str, Any]) -> list[Any]:
    """The next five moments of the schedule in the form. Raises InvalidInput where it cannot be read."""
    schedule, windows = form_fields.schedule_and_windows(values)
    if schedule is None:
        return []
    now = clock.now()
    faults = [FieldError(*each) for each in faults_of(schedule, windows, now=now)]
    if faults:
        raise forms.wrong(faults)
    plan = session.exec(select(Plan).where(Plan.ref == values.get("planId", ""))).first()
    return coming(session, schedule, windows, plan.service_id if plan else None, after=now, count=5)


def _versions(session: Session) -> list[PlaybookVersion]:
    """The newest published version of each playbook."""
    wanted = select(PlaybookVersion).where(PlaybookVersion.state == VersionState.PUBLISHED)
    newest: dict[str, PlaybookVersion] = {}
    for row in session.exec(wanted.order_by(col(PlaybookVersion.name), col(PlaybookVersion.version))):
        newest[row.name] = row
    return list(newest.values())


def _playbook(session: Session, values: dict[str, Any]) -> Playbook | None:
    found = [row for row in _versions(session) if row.name == values.get("playbook")]
    return Playbook.model_validate(found[0].content) if found else None


def _page(
    request: Request,
    session: Session,
    values: dict[str, Any],
    problem: Problem | None = None,
    moments: list[Any] | None = None,
) -> HTMLResponse:
    reach.only_look(session)
    versions = _versions(session)
    playbook = _playbook(session, values)
    plans = session.exec(select(Plan).where(col(Plan.archived_at).is_(None)).order_by(col(Plan.ref))).all()
    approved = [row for row in plans if approved_version(session, row.id)]
    people = session.exec(select(Person).where(col(Person.active)).order_by(col(Person.name))).all()
    context: dict[str, Any] = {
        "values": values,
        "errors": form_fields.errors_of(problem),
        "moments": moments,
        "previewed": moments is not None,
        "plans": [("", "–"), *[(row.ref, f"{row.name} ({row.ref})") for row in approved]],
        "playbooks": [("", "–"), *[(row.name, _named(row)) for row in versions]],
        "playbook": playbook,
        "modes": labels.options(Mode, [m for m in (playbook.modes if playbook else Mode) if m is not Mode.TABLETOP]),
        "attendances": labels.options(Attendance),
        "choices": _choices(session, playbook) if playbook else {},
        "swaps": playbook is not None and _swaps(playbook),
        "people": [("", "–"), *[(row.ref, row.name) for row in people]],
        "rows": form_fields.people_rows(values, playbook),
        "days": form_fields.DAYS,
    }
    status = problem.status if problem else 200
    return render(request, "drills/drill_form.html", status=status, section="drills", **context)


def _named(row: PlaybookVersion) -> str:
    return f"{pick(row.content.get('title', row.name))} ({row.name})"


def _swaps(playbook: Playbook) -> bool:
    """Whether it moves a service between two sides, so that it can go over and back in turns."""
    return sum(each.type is InputType.SIDE for each in playbook.inputs.values()) == 2


def _choices(session: Session, playbook: Playbook) -> dict[str, list[tuple[str, str]]]:
    """What a field of the playbook can be chosen from, by input name."""
    objects = [
        (row.ref, f"{row.name} ({row.ref})")
        for row in session.exec(select(CatalogObject).where(col(CatalogObject.archived_at).is_(None)))
        if row.driver
    ]
    pairs = session.exec(select(EnvironmentPair).where(col(EnvironmentPair.archived_at).is_(None))).all()
    kinds: dict[InputType, list[tuple[str, str]]] = {
        InputType.ENVIRONMENT_PAIR: [("", "–"), *[(row.ref, f"{row.name} ({row.ref})") for row in pairs]],
        InputType.SIDE: [("", "–"), ("primary", _("Primary side")), ("fallback", _("Fallback side"))],
        InputType.BACKUP: [("", "–"), *[(ref, name) for ref, name in objects]],
        InputType.DEPOSIT: [("", "–"), *[(ref, name) for ref, name in objects]],
    }
    return {name: kinds[each.type] for name, each in playbook.inputs.items() if each.type in kinds}
