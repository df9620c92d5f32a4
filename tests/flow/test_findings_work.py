"""Findings from their opening to a passing retest, a rejection, or an acceptance by another person."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from app.access.rules import SYSTEM
from app.catalog.models import Service
from app.core.audit import AuditEvent
from app.findings import acceptance, service
from app.findings.models import Finding
from app.findings.rules import Severity, State
from app.findings.service import NewFinding, Title
from app.findings.sweep import sweep
from app.plans.facts import PlanKind
from app.plans.models import Plan
from tests.flow.catalog_app import APPROVER, OWNER, VIEWER, build, codes
from tests.flow.surface import document

NOW = datetime.now(UTC).replace(microsecond=0)
PLAN = "plan-1"


@pytest.fixture
def house(tmp_path):
    made = build(tmp_path)
    made.make("/services", {"name": "Zaaksysteem"})
    with made.database.transaction() as session:
        svc = session.exec(select(Service)).one()
        plan = Plan(id=PLAN, ref="PLN-001", name="Uitwijk", kind=PlanKind.FALLBACK, service_id=svc.id)
        plan.created_by, plan.created_at = "person:owner", NOW
        session.add(plan)
    yield made
    made.database.dispose()


def _new(**but):
    whole = {
        "key": f"{PLAN}:restore:failed",
        "plan_id": PLAN,
        "claim_key": "restore",
        "object_ids": (),
        "source": "runner",
        "cause": "technique",
        "severity": "high",
        "title": Title("De back-up is beschadigd", "The backup is damaged"),
        "description": "",
        "level": 3,
        "run_id": "run-1",
    }
    return NewFinding(**whole | but)


def _opened(house, *, now=NOW, **but):
    with house.database.transaction() as session:
        return service.open_finding(session, _new(**but), now=now, actor=SYSTEM).ref


def _retest(house, *, level=3, verdict="pass", run_id="run-2", days=1):
    at = NOW + timedelta(days=days)
    with house.database.transaction() as session:
        moved = service.record_retest(session, PLAN, "restore", level=level, verdict=verdict, run_id=run_id, at=at)
        return [each.ref for each in moved]


def _state(house, ref):
    return house.call("GET", f"/findings/{ref}").json()["state"]


def _move(house, ref, operation, **more):
    return house.call("POST", f"/findings/{ref}/transitions", {"operation": operation, **more})


def test_a_long_title_of_wissel_itself_goes_out_as_the_document_says(house):
    ref = _opened(house, title=Title("n" * 400, "e" * 400))
    title = house.call("GET", f"/findings/{ref}").json()["title"]
    said = document()["components"]["schemas"]["TitleOut"]["properties"]
    assert title == {"nl": "n" * 300, "en": "e" * 300}
    assert [name for name in title if len(title[name]) > said[name].get("maxLength", 300)] == []


def test_the_same_fact_found_twice_is_one_finding_at_its_worst(house):
    first = _opened(house, severity="medium")
    assert _opened(house, severity="high", level=5, run_id="run-2") == first
    assert _opened(house, severity="low", level=2, run_id="run-3") == first
    shown = house.call("GET", f"/findings/{first}").json()
    assert (shown["severity"], shown["level"], shown["runId"]) == ("high", 5, "run-1")
    assert house.call("GET", "/findings").json()["total"] == 1


def test_the_same_fact_after_closing_is_a_new_finding(house):
    first = _opened(house)
    assert _retest(house) == [first]
    second = _opened(house, now=NOW + timedelta(days=2), run_id="run-3")
    assert second != first
    assert _state(house, first) == "verified"


def test_a_passing_retest_at_the_level_verifies_and_nothing_else_does(house):
    ref = _opened(house)
    for less in (
        {"level": 2},
        {"verdict": "partial"},
        {"verdict": "inconclusive"},
        {"verdict": "fail"},
        {"run_id": "run-1"},
        {"days": 0},
    ):
        assert _retest(house, **less) == [], less
    assert _state(house, ref) == "open"
    assert _retest(house, level=4) == [ref]
    shown = house.call("GET", f"/findings/{ref}").json()
    assert (shown["state"], shown["retestRunId"], shown["nextActions"]) == ("verified", "run-2", [])
    assert shown["closedAt"] == shown["retestedAt"]
    assert _retest(house) == []


def test_nobody_can_say_verified(house):
    ref = _opened(house)
    assert codes(_move(house, ref, "verify")) == {"operation": "literal-error"}
    assert codes(house.call("PATCH", f"/findings/{ref}", {"state": "verified"})) == {"state": "extra-forbidden"}
    assert codes(house.call("PATCH", f"/findings/{ref}", {"severity": "low"})) == {"severity": "extra-forbidden"}
    assert _state(house, ref) == "open"


def test_a_failed_retest_sends_it_back_to_action(house):
    ref = _opened(house)
    assert _move(house, ref, "request-retest").json()["state"] == "awaiting-retest"
    assert _retest(house, verdict="fail", level=1) == [ref]
    assert _state(house, ref) == "action"
    _move(house, ref, "request-retest")
    _opened(house, run_id="run-9")
    assert _state(house, ref) == "action"


def test_an_illegal_operation_is_refused_with_the_legal_ones(house):
    ref = _opened(house)
    answer = _move(house, ref, "return-to-action")
    assert (answer.status_code, answer.json()["code"]) == (409, "operation-not-legal")
    assert answer.json()["nextActions"] == ["start-action", "request-retest", "reject", "request-acceptance"]
    offered = house.call("GET", f"/findings/{ref}").json()["nextActions"]
    assert [each["operation"] for each in offered] == answer.json()["nextActions"]


def test_a_retest_cannot_be_asked_for_what_no_claim_says(house):
    made = house.make("/findings", {"source": "audit", "severity": "low", "title": {"nl": "Oud", "en": "Old"}})
    assert _move(house, made["ref"], "request-retest").status_code == 409


def test_actions_have_an_owner_a_day_and_an_end(house):
    ref = _opened(house)
    path = f"/findings/{ref}/actions"
    made = house.make(path, {"what": "Nieuwe back-up", "owner": "PER-001", "dueOn": "2026-12-01"})
    assert (made["owner"]["id"], _state(house, ref)) == (OWNER, "action")
    assert house.call("PATCH", f"{path}/{made['id']}", {"dueOn": None}, If_Match='"1"').json()["dueOn"] is None
    assert house.call("PATCH", f"{path}/{made['id']}", {"note": "x"}, If_Match='"1"').status_code == 412
    done = house.call("POST", f"{path}/{made['id']}/completions", {"note": "klaar"})
    assert (done.status_code, done.json()["doneBy"], done.json()["note"]) == (201, f"person:{OWNER}", "klaar")
    assert house.call("POST", f"{path}/{made['id']}/completions").status_code == 409
    assert house.call("PATCH", f"{path}/{made['id']}", {"note": "y"}).json()["code"] == "already-done"
    assert _state(house, ref) == "action", "finishing work proves nothing"
    assert codes(house.call("POST", path, {"what": "x", "owner": "PER-404"})) == {"owner": "not-found"}
    assert [each["id"] for each in house.call("GET", path).json()] == [made["id"]]
    _retest(house)
    assert house.call("POST", path, {"what": "te laat"}).status_code == 409


def test_the_places_on_the_axes_are_empty_until_people_fill_them(house):
    ref = _opened(house)
    axes = ("impactNow", "controlNow", "impactAfter", "controlAfter", "owner", "dueOn")
    before = house.call("GET", f"/findings/{ref}")
    assert [before.json()[axis] for axis in axes] == [None] * 6
    body = {"impactNow": "high", "controlNow": "hard", "impactAfter": "low", "owner": OWNER, "cause": "contract"}
    after = house.call("PATCH", f"/findings/{ref}", body, If_Match=before.headers["ETag"]).json()
    assert [after[axis] for axis in axes[:4]] == ["high", "hard", "low", None]
    assert (after["owner"]["ref"], after["cause"]) == ("PER-001", "contract")
    assert house.call("PATCH", f"/findings/{ref}", body, If_Match=before.headers["ETag"]).status_code == 412
    assert codes(house.call("PATCH", f"/findings/{ref}", {"impactNow": "medium"})) == {"impactNow": "enum"}
    with house.database.transaction(write=False) as session:
        edited = session.exec(select(AuditEvent).where(AuditEvent.action == "finding.edited")).one()
    assert edited.detail["changes"]["impact_now"] == [None, "high"]


def _ask(house, ref, *, until=None, as_=OWNER, **but):
    whole = {
        "whatCanHappen": "De dienst ligt twee dagen stil.",
        "impact": "low",
        "control": "easy",
        "until": (until or NOW + timedelta(days=90)).isoformat(),
        "alternatives": [{"text": "Tweede leverancier", "costCents": 5_000_000}],
    }
    return house.call("POST", f"/findings/{ref}/acceptances", whole | but, as_=as_)


def _decide(house, ref, acceptance_id, *, accepted=True, as_=APPROVER):
    body = {"accepted": accepted, "mandate": "Directiebesluit 12"}
    return house.call("POST", f"/findings/{ref}/acceptances/{acceptance_id}/decisions", body, as_=as_)


def test_a_risk_is_accepted_by_another_person_with_a_mandate(house):
    ref = _opened(house)
    asked = _ask(house, ref).json()
    offered = {each["operation"]: each["href"] for each in house.call("GET", f"/findings/{ref}").json()["nextActions"]}
    assert offered["accept-risk"].endswith(f"/acceptances/{asked['id']}/decisions")
    assert "request-acceptance" not in offered
    decided = _decide(house, ref, asked["id"])
    assert (decided.status_code, decided.json()["state"]) == (201, "accepted")
    assert decided.json()["decidedBy"]["id"] == APPROVER
    assert _state(house, ref) == "risk-accepted"
    assert _retest(house) == [], "what is accepted is not closed by the way"
    again = _decide(house, ref, asked["id"])
    assert (again.status_code, again.json()["code"]) == (409, "already-decided")


def test_who_asks_cannot_accept(house):
    ref = _opened(house)
    asked = _ask(house, ref, as_=APPROVER).json()
    answer = _decide(house, ref, asked["id"], as_=APPROVER)
    assert (answer.status_code, answer.json()["code"]) == (409, "same-person")
    assert _state(house, ref) == "open"
    assert _decide(house, ref, asked["id"], accepted=False, as_=APPROVER).json()["state"] == "refused"


@pytest.mark.parametrize("who", ["machine-1", OWNER, VIEWER])
def test_only_people_with_the_role_accept(house, who):
    ref = _opened(house)
    asked = _ask(house, ref).json()
    assert _decide(house, ref, asked["id"], as_=who).status_code == 403
    assert _state(house, ref) == "open"


def test_a_machine_cannot_ask_for_acceptance_either(house):
    assert _ask(house, _opened(house), as_="machine-1").status_code == 403


@pytest.mark.parametrize("until", [NOW - timedelta(days=1), NOW + timedelta(days=367)])
def test_a_risk_is_accepted_for_a_time_ahead_and_a_year_at_most(house, until):
    ref = _opened(house)
    assert codes(_ask(house, ref, until=until)) == {"until": "out-of-range"}
    assert codes(_ask(house, ref, whatCanHappen="", impact=None)) == {
        "whatCanHappen": "too-short",
        "impact": "enum",
    }


def _accepted(house):
    ref = _opened(house)
    _decide(house, ref, _ask(house, ref).json()["id"])
    return ref


def test_an_acceptance_that_ran_out_opens_the_finding_again(house):
    ref = _accepted(house)
    with house.database.transaction() as session:
        assert acceptance.end_expired(session, now=NOW + timedelta(days=89)) == []
        (reopened,) = acceptance.end_expired(session, now=NOW + timedelta(days=90))
        assert (reopened.ref, reopened.state) == (ref, State.OPEN)
        assert acceptance.end_expired(session, now=NOW + timedelta(days=91)) == []
    assert house.call("GET", f"/findings/{ref}/acceptances").json()[0]["state"] == "ended"
    assert _ask(house, ref).status_code == 201


def test_an_acceptance_can_be_ended_early_with_a_reason(house):
    ref = _accepted(house)
    assert codes(_move(house, ref, "end-acceptance")) == {"reason": "required"}
    assert _move(house, ref, "end-acceptance", reason="de omstandigheden zijn anders").json()["state"] == "open"
    steps = [each["operation"] for each in house.call("GET", f"/findings/{ref}/transitions").json()]
    assert steps == ["accept-risk", "end-acceptance"]


def test_a_rejection_needs_the_role_and_a_reason_and_can_be_taken_back(house):
    ref = _opened(house)
    assert house.call("POST", f"/findings/{ref}/rejections", {"reason": "x"}, as_=OWNER).status_code == 403
    assert codes(house.call("POST", f"/findings/{ref}/rejections", {"reason": ""}, as_=APPROVER))
    rejected = house.call("POST", f"/findings/{ref}/rejections", {"reason": "verkeerde back-up"}, as_=APPROVER)
    assert rejected.json()["state"] == "rejected"
    assert _move(house, ref, "reopen", reason="toch niet").json()["state"] == "open"


def test_a_rejected_finding_stays_shut_once_the_fact_was_found_anew(house):
    ref = _opened(house)
    house.call("POST", f"/findings/{ref}/rejections", {"reason": "x"}, as_=APPROVER)
    other = _opened(house, run_id="run-5")
    answer = _move(house, ref, "reopen", reason="toch niet")
    assert answer.status_code == 409
    assert other in answer.json()["detail"]


def test_the_facts_of_a_past_moment_are_those_of_then(house):
    first = _opened(house)
    _opened(house, key="k2", claim_key="switchover", severity="low", now=NOW + timedelta(days=3), run_id="run-3")
    _retest(house, days=2)

    def facts(days):
        with house.database.transaction(write=False) as session:
            return service.facts(session, PLAN, at=NOW + timedelta(days=days))

    assert facts(-1) == []
    assert [(fact.claim_key, fact.severity, fact.retested) for fact in facts(1)] == [("restore", Severity.HIGH, None)]
    assert [fact.retested for fact in facts(3)] == [NOW + timedelta(days=2), None]
    assert _state(house, first) == "verified"


def test_facts_tell_until_when_a_risk_is_accepted_and_forget_what_was_rejected(house):
    _accepted(house)
    later = datetime.now(UTC) + timedelta(days=1)
    with house.database.transaction(write=False) as session:
        (fact,) = service.facts(session, PLAN, at=later)
    assert fact.accepted_until == NOW + timedelta(days=90)
    other = _opened(house, key="k2")
    house.call("POST", f"/findings/{other}/rejections", {"reason": "x"}, as_=APPROVER)
    with house.database.transaction(write=False) as session:
        assert len(service.facts(session, PLAN, at=later)) == 1
        assert len(service.facts(session, PLAN, at=NOW)) == 2


def test_an_rto_longer_than_the_mtpd_is_found_by_the_rule_and_withdrawn_when_mended(house):
    def judge():
        with house.database.transaction() as session:
            sweep(session, now=NOW)
        return house.call("GET", "/findings?source=rule&closed=false").json()["items"]

    assert judge() == []
    house.call("PATCH", "/services/SVC-001", {"rto": "P3D", "mtpd": "P2D"})
    (found,) = judge()
    assert judge() == [found]
    assert (found["service"]["ref"], found["severity"], found["state"]) == ("SVC-001", "high", "open")
    assert "Zaaksysteem" in found["title"]["nl"]
    house.call("PATCH", "/services/SVC-001", {"rto": "P1D"})
    assert judge() == []
    assert _state(house, found["ref"]) == "rejected"
    house.call("PATCH", "/services/SVC-001", {"rto": "P3D"})
    assert judge()[0]["ref"] != found["ref"]


def test_a_claims_finding_is_never_withdrawn(house):
    _opened(house, source="rule")
    with house.database.transaction() as session:
        assert service.withdraw(session, f"{PLAN}:restore:failed", now=NOW, reason="x") is None


def test_people_enter_findings_with_all_wrong_references_told_at_once(house):
    body = {"source": "incident", "severity": "medium", "title": {"nl": "Storing", "en": "Outage"}}
    wrong = {"plan": "PLN-404", "service": "SVC-404", "owner": "PER-404", "objects": ["OBJ-404"]}
    assert set(codes(house.call("POST", "/findings", body | wrong))) == {"plan", "service", "owner", "objects.0"}
    assert codes(house.call("POST", "/findings", body | {"claimKey": "restore"})) == {"plan": "required"}
    assert codes(house.call("POST", "/findings", body | {"source": "runner"})) == {"source": "literal-error"}
    made = house.make("/findings", body | {"plan": "PLN-001", "claimKey": "restore", "service": "SVC-001"})
    assert (made["plan"]["ref"], made["openedBy"]) == ("PLN-001", f"person:{OWNER}")
    assert house.call("POST", "/findings", body, as_=VIEWER).status_code == 403


def test_the_list_is_filtered_sorted_searched_and_paged(house):
    for number, severity in enumerate(["low", "high", "medium"]):
        _opened(house, key=f"k{number}", severity=severity, claim_key=f"c{number}", now=NOW + timedelta(hours=number))
    title = {"nl": "Kluis leeg", "en": "Vault empty"}
    house.make("/findings", {"source": "audit", "severity": "low", "title": title, "service": "SVC-001"})

    def total(query):
        return house.call("GET", f"/findings?{query}").json()["total"]

    assert [each["severity"] for each in house.call("GET", "/findings?sort=-severity").json()["items"]] == [
        "high",
        "medium",
        "low",
        "low",
    ]
    assert (total("plan=PLN-001"), total("plan=PLN-404"), total("service=SVC-001"), total("q=kluis")) == (3, 0, 1, 1)
    assert (total("claimKey=c1"), total("severity=low"), total("source=audit"), total("runId=run-1")) == (1, 2, 1, 3)
    assert (total("state=open"), total("closed=true"), total("owner=PER-001"), total("dueBefore=2030-01-01")) == (
        4,
        0,
        0,
        0,
    )
    page = house.call("GET", "/findings?pageSize=3&page=2").json()
    assert (len(page["items"]), page["total"]) == (1, 4)
    assert codes(house.call("GET", "/findings?sort=title")) == {"sort": "unknown-sort"}


def test_moves_are_in_the_audit_log_with_who_did_them(house):
    ref = _opened(house)
    _move(house, ref, "start-action", reason="we beginnen")
    with house.database.transaction(write=False) as session:
        row = session.exec(select(Finding)).one()
        events = session.exec(select(AuditEvent).where(AuditEvent.object_id == row.id)).all()
    assert [(each.actor, each.action) for each in events] == [
        ("system", "finding.opened"),
        (f"person:{OWNER}", "finding.start-action"),
    ]


@pytest.mark.parametrize("path", ["FND-404", "%00", "FND-001/actions/x", "FND-001/acceptances/%00"])
def test_what_is_not_there_is_not_found(house, path):
    _opened(house)
    assert house.call("GET", f"/findings/{path}").status_code == 404
