"""Drills, alternating pairs, previews, moments and the blackout calendar, as JSON."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response

from app.access.guard import Reader, allowed
from app.access.rules import Action, Actor
from app.catalog import service as catalog
from app.catalog.models import Service
from app.core import clock
from app.core.db import SessionDep
from app.core.edits import IfMatch, show_etag
from app.core.errors import FieldError
from app.core.idempotency import OnceDep
from app.core.listing import Page, link_header
from app.core.messages import say
from app.core.routers import api_router
from app.drills import calendar, readiness, service
from app.drills.claiming import Judged, coming
from app.drills.models import Drill
from app.drills.moments import Nominal
from app.drills.planning import faults_of
from app.drills.service import DrillInvalid
from app.drills.shapes import (
    AlternationIn,
    AlternationOut,
    Archival,
    BlackoutIn,
    BlackoutOut,
    BlackoutPatch,
    BlackoutQuery,
    ComingOut,
    DrillIn,
    DrillOut,
    DrillPatch,
    DrillQuery,
    LackOut,
    MomentOut,
    MomentQuery,
    PreviewIn,
    PreviewOut,
    ReadinessOut,
    blackout_out,
    drill_out,
    moment_out,
)
from runners.contract import Registry

router = api_router(tag="drills")
Planner = Annotated[Actor, Depends(allowed(Action.PLAN_DRILL))]
Key = Annotated[str, Path(max_length=64, description="Id or reference, such as DRL-001")]


def _registry(request: Request) -> Registry:
    found: Registry = request.app.state.registry
    return found


RegistryDep = Annotated[Registry, Depends(_registry)]


@router.get("/drills", operation_id="listDrills", response_model=Page[DrillOut])
def list_drills(
    session: SessionDep, _actor: Reader, request: Request, response: Response, query: Annotated[DrillQuery, Query()]
) -> Any:
    """A page of drills."""
    rows, total = service.listed(session, query)
    link_header(request, response, query, total)
    items = [drill_out(row) for row in rows]
    return {"items": items, "total": total, "page": query.page, "pageSize": query.page_size}


@router.post("/drills", operation_id="createDrill", status_code=201, response_model=DrillOut)
def create_drill(
    session: SessionDep, actor: Planner, once: OnceDep, response: Response, registry: RegistryDep, data: DrillIn
) -> Any:
    """Plan a drill: once, by a rhythm, or to be started by hand."""

    def make() -> DrillOut:
        row = service.plan_drill(session, data, actor, registry=registry, now=clock.now())
        response.headers["Location"] = f"/api/v1/drills/{row.id}"
        show_etag(response, row)
        return drill_out(row)

    return once(make, response)


@router.post("/alternations", operation_id="createAlternation", status_code=201, response_model=AlternationOut)
def create_alternation(
    session: SessionDep, actor: Planner, once: OnceDep, response: Response, registry: RegistryDep, data: AlternationIn
) -> Any:
    """Plan a regular swap in one request: two drills that take turns, over and back."""

    def make() -> AlternationOut:
        now = clock.now()
        over, back = service.plan_alternation(session, data, actor, registry=registry, now=now)
        response.headers["Location"] = f"/api/v1/drills/{over.id}"
        both = [
            _coming(each, judged, row)
            for row in (over, back)
            for each, judged in service.coming_of(session, row, count=6, now=now)
        ]
        moments = sorted(both, key=lambda each: each.due_at)
        return AlternationOut(over=drill_out(over), back=drill_out(back), moments=moments)

    return once(make, response)


def _coming(each: Nominal, judged: Judged, drill: Drill | None = None) -> ComingOut:
    return ComingOut(
        drill_id=drill.id if drill else None,
        nominal_local=each.key,
        due_at=each.due,
        state=judged.state,
        reason_code=judged.code,
        reason=judged.told(),
    )


@router.post("/drill-previews", operation_id="previewDrill", response_model=PreviewOut)
def preview_drill(session: SessionDep, _actor: Reader, data: PreviewIn) -> Any:
    """The next moments of a schedule, before a drill is planned with it; nothing is stored."""
    now = data.after or clock.now()
    faults = [FieldError(*each) for each in faults_of(data.schedule, data.windows, now=now)]
    if faults:
        raise DrillInvalid(say("This schedule cannot be used, faults: {count}.", count=len(faults)), errors=faults)
    service_id = catalog.find(session, Service, data.service_id).id if data.service_id else None
    found = coming(session, data.schedule, data.windows, service_id, after=now, count=data.next)
    return PreviewOut(items=[_coming(each, judged) for each, judged in found])


@router.get("/drills/{key}", operation_id="getDrill", response_model=DrillOut)
def get_drill(session: SessionDep, _actor: Reader, response: Response, key: Key) -> Any:
    """One drill."""
    row = service.find(session, key)
    show_etag(response, row)
    return drill_out(row)


@router.patch("/drills/{key}", operation_id="editDrill", response_model=DrillOut)
def edit_drill(
    session: SessionDep,
    actor: Planner,
    response: Response,
    registry: RegistryDep,
    key: Key,
    data: DrillPatch,
    if_match: IfMatch = None,
) -> Any:
    """Change a drill; its mode never changes."""
    row = service.edit_drill(session, key, data, actor, registry=registry, now=clock.now(), if_match=if_match)
    show_etag(response, row)
    return drill_out(row)


@router.post("/drills/{key}/archivals", operation_id="archiveDrill", status_code=201, response_model=DrillOut)
def archive_drill(
    session: SessionDep, actor: Planner, response: Response, key: Key, data: Archival | None = None
) -> Any:
    """End a drill; what came of it stays."""
    row = service.archive(session, key, actor, reason=(data or Archival()).reason, now=clock.now())
    show_etag(response, row)
    return drill_out(row)


@router.get("/drills/{key}/moments", operation_id="listDrillMoments", response_model=Page[ComingOut])
def list_drill_moments(
    session: SessionDep,
    _actor: Reader,
    key: Key,
    next_: Annotated[int, Query(alias="next", ge=1, le=100)] = 5,
) -> Any:
    """The next moments of a drill, and whether each would be skipped; those that have come: `/drill-moments`."""
    row = service.find(session, key)
    found = service.coming_of(session, row, count=next_, now=clock.now())
    items = [_coming(each, judged, row) for each, judged in found]
    return {"items": items, "total": len(items), "page": 1, "pageSize": next_}


@router.get("/drills/{key}/readiness", operation_id="getDrillReadiness", response_model=ReadinessOut)
def get_readiness(session: SessionDep, _actor: Reader, registry: RegistryDep, key: Key) -> Any:
    """What is missing before this drill can run; nothing is touched."""
    found = readiness.lacks(session, service.find(session, key), registry=registry, now=clock.now())
    lacks = [LackOut(code=code, field=field, reason=str(reason)) for code, field, reason in found]
    return ReadinessOut(ready=not lacks, lacks=lacks)


@router.get("/drill-moments", operation_id="listMoments", response_model=Page[MomentOut])
def list_moments(
    session: SessionDep, _actor: Reader, request: Request, response: Response, query: Annotated[MomentQuery, Query()]
) -> Any:
    """Moments that have come: planned, skipped or missed, with the reason."""
    rows, total = service.moments_listed(session, query)
    link_header(request, response, query, total)
    items = [moment_out(row) for row in rows]
    return {"items": items, "total": total, "page": query.page, "pageSize": query.page_size}


@router.get("/blackouts", operation_id="listBlackouts", response_model=Page[BlackoutOut])
def list_blackouts(
    session: SessionDep, _actor: Reader, request: Request, response: Response, query: Annotated[BlackoutQuery, Query()]
) -> Any:
    """A page of the blackout calendar."""
    rows, total = calendar.listed(session, query)
    link_header(request, response, query, total)
    items = [blackout_out(row) for row in rows]
    return {"items": items, "total": total, "page": query.page, "pageSize": query.page_size}


@router.post("/blackouts", operation_id="createBlackout", status_code=201, response_model=BlackoutOut)
def create_blackout(session: SessionDep, actor: Planner, once: OnceDep, response: Response, data: BlackoutIn) -> Any:
    """Add a time in which no drill is started."""

    def make() -> BlackoutOut:
        row = calendar.add(session, data, actor, now=clock.now())
        response.headers["Location"] = f"/api/v1/blackouts/{row.id}"
        show_etag(response, row)
        return blackout_out(row)

    return once(make, response)


@router.get("/blackouts/{key}", operation_id="getBlackout", response_model=BlackoutOut)
def get_blackout(session: SessionDep, _actor: Reader, response: Response, key: Key) -> Any:
    """One blackout."""
    row = calendar.find(session, key)
    show_etag(response, row)
    return blackout_out(row)


@router.patch("/blackouts/{key}", operation_id="editBlackout", response_model=BlackoutOut)
def edit_blackout(
    session: SessionDep, actor: Planner, response: Response, key: Key, data: BlackoutPatch, if_match: IfMatch = None
) -> Any:
    """Change a blackout."""
    row = calendar.edit(session, key, data, actor, if_match=if_match)
    show_etag(response, row)
    return blackout_out(row)


@router.post("/blackouts/{key}/archivals", operation_id="archiveBlackout", status_code=201, response_model=BlackoutOut)
def archive_blackout(
    session: SessionDep, actor: Planner, response: Response, key: Key, data: Archival | None = None
) -> Any:
    """Lift a blackout."""
    row = calendar.archive(session, key, actor, reason=(data or Archival()).reason, now=clock.now())
    show_etag(response, row)
    return blackout_out(row)
