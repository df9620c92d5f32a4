"""`wissel status` names the runs that came out of a backup and wait for a look, with what to look at."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app import cli
from app.core.incarnation import Incarnation
from app.runs import restored
from app.runs.models import Run
from tests.flow.activation_world import answer, ready
from tests.flow.runs_site import make_world
from tests.flow.runs_world import World
from tests.flow.test_activations_by_api import Api
from tests.flow.wissel_command import wissel


class InProcess:
    """The command line's way to the API, over the application itself."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def get(self, path: str, **query: Any) -> Any:
        answer_ = self.api.ask("GET", f"{path}?" + "&".join(f"{key}={value}" for key, value in query.items()))
        assert answer_.status_code == 200, answer_.text
        return answer_.json()


@pytest.fixture
def restored_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world, site = make_world(tmp_path, minutes_ago=0)
    ready(world)
    run_id = world.started(world.switch())
    world.do(step="lag")
    answer(world, run_id, "go", "go")
    world.begin()
    with world.database.transaction() as session:
        told = {"sha256": "a" * 64, "version": "0.1.0", "token_floor": 1_000}
        restored.come_up(session, Incarnation(began_at=world.now, taken_at=world.now, **told), now=world.now)
    monkeypatch.setattr(cli, "Remote", lambda: InProcess(Api(world, site)))
    return world


def test_it_names_each_run_with_what_to_check_until_a_person_took_it_over(
    restored_world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = wissel(monkeypatch, capsys, "status")
    assert "RUN-001 Oefening (live) came out of a backup and waits for a look:" in told.out
    assert "CHECK fence (test.fence, dc-primary): " in told.out
    assert "CHECK PAIR-001: " in told.out
    [run] = json.loads(wissel(monkeypatch, capsys, "status", "--json").out)["restored"]
    assert (run["ref"], run["toCheck"][0]["what"]) == ("RUN-001", "outcome-unknown")
    restored_world.command("resume", _only_run(restored_world))
    told = wissel(monkeypatch, capsys, "status")
    assert "came out of a backup" not in told.out
    assert json.loads(wissel(monkeypatch, capsys, "status", "--json").out)["restored"] == []


def test_no_plan_is_left_out_of_a_list_that_is_longer_than_a_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plans = [{"ref": f"PLN-{number:03}"} for number in range(1, 206)]

    class Paged:
        def get(self, path: str, **query: Any) -> dict[str, Any]:
            page, size = query["page"], query["pageSize"]
            found = plans[(page - 1) * size : page * size] if path == "/plans" else []
            return {"items": found, "total": len(plans) if found else 0, "page": page, "pageSize": size}

    monkeypatch.setattr(cli, "Remote", Paged)
    assert json.loads(wissel(monkeypatch, capsys, "status", "--json").out)["items"] == plans


def _only_run(world: World) -> str:
    with world.database.transaction(write=False) as session:
        return session.exec(select(Run.id)).one()
