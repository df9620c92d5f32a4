"""Puts the web application together: routers, error handlers, lifespan; nothing else."""

from asyncio import create_task, to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts

import app.access.absence_pages
import app.access.api
import app.access.erasure_api
import app.access.message_api
import app.access.pages
import app.access.token_api
import app.catalog.api
import app.catalog.pages
import app.drills.api
import app.drills.pages
import app.findings.api
import app.findings.pages
import app.plans.api
import app.plans.pages
import app.playbooks.api
import app.playbooks.pages
import app.reports.audit.api
import app.reports.kit.api
import app.reports.pages
import app.runs.api
import app.runs.pages
from app.access import providers, reach
from app.access.identity import Identity
from app.access.witness import Witness
from app.core import health, openapi, web
from app.core.browser import Browser
from app.core.db import Database
from app.core.evidence import EvidenceStore
from app.core.limits import Limits
from app.core.memory import give_back_often
from app.core.problems import Handlers
from app.core.routers import add
from app.core.settings import Settings
from app.core.wire import Wire
from app.runs import drivers
from app.worker import Worker
from runners import registry
from runners.contract import Registry

ROUTERS = (
    app.access.api.router,
    app.access.erasure_api.router,
    app.access.token_api.router,
    app.access.message_api.router,
    app.catalog.api.router,
    app.findings.api.router,
    app.playbooks.api.router,
    app.plans.api.router,
    app.drills.api.router,
    app.runs.api.router,
    app.reports.audit.api.router,
    app.reports.kit.api.router,
    app.access.pages.router,
    app.access.absence_pages.router,
    app.catalog.pages.router,
    app.findings.pages.router,
    app.playbooks.pages.router,
    app.plans.pages.router,
    app.drills.pages.router,
    app.runs.pages.router,
    app.reports.pages.router,
)


class UndeclaredRoute(RuntimeError):
    """A route does not say which permission it needs; the service does not start with it."""


def create_app(
    settings: Settings, *, database: Database | None = None, runners: Registry | None = None, work: bool = False
) -> FastAPI:
    """The web application; with `work` it also runs the clock and a worker, as ``wissel serve`` does."""
    made = FastAPI(title="Wissel", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    made.router.redirect_slashes = False
    made.state.settings = settings
    made.state.database = database or Database(settings.url)
    made.state.evidence = EvidenceStore(settings.evidence_dir)
    made.state.registry = runners if runners is not None else registry.load()
    drivers.use(made.state.registry)
    made.state.limits = Limits()
    providers.load(settings)  # a file that cannot be read stops the start
    made.state.worker = Worker(settings, made.state.database, made.state.registry) if work else None
    for router in (*ROUTERS, health.router, web.router):
        add(made.router, router)
    made.mount("/static", web.Files(directory=web.STATIC), name="static")
    _publish_openapi(made)
    Handlers(made, web.problem_page).install()
    made.add_middleware(Browser, secure=settings.secure)
    made.add_middleware(Witness, database=made.state.database)
    made.add_middleware(Identity, database=made.state.database, settings=settings)
    made.add_middleware(Wire, settings=settings)
    refuse_undeclared(made)
    return made


@asynccontextmanager
async def _lifespan(made: FastAPI) -> AsyncIterator[None]:
    worker: Worker | None = made.state.worker
    made.state.database.look_after(made.state.settings)
    if worker is not None:
        # Off the event loop: the engine waits for its database while it starts and stops.
        await to_thread(worker.start)
    frugal = create_task(give_back_often())
    try:
        yield
    finally:
        frugal.cancel()
        if worker is not None:
            await to_thread(worker.stop)
        made.state.database.dispose()


def _publish_openapi(made: FastAPI) -> None:
    settings: Settings = made.state.settings
    address = settings.base_url or f"http://{settings.host}:{settings.port}"
    published: dict[str, Any] = {}

    def show() -> JSONResponse:
        if not published:
            published.update(openapi.document(made, address=address))
        return JSONResponse(published, headers={"Access-Control-Allow-Origin": "*"})

    show.action = None  # type: ignore[attr-defined]
    made.add_api_route(openapi.PATH, show, include_in_schema=False, methods=["GET"])


def refuse_undeclared(made: FastAPI) -> None:
    """Deny by default: raise `UndeclaredRoute` for any API or page route without a declared permission.

    And for one whose address names something of which it cannot be told to whom it belongs.
    """
    for route in iter_route_contexts(made.routes):
        endpoint, dependant = route.endpoint, getattr(route, "dependant", None)
        if dependant is None or hasattr(endpoint, "action"):
            continue
        if not _declares(dependant):
            raise UndeclaredRoute(f"{sorted(route.methods or [])} {route.path} declares no permission")
        named = reach.named_by(route.path or "")
        if named is not None and not reach.is_known(named[0]):
            raise UndeclaredRoute(f"{route.path}: nobody knows whose a thing of '{named[0]}' is; tell app.access.reach")


def _declares(dependant: Any) -> bool:
    return hasattr(dependant.call, "action") or any(_declares(each) for each in dependant.dependencies)
