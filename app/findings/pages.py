"""Pages of findings: the list with its matrix, and one finding with what can be done about it."""

from datetime import UTC, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

import app.findings.labels  # noqa: F401 – the words of findings
from app.access import reach
from app.access.guard import allowed
from app.access.models import Person
from app.access.rules import Action, Actor, may
from app.catalog.models import Service
from app.core import clock, forms, labels, sheets
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import FieldError, InvalidInput
from app.core.formats import ZONE
from app.core.messages import say
from app.core.web import field_errors, redirect, render
from app.findings import acceptance, lists, matrix, service, work
from app.findings.models import Finding, FindingTransition
from app.findings.rules import Cause, Control, Impact, Operation, Severity, Source, State
from app.findings.shapes import (
    AcceptanceIn,
    ActionIn,
    DecisionIn,
    FindingEdit,
    FindingIn,
    FindingOut,
    FindingQuery,
    RejectionIn,
)

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Editor = Annotated[Actor, Depends(allowed(Action.EDIT_FINDING))]
Accepter = Annotated[Actor, Depends(allowed(Action.ACCEPT_RISK))]
Sent = Annotated[Fields, Depends(form)]
BY_A_BUTTON = (Operation.START_ACTION, Operation.REQUEST_RETEST, Operation.RETURN_TO_ACTION)
WITH_A_REASON = (Operation.REOPEN, Operation.END_ACCEPTANCE)


@router.get("/findings")
def findings(request: Request, session: SessionDep, actor: Reader) -> Response:
    """The findings, with the open ones on the matrix."""
    query = sheets.query(FindingQuery, request)
    rows, total = lists.listed(session, query)
    if sheets.asked(request):
        return sheets.sheet(session, "findings", FindingOut, lists.shown(session, rows))
    standing = matrix.open_findings(session)
    context: dict[str, Any] = {
        "rows": lists.shown(session, rows),
        "query": query,
        "total": total,
        "matrix": matrix.drawn(standing),
        "unplaced": sum(row.impact_now is None or row.control_now is None for row in standing),
        "standing": len(standing),
        "states": labels.options(State),
        "severities": labels.options(Severity),
        "causes": labels.options(Cause),
        "today": clock.now().date(),
        "may_edit": may(actor, Action.EDIT_FINDING),
    }
    return render(request, "findings/findings.html", section="findings", **context)


def _choices(session: Session) -> dict[str, Any]:
    people = session.exec(select(Person).where(col(Person.active)).order_by(col(Person.name))).all()
    services = session.exec(select(Service).where(col(Service.archived_at).is_(None)).order_by(col(Service.name))).all()
    return {
        "people": [("", "–"), *[(row.ref, row.name) for row in people]],
        "services": [("", "–"), *[(row.ref, row.name) for row in services]],
        "sources": labels.options(Source, [Source.EXERCISE, Source.AUDIT, Source.INCIDENT]),
        "severities": labels.options(Severity),
        "causes": [("", "–"), *labels.options(Cause)],
        "impacts": [("", "–"), *labels.options(Impact)],
        "controls": [("", "–"), *labels.options(Control)],
    }


def _new(
    request: Request, session: Session, values: dict[str, Any], problem: InvalidInput | None = None
) -> HTMLResponse:
    reach.only_look(session)
    errors = field_errors(problem) if problem else {}
    status = problem.status if problem else 200
    shown = {"values": forms.Typed(values), "errors": forms.Typed(errors), **_choices(session)}
    return render(request, "findings/finding_form.html", status=status, section="findings", **shown)


@router.get("/findings/new")
def new_finding(request: Request, session: SessionDep, actor: Editor, service: str = "") -> HTMLResponse:
    """The form of a finding that a person saw."""
    return _new(request, session, {"service": service})


@router.post("/findings")
def enter_finding(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Enter a finding; where one language is left empty, the other stands in for it."""
    values: dict[str, Any] = fields.filled()
    told = values.pop("title", "")
    try:
        data = forms.read(FindingIn, values | {"title": {"nl": told, "en": told}})
        row = work.enter(session, data, now=clock.now(), actor=actor)
    except InvalidInput as problem:
        return _new(request, session, fields.filled(), problem)
    return redirect(f"/findings/{row.ref}")


def _page(
    request: Request,
    session: Session,
    actor: Actor,
    row: Finding,
    problem: InvalidInput | None = None,
    values: dict[str, Any] | None = None,
) -> HTMLResponse:
    reach.only_look(session)
    shown = lists.shown(session, [row])[0]
    legal = [each.operation for each in shown.next_actions]
    steps = select(FindingTransition).where(FindingTransition.finding_id == row.id)
    context = {
        "finding": shown,
        "by_button": [each for each in BY_A_BUTTON if each in legal],
        "with_reason": [each for each in WITH_A_REASON if each in legal],
        "legal": legal,
        "actions": lists.shown_actions(session, work.actions(session, row)),
        "acceptances": list(reversed(lists.shown_acceptances(session, acceptance.of(session, row)))),
        "steps": session.exec(steps.order_by(col(FindingTransition.id).desc())).all(),
        "may_edit": may(actor, Action.EDIT_FINDING),
        "may_accept": may(actor, Action.ACCEPT_RISK),
        "me": actor.person_id,
        "today": clock.now().date(),
        "values": forms.Typed(values or {}),
        "errors": forms.Typed(field_errors(problem) if problem else {}),
        **_choices(session),
    }
    return render(
        request, "findings/finding.html", status=problem.status if problem else 200, section="findings", **context
    )


@router.get("/findings/{key}")
def finding(request: Request, session: SessionDep, actor: Reader, key: str) -> HTMLResponse:
    """One finding: what is wrong, where it stands, and what can be done now."""
    return _page(request, session, actor, service.find(session, key))


@router.post("/findings/{key}/edit")
def edit_finding(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Cause, owner, due day and places on the two axes; an empty field takes back what was said."""
    row = service.find(session, key, lock=True)
    values = {name: text or None for name, text in fields.items()}
    try:
        sent = forms.read(FindingEdit, values).model_dump(exclude_unset=True)
        work.change(session, row, sent, actor=actor)
    except InvalidInput as problem:
        return _page(request, session, actor, row, problem, values=values)
    return redirect(f"/findings/{row.ref}")


@router.post("/findings/{key}/transitions")
def move(session: SessionDep, actor: Editor, key: str, fields: Sent) -> RedirectResponse:
    """Carry out one of the operations that a person with this role may ask for."""
    row, now = service.find(session, key, lock=True), clock.now()
    asked, reason = fields.text("operation"), fields.text("comment")
    operation = next((each for each in (*BY_A_BUTTON, *WITH_A_REASON) if each == asked), None)
    if operation is None or (operation in WITH_A_REASON and not reason):
        sentence = say("Say why.") if operation else say("Choose one of the values.")
        raise InvalidInput(sentence, errors=[FieldError("comment" if operation else "operation", "required", sentence)])
    if operation not in service.legal_operations(session, row):
        raise service.not_now(session, row, operation)
    if operation is Operation.END_ACCEPTANCE:
        acceptance.end(session, row, now=now, actor=actor, reason=reason)
    else:
        service.move(session, row, operation, now=now, actor=actor, reason=reason)
    return redirect(f"/findings/{row.ref}")


@router.post("/findings/{key}/rejections")
def reject(session: SessionDep, actor: Accepter, key: str, fields: Sent) -> RedirectResponse:
    """Say that this is no finding, and why."""
    data = forms.read(RejectionIn, {"reason": fields.text("comment")})
    row = service.find(session, key, lock=True)
    service.move(session, row, Operation.REJECT, now=clock.now(), actor=actor, reason=data.reason)
    return redirect(f"/findings/{row.ref}")


@router.post("/findings/{key}/actions")
def add_action(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Agree on an action."""
    row = service.find(session, key, lock=True)
    try:
        work.add_action(session, row, forms.read(ActionIn, fields.filled()), now=clock.now(), actor=actor)
    except InvalidInput as problem:
        return _page(request, session, actor, row, problem, values=fields.filled())
    return redirect(f"/findings/{row.ref}#actions")


@router.post("/findings/{key}/actions/{action_id}/completions")
def complete_action(session: SessionDep, actor: Editor, key: str, action_id: str, fields: Sent) -> RedirectResponse:
    """Finish an action; only a passing retest verifies the finding itself."""
    row = service.find(session, key, lock=True)
    work.complete_action(session, work.find_action(session, row, action_id), "", now=clock.now(), actor=actor)
    return redirect(f"/findings/{row.ref}#actions")


def _until(text: str) -> str:
    """The end of a day here, for people name a day and the rules ask a moment."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 – only the day is read
    except ValueError:
        return text
    return datetime.combine(day, time(12), tzinfo=ZONE).astimezone(UTC).isoformat()


@router.post("/findings/{key}/acceptances")
def request_acceptance(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Ask that the risk be accepted by another person."""
    row = service.find(session, key, lock=True)
    values = fields.filled()
    try:
        data = forms.read(AcceptanceIn, values | {"until": _until(fields.text("until"))})
        wanted = acceptance.Request(
            data.what_can_happen, data.impact, data.control, data.until, conditions=data.conditions
        )
        acceptance.request(session, row, wanted, now=clock.now(), actor=actor)
    except InvalidInput as problem:
        return _page(request, session, actor, row, problem, values=values)
    return redirect(f"/findings/{row.ref}#acceptances")


@router.post("/findings/{key}/acceptances/{acceptance_id}/decisions")
def decide(session: SessionDep, actor: Accepter, key: str, acceptance_id: str, fields: Sent) -> RedirectResponse:
    """Accept the risk, or refuse to; never by the person who asked."""
    values = {"accepted": fields.text("choice") == "accept", "mandate": fields.text("mandate")}
    data = forms.read(DecisionIn, values | {"reason": fields.text("reason")})
    row = service.find(session, key, lock=True)
    acceptance.decide(
        session,
        row,
        acceptance_id,
        accept=data.accepted,
        mandate=data.mandate,
        reason=data.reason,
        now=clock.now(),
        actor=actor,
    )
    return redirect(f"/findings/{row.ref}#acceptances")
