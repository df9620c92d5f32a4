"""Which secrets the workers hold, by name."""

import sqlalchemy as sa
from alembic import op

revision = "b83f5d0e6a17"
down_revision = "c3a91f5e7d20"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site_secrets",
        sa.Column("boot_id", sa.String(36), nullable=False),
        sa.Column("sites", sa.String(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("commands", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("boot_id", name=op.f("pk_site_secrets")),
    )


def downgrade() -> None:
    op.drop_table("site_secrets")
