"""What follows a run by API: obligations to clean up, and the stay that a switch began."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from sqlmodel import Session, col, select

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.catalog import service as catalog
from app.catalog.models import EnvironmentPair
from app.core import clock
from app.core.db import SessionDep
from app.core.idempotency import OnceDep
from app.core.listing import ListQuery, Page, link_header, paged
from app.core.routers import api_router
from app.runs import obligations, stays
from app.runs.activation_shapes import ActivationReviewIn
from app.runs.aftercare_shapes import (
    CompletionIn,
    HomeLookIn,
    HomeLookOut,
    ObligationOut,
    ObligationQuery,
    StayLookIn,
    StayOut,
)
from app.runs.models import Stay

router = api_router(tag="runs")
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Operator = Annotated[Actor, Depends(allowed(Action.OPERATE_RUN))]
Approver = Annotated[Actor, Depends(allowed(Action.APPROVE_RUN))]
Answerer = Annotated[Actor, Depends(allowed(Action.ANSWER_STEP))]
Key = Annotated[str, Path(max_length=64, description="Id or human reference, such as PAIR-001")]
Id = Annotated[str, Path(max_length=64)]


@router.get("/obligations", operation_id="listObligations")
def listed(
    session: SessionDep,
    _actor: Reader,
    request: Request,
    response: Response,
    query: Annotated[ObligationQuery, Query()],
) -> Page[ObligationOut]:
    """What runs left that must still be done, the most urgent first: cleaned up, caught up, or reviewed."""
    rows, total = obligations.listed(session, query)
    link_header(request, response, query, total)
    items = [ObligationOut.model_validate(row) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.post(
    "/obligations/{id}/completions",
    operation_id="completeObligation",
    status_code=201,
    response_model=ObligationOut,
)
def complete(
    session: SessionDep, actor: Operator, once: OnceDep, response: Response, id: Id, data: CompletionIn
) -> Any:
    """Say that it was done; with `forced`, that it is let be. What is owed to a lost side asks for evidence."""

    def make() -> ObligationOut:
        done = obligations.complete(session, id, actor=actor, now=clock.now(), **data.model_dump())
        return ObligationOut.model_validate(done)

    return once(make, response)


@router.post(
    "/obligations/{id}/reviews", operation_id="reviewActivation", status_code=201, response_model=ObligationOut
)
def review(
    session: SessionDep, actor: Approver, once: OnceDep, response: Response, id: Id, data: ActivationReviewIn
) -> Any:
    """Say whether it was right to begin without approval; a no opens a finding. Never by who had a hand in it."""

    def make() -> ObligationOut:
        done = obligations.review(session, id, actor=actor, now=clock.now(), **data.model_dump())
        return ObligationOut.model_validate(done)

    return once(make, response)


@router.post(
    "/environment-pairs/{key}/home-looks", operation_id="addHomeLook", status_code=201, response_model=HomeLookOut
)
def look_home(
    session: SessionDep, actor: Operator, once: OnceDep, response: Response, key: Key, data: HomeLookIn
) -> Any:
    """Say which side you saw serve, after a restore from a backup put it in doubt."""

    def make() -> HomeLookOut:
        pair = catalog.find(session, EnvironmentPair, key)
        catalog.confirm_home(session, pair, data.side, actor=actor, reason=data.reason, now=clock.now())
        return HomeLookOut(side=pair.home_side, since=pair.home_since, unseen_since=pair.home_unseen_since)

    return once(make, response)


@router.get("/environment-pairs/{key}/stays", operation_id="listStays")
def stays_of(
    session: SessionDep,
    _actor: Reader,
    request: Request,
    response: Response,
    key: Key,
    query: Annotated[ListQuery, Query()],
) -> Page[StayOut]:
    """The stays of production on either side of a pair, the latest first."""
    pair = catalog.find(session, EnvironmentPair, key)
    rows, total = _page(session, pair.id, query)
    link_header(request, response, query, total)
    items = [StayOut.model_validate(row) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


def _page(session: Session, pair_id: str, query: ListQuery) -> tuple[list[Stay], int]:
    wanted, since = select(Stay).where(Stay.pair_id == pair_id), col(Stay.since)
    return paged(session, wanted, query, sortable={"since": since}, searched=[], default="-since", tie=col(Stay.id))


@router.post("/environment-pairs/{key}/stay-looks", operation_id="addStayLook", status_code=201, response_model=StayOut)
def look(session: SessionDep, actor: Answerer, once: OnceDep, response: Response, key: Key, data: StayLookIn) -> Any:
    """A person's own look at the present stay: whether the service works, and the level that was counted."""

    def make() -> StayOut:
        pair = catalog.find(session, EnvironmentPair, key)
        given: dict[str, Any] = {"works": data.works, "level": data.level}
        return StayOut.model_validate(stays.told(session, pair.id, actor=actor, now=clock.now(), **given))

    return once(make, response)
