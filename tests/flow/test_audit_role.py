"""The database role of deploy/postgres-audit-role.sql: all works with it, and nothing of the log can be changed."""

import re
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core import audit, migrations
from app.core.audit.erasing import erase
from app.core.db import Database
from tests.flow.audit_log import Log, new_log
from tests.flow.whole import settings_in

SQL = Path(__file__).parents[2] / "deploy" / "postgres-audit-role.sql"
LOG = ("audit_event", "audit_link", "audit_checkpoint", "audit_stamp", "audit_look")


def as_psql_does(link: psycopg.Connection, script: str) -> None:
    """The script as psql runs it: what stands before ``\\gexec`` tells a statement."""
    plain = "\n".join(line for line in script.splitlines() if not line.startswith("--"))
    for statement in re.split(r";|\\gexec", plain.replace(":password", "'secret'")):
        if not statement.strip():
            continue
        done = link.execute(statement)
        if statement.lstrip().startswith("SELECT"):
            for (told,) in done.fetchall():
                link.execute(told)


@pytest.fixture
def limited(postgres, tmp_path):
    url = postgres.empty()
    owner = new_log(tmp_path / "owner", url)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as link:
        for _ in range(2):
            as_psql_does(link, SQL.read_text())
    settings = settings_in(tmp_path / "own", database_url=re.sub(r"//[^@]*@", "//wissel:secret@", url))
    made = Log(settings, Database(settings.url))
    yield made, owner
    for each in (made, owner):
        each.database.dispose()


def test_it_writes_signs_verifies_and_erases(limited):
    log, _ = limited
    assert migrations.is_current(log.database)
    migrations.upgrade(log.database)
    log.write(5)
    head = log.sign()
    with log.database.transaction() as session:
        assert erase(session, "system", "nobody", ["Jan de Vries"]) == 5
    report = log.verified(head)
    assert report["ok"], report
    assert report["erasedTexts"] == 5


@pytest.mark.parametrize("table", LOG)
@pytest.mark.parametrize("verb", ["UPDATE {0} SET at = at", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"])
def test_it_has_no_right_to_change_it_even_without_the_triggers(limited, table, verb):
    log, owner = limited
    log.write(1)
    with owner.database.transaction() as session:
        session.connection().execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    statement = verb.format(table) if table != "audit_link" else verb.format(table).replace("at = at", "hash = hash")
    with pytest.raises(DBAPIError, match="permission denied"):
        with log.database.transaction() as session:
            session.connection().execute(text(statement))
    with pytest.raises(DBAPIError, match="must be owner"):
        with log.database.transaction() as session:
            session.connection().execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    assert audit.AuditEvent.__tablename__ in LOG
