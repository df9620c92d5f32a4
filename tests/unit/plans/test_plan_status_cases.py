"""Every case of the case file against the pure function; bring another file by WISSEL_PLAN_STATUS_CASES."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from ruamel.yaml.constructor import DuplicateKeyError

from app.plans.rules import Status, plan_status
from tests.unit.plans.case_file import OWN, Case, chosen, load

CASES = load(chosen())


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_status_follows_from_proof(case: Case) -> None:
    found = plan_status(case.facts(), now=case.now)
    told = case.expect.model_fields_set
    seen = {
        "status": found.status,
        "claims": {claim.key: claim.status for claim in found.claims},
        "until": found.until,
        "overdue_since": found.overdue_since,
    }
    assert {key: seen[key] for key in told} == {key: getattr(case.expect, key) for key in told}


@pytest.mark.parametrize("case", load(OWN), ids=[case.name for case in load(OWN)])
def test_our_own_cases_tell_the_dates_exactly_where_there_are_some(case: Case) -> None:
    found = plan_status(case.facts(), now=case.now)
    assert (found.until, found.overdue_since) == (case.expect.until, case.expect.overdue_since)
    assert (case.expect.until is not None) == (case.expect.status is Status.PROVEN)


def test_our_own_file_has_all_examples_of_the_design() -> None:
    cases = load(OWN)
    assert len(cases) >= 41
    assert len({case.name for case in cases}) == len(cases)
    assert {case.expect.status for case in cases} == set(Status)


def case_text(**replaced: str) -> str:
    parts = {
        "now": "'2026-01-02T00:00:00Z'",
        "plan": "{exists: true, approved: true, major: 1}",
        "claims": "[{id: restore, min_level: 3, valid_days: 365, objects: [db]}]",
        "proofs": "[{claim: restore, level: 3, verdict: pass, at: 2026-01-01T00:00:00Z, plan_major: 1}]",
        "changes": "[]",
        "findings": "[]",
        "expect": "{status: proven}",
    }
    return "- name: a case\n" + "".join(f"  {key}: {value}\n" for key, value in (parts | replaced).items())


def test_a_file_of_strangers_may_leave_moments_unquoted(tmp_path: Path) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(case_text())
    (case,) = load(path)
    assert plan_status(case.facts(), now=case.now).status is Status.PROVEN


@pytest.mark.parametrize(
    "replaced",
    [
        {"surprise": "1"},
        {"plan": "{exists: true, approved: true, major: 1, state: proven}"},
        {"claims": "[{id: restore, min_level: 3, valid_days: 365, severity: high}]"},
        {"proofs": "[{claim: restore, level: 3, verdict: passed, at: '2026-01-01T00:00:00Z', plan_major: 1}]"},
        {"proofs": "[{claim: restore, level: 6, verdict: pass, at: '2026-01-01T00:00:00Z', plan_major: 1}]"},
        {"changes": "[{at: '2026-01-01T00:00:00Z', object: [db]}]"},
        {"findings": "[{claim: restore, severity: catastrophic, opened: '2026-01-01T00:00:00Z'}]"},
        {"expect": "{status: green}"},
        {"expect": "{status: proven, overdue: true}"},
        {"now": "'2026-01-02T00:00:00'"},
        {"claims": "[{id: a, min_level: 3, valid_days: 1}, {id: a, min_level: 4, valid_days: 1}]"},
    ],
    ids=lambda replaced: next(iter(replaced.items()))[0],
)
def test_what_is_not_in_the_format_is_refused(tmp_path: Path, replaced: dict[str, str]) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(case_text(**replaced))
    with pytest.raises(ValueError):  # noqa: PT011 – the refusals differ, a ValidationError is one too
        load(path)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(case_text() + "  findings: []\n")
    with pytest.raises((DuplicateKeyError, ValidationError)):
        load(path)
