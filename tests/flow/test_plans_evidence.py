"""What a plan is worth: proofs of runs, reviews, outside tests, changes, findings, coverage, at any moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlmodel import select

from app.findings.service import Title
from app.plans import service as plans
from app.plans.levels import Did, Mode, Performance, Probe, proof_level
from app.plans.models import ProofRow
from tests.flow.plans_app import House, build

FILE = {"name": "report.pdf", "sha256": "a" * 64, "takenAt": "2027-01-04T12:00:00Z"}
TEST = {"claim": "restore", "level": 5, "verdict": "pass", "performedAt": "2027-01-04T10:00:00Z", "evidence": [FILE]}


@pytest.fixture
def house(tmp_path):
    made = build(tmp_path)
    with time_machine.travel("2027-01-01T10:00:00Z", tick=False):
        yield made
    made.database.dispose()


@pytest.fixture
def plan(house: House) -> str:
    made = house.plan(house.service()["id"])
    house.approved(made["ref"])
    return made["ref"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def prove(house: House, plan: str, claim: str, when: str, **more: Any) -> None:
    """A run's proof at that moment, as runs record it."""
    given: dict[str, Any] = {"level": 4, "verdict": "pass", "plan_major": 1, "rto_ms": 60_000, "rpo_ms": 0} | more
    with house.database.transaction() as session:
        row = plans.find_plan(session, plan)
        new = plans.NewProof(plan_id=row.id, claim_key=claim, at=at(when), reason=Title("Zo", "So"), **given)
        plans.record_proof(session, new)
        plans.refresh(session, now=at(when), plan_ids=[row.id], why="a run ended")


def proven(house: House, plan: str) -> None:
    prove(house, plan, "restore", "2027-01-02T10:00", level=3)
    prove(house, plan, "switchover", "2027-01-03T10:00")


def test_a_plan_is_proven_until_the_earliest_of_its_claims(house: House, plan: str):
    proven(house, plan)
    told = house.status(plan, "2027-01-03T10:00:00Z")
    assert (told["status"], told["provenUntil"]) == ("proven", "2027-02-02T10:00:00.000Z")
    assert [claim["proofLevel"] for claim in told["claims"]] == [3, 4]


def test_the_status_of_a_past_moment_is_what_was_known_then(house: House, plan: str):
    proven(house, plan)
    prove(house, plan, "switchover", "2027-01-05T10:00", verdict="fail")
    seen = {
        "2026-12-31T10:00:00Z": "no_plan",
        "2027-01-01T10:00:00Z": "never_tested",
        "2027-01-02T09:59:59Z": "never_tested",
        "2027-01-02T10:00:00Z": "partially_proven",
        "2027-01-03T10:00:00Z": "proven",
        "2027-01-04": "proven",
        "2027-01-05": "failed",
        "2037-01-05": "failed",
    }
    assert {moment: house.status(plan, moment)["status"] for moment in seen} == seen


@pytest.mark.parametrize("moment", ["yesterday", "2027-02-30", "2027-01-01T10:00:00", "99999-01-01", ""])
def test_what_is_no_moment_is_refused(house: House, plan: str, moment: str):
    assert house.refused("GET", f"/plans/{plan}/status?asOf={moment}") == (400, "invalid-input")


def test_each_change_of_status_is_a_row_with_its_reason(house: House, plan: str):
    proven(house, plan)
    rows = house.ok("GET", f"/plans/{plan}/status-changes?sort=at")["items"]
    assert [row["new"] for row in rows] == ["draft", "never_tested", "partially_proven", "proven"]
    assert rows[-1]["why"] == "a run ended"


def test_time_alone_turns_a_status_into_overdue_once(house: House, plan: str):
    proven(house, plan)
    with house.database.transaction() as session:
        later = at("2027-02-02T10:00")
        assert [row.new for row in plans.refresh(session, now=later, why="sweep")] == ["overdue"]
        assert plans.refresh(session, now=later + timedelta(days=1), why="sweep") == []


def test_one_run_proves_a_claim_once(house: House, plan: str):
    for _ in range(2):
        prove(house, plan, "restore", "2027-01-02T10:00", run_id="run-1")
    assert house.ok("GET", f"/plans/{plan}/proofs")["total"] == 1


def test_a_review_by_someone_other_than_the_author_makes_it_paper(house: House, plan: str):
    body = {"claims": ["restore"], "note": "Read it"}
    assert house.refused("POST", f"/plans/{plan}/reviews", body, by="anna") == (403, "author-cannot-approve")
    assert house.refused("POST", f"/plans/{plan}/reviews", body, by="robot") == (403, "not-allowed")
    assert house.refused("POST", f"/plans/{plan}/reviews", {"claims": ["hold"]}, by="bert") == (400, "invalid-input")
    (proof,) = house.ok("POST", f"/plans/{plan}/reviews", body, by="bert")
    assert (proof["level"], proof["source"]) == (1, "review")
    assert house.status(plan)["status"] == "paper_only"
    assert house.ok("GET", f"/plans/{plan}")["status"] == "paper_only"


def test_an_outside_test_counts_for_level_3_at_most(house: House, plan: str):
    with time_machine.travel("2027-01-05T10:00:00Z", tick=False):
        assert house.refused("POST", f"/plans/{plan}/attestations", TEST, by="anna") == (403, "owner-cannot-sign")
        proof = house.ok("POST", f"/plans/{plan}/attestations", TEST, by="bert")
        assert (proof["level"], proof["attested"], proof["signedAt"]) == (3, True, "2027-01-05T10:00:00.000Z")
        switched = TEST | {"claim": "switchover", "rto": "PT1M", "rpo": "PT0S"}
        house.ok("POST", f"/plans/{plan}/attestations", switched, by="bert")
        claims = {each["key"]: each["status"] for each in house.status(plan)["claims"]}
        assert claims == {"restore": "proven", "switchover": "paper_only"}


@pytest.mark.parametrize(
    "more",
    [
        {"signedAt": "2027-01-04T11:00:00Z"},
        {"signedAt": "2027-01-06T00:00:00Z"},
        {"performedAt": "2027-01-05T10:00:01Z"},
        {"evidence": [FILE | {"takenAt": "2027-01-05T11:00:00Z"}]},
    ],
    ids=["evidence after signature", "signature after now", "test after signature", "evidence after now"],
)
def test_evidence_newer_than_its_signature_is_refused(house: House, plan: str, more):
    with time_machine.travel("2027-01-05T10:00:00Z", tick=False):
        answer = house.refused("POST", f"/plans/{plan}/attestations", TEST | more, by="bert")
    assert answer == (400, "evidence-newer-than-signature")


def test_what_was_told_never_clears_a_failure_and_opens_no_door(house: House, plan: str):
    prove(house, plan, "restore", "2027-01-02T10:00", level=3, verdict="fail")
    with time_machine.travel("2027-01-05T10:00:00Z", tick=False):
        house.ok("POST", f"/plans/{plan}/attestations", TEST, by="bert")
        assert house.status(plan)["status"] == "failed"


def test_a_failed_outside_test_fails_the_claim_and_opens_a_finding(house: House, plan: str):
    with time_machine.travel("2027-01-05T10:00:00Z", tick=False):
        house.ok("POST", f"/plans/{plan}/attestations", TEST | {"verdict": "fail", "level": 3}, by="bert")
        assert house.status(plan)["status"] == "failed"
    (finding,) = house.ok("GET", "/findings")["items"]
    assert (finding["claimKey"], finding["severity"]) == ("restore", "high")
    prove(house, plan, "restore", "2027-01-06T10:00", level=3)
    claims = {each["key"]: each["status"] for each in house.status(plan, "2027-01-06T10:00:00Z")["claims"]}
    assert claims["restore"] == "proven"
    assert house.ok("GET", f"/findings/{finding['id']}")["state"] == "verified"


def test_a_dropped_claim_keeps_its_failure_in_sight(house: House, plan: str):
    prove(house, plan, "restore", "2027-01-02T10:00", level=3, verdict="fail")
    with time_machine.travel("2027-01-03T10:00:00Z", tick=False):
        house.ok("POST", f"/plans/{plan}/versions", {})
        house.call("DELETE", f"/plans/{plan}/versions/1.1/claims/restore")
        house.approved(plan, "1.1", weakeningReason="Moved")
        told = house.status(plan)
    assert [each["key"] for each in told["claims"]] == ["switchover"]
    assert [(each["key"], each["status"]) for each in told["droppedFailures"]] == [("restore", "failed")]


def test_a_substantive_change_of_what_a_claim_rests_on_makes_it_stale_and_another_does_not(house: House):
    service = house.service()
    used, other = (
        house.ok("POST", "/objects", {"name": name, "kind": "software", "services": [service["id"]], "version": "1"})
        for name in ("Database", "Mail")
    )
    made = house.plan(service["id"], claims=[{"kind": "restore", "objects": [used["ref"]]}])
    house.approved(made["id"])
    prove(house, made["id"], "restore", "2027-01-02T10:00", level=3)
    with time_machine.travel("2027-01-03T10:00:00Z", tick=False):
        house.ok("PATCH", f"/objects/{other['id']}", {"version": "2"})
        assert house.status(made["id"])["status"] == "proven"
        house.ok("PATCH", f"/objects/{used['id']}", {"description": "The one"})
        assert house.status(made["id"])["status"] == "proven"
    with time_machine.travel("2027-01-04T10:00:00Z", tick=False):
        house.ok("PATCH", f"/objects/{used['id']}", {"version": "2"})
        assert house.status(made["id"])["status"] == "stale"
    assert house.status(made["id"], "2027-01-03T23:00:00Z")["status"] == "proven"


def pair_with_one_parent(house: House, service: str) -> None:
    parent = house.ok("POST", "/suppliers", {"name": "Moeder BV"})
    sides = {}
    for role in ("primary", "fallback"):
        daughter = {"name": f"Dochter {role}", "ultimateParent": parent["id"], "hasParent": "yes"}
        supplier = house.ok("POST", "/suppliers", daughter)
        site = house.ok("POST", "/sites", {"name": f"site-{role}", "supplier": supplier["id"]})
        side = {"name": f"Zaken {role}", "service": service, "role": role, "site": site["id"]}
        sides[role] = house.ok("POST", "/environments", side)["id"]
    house.ok("POST", "/environment-pairs", {"name": "Zaken", "service": service, **sides})


def test_shared_fate_of_both_sides_opens_a_finding_that_caps_the_failover(house: House):
    service = house.service()
    pair_with_one_parent(house, service["id"])
    made = house.plan(service["id"], claims=[{"kind": "failover"}, {"kind": "switchover"}])
    (finding,) = house.ok("GET", "/findings")["items"]
    assert (finding["claimKey"], finding["severity"], finding["source"]) == ("failover", "high", "rule")
    house.approved(made["id"])
    for claim in ("failover", "switchover"):
        prove(house, made["id"], claim, "2027-01-02T10:00", without_supplier="yes")
    claims = {each["key"]: each["status"] for each in house.status(made["id"], "2027-01-02T10:00:00Z")["claims"]}
    assert claims == {"failover": "partially_proven", "switchover": "proven"}
    cells = house.ok("GET", f"/coverage?service={service['ref']}&asOf=2027-01-02T10:00:00Z")["cells"]
    bankruptcy = next(cell for cell in cells if cell["family"] == "bankruptcy")
    assert bankruptcy["status"] == "no_plan"
    assert [each["claim"] for each in bankruptcy["notCounting"]] == ["failover"]
    assert next(cell for cell in cells if cell["family"] == "swap")["status"] == "proven"


def test_the_shared_fate_of_a_pair_without_a_plan_is_found_all_the_same(house: House):
    service = house.service()
    pair_with_one_parent(house, service["id"])
    for _ in range(2):
        plans.sweep(house.database, now=at("2027-01-02T10:00"))
    (finding,) = house.ok("GET", "/findings")["items"]
    assert (finding["severity"], finding["plan"]) == ("medium", None)


def test_a_step_that_needs_the_supplier_in_a_stressed_plan_is_a_finding_at_once(house: House):
    service = house.service()
    content = {"steps": [{"id": "call", "title": "Bel de leverancier", "estimate": "PT1H", "needsSupplier": True}]}
    house.plan(service["id"], name="Gepland", kind="exit", mode="planned", claims=[], content=content)
    assert house.ok("GET", "/findings")["total"] == 0
    made = house.plan(service["id"], kind="exit", mode="stressed", claims=[], content=content)
    (finding,) = house.ok("GET", "/findings")["items"]
    assert (finding["severity"], finding["cause"]) == ("high", "contract")
    house.ok("PATCH", f"/plans/{made['id']}/versions/1.0", {"content": {"steps": []}})
    assert house.ok("GET", f"/findings/{finding['id']}")["state"] == "rejected"


def test_a_plan_that_takes_longer_than_the_service_can_be_missed_is_a_finding(house: House):
    service = house.service(mtpd="PT4H", rto="PT1H")
    steps = [
        {"id": "a", "title": "A", "estimate": "PT2H"},
        {"id": "b", "title": "B", "estimate": "PT2H"},
        {"id": "c", "title": "C", "estimate": "PT1H", "needs": ["a"]},
    ]
    made = house.plan(service["id"], content={"steps": steps})
    assert house.status(made["id"])["timeNeeded"] == "PT3H"
    assert house.ok("GET", "/findings")["total"] == 0
    steps[2]["needs"] = ["a", "b"]
    steps[2]["estimate"] = "PT2H1S"
    house.ok("PATCH", f"/plans/{made['id']}/versions/1.0", {"content": {"steps": steps}})
    (finding,) = house.ok("GET", "/findings")["items"]
    assert finding["cause"] == "too-slow"


def test_a_claim_about_the_service_families_is_shown_per_scenario(house: House, plan: str):
    proven(house, plan)
    cells = house.ok("GET", "/coverage?asOf=2027-01-03T10:00:00Z")["cells"]
    seen = {cell["family"]: cell["status"] for cell in cells}
    assert (seen["backup"], seen["swap"], seen["bankruptcy"]) == ("proven", "proven", "no_plan")
    assert len(cells) == 12


def test_a_tested_measure_and_proven_access_are_told_to_the_catalogue(house: House):
    service, supplier = house.service(), house.ok("POST", "/suppliers", {"name": "Leverancier"})
    contract = house.ok(
        "POST", "/contracts", {"name": "Hosting", "supplier": supplier["id"], "services": [service["id"]]}
    )
    given = {"contract": contract["id"], "kind": "step_in", "present": "yes"}
    measure = house.ok("POST", "/measures", given)
    badge = {"name": "Toegang", "kind": "authorisation", "services": [service["id"]]}
    access = house.ok("POST", "/objects", badge)
    claim = {"kind": "access-without-supplier", "objects": [access["id"]], "measures": [measure["id"]]}
    made = house.plan(service["id"], claims=[claim])
    house.approved(made["id"])
    seen = []
    for day in ("02", "03"):
        more = {"level": 3, "without_supplier": "yes", "run_id": f"run-{day}"}
        prove(house, made["id"], "access-without-supplier", f"2027-01-{day}T10:00", **more)
        seen.append(house.ok("GET", f"/measures/{measure['id']}")["assurance"])
    assert seen == ["existence", "operating"]
    assert house.ok("GET", f"/objects/{access['id']}")["accessWithoutSupplier"] == "proven"


def test_checks_and_waits_alone_prove_nothing_and_say_why(house: House, plan: str):
    house.ok("POST", f"/plans/{plan}/reviews", {"claims": ["switchover"]}, by="bert")
    before = house.status(plan)["status"]
    looked = [Did.OBSERVED, Did.NOTHING]
    level = proof_level(Performance(Mode.LIVE, looked, looked, Probe.WHOLE_TIME))
    prove(house, plan, "switchover", "2027-01-02T10:00", level=level.number, level_why=level.why)
    (proof,) = house.ok("GET", f"/plans/{plan}/proofs?source=run")["items"]
    assert (proof["level"], bool(proof["levelWhy"])) == (0, True)
    assert house.status(plan, "2027-01-02T10:00:00Z")["status"] == before == "paper_only"


def test_a_proof_is_written_with_the_moment_it_was_recorded(house: House, plan: str):
    prove(house, plan, "restore", "2027-01-02T10:00", level=3)
    with house.database.transaction() as session:
        row = session.exec(select(ProofRow)).one()
    assert (row.at, row.recorded_at, row.reason_nl) == (at("2027-01-02T10:00"), at("2027-01-02T10:00"), "Zo")


def test_a_minimum_viable_organisation_is_approved_by_another_and_checked_for_fit(house: House):
    need = {"resource": "Werkplekken", "number": 30, "unit": "stuks"}
    functions = [
        {"name": "Paspoorten", "tier": 1, "facilities": [need], "people": [{"role": "Balie", "count": 4}]},
        {"name": "Akten", "tier": 2, "facilities": [need]},
        {"name": "Later", "tier": 3, "facilities": [need], "fallsBackTogether": False},
    ]
    content = {"functions": functions, "peopleAvailable": [{"role": "balie", "count": 3}]}
    mvo = house.ok("POST", "/mvos", {"name": "Gemeente", "content": content})
    approval = {"boardApprovedOn": "2026-12-15"}
    assert house.refused("POST", f"/mvos/{mvo['ref']}/approvals", approval) == (403, "author-cannot-approve")
    approved = house.ok("POST", f"/mvos/{mvo['ref']}/approvals", approval, by="bert")["approved"]
    assert (approved["approverId"], approved["boardApprovedOn"]) == ("bert", "2026-12-15")
    assert house.refused("PATCH", f"/mvos/{mvo['ref']}", {"content": content}) == (409, "version-immutable")
    house.ok("POST", f"/mvos/{mvo['ref']}/versions")
    house.ok("PATCH", f"/mvos/{mvo['ref']}", {"content": content})
    told = {"resource": "werkplekken", "number": 60, "unit": "stuks"}
    said = house.ok("POST", "/sites", {"name": "zuid", "capacity": [told]})
    measured = house.ok("POST", "/sites", {"name": "noord", "capacity": [told | {"measuredOn": "2026-11-01"}]})
    seen = house.ok("GET", f"/mvos/{mvo['ref']}/fit?site={measured['ref']}")
    assert (seen["facilities"][0]["needed"], seen["facilities"][0]["verdict"]) == (60, "fits")
    assert (seen["people"][0]["verdict"], seen["verdict"]) == ("does-not-fit", "does-not-fit")
    assert house.ok("GET", f"/mvos/{mvo['ref']}/fit?site={said['ref']}")["facilities"][0]["verdict"] == "unknown"
