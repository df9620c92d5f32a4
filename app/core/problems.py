"""Renders every error once: as problem+json (RFC 9457) on the API, as a page elsewhere."""

import json
import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from app.core.browser import standard_headers
from app.core.errors import FieldError, InvalidInput, Problem, Unavailable
from app.core.faults import UNCERTAIN, Fault, is_note, of
from app.core.messages import Message, say
from app.core.space import no_space, notice
from app.core.validation import reason

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
API_VERSION = "1.0.0"
RETRY_AFTER = "5"
ErrorPage = Callable[[Request, Problem], Response]


class NoSuchPage(Problem):
    """Nothing lives at this address."""

    status = 404
    code = "not-found"
    title = "Not found"


class WrongMethod(Problem):
    """The address exists, but not for this method."""

    status = 405
    code = "method-not-allowed"
    title = "Method not allowed"


class OurFault(Problem):
    """A bug on our side; the details are in the log, never in the answer."""

    status = 500
    code = "internal-error"
    title = "Something went wrong on our side"


class OutcomeUnknown(Unavailable):
    """The answer to the commit was lost: it may be saved or not."""

    code = "outcome-unknown"


class Refused(Problem):
    """A request that the server refuses before any use case sees it."""

    code = "bad-request"


def _text(message: Message | str) -> str:
    return str(message)


def problem_body(problem: Problem, *, instance: str) -> dict[str, Any]:
    """The problem document."""
    body: dict[str, Any] = {
        "type": f"https://wissel.example/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": _text(problem.detail),
        "instance": instance,
        "code": problem.code,
    }
    if problem.errors:
        body["errors"] = [
            {"field": each.field, "code": each.code, "reason": _text(each.reason)} for each in problem.errors
        ]
    return body | problem.extra


def problem_response(request: Request, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The problem as JSON."""
    body = problem_body(problem, instance=request.url.path)
    return JSONResponse(body, problem.status, headers, media_type=MEDIA_TYPE)


def invalid_input(error: RequestValidationError) -> InvalidInput:
    """All fields that are wrong, at once; the value itself is not repeated, it may be a secret."""
    found = [
        FieldError(
            ".".join(str(part) for part in each["loc"] if part not in {"body"}) or "body",
            str(each["type"]).replace("_", "-"),
            reason(each),
        )
        for each in error.errors()
    ]
    return InvalidInput(say("Some fields are not right. Nothing was saved."), errors=found)


@cache
def _pattern(path: str) -> re.Pattern[str]:
    """Kept: some hundreds of these made anew would be work that any stranger's wrong method could ask for."""
    return compile_path(path)[0]


def methods_at(app: FastAPI, path: str) -> list[str]:
    """All methods that some route accepts at `path`, with HEAD wherever there is GET."""
    found: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.path and route.methods and _pattern(route.path).match(path):
            found |= set(route.methods)
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


def refusal(fault: Fault, error: BaseException) -> Problem:
    """How a fault is told: none of them is a bug, and each says what the caller can do."""
    if fault is Fault.FULL:
        return no_space()
    if is_note(error, UNCERTAIN):
        return OutcomeUnknown(
            say(
                "The database went away while this was saved. Nobody knows whether it was. Look, or repeat the request "
                "with the same Idempotency-Key: that does nothing twice."
            )
        )
    return Unavailable(say("The database cannot be reached now. Try again in a few seconds."))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class Handlers:
    """Answers errors: as problem+json on the API, by `page` for a person."""

    def __init__(self, app: FastAPI, page: ErrorPage) -> None:
        self._app, self._page = app, page

    def install(self) -> None:
        """Register one handler per kind of error."""
        handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
            Problem: self._problem,
            RequestValidationError: self._invalid,
            HTTPException: self._http,
            DBAPIError: self._database,
            PoolTimeout: self._database,
            OSError: self._database,
            Exception: self._bug,
        }
        for kind, handler in handlers.items():
            self._app.add_exception_handler(kind, handler)

    def _answer(self, request: Request, problem: Problem, headers: dict[str, str] | None = None) -> Response:
        request.state.refused = problem.code  # for whoever writes down what was refused
        if request.url.path.startswith("/api/"):
            return problem_response(request, problem, headers)
        response = self._page(request, problem)
        response.headers.update(headers or {})
        return response

    async def _problem(self, request: Request, problem: Problem) -> Response:
        headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
        if problem.status in {429, 503}:
            headers["Retry-After"] = str(problem.extra.get("retryAfter", RETRY_AFTER))
        return self._answer(request, problem, headers)

    async def _invalid(self, request: Request, error: RequestValidationError) -> Response:
        return self._answer(request, invalid_input(error))

    async def _http(self, request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return self._answer(request, NoSuchPage(say("Nothing lives at this address.")))
        if error.status_code == 405:
            methods = ", ".join(methods_at(self._app, request.url.path))
            return self._answer(
                request, WrongMethod(say("This address accepts: {methods}.", methods=methods)), {"Allow": methods}
            )
        problem = Refused(str(error.detail))
        problem.status = error.status_code  # type: ignore[misc]
        return self._answer(request, problem, dict(error.headers or {}))

    async def _database(self, request: Request, error: Exception) -> Response:
        fault = of(error)
        if fault is None:
            raise error  # a bug: it is told as one
        database = request.app.state.database
        database.was_full |= notice(database.space, error)
        log.error("the database or the disk refused", fault=fault, error=_first_line(error), path=request.url.path)
        problem = refusal(fault, error)
        return self._answer(request, problem, {"Retry-After": RETRY_AFTER})

    async def _bug(self, request: Request, error: Exception) -> Response:
        if (fault := of(error)) is not None:  # from a middleware, so it must bring the standard headers itself
            log.error("the database or the disk refused", fault=fault, error=_first_line(error), path=request.url.path)
            return self._answer(request, refusal(fault, error), {**self._standard(), "Retry-After": RETRY_AFTER})
        log.error("unexpected error", path=request.url.path, exc_info=error)
        ours = OurFault(say("Something went wrong on our side. It is in the log; try again."))
        # This answer is made outside of every middleware, so it must bring the standard headers itself.
        return self._answer(request, ours, self._standard())

    def _standard(self) -> dict[str, str]:
        return {**standard_headers(secure=self._app.state.settings.secure), "API-Version": API_VERSION}


def parsed(body: bytes) -> Any:
    """JSON as RFC 8259 and I-JSON mean it: no duplicate keys, NaN, endless numbers or lone surrogates.

    Raises `Refused` with a code that says which.
    """
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise Refused(say("The body is not valid UTF-8 text, or holds half a character.")) from error
    except RecursionError as error:
        raise Refused(say("The body is nested too deeply.")) from error
    except json.JSONDecodeError as error:
        raise Refused(say("The body is not JSON: {reason}.", reason=f"{error.msg}, line {error.lineno}")) from error
    except ValueError as error:
        raise Refused(say("The body holds a number that is too large.")) from error
    if "\\u0000" in body.decode("utf-8"):
        raise Refused(say("Text must not contain NUL characters."))
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(say("The key '{name}' stands twice in one object.", name=twice))
    return result


def _no_constant(name: str) -> Any:
    raise Refused(say("{name} is not a number in JSON.", name=name))


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise Refused(say("The number {number} is too large.", number=text[:40]))
    return value
