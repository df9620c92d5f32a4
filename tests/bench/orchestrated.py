"""The shipped switch, carried out by a real engine, worker and runner hosts on a lab pair, while a client writes."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
from ruamel.yaml import YAML

from app.catalog.models import Environment, EnvironmentPair
from app.drills.rules import Attendance
from app.playbooks.rules import Mode
from app.runs import drivers
from runners import registry
from tests.bench.bare_swaps import Steered
from tests.flow.runs_world import build
from tests.lab.conftest import Writer
from tests.lab.pair import LabPair, free_port, lab_pair
from tests.reliability.processes import CHECKOUT, Ground

WAITS = 3.0
"""Seconds between planning and the last approval: people take longer, and the worker makes itself ready meanwhile."""
PLAYBOOK = CHECKOUT / "playbooks" / "switch-sides.yaml"


@dataclass(frozen=True)
class Swapped:
    """What one switch took, in milliseconds."""

    outage: float
    """Largest gap between two acknowledged writes of the client."""
    whole: float
    """From the intent of the first step to the end of the run, as a script begins with its first command; without the
    time in which the service was only watched to stay well."""
    waited: float
    """From the approval to that first intent: another process approved, so the worker's sweep (1 s) found it."""
    rta: float
    steps: tuple[tuple[str, float, float], ...]
    """Each step of the switch: its name, the time since the end of the one before, its own time."""


@contextmanager
def steered_pair() -> Iterator[Steered]:
    """A lab pair whose proxy also listens on a TCP port for its commands."""
    port = free_port()
    with lab_pair() as pair:
        pair.proxy.end()
        config = pair.proxy.folder / "haproxy.cfg"
        line = f"global\n  stats socket ipv4@127.0.0.1:{port} level admin\n"
        config.write_text(config.read_text().replace("global\n", line, 1))
        pair.proxy.socket.unlink(missing_ok=True)
        pair.proxy.start()
        yield Steered(pair, port)


@contextmanager
def desk(pair: LabPair) -> Iterator[str]:
    """A small service on the database behind the proxy, which says by whom it was served; its URL."""
    sides = {pair.primary.port: "primary", pair.fallback.port: "fallback"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                with psycopg.connect(pair.proxy.dsn, autocommit=True, connect_timeout=2) as link:
                    port, writes = link.execute("select inet_server_port(), not pg_is_in_recovery()").fetchone() or ()
            except psycopg.Error:
                port, writes = 0, False
            self.send_response(200 if writes else 503)
            self.send_header("X-Wissel-Side", sides.get(port, "none"))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def ready_to_swap(folder: Path, pair: LabPair, url: str | None = None) -> Iterator[Ground]:
    """A world whose pair is this one, and a worker; `url`: Wissel's own PostgreSQL, else SQLite."""
    folder.mkdir(parents=True)
    world = build(folder)
    drivers.use(registry.load())
    with desk(pair) as service:
        _describe(world, pair, service)
        policy = folder / "policy.yaml"
        policy.write_text(f"http: ['{service.rstrip('/')}']\n")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WISSEL_")}
        environment |= {
            "PYTHONPATH": str(CHECKOUT),
            "WISSEL_DATABASE_URL": url or f"sqlite:///{folder / 'test.db'}",
            "WISSEL_RUNNER_USER": "root",
            "WISSEL_SITE_POLICY": str(policy),
            "WISSEL_SECRET_LAB_PRIMARY": pair.primary.dsn,
            "WISSEL_SECRET_LAB_FALLBACK": pair.fallback.dsn,
        }
        made = Ground(world, folder, environment)
        try:
            made.worker().start()
            yield made
        finally:
            made.end()


def _describe(world: Any, pair: LabPair, service: str) -> None:
    shape = pair.environment
    with world.database.transaction() as session:
        for side in ("primary", "fallback"):
            row = session.get_one(Environment, side)
            row.driver = getattr(shape, side).model_dump(exclude={"site"}, exclude_none=True)
            session.add(row)
        both = session.get_one(EnvironmentPair, "pair")
        both.proxy, both.service_url = shape.proxy.model_dump() if shape.proxy else {}, service
        session.add(both)


def swap(ground: Ground, writer: Writer, *, watch: str | None = None) -> Swapped:
    """One unattended switch over, from its approval on; `watch`: how long the service is watched, else as shipped."""
    text = YAML(typ="safe").load(PLAYBOOK.read_text())
    if watch is not None:
        next(each for each in text["steps"] if each["id"] == "serve")["with"]["stable_for"] = watch
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    world = ground.world
    world.now = datetime.now(UTC)
    more = {"pair_id": "pair", "direction": "over", "inputs": inputs, "attendance": Attendance.UNATTENDED}
    more |= {"on_call_id": "operator"}
    run_id = world.planned(world.drill(text, Mode.LIVE, **more))
    time.sleep(WAITS)
    world.now = datetime.now(UTC)
    world.approve(run_id)
    ground.wait_state(run_id, "completed", 120)
    writer.wait_for(50)
    return measured(ground, run_id, writer)


def measured(ground: Ground, run_id: str, writer: Writer) -> Swapped:
    """What the rows of a run and its client say that the switch took."""
    held = ground.world.held(run_id)
    done = sorted((row for row in held.steps.values() if row.intent_at and row.finished_at), key=_began)
    serve, run = held.steps["serve"], held.run
    watched = _ms(serve.effective_at, serve.finished_at)
    steps = tuple(
        (row.step_id, _ms(before.finished_at, row.intent_at), _ms(row.intent_at, row.finished_at))
        for before, row in pairwise(done)
    )
    first = done[0].intent_at
    whole, waited = _ms(first, run.ended_at) - watched, _ms(run.started_at, first)
    return Swapped(writer.outage_ms(), whole, waited, float(run.rta_ms or 0), steps)


def _began(row: Any) -> datetime:
    return row.intent_at


def _ms(begin: datetime | None, end: datetime | None) -> float:
    assert begin is not None
    assert end is not None
    return (end - begin).total_seconds() * 1000


def writes_quickly(pair: LabPair) -> Writer:
    """A client that writes about 200 rows a second through the proxy."""
    return Writer(pair.proxy.dsn)
