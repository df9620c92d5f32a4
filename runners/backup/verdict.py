"""What both backup drivers share: their parameters, the look at the tables, and the outcome with its evidence."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from pydantic import Field

from runners.backup.content import Connection, Table, encoding, look, measurements, prepare
from runners.backup.source import fingerprint
from runners.backup.tools import BackupWrong, CannotLook, left
from runners.contract import (
    Backup,
    Context,
    Evidence,
    Frozen,
    Measurement,
    Outcome,
    Text,
    could_not_look,
    failed,
    passed,
)


class BackupParams(Frozen):
    """Parameters of the drivers that verify a backup."""

    backup: Backup
    max_age: timedelta | None = Field(default=None, gt=timedelta())
    """How old the newest row of each table with `newest` may be at the moment of the backup."""


class Report:
    """What was done and seen, for the evidence."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._began = datetime.now(UTC)
        self.facts: dict[str, Any] = {"began_at": self._began.isoformat()}
        self.log = ""
        self.tables: list[Table] = []
        self.measured: list[Measurement] = []
        self.warnings: list[Text] = []

    def restored(self) -> None:
        """The data can be asked from now on: the measured recovery time (RTA) ends here."""
        rta = round((datetime.now(UTC) - self._began).total_seconds() * 1000)
        self.measured.append(Measurement(name="rta_ms", value=rta, unit="ms"))

    def warn(self, nl: str, en: str) -> None:
        """Something that a person should read though the backup is good."""
        self.warnings.append(Text(nl=nl, en=en))

    def note(self, program: str, text: str) -> None:
        """Keep what a program said."""
        self.log += f"== {program}\n{text.rstrip()}\n"

    def write(self, verdict: str, reason: str) -> tuple[Evidence, ...]:
        """Write the evidence files."""
        whole = {
            **self.facts,
            "verdict": verdict,
            "reason": reason,
            "measurements": {each.name: each.value for each in self.measured},
            "tables": [
                {"name": each.name, "rows": each.rows, "checksum": each.checksum, "newest": str(each.newest or "")}
                for each in self.tables
            ],
        }
        folder = self._context.evidence
        (folder / "report.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False), encoding="utf-8")
        (folder / "restore.log").write_text(self.log, encoding="utf-8")
        return (
            Evidence(path="report.json", media_type="application/json", title="Report"),
            Evidence(path="restore.log", title="Output of the programs"),
        )


def verify(backup: Backup, context: Context, work: Callable[[Report], None]) -> Outcome:
    """Run `work` and turn what it found into an outcome; the evidence is written whatever came of it."""
    report = Report(context)
    before = fingerprint(backup.path)
    outcome = _looked(report, work, backup)
    if before is not None and fingerprint(backup.path) != before:
        # Whatever came of it is about something that is not there any more, or never was.
        outcome = could_not_look(
            f"De back-up {backup.path} is veranderd of verdwenen terwijl hij werd bekeken.",
            f"The backup {backup.path} changed or vanished while it was being looked at.",
        )
    evidence = report.write(outcome.verdict, outcome.reason.en)
    measured = (*report.measured, *(measurements(report.tables) if report.tables else ()))
    return outcome.model_copy(update={"measurements": measured, "evidence": evidence, "warning": bool(report.warnings)})


def _looked(report: Report, work: Callable[[Report], None], backup: Backup) -> Outcome:
    try:
        work(report)
        return _good(report, backup)
    except BackupWrong as wrong:
        return failed(wrong.text.nl, wrong.text.en)
    except CannotLook as missing:
        return could_not_look(missing.text.nl, missing.text.en)
    except OSError as error:
        what = f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
        return could_not_look(
            f"De back-up kon niet worden bekeken: {what}.", f"The backup could not be looked at: {what}."
        )
    except psycopg.Error as error:
        said = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        return could_not_look(
            f"De wegwerpserver gaf geen antwoord: {said[0][:300]}.",
            f"The throwaway server did not answer: {said[0][:300]}.",
        )


def look_at_all(connection: Connection, params: BackupParams, context: Context, report: Report) -> None:
    """Look at each expected table. Raises `BackupWrong` and `CannotLook` like `content.look`."""
    backup = params.backup
    prepare(connection, left(context))
    report.facts["encoding"] = encoding(connection)
    report.measured.append(Measurement(name="encoding", value=encoding(connection)))
    if encoding(connection) == "SQL_ASCII":
        report.warn("De database kent geen tekencodering (SQL_ASCII).", "The database knows no encoding (SQL_ASCII).")
    since = backup.taken_at or datetime.now(UTC)
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    for number, expected in enumerate(backup.tables):
        context.progress(number, len(backup.tables), expected.name)
        found = look(connection, expected, since, params.max_age)
        if found.ahead:
            report.warn(
                f"De nieuwste rij van {found.name} is gedateerd na de back-up; de ouderdom is niet gemeten.",
                f"The newest row of {found.name} is dated after the backup; its age was not measured.",
            )
        report.tables.append(found)
    if not backup.tables:
        _any_table(connection, report)
    context.progress(1, 1, "looked")


def _any_table(connection: Connection, report: Report) -> None:
    """With nothing expected there must at least be something, and a person should know that no more was asked."""
    report.warn("Bij deze back-up zijn geen verwachte tabellen opgegeven.", "No tables are expected of this backup.")
    row = connection.execute(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'"
    ).fetchone()
    count = int(str(row[0])) if row else 0
    if count == 0:
        raise BackupWrong(
            "De teruggezette back-up bevat geen enkele tabel.", "The restored backup holds no table at all."
        )
    report.facts["tables_found"] = count


def _good(report: Report, backup: Backup) -> Outcome:
    rows, names = sum(each.rows for each in report.tables), ", ".join(each.name for each in report.tables)
    if report.tables:
        told = Text(
            nl=f"De back-up is teruggezet en klopt: {rows} rijen in {names}.",
            en=f"The backup was restored and is right: {rows} rows in {names}.",
        )
    else:
        count = report.facts.get("tables_found", 0)
        told = Text(
            nl=f"De back-up is teruggezet en bevat {count} tabellen; naar hun inhoud is niet gevraagd.",
            en=f"The backup was restored and holds {count} tables; their content was not asked about.",
        )
    more = [*report.warnings, *_unseen(backup)]
    return passed(" ".join([told.nl, *(each.nl for each in more)]), " ".join([told.en, *(each.en for each in more)]))


def _unseen(backup: Backup) -> list[Text]:
    """What could be wrong without being seen: said beside the good news."""
    unseen = ", ".join(each.name for each in backup.tables if each.checksum is None)
    if not unseen:
        return []
    return [
        Text(
            nl=f"Zonder controlegetal is een gewijzigde waarde niet te zien in: {unseen}.",
            en=f"Without a checksum a changed value would not be seen in: {unseen}.",
        )
    ]


def connected(connect: Callable[[], Connection], role: str, database: str) -> Connection:
    """A connection, or the reason why there is none. Raises `BackupWrong` and `CannotLook`."""
    try:
        return connect()
    except psycopg.OperationalError as error:
        message = str(error)
        if f'role "{role}" does not exist' in message or "not permitted to log in" in message:
            raise CannotLook(
                f"De rol '{role}' kan niet inloggen in de teruggezette back-up.",
                f"Role '{role}' cannot log in to the restored backup.",
            ) from error
        if f'database "{database}" does not exist' in message:
            raise BackupWrong(
                f"De database '{database}' ontbreekt in de back-up.", f"The backup lacks database '{database}'."
            ) from error
        short = message.strip().splitlines()[-1][:300]
        raise CannotLook(
            f"De teruggezette server is niet te bereiken: {short}.", f"The restored server cannot be reached: {short}."
        ) from error
