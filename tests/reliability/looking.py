"""Whole runs that look at something: the engine, a worker in a process of its own, the verdict, reason and finding."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlmodel import select

from app.catalog.models import CatalogObject
from app.catalog.rules import ObjectKind
from app.findings.models import Finding, FindingTransition
from app.playbooks.rules import Mode
from app.runs import drivers
from runners import registry
from tests.flow.runs_world import START
from tests.reliability import wild
from tests.reliability.processes import CHECKOUT, Ground, ground, until

ENDED = ("completed", "failed", "aborted", "stopped")


@dataclass(frozen=True)
class Found:
    """What a run came to."""

    run: str
    verdict: str
    steps: dict[str, str]
    reason_nl: str
    reason_en: str
    findings: list[tuple[str, str]]


class Looking:
    """A world with one worker at work."""

    def __init__(self, made: Ground) -> None:
        self.ground, self._objects = made, 0

    def known(self, driver: dict[str, Any]) -> str:
        """Reference of an object in the catalogue that is reached in this way."""
        self._objects += 1
        given = {"kind": ObjectKind.BACKUP_SET, "driver": driver, "created_at": START, "updated_at": START}
        ref = f"OBJ-{self._objects:03}"
        with self.ground.world.database.transaction() as session:
            session.add(CatalogObject(id=ref, ref=ref, name=f"Object {self._objects}", **given))
        return ref

    def begin(self, *uses: str, given: dict[str, Any], kind: str = "text", timeout: int = 120) -> str:
        """Start a rehearsal of these drivers one after the other, with the same parameters; its id."""
        self._objects += 1
        needs: list[str] = []
        steps = []
        for each in uses:
            name = each.partition(".")[2]
            step = {"id": name, "uses": each, "with": given, "timeout": timeout, "on_failure": "stop", "needs": needs}
            steps.append(step)
            needs = [name]
        name = f"test-looking-{self._objects}"
        text: dict[str, Any] = {
            "playbook": name,
            "title": {"nl": name, "en": name},
            "modes": ["rehearsal"],
            "proves": {"restore": [each["id"] for each in steps]},
            "steps": steps,
        }
        inputs = {}
        if kind != "text":
            [(key, ref)] = given.items()
            text["inputs"], inputs = {key: {"type": kind}}, {key: ref}
            for each in steps:
                each["with"] = {key: f"${{{key}}}"}
        self.ground.world.now = datetime.now(UTC)
        return self.ground.world.started(self.ground.world.drill(text, Mode.REHEARSAL, inputs=inputs))

    def found(self, run_id: str, seconds: float = 120) -> Found:
        """Wait for its end, and say what came of it."""
        until(lambda: self.ground.world.held(run_id).run.verdict is not None, "the run has a verdict", seconds)
        held = self.ground.world.held(run_id)
        told = [row.outcome.get("reason", {}) for row in held.steps.values() if row.outcome]
        with self.ground.world.database.transaction() as session:
            rows = session.exec(select(Finding)).all()
            findings = [(each.title_nl, f"{each.title_en} {each.description}") for each in rows]
            # The same fact found again is the same finding: taken away, so that the next run must open its own.
            for table in (FindingTransition, Finding):
                for row in session.exec(select(table)).all():
                    session.delete(row)
        verdict = held.run.verdict
        return Found(
            run=held.run.state.value,
            verdict=verdict.value if verdict else "",
            steps={row.step_id: row.state.value for row in held.steps.values()},
            reason_nl=told[-1].get("nl", "") if told else "",
            reason_en=told[-1].get("en", "") if told else "",
            findings=findings,
        )


@contextmanager
def looking(folder: Path) -> Iterator[Looking]:
    """A fresh world with all drivers, the wild ones too, and a worker."""
    made = ground(folder)
    drivers.use({**drivers.registry(), **registry.load(), **{kind.name: kind() for kind in wild.KINDS}})
    packages = wild.install(folder / "wild")
    made.environment["PYTHONPATH"] = os.pathsep.join([str(packages), made.environment["PYTHONPATH"], str(CHECKOUT)])
    made.environment["TMPDIR"] = str(folder / "scratch")
    (folder / "scratch").mkdir()
    (folder / "scratch").chmod(0o1777)
    try:
        made.worker().start()
        yield Looking(made)
    finally:
        made.end()
