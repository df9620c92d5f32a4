"""Drills are planned by API; what cannot be is refused by field, all at once, and nothing is written."""

import pytest

from app.drills.inputs import resolve_inputs
from app.drills.models import Drill
from app.playbooks import service as playbooks
from runners.contract import Backup, EnvironmentPair, Side
from tests.flow.drills_app import build, codes, swap

ONCE = {"kind": "once", "at": "2090-03-26T02:30:00"}


@pytest.fixture
def house(tmp_path):
    made = build(tmp_path)
    yield made
    made.database.dispose()


def test_a_swap_is_planned_and_shows_its_next_moments(house):
    made = house.make("/drills", swap())
    assert (made["ref"], made["direction"], made["mode"]) == ("DRL-001", "over", "live")
    assert made["claims"] == {"switchover": "the-switchover"}
    assert made["serviceId"] == "service"
    assert made["nextDueAt"].endswith("Z")
    moments = house.call("GET", "/drills/DRL-001/moments?next=3").json()["items"]
    assert [each["nominalLocal"][10:] for each in moments] == ["T02:00:00"] * 3
    assert moments[0]["dueAt"] == made["nextDueAt"]


def test_a_switch_back_carries_the_claim_of_the_way_back(house):
    made = house.make("/drills", swap(inputs={"pair": "PAIR-001", "from": "fallback", "to": "primary"}))
    assert (made["direction"], made["claims"]) == ("back", {"way-back": "the-way-back"})


def test_the_only_pair_of_the_service_need_not_be_named(house):
    assert house.make("/drills", swap(inputs={"from": "primary", "to": "fallback"}))["pairId"] == "pair"


REFUSED = {
    "a mode in capitals": ({"mode": "LIVE"}, "mode"),
    "a mode that the playbook has not": ({"mode": "rehearsal"}, "mode"),
    "a tabletop": ({"mode": "tabletop", "approvals": None}, "mode"),
    "live without approvals": ({"approvals": None}, "approvals"),
    "live with one approval": ({"approvals": {"needed": 1}}, "approvals/needed"),
    "live without the process owner": ({"approvals": {"processOwner": False}}, "approvals/processOwner"),
    "source is target": ({"inputs": {"from": "primary", "to": "primary"}}, "inputs/to"),
    "an unknown side": ({"inputs": {"from": "left", "to": "primary"}}, "inputs/from"),
    "an input too little": ({"inputs": {"from": "primary"}}, "inputs/to"),
    "an input too many": ({"inputs": {"from": "primary", "to": "fallback", "x": 1}}, "inputs/x"),
    "an unknown pair": ({"inputs": {"pair": "PAIR-9", "from": "primary", "to": "fallback"}}, "inputs/pair"),
    "an unknown plan": ({"planId": "PLN-999"}, "planId"),
    "a plan without approved version": ({"planId": "PLN-002"}, "planId"),
    "an unknown playbook": ({"playbook": "nothing"}, "playbook"),
    "an unknown person": ({"ownerId": "PER-999"}, "ownerId"),
    "30 February": ({"schedule": {"kind": "recurring", "month": 2, "day": 30}}, "schedule"),
    "every second": ({"schedule": {"kind": "recurring", "second": "*"}}, "schedule"),
    "an unknown zone": ({"schedule": {"kind": "recurring", "hour": 2, "timeZone": "Mars"}}, "schedule/timeZone"),
    "a time inside the gap": ({"schedule": {"kind": "once", "at": "2027-03-28T02:30:00"}}, "schedule/at"),
    "a time long past": ({"schedule": {"kind": "once", "at": "2020-03-28T12:30:00"}}, "schedule/at"),
    "unattended without a person on call": ({"attendance": "unattended"}, "onCallId"),
    "unattended with questions": (
        {"playbook": "switch-by-hand", "attendance": "unattended", "onCallId": "PER-001"},
        "attendance",
    ),
    "an unknown claim": ({"claims": {"switchover": "nothing"}}, "claims/switchover"),
    "a claim that is not proven": ({"claims": {"restore": "the-restore"}}, "claims/restore"),
}


@pytest.mark.parametrize(("change", "field"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_planned_is_refused_by_field_and_nothing_is_written(house, change, field):
    found = codes(house.call("POST", "/drills", swap(**change)))
    assert [name for name in found if name.strip("/").removeprefix("body/").startswith(field)], found
    assert house.call("GET", "/drills").json()["total"] == 0


def test_every_fault_is_named_at_once(house):
    body = swap(planId="PLN-9", approvals=None, ownerId="PER-9", inputs={"from": "primary", "to": "primary"})
    assert set(codes(house.call("POST", "/drills", body))) >= {"planId", "approvals", "ownerId", "inputs/to"}


def test_a_rehearsal_takes_what_only_looks_or_is_isolated(house):
    body = {"title": "Terugzetten", "planId": "PLN-001", "playbook": "verify-restore-dump", "mode": "rehearsal"}
    made = house.make("/drills", {**body, "inputs": {"backup": "OBJ-001"}})
    assert (made["direction"], made["claims"]) == (None, {"restore": "the-restore"})
    refusal = codes(house.call("POST", "/drills", {**body, "inputs": {"backup": "OBJ-002"}}))
    assert refusal == {"inputs/backup": "driver-missing"}


def test_a_drill_in_a_freeze_is_refused_and_a_rhythm_passes_over_it(house):
    freeze = {"name": "Verkiezingen", "startsAt": "2027-03-01T00:00:00Z", "endsAt": "2027-05-01T00:00:00Z"}
    house.make("/blackouts", freeze)
    refusal = codes(house.call("POST", "/drills", swap(schedule={"kind": "once", "at": "2027-04-04T02:00:00"})))
    assert refusal == {"schedule/at": "in-freeze"}
    preview = {"schedule": swap()["schedule"], "next": 3, "after": "2026-12-01T00:00:00Z"}
    items = house.call("POST", "/drill-previews", preview).json()["items"]
    assert [(each["nominalLocal"][:10], each["state"]) for each in items] == [
        ("2027-01-03", "planned"), ("2027-04-04", "skipped"), ("2027-07-04", "planned"),
    ]  # fmt: skip
    assert items[1]["reason"]["nl"]
    assert items[1]["reasonCode"] == "blackout"


def test_a_freeze_ends_after_it_begins(house):
    freeze = {"name": "Fout", "startsAt": "2027-03-02T00:00:00Z", "endsAt": "2027-03-01T00:00:00Z"}
    assert codes(house.call("POST", "/blackouts", freeze)) == {"endsAt": "end-before-start"}


def test_an_alternating_pair_is_planned_in_one_request(house):
    body = {key: value for key, value in swap().items() if key != "inputs"}
    made = house.make(
        "/alternations", {**body, "hold": "P30D", "back": {"attendance": "unattended", "onCallId": "PER-001"}}
    )
    assert (made["over"]["direction"], made["back"]["direction"]) == ("over", "back")
    assert made["over"]["partnerId"] == made["back"]["id"]
    assert (made["over"]["attendance"], made["back"]["attendance"]) == ("attended", "unattended")
    halves = [each["drillId"] for each in made["moments"]]
    assert halves == [made["over"]["id"], made["back"]["id"]] * 6


def test_a_rhythm_quicker_than_the_stay_is_refused_and_neither_half_is_planned(house):
    body = {key: value for key, value in swap().items() if key != "inputs"}
    assert codes(house.call("POST", "/alternations", {**body, "hold": "P200D"})) == {"hold": "stay-too-short"}
    assert codes(house.call("POST", "/alternations", {**body, "schedule": ONCE})) == {"schedule": "not-recurring"}
    assert house.call("GET", "/drills").json()["total"] == 0


def test_the_mode_never_changes(house):
    house.make("/drills", swap())
    answer = house.call("PATCH", "/drills/DRL-001", {"mode": "rehearsal"})
    assert (answer.status_code, answer.json()["code"]) == (409, "mode-is-fixed")
    assert house.call("PATCH", "/drills/DRL-001", {"mode": "live", "title": "Zelfde"}).status_code == 200


def test_an_edit_is_checked_like_a_new_drill_and_counts_a_revision(house):
    house.make("/drills", swap())
    assert codes(house.call("PATCH", "/drills/DRL-001", {"approvals": None})) == {
        "approvals": "approval-policy-missing"
    }
    answer = house.call("PATCH", "/drills/DRL-001", {"grace": "PT1H"}, If_Match='"1"')
    assert (answer.status_code, answer.json()["grace"], answer.headers["ETag"]) == (200, "PT1H", '"2"')
    assert house.call("PATCH", "/drills/DRL-001", {"grace": "PT2H"}, If_Match='"1"').status_code == 412


@pytest.mark.parametrize("name", ["title", "inputs", "windows", "grace", "attendance", "limits", "claims"])
def test_a_null_where_there_must_be_a_value_is_refused(house, name):
    house.make("/drills", swap())
    assert set(codes(house.call("PATCH", "/drills/DRL-001", {name: None}))) == {name}


FAR = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00"]


@pytest.mark.parametrize("at", FAR)
def test_a_moment_at_the_end_of_the_calendar_is_refused(house, at):
    codes(house.call("POST", "/drills", swap(schedule={"kind": "once", "at": at})))
    codes(house.call("POST", "/blackouts", {"name": "x", "startsAt": at, "endsAt": at}))
    codes(house.call("POST", "/drill-previews", {"schedule": {"kind": "recurring", "hour": 2}, "after": at}))


@pytest.mark.parametrize("query", ["planId=%00", "q=%00", "serviceId=%E2%80%AE", "pageSize=0", "sort=nothing", "x=1"])
def test_a_query_that_means_nothing_is_refused(house, query):
    assert house.call("GET", f"/drills?{query}").status_code == 400


def test_an_archived_drill_has_no_moments_and_is_not_edited(house):
    house.make("/drills", swap())
    assert house.call("POST", "/drills/DRL-001/archivals", {"reason": "klaar"}).status_code == 201
    assert house.call("GET", "/drills/DRL-001/moments").json()["items"] == []
    assert house.call("PATCH", "/drills/DRL-001", {"title": "x"}).json()["code"] == "drill-archived"
    assert house.call("GET", "/drills").json()["total"] == 0
    assert house.call("GET", "/drills?archived=true").json()["total"] == 1


def test_a_reader_cannot_plan(house):
    assert house.call("POST", "/drills", swap(), as_="viewer").status_code == 403
    assert house.call("POST", "/drills", swap(), as_=None).status_code == 401


def test_readiness_names_what_is_missing(house):
    house.make("/drills", swap(inputs={"from": "fallback", "to": "primary"}))
    found = house.call("GET", "/drills/DRL-001/readiness").json()
    assert {each["code"] for each in found["lacks"]} == {"role-missing", "other-side-is-home", "secret-not-seen"}
    assert found["ready"] is False


def test_inputs_become_the_shapes_that_runners_take(house):
    made = house.make("/drills", swap())
    with house.database.transaction(write=False) as session:
        drill = session.get_one(Drill, made["id"])
        values = resolve_inputs(session, drill, playbooks.content(playbooks.get(session, "switch-sides")))
        restore = playbooks.content(playbooks.get(session, "verify-restore-dump"))
        backup = resolve_inputs(session, drill.model_copy(update={"inputs": {"backup": "OBJ-001"}}), restore)
    assert isinstance(values["pair"], EnvironmentPair)
    assert (values["pair"].primary.site, values["pair"].fallback.dsn) == ("noord", "secret://zuid")
    assert (values["from"], values["to"]) == (Side.PRIMARY, Side.FALLBACK)
    assert isinstance(backup["backup"], Backup)
    assert backup["backup"].tables[0].min_rows == 5
