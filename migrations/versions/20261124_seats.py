"""Whose seat an approval fills: deputies, the process owner as a person, who changed a drill or set a run going."""

import sqlalchemy as sa
from alembic import op

revision = "b1f6a27c90de"
down_revision = "4d0c7e51a2b8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person_absence",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("deputy_id", sa.String(length=36), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["deputy_id"], ["person.id"], name=op.f("fk_person_absence_deputy_id_person")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_person_absence_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_absence")),
    )
    with op.batch_alter_table("person_absence", schema=None) as batch_op:
        for name in ("deputy_id", "ends_on", "person_id", "starts_on"):
            batch_op.create_index(batch_op.f(f"ix_person_absence_{name}"), [name], unique=False)
    # Processes of the version before know nothing of the new columns: so each has a default.
    with op.batch_alter_table("drill", schema=None) as batch_op:
        batch_op.add_column(sa.Column("editors", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("started_by", sa.String(length=80), nullable=False, server_default=""))
    with op.batch_alter_table("run_approval", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stands_in_for", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("service", schema=None) as batch_op:
        batch_op.add_column(sa.Column("process_owner_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_service_process_owner_id"), ["process_owner_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_service_process_owner_id_person"), "person", ["process_owner_id"], ["id"]
        )
    _link_owners(op.get_bind())


def _link_owners(connection: sa.Connection) -> None:
    """The process owner of each service as far as its text names one active person, and no other, up to now."""
    person = sa.table("person", *(sa.column(name) for name in ("id", "ref", "email", "name", "active")))
    service = sa.table("service", *(sa.column(name) for name in ("id", "process_owner", "process_owner_id")))
    known: dict[str, set[str]] = {}
    for row in connection.execute(sa.select(person).where(person.c.active == sa.true())).all():
        for name in {" ".join(str(each).split()).casefold() for each in (row.id, row.ref, row.email, row.name)}:
            known.setdefault(name, set()).add(row.id)
    for row in connection.execute(sa.select(service)).all():
        named = known.get(" ".join(row.process_owner.split()).casefold(), set())
        if len(named) == 1:
            link = service.update().where(service.c.id == row.id)
            connection.execute(link.values(process_owner_id=next(iter(named))))


def downgrade() -> None:
    with op.batch_alter_table("service", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_service_process_owner_id_person"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_service_process_owner_id"))
        batch_op.drop_column("process_owner_id")
    with op.batch_alter_table("run_approval", schema=None) as batch_op:
        batch_op.drop_column("stands_in_for")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_column("started_by")
    with op.batch_alter_table("drill", schema=None) as batch_op:
        batch_op.drop_column("editors")
    op.drop_table("person_absence")
