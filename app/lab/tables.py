"""The tables in the terminal at the end: drills, claims, steps, findings, plans."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.lab.organisation.loader import PlannedDrill
from app.lab.result import moment

COLOURS = {"passed": "green", "proven": "green", "failed": "red", "inconclusive": "yellow", "partial": "yellow"}


def show(
    console: Console,
    *,
    drills: Sequence[PlannedDrill],
    runs: Mapping[str, Mapping[str, Any]],
    result: Mapping[str, Any],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    """Print them; `runs` by id of the drill, `before` and `after` the statuses of the plans by reference."""
    console.print()
    console.print(_drills(drills, result["drills"]))
    for drill in drills:
        if drill.live and drill.id in runs:
            console.print(_steps(drill, runs[drill.id]))
    console.print(_claims(before, after))
    console.print(_findings(result["findings"]))
    console.print(_plans(result["plans"]))


def _drills(drills: Sequence[PlannedDrill], lines: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("Drill", "Result", "RTA", "RPA", "Client outage", "Writes", "Lost", title="Drills")
    for drill, line in zip(drills, lines, strict=True):
        outage = None if line["clientOutageMs"] is None else line["clientOutageMs"] / 1000
        seen = (_seconds(line["rtaSeconds"]), _seconds(line["rpaSeconds"]), _seconds(outage))
        counted = (_plain(line["writesAcknowledged"]), _plain(line["writesLost"]))
        table.add_row(f"{drill.ref} {escape(drill.title)}", _word(line["verdict"]), *seen, *counted)
    return table


def _steps(drill: PlannedDrill, run: Mapping[str, Any]) -> Table:
    table = Table("Step", "State", "Started", "Took", "Seen", title=f"Steps of {drill.ref}")
    for step in run["steps"]:
        start, end = moment(step["startedAt"]), moment(step["finishedAt"])
        took = _seconds((end - start).total_seconds()) if start and end else "–"
        at = start.strftime("%H:%M:%S.%f")[:-3] if start else "–"
        reason = step["reason"]["en"] if step["reason"] else step["comment"]
        table.add_row(step["id"], step["state"], at, took, escape(reason or ""))
    return table


def _claims(before: Mapping[str, Any], after: Mapping[str, Any]) -> Table:
    table = Table("Plan", "Claim", "Before", "After", "Level", "Proven until", title="Claims")
    for ref, status in after.items():
        old = {claim["key"]: claim["status"] for claim in before.get(ref, {}).get("claims", ())}
        for claim in status["claims"]:
            level, until = _plain(claim["proofLevel"]), _day(claim["provenUntil"])
            table.add_row(ref, claim["key"], _word(old.get(claim["key"])), _word(claim["status"]), level, until)
    return table


def _findings(lines: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("Finding", "Plan", "Severity", "Cause", "What", title="Findings")
    for line in lines:
        table.add_row(line["ref"], _plain(line["plan"]), line["severity"], _plain(line["cause"]), escape(line["title"]))
    return table


def _plans(lines: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("Plan", "Before", "After", "Proven until", title="Plans")
    for line in lines:
        table.add_row(line["ref"], _word(line["before"]), _word(line["after"]), _day(line["provenUntil"]))
    return table


def _word(value: str | None) -> str:
    if value is None:
        return "–"
    colour = COLOURS.get(value)
    text = value.replace("_", " ")
    return f"[{colour}]{text}[/{colour}]" if colour else text


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f} s"


def _plain(value: object) -> str:
    return "–" if value is None else str(value)


def _day(value: str | None) -> str:
    return value[:10] if value else "–"
