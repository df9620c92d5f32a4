"""Pages of machine tokens: make one, see it once, look after all, end them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

from app.access import clients, parts, tokens
from app.access.guard import allowed
from app.access.models import Person
from app.access.rules import PEOPLE_ONLY, Action, Actor, may
from app.access.token_api import TokenQuery, listed
from app.access.token_models import MachineClientIn, MachineTokenIn
from app.core import clock, forms, labels
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.errors import FieldError, Problem
from app.core.i18n import pick
from app.core.settings import Settings
from app.core.web import redirect, render

router = APIRouter(include_in_schema=False)
Anybody = Annotated[Actor, Depends(allowed(Action.USE_OWN_SESSION))]
FORM = Annotated[Fields, Depends(form)]


def _page(request: Request, session: Session, actor: Actor, *, status: int = 200, **more: Any) -> HTMLResponse:
    query, now = forms.query(TokenQuery, request), clock.now()
    rows, total = listed(session, query, actor)
    shown = tokens.shown(session, rows, now=now)
    wanted = select(Person.id, Person.name).where(col(Person.id).in_({row.created_by for row in rows}))
    told = {"made": None, "values": {}, "errors": {}} | more
    told |= {name: forms.Typed(told[name] or {}) for name in ("values", "errors")}
    settings: Settings = request.app.state.settings
    mine = [each for each in Action if each not in PEOPLE_ONLY and each is not Action.READ and may(actor, each)]
    context: dict[str, Any] = {
        "rows": shown,
        "names": dict(session.exec(wanted).all()),
        "soon": tokens.ending_soon(session, actor, now=now),
        "actions": labels.options(Action, mine),
        "units": parts.units_of(session, actor),
        "all_of_them": tokens.may_end(actor),
        "issuer": settings.machine_issuer,
    }
    return render(
        request, "access/machine_tokens.html", status=status, query=query, total=total, actor=actor, **context, **told
    )


@router.get("/machine-tokens")
def machine_tokens(request: Request, session: SessionDep, actor: Anybody) -> HTMLResponse:
    """Your own tokens; everybody's for an administrator."""
    return _page(request, session, actor)


@router.post("/machine-tokens")
def add_token(request: Request, session: SessionDep, actor: Anybody, fields: FORM) -> Response:
    """Make a token, and show it this once; or register a client, which has no secret of ours."""
    values: dict[str, Any] = {
        **fields.filled(),
        "actions": fields.every("actions") or [Action.READ.value],
        "units": fields.every("units"),
        "services": [each.strip() for each in fields.text("services").split(",") if each.strip()],
    }
    now, made = clock.now(), None
    try:
        if values.get("clientId"):
            client = forms.read(MachineClientIn, values)
            clients.register(session, client, request.app.state.settings, actor=actor, now=now)
        else:
            values.pop("subject", None)
            row, secret = tokens.make(session, forms.read(MachineTokenIn, values), actor=actor, now=now)
            made = {"name": row.name, "secret": secret, "expires": row.expires_at}
    except Problem as problem:
        values["services"] = fields.text("services")
        return _page(request, session, actor, status=problem.status, values=values, errors=_by_field(problem))
    return _page(request, session, actor, made=made) if made else redirect("/machine-tokens")


def _by_field(problem: Problem) -> dict[str, str]:
    """The reasons by field of the form; of several in one list the first. What concerns no field stands at the name."""
    found: dict[str, str] = {}
    for error in problem.errors or (FieldError("name", problem.code, problem.detail),):
        found.setdefault(error.field.split(".")[0], pick(error.reason))
    return found


@router.post("/machine-tokens/{key}/revocations")
def revoke_token(session: SessionDep, actor: Anybody, key: str, fields: FORM) -> Response:
    """End a token or client at once."""
    tokens.revoke(session, tokens.find(session, key, actor=actor), actor=actor, now=clock.now())
    return redirect("/machine-tokens")
