"""When the way back comes: never before the way over is done, and not at all where nobody went over."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from app.lab.organisation.loader import PlannedDrill
from app.lab.progress import Progress, follow
from app.lab.waiting import WayBack
from app.remote import Remote

ADDRESS = "http://wissel.test"
API = f"{ADDRESS}/api/v1"


def drill(key: str) -> PlannedDrill:
    return PlannedDrill(key, f"id-{key}", f"DRL-{key}", key, "passed", None, live=True, unattended=key == "back")


OVER, BACK = drill("over"), drill("back")


@pytest.fixture
def api() -> respx.MockRouter:
    with respx.mock(base_url=API, assert_all_called=False) as router:
        router.get("/runs").respond(json={"items": []})
        router.get("/drill-moments").respond(json={"items": []})
        yield router


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def progress(told: list[str]) -> Progress:
    return Progress(Remote(ADDRESS, "token"), [OVER, BACK], told.append)


def way_back(progress: Progress) -> WayBack:
    return WayBack(OVER, BACK, progress.api, progress, timedelta(seconds=4))


def due_in(api: respx.MockRouter, **more: int) -> respx.Route:
    """Say when the way back is due; the route by which it is moved."""
    at = datetime.now(UTC) + timedelta(**more)
    api.get("/drills/id-back").respond(json={"nextDueAt": at.isoformat()})
    return api.patch("/drills/id-back").respond(json={})


def moved_by(route: respx.Route) -> timedelta:
    sent = json.loads(route.calls.last.request.content)
    return datetime.fromisoformat(sent["schedule"]["at"]) - datetime.now(UTC)


def run(state: str, verdict: str | None, **more: Any) -> dict[str, Any]:
    row = {"id": "run", "ref": "RUN-001", "drill": "DRL-over", "state": state, "verdict": verdict, "rtaMs": 500}
    return {**row, "steps": [], "endReason": {}, "verdictReason": {}, **more}


def test_it_stays_where_it_is_while_there_is_time(api: respx.MockRouter, progress: Progress) -> None:
    moves = due_in(api, minutes=5)
    way_back(progress).look()
    assert not moves.called


def test_it_is_put_off_while_people_still_work_on_the_way_over(api: respx.MockRouter, progress: Progress) -> None:
    moves = due_in(api, seconds=20)
    way_back(progress).look()
    assert timedelta(minutes=9) < moved_by(moves) <= timedelta(minutes=10)


def test_it_comes_soon_and_only_once_when_the_way_over_is_done(api: respx.MockRouter, progress: Progress) -> None:
    moves = due_in(api, minutes=10)
    progress.ended[OVER.id] = run("completed", "passed")
    back = way_back(progress)
    back.look()
    back.look()
    assert moves.call_count == 1
    assert timedelta(0) < moved_by(moves) <= timedelta(seconds=4)


def test_it_is_dropped_where_nobody_went_over(api: respx.MockRouter, progress: Progress, told: list[str]) -> None:
    moves = due_in(api, minutes=10)
    archived = api.post("/drills/id-back/archivals").respond(201, json={})
    progress.ended[OVER.id] = run("undone", "aborted")
    way_back(progress).look()
    assert archived.called
    assert not moves.called
    assert progress.done
    assert "there is no way back" in told[-1]


def test_a_moment_that_was_missed_is_not_waited_for(api: respx.MockRouter, progress: Progress, told: list[str]) -> None:
    reason = {"nl": "Te laat.", "en": "Too late."}
    missed = {"drillId": "id-over", "state": "missed", "runId": None, "reason": reason, "reasonCode": "too-late"}
    other = missed | {"drillId": "another-drill"}
    api.get("/drill-moments").respond(json={"items": [missed, other]})
    progress.look()
    progress.look()
    assert told == ["over: will not run. Too late."]
    assert not progress.done


def test_each_change_of_a_run_is_told_once_and_its_end_is_kept(
    api: respx.MockRouter, progress: Progress, told: list[str]
) -> None:
    going, over = run("running", None), run("completed", "passed")
    api.get("/runs").mock(side_effect=[httpx.Response(200, json={"items": [each]}) for each in (going, going, over)])
    api.get("/runs/run").mock(side_effect=[httpx.Response(200, json=each) for each in (going, going, over)])
    assert [each["state"] for each in progress.look() + progress.look()] == ["running", "running"]
    assert progress.look() == []
    assert told == ["over: runs", "over: passed, service back after 0.50 s"]
    assert progress.ended[OVER.id]["verdict"] == "passed"


def test_patience_ends(api: respx.MockRouter, progress: Progress) -> None:
    assert follow(progress, lambda runs: None, patience=0, pause=0) is False
