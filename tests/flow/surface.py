"""What the application's own OpenAPI document says there is: every operation, with an address to try it at."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from app.core import openapi
from app.main import create_app
from tests.flow.whole import settings_in

METHODS = ("get", "post", "put", "patch", "delete")
NOTHING = "00000000-0000-7000-8000-000000000000"
"""A well-formed id that nothing bears."""


@dataclass(frozen=True)
class Operation:
    """One method at one path."""

    method: str
    path: str
    details: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def address(self) -> str:
        """The path below /api/v1, with ids that nothing bears."""
        return re.sub(r"\{[^}]+\}", NOTHING, self.path)

    @property
    def open(self) -> bool:
        """Whether it needs nothing to exist: no id in its path."""
        return "{" not in self.path

    @property
    def query(self) -> set[str]:
        """Names of its query parameters."""
        return {each["name"] for each in self.details.get("parameters", ()) if each["in"] == "query"}

    @property
    def json_body(self) -> bool:
        """Whether it takes JSON."""
        return "application/json" in self.details.get("requestBody", {}).get("content", {})


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    made = create_app(settings_in(Path(mkdtemp(prefix="wissel-surface-"))))
    made.state.database.dispose()
    return openapi.document(made, address="https://wissel.example.nl")


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation of the API."""
    paths = document()["paths"]
    return tuple(
        Operation(method.upper(), path, paths[path][method])
        for path in paths
        for method in METHODS
        if method in paths[path]
    )


def paths() -> dict[str, set[str]]:
    """Each path with its methods, HEAD among them wherever there is GET."""
    found: dict[str, set[str]] = {}
    for each in operations():
        found.setdefault(each.path, set()).update({each.method} | ({"HEAD"} if each.method == "GET" else set()))
    return found


def lists() -> list[Operation]:
    """The lists that need no id."""
    return [each for each in operations() if each.method == "GET" and each.open and "pageSize" in each.query]
