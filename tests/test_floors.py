"""Keeps the floors of the house: who may import whom, who may commit, and names that are not wanted."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOMAINS = (
    "core",
    "access",
    "catalog",
    "findings",
    "playbooks",
    "plans",
    "drills",
    "runs",
    "exercises",
    "reports",
)
TOP = {"main", "worker", "cli", "lab", "tables", "serve", "remote", "keeping", "telling", "site_secrets"}
USES_RUNNERS = {"playbooks", "drills", "runs"} | TOP
GUARDS = ("runners.origins", "runners.outgoing", "runners.cleaning")
"""What core may import of the runners: guards of addresses and texts, which know nothing of either side."""
CALLS_OTHERS = {"runners/outgoing.py", "runners/origins.py", "app/core/outgoing.py"}
TALKS_TO_US = {"app/remote.py"}
"""The command line, which calls the service itself; so do the lab, and the question to a build in its clean room."""
IN_THE_ROOM = {"runners/escrow/inside.py"}
HTTP = {"httpx", "httpcore", "urllib.request", "http.client", "requests", "aiohttp", "urllib3", "websockets"}
IMPURE = {"sqlmodel", "sqlalchemy", "fastapi", "httpx", "os", "logging", "structlog", "subprocess", "socket"}
LAYERS = {"rules": 0, "models": 1, "service": 2, "engine": 2, "api": 3, "pages": 3}


def imports_of(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def calls_of(source: str) -> set[str]:
    return {
        node.func.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def part(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def violations(path: str, source: str) -> list[str]:
    """What is wrong with the module at `path` (relative, POSIX), in words."""
    pieces = path.removesuffix(".py").split("/")
    imported = imports_of(source)
    found = []
    if pieces[0] == "runners":
        found += [
            f"{path}: a runner imports {name}"
            for name in imported
            if name.split(".")[0] in {"app", "fastapi", "sqlmodel"}
        ]
    if path not in CALLS_OTHERS | TALKS_TO_US | IN_THE_ROOM and not path.startswith("app/lab/"):
        found += [f"{path}: calls out by {name}, not by the one way out" for name in imported if _is_http(name)]
    if pieces[0] == "app" and len(pieces) > 1:
        found += _in_app(path, pieces, imported, source)
    if pieces[-1] in {"utils", "helpers", "common"}:
        found.append(f"{path}: a module called {pieces[-1]}")
    if not ast.get_docstring(ast.parse(source)):
        found.append(f"{path}: opens without a sentence")
    return found


def _is_http(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in HTTP)


def _is_guard(name: str) -> bool:
    return name == "runners" or any(name == each or name.startswith(f"{each}.") for each in GUARDS)


def _in_app(path: str, pieces: list[str], imported: list[str], source: str) -> list[str]:
    found = []
    here = pieces[1]
    if here in DOMAINS:
        later = set(DOMAINS[DOMAINS.index(here) + 1 :]) | TOP
        found += [
            f"{path}: {here} imports {name}" for name in imported if name.startswith("app.") and part(name) in later
        ]
    if here == "lab":
        strangers = set(DOMAINS) - {"core"}
        found += [
            f"{path}: the lab imports {name}"
            for name in imported
            if name.startswith("app.") and part(name) in strangers
        ]
    if here not in USES_RUNNERS:
        found += [
            f"{path}: {here} imports {name}"
            for name in imported
            if name.split(".")[0] == "runners" and not (here == "core" and _is_guard(name))
        ]
    if path != "app/runs/engine.py":
        found += [f"{path}: imports {name}" for name in imported if name.split(".")[0] == "dbos"]
    if path not in {"app/core/db.py"} and "commit" in calls_of(source):
        found.append(f"{path}: commits")
    if len(pieces) > 2 and pieces[-1] == "rules":
        found += [f"{path}: rules import {name}" for name in imported if name.split(".")[0] in IMPURE]
    if len(pieces) == 3 and pieces[2] in LAYERS:
        above = {name for name, floor in LAYERS.items() if floor > LAYERS[pieces[2]]}
        found += [f"{path}: imports {name}" for name in imported if name in {f"app.{here}.{each}" for each in above}]
    return found


def modules() -> list[Path]:
    return [path for top in ("app", "runners") for path in (ROOT / top).rglob("*.py")]


def test_every_module_stands_on_its_floor():
    found = [each for path in modules() for each in violations(path.relative_to(ROOT).as_posix(), path.read_text())]
    assert not found, "\n".join(sorted(set(found)))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("app/plans/service.py", "from app.runs import service"),
        ("app/core/db.py", "import app.access.rules"),
        ("app/catalog/service.py", "from runners.contract import Node"),
        ("app/catalog/service.py", "import app.worker"),
        ("app/plans/rules.py", "from sqlmodel import Session"),
        ("app/plans/rules.py", "import os"),
        ("app/plans/models.py", "from app.plans import service"),
        ("app/runs/service.py", "from app.runs.api import router"),
        ("app/runs/steps.py", "from dbos import DBOS"),
        ("app/plans/service.py", "def save(session):\n    session.commit()"),
        ("app/lab/demo.py", "from app.plans import service"),
        ("runners/check/http.py", "from app.core import clock"),
        ("app/core/utils.py", ""),
        ("app/core/db.py", "from runners import registry"),
        ("app/access/oidc.py", "from runners import outgoing"),
        ("app/access/oidc.py", "import httpx"),
        ("app/access/oidc.py", "from urllib import request"),
        ("app/core/audit.py", "import urllib.request"),
        ("runners/notify/webhook.py", "from http.client import HTTPConnection"),
    ],
)
def test_a_planted_violation_is_caught(path, line):
    assert violations(path, f'"""A sentence."""\n{line}\n')


def test_a_module_without_a_sentence_is_caught():
    assert violations("app/plans/service.py", "x = 1\n")
