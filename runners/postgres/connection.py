"""Reaches a PostgreSQL node over the network: kept connections, and what its port says when it cannot be reached."""

import errno
import socket
from contextlib import suppress
from enum import StrEnum

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from runners.contract import Context, Node, SecretMissing, Text

Connection = psycopg.Connection[TupleRow]
CONNECT_SECONDS = 3.0
"""Longest wait for one connection attempt; shorter when the step's own deadline is nearer."""


class Port(StrEnum):
    """What a bare connection attempt to a node's address says."""

    LISTENS = "listens"
    REFUSES = "refuses"
    SILENT = "silent"
    UNKNOWN = "unknown"


class NotReached(Exception):
    """No connection to the node. `down` says that its address refuses or is silent, not that we may not look."""

    def __init__(self, text: Text, *, down: bool) -> None:
        super().__init__(text.en)
        self.text, self.down = text, down


def connection(node: Node, context: Context) -> Connection:
    """The kept connection (autocommit) to `node`, made anew when it broke; its statements end before the deadline.

    Raises `NotReached`.
    """
    key = f"postgres:{node.dsn}"
    for fresh in (False, True):
        kept = context.keep(key, lambda: _connect(node, context))
        try:
            kept.execute("select set_config('statement_timeout', %s, false)", [str(_milliseconds(context))])
            return kept
        except psycopg.OperationalError as error:
            context.forget(key)
            if fresh:
                raise _why(node, context, error) from error
    raise AssertionError("unreachable")


def conninfo(node: Node, context: Context) -> str:
    """The node's connection string. Raises `NotReached` where the node or this site does not have it."""
    if node.dsn is None:
        nl = "De omgeving noemt geen verbindingsgegevens (dsn) van deze database."
        raise NotReached(Text(nl=nl, en="The environment names no dsn for this database."), down=False)
    try:
        return context.secret(node.dsn)
    except SecretMissing:
        nl, en = f"Deze locatie heeft {node.dsn} niet.", f"This site does not hold {node.dsn}."
        raise NotReached(Text(nl=nl, en=en), down=False) from None


def port(node: Node, context: Context, seconds: float = CONNECT_SECONDS) -> tuple[Port, str]:
    """Try each address in the node's dsn without logging in, `seconds` each; returns what was seen and where.

    Any address that listens wins; only if every one refuses is it *refuses*. Raises `NotReached` without a dsn.
    """
    seen: list[tuple[Port, str]] = []
    for host, number in endpoints(conninfo(node, context)):
        seen.append((_knock(host, number, min(seconds, context.remaining())), f"{host}:{number}"))
    for kind in (Port.LISTENS, Port.UNKNOWN, Port.SILENT, Port.REFUSES):
        for found, where in seen:
            if found is kind:
                return found, where
    return Port.UNKNOWN, "no address in the dsn"


def endpoints(dsn: str) -> list[tuple[str, int]]:
    """Host (or folder of the UNIX socket) and port of each server that `dsn` names; empty where it names none."""
    parts = conninfo_to_dict(dsn)
    hosts = str(parts.get("hostaddr") or parts.get("host") or "").split(",")
    ports = str(parts.get("port") or "5432").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [(host, int(number or 5432)) for host, number in zip(hosts, ports, strict=False) if host]


def upstream_conninfo(dsn: str, slot: str | None) -> str:
    """`primary_conninfo` for a standby that receives from the server behind `dsn`, known there by its slot's name."""
    parts = conninfo_to_dict(dsn)
    parts.pop("dbname", None)
    parts["application_name"] = slot or "wissel"
    return make_conninfo("", **parts)


def shown(node: Node, statement: str) -> str:
    """How a preview shows a statement on a node; the dsn stays a reference."""
    return f"SQL on {node.dsn}: {statement}"


def _knock(host: str, number: int, seconds: float) -> Port:
    seconds = max(seconds, 0.05)
    try:
        if host.startswith("/"):
            with socket.socket(socket.AF_UNIX) as plug:
                plug.settimeout(seconds)
                plug.connect(f"{host}/.s.PGSQL.{number}")
        else:
            socket.create_connection((host, number), timeout=seconds).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return Port.REFUSES
    except TimeoutError:
        return Port.SILENT
    except OSError as error:
        # Nobody answers for that host. No route at all (ENETUNREACH) is our own trouble, and says nothing of the other.
        return Port.SILENT if error.errno == errno.EHOSTUNREACH else Port.UNKNOWN
    return Port.LISTENS


def _connect(node: Node, context: Context) -> Connection:
    dsn = conninfo(node, context)
    try:
        given = conninfo_to_dict(dsn)
        quick = {"keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 3, "tcp_user_timeout": 5000}
        mine = {name: value for name, value in quick.items() if name not in given}
        seconds = max(2, int(min(CONNECT_SECONDS, context.remaining())))
        info = make_conninfo(dsn, application_name="wissel", connect_timeout=seconds, **mine)
        return psycopg.connect(info, autocommit=True)
    except psycopg.OperationalError as error:
        raise _why(node, context, error) from error
    except (psycopg.ProgrammingError, ValueError):
        nl, en = f"{node.dsn} is geen geldige dsn.", f"{node.dsn} is not a valid dsn."
        raise NotReached(Text(nl=nl, en=en), down=False) from None


def _why(node: Node, context: Context, error: psycopg.OperationalError) -> NotReached:
    seen, where = Port.UNKNOWN, "?"
    with suppress(NotReached, psycopg.ProgrammingError, ValueError):
        seen, where = port(node, context)
    if seen in (Port.REFUSES, Port.SILENT):
        nl = f"De database op {where} is niet bereikbaar (de poort {_DUTCH[seen]})."
        return NotReached(Text(nl=nl, en=f"The database at {where} is unreachable (its port {seen})."), down=True)
    said = " ".join(str(error).split())[:300]
    nl, en = f"De database op {where} liet ons niet toe: {said}", f"The database at {where} did not let us in: {said}"
    return NotReached(Text(nl=nl, en=en), down=False)


_DUTCH = {Port.REFUSES: "weigert", Port.SILENT: "zwijgt", Port.LISTENS: "luistert", Port.UNKNOWN: "is onbekend"}


def _milliseconds(context: Context) -> int:
    return max(1, int(context.remaining() * 1000))
