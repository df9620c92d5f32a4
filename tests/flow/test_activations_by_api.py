"""The real thing by API: what goes in, what comes out, what is refused, and that a repeat does nothing twice."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import select

from app.core import clock
from app.runs.models import Run
from tests.flow.activation_world import answer, ready
from tests.flow.proof import prove_all
from tests.flow.runs_site import HOME, link_of, make_world
from tests.flow.runs_world import World, passed


@dataclass
class Api:
    """The API over the small world, spoken to by its people."""

    world: World
    site: FastAPI
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, *, by: str = "operator", **headers: str) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.site)
            async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
                if by not in self.tokens:
                    given = {"signInToken": link_of(self.site, by)}
                    self.tokens[by] = (await client.post("/api/v1/sessions", json=given)).json()["token"]
                    prove_all(self.site.state.database)
                mine = {"Authorization": f"Bearer {self.tokens[by]}", **headers}
                return await client.request(method, f"/api/v1{path}", json=body, headers=mine)

        return asyncio.run(send())


@pytest.fixture
def api(tmp_path: Path) -> Api:
    world, site = make_world(tmp_path, minutes_ago=0)
    return Api(ready(world), site)


def body(**more: Any) -> dict[str, Any]:
    alarm = (clock.now() - timedelta(minutes=4)).isoformat()
    given = {"plan": "PLN-001", "alarmAt": alarm, "reason": "It burns", "lost": {"sides": ["primary"]}}
    return {**given, "breakGlass": True, **more}


def test_it_answers_the_run_with_its_clocks_and_what_to_look_at_first(api: Api) -> None:
    made = api.ask("POST", "/activations", body())
    assert made.status_code == 201, made.text
    run = made.json()
    assert made.headers["Location"] == f"/api/v1/runs/{run['id']}"
    assert (run["activation"], run["state"], run["direction"]) == (True, "waiting for a person", "over")
    assert run["activated"]["lost"] == {"sides": ["primary"], "sites": ["dc-primary"], "suppliers": []}
    assert sorted(run["activated"]["alerted"]) == ["approver", "author", "owner"]
    assert run["clocks"]["alarmAt"] == run["clocks"]["outageSinceAt"] == run["activated"]["alarmAt"]
    assert "this-is-real" not in {each["command"] for each in run["nextActions"]}
    assert [each["ref"] for each in api.ask("GET", "/runs?activation=true").json()["items"]] == [run["ref"]]
    assert api.ask("GET", "/runs?activation=false").json()["total"] == 0
    assert api.ask("GET", "/drills").json()["total"] == 0


def test_the_same_request_again_starts_nothing_twice(api: Api) -> None:
    given = body()
    first = api.ask("POST", "/activations", given, **{"Idempotency-Key": "fire-1"})
    again = api.ask("POST", "/activations", given, **{"Idempotency-Key": "fire-1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    other = api.ask("POST", "/activations", given)
    assert (other.status_code, other.json()["heldBy"]) == (409, first.json()["ref"])


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"alarmAt": "2999-01-01T10:00:00Z"}, 400, "alarmAt"),
        ({"alarmAt": "yesterday"}, 400, "alarmAt"),
        ({"reason": ""}, 400, "reason"),
        ({"lost": {"sides": ["left"]}}, 400, "sides"),
        ({"state": "running"}, 400, "state"),
        ({"approvedBy": "me"}, 400, "approvedBy"),
        ({"lost": {"sites": ["nowhere"]}}, 404, ""),
        ({"lost": {"sites": ["\x00"]}}, 400, ""),
        ({"plan": "PLN-999"}, 404, ""),
        ({"breakGlass": "perhaps"}, 400, "breakGlass"),
        ({"inputs": {"command": "rm -rf /"}}, 400, "command"),
    ],
)
def test_a_bad_body_is_refused_by_its_field_and_begins_nothing(
    api: Api, more: dict[str, Any], status: int, field: str
) -> None:
    refused = api.ask("POST", "/activations", body(**more))
    assert refused.status_code == status, refused.text
    if field:
        assert any(field in each["field"] for each in refused.json()["errors"])
    assert api.ask("GET", "/runs").json()["total"] == 0


def test_who_may_not_operate_puts_nothing_to_work(api: Api) -> None:
    assert api.ask("POST", "/activations", body(), by="approver").status_code == 403


def test_a_drill_becomes_the_real_thing_by_one_command(api: Api) -> None:
    drill = api.world.held(api.world.started(api.world.switch())).run.ref
    then = {"lost": {"sides": ["primary"]}}
    made = api.ask("POST", f"/runs/{drill}/reality-calls", {"reason": "It burns", "thenActivate": then})
    assert made.status_code == 201, made.text
    assert (made.json()["state"], made.json()["real"]) == ("aborted", True)
    real = api.ask("GET", f"/runs/{made.json()['becameRun']}").json()
    assert (real["activation"], real["activated"]["fromRun"]) == (True, drill)
    silent = api.world.held(api.world.started(api.world.drill(*_line()))).run.ref
    assert api.ask("POST", f"/runs/{silent}/reality-calls", {"thenActivate": then}).status_code == 400
    assert api.ask("POST", f"/runs/{silent}/reality-calls", {}).json()["becameRun"] is None


def _line() -> tuple[dict[str, Any], Any]:
    from app.playbooks.rules import Mode
    from tests.flow.runs_world import LINE

    return LINE, Mode.REHEARSAL


def test_debts_are_listed_by_pair_and_closed_with_a_reason(api: Api) -> None:
    run = api.ask("POST", "/activations", body()).json()
    api.world.now = clock.now()
    answer(api.world, run["id"], "go", "go")
    for step in ("cut", "promote"):
        api.world.do(step=step)
    api.world.do(passed(canary_at=run["clocks"]["alarmAt"]), step="serve")
    owed = api.ask("GET", "/obligations?kind=debt&pair=PAIR-001&open=true").json()
    assert [(each["stepId"], each["side"], each["bars"]) for each in owed["items"]] == [
        ("fence", "primary", True),
        ("compare", "primary", True),
        ("follow", "primary", False),
    ]
    first = f"/obligations/{owed['items'][0]['id']}/completions"
    assert api.ask("POST", first, {"reason": "trust me"}).status_code == 400
    unknown = api.ask("POST", first, {"reason": "seen", "evidence": ["0" * 64]})
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (400, "unknown-evidence")
    assert api.ask("POST", first, {"reason": "it burned down", "forced": True}).json()["forced"] is True
    assert api.ask("POST", first, {"reason": "again", "forced": True}).status_code == 409
    [review] = api.ask("GET", f"/obligations?kind=review&run={run['ref']}").json()["items"]
    place = f"/obligations/{review['id']}"
    assert api.ask("POST", f"{place}/completions", {"reason": "fine", "forced": True}).status_code == 409
    assert api.ask("POST", f"{place}/reviews", {"agreed": True, "reason": "fine"}).status_code == 403
    agreed = api.ask("POST", f"{place}/reviews", {"agreed": True, "reason": "fine"}, by="owner")
    assert agreed.status_code == 201, agreed.text
    assert api.ask("GET", f"/runs/{run['ref']}").json()["activated"]["reviewedBy"] == "person:owner"


def test_nobody_decides_under_a_name_that_is_not_known(api: Api) -> None:
    people = [{"personId": "operator", "role": "crisis-manager"}, {"personId": "PER-999", "role": "crisis-manager"}]
    refused = api.ask("POST", "/activations", body(participants=people))
    assert refused.status_code == 400, refused.text
    assert refused.json()["errors"][0]["field"] == "participants/1/personId"
    with api.world.database.transaction(write=False) as session:
        assert not session.exec(select(Run)).all()
