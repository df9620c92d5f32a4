"""The API keeps the NLGov API Design Rules: over all of its routes, not over examples of them."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from starlette.routing import compile_path

from app.core import problems
from tests.flow.surface import Operation, document, lists, operations, paths
from tests.flow.whole import ADMINISTRATOR, API, EVERYBODY

ROOT = Path(__file__).parents[2]
RULES = ROOT / "tests" / "cases" / "nlgov-adr.yaml"
SPECTRAL = ROOT / ".venv" / "share" / "spectral" / "node_modules" / ".bin" / "spectral"
SECURITY = ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy")
READS = [each for each in operations() if each.method == "GET"]


@pytest.fixture(scope="module")
def still(template, tmp_path_factory):
    """One application for all tests that only read or are refused: nothing is ever written to it."""
    made = template.copy(tmp_path_factory.mktemp("still"))
    yield made
    made.database.dispose()


def spectral(file):
    if not SPECTRAL.exists() or shutil.which("node") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Spectral is missing, and CI must not skip what needs it: make test installs it where npm is")
        pytest.skip("not run: npm is not here, so Spectral could not be installed")
    argv = [str(SPECTRAL), "lint", "--ruleset", str(RULES), "--format", "json", "--quiet", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    return [f"{each['code']} {'/'.join(map(str, each['path']))}: {each['message']}" for each in json.loads(done.stdout)]


def test_the_document_has_no_error_nor_warning_by_the_nlgov_rules(tmp_path):
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document()))
    assert spectral(file) == []


def test_the_rules_do_find_something_in_a_document_that_breaks_them(tmp_path):
    wrong = json.loads(json.dumps(document()))
    wrong["paths"]["/Services/"] = wrong["paths"].pop("/services")
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(wrong))
    assert any("trailing-slash" in each for each in spectral(file))


def test_every_operation_has_its_own_camel_case_name():
    names = [each.details["operationId"] for each in operations()]
    assert len(set(names)) == len(names)
    assert [each for each in names if not re.fullmatch("[a-z]+([A-Z][a-z]*)*", each)] == []


TIMES = "(At|^at|From|Until|^until|Since|^since|^after|^asOf)$"
"""A moment ends in At; an end of a period says which end it is."""


def test_every_time_is_named_at_and_every_key_is_camel_case():
    wrong = []
    for name, schema in document()["components"]["schemas"].items():
        for key, field in schema.get("properties", {}).items():
            kinds = [field, *field.get("anyOf", [])]
            if any(each.get("format") == "date-time" for each in kinds) and not re.search(TIMES, key):
                wrong.append(f"{name}.{key}")
            if not re.fullmatch("[a-z][a-zA-Z0-9]*", key):
                wrong.append(f"{name}.{key}")
    assert wrong == []


@pytest.mark.parametrize("path", sorted(paths()))
def test_another_method_is_refused_with_all_that_are_accepted(still, path):
    accepted = paths()[path]
    address = next(each for each in operations() if each.path == path).address
    for method in sorted({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - accepted):
        answer = still.call(method, address, by=EVERYBODY)
        assert answer.status_code == 405, f"{method} {path}"
        assert set(answer.headers["Allow"].split(", ")) == accepted
        assert answer.headers["API-Version"]
        assert method == "HEAD" or answer.json()["code"] == "method-not-allowed"


def test_a_slash_at_the_end_is_another_address_and_no_redirect(still):
    for each in operations():
        answer = still.call(each.method, each.address + "/", by=EVERYBODY)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), str(each)


@pytest.mark.parametrize("each", READS, ids=str)
def test_head_answers_as_get_does_without_a_body(still, each):
    read, head = (still.call(method, each.address, by=EVERYBODY) for method in ("GET", "HEAD"))
    assert read.status_code in (200, 400, 404)
    assert (head.status_code, head.content) == (read.status_code, b"")
    assert {name: head.headers.get(name) for name in ("Content-Type", "Link", "API-Version")} == {
        name: read.headers.get(name) for name in ("Content-Type", "Link", "API-Version")
    }


@pytest.mark.parametrize("each", operations(), ids=str)
def test_every_refusal_is_a_problem_with_a_stable_code(still, each):
    answer = still.ask(each.method, API + each.address)
    assert answer.status_code in ({400} if (each.method, each.path) == ("POST", "/sessions") else {401})
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert {"type", "title", "status", "detail", "code", "instance"} <= set(told)
    assert told["status"] == answer.status_code
    assert re.fullmatch("[a-z]+(-[a-z]+)*", told["code"])
    assert answer.headers["API-Version"]
    assert answer.status_code != 401 or answer.headers["WWW-Authenticate"] == "Bearer"


BODIES = {
    "null": "null",
    "a list": "[]",
    "text": '"x"',
    "a strange key": '{"noSuchKey":1}',
    "not JSON": "{",
    "nothing": "",
}


@pytest.mark.parametrize("each", [each for each in operations() if each.json_body], ids=str)
def test_wrong_input_is_400_and_never_422_nor_500(still, each):
    for name, body in BODIES.items():
        answer = still.call(each.method, each.address, by=EVERYBODY, content=body)
        # An optional body may be null or absent, and an empty patch changes nothing: then the thing is not there.
        assert answer.status_code in (400, 404), f"{each} with {name}: {answer.status_code} {answer.text}"
        assert answer.json()["code"] in {"invalid-input", "bad-request", "not-found"}


@pytest.mark.parametrize("each", lists(), ids=str)
def test_a_list_pages_by_the_rules(still, each):
    answer = still.call("GET", f"{each.path}?pageSize=1", by=EVERYBODY)
    found = answer.json()
    assert {"items", "total", "page", "pageSize"} == set(found)
    assert (found["page"], found["pageSize"]) == (1, 1)
    assert 'rel="first"' in answer.headers["Link"]
    assert still.ok("GET", f"{each.path}?page=999999", by=EVERYBODY)["items"] == []


WRONG_QUERIES = {
    "pageSize=0": "pageSize",
    "pageSize=1000000000": "pageSize",
    "pageSize=-1": "pageSize",
    "pageSize=ten": "pageSize",
    "page=0": "page",
    "page=99999999999999999999": "page",
    "sort=noSuchField": "sort",
    "sort=-": "sort",
    "sort=name,,name": "sort",
    "noSuchKey=1": "noSuchKey",
    "PageSize=5": "PageSize",
    "q=%00": "q",
    "q=%E2%80%AE": "q",
}


@pytest.mark.parametrize("each", lists(), ids=str)
def test_a_list_refuses_a_query_that_it_does_not_know(still, each):
    for query, name in WRONG_QUERIES.items():
        if name in {"q", "sort"} and name not in each.query:
            continue
        answer = still.call("GET", f"{each.path}?{query}", by=EVERYBODY)
        assert answer.status_code == 400, f"{query}: {answer.text[:200]}"
        assert [error["field"].rsplit(".", 1)[-1] for error in answer.json()["errors"]] == [name], query


@pytest.mark.parametrize("each", [each for each in operations() if each.method == "GET"], ids=str)
def test_a_misspelt_query_key_is_refused_and_not_ignored(still, each):
    answer = still.call("GET", f"{each.address}?asof=2020-01-01", by=EVERYBODY)
    assert answer.status_code == 400, answer.text[:200]


def test_a_search_is_taken_literally(whole):
    whole.service(name="100% %_\\ zeker")
    assert whole.ok("GET", "/services?q=%25_%5C")["total"] == 1
    assert whole.ok("GET", "/services?q=__________")["total"] == 0


NESTED = "[" * 100_000 + "]" * 100_000
STRANGE = {
    "the same key twice": '{"name":"a","name":"b"}',
    "a key twice, deep inside": '{"name":"a","impactOverTime":[{"after":"PT1H","after":"PT2H","impact":1}]}',
    "an endless number": '{"name":"a","mbcoNumber":1e400}',
    "no number": '{"name":"a","mbcoNumber":NaN}',
    "minus infinity": '{"name":"a","mbcoNumber":-Infinity}',
    "half a character": '{"name":"\\ud800"}',
    "half a character the other way": '{"name":"a\\udc00b"}',
    "a NUL": '{"name":"a\\u0000b"}',
    "a NUL in a key": '{"na\\u0000me":"b"}',
    "control": '{"name":"a\\u001bb"}',
    "an override of the reading direction": '{"name":"invoice\\u202Efdp.exe"}',
    "nested a hundred thousand deep": NESTED,
    "nested in a field": '{"name":' + NESTED + "}",
    "an enormous whole number": '{"name":"a","mbcoNumber":' + "9" * 5000 + "}",
    "a byte order mark": "\ufeff" + '{"name":"a"}',
    "two documents": '{"name":"a"}{"name":"b"}',
    "a comment": '{"name":"a"} // x',
    "nothing that says anything": '{"name":"   "}',
    "too long a name": '{"name":"' + "x" * 201 + '"}',
}


@pytest.mark.parametrize("what", STRANGE)
def test_strange_json_is_refused_and_nothing_is_written(still, what):
    answer = still.call("POST", "/services", content=STRANGE[what].encode("utf-8", "surrogatepass"))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), answer.text
    assert answer.headers["API-Version"]
    assert len(answer.text) < 4000
    assert still.ok("GET", "/services")["total"] == 0


@pytest.mark.parametrize("raw", [b'{"name":"\xff"}', b"\x00\x01", '{"name":"a"}'.encode("utf-16")])
def test_bytes_that_are_not_utf8_are_refused(still, raw):
    assert still.refused("POST", "/services", content=raw) == (400, "bad-request")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data", "x", ""]
)
def test_another_content_type_than_json_is_refused(still, kind):
    answer = still.call("POST", "/services", content='{"name":"a","mtpd":"P1D"}', headers={"Content-Type": kind})
    assert answer.status_code in (400, 415), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert still.ok("GET", "/services")["total"] == 0


def test_a_body_that_is_too_large_is_refused_before_it_is_read_whole(still):
    assert still.refused("POST", "/services", content='{"name":"' + "x" * 1_100_000 + '"}') == (413, "body-too-large")


def test_all_wrong_fields_are_named_at_once(still):
    answer = still.call("POST", "/services", {"name": "", "mtpd": "soon", "criticality": "huge", "strange": 1})
    assert {error["field"] for error in answer.json()["errors"]} == {"name", "mtpd", "criticality", "strange"}


def test_a_name_of_any_language_is_kept_as_it_is(whole):
    name = "Ġużè – Çelik & 東京 🏛 <b>"
    assert whole.service(name=name)["name"] == name


def test_the_openapi_document_is_for_everybody_from_anywhere(still):
    answer = still.ask("GET", f"{API}/openapi.json")
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert answer.json()["openapi"].startswith("3.")
    assert answer.headers["API-Version"]
    assert still.ask("HEAD", f"{API}/openapi.json").status_code == 200
    assert "Access-Control-Allow-Origin" not in still.call("GET", "/services").headers


def test_creating_tells_where_it_stands_and_reading_it_there_gives_the_same(whole):
    made = whole.call("POST", "/services", {"name": "Belastingen"})
    assert made.status_code == 201
    answer = whole.ask("GET", made.headers["Location"], by="viewer")
    assert (answer.json()["id"], answer.headers["ETag"]) == (made.json()["id"], made.headers["ETag"])


def test_times_come_out_in_utc(whole):
    made = whole.service()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["createdAt"])


def test_an_edit_on_an_old_reading_is_refused_and_one_on_the_newest_is_not(whole):
    made = whole.call("POST", "/services", {"name": "Belastingen"})
    address, first = f"/services/{made.json()['id']}", made.headers["ETag"]
    second = whole.call("PATCH", address, {"name": "Heffingen"}, headers={"If-Match": first}).headers["ETag"]
    assert second != first
    assert whole.refused("PATCH", address, {"name": "Anders"}, headers={"If-Match": first}) == (412, "stale-edit")
    assert whole.ok("GET", address)["name"] == "Heffingen"
    assert whole.call("PATCH", address, {"name": "Nog eens"}, headers={"If-Match": second}).status_code == 200


def test_repeating_a_post_with_its_key_does_nothing_twice(either):
    key = {"Idempotency-Key": "a-key"}
    first, again = (either.call("POST", "/services", {"name": "Eén"}, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.headers["Location"] == again.headers["Location"]
    assert either.ok("GET", "/services")["total"] == 1
    assert either.refused("POST", "/services", {"name": "Twee"}, headers=key) == (409, "idempotency-key-reused")


def test_a_key_is_its_callers_own_and_outlives_their_session(whole):
    key = {"Idempotency-Key": "a-key"}
    first = whole.ok("POST", "/services", {"name": "Eén"}, headers=key)
    other = whole.ok("POST", "/services", {"name": "Twee"}, headers=key, by=ADMINISTRATOR)
    assert other["id"] != first["id"]
    renewed = whole.ask("POST", f"{API}/sessions", body={"signInToken": whole.sign_in_token("author")}).json()["token"]
    whole.tokens["author"] = renewed
    assert whole.ok("POST", "/services", {"name": "Eén"}, headers=key)["id"] == first["id"]


def test_what_was_refused_may_be_tried_again_with_its_key(whole):
    key = {"Idempotency-Key": "a-key"}
    assert whole.refused("POST", "/services", {"name": ""}, headers=key)[0] == 400
    assert whole.call("POST", "/services", {"name": "Goed"}, headers=key).status_code == 201


@pytest.mark.parametrize(
    "address", [f"{API}/services", f"{API}/nothing", "/sign-in", "/nothing", "/healthz", "/static/wissel.css"]
)
def test_every_answer_carries_the_security_headers(still, address):
    answer = still.ask("GET", address)
    assert [name for name in SECURITY if name not in answer.headers] == []


def test_a_bug_of_ours_is_told_as_a_problem_without_its_details(template, tmp_path):
    import httpx

    whole = template.copy(tmp_path)

    def broken():
        raise RuntimeError("the password is hunter2")

    whole.app.add_api_route(f"{API}/broken", broken)

    async def ask():
        transport = httpx.ASGITransport(app=whole.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(f"{API}/broken")

    import asyncio

    answer = asyncio.run(ask())
    whole.database.dispose()
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text
    assert answer.headers["API-Version"]
    assert [name for name in SECURITY if name not in answer.headers] == []


def test_a_wrong_method_costs_little(still, monkeypatch):
    assert still.call("PATCH", "/services").status_code == 405
    made = []
    monkeypatch.setattr(problems, "compile_path", lambda path: made.append(path) or compile_path(path))
    assert still.call("PATCH", "/services").status_code == 405
    assert made == []  # hundreds of patterns compiled anew for each would be a stranger's lever


def test_no_query_takes_a_number_for_a_day_or_a_moment(still):
    document = still.ok("GET", "/openapi.json")
    asked = []
    for path, item in document["paths"].items():
        for each in item.get("get", {}).get("parameters", ()) if "{" not in path else ():
            kinds = [each["schema"], *each["schema"].get("anyOf", ())]
            if each["in"] == "query" and {kind.get("format") for kind in kinds} & {"date", "date-time"}:
                asked.append(f"{path}?{each['name']}")
                for number in ("0", "0.5", "1795491983"):
                    refused = still.refused("GET", f"{path}?{each['name']}={number}", by=EVERYBODY)
                    assert refused == (400, "invalid-input"), asked[-1]
    assert {"/contracts?endsBefore", "/audit-events?until", "/coverage?asOf"} <= set(asked)


def test_an_operation_knows_its_address():
    assert Operation("GET", "/a/{key}/b/{other}", {}).address.count("/") == 4
