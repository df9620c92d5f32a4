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


_TOKEN = re.compile(r"value=<(\d+)>")
_MOST = 2**63 - 1


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


def overtaken(proxy: Proxy, context: Context) -> Outcome | None:
    """*Failed* where a higher token came between the look at it and our order, which went out. Raises `NoAnswer`."""
    highest, mine = _token_in(ask(proxy, f"get var {_variable(proxy)}", context)), context.fencing_token
    if mine == 0 or highest <= mine:
        return None
    nl = f"Een nieuwere opdrachtgever (token {highest}, deze stap heeft {mine}) was hier net mee bezig in HAProxy."
    en = f"A newer principal (token {highest}, this step has {mine}) was at it in HAProxy at the same moment."
    return failed(
        f"{nl} Deze opdracht is toch gegeven: kijk welke kant de gebruikers nu krijgt.",
        f"{en} This order went out all the same: look which side gets the users now.",
    )


def _raised_token(proxy: Proxy, context: Context) -> int:
    """The highest fencing token that this backend was ever moved with, ours included; ours where it keeps none.

    It is raised in one expression, so that no older principal lowers it: converters stop at the bounds of 64 bits,
    which makes max(known, ours) of two sums. HAProxy's rules for servers have no condition, so that the order itself
    can still follow a newer one by some milliseconds: `overtaken` sees that.
    """
    if context.fencing_token == 0:
        return 0
    name, over = _variable(proxy), context.fencing_token + 1
    highest = f"var({name},0),sub({over}),add(-{_MOST}),add({_MOST}),add({over})"
    # HAProxy counts its variables at run time among what is new; where it has none the lease alone protects.
    said = ask(proxy, f"experimental-mode on; set var {name} {highest}; get var {name}", context)
    if not _TOKEN.search(said):
        context.log(f"HAProxy does not keep the fencing token: {' '.join(said.split())[:200]}")
    return max(_token_in(said), context.fencing_token)


def _variable(proxy: Proxy) -> str:
    return "proc.wissel_token_" + re.sub(r"[^A-Za-z0-9]", "_", proxy.backend)


def _token_in(said: str) -> int:
    found = _TOKEN.search(said)
    return int(found[1]) if found else 0


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
