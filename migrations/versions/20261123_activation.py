"""The real thing: activations, what is owed for a lost side, and figures that became known later."""

import sqlalchemy as sa
from alembic import op

revision = "efde24ac92ca"
down_revision = "f8fda56ba31a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rows that are there, and processes of the version before, know nothing of the new columns: so each has a default.
    op.create_table(
        "activation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("alarm_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outage_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("scenario", sa.String(length=40), nullable=False),
        sa.Column("lost", sa.JSON(), nullable=False),
        sa.Column("declared_by", sa.String(length=80), nullable=False),
        sa.Column("break_glass", sa.Boolean(), nullable=False),
        sa.Column("alerted", sa.JSON(), nullable=False),
        sa.Column("drill_run_id", sa.String(length=36), nullable=True),
        sa.Column("carried", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_activation_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activation")),
        sa.UniqueConstraint("run_id", name=op.f("uq_activation_run_id")),
    )
    with op.batch_alter_table("activation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_activation_drill_run_id"), ["drill_run_id"], unique=False)

    op.create_table(
        "run_addition",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_run_id", sa.String(length=36), nullable=False),
        sa.Column("step_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_addition_run_id_run")),
        sa.ForeignKeyConstraint(["source_run_id"], ["run.id"], name=op.f("fk_run_addition_source_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_addition")),
    )
    with op.batch_alter_table("run_addition", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_addition_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_addition_source_run_id"), ["source_run_id"], unique=False)

    with op.batch_alter_table("obligation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(length=40), nullable=False, server_default="clean-up"))
        batch_op.add_column(sa.Column("text", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("step_id", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("pair_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("side", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("runner", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("bars", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("settled_by", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("evidence", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.create_index(batch_op.f("ix_obligation_kind"), ["kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_obligation_pair_id"), ["pair_id"], unique=False)

    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("activation", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("outage_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_column("outage_at")
        batch_op.drop_column("activation")

    with op.batch_alter_table("obligation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_obligation_pair_id"))
        batch_op.drop_index(batch_op.f("ix_obligation_kind"))
        batch_op.drop_column("evidence")
        batch_op.drop_column("settled_by")
        batch_op.drop_column("bars")
        batch_op.drop_column("runner")
        batch_op.drop_column("side")
        batch_op.drop_column("pair_id")
        batch_op.drop_column("step_id")
        batch_op.drop_column("text")
        batch_op.drop_column("kind")

    with op.batch_alter_table("run_addition", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_addition_source_run_id"))
        batch_op.drop_index(batch_op.f("ix_run_addition_run_id"))

    op.drop_table("run_addition")
    with op.batch_alter_table("activation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_activation_drill_run_id"))

    op.drop_table("activation")
