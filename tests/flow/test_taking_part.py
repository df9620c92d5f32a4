"""Who takes part: named when the real thing begins, or asked in while it runs, told to everybody with the reason."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlmodel import select

from app.access.models import Person
from app.access.rules import Actor, Kind, Role
from app.core import audit
from app.core.errors import Problem
from app.drills.models import Drill
from app.playbooks.models import PlaybookVersion
from app.playbooks.rules import Mode, Playbook
from app.runs import commands, taking_part
from app.runs.models import Run, RunEvent
from app.runs.rules import RunState
from tests.flow.activation_world import FAIL_OVER, activated, answer, ready
from tests.flow.runs_site import Browser, make_world
from tests.flow.runs_world import World
from tests.flow.test_activations_by_api import Api, body

MACHINE = Actor(Kind.MACHINE, "nightly", "nightly", frozenset({Role.OPERATOR}))


@pytest.fixture
def made(tmp_path: Path) -> tuple[World, FastAPI]:
    """A fail-over that asks two crisis managers."""
    world, site = make_world(tmp_path, minutes_ago=0)
    ready(world)
    text = {**FAIL_OVER, "steps": [{**FAIL_OVER["steps"][0], "quorum": 2}, *FAIL_OVER["steps"][1:]]}
    with world.database.transaction() as session:
        row = session.exec(select(PlaybookVersion).where(PlaybookVersion.name == text["playbook"])).one()
        row.content = Playbook.model_validate(text).model_dump(mode="json", by_alias=True, exclude_none=True)
        session.get_one(Person, "author").active = False
    return world, site


def named(*people: str) -> list[dict[str, str]]:
    return [{"personId": each, "role": "crisis-manager"} for each in people]


def join(world: World, run_id: str, person: str, actor: Actor, role: str = "crisis-manager") -> None:
    with world.database.transaction() as session:
        given = {"person": person, "role": role, "actor": actor, "reason": "the other one is away", "now": world.now}
        taking_part.join(session, run_id, **given)


def test_one_more_crisis_manager_makes_the_decision_possible_and_everybody_is_told_who_asked_and_why(
    made: tuple[World, FastAPI],
) -> None:
    world, _ = made
    run_id = activated(world, participants=named("operator"))
    answer(world, run_id, "go", "go")
    with pytest.raises(Problem):
        answer(world, run_id, "go", "go", "owner")
    join(world, run_id, "PER-003", world.actor("operator"))
    answer(world, run_id, "go", "go", "owner")
    assert world.states(run_id)["go"] == "succeeded"
    told = {"person": "owner", "name": "owner", "role": "crisis-manager", "reason": "the other one is away"}
    with world.database.transaction(write=False) as session:
        event = session.exec(select(RunEvent).where(RunEvent.kind == "participant.joined")).one()
        row = session.exec(select(audit.AuditEvent).where(audit.AuditEvent.action == "run.participant-joined")).one()
        drill = session.get_one(Drill, session.get_one(Run, run_id).drill_id)
        assert (event.actor, event.detail) == ("person:operator", told)
        assert (row.actor, audit.shown(session, [row])[row.id]["reason"]) == ("person:operator", told["reason"])
        assert drill.participants == named("operator"), "the plan of who takes part stays as it was"


def test_who_decides_in_it_may_ask_another_and_nobody_else_but_who_operates_may(made: tuple[World, FastAPI]) -> None:
    world, _ = made
    run_id = activated(world, participants=named("approver"))
    join(world, run_id, "operator", world.actor("approver"))
    for stranger in (world.actor("owner"), MACHINE):
        with pytest.raises(Problem) as refused:
            join(world, run_id, "owner", stranger)
        assert refused.value.code == "not-yours-to-ask"


@pytest.mark.parametrize(
    ("person", "role", "code"),
    [
        ("PER-999", "crisis-manager", "not-found"),
        ("author", "crisis-manager", "not-found"),
        ("owner", "king", "role-not-asked"),
        ("owner", "process-owner", "role-not-asked"),
        ("approver", "crisis-manager", "takes-part-already"),
        ("operator", "crisis-manager", "not-yourself"),
    ],
)
def test_only_an_active_person_in_a_role_that_is_asked_joins_and_only_once(
    made: tuple[World, FastAPI], person: str, role: str, code: str
) -> None:
    world, _ = made
    run_id = activated(world, participants=named("approver"))
    with pytest.raises(Problem) as refused:
        join(world, run_id, person, world.actor("operator"), role)
    assert code in {refused.value.code, *(each.code for each in refused.value.errors)}
    assert world.held(run_id).run.joined == []


def test_nobody_joins_what_is_over(made: tuple[World, FastAPI]) -> None:
    world, _ = made
    run_id = activated(world)
    world.command("abort", run_id)
    assert world.held(run_id).run.state is RunState.ABORTED
    with pytest.raises(Problem) as refused:
        join(world, run_id, "owner", world.actor("operator"))
    assert refused.value.code == "run-is-over"


def test_with_a_prepared_drill_the_people_who_are_told_take_part_beside_its_own(made: tuple[World, FastAPI]) -> None:
    world, _ = made
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    more = {"pair_id": "pair", "direction": "over", "inputs": inputs, "participants": named("operator")}
    world.drill(FAIL_OVER, Mode.LIVE, **more)
    run_id = activated(world, drill="DRL-001", participants=named("operator", "owner"))
    with world.database.transaction(write=False) as session:
        found = taking_part.of(session, session.get_one(Run, run_id))
    assert [each.person_id for each in found] == ["operator", "owner"]


def test_who_has_left_is_not_taken_over_from_the_last_drill(made: tuple[World, FastAPI]) -> None:
    world, _ = made
    world.switch(participants=named("operator", "author"))
    run = world.held(activated(world)).run
    with world.database.transaction(write=False) as session:
        assert [each.person_id for each in taking_part.of(session, session.get_one(Run, run.id))] == ["operator"]


def test_a_drill_that_becomes_real_takes_along_who_was_asked_into_it(made: tuple[World, FastAPI]) -> None:
    world, _ = made
    drill_run = world.started(world.switch(participants=named("operator")))
    join(world, drill_run, "owner", world.actor("operator"))
    told = {"lost": {"sides": ["primary"]}}
    with world.database.transaction() as session:
        given: dict[str, Any] = {"reason": "It burns", "now": world.now, "actor": world.actor("operator")}
        commands.this_is_real(session, drill_run, then_activate=commands.ThenActivateIn.model_validate(told), **given)
    with world.database.transaction(write=False) as session:
        real = session.exec(select(Run).where(Run.activation)).one()
        assert [each.person_id for each in taking_part.of(session, real)] == ["operator", "owner"]


def test_by_api_and_by_the_form_on_the_page_of_the_run(made: tuple[World, FastAPI]) -> None:
    world, site = made
    api = Api(world, site)
    run = api.ask("POST", "/activations", body(participants=named("operator"))).json()
    given = {"personId": "PER-002", "role": "crisis-manager"}
    path = f"/runs/{run['ref']}/participants"
    assert api.ask("POST", path, given).status_code == 400, "without a reason nobody is asked"
    asked = api.ask("POST", path, {**given, "reason": "second of two"})
    assert asked.status_code == 201, asked.text
    who = [(each["personId"], each["name"], each["role"]) for each in asked.json()["participants"]]
    assert who == [("operator", "operator", "crisis-manager"), ("approver", "approver", "crisis-manager")]
    assert api.ask("POST", path, {**given, "reason": "again"}).status_code == 409
    browser = Browser(site, "operator")
    assert 'action="/runs/RUN-001/participants"' in browser.get(f"/runs/{run['ref']}").text
    sent = browser.post(path, personId="PER-003", role="crisis-manager", comment="third")
    assert sent.status_code == 303, sent.text
    page = browser.get(f"/runs/{run['ref']}").text
    assert "One more person was asked to take part" in page
    assert 'action="/runs/RUN-001/participants"' in Browser(site, "owner").get("/runs/RUN-001").text, "decides now"


def rows_of(page: str) -> Callable[[str], list[str]]:
    """Values of the fields of a form by the end of their names."""
    selected = re.findall(r'name="participants\.\d+\.personId">(.*?)</select>', page, re.S)
    people = [re.search(r'value="([^"]+)" selected', each) for each in selected]
    roles = re.findall(r'name="participants\.\d+\.role" value="([^"]*)"', page)
    return lambda what: roles if what == "role" else [each[1] if each else "" for each in people]


def test_the_form_of_an_activation_asks_a_person_for_each_that_must_decide_and_takes_who_is_named(
    made: tuple[World, FastAPI],
) -> None:
    world, site = made
    browser = Browser(site, "operator")
    page = browser.get("/plans/PLN-001/activate").text
    assert rows_of(page)("role")[:2] == ["crisis-manager", "crisis-manager"]
    world.switch(participants=named("operator", "author"))
    page = browser.get("/plans/PLN-001/activate").text
    assert rows_of(page)("personId")[:2] == ["PER-001", ""], "as in the last drill, without who has left"
    typed = dict(re.findall(r'name="(\w+)"[^>]*value="([^"]*)"', page))
    sent = {"reason": "Het brandt", "alarmAt": typed["alarmAt"], "lost": "primary", "breakGlass": "yes"}
    people = {"participants.0.personId": "PER-001", "participants.0.role": "crisis-manager"}
    people |= {"participants.1.personId": "PER-002", "participants.1.role": "crisis-manager"}
    refused = browser.post("/plans/PLN-001/activations", **sent, **{**people, "participants.1.personId": "PER-004"})
    assert (refused.status_code, "There is no person" in refused.text) == (400, True)
    done = browser.post("/plans/PLN-001/activations", **sent, **people)
    assert done.status_code == 303, done.text
    run_id = done.headers["location"].removeprefix("/runs/")
    with world.database.transaction(write=False) as session:
        run = session.exec(select(Run).where(Run.ref == run_id)).one()
        assert session.get_one(Drill, run.drill_id).participants == named("operator", "approver")
