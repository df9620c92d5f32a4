"""The OpenAPI document by the NLGov API Design Rules: problem answers on every operation, bearer security, headers."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.core.problems import API_VERSION, MEDIA_TYPE
from app.core.shapes import iso_duration

PATH = "/api/v1/openapi.json"
_METHODS = ("get", "post", "put", "patch", "delete")
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "Stable code of this kind of problem"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "reason"],
                "properties": {name: {"type": "string"} for name in ("field", "code", "reason")},
            },
        },
    },
}
_STATUSES = {
    "400": "The input is not valid; every field that is wrong is named",
    "401": "Nobody is signed in",
    "403": "The role does not permit this",
    "404": "There is no such thing",
    "405": "Not for this method",
    "409": "Not possible in the present state",
    "412": "Changed in the meantime",
    "413": "The body is too large",
    "429": "Too many tries",
    "503": "Temporarily unavailable; see Retry-After",
    "507": "The disk is full; nothing was saved",
}
_VERSION_HEADER = {"API-Version": {"description": "Version of this API", "schema": {"type": "string"}}}
_DESCRIPTION = (
    "Plans, drills, runs and findings of Wissel. Errors are problem+json with a stable code; durations are ISO 8601 "
    "text; times are UTC. Sign in with POST /sessions, then send the bearer token."
)


def document(app: FastAPI, *, address: str) -> dict[str, Any]:
    """The document of all JSON routes; `address` is where this installation is reached."""
    routes = [route for route in app.routes if not getattr(route, "path", "/api/").startswith("/static")]
    made = get_openapi(
        title="Wissel", version=API_VERSION, openapi_version="3.1.0", description=_DESCRIPTION, routes=routes
    )
    made["info"]["contact"] = {"name": "Wissel", "url": "https://wissel.example", "email": "beheer@wissel.example"}
    made["info"]["license"] = {"name": "EUPL-1.2", "identifier": "EUPL-1.2"}
    prefix = "/api/v1"
    made["servers"] = [{"url": f"{address.rstrip('/')}{prefix}"}]
    paths = {path: item for path, item in made["paths"].items() if path.startswith(prefix)}
    made["paths"] = {path.removeprefix(prefix) or "/": _operations(item) for path, item in paths.items()}
    made["tags"] = [{"name": name} for name in sorted(_tags(made["paths"]))]
    components = made.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    made["security"] = [{"bearer": []}]
    names = {name: _type_name(name) for name in components["schemas"]}
    components["schemas"] = {names[name]: schema for name, schema in components["schemas"].items()}
    tidied: dict[str, Any] = _tidy(made, names)
    return tidied


def _type_name(name: str) -> str:
    """UpperCamelCase: ``Page_RunRow_`` → ``RunRowPage``; a module path before the name leaves only its domain."""
    paged = re.fullmatch(r"Page_(.+)_", name)
    if paged:
        return f"{_type_name(paged[1])}Page"
    parts = name.split("__")
    domain = parts[1] if len(parts) > 2 and parts[0] == "app" else ""
    words = re.split(r"[^A-Za-z0-9]+", f"{domain} {parts[-1]}")
    return "".join(word[:1].upper() + word[1:] for word in words)


def _tidy(value: Any, names: dict[str, str]) -> Any:
    """The document with new schema names, and defaults of durations in the words of the API."""
    if isinstance(value, list):
        return [_tidy(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    made = {key: _tidy(each, names) for key, each in value.items()}
    prefix = "#/components/schemas/"
    reference = made.get("$ref")
    if isinstance(reference, str) and reference.startswith(prefix):
        made["$ref"] = prefix + names.get(reference.removeprefix(prefix), reference.removeprefix(prefix))
    if made.get("format") == "duration" and isinstance(made.get("default"), int):
        made["default"] = iso_duration(made["default"])
    return made


def _tags(paths: dict[str, Any]) -> set[str]:
    return {tag for item in paths.values() for name in _METHODS if name in item for tag in item[name].get("tags", [])}


def _operations(item: dict[str, Any]) -> dict[str, Any]:
    for method in _METHODS:
        if method in item:
            responses = item[method]["responses"]
            responses.pop("422", None)
            for status, text in _STATUSES.items():
                content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
                responses.setdefault(status, {"description": text, "content": content})
            for response in responses.values():
                response.setdefault("headers", {}).update(_VERSION_HEADER)
    return item
