"""The first page, the emergency kits, the API's documentation and the glossary."""

from collections import defaultdict
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse
from sqlmodel import col, select

import app.findings.labels
import app.plans.labels  # noqa: F401 – the words on these pages
from app.access.guard import allowed, public
from app.access.rules import Action, Actor, may
from app.catalog.models import Service
from app.core import clock, openapi
from app.core.db import SessionDep
from app.core.routers import add
from app.core.web import render
from app.drills.models import Drill
from app.plans.facts import Status
from app.reports.audit import pages as audit_pages
from app.reports.glossary import TERMS
from app.reports.kit import pages as kit_pages
from app.reports.overview import overview

router = APIRouter(include_in_schema=False)
add(router, kit_pages.router)
add(router, audit_pages.router)
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
METHODS = ("get", "post", "put", "patch", "delete")


@router.get("/")
def first_page(request: Request, session: SessionDep, actor: Reader, unit: str = "") -> HTMLResponse:
    """Are we safe, what is due, what do I do now."""
    found = overview(session, actor, unit=unit[:200], now=clock.now())
    units = session.exec(select(Service.unit).where(col(Service.archived_at).is_(None)).distinct()).all()
    drills = {row.id: row for row in session.exec(select(Drill)).all()}
    context: dict[str, Any] = {
        "found": found,
        "unit": unit,
        "units": sorted(name for name in units if name),
        "drills": drills,
        "statuses": list(Status),
        "may_drill": may(actor, Action.PLAN_DRILL),
        "may_plan": may(actor, Action.EDIT_PLAN),
        "may_catalog": may(actor, Action.EDIT_CATALOG),
    }
    return render(request, "reports/overview.html", section="overview", **context)


@router.get("/glossary", dependencies=[Depends(public)])
def glossary(request: Request) -> HTMLResponse:
    """The terms in Dutch and English."""
    return render(request, "reports/glossary.html", terms=sorted(TERMS, key=lambda term: term.nl.lower()))


@router.get("/api/v1/docs", dependencies=[Depends(public)])
def api_docs(request: Request) -> HTMLResponse:
    """The OpenAPI document, readable without any script."""
    document = _document(request.app, str(request.base_url).rstrip("/"))
    by_tag: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, item in sorted(document["paths"].items()):
        for method in METHODS:
            if method in item:
                operation = item[method]
                by_tag[(operation.get("tags") or ["other"])[0]].append(_shown(path, method, operation))
    context: dict[str, Any] = {"document": document, "by_tag": dict(sorted(by_tag.items())), "source": openapi.PATH}
    return render(request, "reports/api_docs.html", **context)


@lru_cache(maxsize=4)
def _document(app: FastAPI, address: str) -> dict[str, Any]:
    """The routes do not change while we run, so the document is made once per address."""
    return openapi.document(app, address=address)


def _shown(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """One operation as the page shows it."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    answers = {
        status: _shape(answer.get("content", {}).get("application/json", {}).get("schema", {}))
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    }
    return {
        "id": operation.get("operationId", ""),
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "parameters": [
            (each["name"], each["in"], each.get("required", False), _shape(each.get("schema", {})))
            for each in operation.get("parameters", [])
        ],
        "body": _shape(body),
        "answers": answers,
    }


def _shape(schema: dict[str, Any]) -> str:
    """A schema in a few words: its name, its type, or the values that it accepts."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(filter(None, (_shape(each) for each in schema["anyOf"] if each.get("type") != "null")))
    if schema.get("type") == "array":
        return f"[{_shape(schema.get('items', {}))}]"
    return str(schema.get("format") or schema.get("type") or "")
