"""The chain of the audit log: no gaps and no forks, nothing of what was rolled back, and nobody changes a row."""

import json
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from app.core import audit, clock, migrations
from app.core.audit import chain
from app.core.audit.signing import Signer
from app.core.db import Database
from tests.flow.audit_log import new_log


@pytest.fixture(params=["sqlite", "postgresql"])
def log(request, tmp_path):
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres").empty()
    made = new_log(tmp_path, url)
    yield made
    made.database.dispose()


def numbers(log):
    with log.database.transaction(write=False) as session:
        return list(session.exec(select(audit.AuditLink.seq).order_by(audit.AuditLink.seq)))


def actions(log):
    with log.database.transaction(write=False) as session:
        wanted = select(audit.AuditEvent.action).join(audit.AuditLink, audit.AuditLink.event_id == audit.AuditEvent.id)
        return list(session.exec(wanted.order_by(audit.AuditLink.seq)))


def test_each_event_of_a_transaction_has_its_place_and_the_log_verifies(log):
    log.write(25)
    head = log.sign()
    assert numbers(log) == list(range(1, 28)), "the chain's beginning, 25 events, the key"
    assert log.verified(head)["ok"]


def lost(session):
    audit.record(session, "system", "lost", "run", "r")
    session.flush()
    raise KeyError


def transaction_that_fails(log):
    with log.database.transaction() as session:
        lost(session)


def savepoint_that_fails(session):
    with session.begin_nested():
        lost(session)


def test_what_is_rolled_back_leaves_no_trace_and_no_gap(log):
    log.write(3)
    with log.database.transaction() as session:
        audit.record(session, "system", "before", "run", "r")
        with pytest.raises(KeyError):
            savepoint_that_fails(session)
        with session.begin_nested():
            audit.record(session, "system", "inside", "run", "r")
        audit.record(session, "system", "after", "run", "r")
    with pytest.raises(KeyError):
        transaction_that_fails(log)
    log.write(1)
    assert actions(log)[4:] == ["before", "inside", "after", "run.told"]
    assert numbers(log) == list(range(1, 9))
    assert log.verified()["ok"]


def write_some(database, name, failed):
    """Ten transactions with events, and one in between that is given up."""
    try:
        for number in range(1, 5):
            with database.transaction() as session:
                for _ in range(number):
                    audit.record(session, "system", "told", "run", name, n=number)
            with suppress(KeyError), database.transaction() as session:
                lost(session)
    except BaseException as error:
        failed.append(error)


def test_many_writers_at_once_make_one_line(log):
    """Other instances too: each has a pool of its own."""
    databases, failed = [log.database, *(Database(log.settings.url) for _ in range(2))], []
    threads = [
        threading.Thread(target=write_some, args=(each, f"w{n}-{k}", failed))
        for n, each in enumerate(databases)
        for k in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for each in databases[1:]:
        each.dispose()
    assert failed == []
    assert numbers(log) == list(range(1, 2 + 12 * (1 + 2 + 3 + 4)))
    assert log.verified()["ok"]


def test_writers_that_hold_each_others_rows_are_not_locked_by_the_chain(log):
    """The chain's lock is the last that a transaction takes, so nobody waits for who is still at work."""
    if log.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    log.write(1)
    held, go_on, done = threading.Event(), threading.Event(), []

    def slow():
        with log.database.transaction() as session:
            audit.record(session, "system", "slow", "run", "r")
            session.flush()
            held.set()
            go_on.wait(20)

    thread = threading.Thread(target=slow)
    thread.start()
    assert held.wait(20)
    log.write(1)
    done.append(True)
    go_on.set()
    thread.join()
    assert done
    assert actions(log)[-1] == "slow", "its place is where it commits, not where it began"
    assert log.verified()["ok"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET actor = 'x'",
        "UPDATE audit_event SET actor = 'x' WHERE id = 2",
        "DELETE FROM audit_event WHERE id = 2",
        "UPDATE audit_link SET hash = 'x'",
        "DELETE FROM audit_link WHERE seq = 2",
        "UPDATE audit_checkpoint SET signature = 'x'",
        "DELETE FROM audit_checkpoint",
        "UPDATE audit_private SET salt = 'x'",
    ],
)
def test_no_row_is_changed_or_deleted(log, statement):
    log.write(5)
    head = log.sign()
    with pytest.raises(DBAPIError):
        with log.database.transaction() as session:
            session.connection().execute(text(statement))
    assert log.verified(head)["ok"]


@pytest.mark.parametrize("table", ["audit_event", "audit_link", "audit_checkpoint", "audit_private"])
def test_no_table_is_emptied_or_its_rows_replaced(log, table):
    log.write(5)
    head = log.sign()
    replace = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"
    statement = text(replace if log.database.is_sqlite else f"TRUNCATE {table} CASCADE")
    with pytest.raises(DBAPIError):
        with log.database.transaction() as session:
            session.connection().execute(statement)
    assert log.verified(head)["ok"]


def test_rows_of_before_the_chain_are_its_beginning_and_their_texts_can_be_erased(request, tmp_path):
    for kind in ("sqlite", "postgresql"):
        url = None if kind == "sqlite" else request.getfixturevalue("postgres").empty()
        made = new_log_of_before(tmp_path / kind, url)
        with made.database.transaction() as session:
            chain.take_in(session)
        assert actions(made)[:4] == ["audit.chain-began", "old.0", "old.1", "old.2"]
        made.write(1)
        assert made.verified(made.sign())["ok"]
        assert "Jan" not in b"".join(line for line in made.lines() if b'"action"' in line).decode()
        with made.database.transaction(write=False) as session:
            row = session.exec(select(audit.AuditEvent).where(audit.AuditEvent.action == "old.1")).one()
            assert audit.shown(session, [row])[row.id] == {"reason": "Jan wil het", "n": 1, "ref": "PLN-001"}
        made.database.dispose()


def new_log_of_before(folder, url):
    """Rows by the schema before there was a chain, brought up to date."""
    from tests.flow.audit_log import Log
    from tests.flow.whole import settings_in

    folder.mkdir()
    settings = settings_in(folder, database_url=url)
    database = Database(settings.url)
    with migrations.migrating(database) as connection:
        migrations.upgrade_to(connection, "7c41b0d2e9f3")
        for number in range(3):
            connection.execute(
                text(
                    "INSERT INTO audit_event (at, actor, action, object_kind, object_id, result, origin, detail) VALUES"
                    f" ('2026-01-0{number + 1} 00:00:00.000000', 'person:1', 'old.{number}', 'plan', 'p', 'done', '',"
                    " :detail)"
                ),
                {"detail": json.dumps({"reason": "Jan wil het", "n": number, "ref": "PLN-001"})},
            )
    migrations.upgrade(database)
    return Log(settings, database)


def test_what_a_process_of_the_version_before_wrote_is_taken_in_at_a_start_and_said(log):
    log.write(2)
    with log.database.transaction() as session:
        session.connection().execute(
            text(
                "INSERT INTO audit_event (at, actor, action, object_kind, object_id, result, origin, detail) VALUES"
                " ('2026-01-01 00:00:00.000000', 'person:1', 'old.late', 'plan', 'p', 'done', '', '{}')"
            )
        )
    assert "outside of the chain" in log.verified()["broken"]
    for expected in (1, 0):
        with log.database.transaction() as session:
            assert chain.take_in(session) == expected
    assert actions(log)[-2:] == ["audit.rows-taken-in", "old.late"]
    assert log.verified()["takenIn"] == 1


def test_it_is_signed_each_hundred_events_and_after_five_minutes_once_by_two(log):
    log.write(1)
    log.sign()
    log.write(250)
    signers = [Signer(log.settings) for _ in range(4)]
    made = []

    def sign(signer):
        made.append(signer.sign(log.database, now=clock.now()))

    threads = [threading.Thread(target=sign, args=(each,)) for each in signers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(made) == [0, 0, 0, 2]
    assert signers[0].sign(log.database, now=clock.now() + timedelta(minutes=4)) == 0
    assert signers[0].sign(log.database, now=clock.now() + timedelta(minutes=6)) == 1
    assert signers[0].sign(log.database, now=clock.now() + timedelta(days=6)) == 0, "nothing happened since"
    with log.database.transaction(write=False) as session:
        seqs = list(session.exec(select(audit.AuditCheckpoint.seq).order_by(audit.AuditCheckpoint.number)))
    assert seqs == [3, 103, 203, 253]
    assert log.verified(log.head())["checkpoints"] == 4


def test_the_key_is_for_this_user_alone_and_is_made_once(log):
    signer = Signer(log.settings)
    assert signer.path.parent == log.settings.data_dir.absolute()
    assert signer.public == Signer(log.settings).public
    assert signer.path.stat().st_mode & 0o777 == 0o600


def test_another_instance_signs_with_its_own_key_which_the_log_names(log, tmp_path):
    log.write(3)
    log.sign()
    other = Signer(log.settings.model_copy(update={"data_dir": tmp_path / "other"}))
    log.write(3)
    assert other.sign(log.database, now=datetime.now(UTC), at_once=True) == 1
    report = log.verified(log.head())
    assert report["ok"]
    assert report["keys"] == sorted([other.public, Signer(log.settings).public])
