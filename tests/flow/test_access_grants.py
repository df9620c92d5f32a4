"""Roles in a part of the organisation, who gives them, who sees them, and that somebody always administers."""

import threading
from datetime import timedelta

import pytest
import time_machine
from sqlmodel import select

from app.access import tokens
from app.core import clock
from app.core.audit import AuditEvent
from app.core.outbox import OutboxMessage
from tests.flow.whole import ADMINISTRATOR, API, EVERYBODY, MACHINE


@pytest.fixture
def unit(whole):
    """A service in a unit, and one elsewhere."""
    return [whole.service(name=f"Dienst {unit}", unit=unit)["ref"] for unit in ("Burgerzaken", "Sociaal domein")]


def path(whole, part="viewer"):
    return f"/people/{whole.people[part]}/grants"


def give(whole, part="viewer", **given):
    return whole.ok("POST", path(whole, part), {"role": "plan-owner"} | given, by=ADMINISTRATOR)


def new_administrator(whole, part="second"):
    given = {"name": f"Bo {part}", "email": f"{part}@example.nl", "roles": ["administrator"]}
    whole.people[part] = whole.ok("POST", "/people", given, by=ADMINISTRATOR)["id"]
    body = {"signInToken": whole.sign_in_token(part)}
    whole.tokens[part] = whole.ask("POST", f"{API}/sessions", body=body).json()["token"]
    return part


def only_one_administrator(whole):
    """Nobody but Ada administers, from now on."""
    changed = {"roles": ["viewer"]}
    whole.ok("PATCH", f"/people/{whole.people[EVERYBODY]}", changed, by=ADMINISTRATOR)


def events(whole, action):
    with whole.database.transaction(write=False) as session:
        return [row.detail for row in session.exec(select(AuditEvent).where(AuditEvent.action == action))]


def test_a_role_in_a_unit_opens_that_unit_and_is_shown_with_who_gave_it(whole, unit):
    change = {"description": "anders"}
    assert whole.refused("PATCH", f"/services/{unit[0]}", change, by="viewer") == (403, "not-allowed")
    row = give(whole, unit="Burgerzaken")
    assert (row["unit"], row["state"], row["until"]) == ("Burgerzaken", "now", None)
    assert row["givenBy"] == f"person:{whole.people[ADMINISTRATOR]}"
    assert whole.call("PATCH", f"/services/{unit[0]}", change, by="viewer").status_code == 200
    assert whole.refused("PATCH", f"/services/{unit[1]}", change, by="viewer") == (403, "not-allowed")
    assert [each["id"] for each in whole.ok("GET", path(whole), by=ADMINISTRATOR)["items"]] == [row["id"]]
    listed = whole.ok("GET", "/grants?unit=Burgerzaken&q=viewer", by=ADMINISTRATOR)["items"]
    assert [(each["id"], each["person"]) for each in listed] == [(row["id"], "Bo viewer")]
    assert whole.ok("GET", "/grants?unit=Elders", by=ADMINISTRATOR)["total"] == 0
    (own,) = whole.ok("GET", "/sessions/current", by="viewer")["grants"]
    assert (own["role"], own["unit"]) == ("plan-owner", "Burgerzaken")


def test_a_role_at_a_service_is_named_by_reference_or_name(whole, unit):
    first = give(whole, service=unit[0].lower())
    assert (first["service"], first["name"]) == (unit[0], "Dienst Burgerzaken")
    second = give(whole, service="Dienst Sociaal domein")
    assert second["service"] == unit[1]
    for ref in unit:
        assert whole.call("PATCH", f"/services/{ref}", {"description": "x"}, by="viewer").status_code == 200


def test_an_ended_role_is_gone_from_the_next_request_on_and_stays_listed(whole, unit):
    row = give(whole, unit="Burgerzaken")
    address = f"{path(whole)}/{row['id']}/revocations"
    assert whole.refused("POST", f"{path(whole, 'author')}/{row['id']}/revocations", by=ADMINISTRATOR)[0] == 404
    ended = whole.ok("POST", address, by=ADMINISTRATOR)
    assert whole.ok("POST", address, by=ADMINISTRATOR)["revokedAt"] == ended["revokedAt"]
    assert whole.refused("PATCH", f"/services/{unit[0]}", {"description": "x"}, by="viewer") == (403, "not-allowed")
    (left,) = whole.ok("GET", path(whole), by=ADMINISTRATOR)["items"]
    assert left["state"] == "revoked"
    assert len(events(whole, "grant.revoked")) == 1
    give(whole, unit="Burgerzaken")


def test_a_role_holds_from_its_beginning_until_its_end(whole, unit):
    now = clock.now()
    begin, end = now + timedelta(minutes=10), now + timedelta(minutes=20)
    row = give(whole, unit="Burgerzaken", since=begin.isoformat(), until=end.isoformat())
    assert row["state"] == "later"
    for passed, status, state in ((0, 403, "later"), (11, 200, "now"), (21, 403, "over")):
        with time_machine.travel(now + timedelta(minutes=passed)):
            answer = whole.call("PATCH", f"/services/{unit[0]}", {"description": str(passed)}, by="viewer")
            assert answer.status_code == status
            assert whole.ok("GET", path(whole), by=ADMINISTRATOR)["items"][0]["state"] == state


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"role": "administrator"}, ("role", "whole-organisation-only")),
        ({"role": "Approver"}, ("role", "enum")),
        ({"unit": ""}, ("unit", "one-part")),
        ({"service": "SVC-001"}, ("unit", "one-part")),
        ({"unit": "Nergens"}, ("unit", "unknown-unit")),
        ({"unit": "BURGERZAKEN"}, ("unit", "unknown-unit")),
        ({"unit": "", "service": "SVC-999"}, ("service", "unknown-service")),
        ({"unit": "x" * 501}, ("unit", "string-too-long")),
        ({"since": "2020-01-01T00:00:00Z"}, ("since", "in-the-past")),
        ({"until": "2020-01-01T00:00:00Z"}, ("until", "too-early")),
        ({"since": "2090-01-01T00:00:00Z", "until": "2089-01-01T00:00:00Z"}, ("until", "too-early")),
        ({"since": "2090-01-01T00:00:00Z", "until": "2090-01-01T00:00:00Z"}, ("until", "too-early")),
        ({"until": "tomorrow"}, ("until", "datetime-from-date-parsing")),
        ({"givenBy": "system"}, ("givenBy", "extra-forbidden")),
        ({"revokedAt": None}, ("revokedAt", "extra-forbidden")),
    ],
)
def test_a_wrong_grant_is_refused_with_its_field(whole, unit, change, fault):
    given = {"role": "plan-owner", "unit": "Burgerzaken"} | change
    answer = whole.call("POST", path(whole), given, by=ADMINISTRATOR)
    assert answer.status_code == 400
    assert fault in {(each["field"], each["code"]) for each in answer.json()["errors"]}
    assert whole.ok("GET", "/grants", by=ADMINISTRATOR)["total"] == 0


def test_a_role_that_is_there_is_not_given_twice(whole, unit):
    give(whole, unit="Burgerzaken")
    given = {"role": "plan-owner", "unit": "Burgerzaken"}
    assert whole.refused("POST", path(whole), given, by=ADMINISTRATOR) == (409, "grant-exists")
    give(whole, unit="Sociaal domein")
    give(whole, role="operator", unit="Burgerzaken")


def test_nobody_gives_rights_to_themselves(whole, unit):
    own = f"/people/{whole.people[ADMINISTRATOR]}"
    given = {"role": "operator", "unit": "Burgerzaken"}
    assert whole.refused("POST", f"{own}/grants", given, by=ADMINISTRATOR) == (403, "own-rights")
    roles = ["administrator", "approver"]
    for change in ({"roles": roles}, {"roles": ["approver"]}, {"functions": ["process-owner"]}):
        assert whole.refused("PATCH", own, change, by=ADMINISTRATOR) == (403, "own-rights")
    assert whole.ok("GET", own, by=ADMINISTRATOR)["roles"] == ["administrator"]
    second = new_administrator(whole)
    assert whole.ok("PATCH", own, {"roles": roles}, by=second)["roles"] == sorted(roles)
    assert whole.ok("PATCH", own, {"roles": ["administrator"]}, by=ADMINISTRATOR)["roles"] == ["administrator"]


def test_it_does_not_matter_how_the_address_names_oneself(whole):
    for key in (whole.people[ADMINISTRATOR], "PER-001", "ada@example.nl", "ADA@EXAMPLE.NL"):
        assert whole.refused("PATCH", f"/people/{key}", {"roles": ["approver"]}, by=ADMINISTRATOR)[1] == "own-rights"


@pytest.mark.parametrize("change", [{"roles": []}, {"active": False}])
def test_the_last_administrator_stays(whole, change):
    """Somebody who is closed does not count; somebody who is not does."""
    only_one_administrator(whole)
    own, second = f"/people/{whole.people[ADMINISTRATOR]}", new_administrator(whole)
    whole.ok("PATCH", f"/people/{whole.people[second]}", {"active": False}, by=ADMINISTRATOR)
    assert whole.refused("PATCH", own, change, by=ADMINISTRATOR) == (409, "last-administrator")
    shown = whole.ok("GET", own, by=ADMINISTRATOR)
    assert (shown["roles"], shown["active"]) == (["administrator"], True)
    whole.ok("PATCH", f"/people/{whole.people[second]}", {"active": True}, by=ADMINISTRATOR)
    assert whole.call("PATCH", own, change, by=ADMINISTRATOR).status_code == 200


def test_two_administrators_who_remove_each_other_at_once_do_not_both_succeed(either):
    only_one_administrator(either)
    second = new_administrator(either)
    codes, begin = [], threading.Barrier(2)

    def remove(by, whom):
        begin.wait(10)
        codes.append(either.call("PATCH", f"/people/{either.people[whom]}", {"active": False}, by=by).status_code)

    threads = [
        threading.Thread(target=remove, args=pair) for pair in ((ADMINISTRATOR, second), (second, ADMINISTRATOR))
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert codes.count(200) == 1, codes
    assert set(codes) <= {200, 401, 409}


def test_a_new_approver_is_written_down_wherever_the_role_comes_from(whole, unit):
    before = len(events(whole, "approver.named"))
    given = {"name": "Nieuw", "email": "nieuw@example.nl", "roles": ["approver"]}
    whole.ok("POST", "/people", given, by=ADMINISTRATOR)
    whole.ok("PATCH", f"/people/{whole.people['viewer']}", {"roles": ["approver"]}, by=ADMINISTRATOR)
    whole.ok("PATCH", f"/people/{whole.people['viewer']}", {"roles": ["approver", "viewer"]}, by=ADMINISTRATOR)
    give(whole, "author", role="approver", unit="Burgerzaken")
    assert [set(each) for each in events(whole, "approver.named")[before:]] == [set(), set(), {"unit"}]


def test_who_administers_beside_other_work_is_permitted_and_said(whole, unit):
    before = len(events(whole, "administrator.doubled"))
    second = new_administrator(whole)
    where = f"/people/{whole.people[second]}"
    assert whole.ok("GET", where, by=ADMINISTRATOR)["doubled"] is False
    give(whole, second, role="approver", unit="Burgerzaken")
    assert whole.ok("PATCH", where, {"roles": ["administrator", "operator"]}, by=ADMINISTRATOR)["doubled"] is True
    beside = [["approver"], ["operator"]]
    assert [each["beside"] for each in events(whole, "administrator.doubled")[before:]] == beside


def test_an_administrator_runs_nothing(whole):
    for method, address in (("POST", "/drills"), ("POST", "/runs/x/cancellations"), ("POST", "/runs/x/approvals")):
        assert whole.refused(method, address, {}, by=ADMINISTRATOR) == (403, "not-allowed")


@pytest.mark.parametrize("part", ["viewer", "author", "approver", "auditor", MACHINE])
def test_others_see_names_to_choose_from_and_nothing_more(whole, part):
    shown = whole.ok("GET", "/people?pageSize=100", by=part)["items"]
    others = [each for each in shown if each["id"] != whole.people.get(part)]
    assert len(others) >= 8
    for each in others:
        hidden = {name for name, value in each.items() if value is None}
        assert hidden == {"email", "roles", "language", "createdAt", "doubled"}
    text = whole.call("GET", "/people?pageSize=100", by=part).text
    assert "ada@example.nl" not in text
    one = whole.ok("GET", f"/people/{whole.people[ADMINISTRATOR]}", by=part)
    assert (one["name"], one["email"], one["roles"]) == ("Ada Beheer", None, None)


@pytest.mark.parametrize("part", ["viewer", MACHINE])
def test_an_address_or_a_role_can_not_be_asked_for_either(whole, part):
    assert whole.refused("GET", "/people/ada@example.nl", by=part) == (404, "not-found")
    assert whole.ok("GET", "/people?q=ada@example.nl", by=part)["total"] == 0
    assert whole.ok("GET", "/people?q=Ada", by=part)["total"] == 1
    assert whole.refused("GET", "/people?role=administrator", by=part) == (403, "not-allowed")
    assert whole.refused("GET", "/grants", by=part) == (403, "not-allowed")
    assert whole.refused("GET", f"/people/{whole.people['viewer']}/grants", by=part) == (403, "not-allowed")


def test_everybody_sees_themselves_and_an_administrator_everybody(whole):
    own = whole.ok("GET", f"/people/{whole.people['viewer']}", by="viewer")
    assert (own["email"], own["roles"]) == ("viewer@example.nl", ["viewer"])
    assert whole.ok("GET", "/people/viewer@example.nl", by="viewer")["id"] == own["id"]
    shown = whole.ok("GET", "/people?pageSize=100&role=approver", by=ADMINISTRATOR)["items"]
    assert {each["name"] for each in shown} == {"Bo approver", "Bo process-owner", "Bo everybody"}
    assert whole.ok("GET", "/people?q=viewer@example", by=ADMINISTRATOR)["total"] == 1


def told(whole, kind):
    with whole.database.transaction(write=False) as session:
        rows = session.exec(select(OutboxMessage).where(OutboxMessage.kind == kind)).all()
        return {(row.person_id, row.subject, row.text) for row in rows}


def test_the_other_approvers_are_told_of_a_new_one(whole, unit):
    before = told(whole, "approver-named")
    give(whole, role="approver", unit="Burgerzaken")
    new = told(whole, "approver-named") - before
    approvers = {whole.people[part] for part in ("approver", "process-owner", EVERYBODY)}
    assert {person for person, _, _ in new} == approvers
    assert {subject for _, subject, _ in new} == {"Bo viewer is nu goedkeurder"}
    assert all("Burgerzaken" in text for _, _, text in new)


def test_who_made_a_token_is_told_once_before_it_ends(whole):
    given = {"name": "dashboard", "actions": ["read"], "everywhere": True}
    for days in (14, 60):
        whole.ok("POST", "/machine-tokens", {**given, "validDays": days}, by="viewer")
    for passed in (0, 1, 13):
        with whole.database.transaction() as session:
            tokens.sweep(session, now=clock.now() + timedelta(days=passed))
    ((person, subject, _),) = told(whole, "token-ends")
    assert person == whole.people["viewer"]
    assert subject.startswith("Het token dashboard eindigt op")
