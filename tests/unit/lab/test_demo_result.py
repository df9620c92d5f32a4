"""What the demonstration says of itself: exact keys, null where there is no figure, and the exit status."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.lab.organisation.loader import PlannedDrill
from app.lab.result import Client, Exit, drill_line, exit_status, finding_lines, plan_lines, wrong
from app.lab.writer import Acknowledged

START = datetime(2027, 1, 31, 2, 30, tzinfo=UTC)
KEYS = ["ref", "mode", "triggeredBy", "verdict", "rtaSeconds", "rpaSeconds"]
KEYS += ["clientOutageMs", "writesAcknowledged", "writesLost"]
EVERY = timedelta(milliseconds=20)


def drill(
    key: str = "over", *, expected: str = "passed", live: bool = True, fails_at: str | None = None
) -> PlannedDrill:
    return PlannedDrill(key, f"id-{key}", "DRL-001", "Switch", expected, fails_at, live, unattended=False)


def run(verdict: str = "passed", **more: Any) -> dict[str, Any]:
    known = {
        "mode": "live",
        "triggeredBy": "schedule",
        "verdict": verdict,
        "state": "completed",
        "rtaMs": 512,
        "rpaMs": 0,
        "startedAt": "2027-01-31T02:30:01Z",
        "endedAt": "2027-01-31T02:30:03Z",
        "proofs": [],
        "steps": [],
    }
    return known | more


def log(*, gap_ms: int = 0) -> list[Acknowledged]:
    """A write each 20 ms for four seconds, with one gap in the middle."""
    at = [
        START + EVERY * number + (timedelta(milliseconds=gap_ms) if number >= 100 else timedelta())
        for number in range(200)
    ]
    return [
        Acknowledged(100_001 + number, moment, moment, int((moment - START).total_seconds() * 1e9))
        for number, moment in enumerate(at)
    ]


def test_a_switch_shows_what_the_runners_measured_and_what_the_client_saw() -> None:
    written = log(gap_ms=300)
    line = drill_line(drill(), run(), Client(written, {one.number for one in written}))
    assert list(line) == KEYS
    assert (line["rtaSeconds"], line["rpaSeconds"]) == (0.512, 0.0)
    assert line["clientOutageMs"] == 320.0
    assert line["writesAcknowledged"] == 86
    assert line["writesLost"] == 0


def test_an_acknowledged_write_that_is_not_there_at_the_end_is_lost() -> None:
    written = log()
    kept = {one.number for one in written} - {100_001 + 75, 100_001 + 190}
    line = drill_line(drill(), run(), Client(written, kept))
    assert line["writesLost"] == 1  # the other one was written after this run
    assert len(Client(written, kept).lost) == 2


def test_a_drill_in_isolation_has_no_figures_of_the_client() -> None:
    proof = {"verdict": "pass", "rtoMs": 1400, "rpoMs": 4}
    shown = run(mode="rehearsal", rtaMs=None, rpaMs=None, proofs=[proof])
    line = drill_line(drill(live=False), shown, Client(log(), set()))
    assert list(line) == KEYS
    assert (line["mode"], line["rtaSeconds"], line["rpaSeconds"]) == ("rehearsal", 1.4, 0.004)
    assert {line[name] for name in KEYS[-3:]} == {None}


def test_a_failed_restore_has_no_recovery_time() -> None:
    shown = run("failed", rtaMs=None, rpaMs=None, proofs=[{"verdict": "fail", "rtoMs": 900, "rpoMs": None}])
    line = drill_line(drill(live=False), shown, Client([], set()))
    assert (line["rtaSeconds"], line["rpaSeconds"]) == (None, None)


def test_a_drill_that_never_ran_is_shown_with_nulls() -> None:
    line = drill_line(drill(), None, Client([], set()))
    assert list(line) == KEYS
    assert {line[name] for name in KEYS[2:]} == {None}


def test_plans_and_findings_have_exactly_the_promised_keys() -> None:
    status = {"status": "proven", "provenUntil": "2027-03-01T00:00:00Z"}
    assert plan_lines({"PLN-001": {"status": "paper_only"}}, {"PLN-001": status}) == [
        {"ref": "PLN-001", "before": "paper_only", "after": "proven", "provenUntil": "2027-03-01T00:00:00Z"}
    ]
    finding = {"ref": "FND-001", "plan": None, "cause": "contract", "severity": "high", "title": {"nl": "A", "en": "B"}}
    assert finding_lines([finding | {"state": "open"}]) == [
        {"ref": "FND-001", "plan": None, "cause": "contract", "severity": "high", "title": "B"}
    ]


GOOD = [{"ref": "PLN-001", "after": "proven"}, {"ref": "PLN-002", "after": "partially_proven"}]
WANTED = {"PLN-001": "proven", "PLN-002": "not proven"}
FAULT = [{"id": "build", "verdict": "failed"}]


@pytest.mark.parametrize(
    ("asked", "shown", "plans", "lost", "status"),
    [
        (drill(), run(), GOOD, set(), Exit.AS_IT_SHOULD),
        (drill(expected="failed", fails_at="build"), run("failed", steps=FAULT), GOOD, set(), Exit.AS_IT_SHOULD),
        (drill(expected="failed", fails_at="restore"), run("failed", steps=FAULT), GOOD, set(), Exit.NOT_AS_IT_SHOULD),
        (drill(expected="failed", fails_at="build"), run("passed"), GOOD, set(), Exit.NOT_AS_IT_SHOULD),
        (drill(), run("failed"), GOOD, set(), Exit.NOT_AS_IT_SHOULD),
        (drill(), run("partial"), GOOD, set(), Exit.NOT_AS_IT_SHOULD),
        (drill(), None, GOOD, set(), Exit.NOT_AS_IT_SHOULD),
        (drill(), run(triggeredBy="person"), GOOD, set(), Exit.NOT_AS_IT_SHOULD),
        (drill(), run(), GOOD, {7}, Exit.NOT_AS_IT_SHOULD),
        (drill(), run(), [GOOD[0], {"ref": "PLN-002", "after": "proven"}], set(), Exit.NOT_AS_IT_SHOULD),
        (drill(), run(), [{"ref": "PLN-001", "after": "stale"}, GOOD[1]], set(), Exit.NOT_AS_IT_SHOULD),
        (drill(), run("inconclusive"), GOOD, set(), Exit.COULD_NOT_LOOK),
        (
            drill(),
            run("inconclusive"),
            [{"ref": "PLN-001", "after": "never_tested"}, GOOD[1]],
            set(),
            Exit.COULD_NOT_LOOK,
        ),
        (drill(), run("inconclusive"), GOOD, {7}, Exit.NOT_AS_IT_SHOULD),
    ],
)
def test_the_exit_status_tells_as_it_should_from_wrong_and_from_could_not_look(
    asked, shown, plans, lost, status
) -> None:
    runs = {} if shown is None else {asked.id: shown}
    assert exit_status(wrong([asked], runs, plans, WANTED, lost)) is status
