"""The lab's two sites: PostgreSQL primary and streaming standby, a permit desk at each, HAProxy before them."""

import http.client
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.lab.haproxy import BACKEND, ProxyServer
from app.lab.postgres import MAX_SOCKET_PATH, PostgresServer, binaries
from app.lab.processes import Supervisor, free_ports
from runners.contract import EnvironmentPair, Node, Proxy, Side, SitePolicy

SITES = {Side.PRIMARY: "noord", Side.FALLBACK: "zuid"}
"""Names of the two sites; a worker of that site runs the steps that name its node."""


def slot(side: Side) -> str:
    """Name of the replication slot that the node of `side` uses on the other one when it is the standby."""
    return f"wissel_{SITES[side]}"


def secret(side: Side) -> str:
    """Name under which the connection string of `side` lies in the secrets folder."""
    return f"{side}-dsn"


@dataclass
class Servers:
    """Everything of the lab that a drill switches; made by `Servers.start`, stopped by its supervisor."""

    folder: Path
    databases: dict[Side, PostgresServer]
    desks: dict[Side, int]
    """Port of the desk on each side."""
    proxy: ProxyServer

    @classmethod
    def start(cls, supervisor: Supervisor) -> Self:
        """Make both sites in the supervisor's folder and start them; returns when clients are served."""
        lab = cls._plan(supervisor)
        lab._start_databases(supervisor)
        lab._write_secrets()
        for side in Side:
            lab._start_desk(supervisor, side)
        child = supervisor.start("haproxy", lab.proxy.argv(), grace=1)
        child.wait_until(lab.proxy.up)
        return lab

    @classmethod
    def _plan(cls, supervisor: Supervisor) -> Self:
        folder = supervisor.folder
        sockets = _socket_folder(supervisor)
        first, second, left, right, front = free_ports(5)
        return cls(
            folder=folder,
            databases={
                Side.PRIMARY: PostgresServer(folder / "site-noord", first, sockets),
                Side.FALLBACK: PostgresServer(folder / "site-zuid", second, sockets),
            },
            desks={Side.PRIMARY: left, Side.FALLBACK: right},
            proxy=ProxyServer(folder / "proxy", sockets / "haproxy.sock", front, left, right),
        )

    def _start_databases(self, supervisor: Supervisor) -> None:
        primary, standby = self.databases[Side.PRIMARY], self.databases[Side.FALLBACK]
        # Stopped by their pid files: a drill may have started them anew meanwhile.
        supervisor.on_stop(primary.stop)
        supervisor.on_stop(standby.stop)
        primary.create()
        primary.start()
        primary.fill()
        primary.create_slot(slot(Side.FALLBACK))
        standby.clone(primary, slot(Side.FALLBACK))
        standby.start()
        standby.create_slot(slot(Side.PRIMARY))
        primary.wait_for_standby()

    def _write_secrets(self) -> None:
        self.secrets.mkdir(mode=0o700)
        for side, database in self.databases.items():
            file = self.secrets / secret(side)
            file.touch(mode=0o600)
            file.write_text(database.dsn() + "\n")

    def _start_desk(self, supervisor: Supervisor, side: Side) -> None:
        port = self.desks[side]
        argv = [sys.executable, "-m", "app.lab.service", "--port", str(port), "--side", str(side)]
        argv += ["--dsn-file", str(self.secrets / secret(side))]
        child = supervisor.start(f"desk-{SITES[side]}", argv, cwd=Path(__file__).resolve().parents[2], grace=1)
        child.wait_until(lambda: health(f"http://127.0.0.1:{port}") is not None)

    @property
    def secrets(self) -> Path:
        """Folder for WISSEL_SECRETS_DIR."""
        return self.folder / "secrets"

    def pair(self) -> EnvironmentPair:
        """The environment pair as the drivers take it."""
        return EnvironmentPair(
            name="permits",
            primary=self._node(Side.PRIMARY),
            fallback=self._node(Side.FALLBACK),
            service=f"{self.proxy.url}/health",
            proxy=Proxy(socket=str(self.proxy.socket), backend=BACKEND, primary="primary", fallback="fallback"),
        )

    def _node(self, side: Side) -> Node:
        return Node(
            site=SITES[side],
            dsn=f"secret://{secret(side)}",
            data_directory=str(self.databases[side].data_directory),
            binaries=str(binaries()),
            health=f"http://127.0.0.1:{self.desks[side]}/health",
            slot=slot(side),
        )

    def write_policy(self, *origins: str) -> Path:
        """Write the sites' allow-list with the desks, the proxy and `origins`; the file for WISSEL_SITE_POLICY."""
        ports = [*self.desks.values(), self.proxy.port]
        policy = SitePolicy(
            http=(*(f"http://127.0.0.1:{port}" for port in ports), *origins),
            tcp=tuple(f"127.0.0.1:{port}" for port in [*ports, *(one.port for one in self.databases.values())]),
        )
        file = self.folder / "site-policy.yaml"
        # JSON is YAML too, and needs no writer of our own.
        file.write_text(json.dumps(policy.model_dump(mode="json"), indent=2) + "\n")
        return file

    def serving(self) -> Side | None:
        """Which side answers the service's users now; None where nobody does."""
        answer = health(self.proxy.url)
        return Side(str(answer["side"])) if answer and answer["writable"] else None


def _socket_folder(supervisor: Supervisor) -> Path:
    folder = supervisor.folder / "sockets"
    if len(str(folder / ".s.PGSQL.12345.lock")) > MAX_SOCKET_PATH:
        short = Path(tempfile.mkdtemp(prefix="wissel-"))
        supervisor.on_stop(lambda: shutil.rmtree(short, ignore_errors=True))
        return short
    folder.mkdir(mode=0o700)
    return folder


def health(url: str) -> dict[str, object] | None:
    """What a permit desk says of itself at GET /health, whether well or not; None where it does not answer."""
    address = url.removeprefix("http://").partition("/")[0]
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/health")
        body = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return body if isinstance(body, dict) and "side" in body else None
