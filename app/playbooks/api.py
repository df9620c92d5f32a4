"""Playbooks, their versions and reviews, checks without storing, and the catalogue of runners, as JSON."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response

from app.access.guard import Reader, allowed
from app.access.rules import Action, Actor
from app.core import clock
from app.core.db import SessionDep
from app.core.errors import not_found
from app.core.idempotency import OnceDep
from app.core.listing import Page, link_header
from app.core.routers import api_router
from app.playbooks import service
from app.playbooks.loader import PlaybookInvalid, load
from app.playbooks.shapes import (
    CheckOut,
    PlaybookIn,
    PlaybookOut,
    PlaybookQuery,
    PlaybookTextOut,
    RefusalOut,
    ReviewIn,
    RunnerOut,
    RunnersOut,
    playbook_out,
    runner_out,
)
from runners.contract import Registry

router = api_router(tag="playbooks")
Editor = Annotated[Actor, Depends(allowed(Action.EDIT_PLAYBOOK))]
Reviewer = Annotated[Actor, Depends(allowed(Action.REVIEW_PLAYBOOK))]
Key = Annotated[str, Path(max_length=80, description="Id of a version, or a name: then the newest published one")]
Filters = Annotated[PlaybookQuery, Query()]


def _registry(request: Request) -> Registry:
    found: Registry = request.app.state.registry
    return found


RegistryDep = Annotated[Registry, Depends(_registry)]


@router.get("/playbooks", operation_id="listPlaybooks", response_model=Page[PlaybookOut])
def list_playbooks(session: SessionDep, _actor: Reader, request: Request, response: Response, query: Filters) -> Any:
    """A page of playbooks, of each name the newest version."""
    rows, total = service.listed(session, query)
    link_header(request, response, query, total)
    return {"items": rows, "total": total, "page": query.page, "pageSize": query.page_size}


@router.post("/playbooks", operation_id="createPlaybook", status_code=201, response_model=PlaybookTextOut)
def create_playbook(
    session: SessionDep, actor: Editor, once: OnceDep, response: Response, registry: RegistryDep, data: PlaybookIn
) -> Any:
    """Send a playbook's text: a new draft version, to be reviewed by another person."""

    def make() -> PlaybookTextOut:
        row = service.submit(session, data.text, actor, registry=registry, now=clock.now())
        response.headers["Location"] = f"/api/v1/playbooks/{row.id}"
        return playbook_out(row)

    return once(make, response)


@router.get("/playbooks/{key}", operation_id="getPlaybook", response_model=PlaybookTextOut)
def get_playbook(session: SessionDep, _actor: Reader, key: Key) -> Any:
    """One version with its text."""
    return playbook_out(service.get(session, key))


@router.get("/playbooks/{key}/versions", operation_id="listPlaybookVersions", response_model=Page[PlaybookOut])
def list_versions(
    session: SessionDep, _actor: Reader, request: Request, response: Response, key: Key, query: Filters
) -> Any:
    """All versions of the playbook, the newest first."""
    rows, total = service.versions(session, key, query)
    link_header(request, response, query, total)
    return {"items": rows, "total": total, "page": query.page, "pageSize": query.page_size}


@router.post("/playbooks/{key}/reviews", operation_id="reviewPlaybook", status_code=201, response_model=PlaybookTextOut)
def review_playbook(session: SessionDep, actor: Reviewer, key: Key, data: ReviewIn) -> Any:
    """Publish or reject a draft version of somebody else."""
    return playbook_out(service.review(session, key, data, actor, now=clock.now()))


@router.post("/playbook-checks", operation_id="checkPlaybook", response_model=CheckOut)
def check_playbook(_actor: Reader, registry: RegistryDep, data: PlaybookIn) -> Any:
    """Check a playbook's text without storing it; the answer names everything that is wrong."""
    try:
        playbook = load(data.text, registry=registry, source="text")
    except PlaybookInvalid as error:
        refusals = [RefusalOut.model_validate(each.as_json()) for each in error.refusals]
        return CheckOut(valid=False, name=None, refusals=refusals)
    return CheckOut(valid=True, name=playbook.name, refusals=[])


@router.get("/runners", operation_id="listRunners", response_model=RunnersOut)
def list_runners(_actor: Reader, registry: RegistryDep) -> Any:
    """The catalogue of installed runners."""
    items = [runner_out(registry[name]) for name in sorted(registry)]
    return RunnersOut(items=items, total=len(items))


@router.get("/runners/{name}", operation_id="getRunner", response_model=RunnerOut)
def get_runner(_actor: Reader, registry: RegistryDep, name: Annotated[str, Path(max_length=80)]) -> Any:
    """One runner: what it proves, what it cannot see, and its parameters."""
    if name not in registry:
        raise not_found("runner", name)
    return runner_out(registry[name])
