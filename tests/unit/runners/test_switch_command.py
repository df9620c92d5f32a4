"""switch.command: only what the site's list says, with checked values, and nothing left running."""

import os
import time
from pathlib import Path

import pytest

from runners.contract import CommandTemplate, Repeat, Seen, SitePolicy, Verdict
from runners.switch.command import Command, CommandParams
from tests.unit.runners.fake_context import FakeContext, figures


@pytest.fixture
def script(tmp_path: Path):
    """Makes an executable script of ours, as an administrator would."""

    def make(body: str, name: str = "tool") -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return make


def _allow(context: FakeContext, **template: object) -> None:
    context.policy = SitePolicy(commands={"tool": CommandTemplate.model_validate(template)})


def _run(context: FakeContext, **values: str):
    return Command().run(CommandParams(command="tool", params=values), context)


def test_the_values_arrive_as_whole_arguments_in_a_clean_environment(
    context: FakeContext, script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WISSEL_SECRET_DB", "s3cret")
    path = script('printf "%s|" "$@"; env')
    _allow(context, argv=[path, "--to", "{side}"], params={"side": "[a-z ;$()]+"}, environment={"ZONE": "x"})
    outcome = _run(context, side="a b; $(id)")
    assert outcome.verdict is Verdict.PASSED
    said = (context.evidence / "output.txt").read_text()
    assert "--to|a b; $(id)|" in said
    assert "s3cret" not in said
    assert "ZONE=x" in said
    assert "WISSEL_EFFECT_KEY=run:step:1" in said
    assert "WISSEL_FENCING_TOKEN=7" in said


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "missing"),
        ({"side": "north", "more": "x"}, "no parameter 'more'"),
        ({"side": "-rf"}, "dash"),
        ({"side": "north\n"}, "control"),
        ({"side": "north\x00"}, "control"),
        ({"side": "northern"}, "does not match"),
        ({"side": "x" * 2000}, "too long"),
        ({"side": ""}, "does not match"),
    ],
    ids=str,
)
def test_a_value_that_does_not_fit_runs_nothing(context: FakeContext, script, values, reason: str) -> None:
    mark = context.evidence / "ran"
    _allow(context, argv=[script(f"touch {mark}"), "{side}"], params={"side": "north|south"})
    outcome = _run(context, **values)
    assert outcome.verdict is Verdict.FAILED
    assert reason in outcome.reason.en
    assert not mark.exists()


@pytest.mark.parametrize(
    "argv",
    [
        ["/bin/sh", "-c", "{x}"],
        ["/bin/bash", "{x}"],
        ["/usr/bin/env", "{x}"],
        ["/usr/bin/python3", "-c", "{x}"],
        ["/usr/bin/python3", "{x}"],
        ["/usr/bin/perl", "-e", "{x}"],
        ["/usr/bin/perl", "-ne", "{x}"],
        ["/usr/bin/python3", "-Ic", "{x}"],
        ["/usr/bin/timeout", "5", "{x}"],
        ["sh", "{x}"],
        ["./tool", "{x}"],
        ["/opt/../bin/true", "{x}"],
        [],
        ["/bin/true", "--file={x}"],
        ["/bin/true", "{y}"],
    ],
    ids=str,
)
def test_a_template_that_could_carry_out_free_text_is_refused(context: FakeContext, argv: list[str]) -> None:
    _allow(context, argv=argv, params={"x": ".*"})
    outcome = _run(context, x="value")
    assert outcome.verdict is Verdict.FAILED
    assert outcome.evidence == ()


def test_a_link_to_a_shell_is_a_shell(context: FakeContext, tmp_path: Path) -> None:
    (tmp_path / "innocent").symlink_to("/bin/sh")
    _allow(context, argv=[str(tmp_path / "innocent"), "-c", "true"])
    assert "free text" in _run(context).reason.en


def test_what_is_not_on_the_list_is_not_run(context: FakeContext) -> None:
    assert "does not allow" in _run(context).reason.en


def test_a_failing_command_gives_its_last_line(context: FakeContext, script) -> None:
    _allow(context, argv=[script("echo first; echo no such zone >&2; exit 3")])
    outcome = _run(context)
    assert outcome.verdict is Verdict.FAILED
    assert figures(outcome)["exit_status"] == 3
    assert "no such zone" in outcome.reason.en


def test_a_command_that_does_not_end_is_killed_with_its_children_and_unknown(context: FakeContext, script) -> None:
    _allow(context, argv=[script(f"sleep 60 & echo $! > {context.evidence}/pid; wait")])
    started = time.monotonic()
    context.give(1.2)
    outcome = _run(context)
    assert time.monotonic() - started < 3
    assert outcome.verdict is Verdict.UNKNOWN
    _gone(int((context.evidence / "pid").read_text()))


def test_a_child_that_is_left_behind_ends_with_the_command(context: FakeContext, script) -> None:
    _allow(context, argv=[script(f"sleep 60 & echo $! > {context.evidence}/pid; exit 0")])
    started = time.monotonic()
    assert _run(context).verdict is Verdict.PASSED
    assert time.monotonic() - started < 5
    _gone(int((context.evidence / "pid").read_text()))


def _gone(pid: int) -> None:
    end = time.monotonic() + 3
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.01)
    raise AssertionError("it still runs")


def test_endless_output_is_cut_off(context: FakeContext, script) -> None:
    _allow(context, argv=[script("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done")])
    outcome = _run(context)
    assert outcome.verdict is Verdict.UNKNOWN
    assert "too much" in outcome.reason.en


def test_hostile_output_is_shown_as_plain_text(context: FakeContext, script) -> None:
    _allow(context, argv=[script(r"printf '\033]0;owned\007\033[31mred\033[0m\n'; exit 1")])
    assert "\x1b" not in _run(context).reason.en + (context.evidence / "output.txt").read_text()


def test_a_command_that_is_not_there_could_not_start(context: FakeContext) -> None:
    _allow(context, argv=["/nowhere/tool"])
    assert "could not be started" in _run(context).reason.en


@pytest.mark.parametrize(("status", "seen"), [(0, Seen.DONE), (1, Seen.NOT_DONE), (2, Seen.UNKNOWN)])
def test_the_template_says_how_to_look(context: FakeContext, script, status: int, seen: Seen) -> None:
    _allow(context, argv=["/bin/true"], observe=[script(f"exit {status}")])
    assert Command().observe(CommandParams(command="tool"), context).seen is seen


@pytest.mark.parametrize(("repeat", "seen"), [(Repeat.KEYED, Seen.NOT_DONE), (Repeat.NEVER, Seen.UNKNOWN)])
def test_without_a_way_to_look_only_a_keyed_command_may_be_repeated(context: FakeContext, repeat, seen: Seen) -> None:
    _allow(context, argv=["/bin/true"], repeat=repeat)
    assert Command().observe(CommandParams(command="tool"), context).seen is seen


def test_the_undo_is_a_command_of_its_own(context: FakeContext, script) -> None:
    _allow(context, argv=["/bin/true"], undo=[script("echo back")], needs_supplier=False)
    outcome = Command().undo(CommandParams(command="tool"), context)
    assert (outcome.verdict, outcome.needed_supplier) == (Verdict.PASSED, False)
    assert (context.evidence / "output.txt").read_text() == "back"
    _allow(context, argv=["/bin/true"])
    assert Command().undo(CommandParams(command="tool"), context).verdict is Verdict.FAILED


def test_the_preview_shows_the_resolved_command(context: FakeContext) -> None:
    _allow(context, argv=["/bin/true", "--to", "{side}"], params={"side": ".*"}, undo=["/bin/false", "{side}"])
    shown = Command().preview(CommandParams(command="tool", params={"side": "a b"}), context)
    assert shown.calls == ("/bin/true --to 'a b'",)
    assert shown.undo is not None
    assert "/bin/false 'a b'" in shown.undo.en
