"""An audit log to try things on: a database with the schema, a signer, and ways to write, export and damage it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.core import audit, migrations
from app.core.audit import chain, keeper
from app.core.audit.signing import Signer
from app.core.audit.verify_audit import Head, run
from app.core.db import Database
from app.core.settings import Settings
from tests.flow.whole import settings_in


@dataclass
class Log:
    """A database with its audit log."""

    settings: Settings
    database: Database

    def write(self, count: int = 1, *, each: int = 10, **detail: object) -> None:
        """So many events, some in each transaction."""
        for begin in range(0, count, each):
            with self.database.transaction() as session:
                for number in range(begin, min(begin + each, count)):
                    told = {"step": f"s{number}", "reason": f"Jan de Vries vroeg het: {number}"} | detail
                    audit.record(session, "person:0199", "run.told", "run", f"r{number % 7}", **told)

    def sign(self) -> Head:
        """All that is there, signed; the head."""
        Signer(self.settings).sign(self.database, now=datetime.now(UTC), at_once=True)
        return self.head()

    def head(self) -> Head:
        with self.database.transaction(write=False) as session:
            return chain.head(session)

    def lines(self) -> list[bytes]:
        """The log as it is exported."""
        with self.database.transaction(write=False) as session:
            return [line for _, line in chain.lines(session.connection())]

    def export(self, file: Path) -> Path:
        file.write_bytes(b"".join(line + b"\n" for line in self.lines()))
        return file

    def verified(self, *kept: Head) -> dict:
        return keeper.verified(self.database, list(kept))[0]


def new_log(folder: Path, url: str | None = None) -> Log:
    """An empty log."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = settings_in(folder, database_url=url)
    database = Database(settings.url)
    migrations.upgrade(database)
    return Log(settings, database)


def broken(lines: list[bytes], *kept: Head) -> str:
    """Why these lines are refused; empty where they are not."""
    report, status = run(lines, kept)
    assert (status == 0) == report["ok"]
    return report.get("broken", "")
