"""The pages of drills: planning one by the form, the preview before saving, the blackout calendar, starting now."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlmodel import select

from app.core.columns import next_ref
from app.core.i18n import speaking
from app.drills.models import Blackout, Drill
from app.drills.rules import OnceAt, Recurring
from app.drills.schedules import in_words
from app.playbooks.rules import Mode
from app.runs.models import Run
from tests.flow.runs_site import Browser, make_world, told_switch
from tests.flow.runs_world import LINE, World

REHEARSAL = {"title": "Restore test", "planId": "PLN-001", "playbook": "test-line", "mode": "rehearsal"}
MONTHLY = {"kind": "recurring", "schedule.day": "1st sun", "schedule.hour": "2", "schedule.minute": "30"}
WITH = {"attendance": "attended", "grace": "15 min"}


@pytest.fixture
def made(tmp_path: Path) -> tuple[World, FastAPI]:
    world, site = make_world(tmp_path)
    world.drill(LINE, Mode.REHEARSAL)
    with world.database.transaction() as session:
        while next_ref(session, "DRL") < "DRL-050":
            """The small world numbers its drills by itself: what the pages plan begins after those."""
    return world, site


def drills(world: World) -> list[Drill]:
    with world.database.transaction(write=False) as session:
        return list(session.exec(select(Drill).order_by(Drill.ref)))


def test_a_viewer_without_the_role_gets_no_form(made: tuple[World, FastAPI]) -> None:
    _world, site = made
    browser = Browser(site, "approver")
    assert "/drills/new" not in browser.get("/drills").text
    assert browser.get("/drills/new").status_code == 403
    assert browser.post("/drills", **REHEARSAL, **MONTHLY, **WITH).status_code == 403


def test_the_preview_shows_the_next_five_moments_and_saves_nothing(made: tuple[World, FastAPI]) -> None:
    world, site = made
    browser = Browser(site, "operator")
    browser.get("/drills/new")
    answer = browser.post("/drills", do="preview", **REHEARSAL, **MONTHLY, **WITH)
    assert answer.status_code == 200
    told = answer.text[answer.text.index("The next moments") :]
    found = re.findall(r"<time datetime=\"[^\"]+\">(\w+) \d+ \w+ \d+, 02:30:00", told)
    assert found == ["Sunday"] * 5
    assert 'value="Restore test"' in answer.text
    assert len(drills(world)) == 1


def test_the_form_plans_a_drill(made: tuple[World, FastAPI]) -> None:
    world, site = made
    browser = Browser(site, "operator")
    browser.get("/drills/new")
    window = {"windows.0.days": ["sat", "sun"], "windows.0.starts": "00:00", "windows.0.ends": "06:00"}
    people = {"participants.0.personId": "PER-002", "participants.0.role": "observer"}
    given = {**REHEARSAL, **MONTHLY, **WITH, **window, **people, "objectives": "It restores\nIt is whole"}
    answer = browser.post("/drills", do="save", **given)
    assert answer.status_code == 303, answer.text
    row = drills(world)[-1]
    assert (row.title, row.mode, row.grace_s) == ("Restore test", Mode.REHEARSAL, 900)
    assert row.schedule is not None
    assert (row.schedule["day"], row.schedule["hour"], row.schedule["minute"]) == ("1st sun", "2", "30")
    assert row.windows[0]["days"] == ["sat", "sun"]
    assert row.participants == [{"personId": "approver", "role": "observer"}]
    assert [each["text"] for each in row.objectives] == ["It restores", "It is whole"]
    page = browser.get(answer.headers["location"]).text
    assert "1st Sunday" in page
    assert "Restore test" in browser.get("/drills").text


def test_the_first_page_tells_the_next_moment_of_a_planned_drill_once(made: tuple[World, FastAPI]) -> None:
    _world, site = made
    browser = Browser(site, "operator")
    browser.get("/drills/new")
    assert browser.post("/drills", do="save", **REHEARSAL, **MONTHLY, **WITH).status_code == 303
    page = browser.get("/").text
    told = page[page.index("Next planned moments") : page.index("Coverage by level")]
    assert told.count("Restore test") == 1


def test_a_faulty_form_comes_back_with_every_fault_at_its_field(made: tuple[World, FastAPI]) -> None:
    world, site = made
    browser = Browser(site, "operator")
    browser.get("/drills/new")
    given = {**REHEARSAL, "planId": "PLN-404", "kind": "once", "schedule.at": "2001-01-01T02:00", "grace": "soon"}
    answer = browser.post("/drills", do="save", attendance="attended", **given)
    assert answer.status_code == 400
    assert "Write a duration" in answer.text
    answer = browser.post("/drills", do="save", attendance="attended", **{**given, "grace": "5 min"})
    assert answer.status_code == 400
    assert 'href="#planId"' in answer.text
    assert 'href="#schedule.at"' in answer.text
    assert 'value="Restore test"' in answer.text
    assert len(drills(world)) == 1


def test_the_fields_of_the_chosen_playbook_appear(made: tuple[World, FastAPI]) -> None:
    world, site = made
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    world.drill(told_switch(), Mode.LIVE, pair_id="pair", direction="over", inputs=inputs)
    browser = Browser(site, "operator")
    assert 'name="inputs.from"' not in browser.get("/drills/new").text
    answer = browser.post("/drills", do="look", title="Swap", playbook="told-switch")
    assert 'name="inputs.from"' in answer.text
    assert "permits (PAIR-001)" in answer.text
    assert 'value="crisis-manager"' in answer.text


def test_the_quarterly_swap_becomes_two_drills_that_take_turns(made: tuple[World, FastAPI]) -> None:
    world, site = made
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    world.drill(told_switch(), Mode.LIVE, pair_id="pair", direction="over", inputs=inputs)
    browser = Browser(site, "operator")
    browser.get("/drills/new")
    given = {**REHEARSAL, "title": "Swap", "playbook": "told-switch", "mode": "live", "alternate": "yes"}
    given["approvals.processOwner"] = "yes"
    people = {"participants.0.personId": "PER-002", "participants.0.role": "crisis-manager"}
    answer = browser.post("/drills", do="save", **given, **MONTHLY, **WITH, **people)
    assert answer.status_code == 303, answer.text
    over, back = drills(world)[-2:]
    assert (over.direction, back.direction, over.partner_id) == ("over", "back", back.id)
    assert back.title in browser.get(f"/drills/{over.ref}").text


def test_starting_now_makes_a_run_and_shows_it(made: tuple[World, FastAPI]) -> None:
    world, site = made
    browser = Browser(site, "operator")
    assert "/drills/DRL-001/runs" in browser.get("/drills/DRL-001").text
    answer = browser.post("/drills/DRL-001/runs")
    assert answer.headers["location"] == "/runs/RUN-001"
    with world.database.transaction(write=False) as session:
        assert session.exec(select(Run)).one().started_at is not None


def test_an_approval_beforehand_is_given_and_taken_back(made: tuple[World, FastAPI]) -> None:
    world, site = made
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    world.drill(told_switch(), Mode.LIVE, pair_id="pair", direction="over", inputs=inputs)
    browser = Browser(site, "approver")
    page = browser.get("/drills/DRL-002").text
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert digest is not None
    assert "test.promote fallback" in page
    browser.post("/drills/DRL-002/approvals", digest=digest[1], verdict="approved", comment="Seen")
    page = browser.get("/drills/DRL-002").text
    assert 'name="digest"' not in page
    revoke = re.search(r'action="(/run-approvals/[^"]+/revocations)"', page)
    assert revoke is not None
    assert browser.post(revoke[1]).headers["location"].startswith("/drills/")
    assert "taken back" in browser.get("/drills/DRL-002").text


def test_a_blackout_is_added_by_local_time_and_lifted(made: tuple[World, FastAPI]) -> None:
    world, site = made
    browser = Browser(site, "operator")
    browser.get("/blackouts")
    bad = browser.post("/blackouts", name="Elections", startsAt="2027-03-18T00:00", endsAt="2027-03-17T00:00")
    assert bad.status_code == 400
    assert 'href="#endsAt"' in bad.text
    browser.post("/blackouts", name="Elections", startsAt="2027-07-17T00:00", endsAt="2027-07-18T00:00")
    with world.database.transaction(write=False) as session:
        row = session.exec(select(Blackout)).one()
    assert row.starts_at.isoformat() == "2027-07-16T22:00:00+00:00"
    assert "Elections" in browser.get("/blackouts").text
    browser.post(f"/blackouts/{row.ref}/archivals")
    assert "Elections" not in browser.get("/blackouts").text


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (None, "only started by hand"),
        (OnceAt.model_validate({"at": "2027-01-03T02:00"}), "once: 3 Jan 2027, 02:00"),
        (Recurring(month="1,7", day="1st sun", hour="2"), "1st Sunday, January, July, at 02:00"),
        (Recurring(day="last", hour="3", minute="5"), "last day, every month, at 03:05"),
        (Recurring(day_of_week="mon-fri", hour="2"), "Monday-Friday, at 02:00"),
        (Recurring(day="1st sun", hour="*/2"), "1st Sunday, every month, hour */2, minute 0"),
    ],
)
def test_a_schedule_is_said_in_words(schedule: OnceAt | Recurring | None, words: str) -> None:
    with speaking("en"):
        assert in_words(schedule) == words
