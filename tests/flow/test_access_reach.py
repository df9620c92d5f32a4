"""What somebody with a role in one unit can do to another by naming it in what they send."""

from typing import Any

import pytest
from sqlmodel import SQLModel, func, select

from tests.flow.access_world import API, NORTH, SOUTH, Units

WHEN = {"startsAt": "2027-03-01T08:00:00Z", "endsAt": "2027-03-02T08:00:00Z"}
TITLE = {"nl": "Iets", "en": "Something"}


def naming(keys: dict[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """For each way to name a thing of a unit in a body: who sends it, and the body."""
    service, plan = keys["services"], keys["plans"]
    finding = {"source": "audit", "severity": "low", "title": TITLE}
    return {
        "/findings of a plan": ("plan-owner", {**finding, "plan": plan}),
        "/findings of a service": ("plan-owner", {**finding, "service": service}),
        "/plans": ("plan-owner", {"name": "Uitwijk", "kind": "fallback", "service": service}),
        "/blackouts": ("plan-owner", {"name": "Vol", **WHEN, "serviceId": service}),
        "/mvos of a plan": ("plan-owner", {"name": "Kern", "plan": plan}),
        "/environments": ("plan-owner", {"name": "Kant", "service": service, "site": keys["sites"], "role": "primary"}),
        "/contracts": ("plan-owner", {"name": "Contract", "supplier": keys["suppliers"], "services": [service]}),
        "/objects": ("plan-owner", {"name": "Broncode", "kind": "software", "services": [service]}),
        "/measures": ("plan-owner", {"contract": keys["contracts"], "kind": "step_in"}),
        "/supply-chain-links": ("plan-owner", {"service": service, "supplier": keys["suppliers"], "role": "Levert"}),
        "/services that depend": ("plan-owner", {"name": "Nieuw", "unit": SOUTH, "dependsOn": [service]}),
    }


@pytest.mark.parametrize("way", naming(dict.fromkeys(("services", "plans", "sites", "suppliers", "contracts"), "")))
def test_what_is_named_in_a_body_is_not_there_for_another_unit(units: Units, way: str) -> None:
    part, body = naming(units.keys)[way]
    path = way.split(" ")[0]
    stranger = units.send("POST", path, f"{part} {SOUTH}", body)
    assert (stranger.status_code, stranger.json()["code"]) in {(404, "not-found"), (400, "invalid-input")}, (
        stranger.text
    )
    if stranger.status_code == 400:
        assert {each["code"] for each in stranger.json()["errors"]} == {"not-found"}, stranger.text
    own = units.send("POST", path, f"{part} {NORTH}", {**body, "unit": NORTH} if "unit" in body else body)
    assert own.status_code in {201, 409}, own.text  # 409: the supplier that is named may stand in the chain already


def test_who_may_only_read_a_unit_cannot_write_there_with_a_role_elsewhere(units: Units) -> None:
    body = naming(units.keys)["/findings of a plan"][1]
    answer = units.send("POST", "/findings", "plan-owner who reads the other", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    shown = units.send("GET", f"/plans/{units.keys['plans']}", "plan-owner who reads the other", None)
    assert shown.status_code == 200


def test_nothing_moves_to_another_unit_by_who_may_not_write_there(units: Units) -> None:
    service = units.southern["services"]
    answer = units.send("PATCH", f"/services/{service}", f"plan-owner {SOUTH}", {"unit": NORTH})
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    assert units.send("PATCH", f"/services/{service}", "plan-owner whole", {"unit": NORTH}).is_success
    assert units.send("PATCH", f"/services/{service}", f"plan-owner {SOUTH}", {"description": "Ja"}).is_success


def test_a_service_of_no_unit_or_another_is_not_made_by_who_has_one_unit(units: Units) -> None:
    for unit, status in ((SOUTH, 201), (NORTH, 403), ("", 403), (SOUTH.lower(), 403)):
        body = {"name": f"Dienst {unit}", "unit": unit}
        assert units.send("POST", "/services", f"plan-owner {SOUTH}", body).status_code == status, unit


def test_an_organisation_without_a_plan_is_of_the_unit_that_it_names(units: Units) -> None:
    made = units.send("POST", "/mvos", f"plan-owner {SOUTH}", {"name": "Haven", "unit": SOUTH})
    assert made.is_success, made.text
    for unit in (NORTH, ""):
        assert units.send("POST", "/mvos", f"plan-owner {SOUTH}", {"name": "x", "unit": unit}).status_code == 403


def test_what_is_several_units_is_read_by_each_and_written_by_who_may_write_in_all(units: Units) -> None:
    with units.whole.database.kept() as session:  # type: ignore[attr-defined]
        from app.catalog.models import ContractService

        contract = units.keys["contracts"]
        session.add(ContractService(contract_id=contract, service_id=units.southern["services"]))
    path = f"/contracts/{contract}"
    try:
        for place in (NORTH, SOUTH):
            assert units.send("GET", path, f"viewer {place}", None).status_code == 200
            assert units.send("PATCH", path, f"plan-owner {place}", {"name": "Anders"}).status_code == 403
            found = units.send("GET", path, f"viewer {place}", None).json()["services"]
            assert len(found) == 1, found
        assert units.send("PATCH", path, "plan-owner whole", {"name": "Anders"}).is_success
    finally:
        with units.whole.database.kept() as session:  # type: ignore[attr-defined]
            session.delete(session.get_one(ContractService, (contract, units.southern["services"])))


def test_a_refused_request_leaves_nothing(units: Units) -> None:
    def rows() -> dict[str, int]:
        with units.whole.database.transaction(write=False) as session:
            tables = SQLModel.metadata.tables.values()
            counted = {each.name: session.scalar(select(func.count()).select_from(each)) or 0 for each in tables}
        return {name: number for name, number in counted.items() if not name.startswith("audit")}

    before = rows()
    for way, (part, body) in naming(units.keys).items():
        units.send("POST", way.split(" ")[0], f"{part} {SOUTH}", body)
    assert rows() == before


def test_a_guessed_reference_and_one_that_is_hidden_are_told_apart_by_nothing(units: Units) -> None:
    hidden = units.ask("GET", f"{API}/plans/PLN-001", f"viewer {SOUTH}")
    guessed = units.ask("GET", f"{API}/plans/PLN-999", f"viewer {SOUTH}")
    assert hidden.status_code == guessed.status_code == 404
    assert hidden.text.replace("PLN-001", "") == guessed.text.replace("PLN-999", "")


def test_pages_offer_what_one_may_do_there_and_no_more(units: Units) -> None:
    own = units.reads(f"/services/{units.southern['services']}", f"plan-owner {SOUTH}").text
    read = units.reads(f"/services/{units.keys['services']}", "plan-owner who reads the other").text
    assert "/edit" in own
    assert "/edit" not in read
