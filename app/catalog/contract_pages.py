"""Pages of contracts and of the continuity measures that they hold."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select
from starlette.responses import Response

from app.access.rules import Action, may
from app.catalog import crud, form_pages, lists, resources
from app.catalog.form_pages import Editor, Reader, Sent
from app.catalog.models import Contract, Measure
from app.catalog.rules import ContractKind
from app.core import clock, forms, labels
from app.core.db import SessionDep
from app.core.web import render

router = APIRouter(include_in_schema=False)


@router.get("/contracts")
def contracts(request: Request, session: SessionDep, actor: Reader) -> HTMLResponse:
    """The contracts, with when each ends."""
    query = forms.query(resources.CONTRACT.shape_query, request)
    rows, total = lists.listed(session, resources.CONTRACT, query)
    context: dict[str, Any] = {
        "rows": lists.shown(session, resources.CONTRACT, rows),
        "query": query,
        "total": total,
        "contract_kinds": labels.options(ContractKind),
        "today": clock.now().date(),
        "may_edit": may(actor, Action.EDIT_CATALOG),
    }
    return render(request, "catalog/contracts.html", section="services", **context)


@router.get("/contracts/new")
def new_contract(
    request: Request, session: SessionDep, actor: Editor, service: str = "", supplier: str = ""
) -> HTMLResponse:
    """The form of a new contract, for the service or supplier from whose page it was asked."""
    values = {"services": [service] if service else [], "supplier": supplier}
    return form_pages.show(request, session, resources.CONTRACT, values)


@router.post("/contracts")
def create_contract(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make a contract."""
    return form_pages.create(request, session, actor, resources.CONTRACT, fields, "services")


@router.get("/contracts/{key}")
def contract(request: Request, session: SessionDep, actor: Reader, key: str) -> HTMLResponse:
    """One contract, and which measures it holds for when the supplier falls away."""
    row = crud.find(session, resources.CONTRACT, key)
    context: dict[str, Any] = {
        "contract": lists.shown(session, resources.CONTRACT, [row])[0],
        "measures": _measures(session, row),
        "today": clock.now().date(),
        "may_edit": may(actor, Action.EDIT_CATALOG),
    }
    return render(request, "catalog/contract.html", section="services", **context)


def _measures(session: Session, row: Contract) -> list[Any]:
    wanted = select(Measure).where(Measure.contract_id == row.id, col(Measure.archived_at).is_(None))
    rows = session.exec(wanted.order_by(col(Measure.kind))).all()
    return list(lists.shown(session, resources.MEASURE, rows))


@router.get("/contracts/{key}/edit")
def edit_contract_page(request: Request, session: SessionDep, actor: Editor, key: str) -> HTMLResponse:
    """The form of a contract."""
    return form_pages.edit_page(request, session, resources.CONTRACT, key)


@router.post("/contracts/{key}/edit")
def edit_contract(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change a contract."""
    return form_pages.edit(request, session, actor, resources.CONTRACT, key, fields, "services")


@router.get("/measures/new")
def new_measure(request: Request, session: SessionDep, actor: Editor, contract: str = "") -> HTMLResponse:
    """The form of a new measure of a contract."""
    return form_pages.show(request, session, resources.MEASURE, {"contract": contract})


@router.post("/measures")
def create_measure(request: Request, session: SessionDep, actor: Editor, fields: Sent) -> Response:
    """Make a measure."""
    return form_pages.create(request, session, actor, resources.MEASURE, fields, "triggers")


@router.get("/measures/{key}/edit")
def edit_measure_page(request: Request, session: SessionDep, actor: Editor, key: str) -> HTMLResponse:
    """The form of a measure."""
    return form_pages.edit_page(request, session, resources.MEASURE, key)


@router.post("/measures/{key}/edit")
def edit_measure(request: Request, session: SessionDep, actor: Editor, key: str, fields: Sent) -> Response:
    """Change a measure; how sure we are of it follows from tests only."""
    return form_pages.edit(request, session, actor, resources.MEASURE, key, fields, "triggers")
