"""A database or an evidence store without room: 507 with what to do, nothing half-written, and on again afterwards."""

import errno
import os

import pytest
from sqlalchemy import event, text

from app.core.evidence import EvidenceStore
from app.core.space import STOPPING, Space
from app.playbooks.rules import Mode
from app.runs import room
from tests.flow.runs_world import LINE, build
from tests.flow.surface import document


@pytest.fixture
def tight(whole):
    """A database file that can't grow, until the test says so."""
    grows = {"now": False}

    @event.listens_for(whole.database.engine, "begin")
    def _limit(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={1073741823 if grows['now'] else pages}")

    whole.database.space = Space(whole.settings.data_dir, 1)
    whole.database.space.look()
    return whole, grows


def fill_up(whole):
    """Add services until one is refused; the refusal."""
    for number in range(400):
        answer = whole.call("POST", "/services", {"name": f"Dienst {number} {'x' * 150}"})
        if answer.status_code != 201:
            return number, answer
    raise AssertionError("it was never full")


def test_a_full_database_is_told_with_what_to_do_and_what_was_acknowledged_is_there(tight):
    whole, grows = tight
    added, answer = fill_up(whole)
    told = answer.json()
    assert (answer.status_code, told["code"], answer.headers["content-type"]) == (
        507,
        "no-space",
        "application/problem+json",
    )
    assert "Abort" in told["detail"] or "afbreken" in told["detail"]
    assert (whole.database.was_full, whole.database.space.is_short) == (True, True)
    assert whole.ok("GET", "/services")["total"] == added
    grows["now"] = True
    assert whole.service(name="Weer ruimte")["name"] == "Weer ruimte"
    assert not whole.database.space.is_short
    with whole.database.transaction(write=False) as session:
        assert session.connection().execute(text("PRAGMA integrity_check")).scalar() == "ok"


def test_while_there_is_no_room_people_can_still_sign_in_and_nothing_else_is_taken(whole, monkeypatch):
    whole.database.space = Space(whole.settings.data_dir, 1)
    monkeypatch.setattr(Space, "free", lambda _self: 0)
    whole.database.space.look()
    assert whole.refused("POST", "/services", {"name": "x"}) == (507, "no-space")
    answer = whole.ask("POST", "/api/v1/sessions", body={"signInToken": "wsl_" + "x" * 43})
    assert answer.status_code == 401
    assert whole.call("GET", "/services").status_code == 200


def test_every_address_that_is_served_from_the_reserve_exists():
    last = {path.rpartition("/")[2] for path in document()["paths"]}
    assert STOPPING - last == {"leavings", "sign-in", "sign-out"}, "these are pages"


def test_readiness_tells_the_room_and_the_schema(whole):
    whole.database.space = Space(whole.settings.data_dir, 1)
    whole.database.space.look()
    assert whole.ask("GET", "/readyz").json() == {"database": "ok", "space": "ok", "audit": "ok"}
    whole.database.space.give_up()
    answer = whole.ask("GET", "/readyz")
    assert (answer.status_code, answer.json()["space"][:13]) == (503, "no space left")
    whole.database.space.look()
    with whole.database.transaction() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = 'older'"))
    answer = whole.ask("GET", "/readyz")
    assert (answer.status_code, "its schema is not" in answer.json()["database"]) == (503, True)


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_evidence_without_room_leaves_nothing_behind_and_raises(tmp_path, monkeypatch, fails):
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)
    store = EvidenceStore(tmp_path / "evidence")

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        if fails == "fsync":
            disk.setattr(os, "fsync", full)
        elif fails == "replace":
            disk.setattr("pathlib.Path.replace", full)
        else:
            disk.setattr("tempfile._TemporaryFileWrapper.write", full, raising=False)
        with pytest.raises(OSError, match="No space"):
            store.put(source)
    assert [each for each in (tmp_path / "evidence").rglob("*") if each.is_file()] == []
    assert store.holds(store.put(source).sha256)


def test_a_file_that_was_damaged_in_the_store_is_not_held(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"proof")
    store = EvidenceStore(tmp_path / "evidence")
    kept = store.put(source)
    store.path(kept.sha256).write_bytes(b"other")
    assert not store.holds(kept.sha256)
    assert store.put(source) == kept
    assert store.holds(kept.sha256)


def test_without_room_a_run_waits_for_a_person_who_can_abort_or_go_on_and_what_only_fills_the_disk_is_ended(tmp_path):
    world = build(tmp_path)
    run_id = world.started(world.drill(LINE, Mode.REHEARSAL))
    work = world.begin()
    with world.database.transaction() as session:
        assert room.wait_for_room(session, now=world.now) == ["RUN-001"]
        assert room.wait_for_room(session, now=world.now) == []
        assert room.harmless(session, [work.step_run_id, "another"]) == [work.step_run_id]
    held = world.held(run_id)
    assert (held.run.state, "no space" in held.run.pause_reason["en"]) == ("paused by guard", True)
    assert {each.command.value for each in held.legal()} >= {"abort", "resume"}
    world.command("resume", run_id)
    assert world.held(run_id).run.state == "running"


def test_a_change_that_runs_while_there_is_no_room_is_not_ended(tmp_path):
    world = build(tmp_path)
    rows = {row.step_id: row.id for row in world.held(world.started(world.switch())).steps.values()}
    with world.database.transaction() as session:
        found = room.harmless(session, rows.values())
    assert {name for name, id in rows.items() if id in found} == {"lag", "fenced", "serve"}
