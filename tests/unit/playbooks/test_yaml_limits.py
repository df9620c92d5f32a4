"""YAML is read as version 1.2 and within limits; what could surprise is refused by name."""

# ruff: noqa: E501 - a row of a table stays on one line

import time
from pathlib import Path

import pytest

from app.playbooks.loader import check
from app.playbooks.yaml_text import read
from runners import registry
from tests.unit.playbooks.written import refused

BAD = Path(__file__).parents[2] / "bad_inputs" / "playbooks"
EXPECTED = {
    "alias-bomb.yaml": {"yaml-anchor", "yaml-alias"},
    "bidi-override.yaml": {"forbidden-character"},
    "duplicate-key.yaml": {"duplicate-key"},
    "merge-key.yaml": {"yaml-anchor", "yaml-alias", "yaml-merge"},
    "python-tag.yaml": {"yaml-tag"},
    "too-deep.yaml": {"too-deep"},
    "two-documents.yaml": {"two-documents"},
    "unclosed.yaml": {"not-yaml"},
    "empty.yaml": {"not-a-playbook"},
    "only-a-list.yaml": {"not-a-playbook"},
    "not-utf8.yaml": {"not-utf8"},
    "old-version.yaml": {"yaml-directive"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_hostile_file_is_refused_by_name(name):
    assert EXPECTED[name] <= {each.code for each in check(BAD / name, registry.load())}


def test_every_bad_file_has_its_reason_here():
    assert {path.name for path in BAD.iterdir()} - {"cases.yaml"} == set(EXPECTED)


def test_a_file_that_is_not_there_is_told_as_such():
    assert [each.code for each in check(BAD / "none.yaml", registry.load())] == ["unreadable"]


def test_words_that_look_like_something_else_stay_text():
    data = read("a: no\nb: 12:30:45\nc: 2027-01-31\nd: yes\ne: on\nf: 0o17\ng: 007\nh: .nan\n").data
    assert data == {"a": "no", "b": "12:30:45", "c": "2027-01-31", "d": "yes", "e": "on", "f": "0o17", "g": "007", "h": ".nan"}  # fmt: skip


def test_plain_numbers_and_truth_are_read_as_such():
    assert read("a: 12\nb: -1.5\nc: true\nd: ~\ne: '12'\n").data == {
        "a": 12,
        "b": -1.5,
        "c": True,
        "d": None,
        "e": "12",
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: '" + "x" * 262_200 + "'", "too-large"),
        ("a:\n" + "  - [1, 2, 3]\n" * 2_600, "too-many-nodes"),
        ("[" * 200_000, "too-deep"),
        ("{" * 200_000, "key-not-text"),
        ("a: \ud800", "forbidden-character"),
        ("a: \x00", "forbidden-character"),
    ],
)
def test_a_flood_is_refused_in_time(text, code):
    begin = time.perf_counter()
    assert [each[3] for each in refused(text)] == [code]
    assert time.perf_counter() - begin < 5


def test_the_line_of_each_key_is_known():
    document = read("a: 1\nb:\n  - c: 2\n    d: 3\n")
    assert [document.line(path) for path in (("a",), ("b",), ("b", 0, "d"), ("b", 0, "missing"))] == [1, 2, 4, 3]
