"""A reference stands for a whole value: an input, a field of one, or what an earlier step measured."""

import pytest

from app.playbooks.references import (
    InputReference,
    MeasurementReference,
    NotAReference,
    Unresolved,
    parse,
    resolve,
)
from runners.contract import EnvironmentPair, Node, Side

PAIR = EnvironmentPair(name="zaak", primary=Node(site="noord"), fallback=Node(site="zuid"), service="http://zaak/")
INPUTS = {"pair": PAIR, "to": Side.FALLBACK}
MEASURED = {"fence": {"final_lsn": "0/3000028"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", None),
        (5, None),
        ("${pair}", InputReference("pair")),
        ("${pair.primary.site}", InputReference("pair", ("primary", "site"))),
        ("${steps.fence.measurements.final_lsn}", MeasurementReference("fence", "final_lsn")),
    ],
)
def test_a_value_is_plain_or_a_whole_reference(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a${pair}",
        "${pair}b",
        "${pair",
        "${Pair}",
        "${}",
        "${pair[0]}",
        "${steps.fence}",
        "${steps.a.state}",
        "${a}${b}",
    ],
)
def test_anything_in_between_is_refused(text):
    with pytest.raises(NotAReference):
        parse(text)


def test_references_are_filled_at_any_depth():
    given = {
        "url": "${pair.service}",
        "params": {"side": "${to}", "list": ["${steps.fence.measurements.final_lsn}", 1]},
    }
    assert resolve(given, INPUTS, MEASURED) == {
        "url": "http://zaak/",
        "params": {"side": Side.FALLBACK, "list": ["0/3000028", 1]},
    }


@pytest.mark.parametrize(
    "text", ["${from}", "${pair.proxy}", "${steps.fence.measurements.canary}", "${steps.x.measurements.y}"]
)
def test_what_has_no_value_is_told_and_never_empty(text):
    with pytest.raises(Unresolved):
        resolve(text, INPUTS, MEASURED)
