"""Schemathesis tries every operation of the API with what its document permits and forbids, on a filled database.

Here as two people, with valid and with invalid data; ``WISSEL_SCHEMATHESIS=50`` tries so many of each per operation.
"""

import os
import re

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, checks
from schemathesis.core.failures import FailureGroup

from tests.flow import example
from tests.flow.surface import operations
from tests.flow.whole import API, EVERYBODY

MEANT = {"endCurrentSession"}
"""Left out: it would sign the tester out."""
EXAMPLES = int(os.environ.get("WISSEL_SCHEMATHESIS", "3"))
"""Per operation, person and kind of data; the suite must stay quick."""
ROLES = (EVERYBODY, "viewer")
"""Who may do everything, and who may only read."""


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
            read = answer.status_code == 200 and answer.headers["content-type"] == "application/json"
            told = answer.json() if read else {}
            items = told if isinstance(told, list) else told.get("items")
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


OPERATIONS = [each for each in operations() if each.details["operationId"] not in MEANT]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("each", OPERATIONS, ids=str)
def test_no_operation_breaks_or_answers_otherwise_than_it_says(each, role, filled, described):
    sender = {"Authorization": f"Bearer {filled.tokens[role]}"}
    for mode in GenerationMode:
        attempts(described[each.path][each.method], mode, sender)


def attempts(operation, mode, sender):
    """Try an operation with data of this kind; raises what a check finds."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def attempt(case):
        case.validate_response(case.call(headers=sender), checks=CHECKS)

    attempt()


def planted() -> FastAPI:
    """An application with one operation that breaks, one that lies about its shape, one about its status."""
    made = FastAPI()

    @made.get("/breaks")
    def breaks(number: int) -> dict[str, int]:
        return {"x": 1 // (number - number)}

    @made.get(
        "/lies", response_model=None, responses={200: {"content": {"application/json": {"schema": {"type": "string"}}}}}
    )
    def lies() -> dict[str, int]:
        return {"x": 1}

    @made.get("/elsewhere", status_code=202, responses={202: {}})
    def elsewhere() -> None:
        from fastapi import HTTPException

        raise HTTPException(418)

    return made


@pytest.mark.parametrize("path", ["/breaks", "/lies", "/elsewhere"])
def test_what_breaks_or_lies_is_caught(path):
    schema = schemathesis.openapi.from_asgi("/openapi.json", planted())
    with pytest.raises((FailureGroup, ZeroDivisionError)):
        attempts(schema[path]["GET"], GenerationMode.POSITIVE, {})
