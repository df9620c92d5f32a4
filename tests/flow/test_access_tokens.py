"""Machine tokens: for these verbs at these places, never more than their maker may do, ended at once."""

import threading
from datetime import timedelta

import pytest
import time_machine
from sqlmodel import select

from app import keeping
from app.access.rules import PEOPLE_ONLY, Action
from app.access.token_models import MachineToken, RoleGrant
from app.access.tokens import hashed
from app.core import clock
from app.core.db import Database
from tests.flow.whole import ADMINISTRATOR, EVERYBODY, MACHINE, settings_in

READ = {"name": "dashboard", "actions": ["read"], "everywhere": True}


def made(whole, given, *, by=EVERYBODY, name="made"):
    """A token, to call with as `name`; what was answered."""
    answer = whole.ok("POST", "/machine-tokens", given, by=by)
    whole.tokens[name] = answer["token"]
    return answer


def faults(whole, given, *, by=EVERYBODY):
    answer = whole.call("POST", "/machine-tokens", given, by=by)
    assert answer.status_code in (400, 403), answer.text
    return answer.json()["code"], {(each["field"], each["code"]) for each in answer.json().get("errors", [])}


@pytest.fixture
def two_units(whole):
    """One service in each of two units."""
    return [whole.service(name=f"Dienst {unit}", unit=unit)["ref"] for unit in ("Burgerzaken", "Sociaal domein")]


def stored(whole, token_id):
    with whole.database.transaction(write=False) as session:
        return session.get(MachineToken, token_id)


@pytest.mark.parametrize("action", sorted(PEOPLE_ONLY))
def test_what_a_person_answers_for_is_refused_to_a_token(whole, action):
    code, found = faults(whole, {**READ, "actions": ["read", action]})
    assert (code, found) == ("never-by-token", {("actions", "never-by-token")})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"actions": []}, ("actions", "too-short")),
        ({"actions": ["READ"]}, ("actions.0", "enum")),
        ({"actions": ["read", "read"]}, ("actions", "repeated")),
        ({"actions": ["everything"]}, ("actions.0", "enum")),
        ({"everywhere": False}, ("units", "scope-missing")),
        ({"units": ["Burgerzaken"]}, ("everywhere", "one-scope")),
        ({"everywhere": False, "units": ["Nergens"]}, ("units.0", "unknown-unit")),
        ({"everywhere": False, "units": ["burgerzaken"]}, ("units.0", "unknown-unit")),
        ({"everywhere": False, "units": ["Burgerzaken", "Burgerzaken"]}, ("units.1", "repeated")),
        ({"everywhere": False, "services": ["SVC-999"]}, ("services.0", "unknown-service")),
        ({"everywhere": False, "services": ["svc-001", "Dienst Burgerzaken"]}, ("services.1", "repeated")),
        ({"validDays": 0}, ("validDays", "greater-than-equal")),
        ({"validDays": 91}, ("validDays", "less-than-equal")),
        ({"validDays": -1}, ("validDays", "greater-than-equal")),
        ({"validDays": True}, ("validDays", "int-parsing")),
        ({"validDays": 1.5}, ("validDays", "int-from-float")),
        ({"validDays": 30, "expiresAt": "2099-01-01T00:00:00Z"}, ("expiresAt", "one-end")),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, ("expiresAt", "in-the-past")),
        ({"expiresAt": "2099-01-01T00:00:00Z"}, ("expiresAt", "too-late")),
        ({"expiresAt": "2026-02-30T00:00:00Z"}, ("expiresAt", "datetime-from-date-parsing")),
        ({"name": ""}, ("name", "string-too-short")),
        ({"name": "a\u202eb"}, ("name", "value-error")),
        ({"roles": ["approver"]}, ("roles", "extra-forbidden")),
        ({"createdBy": "x"}, ("createdBy", "extra-forbidden")),
        ({"tokenHash": "x"}, ("tokenHash", "extra-forbidden")),
    ],
)
def test_a_wrong_token_is_refused_with_its_field(whole, two_units, change, fault):
    before = whole.ok("GET", "/machine-tokens", by=ADMINISTRATOR)["total"]
    _, found = faults(whole, {**READ, **change})
    assert fault in found
    assert whole.ok("GET", "/machine-tokens", by=ADMINISTRATOR)["total"] == before


def test_not_a_number_is_no_number_of_days(whole):
    answer = whole.call(
        "POST", "/machine-tokens", by=EVERYBODY, content='{"name": "x", "actions": ["read"], "validDays": NaN}'
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


def test_the_fault_of_another_case_says_what_was_meant(whole, two_units):
    given = {**READ, "everywhere": False, "units": ["burgerzaken"]}
    answer = whole.call("POST", "/machine-tokens", given, by=EVERYBODY)
    assert "'Burgerzaken'" in answer.json()["errors"][0]["reason"]


def test_a_token_may_not_do_more_than_its_maker(whole, two_units):
    for part, action in ((ADMINISTRATOR, "operate-run"), ("viewer", "edit-plan"), ("operator", "edit-catalog")):
        code, found = faults(whole, {**READ, "actions": [action]}, by=part)
        assert (code, found) == ("beyond-your-rights", {("actions", "beyond-your-rights")})


def test_a_token_makes_no_token_person_or_grant(whole):
    """Not with every verb that a token can have, and nothing changes."""
    viewer = whole.people["viewer"]
    for method, path, body in (
        ("POST", "/machine-tokens", READ),
        ("POST", "/machine-clients", {**READ, "clientId": "x"}),
        ("POST", "/people", {"name": "X", "email": "x@example.nl", "roles": ["approver"]}),
        ("PATCH", f"/people/{viewer}", {"roles": ["approver"]}),
        ("POST", f"/people/{viewer}/sign-in-links", None),
        ("POST", f"/people/{viewer}/grants", {"role": "approver", "unit": "Burgerzaken"}),
        ("GET", "/machine-tokens", None),
        ("GET", "/grants", None),
    ):
        assert whole.refused(method, path, body, by=MACHINE) == (403, "not-allowed"), path


def test_a_token_does_what_it_was_made_for_and_nothing_else(whole):
    made(whole, {**READ, "actions": ["edit-catalog"]}, name="catalogue")
    assert whole.ok("GET", "/sessions/current", by="catalogue")["actions"] == ["edit-catalog", "read"]
    assert whole.call("POST", "/services", {"name": "Door een token"}, by="catalogue").status_code == 201
    assert whole.call("GET", "/services", by="catalogue").status_code == 200
    found = {"title": "x", "severity": "high"}
    assert whole.refused("POST", "/findings", found, by="catalogue") == (403, "not-allowed")


@pytest.mark.parametrize("scope", [{"units": ["Burgerzaken"]}, {"services": ["SVC-001"]}])
def test_a_narrow_token_sees_and_changes_its_own_part_only(either, scope):
    mine, other = [either.service(name=f"D {unit}", unit=unit) for unit in ("Burgerzaken", "Sociaal domein")]
    made(either, {"name": "smal", "actions": ["edit-catalog"], **scope})
    assert [each["ref"] for each in either.ok("GET", "/services", by="made")["items"]] == [mine["ref"]]
    assert either.call("GET", f"/services/{mine['ref']}", by="made").status_code == 200
    assert either.refused("GET", f"/services/{other['ref']}", by="made") == (404, "not-found")
    change = {"description": "anders"}
    assert either.call("PATCH", f"/services/{mine['ref']}", change, by="made").status_code == 200
    assert either.refused("PATCH", f"/services/{other['ref']}", change, by="made") == (404, "not-found")
    (grants,) = [each["parts"] for each in either.ok("GET", "/machine-tokens?q=smal", by=EVERYBODY)["items"]]
    assert [(each["unit"], each["service"]) for each in grants] in ([("Burgerzaken", "")], [("", "SVC-001")])


def test_a_narrow_token_makes_nothing_for_the_whole_organisation(whole, two_units):
    made(whole, {"name": "smal", "actions": ["edit-catalog"], "units": ["Burgerzaken"]})
    assert whole.refused("POST", "/suppliers", {"name": "Leverancier"}, by="made") == (403, "not-allowed")
    assert whole.refused("POST", "/services", {"name": "Zonder eenheid"}, by="made")[0] in (403, 404)


def test_a_token_shrinks_with_its_maker(whole, two_units):
    """What the maker may not do (any more), the token may not; and it comes back with the role, not with another."""
    made(whole, {**READ, "actions": ["edit-catalog"]}, by="author", name="wide")
    made(whole, {"name": "smal", "actions": ["edit-catalog"], "units": ["Burgerzaken"]}, by="author", name="narrow")
    for part in ("wide", "narrow"):
        assert whole.call("GET", "/services", by=part).status_code == 200
    author = f"/people/{whole.people['author']}"
    whole.ok("PATCH", author, {"roles": ["viewer"]}, by=ADMINISTRATOR)
    for part in ("wide", "narrow"):
        assert whole.refused("PATCH", f"/services/{two_units[0]}", {"description": "x"}, by=part)[0] == 403
    whole.ok("PATCH", author, {"roles": ["plan-owner"]}, by=ADMINISTRATOR)
    for part in ("wide", "narrow"):
        assert whole.call("PATCH", f"/services/{two_units[0]}", {"description": part}, by=part).status_code == 200


def test_a_maker_with_a_role_in_a_unit_makes_tokens_for_that_unit_alone(whole, two_units):
    viewer = f"/people/{whole.people['viewer']}"
    given = {"role": "plan-owner", "unit": "Burgerzaken"}
    grant = whole.ok("POST", f"{viewer}/grants", given, by=ADMINISTRATOR)
    edit = {"name": "smal", "actions": ["edit-catalog"]}
    assert faults(whole, {**edit, "everywhere": True}, by="viewer")[0] == "beyond-your-rights"
    assert faults(whole, {**edit, "units": ["Sociaal domein"]}, by="viewer")[0] == "beyond-your-rights"
    made(whole, {**edit, "units": ["Burgerzaken"]}, by="viewer", name="unit")
    made(whole, {**edit, "services": [two_units[0]]}, by="viewer", name="service")
    change = {"description": "x"}
    for part in ("unit", "service"):
        assert whole.call("PATCH", f"/services/{two_units[0]}", change, by=part).status_code == 200
    whole.ok("POST", f"{viewer}/grants/{grant['id']}/revocations", by=ADMINISTRATOR)
    for part in ("unit", "service"):
        assert whole.refused("PATCH", f"/services/{two_units[0]}", change, by=part)[0] in (403, 404)


def test_another_units_names_are_as_unknown_as_none(whole, two_units):
    """Who sees one unit learns nothing of another by asking for a token there."""
    person = whole.ok("POST", "/people", {"name": "Smal", "email": "smal@example.nl"}, by=ADMINISTRATOR)
    whole.people["narrow"] = person["id"]
    given = {"role": "viewer", "unit": "Burgerzaken"}
    whole.ok("POST", f"/people/{person['id']}/grants", given, by=ADMINISTRATOR)
    body = {"signInToken": whole.sign_in_token("narrow")}
    whole.tokens["narrow"] = whole.ask("POST", "/api/v1/sessions", body=body).json()["token"]
    for scope, code in (
        ({"units": ["Sociaal domein"]}, "unknown-unit"),
        ({"services": [two_units[1]]}, "unknown-service"),
    ):
        _, found = faults(whole, {"name": "x", "actions": ["read"], **scope}, by="narrow")
        assert [fault for _, fault in found] == [code]
    made(whole, {"name": "x", "actions": ["read"], "units": ["Burgerzaken"]}, by="narrow")
    assert whole.ok("GET", "/services", by="made")["total"] == 1


def test_tokens_end_with_their_maker_and_do_not_come_back(whole):
    made(whole, READ, by="viewer")
    viewer = f"/people/{whole.people['viewer']}"
    assert whole.call("GET", "/services", by="made").status_code == 200
    whole.ok("PATCH", viewer, {"active": False}, by=ADMINISTRATOR)
    assert whole.call("GET", "/services", by="made").status_code == 401
    whole.ok("PATCH", viewer, {"active": True}, by=ADMINISTRATOR)
    assert whole.call("GET", "/services", by="made").status_code == 401


def test_each_ends_their_own_and_an_administrator_anybodys(whole):
    first = made(whole, READ, by="viewer")
    second = made(whole, READ, by="operator", name="second")
    assert [each["id"] for each in whole.ok("GET", "/machine-tokens", by="viewer")["items"]] == [first["id"]]
    everybodys = {each["id"] for each in whole.ok("GET", "/machine-tokens", by=ADMINISTRATOR)["items"]}
    assert {first["id"], second["id"]} <= everybodys
    path = "/machine-tokens/{}/revocations"
    assert whole.refused("POST", path.format(second["id"]), by="viewer") == (404, "not-found")
    assert whole.call("GET", "/services", by="second").status_code == 200
    whole.ok("POST", path.format(first["id"]), by="viewer")
    whole.ok("POST", path.format(second["id"]), by=ADMINISTRATOR)
    again = whole.ok("POST", path.format(second["id"]), by=ADMINISTRATOR)
    assert again["revokedAt"]
    assert [whole.call("GET", "/services", by=part).status_code for part in ("made", "second")] == [401, 401]


def test_a_token_works_until_its_moment(whole):
    end = clock.now() + timedelta(days=2)
    answer = made(whole, {**READ, "expiresAt": end.isoformat()})
    assert answer["expiresAt"][:19] == end.isoformat()[:19]
    assert (answer["endsSoon"], made(whole, READ, name="long")["endsSoon"]) == (True, False)
    with time_machine.travel(end - timedelta(seconds=5)):
        assert whole.call("GET", "/services", by="made").status_code == 200
    with time_machine.travel(end + timedelta(seconds=1)):
        assert whole.call("GET", "/services", by="made").status_code == 401


def test_its_last_use_is_noted_once_a_minute_with_the_address(either):
    answer = made(either, READ)
    assert answer["lastUsedAt"] is None
    start = clock.now()
    with time_machine.travel(start, tick=False):
        either.call("GET", "/services", by="made")
    first = stored(either, answer["id"])
    assert (first.last_used_at, first.last_used_from) == (start, "127.0.0.1")
    with time_machine.travel(start + timedelta(seconds=59), tick=False):
        either.call("GET", "/services", by="made")
    assert stored(either, answer["id"]).last_used_at == start
    with time_machine.travel(start + timedelta(seconds=61), tick=False):
        either.call("GET", "/services", by="made")
    assert stored(either, answer["id"]).last_used_at == start + timedelta(seconds=61)


def test_no_room_to_note_the_use_refuses_nobody(whole):
    answer = made(whole, READ)
    with whole.database.engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE UPDATE ON machine_token BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
        connection.commit()
    assert whole.call("GET", "/services", by="made").status_code == 200
    assert stored(whole, answer["id"]).last_used_at is None


def test_what_is_revoked_while_it_is_used_is_refused_from_the_next_request_on(either):
    """Eight programs use one token without a pause; after the answer to the revocation no request is let in."""
    answer = made(either, READ)
    stop, late = threading.Event(), []
    revoked = threading.Event()

    def use():
        while not stop.is_set():
            after = revoked.is_set()
            status = either.call("GET", "/sessions/current", by="made").status_code
            if after:
                late.append(status)
                return

    threads = [threading.Thread(target=use) for _ in range(4)]
    for each in threads:
        each.start()
    either.ok("POST", f"/machine-tokens/{answer['id']}/revocations", by=EVERYBODY)
    revoked.set()
    for each in threads:
        each.join(20)
    stop.set()
    assert late == [401] * 4


def test_only_hashes_are_kept_and_what_opens_a_door_is_in_no_list(whole):
    answer = made(whole, READ)
    row = stored(whole, answer["id"])
    assert answer["token"].startswith("wsl_")
    assert answer["prefix"] == answer["token"][:10]
    assert answer["token"] not in str(row.model_dump())
    shown = whole.call("GET", "/machine-tokens", by=ADMINISTRATOR).text
    assert answer["token"] not in shown
    assert row.token_hash not in shown


def test_a_token_made_before_there_were_verbs_is_bounded_by_its_maker_too(whole):
    answer = made(whole, READ, by="viewer")
    with whole.database.transaction() as session:
        row = session.get(MachineToken, answer["id"])
        row.actions, row.roles = [], ["administrator", "approver", "operator", "viewer"]
        session.add(row)
    assert whole.call("GET", "/services", by="made").status_code == 200
    for method, path in (("POST", "/people"), ("POST", "/suppliers"), ("POST", "/runs/x/approvals")):
        assert whole.refused(method, path, {}, by="made")[0] in (403, 404), path


def test_every_verb_is_either_for_people_or_can_be_given(whole):
    verbs = [each.value for each in Action if each not in PEOPLE_ONLY]
    answer = made(whole, {**READ, "actions": verbs})
    assert answer["actions"] == sorted(verbs)
    with whole.database.transaction(write=False) as session:
        assert session.exec(select(MachineToken).where(MachineToken.id == answer["id"])).one().actions == sorted(verbs)


def test_a_backup_holds_no_token_nor_its_places_and_restores(whole, two_units, tmp_path):
    made(whole, {"name": "smal", "actions": ["read"], "units": ["Burgerzaken"]})
    viewer = f"/people/{whole.people['viewer']}"
    whole.ok("POST", f"{viewer}/grants", {"role": "operator", "unit": "Burgerzaken"}, by=ADMINISTRATOR)
    report = keeping.backup(whole.settings, tmp_path / "one", told=lambda *_: None)
    assert "machine_token" not in report.manifest.tables
    assert report.manifest.tables["role_grant"].rows == 1
    assert hashed(whole.tokens["made"]).encode() not in (tmp_path / "one").read_bytes()
    settings = settings_in(tmp_path / "new")
    keeping.restore(settings, tmp_path / "one", expected=None, told=lambda *_: None)
    restored = Database(settings.url)
    with restored.transaction(write=False) as session:
        assert [row.unit for row in session.exec(select(RoleGrant))] == ["Burgerzaken"]
        assert session.exec(select(MachineToken)).all() == []
    restored.dispose()
