"""JSON routes of minimum viable organisations."""

from typing import Annotated

from fastapi import Depends, Request, Response
from sqlmodel import Session, col, select

from app.core import clock
from app.core.db import SessionDep
from app.core.edits import IfMatch, require_match, show_etag
from app.core.listing import Page, link_header, paged
from app.core.routers import api_router
from app.plans import organisation
from app.plans.content import MvoContent
from app.plans.facts import VersionState
from app.plans.fit import FitLine
from app.plans.models import Mvo, MvoVersion
from app.plans.mvo_shapes import (
    FitLineOut,
    FitOut,
    MvoApprovalIn,
    MvoIn,
    MvoOut,
    MvoPatch,
    MvoQuery,
    MvoVersionOut,
)
from app.plans.parameters import Approver, Editor, PlanKey, Reader

router = api_router(tag="plans")


def _version_out(row: MvoVersion) -> MvoVersionOut:
    given = row.model_dump(exclude={"content", "mvo_id", "revision"})
    return MvoVersionOut.model_validate({**given, "content": MvoContent.model_validate(row.content)})


def _out(session: Session, mvo: Mvo) -> MvoOut:
    rows = organisation.mvo_versions(session, mvo)
    approved = next((row for row in rows if row.state is VersionState.APPROVED), None)
    return MvoOut.model_validate(
        {
            **mvo.model_dump(),
            "newest": _version_out(rows[0]),
            "approved": _version_out(approved) if approved else None,
        }
    )


@router.get("/mvos", operation_id="listMvos", summary="List minimum viable organisations")
def list_mvos(
    request: Request, response: Response, session: SessionDep, _actor: Reader, query: Annotated[MvoQuery, Depends()]
) -> Page[MvoOut]:
    """Of the organisation, its units and plans."""
    archived = col(Mvo.archived_at).is_not(None) if query.archived else col(Mvo.archived_at).is_(None)
    rows, total = paged(
        session,
        select(Mvo).where(archived),
        query,
        sortable={"ref": col(Mvo.ref), "name": col(Mvo.name), "createdAt": col(Mvo.created_at)},
        searched=[col(Mvo.name), col(Mvo.unit)],
        default="ref",
        tie=col(Mvo.id),
    )
    link_header(request, response, query, total)
    return Page(items=[_out(session, row) for row in rows], total=total, page=query.page, page_size=query.page_size)


@router.post("/mvos", status_code=201, operation_id="addMvo", summary="Make a minimum viable organisation")
def add_mvo(response: Response, session: SessionDep, actor: Editor, given: MvoIn) -> MvoOut:
    """With its first draft."""
    mvo = organisation.add_mvo(session, given, actor=actor, now=clock.now())
    response.headers["Location"] = f"/api/v1/mvos/{mvo.id}"
    return _out(session, mvo)


@router.get("/mvos/{key}", operation_id="getMvo", summary="Read a minimum viable organisation")
def get_mvo(response: Response, session: SessionDep, _actor: Reader, key: PlanKey) -> MvoOut:
    """With its newest and its approved version."""
    mvo = organisation.find_mvo(session, key)
    show_etag(response, mvo)
    return _out(session, mvo)


@router.patch("/mvos/{key}", operation_id="editMvo", summary="Edit a minimum viable organisation")
def edit_mvo(
    response: Response, session: SessionDep, actor: Editor, key: PlanKey, patch: MvoPatch, if_match: IfMatch = None
) -> MvoOut:
    """Its content only while the newest version is a draft."""
    mvo = organisation.find_mvo(session, key)
    require_match(if_match, mvo)
    organisation.edit_mvo(session, mvo, patch.sent(), actor=actor)
    show_etag(response, mvo)
    return _out(session, mvo)


@router.get("/mvos/{key}/versions", operation_id="listMvoVersions", summary="Versions of one")
def list_versions(session: SessionDep, _actor: Reader, key: PlanKey) -> list[MvoVersionOut]:
    """The newest first."""
    return [_version_out(row) for row in organisation.mvo_versions(session, organisation.find_mvo(session, key))]


@router.post("/mvos/{key}/versions", status_code=201, operation_id="draftMvoVersion", summary="Make a new draft")
def draft_version(session: SessionDep, actor: Editor, key: PlanKey) -> MvoVersionOut:
    """From the newest version."""
    mvo = organisation.find_mvo(session, key)
    return _version_out(organisation.new_mvo_draft(session, mvo, actor=actor, now=clock.now()))


@router.post("/mvos/{key}/approvals", operation_id="approveMvo", summary="Record the board's approval")
def approve(session: SessionDep, actor: Approver, key: PlanKey, given: MvoApprovalIn) -> MvoOut:
    """By another person than the author."""
    mvo = organisation.find_mvo(session, key)
    organisation.approve_mvo(session, mvo, given.board_approved_on, actor=actor, now=clock.now())
    return _out(session, mvo)


@router.post("/mvos/{key}/archivals", operation_id="archiveMvo", summary="Archive one")
def archive(session: SessionDep, actor: Editor, key: PlanKey) -> MvoOut:
    """It leaves the lists; what leans on it stays readable."""
    mvo = organisation.find_mvo(session, key)
    return _out(session, organisation.archive_mvo(session, mvo, actor=actor, now=clock.now()))


def _line(line: FitLine) -> FitLineOut:
    return FitLineOut.model_validate(line)


@router.get("/mvos/{key}/fit", operation_id="checkMvoFit", summary="Do the functions fit where they fall back?")
def check_fit(session: SessionDep, _actor: Reader, key: PlanKey, site: str) -> FitOut:
    """Needs of all functions that fall back together, against measured capacity and people."""
    found = organisation.fit_check(session, organisation.find_mvo(session, key), site)
    return FitOut(
        site=found.site,
        verdict=found.verdict,
        facilities=[_line(line) for line in found.facilities],
        people=[_line(line) for line in found.people],
    )
