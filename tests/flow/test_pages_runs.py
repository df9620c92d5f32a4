"""The pages of runs: who sees what, which forms are offered, and that each form does what its button says."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlmodel import select

from app.access import service as access
from app.access import sessions
from app.access.models import PersonPatch
from app.access.rules import SYSTEM
from app.core import clock
from app.playbooks.rules import Mode
from app.runs import answers, cockpit, stream
from app.runs.models import EvidenceFile, Run
from app.runs.record import Observation
from app.runs.snapshot import take
from tests.flow.runs_site import Browser, make_world, told_switch
from tests.flow.runs_world import LINE, World, failed, passed

CRISIS = [{"personId": "approver", "role": "crisis-manager"}]


@pytest.fixture
def made(tmp_path: Path) -> tuple[World, FastAPI]:
    return make_world(tmp_path)


def switch(world: World) -> str:
    """A told switch that was approved and started; its run's id."""
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    more: dict[str, Any] = {"pair_id": "pair", "direction": "over", "inputs": inputs, "participants": CRISIS}
    return world.started(world.drill(told_switch(), Mode.LIVE, **more))


def ref(world: World, run_id: str) -> str:
    return world.held(run_id).run.ref


def vote(world: World, run_id: str, step: str, option: str, by: str) -> None:
    with world.database.transaction() as session:
        given = {"option": option, "comment": "", "evidence": []}
        answers.answer(session, run_id, step, actor=world.actor(by), now=world.now, **given)


def forms_of(page: str) -> set[str]:
    return set(re.findall(r'<form[^>]*action="(/runs[^"]*)"', page))


def test_an_outsider_is_sent_to_sign_in(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run = ref(world, switch(world))
    for path in ("/runs", f"/runs/{run}"):
        answer = Browser(site).get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")
    assert Browser(site).get(f"/runs/{run}/stream").status_code == 401


def test_the_list_shows_runs_and_keeps_its_filters(made: tuple[World, FastAPI]) -> None:
    world, site = made
    world.started(world.drill(LINE, Mode.REHEARSAL))
    switch(world)
    browser = Browser(site, "operator")
    assert {"RUN-001", "RUN-002"} <= set(re.findall(r"RUN-\d+", browser.get("/runs").text))
    only_live = browser.get("/runs?mode=live&state=").text
    assert "RUN-002" in only_live
    assert "RUN-001" not in only_live
    assert "Clear filters" in only_live


def test_only_legal_operations_are_offered_and_only_to_who_may_do_them(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = switch(world)
    path = f"/runs/{ref(world, run_id)}"
    world.do(step="lag")
    operator = forms_of(Browser(site, "operator").get(path).text)
    assert {f"{path}/pauses", f"{path}/cancellations", f"{path}/reality-calls"} <= operator
    assert f"{path}/resumptions" not in operator
    assert f"{path}/decisions" not in operator
    crisis_manager = forms_of(Browser(site, "approver").get(path).text)
    assert f"{path}/decisions" in crisis_manager
    assert f"{path}/pauses" not in crisis_manager


def test_the_decision_is_made_by_the_form_and_the_run_goes_on(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = switch(world)
    path = f"/runs/{ref(world, run_id)}"
    world.do(step="lag")
    browser = Browser(site, "approver")
    assert "Decision needed" in browser.get(path).text
    assert browser.post(f"{path}/decisions", step="go", option="go", comment="All is well").status_code == 303
    assert world.states(run_id)["go"] == "succeeded"
    page = browser.get(path).text
    assert "All is well" in page
    assert "Decision needed" not in page


def test_a_form_without_the_token_of_the_page_changes_nothing(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = switch(world)
    browser = Browser(site, "operator")
    assert browser.post(f"/runs/{ref(world, run_id)}/pauses", forged=True).status_code == 403
    assert world.held(run_id).run.paused is None


def test_pausing_and_resuming_by_the_buttons(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = switch(world)
    path, browser = f"/runs/{ref(world, run_id)}", Browser(site, "operator")
    browser.get(path)
    browser.post(f"{path}/pauses")
    page = browser.get(path).text
    assert "Paused by a person" in page
    assert f"{path}/resumptions" in forms_of(page)
    browser.post(f"{path}/resumptions")
    assert world.held(run_id).run.paused is None


def test_an_illegal_command_is_refused_with_a_page(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = switch(world)
    path, browser = f"/runs/{ref(world, run_id)}", Browser(site, "operator")
    browser.get(path)
    answer = browser.post(f"{path}/resumptions")
    assert answer.status_code == 409
    assert "is not possible" in answer.text


def to_the_owner(world: World, run_id: str) -> None:
    world.do(step="lag")
    vote(world, run_id, "go", "go", "approver")
    world.do(passed(final_lsn="1"), step="fence")
    for step in ("fenced", "promote", "serve"):
        world.do(step=step)


def test_an_answer_without_the_evidence_that_is_asked_shows_what_is_missing(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = switch(world)
    to_the_owner(world, run_id)
    path, browser = f"/runs/{ref(world, run_id)}", Browser(site, "owner")
    browser.get(path)
    answer = browser.post(f"{path}/answers", step="owner", answer="done", comment="It works")
    assert answer.status_code == 400
    assert "This step asks for evidence" in answer.text
    assert world.states(run_id)["owner"] == "waiting"


def test_an_answer_with_its_file_is_kept_and_the_file_can_be_downloaded(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = switch(world)
    to_the_owner(world, run_id)
    path, browser = f"/runs/{ref(world, run_id)}", Browser(site, "owner")
    browser.get(path)
    file = {"file": ("screen.png", b"what was seen", "image/png")}
    assert browser.post(f"{path}/answers", files=file, step="owner", answer="done").status_code == 303
    assert world.states(run_id)["owner"] == "succeeded"
    with world.database.transaction(write=False) as session:
        kept = session.exec(select(EvidenceFile)).one()
    page = browser.get(path).text
    assert "screen.png" in page
    assert kept.sha256 in page
    assert browser.get(f"{path}/evidence/{kept.sha256}").content == b"what was seen"


def test_a_failed_step_offers_only_what_leads_out_and_asks_a_reason(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = world.started(world.drill(LINE, Mode.REHEARSAL))
    world.do(failed(), step="restore")
    path = f"/runs/{ref(world, run_id)}"
    run = world.held(run_id).run
    page = Browser(site, "operator").get(path).text
    if run.ended is None:
        assert f"{path}/steps/restore/retries" in forms_of(page)
    else:
        assert "Verdict" in page
        assert not any("/steps/" in each for each in forms_of(page))


def test_the_end_shows_the_verdict_per_claim_with_measured_time_against_the_goal(
    made: tuple[World, FastAPI],
) -> None:
    world, site = made
    run_id = switch(world)
    to_the_owner(world, run_id)
    path, browser = f"/runs/{ref(world, run_id)}", Browser(site, "owner")
    browser.get(path)
    browser.post(f"{path}/answers", files={"file": ("a.txt", b"a", "text/plain")}, step="owner", answer="done")
    page = browser.get(path).text
    assert "Recovery time (RTA)" in page
    assert "within the goal" in page
    assert re.search(r'href="/plans/PLN-001">over</a>', page)
    assert "hx-sse:connect" not in page
    assert "Steps in time" in page


def test_an_observation_is_noted_and_shown(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = switch(world)
    path, browser = f"/runs/{ref(world, run_id)}", Browser(site, "operator")
    browser.get(path)
    browser.post(f"{path}/observations", text="<b>The alarm</b> came late", kind="improvement")
    with world.database.transaction(write=False) as session:
        assert session.exec(select(Observation)).one().kind == "improvement"
    page = browser.get(path).text
    assert "&lt;b&gt;The alarm&lt;/b&gt; came late" in page


def test_an_approver_sees_each_resolved_call_and_approves_exactly_that(made: tuple[World, FastAPI]) -> None:
    world, site = made
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    run_id = world.planned(world.drill(told_switch(), Mode.LIVE, pair_id="pair", direction="over", inputs=inputs))
    path, browser = f"/runs/{ref(world, run_id)}", Browser(site, "approver")
    page = browser.get(path).text
    assert "test.promote fallback" in page
    digest = world.held(run_id).run.digest
    assert browser.post(f"{path}/approvals", digest="0" * 64, verdict="approved", comment="").status_code == 409
    assert browser.post(f"{path}/approvals", digest=digest, verdict="denied", comment="").status_code == 400
    assert browser.post(f"{path}/approvals", digest=digest, verdict="approved", comment="").status_code == 303
    again = browser.get(path).text
    assert "Somebody else must be the second person" in again
    assert "1 of 2 people said yes" in again
    assert f"{path}/approvals" not in forms_of(Browser(site, "author").get(path).text)


def test_who_planned_it_cannot_approve_it(made: tuple[World, FastAPI]) -> None:
    world, site = made
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    run_id = world.planned(world.drill(told_switch(), Mode.LIVE, pair_id="pair", direction="over", inputs=inputs))
    page = Browser(site, "operator").get(f"/runs/{ref(world, run_id)}").text
    assert "/approvals" not in "".join(forms_of(page))


def test_what_a_run_left_is_released_and_cleaned_up_by_its_forms(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = switch(world)
    world.do(step="lag")
    vote(world, run_id, "go", "go", "approver")
    world.do(passed(final_lsn="1"), step="fence")
    path, browser = f"/runs/{ref(world, run_id)}", Browser(site, "operator")
    browser.get(path)
    assert browser.post(f"{path}/cancellations", comment="The network is down").status_code == 303
    assert f"{path}/leavings" in forms_of(browser.get(path).text)
    assert browser.post(f"{path}/leavings", comment="").status_code == 400
    browser.post(f"{path}/leavings", comment="We go on by hand")
    offered = forms_of(browser.get(path).text)
    clean_up = next(each for each in offered if "/obligations/" in each)
    assert f"{path}/releases" in offered
    browser.post(clean_up, comment="Started the old side again")
    browser.post(f"{path}/releases", comment="All is as it was")
    left = forms_of(browser.get(path).text)
    assert f"{path}/releases" not in left
    assert clean_up not in left


async def first_messages(site: FastAPI, world: World, run_id: str, *, watchers: int) -> tuple[list[Any], int]:
    """What the first news tells to each of so many watchers, and how often the database was looked at."""
    feed = stream.Feed(world.database)
    watches = [feed.watch(run_id, f"person {n}") for n in range(watchers)]
    for watch in watches:
        await asyncio.wait_for(watch.next(), 5)
    before = feed.reads
    await asyncio.to_thread(world.command, "pause", run_id)
    news = [await asyncio.wait_for(watch.next(), 5) for watch in watches]
    reads = feed.reads - before
    for watch in watches:
        feed.leave(watch)
    assert not feed.watches
    return news, reads


def test_many_watchers_cost_one_look_at_the_database(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = switch(world)
    news, reads = asyncio.run(first_messages(site, world, run_id, watchers=25))
    assert {each.run.state.value for each in news} == {"paused by operator"}
    assert reads <= 10


def test_what_is_spoken_are_the_steps_since_the_last_event_and_no_progress(made: tuple[World, FastAPI]) -> None:
    world, _site = made
    run_id = switch(world)
    with world.database.transaction(write=False) as session:
        before = take(session, session.get_one(Run, run_id), now=world.now)
    world.do(step="lag")
    with world.database.transaction(write=False) as session:
        after = take(session, session.get_one(Run, run_id), now=world.now)
    assert cockpit.spoken(after, after.run.last_event) == ""
    assert "De nieuwe kant loopt bij" in cockpit.spoken(after, before.run.last_event)


def test_the_clock_counts_the_outage_once_there_is_one(made: tuple[World, FastAPI]) -> None:
    world, _site = made
    run_id = switch(world)
    world.do(step="lag", seconds=100)
    vote(world, run_id, "go", "go", "approver")
    world.do(passed(final_lsn="1"), step="fence", seconds=30)
    with world.database.transaction(write=False) as session:
        found = take(session, session.get_one(Run, run_id), now=world.later(seconds=10))
    shown = cockpit.context(found, cockpit.Viewer("operator", "person:operator", True, True, False))
    assert shown["clock"]["outage"]
    assert shown["clock"]["seconds"] == 40
    assert shown["clock"]["left"] == 15 * 60 - 40


@pytest.mark.parametrize("how", ["signed out", "closed", "role taken"])
def test_who_may_watch_no_more_sees_no_more_within_seconds(made: tuple[World, FastAPI], how: str, monkeypatch) -> None:
    monkeypatch.setattr(stream, "ADMIT_EVERY", 0.0)
    world, site = made
    run_id = switch(world)
    Browser(site, "operator")

    def shut_out() -> None:
        with world.database.transaction() as session:
            person = access.find_person(session, "operator")
            if how == "signed out":
                sessions.end_all(session, person.id, actor="system", now=clock.now())
            elif how == "closed":
                access.edit_person(session, person, PersonPatch(active=False), actor=SYSTEM, now=clock.now())
            else:
                access.edit_person(session, person, PersonPatch(roles=[]), actor=SYSTEM, now=clock.now())

    async def watched() -> bool:
        with world.database.transaction(write=False) as session:
            person = access.find_person(session, "operator").id
            (mine,) = sessions.of_person(session, person, idle=timedelta(hours=1), now=clock.now())
        feed = stream.Feed(world.database)
        watch, other = feed.watch(run_id, "operator", mine.id), feed.watch(run_id, "somebody else")
        assert await asyncio.wait_for(watch.next(), 5) is not None
        await asyncio.to_thread(shut_out)
        for _ in range(50):
            if await asyncio.wait_for(watch.next(), 10) is None:
                break
        ended = watch.ended and not other.ended
        feed.leave(watch)
        feed.leave(other)
        return ended

    assert asyncio.run(watched())
