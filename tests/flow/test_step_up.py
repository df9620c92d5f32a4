"""What opens the way to what cannot be undone asks for a proof younger than five minutes, whatever its name is."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlmodel import select

from app.access.models import UserSession
from app.core import clock
from app.runs.models import Run
from app.runs.record import Answer, Approval
from tests.flow.runs_site import Browser, link_of, make_world
from tests.flow.runs_world import World

CRISIS = [{"personId": "operator", "role": "crisis-manager"}, {"personId": "owner", "role": "crisis-manager"}]


@pytest.fixture
def made(tmp_path: Path) -> tuple[World, FastAPI]:
    return make_world(tmp_path)


def bearer(site: FastAPI, person: str) -> str:
    """A session of this person, begun by a one-time link: somebody else made it, so it proves nothing."""
    return str(ask(site, "/sessions", {"signInToken": link_of(site, person)}, "").json()["token"])


def proved(site: FastAPI, person: str, *, minutes_ago: float) -> None:
    with site.state.database.transaction() as session:
        at = clock.now() - timedelta(minutes=minutes_ago)
        session.execute(update(UserSession).where(UserSession.person_id == person).values(proved_at=at))


def ask(site: FastAPI, path: str, body: dict[str, Any], token: str, key: str = "") -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=site)
        async with httpx.AsyncClient(transport=transport, base_url="http://wissel.test") as client:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            headers |= {"Idempotency-Key": key} if key else {}
            return await client.post(f"/api/v1{path}", json=body, headers=headers)

    return asyncio.run(send())


def test_an_approval_asks_for_a_proof_younger_than_five_minutes(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = world.planned(world.switch(participants=CRISIS))
    with world.database.transaction() as session:
        digest = session.get_one(Run, run_id).digest
    token = bearer(site, "approver")
    body = {"digest": digest, "verdict": "approved", "comment": ""}
    answer = ask(site, f"/runs/{run_id}/approvals", body, token)
    assert (answer.status_code, answer.json()["code"]) == (403, "step-up-needed")
    proved(site, "approver", minutes_ago=5.1)
    assert ask(site, f"/runs/{run_id}/approvals", body, token).json()["code"] == "step-up-needed"
    with world.database.transaction() as session:
        assert session.exec(select(Approval)).all() == []
    proved(site, "approver", minutes_ago=4)
    assert ask(site, f"/runs/{run_id}/approvals", body, token).status_code == 201


def test_a_go_before_what_cannot_be_undone_asks_for_it_and_a_no_an_abort_and_an_undo_never_do(
    made: tuple[World, FastAPI],
) -> None:
    world, site = made
    run_id = world.started(world.switch(participants=CRISIS))
    world.do(step="lag")
    token = bearer(site, "operator")
    go = {"step": "go", "option": "go", "comment": ""}
    answer = ask(site, f"/runs/{run_id}/decisions", go, token)
    assert (answer.status_code, answer.json()["code"]) == (403, "step-up-needed")
    with world.database.transaction() as session:
        assert session.exec(select(Answer)).all() == [], "nothing was written"
    proved(site, "operator", minutes_ago=1)
    assert ask(site, f"/runs/{run_id}/decisions", go, token).status_code == 201
    proved(site, "operator", minutes_ago=60)
    world.do(step="fence")
    assert ask(site, f"/runs/{run_id}/cancellations", {"reason": "stop"}, token).status_code == 201
    assert ask(site, f"/runs/{run_id}/undos", {"reason": "back"}, token).status_code == 201


def test_a_no_needs_no_proof(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = world.started(world.switch(participants=CRISIS))
    world.do(step="lag")
    body = {"step": "go", "option": "no-go", "comment": "not today"}
    assert ask(site, f"/runs/{run_id}/decisions", body, bearer(site, "operator")).status_code == 201


def test_to_vouch_that_a_side_is_fenced_asks_for_it(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = world.started(world.switch(participants=CRISIS))
    token = bearer(site, "operator")
    answer = ask(site, f"/runs/{run_id}/steps/fenced/hand-fences", {"reason": "I pulled the plug"}, token)
    assert (answer.status_code, answer.json()["code"]) == (403, "step-up-needed")
    proved(site, "operator", minutes_ago=1)
    answer = ask(site, f"/runs/{run_id}/steps/fenced/hand-fences", {"reason": "I pulled the plug"}, token)
    assert answer.json()["code"] == "command-not-legal", "past the proof it is judged as any command"


def test_the_page_of_a_decision_leads_to_the_proof_first(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = world.started(world.switch(participants=CRISIS))
    world.do(step="lag")
    browser = Browser(site, "operator")
    browser.get(f"/runs/{run_id}")
    proved(site, "operator", minutes_ago=60)
    answer = browser.post(f"/runs/{run_id}/decisions", step="go", option="go", comment="")
    assert answer.status_code in (303, 403)
    assert "go" not in [row.option for row in _answers(world)]


def _answers(world: World) -> list[Answer]:
    with world.database.transaction() as session:
        return list(session.exec(select(Answer)))


def test_a_repeated_key_is_one_yes_of_one_person_and_stands_for_nobody_else(made: tuple[World, FastAPI]) -> None:
    world, site = made
    run_id = world.planned(world.switch(participants=CRISIS))
    with world.database.transaction() as session:
        digest = session.get_one(Run, run_id).digest
    tokens = {name: bearer(site, name) for name in ("approver", "author")}
    for name in tokens:
        proved(site, name, minutes_ago=1)
    body = {"digest": digest, "verdict": "approved", "comment": ""}
    first = ask(site, f"/runs/{run_id}/approvals", body, tokens["approver"], "one-key")
    again = ask(site, f"/runs/{run_id}/approvals", body, tokens["approver"], "one-key")
    assert (first.status_code, again.status_code, again.json()["id"]) == (201, 201, first.json()["id"])
    assert again.headers["idempotency-replayed"] == "true"
    other = ask(site, f"/runs/{run_id}/approvals", body, tokens["author"], "one-key")
    assert (other.status_code, other.json()["code"]) == (403, "approver-not-independent")
    with world.database.transaction() as session:
        assert [row.person_id for row in session.exec(select(Approval))] == ["approver"]
