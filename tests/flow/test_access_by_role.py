"""Each route of the application against each role: allowed or refused exactly as the rules of access say."""

from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from app.access.rules import PEOPLE_ONLY, Action, Actor, Kind, Role, may
from app.main import UndeclaredRoute, create_app, refuse_undeclared
from tests.flow.surface import METHODS, NOTHING
from tests.flow.whole import ADMINISTRATOR, API, EVERY_ROLE, MACHINE, PEOPLE, settings_in

PARTS = {**PEOPLE, ADMINISTRATOR: [ADMINISTRATOR]}
OPEN = {("POST", "/sessions"), ("GET", "/openapi.json"), ("GET", "/docs")}
"""What a person or developer who has not signed in yet needs."""
ENDS = {("DELETE", "/sessions/current"), ("DELETE", "/sessions")}
"""Routes after which the person who asks is nobody."""
OPEN_PAGES = {"/sign-in", "/sign-in/providers/{name}", "/sign-in/providers/{name}/answer", "/glossary"}


def declared(dependant: Any) -> set[Action | None]:
    """The permissions that a route and all it depends on declare; None is: open to everybody."""
    own = {dependant.call.action} if hasattr(dependant.call, "action") else set()
    return own.union(*(declared(each) for each in dependant.dependencies)) if dependant.dependencies else own


@pytest.fixture(scope="module")
def still(template, tmp_path_factory):
    """One application for all: nothing is asked for that is there, so nothing changes."""
    made = template.copy(tmp_path_factory.mktemp("roles"))
    yield made
    made.database.dispose()


def routes(made):
    """(method, path below the API, permission) of each route of the API."""
    return [
        (method, route.path.removeprefix(API), declared(route.dependant))
        for route in iter_route_contexts(made.routes)
        if route.path and route.path.startswith(API) and getattr(route, "dependant", None)
        for method in sorted(route.methods)
        if method.lower() in METHODS
    ]


def address(path):
    import re

    return re.sub(r"\{[^}]+\}", NOTHING, path)


def test_every_route_of_the_api_declares_one_permission(still):
    found = routes(still.app)
    assert len(found) > 150
    assert [(method, path) for method, path, actions in found if len(actions) != 1] == []
    assert {(method, path) for method, path, actions in found if actions == {None}} == OPEN


@pytest.mark.parametrize("part", [*PARTS, MACHINE])
def test_each_route_lets_a_role_in_or_not_as_the_rules_say(still, part):
    roles = EVERY_ROLE if part == MACHINE else PARTS[part]
    kind = Kind.MACHINE if part == MACHINE else Kind.PERSON
    actor = Actor(kind, "x", "x", frozenset(Role(each) for each in roles))
    wrong = []
    for method, path, (action,) in routes(still.app):
        if action is None or (method, path) in ENDS:
            continue
        answer = still.call(method, address(path), by=part)
        refused = answer.status_code == 403 and answer.json()["code"] == "not-allowed"
        if refused == may(actor, action) or answer.status_code in (401, 500):
            wrong.append(f"{method} {path} ({action}): {answer.status_code}")
    assert wrong == []


def test_nobody_gets_in_without_signing_in(still):
    wrong = [
        f"{method} {path}"
        for method, path, actions in routes(still.app)
        if actions != {None} and still.ask(method, API + address(path)).status_code != 401
    ]
    assert wrong == []


def test_no_page_shows_itself_to_a_stranger(still):
    wrong = []
    for route in iter_route_contexts(still.app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is None or route.path.startswith("/api/") or hasattr(route.endpoint, "action"):
            continue
        if declared(dependant) == {None}:
            assert route.path in OPEN_PAGES
            continue
        for method in sorted(route.methods & {"GET", "POST"}):
            answer = still.ask(method, address(route.path), headers={"Sec-Fetch-Site": "same-origin"})
            away = answer.status_code == 303 and answer.headers["Location"].startswith("/sign-in")
            if not (away or answer.status_code == 401):
                wrong.append(f"{method} {route.path}: {answer.status_code}")
    assert wrong == []


def test_what_only_people_may_do_is_closed_to_a_machine_with_every_role(still):
    closed = {
        (method, path)
        for method, path, (action,) in routes(still.app)
        if action in PEOPLE_ONLY and still.refused(method, address(path), by=MACHINE) == (403, "not-allowed")
    }
    assert {(method, path) for method, path, (action,) in routes(still.app) if action in PEOPLE_ONLY} == closed
    told = {path for _, path in closed}
    assert {"/plans/{key}/versions/{version}/approvals", "/runs/{key}/approvals", "/playbooks/{key}/reviews"} <= told
    assert any("acceptances" in path for path in told)


def test_a_route_without_a_permission_stops_the_start(tmp_path):
    made = create_app(settings_in(tmp_path))
    refuse_undeclared(made)

    def forgotten():
        return "anybody reads this"

    made.add_api_route(f"{API}/forgotten", forgotten)
    with pytest.raises(UndeclaredRoute, match=r"GET.*/forgotten declares no permission"):
        refuse_undeclared(made)
    made.state.database.dispose()
