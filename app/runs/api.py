"""Runs by API: start a drill now, read runs, approve, see what would be done; the commands stand in operations."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlmodel import Session, col, select

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.core import clock
from app.core.db import SessionDep
from app.core.edits import show_etag
from app.core.errors import not_found
from app.core.evidence import EvidenceStore
from app.core.idempotency import OnceDep
from app.core.listing import ListQuery, Page, link_header
from app.core.routers import add, api_router
from app.drills.claiming import moment_by_hand
from app.drills.service import find as find_drill
from app.runs import activation_api, aftercare, approval, commands, locks, operations, planning, service, shown
from app.runs.models import EvidenceFile, Run, RunEvent
from app.runs.preview import preview
from app.runs.record import Approval, ApprovalVerdict
from app.runs.shapes import (
    ApprovalIn,
    ApprovalOut,
    EventOut,
    LockOut,
    MustReasonIn,
    PreviewOut,
    RunIn,
    RunOut,
    RunQuery,
    RunRow,
)

router = api_router(tag="runs")
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Operator = Annotated[Actor, Depends(allowed(Action.OPERATE_RUN))]
Approver = Annotated[Actor, Depends(allowed(Action.APPROVE_RUN))]
Withdrawer = Annotated[Actor, Depends(allowed(Action.APPROVE_RUN, withdraws=True))]
Key = Annotated[str, Path(max_length=64, description="Id or human reference, such as RUN-001")]
LARGEST_REPLAY = 1000


def _out(session: Session, run: Run, response: Response) -> RunOut:
    session.flush()
    show_etag(response, run)
    return shown.whole(session, run, now=clock.now())


@router.post("/drills/{key}/runs", operation_id="startDrillNow", status_code=201, response_model=RunOut)
def start_now(
    session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, data: RunIn | None = None
) -> Any:
    """Plan a run of this drill now, and start it unless it still needs approval. 409 where the environment is held."""

    def make() -> RunOut:
        now, drill = clock.now(), find_drill(session, key)
        moment = moment_by_hand(session, drill, now=now)
        by_hand = data.by_hand if data else False
        run = planning.plan_run(session, drill, actor=actor, now=now, moment=moment, by_hand=by_hand, person=True)
        if not run.needs_approval or approval.stands(session, run, now=now) is approval.Standing.GRANTED:
            planning.start(session, run.id, actor=actor, now=now)
        response.headers["Location"] = f"/api/v1/runs/{run.id}"
        return _out(session, run, response)

    return once(make, response)


@router.get("/drills/{key}/preview", operation_id="previewDrillCalls")
def preview_drill(
    session: SessionDep, _actor: Reader, key: Key, by_hand: Annotated[bool, Query(alias="byHand")] = False
) -> PreviewOut:
    """Each resolved call that a run of this drill would make now, and the digest that an approver signs."""
    return preview(session, find_drill(session, key), by_hand=by_hand)


@router.get("/drills/{key}/approvals", operation_id="listDrillApprovals")
def drill_approvals(session: SessionDep, _actor: Reader, key: Key) -> list[ApprovalOut]:
    """Approvals of this drill's runs, those given beforehand too."""
    drill = find_drill(session, key)
    rows = session.exec(select(Approval).where(Approval.drill_id == drill.id).order_by(col(Approval.at)))
    return [shown.approval_out(session, row, now=clock.now()) for row in rows]


@router.post("/drills/{key}/approvals", operation_id="approveDrill", status_code=201, response_model=ApprovalOut)
def approve_drill(
    session: SessionDep, actor: Approver, once: OnceDep, response: Response, key: Key, data: ApprovalIn
) -> Any:
    """Approve or deny beforehand: it serves for the drill's next run, if that is exactly what was seen."""

    def make() -> ApprovalOut:
        row = approval.give(
            session,
            find_drill(session, key),
            None,
            actor,
            ApprovalVerdict(data.verdict),
            digest=data.digest,
            comment=data.comment,
            now=clock.now(),
            valid_from=data.valid_from,
            valid_until=data.valid_until,
        )
        return shown.approval_out(session, row, now=clock.now())

    return once(make, response)


@router.get("/runs", operation_id="listRuns")
def runs(
    session: SessionDep, _actor: Reader, request: Request, response: Response, query: Annotated[RunQuery, Query()]
) -> Page[RunRow]:
    """A page of the runs, newest first."""
    items, total = shown.listed(session, query)
    link_header(request, response, query, total)
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.get("/runs/{key}", operation_id="getRun")
def run(session: SessionDep, _actor: Reader, response: Response, key: Key) -> RunOut:
    """One run: its steps, clocks, what is where, and what may be done now."""
    return _out(session, service.find(session, key), response)


@router.get("/runs/{key}/preview", operation_id="previewRun")
def preview_run(session: SessionDep, _actor: Reader, key: Key) -> PreviewOut:
    """Each resolved call of this run as the configuration stands now, for the person who approves it."""
    found = service.find(session, key)
    return preview(session, find_drill(session, found.drill_id), by_hand=found.by_hand)


@router.get("/runs/{key}/approvals", operation_id="listRunApprovals")
def run_approvals(session: SessionDep, _actor: Reader, key: Key) -> list[ApprovalOut]:
    """The approvals that bear on this run."""
    found = service.find(session, key)
    rows = approval.bearing(session, found, lock=False)
    return [shown.approval_out(session, row, now=clock.now(), run=found) for row in rows]


@router.post("/runs/{key}/approvals", operation_id="approveRun", status_code=201, response_model=ApprovalOut)
def approve_run(
    session: SessionDep, actor: Approver, once: OnceDep, response: Response, key: Key, data: ApprovalIn
) -> Any:
    """Approve or deny this run; one deny ends it, the last approval starts it when its moment has come."""

    def make() -> ApprovalOut:
        row = commands.approve(
            session,
            service.find(session, key).id,
            actor=actor,
            verdict=ApprovalVerdict(data.verdict),
            digest=data.digest,
            comment=data.comment,
            valid_from=data.valid_from,
            valid_until=data.valid_until,
            now=clock.now(),
        )
        return shown.approval_out(session, row, now=clock.now())

    return once(make, response)


@router.post("/run-approvals/{id}/revocations", operation_id="revokeApproval", status_code=201)
def revoke(session: SessionDep, actor: Withdrawer, id: Key) -> ApprovalOut:
    """Take back an approval that you gave; a running live run pauses before its next irreversible step."""
    now = clock.now()
    return shown.approval_out(session, approval.revoke(session, id, actor, now=now), now=now)


@router.get("/runs/{key}/events", operation_id="listRunEvents")
def events(session: SessionDep, _actor: Reader, key: Key, after: Annotated[int, Query(ge=0)] = 0) -> list[EventOut]:
    """What happened after the event with this number, oldest first, at most a thousand at a time."""
    found = service.find(session, key)
    wanted = select(RunEvent).where(RunEvent.run_id == found.id, col(RunEvent.id) > after)
    rows = session.exec(wanted.order_by(col(RunEvent.id)).limit(LARGEST_REPLAY))
    return [EventOut.model_validate(row) for row in rows]


@router.get("/runs/{key}/evidence/{sha256}", operation_id="getRunEvidence", response_class=StreamingResponse)
def evidence(session: SessionDep, _actor: Reader, request: Request, key: Key, sha256: Key) -> StreamingResponse:
    """A file that shows what was seen, as a download."""
    found = service.find(session, key)
    wanted = select(EvidenceFile).where(EvidenceFile.run_id == found.id, EvidenceFile.sha256 == sha256)
    row = session.exec(wanted).first()
    store: EvidenceStore = request.app.state.evidence
    if row is None or not store.path(row.sha256).is_file():
        raise not_found("evidence file", sha256)
    headers = {
        "Content-Disposition": f'attachment; filename="{row.sha256[:16]}"',
        "Content-Length": str(row.size),
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(store.read(row.sha256), media_type="application/octet-stream", headers=headers)


@router.get("/environment-locks", operation_id="listEnvironmentLocks")
def environment_locks(
    session: SessionDep, _actor: Reader, request: Request, response: Response, query: Annotated[ListQuery, Query()]
) -> Page[LockOut]:
    """The locks of environments, the longest held ones first."""
    rows, total = locks.listed(session, query)
    link_header(request, response, query, total)
    items = [LockOut.model_validate(row) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.post("/environment-locks/{key}/releases", operation_id="releaseEnvironmentLock", status_code=201)
def release(
    session: SessionDep, actor: Operator, key: Annotated[str, Path(max_length=120)], data: MustReasonIn
) -> LockOut:
    """Free an environment whose run is over but left something standing."""
    row = commands.release_lock(session, key, actor=actor, reason=data.reason, now=clock.now())
    return LockOut.model_validate(row)


add(router, operations.router)
add(router, aftercare.router)
add(router, activation_api.router)
