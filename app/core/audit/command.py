"""What `wissel verify-audit` does: the one verifier, on the database of the settings or on an exported log."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from app.core.audit.keeper import verified
from app.core.audit.verify_audit import Head, in_words, lines_of, run
from app.core.db import Database
from app.core.settings import Settings

__all__ = ["in_words", "verify"]


def verify(
    settings: Settings, heads: Sequence[str], keys: Sequence[str], export: Path | None
) -> tuple[dict[str, Any], int]:
    """The report and the exit status. Raises ValueError where a head is none."""
    kept = [Head.of(each) for each in heads]
    if export is not None:
        return run(lines_of(export), kept, keys)
    if not settings.names_a_database:
        return {"ok": False, "broken": f"could not look: there is no database in {settings.data_dir}"}, 3
    database = Database(settings.url)
    try:
        return verified(database, kept, list(keys))
    except DBAPIError as error:
        return {"ok": False, "broken": f"could not look: {str(error).splitlines()[0]}"}, 3
    finally:
        database.dispose()
