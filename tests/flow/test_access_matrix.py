"""Each route against each role, in the whole organisation, in the unit that the thing is of, and in another."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from ruamel.yaml import YAML

from app.access.rules import Role
from app.main import UndeclaredRoute, refuse_undeclared
from tests.flow.access_world import NORTH, SOUTH, WHOLE, Units
from tests.flow.whole import API

TABLE: dict[str, Any] = YAML(typ="safe").load(Path("tests/cases/access.yaml"))
ROUTES: dict[str, str] = TABLE["routes"]
PLACES = (WHOLE, NORTH, SOUTH)
IN_PARTS = [role for role in Role if role is not Role.ADMINISTRATOR]
"""An administrator is the whole organisation's."""
PERSONAS = [f"{role.value} {place}" for role in IN_PARTS for place in PLACES] + ["administrator whole", "machine"]
ENDS_THE_SESSION = {"POST /sign-out", "DELETE /api/v1/sessions/current"}
"""Not asked for by each persona, who is asked for many more."""
TELLS_OF_ITSELF = {"POST /sign-in", "POST /api/v1/sessions", "POST /sign-in/providers/{name}"}
TELLS_OF_ITSELF |= {"GET /sign-in/providers/{name}/answer"}
"""Open to everybody, and says itself that nobody could be signed in, or not there."""
IN, REFUSED, NOT_THERE = "in", "refused", "not there"


def expected(route: str, persona: str) -> str:
    """What the table says must come of it."""
    action, _, where = ROUTES[route].partition(" ")
    if action == "open":
        return IN
    if persona == "machine":
        roles, place = [role.value for role in Role], WHOLE
    else:
        roles, place = [persona.split(" ")[0]], persona.split(" ")[1]
    opens = any(action in TABLE["roles"][role] for role in roles)
    if place == SOUTH and where == "unit":
        return NOT_THERE if opens or "{" in route else REFUSED
    if where == "person" and persona != "machine":
        return NOT_THERE
    if where == "own" and persona != "machine":
        return IN if persona == f"{Role.ADMINISTRATOR.value} {WHOLE}" else NOT_THERE
    if persona == "machine" and action in TABLE["people-only"]:
        return REFUSED
    if place != WHOLE and (
        where == "whole" or action in TABLE["whole-only"] or (where == "organisation" and not _everybody(action))
    ):
        return REFUSED
    return IN if opens else REFUSED


def _everybody(action: str) -> bool:
    return action in {"read", "use-own-session"}


def came_of(units: Units, route: str, persona: str) -> str:
    """What came of it, or the status where it is none of the three."""
    method, path = route.split(" ")
    answer = units.ask(method, units.address(path), persona)
    status = answer.status_code
    if route in TELLS_OF_ITSELF and status in {400, 401, 404}:
        return IN
    if status == 403 and ("not-allowed" in answer.text):
        return REFUSED
    if status == 404 and (path.count("{") < 2 or persona.endswith(SOUTH)):
        return NOT_THERE
    return str(status) if status == 401 or "forged-form" in answer.text or status >= 500 else IN


@pytest.mark.parametrize("persona", PERSONAS)
def test_every_cell_of_the_matrix_answers_as_the_table_says(units: Units, persona: str) -> None:
    wrong = []
    for route in ROUTES:
        if route in ENDS_THE_SESSION or (persona == "machine" and API not in route):
            continue
        wanted, came = expected(route, persona), came_of(units, route, persona)
        if wanted != came:
            wrong.append(f"{route} ({ROUTES[route]}): {came}, not {wanted}")
    assert not wrong, "\n".join(wrong)


def test_every_route_has_a_row_and_every_row_a_route(units: Units) -> None:
    assert set(declared(units)) == set(ROUTES)


def test_a_route_without_a_row_is_seen(units: Units) -> None:
    units.whole.app.add_api_route(f"{API}/plans/{{key}}/forgotten", lambda key: key, methods=["POST"])
    try:
        assert set(declared(units)) - set(ROUTES) == {f"POST {API}/plans/{{key}}/forgotten"}
    finally:
        units.whole.app.router.routes.pop()


def test_a_route_that_names_something_of_which_nobody_knows_whose_it_is_stops_the_start(units: Units) -> None:
    from fastapi import Depends

    from app.access.guard import allowed
    from app.access.rules import Action

    guarded = [Depends(allowed(Action.READ))]
    units.whole.app.add_api_route(f"{API}/mysteries/{{key}}", lambda key: key, dependencies=guarded)
    try:
        with pytest.raises(UndeclaredRoute, match="mysteries"):
            refuse_undeclared(units.whole.app)
    finally:
        units.whole.app.router.routes.pop()


@pytest.mark.parametrize("persona", [f"{role.value} {SOUTH}" for role in IN_PARTS])
def test_nothing_of_another_unit_is_in_any_answer(units: Units, persona: str) -> None:
    foreign = re.compile("|".join(map(re.escape, sorted(units.northern, key=len, reverse=True))))
    told = []
    for route in ROUTES:
        method, path = route.split(" ")
        if method == "GET" and "{" not in path and not path.endswith("openapi.json"):
            found = foreign.search(units.ask("GET", path, persona).text)
            told += [f"{path}: {found[0]}"] if found else []
    assert not told, "\n".join(told)


def test_the_search_for_what_is_told_does_find(units: Units) -> None:
    shown = units.reads(f"{API}/services", f"viewer {NORTH}").text
    assert any(each in shown for each in units.northern)
    assert len(units.northern) > 60


def test_what_is_one_s_own_is_shown(units: Units) -> None:
    for persona, names in ((f"viewer {SOUTH}", ["Havenloket"]), (f"viewer {NORTH}", ["Vergunningenbalie"])):
        answer = units.reads(f"{API}/services", persona).json()
        assert set(names) <= {each["name"] for each in answer["items"]}
    assert units.reads(f"{API}/services", f"viewer {SOUTH}").json()["total"] == 1


def declared(units: Units) -> Iterator[str]:
    """Every route of the application that has a body of its own."""
    for route in iter_route_contexts(units.whole.app.routes):
        if getattr(route, "dependant", None) is not None:
            for method in route.methods - {"HEAD"}:
                yield f"{method} {route.path}"


UNDER_ANOTHER = {
    "POST /plans/{key}/retirements/{weakening}/approvals": "approver",
    "POST /runs/{key}/obligations/{obligation}": "operator",
    "POST /runs/{key}/debts/{obligation}": "operator",
    "POST /runs/{key}/reviews/{obligation}": "approver",
    "POST /findings/{key}/actions/{action_id}/completions": "plan-owner",
    "POST /findings/{key}/acceptances/{acceptance_id}/decisions": "approver",
    f"PATCH {API}/findings/{{key}}/actions/{{actionId}}": "plan-owner",
    f"GET {API}/findings/{{key}}/acceptances/{{acceptanceId}}": "viewer",
    f"GET {API}/runs/{{key}}/evidence/{{sha256}}": "viewer",
    "GET /runs/{key}/evidence/{sha256}": "viewer",
}
"""Addresses that name a thing under another, where the thing has an id of its own."""
SAID = {"comment": "done", "reason": "done", "mandate": "board", "agreed": "yes", "choice": "accept"}


@pytest.mark.parametrize("route", UNDER_ANOTHER)
def test_a_thing_is_not_reached_by_way_of_another_that_is_one_s_own(units: Units, route: str) -> None:
    method, path = route.split(" ")
    own = units.keys | units.southern
    address = Units(units.whole, keys=own | {"csrf": ""}).address(path)
    answer = units.ask(method, address, f"{UNDER_ANOTHER[route]} {SOUTH}", **SAID)
    assert answer.status_code == 404, answer.text
