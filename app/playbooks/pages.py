"""Pages of playbooks: the list, one version with its steps, and its review."""

import difflib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

import app.playbooks.labels  # noqa: F401 – the words of playbooks
from app.access.guard import Reader, allowed
from app.access.models import Person
from app.access.rules import Action, Actor, may
from app.core import clock, forms, labels
from app.core.browser import Fields, form
from app.core.db import SessionDep
from app.core.routers import add
from app.core.web import redirect, render
from app.playbooks import portrait, runner_pages, service, text_pages
from app.playbooks.models import PlaybookVersion, VersionState
from app.playbooks.shapes import PlaybookQuery, ReviewIn

router = APIRouter(include_in_schema=False)
Reviewer = Annotated[Actor, Depends(allowed(Action.REVIEW_PLAYBOOK))]
Sent = Annotated[Fields, Depends(form)]


@router.get("/playbooks")
def playbooks(request: Request, session: SessionDep, actor: Reader) -> HTMLResponse:
    """The playbooks by the filters of the address, each with its newest version."""
    query = forms.query(PlaybookQuery, request)
    rows, total = service.listed(session, query)
    context: dict[str, Any] = {
        "rows": rows,
        "published": _published(session, [row.name for row in rows]),
        "query": query,
        "total": total,
        "states": labels.options(VersionState),
        "may_edit": may(actor, Action.EDIT_PLAYBOOK),
    }
    return render(request, "playbooks/playbooks.html", section="drills", **context)


def _published(session: Session, names: list[str]) -> dict[str, PlaybookVersion]:
    """Of each name the version that can be planned."""
    wanted = select(PlaybookVersion).where(
        col(PlaybookVersion.name).in_(names), PlaybookVersion.state == VersionState.PUBLISHED
    )
    return {row.name: row for row in session.exec(wanted.order_by(col(PlaybookVersion.version))).all()}


add(router, text_pages.router)
"""Before the pages below: ``/playbooks/new`` is no name of a playbook."""


@router.get("/playbooks/{key}")
def playbook(request: Request, session: SessionDep, actor: Reader, key: str) -> HTMLResponse:
    """One version of a playbook: what it does step by step, what it proves, and who stood for it."""
    row = service.get(session, key)
    editions = _editions(session, row)
    before = next((each for each in editions if _can_be_planned(each) and each.version < row.version), None)
    content = service.content(row)
    context: dict[str, Any] = {
        "row": row,
        "content": content,
        "steps": portrait.steps(content, request.app.state.registry),
        "guards": [(each, portrait.parameters(each.with_)) for each in content.guards],
        "editions": editions,
        "people": _people(session, editions),
        "before": before,
        "difference": _difference(before, row) if before and row.state is VersionState.DRAFT else [],
        "wrote": actor.person_id is not None and actor.person_id == row.author_id,
        "may_edit": may(actor, Action.EDIT_PLAYBOOK),
        "may_review": may(actor, Action.REVIEW_PLAYBOOK),
        "may_plan": may(actor, Action.PLAN_DRILL),
    }
    return render(request, "playbooks/playbook.html", section="drills", **context)


def _can_be_planned(row: PlaybookVersion) -> bool:
    return row.state is VersionState.PUBLISHED


def _editions(session: Session, row: PlaybookVersion) -> list[PlaybookVersion]:
    wanted = select(PlaybookVersion).where(PlaybookVersion.name == row.name)
    return list(session.exec(wanted.order_by(col(PlaybookVersion.version).desc())).all())


def _people(session: Session, rows: list[PlaybookVersion]) -> dict[str, str]:
    ids = {each for row in rows for each in (row.author_id, row.reviewer_id) if each}
    return {each.id: each.name for each in session.exec(select(Person).where(col(Person.id).in_(ids))).all()}


def _difference(before: PlaybookVersion, row: PlaybookVersion) -> list[str]:
    """The lines that differ from the version before, as ``diff -u`` shows them."""
    lines = difflib.unified_diff(before.text.splitlines(), row.text.splitlines(), lineterm="", n=2)
    return list(lines)[2:]


@router.get("/playbooks/{key}/text")
def download(session: SessionDep, actor: Reader, key: str) -> Response:
    """The text of a version as a file, byte for byte what its hash was taken of."""
    row = service.get(session, key)
    headers = {"Content-Disposition": f'attachment; filename="{row.name}-{row.version}.yaml"'}
    return PlainTextResponse(row.text, media_type="application/yaml", headers=headers)


@router.post("/playbooks/{key}/reviews")
def review(session: SessionDep, actor: Reviewer, key: str, fields: Sent) -> Response:
    """Publish or reject a draft of somebody else."""
    word = forms.read(ReviewIn, {"verdict": fields.text("verdict"), "note": fields.text("comment")})
    row = service.review(session, key, word, actor, now=clock.now())
    return redirect(f"/playbooks/{row.id}")


add(router, runner_pages.router)
