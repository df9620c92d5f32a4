"""What rows of the catalogue must be to each other: chains, contracts, environments, and what is read from them all."""

from datetime import UTC, datetime

import pytest

from app.catalog import service as catalog
from app.catalog.graph import SharedKind
from app.catalog.insight import shared_fate
from app.catalog.models import CatalogObject, EnvironmentPair, Measure, Service
from tests.flow.catalog_app import build, codes

AT = datetime(2126, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def house(tmp_path):
    made = build(tmp_path)
    yield made
    made.database.dispose()


def _named(house, path, *names, **more):
    return [house.make(path, {"name": name, **more})["ref"] for name in names]


def test_a_ring_of_dependencies_is_refused_and_shown(house):
    _named(house, "/services", "A", "B", "C")
    house.call("PATCH", "/services/SVC-001", {"dependsOn": ["SVC-002"]})
    house.call("PATCH", "/services/SVC-002", {"dependsOn": ["SVC-003"]})
    answer = house.call("PATCH", "/services/SVC-003", {"dependsOn": ["SVC-001"]})
    assert codes(answer) == {"dependsOn": "cycle"}
    assert "SVC-003 C → SVC-001 A → SVC-002 B → SVC-003 C" in answer.json()["errors"][0]["reason"]
    assert house.call("GET", "/services/SVC-003").json()["dependsOn"] == []
    assert codes(house.call("PATCH", "/services/SVC-001", {"dependsOn": ["SVC-001"]})) == {"dependsOn": "cycle"}


def test_dependencies_are_told_in_both_directions_near_and_far(house):
    _named(house, "/services", "A", "B", "C", "D")
    for one, other in (("1", "2"), ("2", "3"), ("3", "4")):
        house.call("PATCH", f"/services/SVC-00{one}", {"dependsOn": [f"SVC-00{other}"]})
    found = house.call("GET", "/services/SVC-002/dependencies").json()
    refs = {name: [each["ref"] for each in value] for name, value in found.items()}
    assert refs == {
        "dependsOn": ["SVC-003"],
        "indirectly": ["SVC-004"],
        "neededBy": ["SVC-001"],
        "indirectlyNeededBy": [],
    }


def _chain(house):
    _named(house, "/services", "Zaak")
    _named(house, "/suppliers", "SaaS", "Hosting", "Glas")
    link = "/supply-chain-links"
    house.make(link, {"service": "SVC-001", "supplier": "SUP-001"})
    house.make(link, {"service": "SVC-001", "supplier": "SUP-002", "recipient": "SUP-001"})
    house.make(link, {"service": "SVC-001", "supplier": "SUP-003", "recipient": "SUP-002"})


def _ranks(house):
    items = house.call("GET", "/supply-chain-links?sort=ref").json()["items"]
    return {each["supplier"]["name"]: each["rank"] for each in items}


def test_ranks_follow_the_recipients_also_when_one_moves(house):
    _chain(house)
    assert _ranks(house) == {"SaaS": 1, "Hosting": 2, "Glas": 3}
    assert house.call("PATCH", "/supply-chain-links/LNK-002", {"recipient": None}).status_code == 200
    assert _ranks(house) == {"SaaS": 1, "Hosting": 1, "Glas": 2}


@pytest.mark.parametrize(
    ("path", "body", "fault"),
    [
        ("/supply-chain-links", {"supplier": "SUP-001", "recipient": "SUP-001"}, {"recipient": "cycle"}),
        ("/supply-chain-links", {"supplier": "SUP-001", "recipient": "SUP-003"}, {"recipient": "cycle"}),
        ("/supply-chain-links", {"supplier": "SUP-001", "recipient": "SUP-004"}, {"recipient": "not-in-chain"}),
        ("/supply-chain-links", {"supplier": "SUP-009", "recipient": "SUP-008"}, "both"),
    ],
)
def test_a_link_hangs_on_the_chain_and_makes_no_ring(house, path, body, fault):
    _chain(house)
    _named(house, "/suppliers", "Vreemd")
    found = codes(house.call("POST", path, {"service": "SVC-001", **body}))
    assert found == ({"supplier": "not-found", "recipient": "not-found"} if fault == "both" else fault)


def test_a_link_that_others_hang_on_stays_and_its_rank_cannot_be_typed(house):
    _chain(house)
    answer = house.call("POST", "/supply-chain-links/LNK-002/archivals")
    assert (answer.status_code, answer.json()["code"]) == (409, "still-leaned-on")
    moved = house.call("PATCH", "/supply-chain-links/LNK-002", {"supplier": "SUP-001"})
    assert moved.status_code in (400, 409)
    assert codes(house.call("PATCH", "/supply-chain-links/LNK-001", {"rank": 7})) == {"rank": "extra-forbidden"}
    assert _ranks(house) == {"SaaS": 1, "Hosting": 2, "Glas": 3}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"startsOn": "2026-01-02", "endsOn": "2026-01-01"}, {"endsOn": "ends-before-start"}),
        ({"supplier": "SUP-404"}, {"supplier": "not-found"}),
        ({"kind": "subsequent"}, {"overarching": "required"}),
        ({"overarching": "CON-001"}, {"kind": "contradiction", "overarching": "wrong-kind"}),
        ({"currency": "EURO"}, {"currency": "string-pattern-mismatch"}),
        ({"currency": "QQQ"}, {"currency": "value-error"}),
        ({"costCents": -1}, {"costCents": "greater-than-equal"}),
        ({"endsOn": 0}, {"endsOn": "value-error"}),
    ],
)
def test_a_contract_must_make_sense(house, body, fault):
    _named(house, "/suppliers", "Wolk")
    _named(house, "/contracts", "Eerste", supplier="SUP-001")
    assert codes(house.call("POST", "/contracts", {"name": "x", "supplier": "SUP-001"} | body)) == fault


def test_an_edit_is_held_against_what_stands_already(house):
    _named(house, "/suppliers", "Wolk")
    _named(house, "/contracts", "Eerste", supplier="SUP-001", endsOn="2026-06-30")
    answer = house.call("PATCH", "/contracts/CON-001", {"startsOn": "2026-07-01"})
    assert codes(answer) == {"endsOn": "ends-before-start"}
    assert house.call("PATCH", "/contracts/CON-001", {"startsOn": "2026-06-01"}).status_code == 200


def test_a_contract_has_each_measure_once_and_escrow_fields_only_in_escrow(house):
    _named(house, "/suppliers", "Wolk")
    _named(house, "/contracts", "Eerste", supplier="SUP-001")
    escrow = {"contract": "CON-001", "kind": "escrow", "escrowAgent": "Bewaarder", "verificationLevel": 2}
    made = house.make("/measures", escrow)
    assert (made["name"], made["assurance"]) == ("escrow – Eerste", None)
    twin = house.call("POST", "/measures", escrow)
    assert (twin.status_code, twin.json()["existing"]) == (409, made["ref"])
    assert codes(house.call("POST", "/measures", escrow | {"kind": "step_in"})) == {
        "escrowAgent": "out-of-place",
        "verificationLevel": "out-of-place",
    }
    forged = house.call("PATCH", "/measures/MEA-001", {"assurance": "operating", "lastTestedAt": "2026-01-01"})
    assert set(codes(forged)) == {"assurance", "lastTestedAt"}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"code": "12345678"}, {"codeType": "incomplete"}),
        ({"code": "1234", "codeType": "kvk"}, {"code": "invalid-code"}),
        ({"code": "11111111", "codeType": "kvk"}, {"code": "code-taken"}),
        ({"watchLevel": "alert"}, {"watchReason": "required", "watchSince": "required"}),
        ({"hasParent": "yes"}, {"ultimateParent": "required"}),
        ({"hasParent": "no", "ultimateParent": "SUP-001"}, {"hasParent": "contradiction"}),
        (
            {"assuranceReports": [{"kind": "soc2", "startsOn": "2026-02-01", "endsOn": "2026-01-01"}]},
            {"assuranceReports.0.endsOn": "ends-before-start"},
        ),
        ({"signals": [{"kind": "gossip", "on": "2026-01-01"}]}, {"signals.0.kind": "enum"}),
    ],
)
def test_a_supplier_must_make_sense(house, body, fault):
    house.make("/suppliers", {"name": "Moeder", "code": "11111111", "codeType": "kvk"})
    assert codes(house.call("POST", "/suppliers", {"name": "Dochter"} | body)) == fault


def test_parents_make_no_ring(house):
    _named(house, "/suppliers", "A", "B")
    assert house.call("PATCH", "/suppliers/SUP-001", {"ultimateParent": "SUP-002"}).status_code == 200
    assert codes(house.call("PATCH", "/suppliers/SUP-002", {"ultimateParent": "SUP-001"})) == {
        "ultimateParent": "cycle"
    }


def _sides(house, *, north=None, south=None, more=None):
    _named(house, "/services", "Zaak", "Ander")
    house.make("/sites", {"name": "noord", "supplier": north})
    house.make("/sites", {"name": "zuid", "supplier": south})
    sides = [("N", "primary", "SIT-001"), ("Z", "fallback", "SIT-002")]
    for name, role, site in sides:
        house.make("/environments", {"name": name, "service": "SVC-001", "role": role, "site": site} | (more or {}))
    body = {"name": "Zaak N-Z", "service": "SVC-001", "primary": "ENV-001", "fallback": "ENV-002"}
    return house.make("/environment-pairs", body)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"primary": "ENV-002"}, {"primary": "wrong-role"}),
        ({"service": "SVC-002"}, {"primary": "other-service", "fallback": "other-service"}),
        ({"fallback": "ENV-404"}, {"fallback": "not-found"}),
        ({"serviceUrl": "ftp://x"}, {"serviceUrl": "value-error"}),
        ({"serviceUrl": "http://piet:geheim@x"}, {"serviceUrl": "secret-inline"}),
        ({"proxy": {"token": "geheim"}}, {"proxy": "secret-inline"}),
        ({"proxy": []}, {"proxy": "dict-type"}),
    ],
)
def test_a_pair_is_two_sides_of_one_service_without_secrets(house, body, fault):
    pair = _sides(house)
    assert codes(house.call("PATCH", f"/environment-pairs/{pair['ref']}", body)) == fault


def test_a_refused_secret_is_not_repeated_in_the_answer(house):
    _sides(house)
    body = {"driver": {"dsn": "host=x password=heelgeheim"}}
    answer = house.call("PATCH", "/environments/ENV-001", body)
    assert codes(answer) == {"driver": "secret-inline"}
    assert "heelgeheim" not in answer.text


def test_the_home_side_moves_only_by_a_run_and_each_move_is_kept(house):
    pair = _sides(house)
    assert codes(house.call("PATCH", f"/environment-pairs/{pair['ref']}", {"homeSide": "fallback"}))
    with house.database.transaction() as session:
        catalog.set_home_side(session, pair["id"], "fallback", at=AT, run_id="run-1")
        catalog.set_home_side(session, pair["id"], "fallback", at=AT, run_id="run-2")
        assert catalog.home_side(session, pair["id"]) == ("fallback", AT)
    history = house.call("GET", f"/environment-pairs/{pair['ref']}/home-sides").json()
    assert [(each["side"], each["runId"]) for each in history] == [("primary", None), ("fallback", "run-1")]
    assert house.call("GET", "/environment-pairs?homeSide=fallback").json()["total"] == 1


def test_only_changes_on_the_closed_list_count_and_a_waived_one_stays_on_record(house):
    pair = _sides(house)
    house.make("/objects", {"name": "DB", "kind": "dataset", "services": ["SVC-001"], "version": "1"})
    house.call("PATCH", "/objects/OBJ-001", {"owner": "beheer"})
    house.call("PATCH", "/objects/OBJ-001", {"version": "2", "description": "x"})
    waived = {"version": "2a", "notSubstantive": {"reason": "alleen de naam van de versie"}}
    house.call("PATCH", "/objects/OBJ-001", waived)
    house.call("PATCH", "/sites/SIT-002", {"address": "Kade 1"})
    with house.database.transaction(write=False) as session:
        found = catalog.substantive_changes(session)
        assert catalog.substantive_changes(session, since=datetime(2126, 1, 1, tzinfo=UTC)) == []
    assert [(change.kind, change.fields) for change in found] == [("object", ("version",)), ("site", ("address",))]
    assert found[0].object_ids == {house.call("GET", "/objects/OBJ-001").json()["id"]}
    assert found[1].pair_ids == {pair["id"]}
    assert found[1].service_ids == {pair["service"]["id"]}
    listed = house.call("GET", "/catalog-changes?substantive=false").json()["items"]
    assert [(each["rowRef"], each["reason"]) for each in listed] == [("OBJ-001", "alleen de naam van de versie")]
    assert codes(house.call("PATCH", "/objects/OBJ-001", {"version": "3", "notSubstantive": {"reason": ""}}))


def test_a_supplier_change_reaches_everything_that_rests_on_it(house):
    _named(house, "/suppliers", "Wolk")
    pair = _sides(house, north="SUP-001")
    _named(house, "/contracts", "Hosting", supplier="SUP-001", services=["SVC-002"])
    measure = house.make("/measures", {"contract": "CON-001", "kind": "escrow"})
    held = house.make("/objects", {"name": "Licentie", "kind": "licence", "supplier": "SUP-001"})
    house.call("PATCH", "/suppliers/SUP-001", {"country": "US"})
    with house.database.transaction(write=False) as session:
        (change,) = catalog.substantive_changes(session)
    assert change.pair_ids == {pair["id"]}
    assert change.measure_ids == {measure["id"]}
    assert change.object_ids == {held["id"]}
    assert len(change.service_ids) == 2


def test_what_a_run_pushes_is_no_substantive_change(house):
    _named(house, "/services", "Zaak")
    _named(house, "/suppliers", "Wolk")
    _named(house, "/contracts", "Hosting", supplier="SUP-001")
    house.make("/measures", {"contract": "CON-001", "kind": "escrow"})
    house.make("/objects", {"name": "DB", "kind": "dataset", "accessWithoutSupplier": "no"})
    with house.database.transaction() as session:
        catalog.record_exit_plan_exists(session, catalog.find(session, Service, "SVC-001").id, True)
        catalog.record_measure_tested(session, catalog.find(session, Measure, "MEA-001").id, "existence", AT, "pass")
        catalog.record_access_proven(session, catalog.find(session, CatalogObject, "OBJ-001").id, "RUN-001", AT)
        assert catalog.substantive_changes(session) == []
    assert house.call("GET", "/services?exitPlanExists=true").json()["total"] == 1
    assert house.call("GET", "/measures?assurance=existence").json()["items"][0]["lastResult"] == "pass"
    shown = house.call("GET", "/objects/OBJ-001").json()
    assert (shown["accessWithoutSupplier"], shown["accessEvidence"]) == ("proven", "RUN-001")
    assert codes(house.call("PATCH", "/objects/OBJ-001", {"accessWithoutSupplier": "proven"}))
    said = house.call("PATCH", "/objects/OBJ-001", {"accessWithoutSupplier": "unknown"}).json()
    assert (said["accessWithoutSupplier"], said["accessEvidence"]) == ("unknown", "")


def test_completeness_is_the_share_of_needed_objects_that_lack_nothing(house):
    _named(house, "/services", "Zaak")
    assert house.call("GET", "/services/SVC-001/completeness").json()["share"] is None
    today = datetime.now(UTC).date().isoformat()
    whole = {"owner": "beheer", "location": "kluis", "accessWithoutSupplier": "yes", "verifiedOn": today}
    service = {"services": ["SVC-001"]}
    house.make("/objects", {"name": "A", "kind": "dataset"} | whole | service)
    house.make("/objects", {"name": "B", "kind": "dataset", "expiresOn": "2020-01-01"} | whole | service)
    house.make("/objects", {"name": "C", "kind": "dataset", "neededForMvo": "no"} | service)
    house.make("/objects", {"name": "D", "kind": "dataset"})
    found = house.call("GET", "/services/SVC-001/completeness").json()
    assert (found["needed"], found["complete"], found["share"]) == (2, 1, 0.5)
    assert [(each["object"]["name"], each["missing"]) for each in found["objects"]] == [("A", []), ("B", ["expired"])]


def test_concentration_is_told_per_supplier_parent_country_and_site(house):
    _named(house, "/suppliers", "Moeder", country="US")
    for name in ("Dochter 1", "Dochter 2"):
        house.make("/suppliers", {"name": name, "country": "IE", "ultimateParent": "SUP-001"})
    _named(house, "/services", "A", "B", countryAtRest="NL", countryProcessing="NL")
    house.make("/services", {"name": "C", "criticality": "other"})
    for number, supplier in (("1", "2"), ("2", "3"), ("3", "3")):
        house.make("/supply-chain-links", {"service": f"SVC-00{number}", "supplier": f"SUP-00{supplier}"})
    by_supplier = house.call("GET", "/concentrations").json()
    assert [(each["name"], len(each["services"]), each["criticalServices"]) for each in by_supplier["shares"]] == [
        ("Dochter 2", 2, 1),
        ("Dochter 1", 1, 1),
    ]
    assert by_supplier["hhi"] == 5556
    by_parent = house.call("GET", "/concentrations?by=ultimateParent").json()
    assert (by_parent["hhi"], by_parent["shares"][0]["name"], by_parent["shares"][0]["share"]) == (10_000, "Moeder", 1)
    countries = {each["key"] for each in house.call("GET", "/concentrations?by=country").json()["shares"]}
    assert countries == {"IE", "NL", "unknown"}
    assert house.call("GET", "/concentrations?by=site").json() == {"by": "site", "hhi": 0, "shares": []}
    house.call("POST", "/services/SVC-003/archivals")
    assert len(house.call("GET", "/concentrations").json()["shares"]) == 2
    assert house.call("GET", "/concentrations?by=moon").status_code == 400


def _fates(house, pair):
    with house.database.transaction(write=False) as session:
        return {fate.kind for fate in shared_fate(session, catalog.find(session, EnvironmentPair, pair["ref"]))}


def test_two_sites_of_daughters_of_one_parent_share_their_fate(house):
    _named(house, "/suppliers", "Moeder")
    for name in ("Dochter 1", "Dochter 2"):
        house.make("/suppliers", {"name": name, "ultimateParent": "SUP-001"})
    pair = _sides(house, north="SUP-002", south="SUP-003")
    assert _fates(house, pair) == {SharedKind.PARENT}


def test_two_sites_of_strangers_share_nothing_until_a_sub_supplier_serves_both(house):
    _named(house, "/suppliers", "Noord BV", "Zuid BV", "Glas BV")
    pair = _sides(house, north="SUP-001", south="SUP-002")
    assert _fates(house, pair) == set()
    for recipient in ("SUP-001", "SUP-002"):
        house.make("/supply-chain-links", {"service": "SVC-001", "supplier": recipient})
        house.make("/supply-chain-links", {"service": "SVC-001", "supplier": "SUP-003", "recipient": recipient})
    assert _fates(house, pair) == {SharedKind.SUB_SUPPLIER}


def test_one_directory_one_name_server_and_one_expert_are_shared_fate_however_written(house):
    pair = _sides(house, more={"identityProvider": "Entra", "dnsProvider": "DNS BV", "keyPeople": ["P. Jansen"]})
    house.call("PATCH", "/environments/ENV-002", {"identityProvider": "ENTRA "})
    certificate = {"name": "cert", "kind": "certificate", "owner": "CA", "placement": "both", "services": ["SVC-001"]}
    house.make("/objects", certificate)
    assert _fates(house, pair) == {
        SharedKind.IDENTITY_PROVIDER,
        SharedKind.DNS,
        SharedKind.KEY_PERSON,
        SharedKind.CERTIFICATE_HOLDER,
    }
