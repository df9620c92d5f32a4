"""first tables."""

import sqlalchemy as sa
from alembic import op

revision = "f8fda56ba31a"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "audit_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("object_kind", sa.String(length=40), nullable=False),
        sa.Column("object_id", sa.String(length=80), nullable=False),
        sa.Column("result", sa.String(length=20), nullable=False),
        sa.Column("origin", sa.String(length=80), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_event_actor"), ["actor"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_event_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_event_object_id"), ["object_id"], unique=False)

    op.create_table(
        "catalog_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("row_id", sa.String(length=36), nullable=False),
        sa.Column("row_ref", sa.String(length=20), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("touches", sa.JSON(), nullable=False),
        sa.Column("substantive", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_change")),
    )
    with op.batch_alter_table("catalog_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_catalog_change_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_catalog_change_row_id"), ["row_id"], unique=False)

    op.create_table(
        "environment_lock",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_environment_lock")),
    )
    with op.batch_alter_table("environment_lock", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_environment_lock_run_id"), ["run_id"], unique=False)

    op.create_table(
        "idempotent_answer",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("location", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotent_answer")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("functions", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("email", name=op.f("uq_person_email")),
        sa.UniqueConstraint("ref", name=op.f("uq_person_ref")),
    )
    op.create_table(
        "reference_counter",
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_reference_counter")),
    )
    op.create_table(
        "service",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("twin_key", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("process_owner", sa.String(length=200), nullable=False),
        sa.Column("service_owner", sa.String(length=200), nullable=False),
        sa.Column("unit", sa.String(length=200), nullable=False),
        sa.Column("function_supported", sa.String(length=500), nullable=False),
        sa.Column("criticality", sa.String(length=40), nullable=False),
        sa.Column("criticality_reason", sa.String(), nullable=False),
        sa.Column("assessed_on", sa.Date(), nullable=True),
        sa.Column("mtpd", sa.BigInteger(), nullable=True),
        sa.Column("rto", sa.BigInteger(), nullable=True),
        sa.Column("rpo", sa.BigInteger(), nullable=True),
        sa.Column("mbco_number", sa.Float(), nullable=True),
        sa.Column("mbco_unit", sa.String(length=100), nullable=False),
        sa.Column("impact_over_time", sa.JSON(), nullable=False),
        sa.Column("reliance", sa.String(length=40), nullable=False),
        sa.Column("data_sensitivity", sa.String(length=40), nullable=False),
        sa.Column("country_at_rest", sa.String(length=7), nullable=False),
        sa.Column("country_processing", sa.String(length=7), nullable=False),
        sa.Column("substitutability", sa.String(length=40), nullable=False),
        sa.Column("substitutability_reason", sa.String(), nullable=False),
        sa.Column("reintegration", sa.String(length=40), nullable=False),
        sa.Column("alternatives_identified", sa.String(length=40), nullable=False),
        sa.Column("alternatives", sa.String(), nullable=False),
        sa.Column("exit_plan_exists", sa.Boolean(), nullable=False),
        sa.Column("last_audit_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service")),
        sa.UniqueConstraint("ref", name=op.f("uq_service_ref")),
        sa.UniqueConstraint("twin_key", name=op.f("uq_service_twin_key")),
    )
    with op.batch_alter_table("service", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_service_archived_at"), ["archived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_service_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_service_criticality"), ["criticality"], unique=False)
        batch_op.create_index(batch_op.f("ix_service_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_service_unit"), ["unit"], unique=False)

    op.create_table(
        "supplier",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("twin_key", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.Column("code_type", sa.String(length=40), nullable=True),
        sa.Column("has_parent", sa.String(length=40), nullable=False),
        sa.Column("ultimate_parent_id", sa.String(length=36), nullable=True),
        sa.Column("country", sa.String(length=7), nullable=False),
        sa.Column("watch_level", sa.String(length=40), nullable=False),
        sa.Column("watch_reason", sa.String(), nullable=False),
        sa.Column("watch_since", sa.Date(), nullable=True),
        sa.Column("signals", sa.JSON(), nullable=False),
        sa.Column("assurance_reports", sa.JSON(), nullable=False),
        sa.Column("own_review_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ultimate_parent_id"], ["supplier.id"], name=op.f("fk_supplier_ultimate_parent_id_supplier")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplier")),
        sa.UniqueConstraint("ref", name=op.f("uq_supplier_ref")),
        sa.UniqueConstraint("twin_key", name=op.f("uq_supplier_twin_key")),
    )
    with op.batch_alter_table("supplier", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_supplier_archived_at"), ["archived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_supplier_country"), ["country"], unique=False)
        batch_op.create_index(batch_op.f("ix_supplier_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_supplier_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_supplier_ultimate_parent_id"), ["ultimate_parent_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_supplier_watch_level"), ["watch_level"], unique=False)

    op.create_table(
        "worker_lease",
        sa.Column("boot_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("sites", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("boot_id", name=op.f("pk_worker_lease")),
    )
    with op.batch_alter_table("worker_lease", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_worker_lease_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "blackout",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service_id", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_blackout_service_id_service")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blackout")),
        sa.UniqueConstraint("ref", name=op.f("uq_blackout_ref")),
    )
    with op.batch_alter_table("blackout", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_blackout_ends_at"), ["ends_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_blackout_service_id"), ["service_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_blackout_starts_at"), ["starts_at"], unique=False)

    op.create_table(
        "contract",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("twin_key", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=500), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("supplier_id", sa.String(length=36), nullable=False),
        sa.Column("overarching_id", sa.String(length=36), nullable=True),
        sa.Column("cost_cents", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("notice_own", sa.BigInteger(), nullable=True),
        sa.Column("notice_supplier", sa.BigInteger(), nullable=True),
        sa.Column("law", sa.String(length=7), nullable=False),
        sa.Column("framework", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["overarching_id"], ["contract.id"], name=op.f("fk_contract_overarching_id_contract")),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_contract_supplier_id_supplier")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract")),
        sa.UniqueConstraint("ref", name=op.f("uq_contract_ref")),
        sa.UniqueConstraint("twin_key", name=op.f("uq_contract_twin_key")),
    )
    with op.batch_alter_table("contract", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contract_archived_at"), ["archived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_contract_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_contract_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_contract_overarching_id"), ["overarching_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_contract_supplier_id"), ["supplier_id"], unique=False)

    op.create_table(
        "machine_token",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(length=12), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name=op.f("fk_machine_token_created_by_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machine_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_machine_token_token_hash")),
    )
    with op.batch_alter_table("machine_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_machine_token_created_by"), ["created_by"], unique=False)

    op.create_table(
        "playbook_version",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("modes", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("author_id", sa.String(length=36), nullable=True),
        sa.Column("reviewer_id", sa.String(length=36), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("review_note", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["author_id"], ["person.id"], name=op.f("fk_playbook_version_author_id_person")),
        sa.ForeignKeyConstraint(["reviewer_id"], ["person.id"], name=op.f("fk_playbook_version_reviewer_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playbook_version")),
        sa.UniqueConstraint("name", "sha256", name=op.f("uq_playbook_version_name_sha256")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_playbook_version_name_version")),
    )
    with op.batch_alter_table("playbook_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_playbook_version_author_id"), ["author_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_playbook_version_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_playbook_version_reviewer_id"), ["reviewer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_playbook_version_sha256"), ["sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_playbook_version_state"), ["state"], unique=False)

    op.create_table(
        "service_dependency",
        sa.Column("service_id", sa.String(length=36), nullable=False),
        sa.Column("depends_on_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["depends_on_id"], ["service.id"], name=op.f("fk_service_dependency_depends_on_id_service")
        ),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_service_dependency_service_id_service")),
        sa.PrimaryKeyConstraint("service_id", "depends_on_id", name=op.f("pk_service_dependency")),
    )
    with op.batch_alter_table("service_dependency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_service_dependency_depends_on_id"), ["depends_on_id"], unique=False)

    op.create_table(
        "sign_in_link",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_sign_in_link_person_id_person")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_in_link")),
    )
    with op.batch_alter_table("sign_in_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_link_person_id"), ["person_id"], unique=False)

    op.create_table(
        "site",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("twin_key", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("supplier_id", sa.String(length=36), nullable=True),
        sa.Column("country", sa.String(length=7), nullable=False),
        sa.Column("address", sa.String(length=500), nullable=False),
        sa.Column("capacity", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_site_supplier_id_supplier")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("ref", name=op.f("uq_site_ref")),
        sa.UniqueConstraint("twin_key", name=op.f("uq_site_twin_key")),
    )
    with op.batch_alter_table("site", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_site_archived_at"), ["archived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_site_country"), ["country"], unique=False)
        batch_op.create_index(batch_op.f("ix_site_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_site_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_site_supplier_id"), ["supplier_id"], unique=False)

    op.create_table(
        "supply_chain_link",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("twin_key", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.String(length=36), nullable=False),
        sa.Column("supplier_id", sa.String(length=36), nullable=False),
        sa.Column("recipient_id", sa.String(length=36), nullable=True),
        sa.Column("country", sa.String(length=7), nullable=False),
        sa.Column("role", sa.String(length=500), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["supplier.id"], name=op.f("fk_supply_chain_link_recipient_id_supplier")
        ),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_supply_chain_link_service_id_service")),
        sa.ForeignKeyConstraint(
            ["supplier_id"], ["supplier.id"], name=op.f("fk_supply_chain_link_supplier_id_supplier")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supply_chain_link")),
        sa.UniqueConstraint("ref", name=op.f("uq_supply_chain_link_ref")),
        sa.UniqueConstraint("twin_key", name=op.f("uq_supply_chain_link_twin_key")),
    )
    with op.batch_alter_table("supply_chain_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_supply_chain_link_archived_at"), ["archived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_supply_chain_link_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_supply_chain_link_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_supply_chain_link_recipient_id"), ["recipient_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_supply_chain_link_service_id"), ["service_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_supply_chain_link_supplier_id"), ["supplier_id"], unique=False)

    op.create_table(
        "user_session",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_user_session_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_user_session_token_hash")),
    )
    with op.batch_alter_table("user_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_session_person_id"), ["person_id"], unique=False)

    op.create_table(
        "contract_service",
        sa.Column("contract_id", sa.String(length=36), nullable=False),
        sa.Column("service_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contract.id"], name=op.f("fk_contract_service_contract_id_contract")
        ),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_contract_service_service_id_service")),
        sa.PrimaryKeyConstraint("contract_id", "service_id", name=op.f("pk_contract_service")),
    )
    with op.batch_alter_table("contract_service", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contract_service_service_id"), ["service_id"], unique=False)

    op.create_table(
        "environment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("twin_key", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("supplier_id", sa.String(length=36), nullable=True),
        sa.Column("identity_provider", sa.String(length=200), nullable=False),
        sa.Column("dns_provider", sa.String(length=200), nullable=False),
        sa.Column("certificate_holder", sa.String(length=200), nullable=False),
        sa.Column("key_people", sa.JSON(), nullable=False),
        sa.Column("driver", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_environment_service_id_service")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_environment_site_id_site")),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_environment_supplier_id_supplier")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environment")),
        sa.UniqueConstraint("ref", name=op.f("uq_environment_ref")),
        sa.UniqueConstraint("twin_key", name=op.f("uq_environment_twin_key")),
    )
    with op.batch_alter_table("environment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_environment_archived_at"), ["archived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_environment_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_environment_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_environment_service_id"), ["service_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_environment_site_id"), ["site_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_environment_supplier_id"), ["supplier_id"], unique=False)

    op.create_table(
        "measure",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("twin_key", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("contract_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("present", sa.String(length=40), nullable=False),
        sa.Column("clause", sa.String(length=500), nullable=False),
        sa.Column("triggers", sa.JSON(), nullable=False),
        sa.Column("time_to_effect", sa.BigInteger(), nullable=True),
        sa.Column("needs_supplier", sa.String(length=40), nullable=False),
        sa.Column("survives_bankruptcy", sa.String(length=40), nullable=False),
        sa.Column("opinion_ref", sa.String(length=500), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("escrow_agent", sa.String(length=200), nullable=False),
        sa.Column("deposit_every", sa.BigInteger(), nullable=True),
        sa.Column("last_deposit_on", sa.Date(), nullable=True),
        sa.Column("release_conditions", sa.String(), nullable=False),
        sa.Column("verification_level", sa.Integer(), nullable=True),
        sa.Column("vendor_level", sa.String(length=200), nullable=False),
        sa.Column("ip_owner", sa.String(length=200), nullable=False),
        sa.Column("transferable", sa.String(length=40), nullable=False),
        sa.Column("assurance", sa.String(length=40), nullable=True),
        sa.Column("last_tested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_result", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_measure_contract_id_contract")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measure")),
        sa.UniqueConstraint("ref", name=op.f("uq_measure_ref")),
        sa.UniqueConstraint("twin_key", name=op.f("uq_measure_twin_key")),
    )
    with op.batch_alter_table("measure", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_measure_archived_at"), ["archived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_measure_contract_id"), ["contract_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_measure_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_measure_kind"), ["kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_measure_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_measure_present"), ["present"], unique=False)

    op.create_table(
        "object",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("twin_key", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("supplier_id", sa.String(length=36), nullable=True),
        sa.Column("legal_owner", sa.String(length=200), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=True),
        sa.Column("location", sa.String(length=500), nullable=False),
        sa.Column("placement", sa.String(length=40), nullable=False),
        sa.Column("needed_for_mvo", sa.String(length=40), nullable=False),
        sa.Column("replaceable_in", sa.BigInteger(), nullable=True),
        sa.Column("access_without_supplier", sa.String(length=40), nullable=False),
        sa.Column("access_evidence", sa.String(length=500), nullable=False),
        sa.Column("access_proven_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("verified_on", sa.Date(), nullable=True),
        sa.Column("verified_by", sa.String(length=200), nullable=False),
        sa.Column("driver", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_object_site_id_site")),
        sa.ForeignKeyConstraint(["supplier_id"], ["supplier.id"], name=op.f("fk_object_supplier_id_supplier")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_object")),
        sa.UniqueConstraint("ref", name=op.f("uq_object_ref")),
        sa.UniqueConstraint("twin_key", name=op.f("uq_object_twin_key")),
    )
    with op.batch_alter_table("object", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_object_archived_at"), ["archived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_object_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_object_expires_on"), ["expires_on"], unique=False)
        batch_op.create_index(batch_op.f("ix_object_holder"), ["holder"], unique=False)
        batch_op.create_index(batch_op.f("ix_object_kind"), ["kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_object_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_object_site_id"), ["site_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_object_supplier_id"), ["supplier_id"], unique=False)

    op.create_table(
        "plan",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=40), nullable=True),
        sa.Column("service_id", sa.String(length=36), nullable=False),
        sa.Column("contract_id", sa.String(length=36), nullable=True),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("proven_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overdue_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_plan_contract_id_contract")),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_plan_owner_id_person")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_plan_service_id_service")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        sa.UniqueConstraint("ref", name=op.f("uq_plan_ref")),
    )
    with op.batch_alter_table("plan", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_archived_at"), ["archived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_contract_id"), ["contract_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_kind"), ["kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_owner_id"), ["owner_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_service_id"), ["service_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_status"), ["status"], unique=False)

    op.create_table(
        "environment_pair",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("twin_key", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.String(length=36), nullable=False),
        sa.Column("primary_id", sa.String(length=36), nullable=False),
        sa.Column("fallback_id", sa.String(length=36), nullable=False),
        sa.Column("service_url", sa.String(length=500), nullable=False),
        sa.Column("proxy", sa.JSON(), nullable=False),
        sa.Column("home_side", sa.String(length=40), nullable=False),
        sa.Column("home_since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["fallback_id"], ["environment.id"], name=op.f("fk_environment_pair_fallback_id_environment")
        ),
        sa.ForeignKeyConstraint(
            ["primary_id"], ["environment.id"], name=op.f("fk_environment_pair_primary_id_environment")
        ),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_environment_pair_service_id_service")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environment_pair")),
        sa.UniqueConstraint("ref", name=op.f("uq_environment_pair_ref")),
        sa.UniqueConstraint("twin_key", name=op.f("uq_environment_pair_twin_key")),
    )
    with op.batch_alter_table("environment_pair", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_environment_pair_archived_at"), ["archived_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_environment_pair_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_environment_pair_fallback_id"), ["fallback_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_environment_pair_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_environment_pair_primary_id"), ["primary_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_environment_pair_service_id"), ["service_id"], unique=False)

    op.create_table(
        "finding",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("open_key", sa.String(length=300), nullable=True),
        sa.Column("plan_id", sa.String(length=36), nullable=True),
        sa.Column("plan_version", sa.String(length=20), nullable=False),
        sa.Column("claim_key", sa.String(length=100), nullable=True),
        sa.Column("service_id", sa.String(length=36), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("object_ids", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("cause", sa.String(length=40), nullable=True),
        sa.Column("severity", sa.String(length=40), nullable=False),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("title_nl", sa.String(length=300), nullable=False),
        sa.Column("title_en", sa.String(length=300), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("impact_now", sa.String(length=40), nullable=True),
        sa.Column("control_now", sa.String(length=40), nullable=True),
        sa.Column("impact_after", sa.String(length=40), nullable=True),
        sa.Column("control_after", sa.String(length=40), nullable=True),
        sa.Column("opened_by", sa.String(length=80), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retest_run_id", sa.String(length=36), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_finding_owner_id_person")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_finding_plan_id_plan")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_finding_service_id_service")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
        sa.UniqueConstraint("open_key", name=op.f("uq_finding_open_key")),
        sa.UniqueConstraint("ref", name=op.f("uq_finding_ref")),
    )
    with op.batch_alter_table("finding", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_finding_cause"), ["cause"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_due_on"), ["due_on"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_key"), ["key"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_opened_at"), ["opened_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_owner_id"), ["owner_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_service_id"), ["service_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_severity"), ["severity"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_source"), ["source"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_state"), ["state"], unique=False)

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

    op.create_table(
        "mvo",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("unit", sa.String(length=200), nullable=False),
        sa.Column("plan_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_mvo_plan_id_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mvo")),
        sa.UniqueConstraint("ref", name=op.f("uq_mvo_ref")),
    )
    with op.batch_alter_table("mvo", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mvo_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_mvo_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_mvo_plan_id"), ["plan_id"], unique=False)

    op.create_table(
        "object_service",
        sa.Column("object_id", sa.String(length=36), nullable=False),
        sa.Column("service_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["object.id"], name=op.f("fk_object_service_object_id_object")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_object_service_service_id_service")),
        sa.PrimaryKeyConstraint("object_id", "service_id", name=op.f("pk_object_service")),
    )
    with op.batch_alter_table("object_service", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_object_service_service_id"), ["service_id"], unique=False)

    op.create_table(
        "plan_status_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("old", sa.String(length=40), nullable=True),
        sa.Column("new", sa.String(length=40), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("claims", sa.JSON(), nullable=False),
        sa.Column("proven_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overdue_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_plan_status_change_plan_id_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_status_change")),
    )
    with op.batch_alter_table("plan_status_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_status_change_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_status_change_plan_id"), ["plan_id"], unique=False)

    op.create_table(
        "proof",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("plan_major", sa.Integer(), nullable=False),
        sa.Column("claim_key", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.String(length=80), nullable=False),
        sa.Column("rto_ms", sa.BigInteger(), nullable=True),
        sa.Column("rpo_ms", sa.BigInteger(), nullable=True),
        sa.Column("hold_ms", sa.BigInteger(), nullable=True),
        sa.Column("mbco", sa.Float(), nullable=True),
        sa.Column("without_supplier", sa.String(length=40), nullable=False),
        sa.Column("mandatory_skipped", sa.Boolean(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("attested", sa.Boolean(), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("reason_nl", sa.String(), nullable=False),
        sa.Column("reason_en", sa.String(), nullable=False),
        sa.Column("level_why", sa.JSON(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_proof_plan_id_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proof")),
        sa.UniqueConstraint("run_id", "plan_id", "claim_key", "at", name=op.f("uq_proof_run_id_plan_id_claim_key_at")),
    )
    with op.batch_alter_table("proof", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_proof_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_proof_claim_key"), ["claim_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_proof_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_proof_recorded_at"), ["recorded_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_proof_run_id"), ["run_id"], unique=False)

    op.create_table(
        "acceptance",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("finding_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("what_can_happen", sa.String(), nullable=False),
        sa.Column("impact", sa.String(length=40), nullable=False),
        sa.Column("control", sa.String(length=40), nullable=False),
        sa.Column("alternatives", sa.JSON(), nullable=False),
        sa.Column("conditions", sa.String(), nullable=False),
        sa.Column("evidence_seen", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_by_id", sa.String(length=36), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by_id", sa.String(length=36), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mandate", sa.String(length=200), nullable=False),
        sa.Column("decision_reason", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["decided_by_id"], ["person.id"], name=op.f("fk_acceptance_decided_by_id_person")),
        sa.ForeignKeyConstraint(["finding_id"], ["finding.id"], name=op.f("fk_acceptance_finding_id_finding")),
        sa.ForeignKeyConstraint(["requested_by_id"], ["person.id"], name=op.f("fk_acceptance_requested_by_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acceptance")),
    )
    with op.batch_alter_table("acceptance", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_acceptance_decided_by_id"), ["decided_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_acceptance_finding_id"), ["finding_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_acceptance_requested_by_id"), ["requested_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_acceptance_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_acceptance_until"), ["until"], unique=False)

    op.create_table(
        "finding_action",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("finding_id", sa.String(length=36), nullable=False),
        sa.Column("what", sa.String(length=500), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["finding_id"], ["finding.id"], name=op.f("fk_finding_action_finding_id_finding")),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_finding_action_owner_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_action")),
    )
    with op.batch_alter_table("finding_action", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_finding_action_finding_id"), ["finding_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_action_owner_id"), ["owner_id"], unique=False)

    op.create_table(
        "finding_transition",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("finding_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("operation", sa.String(length=40), nullable=False),
        sa.Column("before", sa.String(length=40), nullable=False),
        sa.Column("after", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["finding_id"], ["finding.id"], name=op.f("fk_finding_transition_finding_id_finding")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_transition")),
    )
    with op.batch_alter_table("finding_transition", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_finding_transition_finding_id"), ["finding_id"], unique=False)

    op.create_table(
        "home_side_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pair_id", sa.String(length=36), nullable=False),
        sa.Column("side", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["environment_pair.id"], name=op.f("fk_home_side_change_pair_id_environment_pair")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_home_side_change")),
    )
    with op.batch_alter_table("home_side_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_home_side_change_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_home_side_change_pair_id"), ["pair_id"], unique=False)

    op.create_table(
        "mvo_version",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("mvo_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(length=80), nullable=False),
        sa.Column("approver_id", sa.String(length=36), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("board_approved_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["approver_id"], ["person.id"], name=op.f("fk_mvo_version_approver_id_person")),
        sa.ForeignKeyConstraint(["mvo_id"], ["mvo.id"], name=op.f("fk_mvo_version_mvo_id_mvo")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mvo_version")),
        sa.UniqueConstraint("mvo_id", "number", name=op.f("uq_mvo_version_mvo_id_number")),
    )
    with op.batch_alter_table("mvo_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mvo_version_approver_id"), ["approver_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_mvo_version_mvo_id"), ["mvo_id"], unique=False)

    op.create_table(
        "plan_version",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("major", sa.Integer(), nullable=False),
        sa.Column("minor", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("mvo_version_id", sa.String(length=36), nullable=True),
        sa.Column("criticality", sa.String(length=40), nullable=False),
        sa.Column("author", sa.String(length=80), nullable=False),
        sa.Column("editors", sa.JSON(), nullable=False),
        sa.Column("weakening_reason", sa.String(), nullable=False),
        sa.Column("first_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_review_on", sa.Date(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_by", sa.String(length=80), nullable=False),
        sa.Column("approver_id", sa.String(length=36), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["approver_id"], ["person.id"], name=op.f("fk_plan_version_approver_id_person")),
        sa.ForeignKeyConstraint(
            ["mvo_version_id"], ["mvo_version.id"], name=op.f("fk_plan_version_mvo_version_id_mvo_version")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_plan_version_plan_id_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_version")),
        sa.UniqueConstraint("plan_id", "major", "minor", name=op.f("uq_plan_version_plan_id_major_minor")),
    )
    with op.batch_alter_table("plan_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_version_approved_at"), ["approved_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_version_approver_id"), ["approver_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_version_mvo_version_id"), ["mvo_version_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_version_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_plan_version_state"), ["state"], unique=False)

    op.create_table(
        "drill",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("plan_version_id", sa.String(length=36), nullable=False),
        sa.Column("service_id", sa.String(length=36), nullable=True),
        sa.Column("pair_id", sa.String(length=36), nullable=True),
        sa.Column("scenario", sa.String(length=40), nullable=False),
        sa.Column("playbook_id", sa.String(length=36), nullable=False),
        sa.Column("mode", sa.String(length=40), nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=True),
        sa.Column("partner_id", sa.String(length=36), nullable=True),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("schedule", sa.JSON(), nullable=True),
        sa.Column("time_zone", sa.String(length=60), nullable=False),
        sa.Column("windows", sa.JSON(), nullable=False),
        sa.Column("grace_s", sa.Integer(), nullable=False),
        sa.Column("attendance", sa.String(length=40), nullable=False),
        sa.Column("on_call_id", sa.String(length=36), nullable=True),
        sa.Column("approvals", sa.JSON(), nullable=True),
        sa.Column("participants", sa.JSON(), nullable=False),
        sa.Column("objectives", sa.JSON(), nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("claims", sa.JSON(), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["on_call_id"], ["person.id"], name=op.f("fk_drill_on_call_id_person")),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_drill_owner_id_person")),
        sa.ForeignKeyConstraint(["pair_id"], ["environment_pair.id"], name=op.f("fk_drill_pair_id_environment_pair")),
        sa.ForeignKeyConstraint(["partner_id"], ["drill.id"], name=op.f("fk_drill_partner_id_drill")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_drill_plan_id_plan")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"], ["plan_version.id"], name=op.f("fk_drill_plan_version_id_plan_version")
        ),
        sa.ForeignKeyConstraint(
            ["playbook_id"], ["playbook_version.id"], name=op.f("fk_drill_playbook_id_playbook_version")
        ),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_drill_service_id_service")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drill")),
        sa.UniqueConstraint("ref", name=op.f("uq_drill_ref")),
    )
    with op.batch_alter_table("drill", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_drill_next_due_at"), ["next_due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_on_call_id"), ["on_call_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_owner_id"), ["owner_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_pair_id"), ["pair_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_partner_id"), ["partner_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_plan_version_id"), ["plan_version_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_playbook_id"), ["playbook_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_service_id"), ["service_id"], unique=False)

    op.create_table(
        "plan_claim",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("plan_version_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("says", sa.String(), nullable=False),
        sa.Column("families", sa.JSON(), nullable=False),
        sa.Column("min_level", sa.Integer(), nullable=False),
        sa.Column("valid_days", sa.Integer(), nullable=False),
        sa.Column("rto_s", sa.BigInteger(), nullable=True),
        sa.Column("rpo_s", sa.BigInteger(), nullable=True),
        sa.Column("min_hold_s", sa.BigInteger(), nullable=True),
        sa.Column("mbco", sa.Float(), nullable=True),
        sa.Column("mbco_unit", sa.String(length=100), nullable=False),
        sa.Column("without_supplier", sa.Boolean(), nullable=False),
        sa.Column("object_ids", sa.JSON(), nullable=False),
        sa.Column("measure_ids", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_version_id"], ["plan_version.id"], name=op.f("fk_plan_claim_plan_version_id_plan_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_claim")),
        sa.UniqueConstraint("plan_version_id", "key", name=op.f("uq_plan_claim_plan_version_id_key")),
    )
    with op.batch_alter_table("plan_claim", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_claim_plan_version_id"), ["plan_version_id"], unique=False)

    op.create_table(
        "weakening",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("plan_version_id", sa.String(length=36), nullable=True),
        sa.Column("claim_key", sa.String(length=100), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("before", sa.String(length=500), nullable=False),
        sa.Column("after", sa.String(length=500), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("requested_by", sa.String(length=80), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approver_id", sa.String(length=36), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["approver_id"], ["person.id"], name=op.f("fk_weakening_approver_id_person")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_weakening_plan_id_plan")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"], ["plan_version.id"], name=op.f("fk_weakening_plan_version_id_plan_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_weakening")),
    )
    with op.batch_alter_table("weakening", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_weakening_approver_id"), ["approver_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_weakening_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_weakening_plan_version_id"), ["plan_version_id"], unique=False)

    op.create_table(
        "drill_moment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("drill_id", sa.String(length=36), nullable=False),
        sa.Column("nominal_local", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("trigger", sa.String(length=40), nullable=False),
        sa.Column("reason_code", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["drill_id"], ["drill.id"], name=op.f("fk_drill_moment_drill_id_drill")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drill_moment")),
        sa.UniqueConstraint("drill_id", "nominal_local", name=op.f("uq_drill_moment_drill_id_nominal_local")),
    )
    with op.batch_alter_table("drill_moment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_drill_moment_drill_id"), ["drill_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_moment_due_at"), ["due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_moment_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_drill_moment_state"), ["state"], unique=False)

    op.create_table(
        "run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("drill_id", sa.String(length=36), nullable=False),
        sa.Column("moment_id", sa.String(length=36), nullable=True),
        sa.Column("nominal", sa.String(length=40), nullable=True),
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("plan_version_id", sa.String(length=36), nullable=False),
        sa.Column("plan_major", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.String(length=36), nullable=True),
        sa.Column("playbook_name", sa.String(length=80), nullable=False),
        sa.Column("playbook_version_id", sa.String(length=36), nullable=False),
        sa.Column("playbook_sha256", sa.String(length=64), nullable=False),
        sa.Column("playbook", sa.JSON(), nullable=False),
        sa.Column("mode", sa.String(length=40), nullable=False),
        sa.Column("direction", sa.String(length=40), nullable=False),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("unattended", sa.Boolean(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("lock_keys", sa.JSON(), nullable=False),
        sa.Column("tokens", sa.JSON(), nullable=False),
        sa.Column("pair_id", sa.String(length=36), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("starter", sa.String(length=80), nullable=False),
        sa.Column("author", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("ended", sa.String(length=40), nullable=True),
        sa.Column("end_reason", sa.JSON(), nullable=False),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("paused", sa.String(length=40), nullable=True),
        sa.Column("pause_reason", sa.JSON(), nullable=False),
        sa.Column("aborting", sa.Boolean(), nullable=False),
        sa.Column("abort_reason", sa.JSON(), nullable=False),
        sa.Column("undoing", sa.Boolean(), nullable=False),
        sa.Column("real", sa.Boolean(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("latest_start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("latest_end_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("alarm_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(length=40), nullable=True),
        sa.Column("verdict_reason", sa.JSON(), nullable=False),
        sa.Column("rta_ms", sa.Integer(), nullable=True),
        sa.Column("rpa_ms", sa.Integer(), nullable=True),
        sa.Column("decision_ms", sa.Integer(), nullable=True),
        sa.Column("technical_ms", sa.Integer(), nullable=True),
        sa.Column("proven", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["drill_id"], ["drill.id"], name=op.f("fk_run_drill_id_drill")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_run_plan_id_plan")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_run_service_id_service")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("drill_id", "nominal", name=op.f("uq_run_drill_id_nominal")),
        sa.UniqueConstraint("ref", name=op.f("uq_run_ref")),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_digest"), ["digest"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_drill_id"), ["drill_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_ended_at"), ["ended_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_moment_id"), ["moment_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_pair_id"), ["pair_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_planned_at"), ["planned_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_playbook_name"), ["playbook_name"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_service_id"), ["service_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_state"), ["state"], unique=False)

    op.create_table(
        "guard_state",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("guard_id", sa.String(length=40), nullable=False),
        sa.Column("seen", sa.String(length=40), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_guard_state_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guard_state")),
        sa.UniqueConstraint("run_id", "guard_id", name=op.f("uq_guard_state_run_id_guard_id")),
    )
    with op.batch_alter_table("guard_state", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_guard_state_run_id"), ["run_id"], unique=False)

    op.create_table(
        "obligation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("what", sa.String(length=500), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.String(length=80), nullable=True),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_obligation_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_obligation")),
    )
    with op.batch_alter_table("obligation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_obligation_due_at"), ["due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_obligation_run_id"), ["run_id"], unique=False)

    op.create_table(
        "run_approval",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("drill_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("as_owner", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.String(length=40), nullable=False),
        sa.Column("comment", sa.String(length=2000), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["drill_id"], ["drill.id"], name=op.f("fk_run_approval_drill_id_drill")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_run_approval_person_id_person")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_approval_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_approval")),
    )
    with op.batch_alter_table("run_approval", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_approval_digest"), ["digest"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_approval_drill_id"), ["drill_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_approval_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_approval_run_id"), ["run_id"], unique=False)

    op.create_table(
        "run_decision",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("step_id", sa.String(length=40), nullable=True),
        sa.Column("question", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("chosen", sa.String(length=60), nullable=False),
        sa.Column("decider", sa.String(length=200), nullable=False),
        sa.Column("mandate", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reversible", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_decision_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_decision")),
    )
    with op.batch_alter_table("run_decision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_decision_run_id"), ["run_id"], unique=False)

    op.create_table(
        "run_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("step_id", sa.String(length=40), nullable=True),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_event_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_event")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("run_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_event_run_id"), ["run_id"], unique=False)

    op.create_table(
        "run_observation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("objective", sa.String(length=200), nullable=False),
        sa.Column("text", sa.String(length=20000), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_observation_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_observation")),
    )
    with op.batch_alter_table("run_observation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_observation_run_id"), ["run_id"], unique=False)

    op.create_table(
        "seen_fact",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("fact", sa.String(length=300), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("step_id", sa.String(length=40), nullable=False),
        sa.Column("signed_by", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_seen_fact_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seen_fact")),
        sa.UniqueConstraint("run_id", "fact", name=op.f("uq_seen_fact_run_id_fact")),
    )
    with op.batch_alter_table("seen_fact", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_seen_fact_run_id"), ["run_id"], unique=False)

    op.create_table(
        "stay",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("pair_id", sa.String(length=36), nullable=False),
        sa.Column("service_id", sa.String(length=36), nullable=True),
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("side", sa.String(length=20), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=36), nullable=True),
        sa.Column("every_s", sa.Integer(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("longest_gap_ms", sa.Integer(), nullable=False),
        sa.Column("least_level", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_stay_plan_id_plan")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_stay_run_id_run")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_stay_service_id_service")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stay")),
    )
    with op.batch_alter_table("stay", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stay_pair_id"), ["pair_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_stay_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_stay_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_stay_service_id"), ["service_id"], unique=False)

    op.create_table(
        "step_run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("step_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("before_undo", sa.String(length=40), nullable=True),
        sa.Column("call", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("takeovers", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=200), nullable=False),
        sa.Column("driver", sa.JSON(), nullable=False),
        sa.Column("effect", sa.String(length=40), nullable=True),
        sa.Column("boot_id", sa.String(length=80), nullable=True),
        sa.Column("executor", sa.String(length=200), nullable=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("intent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_intent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("order", sa.Integer(), nullable=False),
        sa.Column("intended", sa.Boolean(), nullable=False),
        sa.Column("absent", sa.Boolean(), nullable=False),
        sa.Column("crashed", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(length=40), nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("chosen", sa.String(length=60), nullable=True),
        sa.Column("by", sa.String(length=80), nullable=True),
        sa.Column("comment", sa.String(length=2000), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("log", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_step_run_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_step_run")),
        sa.UniqueConstraint("run_id", "step_id", name=op.f("uq_step_run_run_id_step_id")),
    )
    with op.batch_alter_table("step_run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_step_run_boot_id"), ["boot_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_step_run_due_at"), ["due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_step_run_retry_at"), ["retry_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_step_run_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_step_run_site"), ["site"], unique=False)
        batch_op.create_index(batch_op.f("ix_step_run_state"), ["state"], unique=False)

    op.create_table(
        "evidence_file",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("step_run_id", sa.String(length=36), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(length=120), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_evidence_file_run_id_run")),
        sa.ForeignKeyConstraint(["step_run_id"], ["step_run.id"], name=op.f("fk_evidence_file_step_run_id_step_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_file")),
    )
    with op.batch_alter_table("evidence_file", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_evidence_file_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_file_sha256"), ["sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_file_step_run_id"), ["step_run_id"], unique=False)

    op.create_table(
        "run_answer",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("step_run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("option", sa.String(length=60), nullable=False),
        sa.Column("comment", sa.String(length=2000), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_answer_run_id_run")),
        sa.ForeignKeyConstraint(["step_run_id"], ["step_run.id"], name=op.f("fk_run_answer_step_run_id_step_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_answer")),
        sa.UniqueConstraint("step_run_id", "attempt", "person", name=op.f("uq_run_answer_step_run_id_attempt_person")),
    )
    with op.batch_alter_table("run_answer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_answer_run_id"), ["run_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_answer_step_run_id"), ["step_run_id"], unique=False)

    op.create_table(
        "stay_look",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("stay_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.String(length=40), nullable=False),
        sa.Column("level", sa.Float(), nullable=True),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.id"], name=op.f("fk_stay_look_stay_id_stay")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stay_look")),
    )
    with op.batch_alter_table("stay_look", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stay_look_stay_id"), ["stay_id"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("stay_look", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stay_look_stay_id"))

    op.drop_table("stay_look")
    with op.batch_alter_table("run_answer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_answer_step_run_id"))
        batch_op.drop_index(batch_op.f("ix_run_answer_run_id"))

    op.drop_table("run_answer")
    with op.batch_alter_table("evidence_file", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_evidence_file_step_run_id"))
        batch_op.drop_index(batch_op.f("ix_evidence_file_sha256"))
        batch_op.drop_index(batch_op.f("ix_evidence_file_run_id"))

    op.drop_table("evidence_file")
    with op.batch_alter_table("step_run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_step_run_state"))
        batch_op.drop_index(batch_op.f("ix_step_run_site"))
        batch_op.drop_index(batch_op.f("ix_step_run_run_id"))
        batch_op.drop_index(batch_op.f("ix_step_run_retry_at"))
        batch_op.drop_index(batch_op.f("ix_step_run_due_at"))
        batch_op.drop_index(batch_op.f("ix_step_run_boot_id"))

    op.drop_table("step_run")
    with op.batch_alter_table("stay", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stay_service_id"))
        batch_op.drop_index(batch_op.f("ix_stay_run_id"))
        batch_op.drop_index(batch_op.f("ix_stay_plan_id"))
        batch_op.drop_index(batch_op.f("ix_stay_pair_id"))

    op.drop_table("stay")
    with op.batch_alter_table("seen_fact", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_seen_fact_run_id"))

    op.drop_table("seen_fact")
    with op.batch_alter_table("run_observation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_observation_run_id"))

    op.drop_table("run_observation")
    with op.batch_alter_table("run_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_event_run_id"))

    op.drop_table("run_event")
    with op.batch_alter_table("run_decision", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_decision_run_id"))

    op.drop_table("run_decision")
    with op.batch_alter_table("run_approval", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_approval_run_id"))
        batch_op.drop_index(batch_op.f("ix_run_approval_person_id"))
        batch_op.drop_index(batch_op.f("ix_run_approval_drill_id"))
        batch_op.drop_index(batch_op.f("ix_run_approval_digest"))

    op.drop_table("run_approval")
    with op.batch_alter_table("obligation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_obligation_run_id"))
        batch_op.drop_index(batch_op.f("ix_obligation_due_at"))

    op.drop_table("obligation")
    with op.batch_alter_table("guard_state", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_guard_state_run_id"))

    op.drop_table("guard_state")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_state"))
        batch_op.drop_index(batch_op.f("ix_run_service_id"))
        batch_op.drop_index(batch_op.f("ix_run_playbook_name"))
        batch_op.drop_index(batch_op.f("ix_run_planned_at"))
        batch_op.drop_index(batch_op.f("ix_run_plan_id"))
        batch_op.drop_index(batch_op.f("ix_run_pair_id"))
        batch_op.drop_index(batch_op.f("ix_run_moment_id"))
        batch_op.drop_index(batch_op.f("ix_run_ended_at"))
        batch_op.drop_index(batch_op.f("ix_run_drill_id"))
        batch_op.drop_index(batch_op.f("ix_run_digest"))

    op.drop_table("run")
    with op.batch_alter_table("drill_moment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_drill_moment_state"))
        batch_op.drop_index(batch_op.f("ix_drill_moment_run_id"))
        batch_op.drop_index(batch_op.f("ix_drill_moment_due_at"))
        batch_op.drop_index(batch_op.f("ix_drill_moment_drill_id"))

    op.drop_table("drill_moment")
    with op.batch_alter_table("weakening", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_weakening_plan_version_id"))
        batch_op.drop_index(batch_op.f("ix_weakening_plan_id"))
        batch_op.drop_index(batch_op.f("ix_weakening_approver_id"))

    op.drop_table("weakening")
    with op.batch_alter_table("plan_claim", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_plan_claim_plan_version_id"))

    op.drop_table("plan_claim")
    with op.batch_alter_table("drill", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_drill_service_id"))
        batch_op.drop_index(batch_op.f("ix_drill_playbook_id"))
        batch_op.drop_index(batch_op.f("ix_drill_plan_version_id"))
        batch_op.drop_index(batch_op.f("ix_drill_plan_id"))
        batch_op.drop_index(batch_op.f("ix_drill_partner_id"))
        batch_op.drop_index(batch_op.f("ix_drill_pair_id"))
        batch_op.drop_index(batch_op.f("ix_drill_owner_id"))
        batch_op.drop_index(batch_op.f("ix_drill_on_call_id"))
        batch_op.drop_index(batch_op.f("ix_drill_next_due_at"))

    op.drop_table("drill")
    with op.batch_alter_table("plan_version", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_plan_version_state"))
        batch_op.drop_index(batch_op.f("ix_plan_version_plan_id"))
        batch_op.drop_index(batch_op.f("ix_plan_version_mvo_version_id"))
        batch_op.drop_index(batch_op.f("ix_plan_version_approver_id"))
        batch_op.drop_index(batch_op.f("ix_plan_version_approved_at"))

    op.drop_table("plan_version")
    with op.batch_alter_table("mvo_version", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mvo_version_mvo_id"))
        batch_op.drop_index(batch_op.f("ix_mvo_version_approver_id"))

    op.drop_table("mvo_version")
    with op.batch_alter_table("home_side_change", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_home_side_change_pair_id"))
        batch_op.drop_index(batch_op.f("ix_home_side_change_at"))

    op.drop_table("home_side_change")
    with op.batch_alter_table("finding_transition", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_finding_transition_finding_id"))

    op.drop_table("finding_transition")
    with op.batch_alter_table("finding_action", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_finding_action_owner_id"))
        batch_op.drop_index(batch_op.f("ix_finding_action_finding_id"))

    op.drop_table("finding_action")
    with op.batch_alter_table("acceptance", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_acceptance_until"))
        batch_op.drop_index(batch_op.f("ix_acceptance_state"))
        batch_op.drop_index(batch_op.f("ix_acceptance_requested_by_id"))
        batch_op.drop_index(batch_op.f("ix_acceptance_finding_id"))
        batch_op.drop_index(batch_op.f("ix_acceptance_decided_by_id"))

    op.drop_table("acceptance")
    with op.batch_alter_table("proof", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_proof_run_id"))
        batch_op.drop_index(batch_op.f("ix_proof_recorded_at"))
        batch_op.drop_index(batch_op.f("ix_proof_plan_id"))
        batch_op.drop_index(batch_op.f("ix_proof_claim_key"))
        batch_op.drop_index(batch_op.f("ix_proof_at"))

    op.drop_table("proof")
    with op.batch_alter_table("plan_status_change", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_plan_status_change_plan_id"))
        batch_op.drop_index(batch_op.f("ix_plan_status_change_at"))

    op.drop_table("plan_status_change")
    with op.batch_alter_table("object_service", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_object_service_service_id"))

    op.drop_table("object_service")
    with op.batch_alter_table("mvo", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mvo_plan_id"))
        batch_op.drop_index(batch_op.f("ix_mvo_name"))
        batch_op.drop_index(batch_op.f("ix_mvo_created_at"))

    op.drop_table("mvo")
    with op.batch_alter_table("missed_test", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_missed_test_plan_id"))
        batch_op.drop_index(batch_op.f("ix_missed_test_at"))

    op.drop_table("missed_test")
    with op.batch_alter_table("finding", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_finding_state"))
        batch_op.drop_index(batch_op.f("ix_finding_source"))
        batch_op.drop_index(batch_op.f("ix_finding_severity"))
        batch_op.drop_index(batch_op.f("ix_finding_service_id"))
        batch_op.drop_index(batch_op.f("ix_finding_run_id"))
        batch_op.drop_index(batch_op.f("ix_finding_plan_id"))
        batch_op.drop_index(batch_op.f("ix_finding_owner_id"))
        batch_op.drop_index(batch_op.f("ix_finding_opened_at"))
        batch_op.drop_index(batch_op.f("ix_finding_key"))
        batch_op.drop_index(batch_op.f("ix_finding_due_on"))
        batch_op.drop_index(batch_op.f("ix_finding_cause"))

    op.drop_table("finding")
    with op.batch_alter_table("environment_pair", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_environment_pair_service_id"))
        batch_op.drop_index(batch_op.f("ix_environment_pair_primary_id"))
        batch_op.drop_index(batch_op.f("ix_environment_pair_name"))
        batch_op.drop_index(batch_op.f("ix_environment_pair_fallback_id"))
        batch_op.drop_index(batch_op.f("ix_environment_pair_created_at"))
        batch_op.drop_index(batch_op.f("ix_environment_pair_archived_at"))

    op.drop_table("environment_pair")
    with op.batch_alter_table("plan", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_plan_status"))
        batch_op.drop_index(batch_op.f("ix_plan_service_id"))
        batch_op.drop_index(batch_op.f("ix_plan_owner_id"))
        batch_op.drop_index(batch_op.f("ix_plan_name"))
        batch_op.drop_index(batch_op.f("ix_plan_kind"))
        batch_op.drop_index(batch_op.f("ix_plan_created_at"))
        batch_op.drop_index(batch_op.f("ix_plan_contract_id"))
        batch_op.drop_index(batch_op.f("ix_plan_archived_at"))

    op.drop_table("plan")
    with op.batch_alter_table("object", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_object_supplier_id"))
        batch_op.drop_index(batch_op.f("ix_object_site_id"))
        batch_op.drop_index(batch_op.f("ix_object_name"))
        batch_op.drop_index(batch_op.f("ix_object_kind"))
        batch_op.drop_index(batch_op.f("ix_object_holder"))
        batch_op.drop_index(batch_op.f("ix_object_expires_on"))
        batch_op.drop_index(batch_op.f("ix_object_created_at"))
        batch_op.drop_index(batch_op.f("ix_object_archived_at"))

    op.drop_table("object")
    with op.batch_alter_table("measure", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_measure_present"))
        batch_op.drop_index(batch_op.f("ix_measure_name"))
        batch_op.drop_index(batch_op.f("ix_measure_kind"))
        batch_op.drop_index(batch_op.f("ix_measure_created_at"))
        batch_op.drop_index(batch_op.f("ix_measure_contract_id"))
        batch_op.drop_index(batch_op.f("ix_measure_archived_at"))

    op.drop_table("measure")
    with op.batch_alter_table("environment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_environment_supplier_id"))
        batch_op.drop_index(batch_op.f("ix_environment_site_id"))
        batch_op.drop_index(batch_op.f("ix_environment_service_id"))
        batch_op.drop_index(batch_op.f("ix_environment_name"))
        batch_op.drop_index(batch_op.f("ix_environment_created_at"))
        batch_op.drop_index(batch_op.f("ix_environment_archived_at"))

    op.drop_table("environment")
    with op.batch_alter_table("contract_service", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contract_service_service_id"))

    op.drop_table("contract_service")
    with op.batch_alter_table("user_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_user_session_person_id"))

    op.drop_table("user_session")
    with op.batch_alter_table("supply_chain_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_supply_chain_link_supplier_id"))
        batch_op.drop_index(batch_op.f("ix_supply_chain_link_service_id"))
        batch_op.drop_index(batch_op.f("ix_supply_chain_link_recipient_id"))
        batch_op.drop_index(batch_op.f("ix_supply_chain_link_name"))
        batch_op.drop_index(batch_op.f("ix_supply_chain_link_created_at"))
        batch_op.drop_index(batch_op.f("ix_supply_chain_link_archived_at"))

    op.drop_table("supply_chain_link")
    with op.batch_alter_table("site", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_site_supplier_id"))
        batch_op.drop_index(batch_op.f("ix_site_name"))
        batch_op.drop_index(batch_op.f("ix_site_created_at"))
        batch_op.drop_index(batch_op.f("ix_site_country"))
        batch_op.drop_index(batch_op.f("ix_site_archived_at"))

    op.drop_table("site")
    with op.batch_alter_table("sign_in_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_in_link_person_id"))

    op.drop_table("sign_in_link")
    with op.batch_alter_table("service_dependency", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_service_dependency_depends_on_id"))

    op.drop_table("service_dependency")
    with op.batch_alter_table("playbook_version", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_playbook_version_state"))
        batch_op.drop_index(batch_op.f("ix_playbook_version_sha256"))
        batch_op.drop_index(batch_op.f("ix_playbook_version_reviewer_id"))
        batch_op.drop_index(batch_op.f("ix_playbook_version_name"))
        batch_op.drop_index(batch_op.f("ix_playbook_version_author_id"))

    op.drop_table("playbook_version")
    with op.batch_alter_table("machine_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_machine_token_created_by"))

    op.drop_table("machine_token")
    with op.batch_alter_table("contract", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contract_supplier_id"))
        batch_op.drop_index(batch_op.f("ix_contract_overarching_id"))
        batch_op.drop_index(batch_op.f("ix_contract_name"))
        batch_op.drop_index(batch_op.f("ix_contract_created_at"))
        batch_op.drop_index(batch_op.f("ix_contract_archived_at"))

    op.drop_table("contract")
    with op.batch_alter_table("blackout", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_blackout_starts_at"))
        batch_op.drop_index(batch_op.f("ix_blackout_service_id"))
        batch_op.drop_index(batch_op.f("ix_blackout_ends_at"))

    op.drop_table("blackout")
    with op.batch_alter_table("worker_lease", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_worker_lease_expires_at"))

    op.drop_table("worker_lease")
    with op.batch_alter_table("supplier", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_supplier_watch_level"))
        batch_op.drop_index(batch_op.f("ix_supplier_ultimate_parent_id"))
        batch_op.drop_index(batch_op.f("ix_supplier_name"))
        batch_op.drop_index(batch_op.f("ix_supplier_created_at"))
        batch_op.drop_index(batch_op.f("ix_supplier_country"))
        batch_op.drop_index(batch_op.f("ix_supplier_archived_at"))

    op.drop_table("supplier")
    with op.batch_alter_table("service", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_service_unit"))
        batch_op.drop_index(batch_op.f("ix_service_name"))
        batch_op.drop_index(batch_op.f("ix_service_criticality"))
        batch_op.drop_index(batch_op.f("ix_service_created_at"))
        batch_op.drop_index(batch_op.f("ix_service_archived_at"))

    op.drop_table("service")
    op.drop_table("reference_counter")
    op.drop_table("person")
    op.drop_table("idempotent_answer")
    with op.batch_alter_table("environment_lock", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_environment_lock_run_id"))

    op.drop_table("environment_lock")
    with op.batch_alter_table("catalog_change", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_catalog_change_row_id"))
        batch_op.drop_index(batch_op.f("ix_catalog_change_at"))

    op.drop_table("catalog_change")
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_event_object_id"))
        batch_op.drop_index(batch_op.f("ix_audit_event_at"))
        batch_op.drop_index(batch_op.f("ix_audit_event_actor"))

    op.drop_table("audit_event")
