"""Every case of every corpus, sent to the application: refused for its code, nothing written, never an answer 500."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.access import service as access
from app.access.rules import Role
from app.core.settings import Settings
from app.playbooks.rules import Mode
from tests.bad_inputs.read import HERE, checked, index, named
from tests.flow import example
from tests.flow.bad_requests import Requests, refused_as
from tests.flow.runs_site import link_of, make_world, told_switch
from tests.flow.whole import API, EVERYBODY, MACHINE, Whole, prove_all
from tests.unit.playbooks.written import SOUND

GUARDED_HERE = {"api", "register", "drills", "playbooks", "approvals", "urls"}
GUARDED_ELSEWHERE = {
    "archives": "tests/reliability/test_hostile_deposits.py",
    "commands": "tests/unit/runners/test_bad_commands.py",
    "templates": "tests/unit/runners/test_bad_commands.py",
    "output": "tests/unit/test_hostile_output.py",
}


@pytest.fixture(scope="module")
def requests(template, tmp_path_factory) -> Iterator[Requests]:
    """The application with the example organisation, and what the words of the corpora stand for."""
    whole = template.copy(tmp_path_factory.mktemp("bad"))
    service = whole.service()["id"]
    needs = whole.ok("POST", "/services", {"name": "Needs it", "dependsOn": [service]})["id"]
    supplier = whole.ok("POST", "/suppliers", {"name": "Supplier"}, by=EVERYBODY)["id"]
    example.enter(whole)
    plan = whole.ok("GET", "/plans/PLN-001", by=EVERYBODY)
    pairs = whole.ok("GET", "/environment-pairs", by=EVERYBODY)["items"]
    own = {each["service"]["id"] == plan["service"]["id"]: each["id"] for each in pairs}
    words = {
        "SERVICE": service,
        "NEEDS-SERVICE": needs,
        "SUPPLIER": supplier,
        "PLAN": plan["id"],
        "CLAIM": "switchover",
        "PAIR": own[True],
        "OTHER-PAIR": own[False],
        "DRILL": whole.ok("GET", "/drills", by=EVERYBODY)["items"][0]["id"],
    }
    yield Requests(whole, words)
    whole.database.dispose()


def is_refused(requests: Requests, case: dict[str, Any]) -> None:
    """Sends the case; it must be refused for its code, and leave every table as it was."""
    if "first" in case:
        first = requests.send({**case, "body": case["first"]})
        assert first.is_success, first.text
    before = requests.rows()
    answer = requests.send(case)
    assert answer.status_code < 500, answer.text
    assert refused_as(answer, case) == ""
    assert requests.rows() == before


@pytest.mark.parametrize("guard", ["api", "register", "drills"])
def test_what_is_sound_is_taken(requests, guard):
    case = index(guard)["sound"]
    assert requests.send({"by": "author", **case}).status_code == case["status"]


@pytest.mark.parametrize("name", named("api"))
def test_a_bad_request_is_refused(requests, name):
    is_refused(requests, named("api")[name])


@pytest.mark.parametrize("name", named("register"))
def test_a_register_takes_nothing_bad(requests, name):
    is_refused(requests, named("register")[name])


@pytest.mark.parametrize("name", named("drills"))
def test_a_bad_drill_is_refused(requests, name):
    case, sound = named("drills")[name], index("drills")["sound"]
    body = {**sound["body"], **case["change"]} if "change" in case else case["body"]
    is_refused(requests, {**sound, "by": "author", "status": 400, **case, "body": body})


def playbook(case: dict[str, Any]) -> str:
    """The text of a case, as a client sends it."""
    if "file" in case:
        return (HERE / "playbooks" / case["file"]).read_bytes().decode("utf-8", "surrogateescape")
    old, new = case["change"]
    assert old in SOUND
    return SOUND.replace(old, new, 1) if old else SOUND + new


@pytest.mark.parametrize("name", [name for name, case in named("playbooks").items() if case["code"] != "not-utf8"])
def test_a_bad_playbook_is_refused(requests, name):
    case = named("playbooks")[name]
    before = requests.rows()
    for path in ("/playbooks", "/playbook-checks"):
        answer = requests.whole.call("POST", path, {"text": playbook(case)}, by="author")
        assert answer.status_code == (400 if path == "/playbooks" else 200), answer.text
        assert case["code"] in codes_of(answer.json()), answer.text
    assert requests.rows() == before


def codes_of(told: Any) -> set[str]:
    """Every code in an answer."""
    if isinstance(told, dict):
        own = {told["code"]} if isinstance(told.get("code"), str) else set()
        return own.union(*(codes_of(each) for each in told.values()))
    return set().union(*(codes_of(each) for each in told)) if isinstance(told, list) and told else set()


def test_a_sound_playbook_is_taken(requests):
    answer = requests.whole.call("POST", "/playbook-checks", {"text": SOUND}, by="author")
    assert codes_of(answer.json()) == set()


@pytest.mark.parametrize("name", [name for name, case in named("urls").items() if case.get("form")])
def test_a_bad_address_in_a_playbook_is_refused(requests, name):
    url = json.dumps(named("urls")[name]["url"])
    text = SOUND.replace('url: "${pair.service}"', f"url: {url}", 1)
    before = requests.rows()
    answer = requests.whole.call("POST", "/playbooks", {"text": text}, by="author")
    assert answer.status_code == 400, answer.text
    # A password in an address is told as the secret that it is, a control code as what it is.
    assert codes_of(answer.json()) & {"url-refused", "secret-inline", "forbidden-character"}
    assert requests.rows() == before


@pytest.fixture(scope="module")
def live(tmp_path_factory) -> Iterator[tuple[Whole, Any]]:
    """A small world with a live drill, and a bearer token for each of its people."""
    folder = tmp_path_factory.mktemp("live")
    world, site = make_world(folder)
    world.now = datetime.now(UTC)
    whole = Whole(site, Settings(data_dir=folder))
    for name in ("operator", "approver", "owner", "author"):
        answer = whole.ask("POST", f"{API}/sessions", body={"signInToken": link_of(site, name)})
        whole.tokens[name] = answer.json()["token"]
    whole.tokens[MACHINE] = machine_token(whole)
    yield whole, world
    site.state.database.dispose()


def machine_token(whole: Whole) -> str:
    """A token of a program that may do all that a program may."""
    with whole.database.transaction() as session:
        access.find_person(session, "operator").roles = [Role.OPERATOR, Role.ADMINISTRATOR]
    prove_all(whole.database)
    token = {"name": "robot", "actions": ["read", "operate-run"], "everywhere": True}
    return str(whole.ok("POST", "/machine-tokens", token, by="operator")["token"])


def waiting(whole: Whole, world: Any) -> dict[str, Any]:
    """A fresh run that waits for approval."""
    text = told_switch() | {"playbook": f"p-{uuid.uuid4().hex[:8]}"}
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    drill = world.drill(text, Mode.LIVE, pair_id="pair", direction="over", inputs=inputs)
    return whole.ok("POST", f"/drills/{drill}/runs", {}, by="operator")


@pytest.mark.parametrize("name", named("approvals"))
def test_a_bad_approval_is_refused(live, name):
    whole, _ = live
    case, run = named("approvals")[name], waiting(*live)
    yes = {"digest": run["digest"], "verdict": "approved"}
    for each in case.get("after", []):
        whole.ok("POST", f"/runs/{run['id']}/approvals", yes, by=each)
    given = {**yes, **({"digest": case["digest"]} if "digest" in case else {}), **case.get("more", {})}
    requests = Requests(whole)
    before = requests.rows()
    is_right = {**case, "method": "POST", "path": f"/runs/{run['id']}/approvals", "body": given}
    answer = requests.send(is_right)
    assert refused_as(answer, case) == ""
    assert requests.rows() == before
    assert whole.ok("GET", f"/runs/{run['id']}", by="operator")["state"] == "awaiting approval"


def test_a_right_approval_is_taken(live):
    whole, _ = live
    run = waiting(*live)
    yes = {"digest": run["digest"], "verdict": "approved"}
    by = index("approvals")["sound"]["by"]
    assert whole.call("POST", f"/runs/{run['id']}/approvals", yes, by=by).status_code == 201


def test_every_corpus_has_its_guard_and_every_guard_its_corpus():
    folders = {each.name for each in HERE.iterdir() if each.is_dir() and not each.name.startswith("_")}
    assert folders == GUARDED_HERE | set(GUARDED_ELSEWHERE)
    for guard, file in GUARDED_ELSEWHERE.items():
        assert f'"{guard}"' in Path(file).read_text() or f"bad_inputs.{guard}" in Path(file).read_text(), guard


def test_every_file_of_a_corpus_has_its_case():
    files = {each.name for each in (HERE / "playbooks").iterdir()} - {"cases.yaml"}
    assert files == {case["file"] for case in named("playbooks").values() if "file" in case}


@pytest.mark.parametrize(
    "bad",
    [
        {"cases": []},
        {"cases": [{"name": "x"}]},
        {"cases": [{"name": "x", "code": ""}]},
        {"cases": [{"name": "x", "code": 400}]},
        {"cases": [{"code": "x"}]},
        {"cases": [{"name": "x", "code": "a"}, {"name": "x", "code": "b"}]},
        {"cases": {"x": None}},
    ],
    ids=str,
)
def test_a_case_that_expects_nothing_is_caught(bad):
    with pytest.raises(AssertionError):
        checked(bad, "planted")
