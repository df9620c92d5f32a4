"""Lets the people of a test answer for things: as if they had proved who they are, without the slow hashing of it.

The way that people really go (password, second factor, proof) has tests of its own: test_accounts.py, and the
demonstration goes it through the API.
"""

from datetime import UTC, datetime

from sqlalchemy import update

from app.access.models import UserSession
from app.core.db import Database

ALWAYS = datetime(2199, 12, 31, tzinfo=UTC)
"""Later than any clock that a test sets."""


def prove_all(database: Database) -> None:
    """Every session of this moment counts as proved, whatever the time of the test."""
    with database.transaction() as session:
        session.execute(update(UserSession).values(proved_at=ALWAYS))
