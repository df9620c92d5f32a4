"""Whether the process lives, whether it can do its work, and figures for Prometheus."""

from collections.abc import Callable
from datetime import timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core import clock, migrations
from app.core.audit import outside
from app.core.db import Database
from app.core.i18n import LANGUAGES
from app.core.settings import Settings

router = APIRouter(include_in_schema=False)
CONTACT_GOOD_FOR = timedelta(days=180)
"""RFC 9116 asks for less than a year; the file is made anew at each request."""


def open_to_all(function: Callable[..., Response]) -> Callable[..., Response]:
    """Mark an endpoint that everybody may call."""
    function.action = None  # type: ignore[attr-defined]
    return function


@router.get("/healthz")
@open_to_all
def alive() -> Response:
    """The process answers."""
    return PlainTextResponse("ok")


@router.get("/readyz")
@open_to_all
def ready(request: Request) -> Response:
    """200 when the database answers, and the clock and worker of this process live; else 503 with what is wrong."""
    database: Database = request.app.state.database
    wrong = {"database": _database_trouble(database), "space": database.space.trouble() if database.space else None}
    worker = request.app.state.worker
    if worker is not None:
        wrong |= worker.trouble()
    found = {name: trouble or "ok" for name, trouble in wrong.items()}
    if wrong["database"] is None:
        with database.transaction(write=False) as session:
            # Told, and no reason to stop: who breaks the log must not be able to switch off the fallback with it.
            found["audit"] = outside.trouble(session) or "ok"
    return JSONResponse(found, 503 if any(wrong.values()) else 200)


def _database_trouble(database: Database) -> str | None:
    try:
        current = migrations.is_current(database)
    except (DBAPIError, PoolTimeout) as error:
        return f"the database does not answer: {str(error).splitlines()[0]}"
    return None if current else "its schema is not that of this program: start `wissel serve` of the newest version"


@router.get("/metrics")
@open_to_all
def metrics() -> Response:
    """Figures in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/.well-known/security.txt")
@open_to_all
def security_contact(request: Request) -> Response:
    """Where to report a weakness (RFC 9116)."""
    settings: Settings = request.app.state.settings
    until = (clock.now() + CONTACT_GOOD_FOR).strftime("%Y-%m-%dT00:00:00Z")
    languages = sorted(LANGUAGES, key=lambda each: each != settings.language)
    lines = [f"Contact: {each}" for each in settings.security_contacts]
    lines += [f"Expires: {until}", f"Preferred-Languages: {', '.join(languages)}"]
    if settings.base_url:
        lines.append(f"Canonical: {settings.base_url.rstrip('/')}/.well-known/security.txt")
    if settings.security_policy:
        lines.append(f"Policy: {settings.security_policy}")
    return PlainTextResponse("\n".join(lines) + "\n")
