"""Restores a plain SQL dump without psql, which has no safe mode: its ``\\!`` and ``\\o |`` run programs here.

Our own feeder sends the SQL over the wire and the lines after ``COPY … FROM stdin;`` as copy data; the server knows no
backslash commands. Of those only ``\\restrict`` and ``\\unrestrict`` (which pg_dump writes since 2025) are passed over,
any other refuses the dump; ``\\connect`` belongs to dumps of a whole cluster, which this driver does not restore.
Owners, rights, publications and subscriptions are left out, as by pg_restore's ``--no-owner`` and so on.
"""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import psycopg
from psycopg import pq

from runners.backup.tools import BackupWrong, CannotLook, left
from runners.contract import Context

COMPLETE = b"-- PostgreSQL database dump complete"
_COPY = re.compile(rb"^COPY .+ FROM stdin;\s*$", re.I)
_LEFT_OUT = re.compile(
    rb"^(ALTER [^';]+ OWNER TO [^';]+;|(GRANT|REVOKE) [^';]+;|ALTER DEFAULT PRIVILEGES [^';]+;|COMMENT ON EXTENSION .*;"
    rb"|SET SESSION AUTHORIZATION .*;|SET default_tablespace = .*;"
    rb"|SET (statement|transaction|lock|idle_in_transaction_session)_timeout = .*;"
    rb"|(CREATE|ALTER) (PUBLICATION|SUBSCRIPTION|EVENT TRIGGER) [^';]+;)\s*$"
)
_ENCODING = re.compile(rb"^SET client_encoding = '([A-Za-z0-9_]+)';")
_SERVER = re.compile(rb"^-- Dumped from database version (\d+)")
_PROGRAM = re.compile(rb"^-- Dumped by pg_dump version (\d+)")
_FLUSH = 1024 * 1024
_HEAD = 100


@dataclass(frozen=True)
class Head:
    """What a dump says about itself."""

    server: int | None = None
    """Major version of the server that it was made of."""
    program: int | None = None
    """Major version of the pg_dump that made it."""
    encoding: str = "UTF8"


def head(lines: Iterator[bytes]) -> Head:
    """Read the first lines of a dump as SQL."""
    found: dict[str, bytes] = {}
    for _, line in zip(range(_HEAD), lines, strict=False):
        for name, pattern in (("server", _SERVER), ("program", _PROGRAM), ("encoding", _ENCODING)):
            if (match := pattern.match(line)) and name not in found:
                found[name] = match[1]
    return Head(
        server=int(found["server"]) if "server" in found else None,
        program=int(found["program"]) if "program" in found else None,
        encoding=found.get("encoding", b"UTF8").decode(),
    )


def opened(path: Path) -> IO[bytes]:
    """The dump's own bytes, unpacked where it was packed with gzip."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def feed(path: Path, connection: "psycopg.Connection[tuple[object, ...]]", context: Context) -> None:
    """Restore the dump over an open connection of a role without special rights.

    Raises `BackupWrong` with what the server said, or where the dump is cut off, and `CannotLook`.
    """
    feeder = _Feeder(connection.pgconn, context)
    try:
        with opened(path) as lines:
            feeder.all(iter(lines))
    except (EOFError, gzip.BadGzipFile) as error:
        raise BackupWrong("De dump is afgekapt of beschadigd.", f"The dump is cut off or damaged ({error}).") from error


class _Feeder:
    def __init__(self, wire: pq.abc.PGconn, context: Context) -> None:
        self._wire, self._context = wire, context
        self._statements: list[bytes] = []
        self._size = 0

    def all(self, lines: Iterator[bytes]) -> None:
        complete = False
        for line in lines:
            if line.startswith(b"\\"):
                _meta_command(line)
            elif _COPY.match(line):
                self._copy(line, lines)
            elif not _LEFT_OUT.match(line):
                if self._size > _FLUSH and line.startswith(b"INSERT INTO "):
                    self._send()
                self._add(line)
            complete = complete or line.startswith(COMPLETE)
        self._send()
        if not complete:
            raise BackupWrong(
                "De dump is afgekapt: de slotregel van pg_dump ontbreekt.",
                "The dump is cut off: the last line that pg_dump writes is missing.",
            )

    def _add(self, line: bytes) -> None:
        self._statements.append(line)
        self._size += len(line)

    def _send(self) -> None:
        left(self._context)
        text = b"".join(self._statements)
        self._statements, self._size = [], 0
        if b"\0" in text:
            raise BackupWrong(
                "De dump is beschadigd: hij bevat nultekens.", "The dump is damaged: it has NUL characters."
            )
        if text.strip():
            _check(self._wire.exec_(text), self._wire)

    def _copy(self, command: bytes, lines: Iterator[bytes]) -> None:
        self._send()
        result = self._wire.exec_(command.strip())
        if result.status != pq.ExecStatus.COPY_IN:
            _check(result, self._wire)
            raise BackupWrong("De dump is beschadigd bij een COPY.", "The dump is damaged at a COPY.")
        ended, block, size = False, [], 0
        for line in lines:
            if line in (b"\\.\n", b"\\.\r\n", b"\\."):
                ended = True
                break
            block.append(line)
            size += len(line)
            if size > _FLUSH:
                self._wire.put_copy_data(b"".join(block))
                block, size = [], 0
                left(self._context)
        if block:
            self._wire.put_copy_data(b"".join(block))
        self._wire.put_copy_end(None if ended else b"the dump is cut off")
        while (said := self._wire.get_result()) is not None:
            if ended:
                _check(said, self._wire)
        if not ended:
            table = command.split()[1].decode(errors="replace")
            raise BackupWrong(
                f"De dump is afgekapt in de gegevens van tabel {table}.",
                f"The dump is cut off in the data of table {table}.",
            )


def _meta_command(line: bytes) -> None:
    name = re.split(rb"[\s]", line.strip(), maxsplit=1)[0].decode(errors="replace")[:40]
    if name in ("\\restrict", "\\unrestrict"):
        return
    if name in ("\\connect", "\\c"):
        raise CannotLook(
            "De dump wisselt van database (\\connect): maak een dump van één database, zonder --create.",
            "The dump changes databases (\\connect): make a dump of one database, without --create.",
        )
    raise BackupWrong(
        f"De dump bevat de psql-opdracht {name}, die niet in een dump van pg_dump hoort; er is niets mee uitgevoerd.",
        f"The dump has the psql command {name}, which no dump of pg_dump has; it was not carried out.",
    )


def _check(result: pq.abc.PGresult, wire: pq.abc.PGconn) -> None:
    if result.status not in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE, pq.ExecStatus.COPY_OUT):
        return
    primary = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or wire.error_message
    explain(primary.decode(errors="replace").strip() or "COPY TO STDOUT")


def explain(message: str) -> None:
    """Raise for what went wrong in a restore: *could not look* where this machine lacks something, else *wrong*."""
    short = message[:300].rstrip(".")
    if re.search(r"extension .* is not available|could not open extension control file", message):
        raise CannotLook(
            f"De dump gebruikt een uitbreiding die hier niet is geïnstalleerd: {short}.",
            f"The dump uses an extension that is not installed here: {short}.",
        )
    if re.search(r"[Mm]ust be superuser|permission denied (to|for)|must have the privileges", message):
        raise CannotLook(
            f"De dump vraagt rechten die hij in de wegwerpserver niet krijgt: {short}.",
            f"The dump asks for rights that it does not get in the throwaway server: {short}.",
        )
    if re.search(r"unsupported version|unrecognized configuration parameter|not built with|does not support", message):
        raise CannotLook(
            f"De dump is gemaakt met een andere versie van PostgreSQL dan hier is: {short}.",
            f"The dump was made with another version of PostgreSQL than there is here: {short}.",
        )
    raise BackupWrong(f"Het terugzetten mislukt: {short}.", f"The restore fails: {short}.")
