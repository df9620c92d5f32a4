"""Talks with HAProxy's runtime socket: what its servers do, how many sessions they hold, and orders to it."""

import csv
import io
import re
import socket
import time
from typing import NamedTuple

from runners.contract import Context, Outcome, Proxy, failed

MARGIN = 0.3
ANSWER = 3.0
"""Longest wait for one answer of the socket, in seconds."""
LARGEST = 1_000_000
RUNNING = "2"
"""srv_op_state of a server that takes traffic (HAProxy management guide, show servers state)."""
MAINTENANCE = 0x01
OUT = 0x01 | 0x02 | 0x08 | 0x10 | 0x20
"""Bits of srv_admin_state that keep users away; 0x04 only says that the configuration began with `disabled`."""


class NoAnswer(Exception):
    """The runtime socket could not be asked, or refused."""


class Server(NamedTuple):
    """State of one server line, as ``show servers state`` tells it."""

    operational: str
    administrative: int


def servers(proxy: Proxy, context: Context) -> dict[str, Server]:
    """State of each server of the backend by name. Raises `NoAnswer`."""
    said = ask(proxy, f"show servers state {proxy.backend}", context)
    lines = said.split("\n")
    header = next((line[2:].split() for line in lines if line.startswith("# ")), None)
    if header is None:
        raise NoAnswer(said[:200] or "an empty answer")
    rows = [
        dict(zip(header, line.split(), strict=False)) for line in lines if line and line[0].isdigit() and " " in line
    ]
    try:
        return {row["srv_name"]: Server(row["srv_op_state"], int(row["srv_admin_state"])) for row in rows}
    except (KeyError, ValueError) as error:
        raise NoAnswer(f"an answer that is not understood ({error})") from error


def sessions(proxy: Proxy, context: Context) -> dict[str, int]:
    """Sessions that each server of the backend holds now, by name. Raises `NoAnswer`."""
    said = ask(proxy, "show stat", context)
    rows = csv.DictReader(io.StringIO(said.removeprefix("# ")))
    try:
        return {row["svname"]: int(row["scur"]) for row in rows if row["pxname"] == proxy.backend}
    except (KeyError, ValueError, TypeError) as error:
        raise NoAnswer(f"an answer that is not understood ({error})") from error


def refused(proxy: Proxy, context: Context) -> Outcome | None:
    """*Failed* where HAProxy has seen a higher token; else None, and ours is its highest now. Raises `NoAnswer`."""
    highest, mine = _raised_token(proxy, context), context.fencing_token
    if highest <= mine:
        return None
    return failed(
        f"HAProxy kent een nieuwere opdrachtgever (token {highest}, deze stap heeft {mine}); er is niets gedaan.",
        f"HAProxy knows a newer principal (token {highest}, this step has {mine}); nothing was done.",
    )


def _raised_token(proxy: Proxy, context: Context) -> int:
    """The highest fencing token that this backend was ever moved with, after ours was set where it is the highest.

    Its own rules have no condition, so it is read and then set; 0 where there is none, or where it keeps none.
    """
    if context.fencing_token == 0:
        return 0
    name = "proc.wissel_token_" + re.sub(r"[^A-Za-z0-9]", "_", proxy.backend)
    found = re.search(r"value=<(\d+)>", ask(proxy, f"get var {name}", context))
    known = int(found[1]) if found else 0
    if context.fencing_token > known:
        # HAProxy counts its variables at run time among what is new; where it has none the lease alone protects.
        said = ask(proxy, f"experimental-mode on; set var {name} int({context.fencing_token})", context)
        if said:
            context.log(f"HAProxy does not keep the fencing token: {' '.join(said.split())[:200]}")
    return max(known, context.fencing_token)


def ask(proxy: Proxy, line: str, context: Context) -> str:
    """The answer to one command; one connection each: the socket closes after it. Raises `NoAnswer`."""
    until = time.monotonic() + min(ANSWER, max(0.05, context.remaining() - MARGIN))
    try:
        with _plug(proxy.socket, until) as plug:
            plug.sendall(line.encode() + b"\n")
            said = b""
            while chunk := _receive(plug, until):
                said += chunk
                if len(said) > LARGEST:
                    raise NoAnswer("an answer without end")
    except OSError as error:
        raise NoAnswer(str(error) or type(error).__name__) from error
    return said.decode(errors="replace").strip()


def _receive(plug: socket.socket, until: float) -> bytes:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    plug.settimeout(left)
    return plug.recv(65536)


def _plug(address: str, until: float) -> socket.socket:
    left = max(0.05, until - time.monotonic())
    host, mark, number = address.rpartition(":")
    if mark and "/" not in address and number.isdigit():
        return socket.create_connection((host.strip("[]"), int(number)), timeout=left)
    plug = socket.socket(socket.AF_UNIX)
    try:
        plug.settimeout(left)
        plug.connect(address)
    except OSError:
        plug.close()
        raise
    return plug
