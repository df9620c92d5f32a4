"""A plan from draft to retirement: immutable once approved, never by one person alone, its status never typed in."""

from datetime import UTC, datetime

import pytest
import time_machine

from tests.flow.plans_app import House, build


@pytest.fixture
def house(tmp_path):
    made = build(tmp_path)
    yield made
    made.database.dispose()


def test_a_plan_begins_as_a_draft_and_is_never_tested_once_another_person_approved_it(house: House):
    service = house.service()
    plan = house.plan(service["ref"])
    assert (plan["status"], plan["version"], plan["draft"]) == ("draft", None, "1.0")
    approved = house.approved(plan["ref"])
    assert (approved["state"], approved["approverId"]) == ("approved", "bert")
    assert house.ok("GET", f"/plans/{plan['ref']}")["status"] == "never_tested"
    told = house.status(plan["id"])
    assert told["words"].startswith(("Never tested: 2 of 2 claims", "Nooit getest: 2 van"))


def test_a_status_state_or_approver_cannot_be_typed_in(house: House):
    service = house.service()
    body = {"name": "X", "kind": "fallback", "service": service["id"], "status": "proven"}
    assert house.refused("POST", "/plans", body) == (400, "invalid-input")
    plan = house.plan(service["id"])
    assert house.refused("PATCH", f"/plans/{plan['id']}", {"status": "proven"}) == (400, "invalid-input")
    path = f"/plans/{plan['id']}/versions/1.0"
    assert house.refused("PATCH", path, {"approverId": "bert"}) == (400, "invalid-input")


def test_the_author_and_whoever_edited_cannot_approve(house: House):
    plan = house.plan(house.service()["id"])
    path = f"/plans/{plan['id']}/versions/1.0"
    house.ok("PATCH", path, {"content": {"triggers": ["Failure"]}}, by="bert")
    house.ok("POST", f"{path}/submissions", {})
    assert house.refused("POST", f"{path}/approvals", by="anna") == (403, "author-cannot-approve")
    assert house.refused("POST", f"{path}/approvals", by="bert") == (403, "author-cannot-approve")
    assert house.refused("POST", f"{path}/approvals", by="robot") == (403, "not-allowed")
    assert house.refused("POST", f"{path}/approvals", by="vera") == (403, "not-allowed")


def test_only_a_version_in_review_can_be_approved(house: House):
    plan = house.plan(house.service()["id"])
    path = f"/plans/{plan['id']}/versions/1.0/approvals"
    assert house.refused("POST", path, by="bert") == (409, "version-not-in-review")


def test_an_approved_version_is_immutable(house: House):
    plan = house.plan(house.service()["id"])
    path = f"/plans/{plan['id']}/versions/1.0"
    house.approved(plan["id"])
    assert house.refused("PATCH", path, {"content": {}}) == (409, "version-immutable")
    assert house.refused("POST", f"{path}/claims", {"kind": "hold"}) == (409, "version-immutable")
    assert house.refused("PATCH", f"{path}/claims/restore", {"minLevel": 2}) == (409, "version-immutable")
    assert house.refused("DELETE", f"{path}/claims/restore") == (409, "version-immutable")
    assert house.refused("POST", f"{path}/submissions", {}) == (409, "version-immutable")


def test_a_version_that_is_sent_back_can_be_edited_again(house: House):
    plan = house.plan(house.service()["id"])
    path = f"/plans/{plan['id']}/versions/1.0"
    house.ok("POST", f"{path}/submissions", {})
    assert house.refused("PATCH", path, {"content": {}}) == (409, "version-immutable")
    assert house.ok("POST", f"{path}/rejections", {"reason": "No contacts"}, by="bert")["state"] == "draft"
    house.ok("PATCH", path, {"content": {"triggers": ["Failure"]}})


def test_a_new_draft_beside_an_approved_version_changes_nothing(house: House):
    plan = house.plan(house.service()["id"])
    house.approved(plan["id"])
    draft = house.ok("POST", f"/plans/{plan['id']}/versions", {"major": True})
    assert (draft["version"], [claim["key"] for claim in draft["claims"]]) == ("2.0", ["restore", "switchover"])
    assert house.status(plan["id"])["status"] == "never_tested"
    assert house.refused("POST", f"/plans/{plan['id']}/versions", {}) == (409, "draft-exists")


def test_a_minor_version_keeps_proof_and_a_major_one_makes_it_stale(house: House):
    plan = house.plan(house.service()["id"])
    house.approved(plan["id"])
    house.ok("POST", f"/plans/{plan['id']}/reviews", {"claims": ["restore"]}, by="bert")
    assert house.ok("POST", f"/plans/{plan['id']}/versions", {})["version"] == "1.1"
    house.approved(plan["id"], "1.1")
    assert house.status(plan["id"])["status"] == "paper_only"
    house.ok("POST", f"/plans/{plan['id']}/versions", {"major": True})
    house.approved(plan["id"], "2.0")
    assert house.status(plan["id"])["status"] == "stale"
    states = {row["version"]: row["state"] for row in house.ok("GET", f"/plans/{plan['id']}/versions")}
    assert states == {"2.0": "approved", "1.1": "retired", "1.0": "retired"}


def test_a_claim_left_open_gets_the_defaults_of_its_kind_and_of_a_critical_service(house: House):
    service = house.service(criticality="critical")
    plan = house.plan(service["id"], claims=[{"kind": "restore"}], content={"swap": {"policy": "quarterly"}})
    path = f"/plans/{plan['id']}/versions/1.0"
    claim = house.ok("POST", f"{path}/claims", {"kind": "hold", "minHold": "PT24H", "mbco": 400, "mbcoUnit": "files"})
    assert (claim["minLevel"], claim["validDays"], claim["key"]) == (5, 198, "hold")
    assert house.ok("GET", f"{path}/claims/restore")["validDays"] == 31
    assert house.refused("POST", f"{path}/claims", {"kind": "hold"}) == (409, "claim-exists")


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("kind=fallback", 8),
        ("kind=exit&mode=stressed", 6),
        ("kind=exit&mode=planned", 6),
    ],
)
def test_the_default_claims_of_a_kind_of_plan_are_offered(house: House, query: str, kinds: int):
    offered = house.ok("GET", f"/plan-templates?{query}")["claims"]
    assert len(offered) == kinds
    planned = "planned" in query
    assert any(claim["withoutSupplier"] for claim in offered) is not planned


def test_a_plan_can_be_made_with_its_default_claims(house: House):
    plan = house.plan(house.service()["id"], withDefaultClaims=True)
    version = house.ok("GET", f"/plans/{plan['id']}/versions/1.0")
    assert len(version["claims"]) == 8
    assert version["weaker"] == []


def test_asking_less_than_before_needs_a_reason_and_stands_on_the_auditors_list(house: House):
    plan = house.plan(house.service()["id"])
    house.approved(plan["id"])
    draft = f"/plans/{plan['id']}/versions/1.1"
    house.ok("POST", f"/plans/{plan['id']}/versions", {})
    house.call("DELETE", f"{draft}/claims/restore")
    house.ok("PATCH", f"{draft}/claims/switchover", {"minLevel": 3, "validDays": 400, "rto": "PT1H"})
    weaker = {each["kind"] for each in house.ok("GET", draft)["weaker"]}
    assert weaker == {"claim-dropped", "lower-level", "longer-validity", "looser-goal"}
    assert house.refused("POST", f"{draft}/submissions", {}) == (400, "weakening-needs-reason")
    house.ok("POST", f"{draft}/submissions", {"weakeningReason": "The backup moved to another plan"})
    house.ok("POST", f"{draft}/approvals", by="bert")
    listed = house.ok("GET", "/weakenings", by="vera")["items"]
    assert {(row["kind"], row["approverId"]) for row in listed} == {(kind, "bert") for kind in weaker}


def test_a_weaker_kind_of_claim_cannot_take_the_key_of_another_unseen(house: House):
    plan = house.plan(house.service()["id"], claims=[{"kind": "failover"}])
    house.approved(plan["id"])
    house.ok("POST", f"/plans/{plan['id']}/versions", {})
    draft = f"/plans/{plan['id']}/versions/1.1"
    house.call("DELETE", f"{draft}/claims/failover")
    house.ok("POST", f"{draft}/claims", {"key": "failover", "kind": "switchover", "withoutSupplier": True})
    assert "claim-dropped" in {each["kind"] for each in house.ok("GET", draft)["weaker"]}


def test_what_can_be_done_next_with_a_version_is_told_with_its_place_and_works(house: House):
    plan = house.plan(house.service()["id"])
    version = house.ok("GET", f"/plans/{plan['id']}/versions/1.0")
    assert [each["operation"] for each in version["nextActions"]] == ["edit", "add-claim", "submit"]
    places = {each["operation"]: each["href"].removeprefix("/api/v1") for each in version["nextActions"]}
    house.ok("PATCH", places["edit"], {"content": {"triggers": ["Failure"]}})
    house.ok("POST", places["add-claim"], {"kind": "hold"})
    submitted = house.ok("POST", places["submit"], {})
    places = {each["operation"]: each["href"].removeprefix("/api/v1") for each in submitted["nextActions"]}
    assert list(places) == ["approve", "reject"]
    house.ok("POST", places["reject"], {}, by="bert")
    house.ok("POST", f"/plans/{plan['id']}/versions/1.0/submissions", {})
    approved = house.ok("POST", places["approve"], by="bert")
    places = {each["operation"]: each["href"].removeprefix("/api/v1") for each in approved["nextActions"]}
    assert list(places) == ["make-draft", "review", "attest", "ask-retirement"]
    house.ok("POST", places["review"], {"claims": ["restore"]}, by="bert")
    assert house.ok("POST", places["make-draft"], {})["version"] == "1.1"
    house.ok("POST", places["ask-retirement"], {"reason": "It ends"})
    assert house.refused("PATCH", f"/plans/{plan['id']}/versions/1.0", {}) == (409, "version-immutable")


def test_a_claim_edited_on_an_older_revision_of_its_version_is_refused(house: House):
    plan = house.plan(house.service()["id"])
    claim = f"/plans/{plan['id']}/versions/1.0/claims/restore"
    read = house.call("GET", claim).headers["ETag"]
    edited = house.call("PATCH", claim, {"rto": "PT1H"}, If_Match=read)
    assert (edited.status_code, edited.json()["rto"]) == (200, "PT1H")
    assert house.refused("PATCH", claim, {"rto": "PT2H"}, If_Match=read) == (412, "stale-edit")
    assert house.refused("DELETE", claim, If_Match=read) == (412, "stale-edit")
    assert house.call("DELETE", claim, If_Match=edited.headers["ETag"]).status_code == 204


def test_a_claim_that_lets_go_of_many_objects_fits_the_auditors_list(house: House):
    service = house.service()
    made = [house.ok("POST", "/objects", {"name": f"Server {n}", "kind": "hardware"})["id"] for n in range(15)]
    plan = house.plan(service["id"], claims=[{"kind": "switchover", "objects": made}])
    house.approved(plan["id"])
    house.ok("POST", f"/plans/{plan['id']}/versions", {})
    draft = f"/plans/{plan['id']}/versions/1.1"
    house.ok("PATCH", f"{draft}/claims/switchover", {"objects": []})
    house.ok("POST", f"{draft}/submissions", {"weakeningReason": "They are gone"})
    (row,) = house.ok("GET", "/weakenings", by="vera")["items"]
    assert (row["kind"], len(row["before"])) == ("rests-on-less", 500)


def test_a_first_version_below_the_defaults_is_a_weakening_too(house: House):
    plan = house.plan(house.service()["id"], claims=[{"kind": "switchover", "validDays": 366}])
    path = f"/plans/{plan['id']}/versions/1.0/submissions"
    assert house.refused("POST", path, {}) == (400, "weakening-needs-reason")


def test_a_service_that_became_less_critical_weakens_the_next_version(house: House):
    service = house.service(criticality="critical")
    plan = house.plan(service["id"])
    house.approved(plan["id"])
    house.ok("PATCH", f"/services/{service['id']}", {"criticality": "other"})
    house.ok("POST", f"/plans/{plan['id']}/versions", {})
    weaker = house.ok("GET", f"/plans/{plan['id']}/versions/1.1")["weaker"]
    assert [each["kind"] for each in weaker] == ["lower-criticality"]


def test_a_plan_ends_only_by_two_people_and_its_past_stays_readable(house: House):
    plan = house.plan(house.service()["id"])
    house.approved(plan["id"])
    before = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    assert house.refused("POST", f"/plans/{plan['id']}/archivals") == (409, "nothing-approved")
    assert house.refused("POST", f"/plans/{plan['id']}/retirements", {"reason": ""}) == (400, "invalid-input")
    asked = house.ok("POST", f"/plans/{plan['id']}/retirements", {"reason": "The service stops"})
    assert house.status(plan["id"])["status"] == "never_tested"
    path = f"/weakenings/{asked['id']}/approvals"
    assert house.refused("POST", path, by="anna") == (403, "second-person-needed")
    house.ok("POST", path, by="bert")
    assert house.status(plan["id"])["status"] == "no_plan"
    assert house.status(plan["id"], before)["status"] == "never_tested"
    assert house.refused("POST", path, by="bert") == (409, "already-decided")


def test_an_approved_exit_plan_is_told_to_the_catalogue(house: House):
    service = house.service()
    plan = house.plan(service["id"], kind="exit", mode="stressed", claims=[{"kind": "data-out"}])
    assert house.ok("GET", f"/services/{service['id']}")["exitPlanExists"] is False
    house.approved(plan["id"])
    assert house.ok("GET", f"/services/{service['id']}")["exitPlanExists"] is True
    asked = house.ok("POST", f"/plans/{plan['id']}/retirements", {"reason": "Another plan"})
    house.ok("POST", f"/weakenings/{asked['id']}/approvals", by="bert")
    assert house.ok("GET", f"/services/{service['id']}")["exitPlanExists"] is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "exit"},
        {"kind": "fallback", "mode": "stressed"},
        {"claims": [{"kind": "teleport"}]},
        {"claims": [{"kind": "restore", "minLevel": 6}]},
        {"claims": [{"kind": "restore", "validDays": True}]},
        {"claims": [{"kind": "restore", "objects": ["OBJ-404"]}]},
        {"content": {"steps": [{"id": "a", "title": "A", "needs": ["b"]}, {"id": "b", "title": "B", "needs": ["a"]}]}},
        {"content": {"steps": [{"id": "a", "title": "A", "needs": ["gone"]}]}},
        {"name": "   "},
    ],
)
def test_what_cannot_be_is_refused_with_400_and_nothing_is_written(house: House, wrong):
    service = house.service()
    body = {"name": "Plan", "kind": "fallback", "service": service["id"]} | wrong
    assert house.call("POST", "/plans", body).status_code == 400
    assert house.ok("GET", "/plans")["total"] == 0


def test_an_edit_made_on_an_older_revision_is_refused(house: House):
    plan = house.plan(house.service()["id"])
    path = f"/plans/{plan['id']}"
    assert house.refused("PATCH", path, {"name": "B"}, If_Match='"99"') == (412, "stale-edit")


def test_plans_are_listed_by_status_service_and_words(house: House):
    service = house.service()
    plan = house.plan(service["id"])
    house.approved(plan["id"])
    house.plan(service["id"], name="Tweede")
    assert house.ok("GET", "/plans?status=never_tested")["total"] == 1
    assert house.ok("GET", f"/plans?service={service['ref']}&q=tweede")["items"][0]["status"] == "draft"
    assert house.refused("GET", "/plans?status=green") == (400, "invalid-input")


def test_a_plan_that_nobody_tested_is_overdue_from_its_first_due_date(house: House):
    with time_machine.travel("2027-01-01T10:00:00Z", tick=False):
        plan = house.plan(house.service()["id"], firstDueAt="2027-04-01T00:00:00Z")
        house.approved(plan["id"])
        assert house.status(plan["id"])["overdueSince"] is None
    told = house.status(plan["id"], "2027-04-01T00:00:00Z")
    assert (told["status"], told["overdueSince"]) == ("never_tested", "2027-04-01T00:00:00.000Z")
