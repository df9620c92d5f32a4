"""The kits by API: which there are, and one as a ZIP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.core import clock
from app.core.shapes import Moment, Shape
from app.reports.kit.keep import Kept, KitStore

router = APIRouter(prefix="/api/v1/kits", tags=["kits"])
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
ServiceKey = Annotated[str, Path(min_length=1, max_length=64, description="Reference of the service, SVC-004.")]
Language = Annotated[str | None, Query(pattern="^(nl|en)$", description="nl or en; default: the installation's own.")]
ZIP = {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}


class KitOut(Shape):
    """A kit that lies ready."""

    service: str
    name: str
    language: str
    made_at: Moment
    size: Annotated[int, Field(description="Bytes.")]
    digest: str
    without_instruction: Annotated[int, Field(description="Automated steps that nobody wrote down by hand.")]
    no_pdf_because: Annotated[str, Field(description="Empty where the PDF is in it.")]


def kit_out(kept: Kept) -> KitOut:
    """A kept kit as the API shows it."""
    told = kept.manifest
    return KitOut(
        service=told["service"],
        name=told["name"],
        language=told["language"],
        made_at=kept.made_at,
        size=kept.size,
        digest=told["digest"],
        without_instruction=told["withoutInstruction"],
        no_pdf_because=told["noPdfBecause"],
    )


@router.get("")
def list_kits(request: Request, _actor: Reader) -> list[KitOut]:
    """Every kit that lies ready in the data folder; each is made again after a change."""
    return [kit_out(each) for each in KitStore(request.app.state.settings).all_kept()]


@router.get("/{service}", response_class=Response, responses={200: ZIP})
def get_kit(request: Request, _actor: Reader, service: ServiceKey, language: Language = None) -> Response:
    """The kit of a service as it must be now, as a ZIP: made anew where anything in it changed."""
    return as_file(request, service, language)


def as_file(request: Request, service: str, language: str | None) -> Response:
    """The ZIP as a download. Raises NotFound."""
    state = request.app.state
    kept = KitStore(state.settings).fresh(state.database, service, language=language, now=clock.now())
    headers = {"Content-Disposition": f'attachment; filename="emergency-kit-{kept.path.name}"'}
    return Response(kept.path.read_bytes(), media_type="application/zip", headers=headers)
