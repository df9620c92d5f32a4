"""Runs migrations on the database of the settings, or on a connection that a caller hands over."""

from alembic import context
from sqlalchemy import Connection
from sqlmodel.sql.sqltypes import AutoString

from app.core.columns import UtcTime, Word
from app.core.db import make_engine
from app.core.settings import Settings
from app.tables import METADATA


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """DBOS keeps its own tables and migrations."""
    return not (
        kind == "table"
        and name is not None
        and (name.startswith(("dbos", "datasource")) or name == "transaction_completion")
    )


def _plain_type(kind: str, thing: object, _context: object) -> str | bool:
    """Our column types as what they are in the database, so that a migration never imports the application."""
    if kind != "type":
        return False
    if isinstance(thing, UtcTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(thing, Word):
        return "sa.String(length=40)"
    if isinstance(thing, AutoString):
        return f"sa.String(length={thing.length})" if thing.length else "sa.String()"
    return False


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=connection.dialect.name == "sqlite",
        include_name=_ours,
        compare_type=True,
        render_item=_plain_type,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _migrate(given)
else:
    engine = make_engine(Settings().url)
    with engine.begin() as opened:
        _migrate(opened)
    engine.dispose()
