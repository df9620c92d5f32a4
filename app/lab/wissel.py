"""Starts the product itself for the lab: its database, its first administrator, and `wissel serve` on a free port."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from app.core.settings import Settings
from app.lab.processes import Child, ProcessDied, Supervisor
from app.remote import ApiRefused, Remote

FIRST_PORT = 8000
LAST_PORT = 8999
HOST = "127.0.0.1"
START_SECONDS = 120
ATTEMPTS = 5


class WisselFailed(Exception):
    """The product could not be started; the message says why."""


@dataclass(frozen=True)
class Wissel:
    """The running product."""

    address: str
    bearer: str
    """Of the first administrator."""
    process: Child


def free_port(first: int = FIRST_PORT) -> int:
    """The first port from `first` on that nobody listens on. Raises `WisselFailed`."""
    for port in range(first, LAST_PORT + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise WisselFailed(f"no port from {first} to {LAST_PORT} is free")


def database_url(supervisor: Supervisor, folder: Path, *, now: datetime, tell: Callable[[str], None]) -> str:
    """Where the product keeps its data: SQLite in `folder`, else the PostgreSQL that WISSEL_DATABASE_URL names.

    A database that holds an organisation already is left alone: this demonstration then gets a schema of its own,
    which goes when the supervisor stops. Raises `WisselFailed`.
    """
    url = Settings(data_dir=folder).url
    if url.startswith("sqlite"):
        return url
    parsed = make_url(url)
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(plain, autocommit=True, connect_timeout=5) as connection:
            row = connection.execute("SELECT to_regclass('person')").fetchone()
            if row is None or row[0] is None:
                return url
            schema = f"demo_{now:%Y%m%d_%H%M%S}_{os.getpid()}"
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    except psycopg.Error as error:
        raise WisselFailed(f"the database of WISSEL_DATABASE_URL cannot be used: {error}") from error
    tell(f"That database holds an organisation already: this demonstration uses a schema of its own, {schema}")
    supervisor.on_stop(lambda: _drop(plain, schema))
    options = {"options": f"-c search_path={schema}"}
    return parsed.update_query_dict(options).render_as_string(hide_password=False)


def _drop(plain: str, schema: str) -> None:
    with suppress(psycopg.Error), psycopg.connect(plain, autocommit=True, connect_timeout=5) as connection:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def environment(folder: Path, *, url: str, secrets: Path, policy: Path) -> dict[str, str]:
    """Settings of the product for this lab, without its port; what the user set otherwise stays."""
    ours = {
        "DATA_DIR": folder,
        "DATABASE_URL": url,
        "HOST": HOST,
        "SITES": "*",
        "SITE_POLICY": policy,
        "SECRETS_DIR": secrets,
        "TICK_SECONDS": 1,
        "SESSION_HOURS": 24,
        "ORGANISATION": "Gemeente Voorbeeld",
    }
    return {f"WISSEL_{name}": str(value) for name, value in ours.items()}


def start(supervisor: Supervisor, settings: Mapping[str, str]) -> Wissel:
    """Make the first administrator, start `wissel serve` on a free port, sign in. Raises `WisselFailed`."""
    token, port = _bootstrap(settings, supervisor.folder), FIRST_PORT
    for _ in range(ATTEMPTS):
        port = free_port(port)
        entrance = Entrance(f"http://{HOST}:{port}", token)
        own = {"WISSEL_PORT": str(port), "WISSEL_BASE_URL": entrance.address}
        argv = [sys.executable, "-P", "-m", "app", "serve"]
        child = supervisor.start("wissel", argv, environment={**settings, **own}, grace=10)
        try:
            child.wait_until(entrance.opened, START_SECONDS)
        except ProcessDied:
            if not entrance.strange:
                raise
            port += 1
        else:
            return Wissel(entrance.address, entrance.bearer, child)
    raise WisselFailed(f"other programs took each of {ATTEMPTS} free ports before us: start again")


@dataclass
class Entrance:
    """The door of the product: another program may have taken the port that was free a moment ago."""

    address: str
    token: str
    bearer: str = ""
    strange: bool = False
    """Whether somebody else answers there, who does not know our administrator."""

    def opened(self) -> bool:
        """Whether it is ready and let our administrator in."""
        if self.strange or not self._answers():
            return False
        try:
            self.bearer = str(Remote(self.address).post("/sessions", {"signInToken": self.token})["token"])
        except ApiRefused:
            self.strange = True
        return not self.strange

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz", timeout=2, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


def _bootstrap(settings: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "app", "admin", "bootstrap", "--json"],
        env={**os.environ, **settings},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    try:
        return str(json.loads(done.stdout)["token"])
    except (ValueError, KeyError) as error:
        raise WisselFailed(f"the first administrator was not made: {done.stderr.strip() or done.stdout}") from error
