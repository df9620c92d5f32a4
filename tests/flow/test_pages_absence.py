"""Pages and routes of absence and messages, and the no that an approver gives to what runs already."""

from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlmodel import select

from app.access.absence_models import Absence
from app.access.models import Person
from app.core import clock, formats
from app.core.outbox import OutboxMessage, Sending
from app.runs import reminders
from app.runs.models import Run
from app.runs.record import Approval, ApprovalVerdict
from tests.flow.activation_world import activated, ready
from tests.flow.proof import prove_all
from tests.flow.runs_site import Browser, make_world
from tests.flow.runs_world import World


@pytest.fixture
def made(tmp_path: Path) -> tuple[World, FastAPI]:
    return make_world(tmp_path)


def visitor(made: tuple[World, FastAPI], person: str, language: str = "en") -> Browser:
    browser = Browser(made[1], person, language)
    prove_all(made[0].database)
    return browser


def test_a_person_says_when_they_are_away_and_takes_it_back(made: tuple[World, FastAPI]) -> None:
    owner, today = visitor(made, "owner"), formats.local(clock.now()).date()
    page = owner.get("/account/absence").text
    assert "No absence is planned" in page
    assert "PER-002" in page
    assert "PER-001" not in page, "an operator may not approve, so cannot stand in"
    given = {"startsOn": today.isoformat(), "endsOn": (today + timedelta(days=3)).isoformat(), "deputy": "PER-002"}
    assert owner.post("/account/absence", **given).status_code == 303
    assert "approver stands in" in owner.get("/account/absence").text
    assert "You stand in now for: owner" in visitor(made, "approver").get("/account/absence").text
    again = owner.post("/account/absence", **given)
    assert (again.status_code, "already" in again.text) == (409, True)
    wrong = owner.post("/account/absence", **(given | {"endsOn": "2020-01-01", "startsOn": "2020-01-01"}))
    assert (wrong.status_code, "These days are over" in wrong.text) == (400, True)
    with made[0].database.transaction() as session:
        key = session.exec(select(Absence)).one().id
    approver = visitor(made, "approver")
    approver.get("/account/absence")
    assert approver.post(f"/person-absences/{key}/withdrawals").status_code == 404, "not somebody else's"
    owner.get("/account/absence")
    assert owner.post(f"/person-absences/{key}/withdrawals").status_code == 303
    assert "No absence is planned" in owner.get("/account/absence").text


def test_a_message_waits_on_the_overview_until_it_is_read_by_whom_it_is_to(made: tuple[World, FastAPI]) -> None:
    world, _ = made
    run_id = activated(ready(world))
    approver = visitor(made, "approver")
    assert "begonnen ZONDER goedkeuring" in approver.get("/account/messages").text
    with world.database.transaction() as session:
        row = session.exec(select(OutboxMessage).where(OutboxMessage.person_id == "approver")).one()
        ref = session.get_one(Run, run_id).ref
    owner = visitor(made, "owner")
    owner.get("/account/messages")
    assert owner.post(f"/outbox-messages/{row.id}/readings").status_code == 404
    answer = approver.post(f"/outbox-messages/{row.id}/readings", open="yes")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{ref}")
    with world.database.transaction() as session:
        assert session.get_one(OutboxMessage, row.id).seen_at is not None


def test_the_administrator_sees_that_nothing_is_mailed_and_what_is_dead(made: tuple[World, FastAPI]) -> None:
    world, _ = made
    run_id = world_run(world)
    with world.database.transaction() as session:
        session.get_one(Person, "operator").roles = ["operator", "administrator"]
        run = session.get_one(Run, run_id)
        reminders.remind(session, run, now=world.now)
        row = session.exec(select(OutboxMessage)).first()
        assert row is not None
        row.state, row.error = Sending.DEAD, "550 nobody here"
    page = visitor(made, "operator").get("/outbox").text
    assert "No mail server is set up" in page
    assert "550 nobody here" in page
    assert visitor(made, "approver").get("/outbox").status_code == 403
    browser = visitor(made, "operator")
    browser.get("/outbox")
    assert browser.post(f"/outbox-messages/{row.id}/retries").status_code == 303
    with world.database.transaction() as session:
        assert session.get_one(OutboxMessage, row.id).state is Sending.WAITING


def world_run(world: World) -> str:
    return world.planned(world.switch(participants=[{"personId": "operator", "role": "crisis-manager"}]))


def test_an_approver_sees_first_what_cannot_be_undone_who_else_must_say_yes_and_until_when(
    made: tuple[World, FastAPI],
) -> None:
    world, _ = made
    run_id = world_run(world)
    page = visitor(made, "approver").get(f"/runs/{run_id}").text
    assert page.index("This cannot be undone") < page.index("test.promote fallback")
    for told in (
        "0 of 2 people said yes",
        "The process owner must still say yes: owner",
        "Decide before",
        "Yes, approve",
    ):
        assert told in page, told
    assert "Yes, approve" not in visitor(made, "author").get(f"/runs/{run_id}").text
    with world.database.transaction() as session:
        digest = session.get_one(Run, run_id).digest
    browser = visitor(made, "approver")
    browser.get(f"/runs/{run_id}")
    refused = browser.post(f"/runs/{run_id}/approvals", digest=digest, verdict="denied", comment="")
    assert (refused.status_code, "Say why you deny it" in refused.text) == (400, True)


def test_a_no_to_what_began_without_approval_is_given_on_its_page_and_taken_back(made: tuple[World, FastAPI]) -> None:
    world, _ = made
    run_id = activated(ready(world))
    browser = visitor(made, "approver")
    page = browser.get(f"/runs/{run_id}").text
    assert "Do you object?" in page
    with world.database.transaction() as session:
        digest = session.get_one(Run, run_id).digest
    said = browser.post(f"/runs/{run_id}/approvals", digest=digest, verdict="denied", comment="wrong side")
    assert said.status_code == 303
    page = browser.get(f"/runs/{run_id}").text
    assert "You said no" in page
    with world.database.transaction() as session:
        row = session.exec(select(Approval)).one()
        assert (row.verdict, row.comment) == (ApprovalVerdict.DENIED, "wrong side")
    assert browser.post(f"/run-approvals/{row.id}/revocations").status_code == 303
    assert "Do you object?" in browser.get(f"/runs/{run_id}").text
