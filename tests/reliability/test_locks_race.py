"""Fifty starts at once on one environment, by the API: one wins, the rest get a clear 409 that names the holder."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import col, select

from app.access import service as access
from app.access.rules import SYSTEM
from app.core import clock
from app.core.settings import Settings
from app.drills.models import Drill
from app.main import create_app
from app.playbooks.rules import Mode
from app.runs import commands
from app.runs.compose import compose
from app.runs.models import EnvironmentLock, Run
from app.runs.record import Approval, ApprovalVerdict
from app.runs.rules import RunState
from tests.flow.runs_site import ROLES
from tests.flow.runs_world import REGISTRY, SWITCH, World, build
from tests.reliability import database
from tests.reliability.figures import times, told

STARTS = 50


@dataclass
class Racers:
    """The application over the small world of runs, and fifty clients at once."""

    world: World
    site: FastAPI
    token: str
    pool: ThreadPoolExecutor

    def post(self, path: str, body: Any = None) -> httpx.Response:
        async def knock() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.site, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=120) as client:
                return await client.post(f"/api/v1{path}", json=body, headers={"Authorization": f"Bearer {self.token}"})

        return asyncio.run(knock())

    def at_once(self, paths: list[str]) -> list[httpx.Response]:
        """All these requests at the same time."""
        return list(self.pool.map(self.post, paths))


@pytest.fixture(params=["sqlite", "postgresql"])
def racers(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Racers]:
    with database.url(request.param, tmp_path) as url:
        if url is not None:
            monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        else:
            monkeypatch.delenv("WISSEL_TEST_POSTGRES", raising=False)
        world = build(tmp_path)
        world.now = datetime.now(UTC)
        with world.database.transaction() as session:
            for name, roles in ROLES.items():
                access.find_person(session, name).roles = [role.value for role in roles]
        site = create_app(Settings(data_dir=tmp_path), database=world.database, runners=REGISTRY)
        with world.database.transaction() as session:
            link = access.make_link(session, access.find_person(session, "operator"), actor=SYSTEM, now=clock.now())[0]
        with ThreadPoolExecutor(STARTS) as pool:
            made = Racers(world, site, "", pool)
            signed_in = made.post("/sessions", {"signInToken": link})
            made.token = signed_in.json()["token"]
            yield made
        world.database.dispose()


def approved(world: World, drill_id: str, digest: str, run_id: str | None = None) -> None:
    """Both approvals of a live drill, as hand-set rows: only the lock is tried here."""
    with world.database.transaction() as session:
        for person in ("approver", "owner"):
            session.add(
                Approval(
                    drill_id=drill_id,
                    run_id=run_id,
                    digest=digest,
                    person_id=person,
                    as_owner=person == "owner",
                    verdict=ApprovalVerdict.APPROVED,
                    at=world.now,
                    valid_from=world.now - timedelta(hours=1),
                    valid_until=world.now + timedelta(hours=9),
                )
            )


def free(world: World, holder: str) -> None:
    """End the run that holds the environment."""
    with world.database.transaction() as session:
        commands.abort(session, holder, actor=world.actor("operator"), reason="next", now=world.now)


def judged(racers: Racers, answers: list[httpx.Response]) -> str:
    """One winner and clear refusals; the id of the winner."""
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [409] * (len(answers) - 1), [a.text for a in answers if a.status_code not in (201, 409)]
    [won] = [answer.json() for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer.status_code == 409:
            problem = answer.json()
            assert answer.headers["content-type"] == "application/problem+json"
            assert (problem["code"], problem["heldBy"]) == ("environment-busy", won["ref"])
            assert won["ref"] in problem["detail"]
    with racers.world.database.transaction(write=False) as session:
        running = session.exec(select(Run.id).where(col(Run.started_at).is_not(None), col(Run.ended).is_(None))).all()
        holders = {lock.run_id for lock in session.exec(select(EnvironmentLock))}
    assert (list(running), holders) == ([won["id"]], {won["id"]})
    return str(won["id"])


def test_of_fifty_starts_by_the_api_one_wins_and_the_rest_are_told_who_holds_it(
    racers: Racers, request: pytest.FixtureRequest
) -> None:
    world, rounds = racers.world, times(4, 200)
    drills = [world.drill(SWITCH, Mode.LIVE, **_switch()) for _ in range(STARTS)]
    digest = _digest(world, drills[0])
    winners, took = 0, 0.0
    for _ in range(rounds):
        for drill_id in drills:
            approved(world, drill_id, digest)
        begun = time.monotonic()
        answers = racers.at_once([f"/drills/{drill_id}/runs" for drill_id in drills])
        took = max(took, time.monotonic() - begun)
        free(world, judged(racers, answers))
        winners += 1
        _forget_approvals(world)
    tokens = _tokens(world)
    assert len(set(tokens)) == 1, "all locks of a run bear one token"
    assert tokens[0] >= rounds
    told(
        f"{STARTS} starts at once on one environment ({request.node.callspec.id})",
        f"{winners} of {rounds} rounds: 1 winner, {STARTS - 1} answers 409 that name it; slowest round {took:.1f} s",
    )


def test_the_start_of_an_approved_run_whose_environment_is_held_is_refused_and_names_the_holder(racers: Racers) -> None:
    world = racers.world
    holder = world.held(world.started(world.switch())).run
    waiting = world.planned(world.switch())
    world.approve(waiting)
    assert world.held(waiting).run.state is RunState.QUEUED
    answers = racers.at_once([f"/runs/{waiting}/starts"] * 4)
    for answer in answers:
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["heldBy"]) == (409, "environment-busy", holder.ref)
    free(world, holder.id)
    answers = racers.at_once([f"/runs/{waiting}/starts"] * 4)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"already-started"}


def _switch() -> dict[str, Any]:
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    return {"pair_id": "pair", "direction": "over", "inputs": inputs}


def _digest(world: World, drill_id: str) -> str:
    with world.database.transaction() as session:
        return compose(session, session.get_one(Drill, drill_id)).digest


def _forget_approvals(world: World) -> None:
    with world.database.transaction() as session:
        for row in session.exec(select(Approval).where(col(Approval.used_at).is_(None))):
            session.delete(row)


def _tokens(world: World) -> list[int]:
    with world.database.transaction(write=False) as session:
        return [lock.token for lock in session.exec(select(EnvironmentLock))]
