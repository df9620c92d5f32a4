"""The page of the runners catalogue: what each runner proves, what it cannot see, and what it asks for."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

import app.playbooks.labels  # noqa: F401 – the words of runners
from app.access.guard import Reader
from app.core.web import render
from runners.contract import Registry, Runner

router = APIRouter(include_in_schema=False)
_SECTION = re.compile(r"^(Proves|Cannot see|Needs[^:\n]{0,40}|Bad input):\s*", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a runner."""

    name: str
    kind: str
    required: bool
    told: str
    default: str


@dataclass(frozen=True)
class RunnerShown:
    """A runner with its docstring taken apart."""

    runner: Runner
    summary: str
    proves: str
    cannot_see: str
    needs: str
    bad_input: str
    parameters: tuple[Parameter, ...]


@router.get("/runners")
def runners(request: Request, actor: Reader) -> HTMLResponse:
    """All installed runners, by family."""
    registry: Registry = request.app.state.registry
    families: dict[str, list[RunnerShown]] = {}
    for name in sorted(registry):
        families.setdefault(name.partition(".")[0], []).append(shown(registry[name]))
    return render(request, "playbooks/runners.html", section="drills", families=families)


def shown(runner: Runner) -> RunnerShown:
    """The runner as its page tells it; a part that its author left out is empty."""
    text = inspect.cleandoc(runner.Params.__doc__ or type(runner).__doc__ or "")
    pieces = _SECTION.split(text)
    told = {name.partition(" ")[0]: _one_line(part) for name, part in zip(pieces[1::2], pieces[2::2], strict=True)}
    return RunnerShown(
        runner=runner,
        summary=_one_line(pieces[0]),
        proves=told.get("Proves", ""),
        cannot_see=told.get("Cannot", ""),
        needs=told.get("Needs", ""),
        bad_input=told.get("Bad", ""),
        parameters=_parameters(runner.Params.model_json_schema()),
    )


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "").replace("`", "").split())


def _parameters(schema: Mapping[str, Any]) -> tuple[Parameter, ...]:
    required = set(schema.get("required", ()))
    return tuple(
        Parameter(
            name,
            _kind(each),
            name in required,
            _one_line(each.get("description", "")),
            "" if each.get("default") is None else str(each["default"]),
        )
        for name, each in schema.get("properties", {}).items()
    )


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if several := schema.get("anyOf", ()):
        return ", ".join(dict.fromkeys(_kind(each) for each in several if each.get("type") != "null"))
    return str(schema.get("format") or schema.get("type") or "")
