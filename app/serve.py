"""Starts the long-running processes: the web service with its clock and worker, or a worker alone."""

import os
import signal
import threading
from typing import Any

import uvicorn

import app.playbooks.service
from app import site_secrets
from app.core import listening, logs, memory, migrations
from app.core.audit import chain
from app.core.backup import loading
from app.core.db import Database
from app.core.settings import Settings
from app.core.space import Space
from app.main import create_app
from app.worker import Worker
from runners import registry
from runners.contract import Registry

GRACE_SECONDS = 3
"""An open event stream would keep uvicorn from stopping; pages reconnect by themselves."""


class RootRefused(RuntimeError):
    """Root ignores the limits that are put on runners, so the service does not run as root."""


def prepare(settings: Settings) -> tuple[Database, Registry]:
    """Log, migrate, and publish the playbooks that ship; harmless when repeated."""
    if os.geteuid() == 0:
        raise RootRefused("Wissel does not run as root: start it as an ordinary user (see the README, Production)")
    memory.be_frugal()
    logs.configure(settings.log_level)
    logs.mask_with(site_secrets.of(settings).masks.mask)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    loading.refuse_half(settings.data_dir)
    Space(settings.data_dir.absolute(), settings.reserve_mib).look()  # before the database is opened: that needs room
    database = Database(settings.url)
    migrations.upgrade(database)
    runners = registry.load()
    with database.transaction() as session:
        chain.take_in(session)
    with database.transaction() as session:
        app.playbooks.service.load_shipped(session, registry=runners)
    return database, runners


def web(settings: Settings, *, work: bool = True) -> None:
    """Serve until SIGTERM or SIGINT."""
    database, runners = prepare(settings)
    made = create_app(settings, database=database, runners=runners, work=work)
    memory.give_back()
    uvicorn.run(made, **options(settings))


def options(settings: Settings) -> dict[str, Any]:
    """How uvicorn listens for this installation."""
    return {
        "host": settings.host,
        "port": settings.port,
        "http": listening.protocol(secure=settings.secure),
        "ws": "none",
        "h11_max_incomplete_event_size": listening.HEAD_BYTES,
        "log_level": "warning",
        "log_config": None,  # its lines go through our own, which are masked
        "server_header": False,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies or None,
        "timeout_graceful_shutdown": GRACE_SECONDS,
    }


def worker(settings: Settings) -> None:
    """Run the steps of this process's sites until SIGTERM or SIGINT."""
    database, runners = prepare(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    running = Worker(settings, database, runners)
    running.start()
    memory.give_back()
    stop.wait()
    running.stop()
    database.dispose()
