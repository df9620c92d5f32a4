"""An agency's own runner is a small package with an entry point; one that is broken stops the start with a sentence."""

import shutil
import tomllib
from pathlib import Path

import pytest

from app.main import create_app
from runners import registry
from runners.registry import RunnerRefused
from tests.flow.whole import settings_in
from tests.flow.wissel_command import wissel

PACKAGE = Path(__file__).parents[1] / "packages" / "tiny_runner"
PLAYBOOK = """
playbook: look-at-a-file
title: {nl: Een bestand nakijken, en: Look at a file}
summary: {nl: Kijkt of een bestand er is., en: Looks whether a file is there.}
modes: [rehearsal]
inputs:
  path: {type: text, title: {nl: Pad, en: Path}}
steps:
  - id: look
    phase: precheck
    title: {nl: Het bestand is er, en: The file is there}
    uses: tiny.file-is-there
    with: {path: "${path}"}
    timeout: PT10S
    on_failure: stop
    manual: {nl: Kijk of het bestand er is., en: Look whether the file is there.}
"""


def lay_out(folder, entry_points, module=None, source=""):
    """What pip leaves in site-packages for a package: its module, its metadata, its entry points."""
    described = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    information = folder / "tiny_runner-1.0.dist-info"
    information.mkdir(parents=True)
    header = f"Metadata-Version: 2.1\nName: {described['name']}\nVersion: {described['version']}\n"
    (information / "METADATA").write_text(header)
    lines = [f"{name} = {value}" for name, value in entry_points.items()]
    (information / "entry_points.txt").write_text("\n".join(["[wissel.runners]", *lines, ""]))
    if module:
        (folder / f"{module}.py").write_text(source)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The tiny package, installed."""
    described = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    lay_out(tmp_path / "site", described["entry-points"]["wissel.runners"])
    shutil.copy(PACKAGE / "tiny_runner.py", tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


@pytest.fixture
def playbook(tmp_path):
    """A playbook that uses the tiny runner."""
    file = tmp_path / "look.yaml"
    file.write_text(PLAYBOOK)
    return file


def test_it_stands_beside_ours_and_describes_itself(installed, template, tmp_path):
    assert {"tiny.file-is-there", "postgres.promote"} <= set(registry.load())
    whole = template.copy(tmp_path / "data")
    told = whole.ok("GET", "/runners/tiny.file-is-there")
    whole.database.dispose()
    assert "a file lies at this path" in str(told)


def test_a_playbook_that_uses_it_is_valid_where_it_is_installed(installed, playbook, monkeypatch, capsys):
    done = wissel(monkeypatch, capsys, "check", playbook)
    assert (done.code, done.out) == (0, f"{playbook}: valid\n")


def test_without_it_the_playbook_is_refused_with_the_line(playbook, monkeypatch, capsys):
    done = wissel(monkeypatch, capsys, "check", playbook)
    assert done.code == 1
    assert all(part in done.out for part in ("look.yaml, line 12", "'look'", "tiny.file-is-there", "Install it")), (
        done.out
    )


BROKEN = {
    "does not import": ("nothing_here:Missing", "", "does not import"),
    "raises while it is imported": ("broken_runner:Kind", "raise OSError('no licence')", "no licence"),
    "is no runner": ("broken_runner:Kind", "class Kind: pass", "is not a subclass of runners.contract.Runner"),
    "is not even a class": ("broken_runner:Kind", "Kind = 5", "is not a subclass of runners.contract.Runner"),
    "bears another name": ("runners.check.tcp:CheckTcp", "", "the two must be the same"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_runner_stops_the_start_with_a_sentence(what, tmp_path, monkeypatch, capsys):
    value, source, sentence = BROKEN[what]
    lay_out(tmp_path / "site", {"own.thing": value}, "broken_runner", source)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(__import__("sys").modules, "broken_runner", raising=False)
    with pytest.raises(RunnerRefused, match=sentence) as refused:
        create_app(settings_in(tmp_path))
    assert "own.thing" in str(refused.value)
    (tmp_path / "look.yaml").write_text(PLAYBOOK)
    done = wissel(monkeypatch, capsys, "check", tmp_path / "look.yaml")
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_a_name_of_ours_cannot_be_taken_over(tmp_path, monkeypatch):
    lay_out(tmp_path / "site", {"check.tcp": "runners.check.tcp:CheckTcp"})
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(RunnerRefused, match=r"two installed packages bring a runner called 'check\.tcp'"):
        registry.load()
