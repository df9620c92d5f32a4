"""What an approval signs beside the playbook: environments as typed, runners as installed, accepted exceptions."""

import ast
import hashlib
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python
from sqlmodel import Session, col, select

from app.catalog import crud, resources
from app.catalog.models import Environment, EnvironmentPair, Site
from app.drills.models import Drill
from app.findings.models import Acceptance, Finding
from app.findings.rules import AcceptanceState
from app.playbooks.rules import Playbook
from app.runs import drivers
from runners.contract import Runner


def environments(session: Session, pairs: Iterable[EnvironmentPair]) -> dict[str, str]:
    """Per pair, environment and site the hash of what people typed about it: its revision, as an approver means it.

    The home side is none of that: the run itself moves it, and what it does next must not become unapproved by it.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        found[pair.ref] = _hashed(crud.view(session, resources.PAIR, pair) | {"home_side": None})
        for key in (pair.primary_id, pair.fallback_id):
            environment = session.get_one(Environment, key)
            site = session.get_one(Site, environment.site_id)
            found[environment.ref] = _hashed(crud.view(session, resources.ENVIRONMENT, environment))
            found[site.ref] = _hashed(crud.view(session, resources.SITE, site))
    return found


def _hashed(value: Any) -> str:
    return hashlib.sha256(repr(to_jsonable_python(value)).encode()).hexdigest()


def exceptions(session: Session, drill: Drill) -> list[dict[str, Any]]:
    """The risks of this plan that somebody accepted and that hold now, with the values that were accepted."""
    wanted = select(Acceptance, Finding.ref).join(Finding, col(Finding.id) == col(Acceptance.finding_id))
    wanted = wanted.where(Finding.plan_id == drill.plan_id, Acceptance.state == AcceptanceState.ACCEPTED)
    return [
        {
            "finding": ref,
            "what": row.what_can_happen,
            "impact": row.impact.value,
            "control": row.control.value,
            "conditions": row.conditions,
            "alternatives": row.alternatives,
            "until": row.until.isoformat(),
            "mandate": row.mandate,
            "by": row.decided_by_id,
        }
        for row, ref in session.exec(wanted.order_by(col(Acceptance.id)))
    ]


def runners(playbook: Playbook) -> dict[str, str]:
    """Per runner of the playbook, those of its undos and guards too, its version as it is installed here."""
    steps = [name for step in playbook.steps for name in (step.uses, step.undo.uses if step.undo else None) if name]
    names = {*steps, *(guard.uses for guard in playbook.guards)}
    return {name: version_of(type(drivers.get(name))) for name in sorted(names)}


def version_of(kind: type[Runner]) -> str:
    """The hash of the source of a runner, with what it imports of its own package; without source its release.

    What is on the disk now counts: the hosts that carry steps out are fresh processes, which read it anew.
    """
    files = _closure(kind.__module__)
    if files:
        return _hashed([(name, _read(*_stamp(path)).sha256) for name, path in sorted(files.items())])
    top = kind.__module__.partition(".")[0]
    return ", ".join(f"{name} {version(name)}" for name in packages_distributions().get(top, ())) or "unknown"


def _closure(start: str) -> dict[str, Path]:
    """The files of a module and of those of its own package that it imports, whether at once or later on."""
    top, waiting, found = start.partition(".")[0], [start], dict[str, Path]()
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        path = None if name in seen else _file(name)
        seen.add(name)
        if path is not None:
            found[name] = path
            waiting += [each for each in _read(*_stamp(path)).imports if each.partition(".")[0] == top]
    return found


def _file(name: str) -> Path | None:
    """The source of a module; None of a name that is none, such as a function that is imported."""
    known = sys.modules.get(name)
    origin = getattr(known, "__file__", None) or _origin(name)
    return Path(origin) if origin and origin.endswith(".py") and Path(origin).is_file() else None


@lru_cache(maxsize=1000)
def _origin(name: str) -> str | None:
    try:
        spec = find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    return spec.origin if spec else None


def _stamp(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path), found.st_mtime_ns, found.st_size


class _Source:
    """One file as it was read: its hash, and what it imports."""

    def __init__(self, data: bytes) -> None:
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.imports = tuple(_imports(ast.parse(data)))


@lru_cache(maxsize=1000)
def _read(path: str, _changed: int, _size: int) -> _Source:
    """The file; read again when its stamp changed."""
    return _Source(Path(path).read_bytes())


def _imports(tree: ast.Module) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)
