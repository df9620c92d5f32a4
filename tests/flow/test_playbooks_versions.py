"""Playbooks come in by API as immutable versions; another person publishes them."""

import pytest

from app.playbooks import service
from tests.flow.drills_app import RUNNERS, build, swap
from tests.unit.playbooks.written import SOUND


@pytest.fixture
def house(tmp_path):
    made = build(tmp_path)
    yield made
    made.database.dispose()


def test_a_playbook_is_published_by_another_person_and_can_then_be_planned(house):
    made = house.make("/playbooks", {"text": SOUND})
    assert (made["name"], made["version"], made["state"]) == ("move-desk", 1, "draft")
    refused = house.call("POST", "/drills", swap(playbook="move-desk"))
    assert refused.json()["errors"][0]["code"] == "playbook-not-published"
    own = house.call("POST", f"/playbooks/{made['id']}/reviews", {"verdict": "publish"})
    assert (own.status_code, own.json()["code"]) == (403, "own-review")
    done = house.call("POST", f"/playbooks/{made['id']}/reviews", {"verdict": "publish"}, as_="reviewer")
    assert (done.status_code, done.json()["state"], done.json()["reviewerId"]) == (201, "published", "reviewer")
    assert house.make("/drills", swap(playbook="move-desk"))["playbookId"] == made["id"]


def test_a_version_never_changes_and_an_edit_is_a_new_one(house):
    first = house.make("/playbooks", {"text": SOUND})
    same = house.call("POST", "/playbooks", {"text": SOUND})
    assert (same.status_code, same.json()["code"]) == (409, "playbook-unchanged")
    second = house.make("/playbooks", {"text": SOUND + "# edited\n"})
    assert (second["version"], second["sha256"] != first["sha256"]) == (2, True)
    assert house.call("GET", f"/playbooks/{first['id']}").json()["text"] == SOUND
    versions = house.call("GET", "/playbooks/move-desk/versions").json()
    assert [each["version"] for each in versions["items"]] == [2, 1]
    for method in ("PUT", "PATCH", "DELETE"):
        assert house.call(method, f"/playbooks/{first['id']}", {}).status_code == 405


def test_a_reviewed_version_is_not_reviewed_again(house):
    made = house.make("/playbooks", {"text": SOUND})
    path = f"/playbooks/{made['id']}/reviews"
    assert (
        house.call("POST", path, {"verdict": "reject", "note": "te kort"}, as_="reviewer").json()["state"] == "rejected"
    )
    again = house.call("POST", path, {"verdict": "publish"}, as_="reviewer")
    assert (again.status_code, again.json()["code"]) == (409, "already-reviewed")


def test_a_machine_never_reviews(house):
    made = house.make("/playbooks", {"text": SOUND})
    assert (
        house.call("POST", f"/playbooks/{made['id']}/reviews", {"verdict": "publish"}, as_="machine").status_code == 403
    )


def test_a_bad_text_is_refused_with_line_and_step_and_nothing_is_kept(house):
    text = SOUND.replace("timeout: PT30S, ", "")
    answer = house.call("POST", "/playbooks", {"text": text})
    assert (answer.status_code, answer.json()["code"]) == (400, "playbook-invalid")
    refusal = answer.json()["refusals"][0]
    assert (refusal["line"], refusal["step"], refusal["field"], refusal["code"]) == (
        18,
        "fenced",
        "timeout",
        "timeout-missing",
    )
    assert house.call("GET", "/playbooks/move-desk").status_code == 404


def test_checking_stores_nothing(house):
    assert house.call("POST", "/playbook-checks", {"text": SOUND}).json() == {
        "valid": True,
        "name": "move-desk",
        "refusals": [],
    }
    found = house.call("POST", "/playbook-checks", {"text": "a: [1"}).json()
    assert (found["valid"], found["refusals"][0]["code"]) == (False, "not-yaml")
    assert house.call("GET", "/playbooks/move-desk").status_code == 404


def test_the_shipped_playbooks_are_published_once(house):
    listed = house.call("GET", "/playbooks?pageSize=100").json()
    assert {each["name"] for each in listed["items"]} >= {"switch-sides", "verify-escrow", "verify-restore-dump"}
    assert {each["state"] for each in listed["items"]} == {"published"}
    with house.database.transaction() as session:
        assert service.load_shipped(session, registry=RUNNERS) == []


def test_the_catalogue_of_runners_tells_what_each_proves(house):
    listed = house.call("GET", "/runners").json()
    assert listed["total"] == len(RUNNERS)
    promote = house.call("GET", "/runners/postgres.promote").json()
    assert (promote["effect"], len(promote["requires"])) == ("changes", 2)
    assert "Proves:" in promote["description"]
    assert promote["parameters"]["properties"]["node"]
    assert house.call("GET", "/runners/nothing").status_code == 404


def test_a_key_sent_twice_answers_the_same(house):
    first = house.call("POST", "/playbooks", {"text": SOUND}, Idempotency_Key="k")
    again = house.call("POST", "/playbooks", {"text": SOUND}, Idempotency_Key="k")
    assert (first.status_code, again.status_code, first.json()["id"]) == (201, 201, again.json()["id"])
