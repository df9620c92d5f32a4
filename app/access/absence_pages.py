"""Pages of one's own absence and messages, and of the outbox for the administrator."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

from app.access import absence, message_api
from app.access.guard import allowed
from app.access.message_shapes import AbsenceIn, OutboxQuery
from app.access.models import Person
from app.access.rules import Action, Actor, may
from app.access.service import as_they_may_now
from app.core import clock, forms, labels, outbox
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import Conflict, InvalidInput, Problem, not_found
from app.core.i18n import gettext as _
from app.core.messages import say
from app.core.outbox import Sending
from app.core.settings import Settings
from app.core.web import field_errors, redirect, render

router = APIRouter(include_in_schema=False)
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]
Administrator = Annotated[Actor, Depends(allowed(Action.ADMINISTER))]
Sent = Annotated[Fields, Depends(form)]
Key = Annotated[str, Path(max_length=64)]
labels.add(
    Sending,
    {
        Sending.WAITING: say("waits to be sent"),
        Sending.TAKEN: say("being sent"),
        Sending.SENT: say("sent"),
        Sending.DEAD: say("could not be delivered"),
        Sending.KEPT: say("in Wissel only"),
    },
)


@router.get("/account/absence")
def own_absence(request: Request, session: SessionDep, actor: Anybody) -> HTMLResponse:
    """When the reader is away, who stands in, and for whom the reader stands in."""
    return _absence_page(request, session, actor, {})


@router.post("/account/absence")
def tell_absence(request: Request, session: SessionDep, actor: Anybody, fields: Sent) -> Response:
    """Say when the reader is away."""
    try:
        with session.begin_nested():
            data = forms.read(AbsenceIn, fields.filled())
            given = {"starts_on": data.starts_on, "ends_on": data.ends_on}
            absence.name(session, actor, **given, deputy=data.deputy, now=clock.now())
    except (InvalidInput, Conflict) as problem:
        return _absence_page(request, session, actor, dict(fields), problem)
    return redirect("/account/absence")


def _absence_page(
    request: Request, session: Session, actor: Actor, values: dict[str, Any], problem: Problem | None = None
) -> HTMLResponse:
    now, me = clock.now(), actor.person_id or ""
    people = session.exec(select(Person).where(col(Person.active)).order_by(col(Person.name))).all()
    names = {row.id: row.name for row in people}
    able = [row for row in people if row.id != me and may(as_they_may_now(session, row, now=now), Action.APPROVE_RUN)]
    context: dict[str, Any] = {
        "absences": absence.of(session, me, now=now),
        "names": names,
        "stands_in_for": sorted(names[each] for each in absence.stood_in_for(session, me, now=now) if each in names),
        "deputies": [("", _("Nobody"))] + [(row.ref, f"{row.name} ({row.ref})") for row in able],
        "values": forms.Typed(values),
        "errors": forms.Typed(field_errors(problem) if problem else {}),
        "problem": problem,
    }
    return render(request, "access/absence.html", status=problem.status if problem else 200, **context)


@router.post("/person-absences/{id}/withdrawals")
def withdraw(session: SessionDep, actor: Anybody, id: Key, fields: Sent) -> RedirectResponse:
    """Take an own absence back."""
    absence.withdraw(session, id, actor, now=clock.now())
    return redirect("/account/absence")


@router.get("/account/messages")
def own_messages(request: Request, session: SessionDep, actor: Anybody) -> HTMLResponse:
    """What the reader was told."""
    rows = outbox.for_person(session, actor.person_id or "", now=clock.now(), unseen=False)
    settings: Settings = request.app.state.settings
    return render(request, "access/messages.html", messages=rows, mailed=settings.smtp_host is not None)


@router.post("/outbox-messages/{id}/readings")
def read(session: SessionDep, actor: Anybody, id: Key, fields: Sent) -> RedirectResponse:
    """Note that the reader read it, and go where it leads."""
    row = outbox.see(session, id, actor.person_id or "", now=clock.now())
    if row is None:
        raise not_found("message", id)
    return redirect(row.href if fields.text("open") and row.href else "/account/messages")


@router.get("/outbox")
def whole(request: Request, session: SessionDep, _actor: Administrator) -> HTMLResponse:
    """How far each message is on its way, and what Wissel is set up to send."""
    query = forms.query(OutboxQuery, request)
    rows, total = message_api.page_of(session, query)
    settings: Settings = request.app.state.settings
    people = {row.id: row.name for row in session.exec(select(Person)).all()}
    states = [(each.value, labels.label(each)) for each in Sending]
    shown: dict[str, Any] = {"rows": rows, "total": total, "query": query, "people": people, "states": states}
    return render(request, "access/outbox.html", **shown, smtp=settings.smtp_host, webhook=settings.webhook_url)


@router.post("/outbox-messages/{id}/retries")
def retry(session: SessionDep, actor: Administrator, id: Key, fields: Sent) -> RedirectResponse:
    """Try a message again that could not be delivered."""
    message_api.sent_again(session, id, actor)
    return redirect("/outbox")
