"""backup.verify-basebackup: a base backup is whole, starts, and holds what it should."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runners.backup.server import Server, running
from runners.backup.source import copied, existing
from runners.backup.tools import BackupWrong, Binaries, CannotLook, Said, given_or_found, hand_over, run
from runners.backup.verdict import BackupParams, Report, connected, look_at_all, verify
from runners.contract import Context, Effect, Outcome, Preview, Text
from runners.looking import Looking
from runners.scratch import throwaway

LEFT_OUT = ("standby.signal", "recovery.signal", "postgresql.auto.conf", "postmaster.pid", "postmaster.opts")
"""With these the copy would follow the real primary, or believe that it runs already."""
MUST_NOT_SHRINK = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_xacts",
    "max_locks_per_xact",
)
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")
"""As PG_VERSION names it: 17, or 9.6 before 2017."""


class VerifyBasebackupParams(BackupParams):
    """A base backup (plain format, with manifest and WAL) is verified, copied, started and looked at.

    Proves: every file is the one of the manifest (`pg_verifybackup`); a copy recovers to a consistent state from the
    WAL in the backup alone; each expected table is as expected; the age of the newest row at the moment of the backup
    is the measured RPA (`rpa_ms`); copying and recovering takes `rta_ms` on this machine.
    Cannot see: WAL that lies in an archive (point-in-time recovery), the server's own configuration and preloaded
    libraries (not used), tables that nobody expects.
    Needs on the machine: the PostgreSQL programs of the same major version, pg_verifybackup too, and room for a copy in
    the temporary folder. Without them, without WAL in the backup, or with a role that cannot log in: *could not look*.
    Bad input: a missing manifest, a changed or missing file, or a server that does not start *fails* with its reason.
    """


class VerifyBasebackup(Looking):
    """Verifies, starts and looks."""

    name = "backup.verify-basebackup"
    Params = VerifyBasebackupParams
    effect = Effect.ISOLATED

    def preview(self, params: Any, context: Context) -> Preview:
        """What would be done."""
        del context
        path = params.backup.path
        return Preview(
            calls=(f"pg_verifybackup {path}", "postgres on a copy (private socket)", "SELECT from expected tables"),
            changes=Text(nl="Verandert niets buiten een wegwerpkopie.", en="Changes nothing outside a throwaway copy."),
        )

    def run(self, params: Any, context: Context) -> Outcome:
        """Verify, start and look."""
        return verify(params.backup, context, lambda report: _work(params, context, report))


def _work(params: BackupParams, context: Context, report: Report) -> None:
    path = existing(params.backup.path)
    _shape(path)
    binaries = _fitting(path, given_or_found(params.backup.binaries))
    report.facts |= {"version": binaries.major}
    context.progress(0, 3, "verify")
    with throwaway("restore") as scratch:
        hand_over(scratch)
        data, folder = scratch / "data", scratch / "s"
        folder.mkdir()
        copied(path, data, context)
        hand_over(data)
        data.chmod(0o700)
        # The copy is what is started, so the copy is what is verified: that reads every byte of the backup too.
        _verify_files(binaries, data, context, report)
        for name in LEFT_OUT:
            (data / name).unlink(missing_ok=True)
        context.progress(1, 3, "start")
        settings = _settings(binaries, data, context)
        role = params.backup.role or _bootstrap_superuser(binaries, data, folder, settings, context)
        _start_and_look(params, context, report, binaries, data, folder, role, settings)


def _start_and_look(
    params: BackupParams,
    context: Context,
    report: Report,
    binaries: Binaries,
    data: Path,
    folder: Path,
    role: str,
    settings: dict[str, str],
) -> None:
    database = params.backup.database
    try:
        with running(binaries, data, folder, context, user=role, settings=settings) as server:
            report.restored()
            with connected(lambda: _connect(server, role, database), role, database) as connection:
                look_at_all(connection, params, context, report)
    finally:
        log = Server(binaries, folder, folder / "server.log")
        if log.log.exists():
            report.note("postgres", log.said())


def _connect(server: Server, role: str, database: str) -> Any:
    return server.connect(role, database)


def _holds(folder: Path, fits: Callable[[str], bool]) -> bool:
    """Whether a folder has such a name in it; looked through one by one, for there may be millions."""
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(fits(each.name) for each in entries)


def _shape(path: Path) -> None:
    if not path.is_dir():
        raise BackupWrong(
            f"De back-up {path} is geen map met een basisback-up.",
            f"The backup {path} is no folder with a base backup.",
        )
    if _holds(path, lambda name: name.startswith("base.tar")):
        raise CannotLook(
            "De basisback-up is in tar-formaat; pak hem eerst uit.",
            "The base backup is in tar format; unpack it first.",
        )
    if not (path / "PG_VERSION").is_file():
        raise BackupWrong(
            f"De map {path} is geen basisback-up: PG_VERSION ontbreekt.",
            f"The folder {path} is no base backup: no PG_VERSION.",
        )
    if not (path / "backup_manifest").is_file():
        raise BackupWrong(
            "De basisback-up heeft geen manifest (backup_manifest), dus of hij heel is, is niet vast te stellen.",
            "The base backup has no manifest (backup_manifest), so whether it is whole cannot be told.",
        )
    if (path / "tablespace_map").exists() or _holds(path / "pg_tblspc", lambda _: True):
        raise CannotLook(
            "De basisback-up heeft tablespaces op vaste plaatsen; starten zou de echte kunnen raken.",
            "The base backup has tablespaces at fixed places; starting it could touch the real ones.",
        )
    if (path / "pg_wal").is_symlink():
        raise CannotLook(
            "De WAL van de basisback-up ligt ergens anders (een link); zet hem in de map pg_wal.",
            "The WAL of the base backup lies elsewhere (a link); put it into the folder pg_wal.",
        )
    if not _holds(path / "pg_wal", lambda name: bool(_SEGMENT.fullmatch(name))):
        raise CannotLook(
            "De basisback-up bevat geen WAL; zonder het archief is hij niet te starten. Maak hem met -X stream.",
            "The base backup holds no WAL; without the archive it cannot be started. Make it with -X stream.",
        )


def _fitting(path: Path, found: list[Binaries]) -> Binaries:
    with (path / "PG_VERSION").open("rb") as stream:
        written = stream.read(20).decode(errors="replace").strip()
    for each in found:
        if str(each.major) == written:
            return each
    if _VERSION.fullmatch(written) is None:
        raise BackupWrong(
            "De basisback-up is beschadigd: in PG_VERSION staat geen versie van PostgreSQL.",
            "The base backup is damaged: PG_VERSION names no version of PostgreSQL.",
        )
    versions = ", ".join(str(each.major) for each in found)
    raise CannotLook(
        f"De basisback-up is van PostgreSQL {ascii(written)[1:-1]}; hier is alleen versie {versions}.",
        f"The base backup is of PostgreSQL {ascii(written)[1:-1]}; here is only version {versions}.",
    )


def _verify_files(binaries: Binaries, data: Path, context: Context, report: Report) -> None:
    said = run([binaries.path("pg_verifybackup"), data], context)
    report.note("pg_verifybackup", said.text)
    if said.code != 0:
        wrong = said.first_error.replace(f"{data}/", "")
        raise BackupWrong(
            f"De basisback-up is beschadigd volgens pg_verifybackup: {wrong}.",
            f"The base backup is damaged according to pg_verifybackup: {wrong}.",
        )


def _settings(binaries: Binaries, data: Path, context: Context) -> dict[str, str]:
    """Recovery refuses to start with less of some settings than the server had that the backup was made of."""
    said = run([binaries.path("pg_controldata"), data], context)
    names = {"max_prepared_xacts": "max_prepared_transactions", "max_locks_per_xact": "max_locks_per_transaction"}
    found = {"restore_command": "", "primary_conninfo": "", "event_triggers": "off", "max_replication_slots": "20"}
    found["log_min_messages"] = "warning"  # how the recovery went belongs to the evidence
    if binaries.major < 17:
        del found["event_triggers"]
    for name in MUST_NOT_SHRINK:
        match = re.search(rf"^{name} setting:\s+(\d+)$", said.text, re.M)
        if match:
            found[names.get(name, name)] = match[1]
    return found


def _bootstrap_superuser(
    binaries: Binaries, data: Path, folder: Path, settings: dict[str, str], context: Context
) -> str:
    """Name of the role with which the cluster was made; asked in single-user mode, which needs no name."""
    question = folder / "question.sql"
    question.write_text("SELECT rolname FROM pg_catalog.pg_authid WHERE oid = 10\n", encoding="utf-8")
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    own = folder / "single.conf"
    own.write_text("archive_mode = off\nfsync = off\nlisten_addresses = ''\n", encoding="utf-8")
    hand_over(folder)
    with question.open("rb") as source:
        argv: list[str | Path] = [
            binaries.path("postgres"),
            "--single",
            "-D",
            data,
            "-c",
            f"config_file={own}",
            *options,
            "template1",
        ]
        said = run(argv, context, source=source)
    found = re.search(r'rolname = "([^"]+)"', said.text)
    if found is None:
        raise _does_not_start(said)
    return found[1]


def _does_not_start(said: Said) -> BackupWrong:
    return BackupWrong(
        f"De server start niet met deze gegevens: {said.first_error}.",
        f"The server does not start on this data: {said.first_error}.",
    )
