"""Pages on which people bring in the text of a playbook: typed, pasted, from a file, or begun from another one."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.core import clock
from app.core.browser import Fields, form_with_file
from app.core.db import SessionDep
from app.core.errors import FieldError, Problem
from app.core.messages import say
from app.core.web import redirect, render
from app.playbooks import service
from app.playbooks.loader import load
from app.playbooks.models import PlaybookVersion, VersionState
from app.playbooks.refusals import PlaybookInvalid
from app.playbooks.rules import Playbook

router = APIRouter(include_in_schema=False)
Editor = Annotated[Actor, Depends(allowed(Action.EDIT_PLAYBOOK))]
Sent = Annotated[Fields, Depends(form_with_file)]
LONGEST = 300_000
"""Characters that are read of what is sent; the loader itself refuses less and says so."""


@router.get("/playbooks/new")
def new_playbook(request: Request, session: SessionDep, actor: Editor, copy: str = "", of: str = "") -> HTMLResponse:
    """The form of a text: empty, with a copy of a playbook, or with the text of which it is the next version."""
    if of:
        row = service.get(session, of)
        return _page(request, session, row.text, of=row.name)
    return _page(request, session, _copied(service.get(session, copy)) if copy else "")


def _copied(row: PlaybookVersion) -> str:
    """The text of a version under a name of its own."""
    return re.sub(rf"(?m)^playbook:\s*[\"']?{re.escape(row.name)}\b", f"playbook: {row.name}-copy", row.text, count=1)


def _page(
    request: Request,
    session: Session,
    text: str,
    *,
    of: str = "",
    problem: Problem | None = None,
    checked: Playbook | None = None,
) -> HTMLResponse:
    lines = text.split("\n")
    refusals = problem.refusals if isinstance(problem, PlaybookInvalid) else ()
    context: dict[str, Any] = {
        "text": text,
        "of": of,
        "checked": checked,
        "refused": problem,
        "refusals": [(each, lines[each.line - 1] if 0 < each.line <= len(lines) else "") for each in refusals],
        "examples": _examples(session),
    }
    status = problem.status if problem else 200
    return render(request, "playbooks/text_form.html", status=status, section="drills", **context)


def _examples(session: Session) -> list[PlaybookVersion]:
    """Of each published playbook the newest version, to begin from."""
    wanted = select(PlaybookVersion).where(PlaybookVersion.state == VersionState.PUBLISHED)
    rows = session.exec(wanted.order_by(col(PlaybookVersion.version))).all()
    return sorted({row.name: row for row in rows}.values(), key=lambda row: row.name)


@router.post("/playbooks")
def bring_in(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Check the text, or keep it as a draft that another person reviews; a refusal keeps what was typed."""
    of, registry = fields.text("of"), request.app.state.registry
    text = ""
    try:
        text = _text(fields)
        if fields.text("do") == "check":
            checked = load(text, registry=registry, source=_source(fields))
            return _page(request, session, text, of=of, checked=checked)
        with session.begin_nested():
            row = service.submit(session, text, actor, registry=registry, now=clock.now())
    except (PlaybookInvalid, service.SameText) as problem:
        return _page(request, session, text, of=of, problem=problem)
    except NotReadable as problem:
        return _page(request, session, fields.raw("text"), of=of, problem=problem)
    return redirect(f"/playbooks/{row.id}")


class NotReadable(Problem):
    """The file that was chosen is no text in UTF-8, or far too long."""

    code = "playbook-not-readable"
    title = "The file cannot be read"


def _source(fields: Fields) -> str:
    file = fields.file("file")
    return file.filename or "text" if file else "text"


def _text(fields: Fields) -> str:
    """The file's text where one was chosen, else what was typed; browsers send line ends as CR LF."""
    file = fields.file("file")
    if file is None:
        typed = fields.raw("text").replace("\r\n", "\n")
        return f"{typed.rstrip()}\n" if typed.strip() else ""
    content = file.file.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise _not_readable(say("The file is too large for a playbook."))
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise _not_readable(say("Save the file as UTF-8.")) from error


def _not_readable(reason: Any) -> NotReadable:
    return NotReadable(reason, errors=[FieldError("file", "not-readable", reason)])
