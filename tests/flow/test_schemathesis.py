"""Schemathesis tries every operation of the API with what its document permits and forbids, on a filled database.

All its checks, here as two people, with valid and with invalid data; ``WISSEL_SCHEMATHESIS=50`` tries so many of each
per operation.
"""

import os
import re
from contextlib import suppress
from typing import get_args

import pytest
import schemathesis
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPBearer
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from pydantic_core.core_schema import ErrorType
from schemathesis import GenerationMode, checks
from schemathesis.core.failures import Failure, FailureGroup
from sqlalchemy import update
from sqlmodel import col

from app.access.models import Person, UserSession
from app.core.limits import Budget, Limits
from tests.flow import example
from tests.flow.surface import operations
from tests.flow.whole import API, EVERY_ROLE, EVERYBODY, PEOPLE

EXAMPLES = int(os.environ.get("WISSEL_SCHEMATHESIS", "3"))
"""Per operation, person and kind of data; the suite must stay quick."""
ROLES = (EVERYBODY, "viewer")
"""Who may do everything, and who may only read."""
SIGNING_IN = ("/sessions", "/account/")
"""Below these an answer may be 401 although the tester's token is good: a secret in the body is not."""
OF_SCHEMAS = {each.replace("_", "-") for each in get_args(ErrorType)} - {
    "value-error",  # a rule in code: text without control characters, steps that wait in a ring, a currency that exists
    "too-short",  # it says nothing once characters that show nothing are taken out
    "int-type",  # a whole number written 3.0, which JSON Schema calls an integer
    "less-than-equal",  # bounds of a duration; those of numbers stand in the document
    "greater-than-equal",
    "string-pattern-mismatch",  # in Python a $ also stands before a last new line; in JSON Schema it does not
}
"""Codes of what the document could have said; every other code is of a rule that no schema can say."""


@pytest.fixture(scope="module")
def filled(template, tmp_path_factory):
    """The application with the example organisation in it."""
    made = template.copy(tmp_path_factory.mktemp("filled"))
    entered = example.enter(made)
    assert entered.drills
    many = Budget(1_000_000, 1)  # a check sends wrong bearers on purpose
    made.app.state.limits = Limits(address=many, pair=many, account=many, stranger=many, tokens=many)
    yield made
    made.database.dispose()


@pytest.fixture(scope="module")
def described(filled):
    """The API as it describes itself, with ids of the organisation where a path asks for one."""
    known = first_of_each(filled)
    # All bear the tester's token (a check of its own tries wrong ones); a NUL is refused before a field is read.
    own = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False, "allow-x00": False}})
    schema = schemathesis.openapi.from_asgi(f"{API}/openapi.json", filled.app, config=own)

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


def valid_data_is_accepted(ctx, response, case):
    """As ``positive_data_acceptance``, but for what no schema can say; its answer must name the fields."""
    try:
        checks.positive_data_acceptance(ctx, response, case)
    except Failure:
        if response.status_code == 412:
            return  # somebody else's edit came first: no fault of the words that were sent
        codes = {each["code"] for each in response.json().get("errors", ())} if response.status_code == 400 else set()
        if not codes or codes & OF_SCHEMAS:
            raise


checks.load_all_checks()
CHECKS = [each for each in checks.CHECKS.get_all() if each is not checks.positive_data_acceptance]
CHECKS.append(valid_data_is_accepted)


def sign_in_again(filled, role):
    """Undo what an operation did to the tester: it may end sessions, take roles and shut people out."""
    who = col(Person.id) == filled.people[role]
    with filled.database.transaction() as session:
        session.execute(update(UserSession).values(ended_at=None))
        roles = {**PEOPLE, EVERYBODY: EVERY_ROLE}[role]
        session.execute(update(Person).where(who).values(active=True, roles=roles))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("each", operations(), ids=str)
def test_no_operation_breaks_or_answers_otherwise_than_it_says(each, role, filled, described):
    sender = {"Authorization": f"Bearer {filled.tokens[role]}"}
    operation, again = described[each.path][each.method], lambda: sign_in_again(filled, role)
    statuses = attempts(operation, GenerationMode.POSITIVE, sender, again)
    assert statuses
    with suppress(Unsatisfiable):  # where an operation takes nothing that could be wrong
        statuses += attempts(operation, GenerationMode.NEGATIVE, sender, again)
    assert 401 not in statuses or each.path.startswith(SIGNING_IN)


def attempts(operation, mode, sender, before=lambda: None):
    """Try an operation with data of this kind; the statuses, or what a check finds is raised."""
    statuses = []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def attempt(case):
        before()
        answer = case.call(headers=sender)
        statuses.append(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    attempt()
    return statuses


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
        raise HTTPException(418)

    @made.get("/open", dependencies=[Depends(HTTPBearer(auto_error=False))])
    def unguarded() -> None:
        return None

    @made.get("/narrow", responses={400: {}})
    def narrow(number: int) -> None:
        raise HTTPException(400)

    return made


@pytest.mark.parametrize("path", ["/breaks", "/lies", "/elsewhere", "/open", "/narrow"])
def test_what_breaks_or_lies_is_caught(path):
    schema = schemathesis.openapi.from_asgi("/openapi.json", planted())
    with pytest.raises((FailureGroup, Failure, ZeroDivisionError)):
        attempts(schema[path]["GET"], GenerationMode.POSITIVE, {"Authorization": "Bearer x"})
