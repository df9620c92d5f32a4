"""Schemathesis tries every operation of the API with what its document permits and forbids, on a filled database."""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks

from tests.flow import example
from tests.flow.surface import operations
from tests.flow.whole import API, EVERYBODY

MEANT = {"endCurrentSession"}
"""Left out: it would sign the tester out."""
EXAMPLES = 6
"""Per operation; the suite must stay quick."""


@pytest.fixture(scope="module")
def filled(template, tmp_path_factory):
    """The application with the example organisation in it."""
    made = template.copy(tmp_path_factory.mktemp("filled"))
    entered = example.enter(made)
    assert entered.drills
    yield made
    made.database.dispose()


@pytest.fixture(scope="module")
def described(filled):
    """The API as it describes itself, with ids of the organisation where a path asks for one."""
    known = first_of_each(filled)
    schema = schemathesis.openapi.from_asgi(f"{API}/openapi.json", filled.app)

    @schema.hook
    def map_path_parameters(context, path_parameters):
        kind = context.operation.path.removeprefix(API).split("/")[1] if context.operation else ""
        if path_parameters and "key" in path_parameters and kind in known:
            path_parameters["key"] = known[kind]
        return path_parameters

    return schema


def first_of_each(whole):
    """Path of each list → id of its first item."""
    found = {}
    for path in whole.ok("GET", "/openapi.json")["paths"]:
        if re.fullmatch("/[a-z-]+", path):
            answer = whole.call("GET", path, by=EVERYBODY)
            items = answer.json().get("items") if answer.status_code == 200 else None
            if items and "id" in items[0]:
                found[path[1:]] = items[0]["id"]
    return found


CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.mark.parametrize("each", [each for each in operations() if each.details["operationId"] not in MEANT], ids=str)
def test_no_operation_breaks_or_answers_otherwise_than_it_says(each, filled, described):
    sender = {"Authorization": f"Bearer {filled.tokens[EVERYBODY]}"}

    @given(case=described[each.path][each.method].as_strategy())
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def attempt(case):
        case.validate_response(case.call(headers=sender), checks=CHECKS)

    attempt()
