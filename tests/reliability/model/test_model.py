"""The real planner and rows keep all invariants in a simulated world, and twelve planted bugs are found there."""

import pytest

from tests.reliability.figures import times, told
from tests.reliability.model.model_machine import search
from tests.reliability.model.model_planted import BUGS, Bug

found: list[str] = []


def test_no_invariant_breaks_whatever_happens() -> None:
    broken = search(times(8, 400))
    assert broken is None, broken


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    broken = search(times(120, 400))
    assert broken is not None, f"the machine is blind to '{bug.name}'"
    assert broken.name in bug.breaks, broken
    found.append(bug.name)


def test_all_planted_bugs_are_found() -> None:
    if len(found) < len(BUGS):
        pytest.skip("not run: only some of the planted bugs were asked for")
    told("planted bugs caught", f"{len(found)} of {len(BUGS)}")
