"""Runs through the API: starting, approving, answering, refusing what is not legal now."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from sqlmodel import select

from app.core import clock
from app.core.evidence import EvidenceStore
from app.core.problems import Handlers
from app.playbooks.rules import Mode
from app.runs import planning
from app.runs.api import router
from app.runs.locks import EnvironmentBusy
from app.runs.record import Approval
from app.runs.rules import RunState
from tests.flow.runs_world import LINE, SWITCH, World, build, passed


@dataclass
class Web:
    """The runs' routes on the small world; people are named by a header."""

    world: World
    app: FastAPI

    def call(self, method: str, path: str, body: Any = None, *, by: str = "operator", **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            headers = {"X-Test-Person": by, **more.pop("headers", {})}
            if body is not None:
                more["content"] = json.dumps(body)
                headers["Content-Type"] = "application/json"
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, f"/api/v1{path}", headers=headers, **more)

        return asyncio.run(ask())

    def post(self, path: str, body: Any = None, *, by: str = "operator", **more: Any) -> Any:
        answer = self.call("POST", path, body, by=by, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
def web(tmp_path: Path) -> Web:
    world = build(tmp_path)
    made = FastAPI()
    made.state.database, made.state.evidence = world.database, EvidenceStore(tmp_path / "evidence")

    @made.middleware("http")
    async def sign_in(request: Request, call_next: Any) -> Any:
        request.state.actor = world.actor(request.headers["X-Test-Person"])
        return await call_next(request)

    made.include_router(router)
    Handlers(made, lambda _request, problem: PlainTextResponse(str(problem.detail), problem.status)).install()
    return Web(world, made)


def test_a_live_drill_waits_for_two_others_and_starts_with_the_last_of_them(web: Web) -> None:
    drill = web.world.switch()
    preview = web.call("GET", f"/drills/{drill}/preview").json()
    run = web.post(f"/drills/{drill}/runs")
    assert (run["state"], run["digest"]) == ("awaiting approval", preview["digest"])
    yes = {"digest": run["digest"], "verdict": "approved"}
    assert web.call("POST", f"/runs/{run['ref']}/approvals", yes, by="operator").status_code == 403
    assert web.call("POST", f"/runs/{run['ref']}/approvals", yes, by="author").status_code == 403
    web.post(f"/runs/{run['ref']}/approvals", yes, by="approver")
    assert web.call("POST", f"/runs/{run['ref']}/approvals", yes, by="approver").status_code == 403
    assert web.call("GET", f"/runs/{run['ref']}").json()["state"] == "awaiting approval"
    web.post(f"/runs/{run['ref']}/approvals", yes, by="owner")
    assert web.call("GET", f"/runs/{run['ref']}").json()["state"] == "running"


def test_an_approval_of_another_digest_is_refused_with_the_present_one(web: Web) -> None:
    run = web.post(f"/drills/{web.world.switch()}/runs")
    answer = web.call("POST", f"/runs/{run['id']}/approvals", {"digest": "0" * 64, "verdict": "approved"}, by="owner")
    assert (answer.status_code, answer.json()["code"]) == (409, "approval-other-digest")


def test_an_approval_that_would_be_over_at_once_is_refused_and_does_not_keep_its_giver_from_another(web: Web) -> None:
    run = web.post(f"/drills/{web.world.switch()}/runs")
    yes = {"digest": run["digest"], "verdict": "approved"}
    past = {**yes, "validUntil": "2020-01-01T00:00:00Z"}
    answer = web.call("POST", f"/runs/{run['id']}/approvals", past, by="approver")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "already-over")
    web.post(f"/runs/{run['id']}/approvals", yes, by="approver")


def test_who_approved_for_a_time_that_is_over_may_approve_again(web: Web) -> None:
    run = web.post(f"/drills/{web.world.switch()}/runs")
    yes = {"digest": run["digest"], "verdict": "approved"}
    web.post(f"/runs/{run['id']}/approvals", yes, by="approver")
    with web.world.database.transaction() as session:
        session.exec(select(Approval)).one().valid_until = clock.now()
    web.post(f"/runs/{run['id']}/approvals", yes, by="approver")


def test_one_deny_ends_a_run_that_has_not_begun(web: Web) -> None:
    run = web.post(f"/drills/{web.world.switch()}/runs")
    web.post(f"/runs/{run['id']}/approvals", {"digest": run["digest"], "verdict": "denied"}, by="owner")
    shown = web.call("GET", f"/runs/{run['id']}").json()
    assert (shown["state"], shown["verdict"], shown["nextActions"]) == ("denied", "aborted", [])


def test_an_illegal_command_answers_409_with_the_legal_ones(web: Web) -> None:
    run = web.post(f"/drills/{web.world.drill(LINE, Mode.REHEARSAL)}/runs")
    answer = web.call("POST", f"/runs/{run['id']}/resumptions", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "command-not-legal")
    assert {"command": "abort"} in answer.json()["nextActions"]


def test_repeating_a_start_with_one_key_starts_one_run(web: Web) -> None:
    drill = web.world.drill(LINE, Mode.REHEARSAL)
    first = web.post(f"/drills/{drill}/runs", headers={"Idempotency-Key": "once"})
    second = web.post(f"/drills/{drill}/runs", headers={"Idempotency-Key": "once"})
    assert first["ref"] == second["ref"]
    assert web.call("GET", "/runs").json()["total"] == 1


def test_the_second_run_on_one_environment_waits_and_is_told_who_holds_it(web: Web) -> None:
    web.world.started(web.world.switch())
    second = web.world.planned(web.world.switch())
    web.world.approve(second)
    assert web.world.held(second).run.state is RunState.QUEUED
    with web.world.database.transaction() as session, pytest.raises(EnvironmentBusy, match="held by run RUN-001"):
        planning.start(session, second, actor=web.world.actor("operator"), now=web.world.now)


def test_a_decision_is_for_its_role_and_a_vote_can_not_be_changed(web: Web) -> None:
    drill = web.world.switch(participants=[{"personId": "approver", "role": "crisis-manager"}])
    run_id = web.world.started(drill)
    web.world.do(step="lag")
    vote = {"step": "go", "option": "go"}
    refused = web.call("POST", f"/runs/{run_id}/decisions", vote, by="operator")
    assert (refused.status_code, refused.json()["code"]) == (403, "not-yours-to-answer")
    shown = web.post(f"/runs/{run_id}/decisions", vote, by="approver")
    assert shown["steps"][1]["chosen"] == "go"
    again = web.call("POST", f"/runs/{run_id}/decisions", vote, by="approver")
    assert again.status_code == 409


def test_evidence_is_stored_by_its_hash_and_can_be_downloaded(web: Web) -> None:
    text = json.loads(json.dumps(SWITCH))
    text["playbook"] = "test-evidence"
    text["steps"] = [{"id": "look", "ask": {"nl": "Kijk.", "en": "Look."}, "evidence": "required"}]
    text["proves"] = {}
    drill = web.world.drill(
        text, Mode.LIVE, pair_id="pair", inputs={"pair": "pair", "from": "primary", "to": "fallback"}
    )
    run_id = web.world.started(drill)
    bare = web.call("POST", f"/runs/{run_id}/answers", {"step": "look", "answer": "done"})
    assert (bare.status_code, bare.json()["errors"][0]["code"]) == (400, "evidence-required")
    kept = web.post(f"/runs/{run_id}/steps/look/evidence", files={"file": ("seen.txt", b"seen", "text/plain")})
    web.post(f"/runs/{run_id}/answers", {"step": "look", "answer": "done", "evidence": [kept["sha256"]]})
    assert web.call("GET", f"/runs/{run_id}/evidence/{kept['sha256']}").content == b"seen"
    assert web.call("GET", f"/runs/{run_id}/evidence/{'0' * 64}").status_code == 404


def test_the_run_page_data_tells_what_is_where_and_what_happened(web: Web) -> None:
    run_id = web.world.started(web.world.switch())
    web.world.do(passed())
    shown = web.call("GET", f"/runs/{run_id}").json()
    assert [side["home"] for side in shown["where"]] == [True, False]
    kinds = [event["kind"] for event in web.call("GET", f"/runs/{run_id}/events").json()]
    assert kinds[:2] == ["run.planned", "approval.approved"]
    assert "step.succeeded" in kinds
    after = shown["lastEvent"]
    assert web.call("GET", f"/runs/{run_id}/events?after={after}").json() == []
