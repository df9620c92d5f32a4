"""What came of the demonstration: the JSON object for programs, and the exit status."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from app.lab import writer
from app.lab.organisation.loader import PlannedDrill


class Exit(IntEnum):
    """How the command ends."""

    AS_IT_SHOULD = 0
    NOT_AS_IT_SHOULD = 1
    COULD_NOT_LOOK = 3


@dataclass(frozen=True)
class Client:
    """What the writing client saw: its log, and the numbers that are in the database at the end."""

    log: Sequence[writer.Acknowledged]
    kept: Collection[int]

    @property
    def lost(self) -> set[int]:
        """Numbers that were acknowledged and are not there."""
        return writer.lost(self.log, self.kept)

    def figures(self, run: Mapping[str, Any]) -> dict[str, float | int | None]:
        """Outage, acknowledged and lost writes in the time of a run that switches."""
        start, end = moment(run["startedAt"]), moment(run["endedAt"])
        if start is None or end is None:
            return NO_FIGURES
        outage = writer.outage_ms(self.log, start, end)
        gone = self.lost
        return {
            "clientOutageMs": None if outage is None else round(outage, 1),
            "writesAcknowledged": writer.acknowledged(self.log, start, end),
            "writesLost": sum(one.number in gone and start <= one.acknowledged_at <= end for one in self.log),
        }


NO_FIGURES: dict[str, float | int | None] = {"clientOutageMs": None, "writesAcknowledged": None, "writesLost": None}
"""Of a drill that works in isolation: the client cannot notice it."""


def moment(text: str | None) -> datetime | None:
    """A time of the API."""
    return datetime.fromisoformat(text) if text else None


def drill_line(drill: PlannedDrill, run: Mapping[str, Any] | None, client: Client) -> dict[str, Any]:
    """One drill in the result; null where it has no such figure."""
    line: dict[str, Any] = {"ref": drill.ref, "mode": "live" if drill.live else "rehearsal"}
    if run is None:
        empty = dict.fromkeys(("triggeredBy", "verdict", "rtaSeconds", "rpaSeconds"))
        return line | empty | NO_FIGURES
    rta, rpa = measured(run)
    return {
        **line,
        "mode": run["mode"],
        "triggeredBy": run["triggeredBy"],
        "verdict": run["verdict"],
        "rtaSeconds": rta,
        "rpaSeconds": rpa,
        **(client.figures(run) if drill.live else NO_FIGURES),
    }


def measured(run: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """RTA and RPA in seconds: of the switch, else of the claim that the run proved."""
    passed = [proof for proof in run["proofs"] if proof["verdict"] == "pass"]
    told = {"rta": run["rtaMs"], "rpa": run["rpaMs"]}
    for proof in passed:
        told["rta"] = proof["rtoMs"] if told["rta"] is None else told["rta"]
        told["rpa"] = proof["rpoMs"] if told["rpa"] is None else told["rpa"]
    seconds = [None if value is None else value / 1000 for value in told.values()]
    return seconds[0], seconds[1]


def plan_lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each plan with its status before and after."""
    return [
        {
            "ref": ref,
            "before": before[ref]["status"] if ref in before else "no_plan",
            "after": status["status"],
            "provenUntil": status["provenUntil"],
        }
        for ref, status in after.items()
    ]


def finding_lines(findings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each finding, with the reference of its plan."""
    return [
        {
            "ref": finding["ref"],
            "plan": finding["plan"]["ref"] if finding["plan"] else None,
            "cause": finding["cause"],
            "severity": finding["severity"],
            "title": finding["title"]["en"],
        }
        for finding in findings
    ]


def wrong(
    drills: Sequence[PlannedDrill],
    runs: Mapping[str, Mapping[str, Any]],
    plans: Sequence[Mapping[str, Any]],
    expected: Mapping[str, str],
    lost: Collection[int],
) -> dict[str, Exit]:
    """Everything that is not as it should be, in words, with the exit status that it leads to.

    `runs`: by id of the drill. `expected`: reference of a plan → its status in the end, or ``not proven``.
    """
    found: dict[str, Exit] = {}
    for drill in drills:
        run = runs.get(drill.id)
        problem = _drill_problem(drill, run)
        if problem:
            blind = run is not None and run["verdict"] == "inconclusive"
            found[problem] = Exit.COULD_NOT_LOOK if blind else Exit.NOT_AS_IT_SHOULD
    if lost:
        found[f"{len(lost)} acknowledged writes were lost"] = Exit.NOT_AS_IT_SHOULD
    after = {plan["ref"]: plan["after"] for plan in plans}
    blind = Exit.COULD_NOT_LOOK in found.values()
    for ref, status in expected.items():
        fits = after.get(ref) != "proven" if status == "not proven" else after.get(ref) == status
        if not fits:
            # What could not be looked at leaves its plan unproven too: that is no second fault.
            found[f"plan {ref} is {after.get(ref)}, not {status}"] = (
                Exit.COULD_NOT_LOOK if blind else Exit.NOT_AS_IT_SHOULD
            )
    return found


def _drill_problem(drill: PlannedDrill, run: Mapping[str, Any] | None) -> str | None:
    if run is None:
        return f"{drill.ref} did not end in time"
    if run["verdict"] != drill.expected:
        return f"{drill.ref} ended {run['verdict'] or run['state']}, not {drill.expected}"
    if run["triggeredBy"] != "schedule":
        return f"{drill.ref} was not triggered by the schedule"
    failed = [step["id"] for step in run["steps"] if step["verdict"] == "failed"]
    if drill.fails_at is not None and failed != [drill.fails_at]:
        return f"{drill.ref} failed at {', '.join(failed) or 'no step'}, not at {drill.fails_at}"
    return None


def exit_status(found: Mapping[str, Exit]) -> Exit:
    """0 where nothing is wrong; 3 where all that is wrong is that something could not be looked at; else 1."""
    if not found:
        return Exit.AS_IT_SHOULD
    return Exit.COULD_NOT_LOOK if set(found.values()) == {Exit.COULD_NOT_LOOK} else Exit.NOT_AS_IT_SHOULD
