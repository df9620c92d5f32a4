"""Roles in a part of the organisation, what a machine token is for, and when a person proved who they are."""

import sqlalchemy as sa
from alembic import op

revision = "4d0c7e51a2b8"
down_revision = "7c41b0d2e9f3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "role_grant",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("machine_token_id", sa.String(length=36), nullable=True),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("unit", sa.String(length=200), nullable=False),
        sa.Column("at_service_id", sa.String(length=36), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["machine_token_id"], ["machine_token.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("role_grant", schema=None) as batch_op:
        batch_op.create_index("ix_role_grant_machine_token_id", ["machine_token_id"], unique=False)
        batch_op.create_index("ix_role_grant_person_id", ["person_id"], unique=False)
    with op.batch_alter_table("machine_token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("actions", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("user_session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("user_session", schema=None) as batch_op:
        batch_op.drop_column("proved_at")
    with op.batch_alter_table("machine_token", schema=None) as batch_op:
        batch_op.drop_column("last_used_at")
        batch_op.drop_column("actions")
    op.drop_table("role_grant")
