"""The audit log as a chain: a link per event, texts that can be erased, checkpoints, and nobody changes a row.

The chain itself is begun by the program, at its first event or start: it links the rows that are here by then.
"""

import hashlib
import json
import re
import secrets

import sqlalchemy as sa
from alembic import op

revision = "c3a91f5e7d20"
down_revision = "e7c05b3d18fa"
branch_labels = None
depends_on = None

FREE = re.compile(r"name|mail|reason|comment|note|text|title|contact|phone|person|description|address|answer|because")
WORD = re.compile(r"[a-z0-9][a-z0-9_.:/+-]{0,79}|[A-Z]{2,6}-[0-9]{1,9}|[0-9T:.+-]{10,35}Z?|")
FOR_EVER = ("audit_event", "audit_link", "audit_checkpoint", "audit_stamp")
PRIVATE = "audit_private"


def upgrade() -> None:
    _tables()
    _seal_texts(op.get_bind())
    if op.get_bind().dialect.name == "sqlite":
        _walls_of_sqlite()
    else:
        _walls_of_postgres()


def _tables() -> None:
    op.create_table(
        "audit_link",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["audit_event.id"], name=op.f("fk_audit_link_event_id_audit_event")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_link")),
        sa.UniqueConstraint("event_id", name=op.f("uq_audit_link_event_id")),
    )
    op.create_table(
        PRIVATE,
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=400), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["audit_event.id"], name=op.f("fk_audit_private_event_id_audit_event")),
        sa.PrimaryKeyConstraint("event_id", "path", name=op.f("pk_audit_private")),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prev", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["audit_link.seq"], name=op.f("fk_audit_checkpoint_seq_audit_link")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_checkpoint")),
        sa.UniqueConstraint("seq", name=op.f("uq_audit_checkpoint_seq")),
    )
    op.create_table(
        "audit_stamp",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("authority", sa.String(length=400), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["number"], ["audit_checkpoint.number"], name=op.f("fk_audit_stamp_number_audit_checkpoint")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_stamp")),
    )
    op.create_table(
        "audit_look",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("broken", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_look")),
    )


def _seal_texts(connection: sa.Connection) -> None:
    """What was written before may name people too, and the chain is about to hold it for ever."""
    event = sa.table("audit_event", sa.column("id", sa.Integer), sa.column("detail", sa.JSON))
    private = sa.table(
        PRIVATE,
        *(sa.column(name, kind) for name, kind in (("event_id", sa.Integer), ("path", sa.String))),
        *(sa.column(name, kind) for name, kind in (("salt", sa.String), ("value", sa.JSON))),
    )
    for row in connection.execute(sa.select(event.c.id, event.c.detail)).all():
        kept: list[dict[str, object]] = []
        detail = {name: _part(value, f"/{_escaped(name)}", name, kept) for name, value in (row.detail or {}).items()}
        if kept:
            connection.execute(event.update().where(event.c.id == row.id).values(detail=detail))
            connection.execute(private.insert(), [each | {"event_id": row.id} for each in kept])


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _part(value: object, path: str, name: str, kept: list[dict[str, object]]) -> object:
    if isinstance(value, dict) and "sealed" not in value:
        return {key: _part(each, f"{path}/{_escaped(key)}", key, kept) for key, each in value.items()}
    if isinstance(value, list):
        return [_part(each, f"{path}/{number}", name, kept) for number, each in enumerate(value)]
    plain = isinstance(value, str) and (not value or (WORD.fullmatch(value) and not FREE.search(name.lower())))
    if plain or not isinstance(value, str | dict):
        return value
    told = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    salt = secrets.token_hex(16)
    spelled = json.dumps({"salt": salt, "value": told}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    kept.append({"path": path[:400], "salt": salt, "value": told})
    return {"sealed": hashlib.sha256(spelled.encode()).hexdigest()}


def _walls_of_sqlite() -> None:
    """REPLACE deletes a row without its trigger, so that a row which is there can't be put in again either."""
    keys = {
        "audit_event": "id = NEW.id",
        "audit_link": "seq = NEW.seq OR event_id = NEW.event_id",
        "audit_checkpoint": "number = NEW.number OR seq = NEW.seq",
        "audit_stamp": "number = NEW.number",
    }
    for table in FOR_EVER:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is insert only'); END"
            )
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608 - names of our own schema
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {keys[table]}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is insert only'); END"
        )
    there = f"SELECT 1 FROM {PRIVATE} WHERE event_id = NEW.event_id AND path = NEW.path"  # noqa: S608
    for name, when in (("no_update", "UPDATE"), ("no_replace", "INSERT")):
        only = f"WHEN EXISTS ({there}) " if when == "INSERT" else ""
        op.execute(
            f"CREATE TRIGGER {PRIVATE}_{name} BEFORE {when} ON {PRIVATE} {only}"
            f"BEGIN SELECT RAISE(ABORT, '{PRIVATE} is never changed'); END"
        )


def _walls_of_postgres() -> None:
    op.execute(
        "CREATE FUNCTION audit_insert_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is insert only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    for table in FOR_EVER:
        op.execute(
            f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_insert_only()"
        )
    op.execute(
        f"CREATE TRIGGER {PRIVATE}_no_update BEFORE UPDATE OR TRUNCATE ON {PRIVATE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_insert_only()"
    )


def downgrade() -> None:
    """The links go, the rows stay; texts that were sealed are not put back."""
    for table in ("audit_look", "audit_stamp", "audit_checkpoint", PRIVATE, "audit_link"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "sqlite":
        for name in ("no_update", "no_delete", "no_replace"):
            op.execute(f"DROP TRIGGER audit_event_{name}")
    else:
        op.execute("DROP FUNCTION audit_insert_only() CASCADE")
