"""The corpora of commands and of their templates: each refused for its code, and nothing was run."""

from pathlib import Path
from typing import Any

import pytest

from runners.contract import CommandTemplate, SitePolicy, Verdict
from runners.switch.command import Command, CommandParams
from tests.bad_inputs.read import named
from tests.unit.runners.fake_context import FakeContext, figures


def run(context: FakeContext, folder: Path, case: dict[str, Any]) -> tuple[Any, bool]:
    """The outcome of a case, and whether anything ran."""
    mark, tool, link = folder / "ran", folder / "tool", folder / "innocent"
    tool.write_text(f"#!/bin/sh\ntouch {mark}\n")
    tool.chmod(0o755)
    link.symlink_to("/bin/sh")
    argv = [each.replace("LINK-TO-SH", str(link)).replace("TOOL", str(tool)) for each in case["argv"]]
    template = {"argv": argv, "params": case.get("params", {"x": ".*"})}
    context.policy = SitePolicy(commands={"tool": CommandTemplate.model_validate(template)})
    given = CommandParams(command=case.get("command", "tool"), params=case.get("values", {"x": f"touch {mark}"}))
    return Command().run(given, context), mark.exists()


@pytest.mark.parametrize("name", named("commands"))
def test_a_bad_value_runs_nothing(context: FakeContext, tmp_path: Path, name: str) -> None:
    case = named("commands")[name]
    outcome, ran = run(context, tmp_path, case)
    assert (outcome.verdict, ran) == (Verdict.FAILED, False)
    assert figures(outcome)["refused"] == case["code"]


@pytest.mark.parametrize("name", named("templates"))
def test_a_bad_template_runs_nothing(context: FakeContext, tmp_path: Path, name: str) -> None:
    case = named("templates")[name]
    outcome, ran = run(context, tmp_path, case)
    assert (outcome.verdict, ran) == (Verdict.FAILED, False)
    assert figures(outcome)["refused"] == case["code"]


def test_a_sound_one_runs(context: FakeContext, tmp_path: Path) -> None:
    sound = {"argv": ["TOOL", "{side}"], "params": {"side": "north|south"}, "values": {"side": "north"}}
    outcome, ran = run(context, tmp_path, sound)
    assert (outcome.verdict, ran) == (Verdict.PASSED, True)
