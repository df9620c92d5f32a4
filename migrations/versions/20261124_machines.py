"""From where a machine token was used, and clients that a provider vouches for: these have no secret of ours."""

import sqlalchemy as sa
from alembic import op

revision = "c52e8b3f7a10"
down_revision = "b1f6a27c90de"
branch_labels = None
depends_on = None

LIVE = sa.text("revoked_at IS NULL")


def upgrade() -> None:
    with op.batch_alter_table("machine_token", schema=None) as batch_op:
        batch_op.alter_column("token_hash", existing_type=sa.String(length=64), nullable=True)
        batch_op.add_column(sa.Column("client_id", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("subject", sa.String(length=200), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("last_used_from", sa.String(length=64), nullable=False, server_default=""))
        batch_op.create_index(
            "uq_machine_token_client_id", ["client_id"], unique=True, sqlite_where=LIVE, postgresql_where=LIVE
        )


def downgrade() -> None:
    # What has no secret cannot be kept.
    op.execute(
        "DELETE FROM role_grant WHERE machine_token_id IN (SELECT id FROM machine_token WHERE token_hash IS NULL)"
    )
    op.execute("DELETE FROM machine_token WHERE token_hash IS NULL")
    with op.batch_alter_table("machine_token", schema=None) as batch_op:
        batch_op.drop_index("uq_machine_token_client_id")
        batch_op.drop_column("last_used_from")
        batch_op.drop_column("subject")
        batch_op.drop_column("client_id")
        batch_op.alter_column("token_hash", existing_type=sa.String(length=64), nullable=False)
