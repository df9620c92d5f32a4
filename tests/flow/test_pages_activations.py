"""The pages of the real thing: the form that begins it, the drill that becomes it, what is owed, and the review."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlmodel import select

from app.core import clock
from app.playbooks.models import PlaybookVersion
from app.playbooks.rules import Playbook
from app.runs import commands
from app.runs.models import Activation, Obligation, Run
from app.runs.rules import RunState
from tests.flow.activation_world import FAIL_OVER, activated, back, failed_over, ready
from tests.flow.runs_site import Browser, make_world
from tests.flow.runs_world import World, passed


@pytest.fixture
def made(tmp_path: Path) -> tuple[World, FastAPI]:
    world, site = make_world(tmp_path)
    return ready(world), site


def only_activation(world: World) -> tuple[Activation, Run]:
    with world.database.transaction(write=False) as session:
        activation = session.exec(select(Activation)).one()
        return activation, session.get_one(Run, activation.run_id)


def test_the_form_puts_a_plan_to_work_and_shows_its_run(made: tuple[World, FastAPI]) -> None:
    world, site = made
    browser = Browser(site, "operator")
    page = browser.get("/plans/PLN-001/activate").text
    typed = dict(re.findall(r'name="(\w+)"[^>]*value="([^"]*)"', page))
    assert typed["alarmAt"]
    assert re.search(r'type="datetime-local" step="1"[^>]*name="alarmAt"', page)  # its seconds bind no browser
    assert '<option value="primary" selected>' in page
    sent = {"reason": "Het brandt", "alarmAt": typed["alarmAt"], "lost": "primary", "breakGlass": "yes"}
    done = browser.post("/plans/PLN-001/activations", **sent)
    activation, run = only_activation(world)
    assert (done.status_code, done.headers["location"]) == (303, f"/runs/{run.ref}")
    assert (run.state, activation.break_glass, activation.lost["sides"]) == (RunState.WAITING, True, ["primary"])
    assert abs((activation.alarm_at - clock.now()).total_seconds()) < 120
    page = browser.get(f"/runs/{run.ref}").text
    assert "This is no drill." in page
    assert "not decided yet" in page
    assert "Begun before it was approved." in page
    assert "reality-calls" not in page


def test_a_decision_for_which_too_few_people_are_named_says_so(made: tuple[World, FastAPI]) -> None:
    world, site = made
    text = {**FAIL_OVER, "steps": [{**FAIL_OVER["steps"][0], "quorum": 2}, *FAIL_OVER["steps"][1:]]}
    with world.database.transaction() as session:
        row = session.exec(select(PlaybookVersion).where(PlaybookVersion.name == text["playbook"])).one()
        row.content = Playbook.model_validate(text).model_dump(mode="json", by_alias=True, exclude_none=True)
    named = [{"personId": each, "role": "crisis-manager"} for each in ("operator", "approver")]
    one = world.held(activated(world, participants=named[:1])).run
    browser = Browser(site, "operator")
    assert "So many are not named for this run" in browser.get(f"/runs/{one.ref}").text
    with world.database.transaction() as session:
        commands.abort(session, one.id, actor=world.actor("operator"), reason="", now=world.now)
    two = world.held(activated(world, participants=named)).run
    page = browser.get(f"/runs/{two.ref}").text
    assert "2 people must agree." in page
    assert "So many are not named" not in page


def test_what_is_wrong_is_told_at_its_field_and_nothing_begins(made: tuple[World, FastAPI]) -> None:
    world, site = made
    browser = Browser(site, "operator")
    browser.get("/plans/PLN-001/activate")
    later = "2999-01-01T10:00"
    wrong = browser.post("/plans/PLN-001/activations", reason="", alarmAt=later, lost="primary")
    assert wrong.status_code == 400
    assert 'id="reason-error"' in wrong.text
    wrong = browser.post("/plans/PLN-001/activations", reason="Het brandt", alarmAt=later, lost="primary")
    assert "lie in the future" in wrong.text
    wrong = browser.post("/plans/PLN-001/activations", reason="Het brandt", alarmAt="morgen", lost="primary")
    assert 'id="alarmAt-error"' in wrong.text
    with world.database.transaction(write=False) as session:
        assert not session.exec(select(Run)).all()


def test_only_who_operates_may_put_a_plan_to_work(made: tuple[World, FastAPI]) -> None:
    _, site = made
    assert Browser(site).get("/plans/PLN-001/activate").status_code == 303
    assert Browser(site, "approver").get("/plans/PLN-001/activate").status_code == 403


def test_this_is_real_in_the_cockpit_starts_the_fail_over(made: tuple[World, FastAPI]) -> None:
    world, site = made
    drill_run = world.started(world.switch())
    path, browser = f"/runs/{world.held(drill_run).run.ref}", Browser(site, "operator")
    assert "Put the plan to work at once" in browser.get(path).text
    done = browser.post(f"{path}/reality-calls", comment="Het brandt", activate="yes", lost="primary")
    _, run = only_activation(world)
    assert done.headers["location"] == f"/runs/{run.ref}"
    assert f"Go to the real thing: {run.ref}" in browser.get(path).text


def test_this_is_real_without_more_stops_the_drill_and_offers_the_rest(made: tuple[World, FastAPI]) -> None:
    world, site = made
    drill_run = world.started(world.switch())
    path, browser = f"/runs/{world.held(drill_run).run.ref}", Browser(site, "operator")
    browser.get(path)
    assert browser.post(f"{path}/reality-calls", comment="Het brandt").headers["location"] == path
    assert 'href="/plans/PLN-001/activate"' in browser.get(path).text


def test_what_is_owed_is_told_where_people_look_and_settled_with_a_file(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = failed_over(world)
    ref = world.held(run_id).run.ref
    browser = Browser(site, "operator")
    for path in ("/", "/environment-pairs/PAIR-001", f"/runs/{ref}", "/plans/PLN-001/activate"):
        assert "Fence it." in browser.get(path).text, path
    with world.database.transaction(write=False) as session:
        debt = session.exec(select(Obligation).where(Obligation.step_id == "fence")).one()
    browser.get(f"/runs/{ref}")
    bare = browser.post(f"/runs/{ref}/debts/{debt.id}", comment="I saw it")
    assert bare.status_code == 400
    files = {"file": ("photo.txt", b"the plug is out", "text/plain")}
    browser.get(f"/runs/{ref}")
    assert browser.post(f"/runs/{ref}/debts/{debt.id}", comment="I saw it", files=files).status_code == 303
    assert "Fence it." not in browser.get("/environment-pairs/PAIR-001").text


def test_an_approver_reviews_what_began_without_approval(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = failed_over(world)
    ref = world.held(run_id).run.ref
    browser = Browser(site, "approver")
    assert "Review what began without approval" in browser.get("/").text
    with world.database.transaction(write=False) as session:
        review = session.exec(select(Obligation).where(Obligation.kind == "review")).one()
    assert f"/runs/{ref}/reviews/{review.id}" in browser.get(f"/runs/{ref}").text
    given = {"comment": "It burned", "agreed": "yes"}
    assert browser.post(f"/runs/{ref}/reviews/{review.id}", **given).status_code == 303
    assert "Review what began without approval" not in browser.get("/").text


def test_the_rows_that_were_lost_stand_on_the_page_of_the_activation(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = failed_over(world)
    back(world)
    world.do(step="fence")
    world.do(passed(lost_rows=100), step="compare")
    world.do(step="follow")
    page = Browser(site, "operator").get(f"/runs/{world.held(run_id).run.ref}").text
    assert "100 rows were really lost" in page
    assert "Still to be caught up" not in page


def test_a_dutch_reader_sees_roles_and_choices_in_dutch_and_what_two_figures_of_one_loss_mean(
    made: tuple[World, FastAPI],
) -> None:
    world, site = made
    browser = Browser(site, "operator", "nl")
    waiting = browser.get(f"/runs/{world.held(activated(world)).run.ref}").text
    assert "crisismanager" in waiting
    assert "crisis-manager" not in re.sub(r'="[^"]*"', "", waiting)
    with world.database.transaction() as session:
        first = session.exec(select(Run)).one()
        commands.abort(session, first.id, actor=world.actor("operator"), reason="", now=world.now)
    page = browser.get(f"/runs/{world.held(failed_over(world)).run.ref}").text
    assert "Twee getallen, één verlies." in page
    assert "Primaire kant" in page
