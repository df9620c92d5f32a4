"""The catalogue by API: the same routes for each kind, and what can be read from it as a whole."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field
from sqlmodel import col, select

from app.catalog import crud, insight, resources
from app.catalog.insight import Dimension
from app.catalog.models import CatalogChange, CatalogRow
from app.catalog.routes import Reader, RowKey, register
from app.catalog.rules import Missing, SideRole
from app.catalog.service import home_history
from app.catalog.shapes import Key, Reference
from app.core import clock
from app.core.db import SessionDep
from app.core.listing import ListQuery, Page, link_header, paged
from app.core.routers import api_router
from app.core.shapes import Moment, Shape

router = api_router(tag="catalog")
for _resource in resources.ALL:
    register(router, _resource)


class DependenciesOut(Shape):
    """The services around one service."""

    depends_on: list[Reference]
    indirectly: list[Reference]
    needed_by: list[Reference]
    indirectly_needed_by: list[Reference]


class ObjectCompleteness(Shape):
    """What one object lacks."""

    object: Reference
    missing: list[Missing]


class CompletenessOut(Shape):
    """How complete what a service needs is; ``share`` is null where no object is entered."""

    needed: int
    complete: int
    share: float | None
    objects: list[ObjectCompleteness]


class ShareOut(Shape):
    """How much hangs on one party, country or site."""

    key: str
    name: str
    services: list[Reference]
    critical_services: int
    share: float


class ConcentrationOut(Shape):
    """Concentration over one dimension, the largest first; ``hhi`` runs from 0 to 10 000."""

    by: Dimension
    hhi: int
    shares: list[ShareOut]


class HomeSideOut(Shape):
    """A home side that a pair had, from a moment on."""

    side: SideRole
    at: Moment
    run_id: str | None


class ChangeOut(Shape):
    """A change of a field on the closed list of substantive ones."""

    at: Moment
    actor: str
    kind: str
    row_id: str
    row_ref: str
    fields: list[str]
    substantive: bool
    reason: str


class ChangeQuery(ListQuery):
    """Which changes."""

    kind: Annotated[str, Field(pattern="^[a-z_]{1,40}$")] | None = None
    row_id: Key | None = None
    substantive: bool | None = None


def _short(row: CatalogRow) -> Reference:
    return Reference(id=row.id, ref=row.ref, name=row.name)


@router.get("/services/{key}/dependencies", operation_id="getServiceDependencies")
def dependencies(session: SessionDep, _actor: Reader, key: RowKey) -> DependenciesOut:
    """What the service leans on and what leans on it."""
    found = insight.dependencies(session, crud.find(session, resources.SERVICE, key))
    return DependenciesOut(
        depends_on=[_short(each) for each in found.depends_on],
        indirectly=[_short(each) for each in found.indirectly],
        needed_by=[_short(each) for each in found.needed_by],
        indirectly_needed_by=[_short(each) for each in found.indirectly_needed_by],
    )


@router.get("/services/{key}/completeness", operation_id="getServiceCompleteness")
def completeness(session: SessionDep, _actor: Reader, key: RowKey) -> CompletenessOut:
    """Which needed objects have an owner, a location, a way in, are not expired and were verified this year."""
    service = crud.find(session, resources.SERVICE, key)
    found = insight.completeness(session, service, today=clock.now().date())
    objects = [ObjectCompleteness(object=_short(row), missing=list(lacks)) for row, lacks in found.lacking]
    return CompletenessOut(needed=found.needed, complete=found.complete, share=found.share, objects=objects)


@router.get("/concentrations", operation_id="getConcentration")
def concentration(
    session: SessionDep, _actor: Reader, by: Annotated[Dimension, Query()] = Dimension.SUPPLIER
) -> ConcentrationOut:
    """How far the services hang on the same supplier, ultimate parent, country or site."""
    found, names = insight.concentration(session, by)
    services = insight.live_services(session)
    shares = [
        ShareOut(
            key=share.key,
            name=names.get(share.key, share.key),
            services=[_short(services[id]) for id in sorted(share.services, key=lambda id: services[id].ref)],
            critical_services=len(share.critical),
            share=share.share,
        )
        for share in found.shares
    ]
    return ConcentrationOut(by=by, hhi=found.hhi, shares=shares)


@router.get("/environment-pairs/{key}/home-sides", operation_id="listHomeSides")
def home_sides(session: SessionDep, _actor: Reader, key: RowKey) -> list[HomeSideOut]:
    """Each side that was home, the oldest first."""
    pair = crud.find(session, resources.PAIR, key)
    return [HomeSideOut.model_validate(row) for row in home_history(session, pair.id)]


@router.get("/catalog-changes", operation_id="listCatalogChanges")
def changes(
    session: SessionDep, _actor: Reader, request: Request, response: Response, query: Annotated[ChangeQuery, Query()]
) -> Page[ChangeOut]:
    """Changes of listed fields, those declared not substantive included, with the reason."""
    conditions = [getattr(CatalogChange, name) == value for name, value in query.filters().items()]
    sortable = {"at": col(CatalogChange.at), "kind": col(CatalogChange.kind), "rowRef": col(CatalogChange.row_ref)}
    searched = [col(CatalogChange.row_ref), col(CatalogChange.actor), col(CatalogChange.reason)]
    statement = select(CatalogChange).where(*conditions)
    tie = col(CatalogChange.id)
    rows, total = paged(session, statement, query, sortable=sortable, searched=searched, default="-at", tie=tie)
    link_header(request, response, query, total)
    items = [ChangeOut.model_validate(row) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)
