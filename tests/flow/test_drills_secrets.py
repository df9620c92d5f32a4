"""Which secrets a drill needs at which site is told before anything is started, by what the workers there say."""

from datetime import timedelta

import pytest
from sqlmodel import select

from app.core import clock
from app.drills import held
from app.drills.held import Held, SiteSecrets
from app.drills.inputs import resolve_inputs
from app.drills.models import Drill
from app.playbooks import service as playbooks
from app.playbooks.rules import Mode, Playbook, Step
from tests.flow.drills_app import RUNNERS, build, swap

YES, NO = {"source": "environment", "why": None, "also": []}, {"source": None, "why": "missing", "also": []}


def why(code):
    return {**NO, "why": code}


@pytest.fixture
def house(tmp_path):
    made = build(tmp_path)
    made.make("/drills", swap())
    return made


def says(house, sites, *, boot="one", age=0, commands=None, **found):
    with house.database.transaction() as session:
        at = clock.now() - timedelta(seconds=age)
        held.write(session, SiteSecrets(boot_id=boot, sites=sites, looked_at=at, found=found, commands=commands or {}))


def lacks(house):
    told = house.call("GET", "/drills/DRL-001/readiness").json()["lacks"]
    return {(each["code"], each["field"].removeprefix("secrets/")) for each in told if "secret" in each["code"]}


def test_a_site_that_says_nothing_is_could_not_look(house):
    assert lacks(house) == {("secret-not-seen", "noord"), ("secret-not-seen", "zuid")}
    says(house, "noord", noord=YES, zuid=YES)
    still = house.call("GET", "/drills/DRL-001/readiness").json()["lacks"]
    assert {each["reason"].split("which")[0] for each in still if each["code"] == "secret-not-seen"} == {
        f"Could not look whether site zuid holds secret '{name}', " for name in ("noord", "zuid")
    }


@pytest.mark.parametrize("sites", [("noord", "zuid"), ("*",), ("noord,zuid,oost",)])
def test_sites_that_hold_what_they_need_are_ready(house, sites):
    for number, each in enumerate(sites):
        says(house, each, boot=str(number), noord=YES, zuid=YES)
    assert lacks(house) == set()


def test_a_missing_secret_is_named_with_its_site_its_steps_and_the_reason(house):
    says(house, "noord", boot="n", noord=why("open-to-others"), zuid=YES)
    says(house, "zuid", boot="z", noord=YES, zuid=YES)
    told = house.call("GET", "/drills/DRL-001/readiness").json()
    assert told["ready"] is False
    (lack,) = [each for each in told["lacks"] if "secret" in each["code"]]
    assert lack["code"] == "secret-missing"
    assert "Site noord can't give out secret 'noord'" in lack["reason"]
    assert "fence" in lack["reason"]
    assert "open to others" in lack["reason"]


@pytest.mark.parametrize("code", ["sealed", "silent", "strange-answer"])
def test_a_store_that_nobody_could_ask_is_not_a_missing_secret(house, code):
    says(house, "*", noord=why(code), zuid=YES)
    assert lacks(house) == {("secret-store-unavailable", "noord")}


def test_what_was_said_long_ago_or_by_a_worker_that_stopped_does_not_count(house):
    says(house, "*", age=121, noord=YES, zuid=YES)
    assert {code for code, _ in lacks(house)} == {"secret-not-seen"}
    says(house, "*", noord=YES, zuid=YES)
    assert lacks(house) == set()
    with house.database.transaction() as session:
        held.forget(session, "one")
    assert {code for code, _ in lacks(house)} == {"secret-not-seen"}


def test_of_two_workers_of_a_site_the_one_that_lacks_it_counts(house):
    says(house, "*", boot="a", noord=YES, zuid=YES)
    says(house, "*", boot="b", noord=NO, zuid=YES)
    assert lacks(house) == {("secret-missing", "noord")}


def test_a_worker_looks_for_what_drills_at_its_sites_need(house):
    with house.database.transaction(write=False) as session:
        assert held.wanted(session, None) == {"noord", "zuid"}
        assert held.wanted(session, frozenset({"zuid"})) == {"noord", "zuid"}  # a side may need the other's
        assert held.wanted(session, frozenset({"oost"})) == set()


def test_each_step_says_what_it_needs_at_its_own_site(house):
    with house.database.transaction(write=False) as session:
        book = playbooks.content(playbooks.get(session, "switch-sides")).for_mode(Mode.LIVE)

        values = resolve_inputs(session, session.exec(select(Drill)).one(), book)
        found = held.standings(session, book, values, registry=RUNNERS, now=clock.now())
    needs = {(each.need.step, each.need.site, each.need.name) for each in found}
    assert {("fence", "noord", "noord"), ("promote", "zuid", "zuid")} <= needs
    assert ("fence", "noord", "zuid") in needs  # its undo looks at the other side too
    assert not [each for each in needs if each[0] == "redirect"]
    assert {each.held for each in found} == {Held.UNKNOWN}


def test_a_command_needs_what_the_list_of_its_site_gives_it(house):
    step = Step(id="dns", uses="switch.command", with_={"command": "move-dns"})
    with house.database.transaction(write=False) as session:
        book: Playbook = playbooks.content(playbooks.get(session, "switch-sides"))
    book = book.model_copy(update={"steps": (step,), "guards": ()})
    says(house, "orchestrator", commands={"move-dns": ["dns-key"]}, **{"dns-key": NO})
    with house.database.transaction(write=False) as session:
        (found,) = held.standings(session, book, {}, registry=RUNNERS, now=clock.now())
    assert (found.need.name, found.need.site, found.held) == ("dns-key", "orchestrator", Held.NO)
