"""Who takes part in a run beside its drill's participants, and since when something is owed."""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

revision = "7c41b0d2e9f3"
down_revision = "2a6a85dab410"
branch_labels = None
depends_on = None

WITHIN = {"debt": timedelta(days=14), "review": timedelta(hours=72)}
"""How long after it came to be an obligation of this kind was due, up to now; the others had no fixed time."""


def upgrade() -> None:
    # Processes of the version before know nothing of the new columns: so each has a default.
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("joined", sa.JSON(), nullable=False, server_default="[]"))
    now = sa.text("CURRENT_TIMESTAMP")
    with op.batch_alter_table("obligation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now))
    table = sa.table(
        "obligation",
        sa.column("id", sa.String),
        sa.column("run_id", sa.String),
        sa.column("kind", sa.String),
        sa.column("due_at", sa.DateTime(timezone=True)),
        sa.column("created_at", sa.DateTime(timezone=True)),
    )
    run = sa.table("run", sa.column("id", sa.String), sa.column("ended_at", sa.DateTime(timezone=True)))
    owed = sa.select(table.c.id, table.c.kind, table.c.due_at, run.c.ended_at).join(run, run.c.id == table.c.run_id)
    connection = op.get_bind()
    for row in connection.execute(owed).all():
        since = row.due_at - WITHIN[row.kind] if row.kind in WITHIN else row.ended_at
        if since is not None:
            connection.execute(table.update().where(table.c.id == row.id).values(created_at=since))


def downgrade() -> None:
    with op.batch_alter_table("obligation", schema=None) as batch_op:
        batch_op.drop_column("created_at")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_column("joined")
