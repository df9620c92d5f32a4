"""What the terminal says after a restore."""

from io import StringIO

import pytest
from rich.console import Console

from app.runs.restored import Found
from app.runs.rules import RunState
from app.telling import _run


@pytest.mark.parametrize(
    ("becomes", "told"),
    [
        (RunState.PAUSED_BY_GUARD, "was aborting, waits for a person's look"),
        (RunState.MISSED, "was aborting, is now missed"),
    ],
)
def test_a_run_that_the_restore_holds_is_not_said_to_be_held_by_a_guard(becomes: RunState, told: str) -> None:
    out = Console(file=StringIO(), width=200)
    _run(out, Found("RUN-007", "Omschakelen", "live", "aborting", becomes.value, {"one": "started"}, [], None, None))
    assert told in out.file.getvalue()  # type: ignore[attr-defined]
    assert "guard" not in out.file.getvalue()  # type: ignore[attr-defined]
