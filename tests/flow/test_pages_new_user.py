"""What somebody meets who never used Wissel: no page asks for what they cannot know, and none loses what they typed."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import update

from app.access.models import UserSession
from app.access.rules import Role
from app.core import clock
from app.lab.organisation.material import read
from app.lab.people import WORDS, Part
from app.runs.models import Run
from tests.flow.page_site import Pages
from tests.flow.runs_site import HOME, Browser, make_world
from tests.flow.runs_world import World

PROOF = "/sign-in?again=1&amp;first=1&amp;next="


@pytest.fixture
def made(tmp_path: Path) -> tuple[World, FastAPI]:
    return make_world(tmp_path)


def prove_long_ago(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(update(UserSession).values(proved_at=clock.now() - timedelta(minutes=6)))


def test_a_proof_is_asked_before_a_decision_is_typed_and_not_after(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run = world.planned(world.switch(participants=[{"personId": "operator", "role": "crisis-manager"}]))
    approver = Browser(site, "approver")
    fresh = approver.get(f"/runs/{run}").text
    assert ('value="approved"' in fresh, PROOF in fresh) == (True, False)
    prove_long_ago(world)
    stale = approver.get(f"/runs/{run}").text
    assert ('value="approved"' in stale, f"{PROOF}/runs/RUN-001%23run-approve" in stale) == (False, True)
    drill = approver.get("/drills/DRL-001").text
    assert ('value="approved"' in drill, f"{PROOF}/drills/DRL-001%23approvals" in drill) == (False, True)


def test_who_sets_up_a_password_reads_with_which_address_they_sign_in(made: tuple[World, FastAPI]) -> None:
    page = Browser(made[1], "approver").get("/account/set-up").text
    assert "<strong>approver@" in page


def test_a_denied_run_says_who_denied_it_and_waits_no_more(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = world.planned(world.switch(participants=[{"personId": "operator", "role": "crisis-manager"}]))
    with world.database.transaction() as session:
        digest = session.get_one(Run, run_id).digest
    approver = Browser(site, "approver")
    approver.get(f"/runs/{run_id}")
    said = approver.post(f"/runs/{run_id}/approvals", digest=digest, verdict="denied", comment="Not on market day")
    assert said.status_code == 303
    page = approver.get(f"/runs/{run_id}").text
    assert "still waits for approval" not in page
    assert "approver said no: Not on market day" in " ".join(page.split())


def test_a_no_without_a_reason_is_asked_again_on_the_same_page(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = world.planned(world.switch(participants=[{"personId": "operator", "role": "crisis-manager"}]))
    with world.database.transaction() as session:
        digest = session.get_one(Run, run_id).digest
    approver = Browser(site, "approver")
    approver.get(f"/runs/{run_id}")
    asked = approver.post(f"/runs/{run_id}/approvals", digest=digest, verdict="denied", comment="")
    assert (asked.status_code, 'href="#comment"' in asked.text) == (400, True)
    assert asked.text.count('id="comment"') == 1
    assert ('value="denied"' in asked.text, "Say why you deny it" in asked.text) == (True, True)


@pytest.mark.parametrize("referer", ["", f"{HOME}/plans/PLN-001"])
def test_a_page_that_refuses_a_form_leads_back_to_where_it_was_sent(made: tuple[World, FastAPI], referer: str) -> None:
    world, site = made
    run_id = world.planned(world.switch(participants=[{"personId": "operator", "role": "crisis-manager"}]))
    browser = Browser(site, "approver")
    browser.get(f"/runs/{run_id}")
    sent = {"csrf": browser.csrf, "digest": "0" * 64, "verdict": "approved", "comment": ""}
    headers = {"Origin": HOME} | ({"Referer": referer} if referer else {})
    told = asyncio.run(browser._ask("POST", f"/runs/{run_id}/approvals", data=sent, headers=headers))
    assert told.status_code == 409
    assert ("Back to the page where you were" in told.text) is bool(referer)
    assert ('<a class="button button-primary" href="/plans/PLN-001">' in told.text) is bool(referer)


def test_what_somebody_may_not_do_is_not_offered_on_the_first_page(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    assert ("/plans/new?service=" in pages.anna().get("/").text) is True
    assert ("/plans/new?service=" in pages.mo().get("/").text) is False, "an approver writes no plans"


def test_the_demonstration_has_somebody_for_each_role_that_a_page_is_for() -> None:
    people = read("people")
    assert {Part(each["part"]) for each in people} == set(Part) == set(WORDS)
    held = {role for each in people for role in each["roles"]}
    assert {Role.PLAN_OWNER, Role.APPROVER, Role.OPERATOR, Role.AUDITOR} <= {Role(role) for role in held}
