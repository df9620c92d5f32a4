"""Everything in the catalogue can be created, read, edited, listed and archived by API."""

import pytest
from sqlmodel import select

from app.core.audit import AuditEvent
from tests.flow.catalog_app import OWNER, VIEWER, build, codes


@pytest.fixture
def house(tmp_path):
    made = build(tmp_path)
    yield made
    made.database.dispose()


def _whole(house):
    """One of each kind, by path."""
    supplier = house.make("/suppliers", {"name": "Wolk BV", "country": "NL"})["ref"]
    service = house.make("/services", {"name": "Zaaksysteem"})["ref"]
    contract = house.make("/contracts", {"name": "Hosting", "supplier": supplier, "services": [service]})["ref"]
    north = house.make("/sites", {"name": "noord", "supplier": supplier})["ref"]
    south = house.make("/sites", {"name": "zuid"})["ref"]
    primary = house.make("/environments", {"name": "N", "service": service, "role": "primary", "site": north})["ref"]
    fallback = house.make("/environments", {"name": "Z", "service": service, "role": "fallback", "site": south})["ref"]
    pair = {"name": "Zaak N-Z", "service": service, "primary": primary, "fallback": fallback}
    return {
        "services": service,
        "suppliers": supplier,
        "contracts": contract,
        "sites": north,
        "environments": primary,
        "supply-chain-links": house.make("/supply-chain-links", {"service": service, "supplier": supplier})["ref"],
        "measures": house.make("/measures", {"contract": contract, "kind": "escrow", "present": "yes"})["ref"],
        "objects": house.make("/objects", {"name": "DB", "kind": "dataset", "services": [service]})["ref"],
        "environment-pairs": house.make("/environment-pairs", pair)["ref"],
    }


EDITS = {
    "services": {"description": "x"},
    "suppliers": {"country": "DE"},
    "contracts": {"framework": "x"},
    "sites": {"address": "x"},
    "environments": {"dnsProvider": "x"},
    "supply-chain-links": {"role": "x"},
    "measures": {"clause": "x"},
    "objects": {"owner": "x"},
    "environment-pairs": {"serviceUrl": "http://127.0.0.1:8080"},
}


def test_every_kind_goes_through_its_whole_life(house):
    for path, ref in _whole(house).items():
        item = f"/{path}/{ref}"
        read = house.call("GET", item)
        assert read.status_code == 200, read.text
        assert read.headers["ETag"] == f'"{read.json()["revision"]}"'
        by_id = house.call("GET", f"/{path}/{read.json()['id']}").json()
        assert by_id == read.json()

        edited = house.call("PATCH", item, EDITS[path], If_Match=read.headers["ETag"])
        assert edited.status_code == 200, edited.text
        assert edited.json() | EDITS[path] == edited.json()
        stale = house.call("PATCH", item, EDITS[path], If_Match=read.headers["ETag"])
        assert (stale.status_code, stale.json()["code"]) == (412, "stale-edit")

        assert house.call("GET", f"/{path}").json()["total"] >= 1
        before = house.call("GET", f"/{path}").json()["total"]
        archived = house.call("POST", f"{item}/archivals", {"reason": "weg"})
        assert archived.status_code == 201, archived.text
        assert archived.json()["archivedAt"]
        assert house.call("GET", f"/{path}").json()["total"] == before - 1
        assert [each["ref"] for each in house.call("GET", f"/{path}?archived=true").json()["items"]] == [ref]
        refused = house.call("PATCH", item, EDITS[path])
        assert (refused.status_code, refused.json()["code"]) == (409, "archived")
        assert house.call("POST", f"{item}/restorations").json()["archivedAt"] is None
        assert house.call("GET", f"/{path}").json()["total"] == before


def test_nothing_is_deleted(house):
    _whole(house)
    answer = house.call("DELETE", "/services/SVC-001")
    assert answer.status_code == 405
    assert "PATCH" in answer.headers["Allow"]


def test_an_edit_that_changes_nothing_leaves_the_etag(house):
    before = house.make("/services", {"name": "Zaak", "rto": "PT4H", "dependsOn": []})
    after = house.call("PATCH", "/services/SVC-001", {"name": "Zaak", "rto": 14400, "dependsOn": []}).json()
    assert after == before


def test_a_list_that_is_edited_has_the_defaults_of_its_parts(house):
    house.make("/suppliers", {"name": "Wolk"})
    answer = house.call("PATCH", "/suppliers/SUP-001", {"assuranceReports": [{"kind": "soc2"}]})
    assert answer.json()["assuranceReports"][0] == {
        "kind": "soc2",
        "scope": "",
        "startsOn": None,
        "endsOn": None,
        "coversContinuity": "unknown",
        "reference": "",
    }


def test_every_write_leaves_an_audit_row(house):
    house.make("/services", {"name": "Zaak"})
    house.call("PATCH", "/services/SVC-001", {"rto": "PT4H"})
    house.call("POST", "/services/SVC-001/archivals")
    with house.database.transaction(write=False) as session:
        rows = session.exec(select(AuditEvent).where(AuditEvent.actor != "system").order_by(AuditEvent.id)).all()
    assert [(row.actor, row.action) for row in rows] == [
        (f"person:{OWNER}", "service.created"),
        (f"person:{OWNER}", "service.edited"),
        (f"person:{OWNER}", "service.archived"),
    ]
    assert rows[1].detail["changes"] == {"rto": [None, 14400]}


def test_a_creation_is_located_and_done_once_per_key(house):
    first = house.call("POST", "/sites", {"name": "noord"}, Idempotency_Key="a")
    again = house.call("POST", "/sites", {"name": "noord"}, Idempotency_Key="a")
    assert first.status_code == again.status_code == 201
    assert again.json() == first.json()
    assert house.call("GET", first.headers["Location"].removeprefix("/api/v1")).json() == first.json()
    assert house.call("GET", "/sites").json()["total"] == 1


@pytest.mark.parametrize("name", ["zaaksysteem", "ZAAK\u200bSYSTEEM", " Zaaksysteem ", "Ｚaaksysteem"])
def test_a_twin_of_an_existing_name_is_refused_and_named(house, name):
    house.make("/services", {"name": "Zaaksysteem"})
    house.make("/services", {"name": "Ander"})
    for answer in (
        house.call("POST", "/services", {"name": name}),
        house.call("PATCH", "/services/SVC-002", {"name": name}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")
        assert answer.json()["existing"] == "SVC-001"


def test_an_archived_name_is_free_until_it_comes_back(house):
    house.make("/services", {"name": "Zaak"})
    house.call("POST", "/services/SVC-001/archivals")
    house.make("/services", {"name": "zaak"})
    answer = house.call("POST", "/services/SVC-001/restorations")
    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")
    assert house.call("GET", "/services/SVC-001").json()["archivedAt"]


@pytest.mark.parametrize("name", ["", "   ", "a\u202eb", "a\u0000b", "a\nb", "x" * 201, None, 5, ["x"]])
@pytest.mark.parametrize("path", ["/services", "/suppliers", "/sites"])
def test_a_name_that_people_cannot_trust_is_refused(house, path, name):
    assert "name" in codes(house.call("POST", path, {"name": name}))


def test_all_faults_are_told_at_once(house):
    body = {
        "name": "",
        "mtpd": "P1M",
        "rpo": -1,
        "criticality": "very",
        "countryAtRest": "ZZ",
        "impactOverTime": [{"after": "PT1H", "impact": 9, "category": "legal"}],
        "exitPlanExists": True,
    }
    found = codes(house.call("POST", "/services", body))
    assert set(found) == {
        "name",
        "mtpd",
        "rpo",
        "criticality",
        "countryAtRest",
        "impactOverTime.0.impact",
        "exitPlanExists",
    }
    body = {"name": "Zaak", "mbcoNumber": 5, "dependsOn": ["SVC-009", "SVC-008"]}
    assert set(codes(house.call("POST", "/services", body))) == {"mbcoUnit", "dependsOn.0", "dependsOn.1"}
    assert house.call("GET", "/services").json()["total"] == 0


def test_unknown_is_a_legal_value_and_the_one_that_silence_means(house):
    made = house.make("/services", {"name": "Zaak"})
    assert made["countryAtRest"] == made["reliance"] == made["alternativesIdentified"] == "unknown"
    assert (made["rto"], made["criticality"]) == (None, "not_assessed")
    said = house.make("/services", {"name": "Ander", "countryAtRest": "unknown", "reliance": "unknown"})
    assert said["countryAtRest"] == "unknown"


def test_durations_go_in_as_text_or_seconds_and_come_out_as_text(house):
    made = house.make("/services", {"name": "Zaak", "rto": 5400, "rpo": "PT15M", "mtpd": "P2D"})
    assert (made["rto"], made["rpo"], made["mtpd"]) == ("PT1H30M", "PT15M", "P2D")
    impact = [{"after": "PT4H", "impact": 3, "category": "legal", "amountCents": 100, "currency": "EUR"}]
    assert house.call("PATCH", "/services/SVC-001", {"impactOverTime": impact}).json()["impactOverTime"] == impact


def test_an_rto_longer_than_the_mtpd_is_no_fault_of_the_input(house):
    house.make("/services", {"name": "Zaak", "rto": "P3D", "mtpd": "P2D"})


def test_lists_are_paged_filtered_sorted_and_searched(house):
    for number in range(25):
        level = "critical" if number % 5 == 0 else "other"
        house.make("/services", {"name": f"Dienst {number:02}", "criticality": level, "unit": "I&A"})
    page = house.call("GET", "/services?page=2&pageSize=10&sort=-name")
    assert [each["name"] for each in page.json()["items"]][:2] == ["Dienst 14", "Dienst 13"]
    assert page.json()["total"] == 25
    assert 'rel="prev"' in page.headers["Link"]
    assert "sort=-name" in page.headers["Link"]
    assert house.call("GET", "/services?criticality=critical").json()["total"] == 5
    assert house.call("GET", "/services?q=svc-003+dienst").json()["total"] == 1
    assert house.call("GET", "/services?q=%25").json()["total"] == 0
    assert house.call("GET", "/services?unit=I%26A&criticality=other").json()["total"] == 20
    assert codes(house.call("GET", "/services?sort=secret")) == {"sort": "unknown-sort"}
    for wrong in ("pageSize=101", "page=0", "colour=red", "criticality=very", "archived=perhaps"):
        assert house.call("GET", f"/services?{wrong}").status_code == 400, wrong


def test_every_kind_sorts_by_each_of_its_columns(house):
    for path in _whole(house):
        refused = house.call("GET", f"/{path}?sort=nothing").json()["detail"]
        known = refused.split("Sort by: ")[1].rstrip(".").split(", ")
        assert {"ref", "name", "createdAt"} <= set(known)
        assert not {"twinKey", "driver", "supplierId"} & set(known)
        for name in known:
            assert house.call("GET", f"/{path}?sort=-{name}").status_code == 200, (path, name)


def test_lists_filter_by_reference(house):
    refs = _whole(house)
    house.make("/objects", {"name": "Los", "kind": "licence"})
    for filtered in (
        f"/objects?service={refs['services']}",
        f"/contracts?service={refs['services']}",
        f"/contracts?supplier={refs['suppliers']}",
        f"/environments?site={refs['sites']}",
        f"/measures?contract={refs['contracts']}&kind=escrow",
        f"/environment-pairs?service={refs['services']}&homeSide=primary",
        f"/supply-chain-links?service={refs['services']}&rank=1",
    ):
        assert house.call("GET", filtered).json()["total"] == 1, filtered
    assert house.call("GET", "/objects?service=SVC-404").json()["total"] == 0


def test_outsiders_and_viewers_are_refused(house):
    assert house.call("GET", "/services", as_=None).status_code == 401
    assert house.call("POST", "/services", {"name": "x"}, as_=VIEWER).status_code == 403
    assert house.call("GET", "/services", as_=VIEWER).status_code == 200


@pytest.mark.parametrize("key", ["SVC-404", "x", "%00", "a%0Ab", "..", "'"])
def test_what_is_not_there_is_not_found(house, key):
    assert house.call("GET", f"/services/{key}").status_code == 404
