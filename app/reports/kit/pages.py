"""The page of the emergency kits, and each kit as a download."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlmodel import col, select
from starlette.responses import Response

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.catalog.models import Service
from app.core import i18n
from app.core.db import SessionDep
from app.core.web import render
from app.reports.kit.api import as_file
from app.reports.kit.keep import KitStore

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(allowed(Action.READ))]


@router.get("/kits")
def kits(request: Request, session: SessionDep, _actor: Reader) -> HTMLResponse:
    """Which kits lie ready, which cannot be used as they are, and how to get one."""
    services = session.exec(select(Service).where(col(Service.archived_at).is_(None)).order_by(col(Service.name))).all()
    store = KitStore(request.app.state.settings)
    rows = [(service, store.kept(service.ref)) for service in services]
    return render(request, "reports/kits.html", section="services", rows=rows, folder=store.folder)


@router.get("/kits/{service}")
def kit(request: Request, _actor: Reader, service: str) -> Response:
    """One kit, in the reader's language."""
    return as_file(request, service, i18n.language())
