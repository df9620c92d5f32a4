"""backup.verify-dump: a pg_dump file can be restored, and holds what it should."""

import zlib
from gzip import BadGzipFile
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql

from runners.backup import plain
from runners.backup.content import Connection
from runners.backup.server import SUPERUSER, Server, initialise, running
from runners.backup.source import check_room, copied, existing
from runners.backup.tools import BackupWrong, Binaries, CannotLook, Said, given_or_found, hand_over, run
from runners.backup.verdict import BackupParams, Report, connected, look_at_all, verify
from runners.contract import Context, Effect, Outcome, Preview, Text
from runners.looking import Looking
from runners.scratch import throwaway

RESTORER, DATABASE = "restorer", "restored"
"""The restore runs as a role without special rights: the SQL of a dump could else start programs (COPY PROGRAM)."""
LAST_OF_SERVERS = 34
"""Number of the last encoding that a database can have; what comes after it (SJIS, BIG5, …) only clients speak."""
OPTIONS = (
    "--exit-on-error",
    "--no-owner",
    "--no-privileges",
    "--no-comments",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
    "--no-tablespaces",
)


class VerifyDumpParams(BackupParams):
    """A dump (custom, tar, directory, plain SQL or SQL as .gz) is restored into a throwaway server and looked at.

    Proves: all of it can be read and restored; each expected table exists, has its rows, checksum and characters; the
    age of the newest row at the moment of the backup is the measured RPA (`rpa_ms`); the time to restore is `rta_ms`
    on this machine.
    Cannot see: owners, rights, publications, tablespaces (left out), tables that nobody expects, constraints, indexes
    and functions that are missing, a value that was changed in a table without `checksum` (the outcome names those),
    and whether the application works on it. Extensions that need a superuser, and dumps with \\connect, mean *could
    not look*.
    Needs on the machine: PostgreSQL programs (initdb, postgres, pg_restore) not older than the dump, and room for the
    restored database in the temporary folder. Without them it *could not look*.
    Bad input: a missing, cut or damaged dump *fails* with what the server or pg_restore said. A dump is foreign SQL: it
    runs as a role without rights, never through psql, in a server that nobody else can reach.
    """


class VerifyDump(Looking):
    """Restores a dump and looks."""

    name = "backup.verify-dump"
    Params = VerifyDumpParams
    effect = Effect.ISOLATED

    def preview(self, params: Any, context: Context) -> Preview:
        """What would be done."""
        del context
        return Preview(
            calls=(
                "initdb (throwaway, private socket)",
                f"restore {params.backup.path}",
                "SELECT from expected tables",
            ),
            changes=Text(
                nl="Verandert niets buiten een wegwerpserver.", en="Changes nothing outside a throwaway server."
            ),
        )

    def run(self, params: Any, context: Context) -> Outcome:
        """Restore and look."""
        return verify(params.backup, context, lambda report: _work(params, context, report))


def _work(params: BackupParams, context: Context, report: Report) -> None:
    path = existing(params.backup.path)
    form = _form(path)
    if form == "base backup":
        raise BackupWrong("Dit is een basisback-up, geen dump.", "This is a base backup, not a dump.")
    found = given_or_found(params.backup.binaries)
    with throwaway("restore") as scratch:
        hand_over(scratch)
        check_room(scratch)
        source = _reachable(path, scratch, context)
        head = _head(source, form, found[0], context, report)
        binaries = _fitting(found, head)
        report.facts |= {
            "form": form,
            "encoding_of_dump": head.encoding,
            "made_of": head.server,
            "restored_in": binaries.major,
        }
        data, folder = scratch / "data", scratch / "s"
        folder.mkdir()
        initialise(binaries, data, context)
        with running(binaries, data, folder, context, user=SUPERUSER) as server:
            _make_database(server, head.encoding)
            context.progress(0, 2, "restore")
            _restore(source, form, server, context, report)
            report.restored()
            role, database = RESTORER, DATABASE
            with connected(lambda: server.connect(role, database), role, database) as connection:
                look_at_all(connection, params, context, report)


def _form(path: Path) -> str:
    if path.is_dir():
        if (path / "toc.dat").is_file():
            return "directory"
        if (path / "PG_VERSION").exists():
            return "base backup"
        raise BackupWrong(f"De map {path} is geen dump.", f"The folder {path} is no dump.")
    with path.open("rb") as stream:
        begin = stream.read(512)
    if not begin:
        raise BackupWrong("De dump is leeg.", "The dump is empty.")
    if begin.startswith(b"PGDMP"):
        return "custom"
    if begin[257:262] != b"ustar":
        return "plain"
    _ends_as_tar(path)
    return "tar"


def _ends_as_tar(path: Path) -> None:
    """pg_restore reads only what it needs of a tar file and does not notice that its end is gone."""
    with path.open("rb") as stream:
        stream.seek(-min(1024, path.stat().st_size), 2)
        if stream.read().strip(b"\0"):
            raise BackupWrong(
                "De dump is afgekapt: het einde van het tar-bestand ontbreekt.",
                "The dump is cut off: the end of the tar file is missing.",
            )


def _reachable(path: Path, scratch: Path, context: Context) -> Path:
    """A folder is copied for the ordinary user, who may not be able to read it; a file is handed over open."""
    if not path.is_dir():
        return path
    copy = scratch / "dump"
    copied(path, copy, context)
    hand_over(copy)
    return copy


def _head(source: Path, form: str, newest: Binaries, context: Context, report: Report) -> plain.Head:
    if form == "plain":
        try:
            with plain.opened(source) as lines:
                _packed_once_more(lines)
                found = plain.head(plain.pieces(lines))
        except (EOFError, BadGzipFile, zlib.error) as error:
            raise BackupWrong(
                "De dump is afgekapt of beschadigd.", f"The dump is cut off or damaged ({error})."
            ) from error
        if not found.title:
            raise BackupWrong(
                "Dit is geen dump van pg_dump: het begin is anders.", "This is no dump of pg_dump: it begins otherwise."
            )
        return found
    said = _pg_restore(newest, source, ("--schema-only", "--file=-"), context)
    if said.code != 0:
        report.note("pg_restore --schema-only", said.text[-20_000:])
        plain.explain(said.first_error)
    return plain.head(iter(said.text.encode(errors="replace").splitlines(keepends=True)))


def _packed_once_more(stream: IO[bytes]) -> None:
    """Raises `CannotLook` for a sound dump that we would take for a damaged one: custom or tar, packed with gzip."""
    begin = stream.read(512)
    stream.seek(0)
    if begin.startswith(b"PGDMP") or begin[257:262] == b"ustar":
        raise CannotLook(
            "De dump is nog eens met gzip ingepakt; pak hem eerst uit. Alleen een dump als SQL mag ingepakt zijn.",
            "The dump is packed with gzip once more; unpack it first. Only a dump as SQL may be packed.",
        )


def _fitting(found: list[Binaries], head: plain.Head) -> Binaries:
    """The version that the dump was made with, else the nearest newer one. Raises `CannotLook`."""
    wanted = max(head.server or 0, head.program or 0)
    fitting = [each for each in found if each.major >= wanted]
    if not fitting:
        newest = found[0].major
        raise CannotLook(
            f"De dump is van PostgreSQL {wanted}; hier is hoogstens versie {newest}.",
            f"The dump is of PostgreSQL {wanted}; the newest version here is {newest}.",
        )
    return min(fitting, key=lambda each: each.major)


def _make_database(server: Server, encoding: str) -> None:
    with server.connect(SUPERUSER, "postgres") as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE").format(sql.Identifier(RESTORER))
        )
        try:
            connection.execute(
                sql.SQL(
                    "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'"
                ).format(
                    sql.Identifier(DATABASE), sql.Identifier(RESTORER), sql.Literal(_kept_in(connection, encoding))
                )
            )
        except psycopg.Error as error:
            raise CannotLook(
                f"Een database met tekencodering {encoding} kan hier niet worden gemaakt.",
                f"A database with encoding {encoding} cannot be made here.",
            ) from error
    with server.connect(SUPERUSER, DATABASE) as connection:
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(RESTORER)))


def _kept_in(connection: Connection, encoding: str) -> str:
    """The encoding of the database for a dump in this one, which may be one that only clients speak."""
    row = connection.execute("SELECT pg_char_to_encoding(%s)", [encoding]).fetchone()
    number = int(str(row[0])) if row else -1
    if number < 0:
        raise BackupWrong(
            f"De dump noemt een tekencodering die niet bestaat: {encoding[:40]}.",
            f"The dump names an encoding that does not exist: {encoding[:40]}.",
        )
    return encoding if number <= LAST_OF_SERVERS else "UTF8"


def _restore(source: Path, form: str, server: Server, context: Context, report: Report) -> None:
    if form == "plain":
        with server.connect(RESTORER, DATABASE) as connection:
            plain.feed(source, connection, context)
        return
    options = (*OPTIONS, f"--dbname={server.dsn(RESTORER, DATABASE)}")
    said = _pg_restore(server.binaries, source, options, context)
    report.note("pg_restore", said.text)
    if said.code != 0:
        plain.explain(said.first_error)


def _pg_restore(binaries: Binaries, source: Path, options: tuple[str, ...], context: Context) -> Said:
    program = binaries.path("pg_restore")
    if source.is_dir():
        return run([program, *options, source], context)
    stream: IO[bytes]
    with source.open("rb") as stream:
        return run([program, *options], context, source=stream)
