"""missed tests: planned tests of a plan that did not begin."""

import sqlalchemy as sa
from alembic import op

revision = "f6c1f673a4c9"
down_revision = "6b2c5184e755"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "missed_test",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason_code", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_missed_test_plan_id_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_missed_test")),
    )
    with op.batch_alter_table("missed_test", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_missed_test_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_missed_test_plan_id"), ["plan_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("missed_test", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_missed_test_plan_id"))
        batch_op.drop_index(batch_op.f("ix_missed_test_at"))

    op.drop_table("missed_test")
