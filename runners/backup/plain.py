"""Restores a plain SQL dump without psql, which has no safe mode: its ``\\!`` and ``\\o |`` run programs here.

Our own feeder sends the SQL over the wire and the lines after ``COPY … FROM stdin;`` as copy data; the server knows no
backslash commands. Of those only ``\\restrict`` and ``\\unrestrict`` (which pg_dump writes since 2025) are passed over,
any other refuses the dump; ``\\connect`` belongs to dumps of a whole cluster, which this driver does not restore.
Owners, rights, publications and subscriptions are left out, as by pg_restore's ``--no-owner`` and so on.
"""

import gzip
import re
import zlib
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
_SERVER = re.compile(rb"^-- Dumped from database version (\d{1,4})")
_PROGRAM = re.compile(rb"^-- Dumped by pg_dump version (\d{1,4})")
_TITLE = b"-- PostgreSQL database "
_FLUSH = 1024 * 1024
_HEAD = 100
_LONGEST_LINE = 8192
"""Bytes; a longer line is none of those that are left out, and is not searched for them."""
_LARGEST_STATEMENT = 256 * 1024 * 1024
_NUL = ("De dump is beschadigd: hij bevat nultekens.", "The dump is damaged: it has NUL characters.")


@dataclass(frozen=True)
class Head:
    """What a dump says about itself."""

    server: int | None = None
    """Major version of the server that it was made of."""
    program: int | None = None
    """Major version of the pg_dump that made it."""
    encoding: str = "UTF8"
    title: bool = False
    """Whether it begins as pg_dump lets a dump begin."""


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Its lines; one that is longer than a mebibyte in more than one piece, for a file may be one endless line."""
    return iter(lambda: stream.readline(_FLUSH), b"")


def head(lines: Iterator[bytes]) -> Head:
    """Read the first lines of a dump as SQL. Raises `BackupWrong` where they are no text."""
    found: dict[str, bytes] = {}
    title = False
    for _, line in zip(range(_HEAD), lines, strict=False):
        if b"\0" in line:
            raise BackupWrong(*_NUL)
        title = title or line.startswith(_TITLE)
        for name, pattern in (("server", _SERVER), ("program", _PROGRAM), ("encoding", _ENCODING)):
            if (match := pattern.match(line)) and name not in found:
                found[name] = match[1]
    return Head(
        server=int(found["server"]) if "server" in found else None,
        program=int(found["program"]) if "program" in found else None,
        encoding=found.get("encoding", b"UTF8").decode(),
        title=title,
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
            feeder.all(pieces(lines))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BackupWrong("De dump is afgekapt of beschadigd.", f"The dump is cut off or damaged ({error}).") from error


class _Feeder:
    def __init__(self, wire: pq.abc.PGconn, context: Context) -> None:
        self._wire, self._context = wire, context
        self._statements: list[bytes] = []
        self._size = 0

    def all(self, lines: Iterator[bytes]) -> None:
        complete, begins = False, True
        for line in lines:
            begun, begins = begins, line.endswith(b"\n")
            short = begun and len(line) <= _LONGEST_LINE
            if begun and line.startswith(b"\\"):
                _meta_command(line)
            elif short and _COPY.match(line):
                self._copy(line, lines)
            elif not (short and _LEFT_OUT.match(line)):
                if self._size > _FLUSH and begun and line.startswith(b"INSERT INTO "):
                    self._send()
                self._add(line)
            complete = complete or (begun and line.startswith(COMPLETE))
        self._send()
        if not complete:
            raise BackupWrong(
                "De dump is afgekapt: de slotregel van pg_dump ontbreekt.",
                "The dump is cut off: the last line that pg_dump writes is missing.",
            )

    def _add(self, line: bytes) -> None:
        if b"\0" in line:
            raise BackupWrong(*_NUL)
        self._statements.append(line)
        self._size += len(line)
        if self._size > _LARGEST_STATEMENT:
            most = _LARGEST_STATEMENT // 2**20
            raise CannotLook(
                f"De dump bevat SQL van meer dan {most} MiB achter elkaar; maak een dump met COPY (zonder --inserts).",
                f"The dump has SQL of more than {most} MiB in a row; make a dump with COPY (without --inserts).",
            )

    def _send(self) -> None:
        left(self._context)
        text = b"".join(self._statements)
        self._statements, self._size = [], 0
        if text.strip():
            _check(self._wire.exec_(text), self._wire)

    def _copy(self, command: bytes, lines: Iterator[bytes]) -> None:
        self._send()
        result = self._wire.exec_(command.strip())
        if result.status != pq.ExecStatus.COPY_IN:
            _check(result, self._wire)
            raise BackupWrong("De dump is beschadigd bij een COPY.", "The dump is damaged at a COPY.")
        ended = self._rows(lines)
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

    def _rows(self, lines: Iterator[bytes]) -> bool:
        """Send the rows of a COPY; whether its end was there."""
        block, size, begins = list[bytes](), 0, True
        for line in lines:
            if begins and line in (b"\\.\n", b"\\.\r\n", b"\\."):
                self._put(block)
                return True
            begins = line.endswith(b"\n")
            block.append(line)
            size += len(line)
            if size > _FLUSH:
                self._put(block)
                block, size = [], 0
                left(self._context)
        self._put(block)
        return False

    def _put(self, block: list[bytes]) -> None:
        if block:
            self._wire.put_copy_data(b"".join(block))


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
    for pattern, nl, en in _NOT_OF_THE_BACKUP:
        if re.search(pattern, message):
            raise CannotLook(f"{nl}: {short}.", f"{en}: {short}.")
    raise BackupWrong(f"Het terugzetten mislukt: {short}.", f"The restore fails: {short}.")


_NOT_OF_THE_BACKUP = (
    (
        r"extension .* is not available|could not open extension control file",
        "De dump gebruikt een uitbreiding die hier niet is geïnstalleerd",
        "The dump uses an extension that is not installed here",
    ),
    (
        r"[Mm]ust be superuser|permission denied (to|for)|must have the privileges",
        "De dump vraagt rechten die hij in de wegwerpserver niet krijgt",
        "The dump asks for rights that it does not get in the throwaway server",
    ),
    (
        r"unsupported version \(1\.(1[5-9]|[2-9]\d)[.)]|unrecognized configuration parameter",
        "De dump is gemaakt met een andere versie van PostgreSQL dan hier is",
        "The dump was made with another version of PostgreSQL than there is here",
    ),
    (
        r"not built with|does not support",
        "De dump vraagt iets dat de programma's van PostgreSQL hier niet kunnen",
        "The dump asks for something that the PostgreSQL programs here cannot do",
    ),
    (
        r"No space left on device|[Oo]ut of memory|[Dd]isk quota exceeded",
        "Deze machine heeft te weinig ruimte of geheugen voor het terugzetten",
        "This machine has too little room or memory for the restore",
    ),
)
