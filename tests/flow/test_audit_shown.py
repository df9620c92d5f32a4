"""The audit log for people and programs: what is in it, who may see what of it, and what a file of it shows."""

import csv
import io
import json
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sqlmodel import select

from app.core import audit
from app.core.audit import verify_audit
from tests.flow.access_world import NORTH, SOUTH, Units, make
from tests.flow.whole import Template, Whole

AUDITOR = "auditor"


def events(whole: Whole, by: str = AUDITOR, **query: str) -> list[dict]:
    return whole.ok("GET", "/audit-events", by=by, params=query | {"pageSize": "100"})["items"]


def test_each_event_says_who_what_on_what_with_which_result_from_where_and_when(either: Whole) -> None:
    made = either.service(name="Zaak")
    found = events(either, action="service.created")[0]
    person = either.people["author"]
    assert (found["actor"], found["actorName"]) == (f"person:{person}", "Bo author")
    assert found["object"] == {"kind": "service", "id": made["id"], "ref": made["ref"]}
    assert (found["result"], found["origin"]) == ("done", "127.0.0.1")
    assert found["at"].endswith("Z")
    assert found["seq"] > 1


@pytest.mark.parametrize(
    ("method", "path", "body", "by", "action"),
    [
        ("POST", "/people", {"name": "X", "email": "x@example.nl", "roles": []}, "viewer", "administer"),
        ("POST", "/services/{service}/archivals", None, "viewer", "edit-catalog"),
        ("PATCH", "/services/{service}", {"name": "Y"}, "operator", "edit-catalog"),
        ("POST", "/services/SVC-999/archivals", None, "author", "edit-catalog"),
        ("POST", "/people/{viewer}/erasures", None, "author", "administer"),
    ],
)
def test_what_was_refused_is_written_down(whole: Whole, method: str, path: str, body, by: str, action: str) -> None:
    service = whole.service()
    status, code = whole.refused(
        method, path.format(service=service["ref"], viewer=whole.people["viewer"]), body, by=by
    )
    found = events(whole, result="refused")
    assert len(found) == 1
    assert (found[0]["actor"], found[0]["action"]) == (f"person:{whole.people[by]}", action)
    assert (found[0]["detail"]["status"], found[0]["detail"]["code"]) == (status, code)
    assert found[0]["origin"] == "127.0.0.1"
    if "{service}" in path:
        assert found[0]["object"]["id"] == service["id"]


def test_a_refused_sign_in_is_written_down_with_nobody(whole: Whole) -> None:
    answer = whole.ask("POST", "/api/v1/sessions", body={"signInToken": "wsl_" + "x" * 43})
    assert answer.status_code == 401
    found = events(whole, result="refused")[0]
    assert (found["actor"], found["action"], found["origin"]) == ("nobody", "sessions", "127.0.0.1")
    assert "wsl_" not in json.dumps(found)


def test_who_knocks_without_end_does_not_fill_the_log(whole: Whole) -> None:
    for _ in range(80):
        whole.call("POST", "/services/SVC-999/archivals", by="viewer")
    assert 55 <= len(events(whole, result="refused")) <= 65


def test_the_filters_find_what_they_say(whole: Whole) -> None:
    made = whole.service(name="Zaak")
    whole.service(name="Ander")
    assert [each["action"] for each in events(whole, object=made["ref"])] == ["service.created"]
    assert {each["object"]["kind"] for each in events(whole, kind="service")} == {"service"}
    assert {each["actorName"] for each in events(whole, who="Bo author")} == {"Bo author"}
    assert events(whole, who="nobody-is-called-this") == []
    later = events(whole, object=made["ref"])[0]["at"]
    assert all(each["at"] >= later for each in events(whole, since=later))
    assert events(whole, until="2020-01-01T00:00:00Z") == []
    assert whole.refused("GET", "/audit-events?colour=red", by=AUDITOR)[0] == 400


@pytest.mark.parametrize(
    "path", ["/audit-events", "/audit-checkpoints", "/audit-head", "/audit-log", "/audit-verifier"]
)
def test_only_auditors_read_it(whole: Whole, path: str) -> None:
    for part in ("viewer", "author", "operator", "approver", "administrator"):
        assert whole.call("GET", path, by=part).status_code == 403
    assert whole.call("GET", path, by=AUDITOR).status_code == 200


def test_an_export_is_verified_by_the_one_file_alone(either: Whole, tmp_path: Path) -> None:
    either.service(name="Zaak ‘Ü’ \u2028")
    head = either.ok("GET", "/audit-head", by=AUDITOR)
    (tmp_path / "verify_audit.py").write_bytes(either.call("GET", "/audit-verifier", by=AUDITOR).content)
    log = tmp_path / "log.jsonl"
    log.write_bytes(either.call("GET", "/audit-log", by=AUDITOR).content)
    after = either.ok("GET", "/audit-head", by=AUDITOR)
    assert after["checkpoint"]["seq"] == after["seq"], "an export is signed up to its end"

    def verified(*more: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-I", "-S", str(tmp_path / "verify_audit.py"), str(log), "--json", *more]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    report = json.loads(verified("--head", head["head"], "--head", after["head"]).stdout)
    assert report["ok"]
    assert report["head"] == after["head"]
    assert verified("--key", after["checkpoint"]["key"]).returncode == 0
    assert verified("--key", "00" * 32).returncode == 1
    assert verified("--head", "1:" + "0" * 64).returncode == 1
    assert verified("--head", "nonsense").returncode == 2
    log.write_bytes(log.read_bytes().replace(b"service.created", b"service.deleted"))
    assert verified().returncode == 1
    log.unlink()
    assert verified().returncode == 3


def test_a_sheet_of_any_list_ends_with_the_head(whole: Whole) -> None:
    units_head = whole.ok("GET", "/audit-head", by=AUDITOR)["head"]
    with whole.database.transaction(write=False) as session:
        from app.catalog.shapes import ServiceOut
        from app.core import sheets

        text = sheets.sheet(session, "x", ServiceOut, []).body.decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text)))[-1] == [f"# audit log: {units_head}"]


def test_a_person_is_erased_and_the_log_verifies_as_before(either: Whole) -> None:
    key = either.people["viewer"]
    made = either.service(name="Zaak")
    name = "Wilhelmina Verdwijn"
    either.ok("PATCH", f"/people/{key}", {"name": name}, by="administrator")
    either.ok("POST", f"/services/{made['ref']}/archivals", {"reason": f"Gevraagd door {name.upper()}"})
    head = either.ok("GET", "/audit-head", by=AUDITOR)["head"]
    before = either.call("GET", "/audit-log", by=AUDITOR).content
    assert name.encode() in before
    erased = either.ok("POST", f"/people/{key}/erasures", by="administrator")
    assert erased["texts"] >= 3
    assert erased["person"]["name"] == erased["person"]["ref"]
    assert either.call("GET", "/services", by="viewer").status_code == 401
    after = either.call("GET", "/audit-log", by=AUDITOR).content
    assert name.casefold() not in after.decode().casefold()
    report, status = verify_audit.run(after.splitlines(), [verify_audit.Head.of(head)])
    assert status == 0, report
    assert report["erasedTexts"] == erased["texts"]
    shown = events(either, object=made["ref"], action="service.archived")[0]
    assert shown["detail"]["reason"] is None
    if either.database.is_sqlite:
        either.database.dispose()
        for file in either.settings.data_dir.glob("wissel.db*"):
            assert name.encode() not in file.read_bytes()
            assert b"viewer@example.nl" not in file.read_bytes()


def test_a_text_that_is_gone_without_an_erasure_is_noticed(whole: Whole) -> None:
    made = whole.service()
    whole.ok("POST", f"/services/{made['ref']}/archivals", {"reason": "Niemand wil het meer"})
    whole.database.dispose()
    link = sqlite3.connect(whole.settings.data_dir / "wissel.db")
    link.execute("DELETE FROM audit_private")
    link.commit()
    link.close()
    report, status = verify_audit.run(verify_audit.lines_of(whole.settings.data_dir / "wissel.db"))
    assert status == 1
    assert "no event says that it was erased" in report["broken"]


def test_nobody_erases_themselves(whole: Whole) -> None:
    own = whole.people["administrator"]
    assert whole.refused("POST", f"/people/{own}/erasures", by="administrator")[1] == "own-erasure"


def test_no_name_or_address_of_a_person_is_in_the_chain_itself(whole: Whole) -> None:
    whole.service(name="Bo author zijn dienst")
    with whole.database.transaction(write=False) as session:
        chained = json.dumps([row.model_dump(mode="json") for row in session.exec(select(audit.AuditEvent))])
    for word in ("Bo ", "author@", "example.nl", "Ada"):
        assert word not in chained


@pytest.fixture(scope="module")
def units(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Units:
    return make(template, tmp_path_factory.mktemp("units"))


def seen(units: Units, persona: str) -> list[dict]:
    answer = units.ask("GET", "/api/v1/audit-events?pageSize=100", persona)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_an_auditor_of_one_unit_sees_what_concerns_that_unit(units: Units) -> None:
    whole = seen(units, "auditor whole")
    south = seen(units, f"auditor {SOUTH}")
    north = seen(units, f"auditor {NORTH}")
    assert {each["object"]["kind"] for each in whole} >= {"person", "service", "plan"}
    with units.whole.database.transaction(write=False) as session:
        from app.catalog.models import Service

        havens = session.exec(select(Service.id).where(Service.unit == SOUTH)).all()
    about = {name: {each["object"]["id"] for each in found} for name, found in (("south", south), ("north", north))}
    assert {each["object"]["id"] for each in south if each["object"]["kind"] == "service"} == set(havens)
    assert {each["object"]["kind"] for each in south} <= {"service", "plan"}, "nothing of the whole organisation"
    assert about["north"]
    assert about["north"].isdisjoint(about["south"])
    for persona in (f"auditor {SOUTH}", f"auditor {NORTH}"):
        assert units.ask("GET", "/api/v1/audit-log", persona).status_code == 403


def test_the_pages_show_it_and_only_to_auditors(units: Units) -> None:
    page = units.reads("/audit", "auditor whole")
    assert page.status_code == 200
    assert "/audit/log" in page.text
    assert units.reads("/audit", "viewer whole").status_code == 403
    narrow = units.reads("/audit", f"auditor {NORTH}")
    assert narrow.status_code == 200
    assert "/audit/log" not in narrow.text
    sheet = units.reads("/audit?format=csv&kind=service", "auditor whole")
    assert sheet.headers["content-type"].startswith("text/csv")
    assert units.reads("/audit?since=2026-02-30", "auditor whole").status_code == 400


def test_each_object_has_its_tab(units: Units) -> None:
    from app.reports.audit.pages import COLLECTIONS

    for collection in COLLECTIONS:
        key = units.keys[collection]
        answer = units.reads(f"/{collection}/{key}/audit", "auditor whole")
        assert answer.status_code == 200, (collection, answer.text[-500:])
        assert units.reads(f"/{collection}/{key}/audit", "viewer whole").status_code == 403
        assert units.reads(f"/{collection}/nothing/audit", "auditor whole").status_code == 404
        if collection != "people":
            assert f"/{collection}/{key}/audit" in units.reads(f"/{collection}/{key}", "auditor whole").text
    assert units.reads(f"/services/{units.keys['services']}/audit", f"auditor {SOUTH}").status_code == 404


def test_an_emergency_kit_tells_the_head_and_is_not_made_again_for_it(whole: Whole) -> None:
    made = whole.service(name="Zaak")
    head = whole.ok("GET", "/audit-head", by=AUDITOR)["head"]

    def kit() -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(whole.call("GET", f"/kits/{made['ref']}").content))

    with kit() as parcel:
        manifest = json.loads(parcel.read("manifest.json"))
        page = next(parcel.read(name).decode() for name in parcel.namelist() if name.endswith(".html"))
    assert manifest["auditHead"] == head
    assert head in page
    whole.service(name="Ander")
    with kit() as parcel:
        assert json.loads(parcel.read("manifest.json"))["auditHead"] == head, "the same facts, the same kit"
