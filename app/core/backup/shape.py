"""What a backup file holds: a plain ZIP without compression, a manifest, a part per table, a part per evidence file."""

import re
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

FORMAT = "wissel-backup-1"
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 64 * 1024 * 1024
TABLE_PART = re.compile(r"^tables/([a-z][a-z0-9_]{0,62})\.jsonl$")
EVIDENCE_PART = re.compile(r"^evidence/([0-9a-f]{64})$")
LEFT_OUT = frozenset(
    {
        *("alembic_version", "local_account", "machine_token", "recovery_code", "sign_in_attempt", "sign_in_link"),
        *("user_session", "worker_lease"),
    }
)
"""Tables that no backup holds: what opens a door (sessions, one-time links, passwords and second factors, machine
tokens: one that was changed or revoked after the backup would open it again) and what means something only to a living
process (leases)."""
ENGINE = ("dbos", "datasource", "transaction_completion", "reserve_of_pages")
"""Beginnings of the names of tables that are not ours: the engine's own (two are of the version before), and a claim of
room that was cut off."""


class BackupRefused(Exception):
    """The file, or the place to restore to, can't be used; the text says why and nothing was changed."""


class Part(BaseModel):
    """One part of the file, as the manifest tells it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0)
    rows: int = Field(default=0, ge=0)
    """Lines, for a table."""


class Manifest(BaseModel):
    """The contents of a backup."""

    model_config = ConfigDict(extra="forbid")
    format: str
    version: str
    """Of Wissel that made it."""
    revision: str = Field(pattern="^[0-9a-zA-Z_]{1,64}$")
    """Of the database's schema."""
    taken_at: datetime
    """Moment of the snapshot: what was acknowledged before is in it."""
    database: str
    """Kind it was taken from; it can be restored into any other."""
    organisation: str = ""
    tables: dict[str, Part]
    evidence: dict[str, int]
    """Size by SHA-256."""
    missing: list[str] = []
    """Evidence that rows name and that the store did not hold unharmed when the backup was made."""
    left_out: list[str] = []

    @property
    def rows(self) -> int:
        """Rows in all tables."""
        return sum(part.rows for part in self.tables.values())


def table_part(name: str) -> str:
    """The name of a table's part."""
    return f"tables/{name}.jsonl"


def evidence_part(sha256: str) -> str:
    """The name of an evidence file's part."""
    return f"evidence/{sha256}"
