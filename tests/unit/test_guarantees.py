"""The README's table of guarantees: each promise names a test that is there, and the figure that it last told."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?P<promise>[^|]+) \| `(?P<test>[^`]+)` \| (?P<figure>[^|]+) \|$")


def rows() -> list[re.Match[str]]:
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.split("## Guarantees\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    found = [ROW.match(line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return [match for match in found if match]


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


def test_the_table_has_a_row_for_each_promise():
    assert len(rows()) >= 15


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["promise"])
def test_the_test_of_a_promise_is_there_and_told_a_figure(row):
    file, _, name = row["test"].partition("::")
    path = ROOT / file
    assert path.is_file(), f"{file} is not there"
    assert not name or name in functions(path), f"{file} has no {name}"
    assert re.search(r"\d", row["figure"]), "a figure has a number in it"
