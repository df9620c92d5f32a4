"""The audit log by API: events, signatures, its head, and the whole of it as a file."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response
from sqlmodel import col, select

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.core.audit import AuditCheckpoint
from app.core.db import SessionDep
from app.core.listing import ListQuery, Page, link_header, paged
from app.core.routers import api_router
from app.reports.audit import export, log
from app.reports.audit.shapes import AuditEventOut, AuditHeadOut, AuditQuery, CheckpointOut

router = api_router(tag="audit")
Auditor = Annotated[Actor, Depends(allowed(Action.READ_AUDIT))]
LINES = {"content": {export.KIND: {"schema": {"type": "string", "format": "binary"}}}}
PROGRAM = {"content": {"text/x-python": {"schema": {"type": "string"}}}}
NUMBER = {"number": col(AuditCheckpoint.number)}


@router.get("/audit-events", operation_id="listAuditEvents", summary="Search the audit log")
def list_events(
    request: Request, response: Response, session: SessionDep, actor: Auditor, query: Annotated[AuditQuery, Query()]
) -> Page[AuditEventOut]:
    """Who did what, to what, with which result, from where, when; of what the asking person may see."""
    items, total = log.listed(session, query, actor)
    link_header(request, response, query, total)
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.get("/audit-checkpoints", operation_id="listAuditCheckpoints", summary="List signatures of the audit log")
def list_checkpoints(
    request: Request, response: Response, session: SessionDep, actor: Auditor, query: Annotated[ListQuery, Query()]
) -> Page[CheckpointOut]:
    """The signatures of the chain's end, the newest first."""
    rows, total = paged(
        session, select(AuditCheckpoint), query, sortable=NUMBER, default="-number", tie=col(AuditCheckpoint.number)
    )
    link_header(request, response, query, total)
    stamped = log.stamps(session, [row.number for row in rows])
    items = [log.checkpoint_out(row, stamped) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.get("/audit-head", operation_id="getAuditHead", summary="The head of the audit log")
def get_head(session: SessionDep, actor: Auditor) -> AuditHeadOut:
    """The end of the log, to be kept elsewhere; and what the last verification found."""
    return log.head(session)


@router.get(
    "/audit-log",
    operation_id="exportAuditLog",
    summary="Export the audit log",
    response_class=Response,
    responses={200: LINES},
)
def export_log(request: Request, actor: Auditor) -> Response:
    """Every event, signature and public key as JSON lines, for `wissel verify-audit --export` or the verifier alone."""
    return export.whole_log(request, actor)


@router.get(
    "/audit-verifier",
    operation_id="getAuditVerifier",
    summary="The program that verifies an exported log",
    response_class=Response,
    responses={200: PROGRAM},
)
def get_verifier(actor: Auditor) -> Response:
    """One file for Python 3.11, which needs nothing else."""
    headers = {"Content-Disposition": 'attachment; filename="verify_audit.py"'}
    return Response(export.verifier(), media_type="text/x-python", headers=headers)
