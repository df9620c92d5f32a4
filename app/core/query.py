"""Refuses query keys that a route of the API does not know: a misspelt filter must not be taken for no filter."""

from typing import Any

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params

from app.core.errors import FieldError, InvalidInput
from app.core.listing import ListQuery
from app.core.messages import say


def known_query(request: Request) -> None:
    """Dependency of every API route; a list refuses strange keys by its own shape, with all else that is wrong."""
    dependant: Any = getattr(request.scope.get("route"), "dependant", None)
    _refuse_repeated(request)
    if dependant is None or any(_is_list(field) for field in dependant.query_params):
        return
    known = {field.alias for field in get_flat_params(dependant)}
    strange = sorted(set(request.query_params) - known)
    if strange:
        raise InvalidInput(
            say("This address does not know: {names}.", names=", ".join(strange)[:200]),
            errors=[FieldError(name[:80], "unknown-key", say("This query key is not known here.")) for name in strange],
        )


def _refuse_repeated(request: Request) -> None:
    """No key of ours may be said twice: one reader would take the first and another one the last."""
    names = [name for name, _ in request.query_params.multi_items()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        reason = say("This query key is there twice. Say it once.")
        raise InvalidInput(
            say("This address has twice: {names}.", names=", ".join(twice)[:200]),
            errors=[FieldError(name[:80], "repeated-key", reason) for name in twice],
        )


def _is_list(field: Any) -> bool:
    kind = field.field_info.annotation
    return isinstance(kind, type) and issubclass(kind, ListQuery)
