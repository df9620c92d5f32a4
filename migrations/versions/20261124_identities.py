"""Which roles a person has for their groups at a provider."""

import sqlalchemy as sa
from alembic import op

revision = "f60a2c9b81de"
down_revision = "b3d9e1f04c77"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("provider_identity", schema=None) as batch_op:
        batch_op.add_column(sa.Column("given_roles", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("provider_identity", schema=None) as batch_op:
        batch_op.drop_column("given_roles")
