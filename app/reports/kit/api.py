"""The emergency kits by API: how ready that of each service is, and one as a ZIP."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import Field
from sqlmodel import col, select
from starlette.responses import Response

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.catalog.models import Service
from app.core import clock
from app.core.db import SessionDep
from app.core.listing import ListQuery, Page, link_header, paged
from app.core.routers import api_router
from app.core.shapes import Moment, Shape
from app.reports.kit.keep import KitStore

router = api_router("/kits", tag="kits")
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
ServiceKey = Annotated[str, Path(min_length=1, max_length=64, description="Reference of the service: SVC-004.")]
Language = Annotated[str | None, Query(pattern="^(nl|en)$", description="nl or en; default: the installation's own.")]
ZIP = {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
SORTABLE = {"service": col(Service.ref), "name": col(Service.name)}


class KitOut(Shape):
    """The kit of a service as it lies ready; without `madeAt` none does yet."""

    service: str
    name: str
    made_at: Moment | None = None
    size: Annotated[int | None, Field(description="Bytes.")] = None
    digest: str | None = None
    without_instruction: Annotated[
        int | None, Field(description="Automated steps for which nobody wrote how to do them by hand.")
    ] = None
    no_pdf_because: Annotated[str | None, Field(description="Empty where the PDF is in it.")] = None


def kit_out(service: Service, store: KitStore) -> KitOut:
    """The kit of a service as the API shows it."""
    kept = store.kept(service.ref)
    if kept is None:
        return KitOut(service=service.ref, name=service.name)
    return KitOut(
        service=service.ref,
        name=service.name,
        made_at=kept.made_at,
        size=kept.size,
        digest=kept.manifest["digest"],
        without_instruction=kept.manifest["withoutInstruction"],
        no_pdf_because=kept.manifest["noPdfBecause"],
    )


@router.get("", operation_id="listKits", summary="List emergency kits")
def list_kits(
    request: Request, response: Response, session: SessionDep, _actor: Reader, query: Annotated[ListQuery, Depends()]
) -> Page[KitOut]:
    """Each service with the kit that lies ready for it in the data folder."""
    wanted = select(Service).where(col(Service.archived_at).is_(None))
    searched = [col(Service.ref), col(Service.name)]
    rows, total = paged(
        session, wanted, query, sortable=SORTABLE, searched=searched, default="service", tie=col(Service.id)
    )
    link_header(request, response, query, total)
    store = KitStore(request.app.state.settings)
    items = [kit_out(row, store) for row in rows]
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)


@router.get(
    "/{service}", operation_id="getKit", summary="Get an emergency kit", response_class=Response, responses={200: ZIP}
)
def get_kit(request: Request, _actor: Reader, service: ServiceKey, language: Language = None) -> Response:
    """The kit of a service as it must be now, as a ZIP: made anew where anything in it changed."""
    return as_file(request, service, language)


def as_file(request: Request, service: str, language: str | None) -> Response:
    """The ZIP as a download. Raises NotFound."""
    state = request.app.state
    reader: Actor = request.state.actor
    name, content = KitStore(state.settings).for_reader(
        state.database, service, reader, language=language, now=clock.now()
    )
    headers = {"Content-Disposition": f'attachment; filename="emergency-kit-{name}"'}
    return Response(content, media_type="application/zip", headers=headers)
