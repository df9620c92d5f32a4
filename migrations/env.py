"""Runs migrations on the database of the settings, or on a connection that a caller hands over."""

from alembic import context
from sqlalchemy import Connection

from app.core.db import NAMING, make_engine
from app.core.settings import Settings
from app.tables import METADATA

METADATA.naming_convention = NAMING


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """DBOS keeps its own tables and migrations."""
    return not (
        kind == "table"
        and name is not None
        and (name.startswith(("dbos", "datasource")) or name == "transaction_completion")
    )


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=connection.dialect.name == "sqlite",
        include_name=_ours,
        compare_type=True,
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
