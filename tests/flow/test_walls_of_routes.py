"""Over every route there is: the headers on each answer, no form without its token, no change by reading."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text
from sqlmodel import SQLModel

from app.access.identity import cookie_name
from app.core.browser import form, form_with_file, open_form
from tests.flow import example
from tests.flow.surface import NOTHING
from tests.flow.test_api_rules import SECURITY
from tests.flow.test_schemathesis import first_of_each
from tests.flow.whole import API, EVERYBODY, Whole, prove_all

HOME = {"Sec-Fetch-Site": "same-origin", "Origin": "http://test"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STREAMS = re.compile(r"/(stream|events)$")
"""Answers without end, which are looked at by their head."""
MAY_MOVE = ("audit_", "user_session", "machine_token")
"""Tables that a reader may add to: who looked, and when a session was last used."""


class Site:
    """The filled application, a signed-in browser, and an id of each kind of thing."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole
        self.known = first_of_each(whole)
        self.cookie = self.sign_in()
        self.csrf = self.token(self.cookie)

    def sign_in(self) -> str:
        """The cookie of a new session of the person with every role."""
        body = f"token={self.whole.sign_in_token(EVERYBODY)}"
        answer = self.whole.ask("POST", "/sign-in", content=body, headers=HOME | FORM)
        prove_all(self.whole.database)  # else what asks for a fresh proof would send them to give one first
        return answer.cookies[cookie_name(self.whole.settings)]

    def token(self, cookie: str) -> str:
        """The token in the forms of this session."""
        page = self.ask("GET", "/services/new", cookie=cookie).text
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found, page
        return found[1]

    def ask(self, method, path, *, cookie=None, **more):
        cookies = {cookie_name(self.whole.settings): cookie or self.cookie}
        return self.whole.ask(method, path, cookies=cookies, **more)

    def address(self, path: str) -> str:
        """The path with an id that exists, where one is known."""
        kind = path.removeprefix(API).split("/")[1]
        filled = path.replace("{key}", self.known.get(kind, NOTHING), 1).replace("{number}", "1.0")
        return re.sub(r"\{[^}]+\}", NOTHING, filled)

    def rows(self) -> dict[str, list[str]]:
        """Everything that is stored."""
        with self.whole.database.engine.connect() as link:
            return {
                name: sorted(str(tuple(row)) for row in link.execute(text(f'SELECT * FROM "{name}"')))
                for name in SQLModel.metadata.tables
                if not name.startswith(MAY_MOVE)
            }


@pytest.fixture(scope="module")
def site(template, tmp_path_factory) -> Iterator[Site]:
    made = template.copy(tmp_path_factory.mktemp("walls"))
    entered = example.enter(made)
    drill = made.ok("GET", "/drills", by=EVERYBODY)["items"][0]["id"]
    made.call("POST", f"/drills/{drill}/runs", {}, by="operator")
    assert entered.drills
    yield Site(made)
    made.database.dispose()


def routes(site: Site, method: str) -> list[tuple[str, object]]:
    """(path, dependant) of each route with this method."""
    return [
        (route.path, route.dependant)
        for route in iter_route_contexts(site.whole.app.routes)
        if route.path and method in (route.methods or ()) and getattr(route, "dependant", None)
    ]


def depends_on(dependant, functions) -> bool:
    return dependant.call in functions or any(depends_on(each, functions) for each in dependant.dependencies)


def forms(site: Site) -> list[str]:
    return [path for path, _ in routes(site, "POST") if not path.startswith("/api/")]


def test_every_form_is_read_by_the_one_guard(site):
    guards = {form, form_with_file, open_form}
    missing = [
        path
        for path, dependant in routes(site, "POST")
        if not path.startswith("/api/") and not depends_on(dependant, guards)
    ]
    assert missing == []
    assert len(forms(site)) > 80


def forged(site: Site) -> dict[str, tuple[dict[str, str], str]]:
    """Headers and form token of requests that another page could make a browser send."""
    other = site.token(site.sign_in())
    assert other != site.csrf
    return {
        "no token": (HOME, ""),
        "a wrong token": (HOME, "x" * len(site.csrf)),
        "another session's token": (HOME, other),
        "a foreign origin": ({"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"}, site.csrf),
        "a neighbour": ({"Sec-Fetch-Site": "same-site", "Origin": "http://x.test"}, site.csrf),
        "a foreign site": ({"Sec-Fetch-Site": "cross-site", "Origin": "http://test"}, site.csrf),
        "an origin of null": ({"Origin": "null"}, site.csrf),
        "another port": ({"Origin": "http://test:8080"}, site.csrf),
        "a foreign referrer": ({"Referer": "http://evil.example/http://test/"}, site.csrf),
        "nothing said": ({}, site.csrf),
    }


def test_no_form_is_taken_without_its_token_or_from_another_site(site):
    attacks, wrong = forged(site), []
    before = site.rows()
    open_ones = {path for path, dependant in routes(site, "POST") if depends_on(dependant, {open_form})}
    for name, (headers, token) in attacks.items():
        for path in forms(site):
            if path in open_ones and "token" in name:
                continue  # nobody is signed in yet: there is no session whose token it could bear
            answer = site.ask("POST", site.address(path), content=f"csrf={token}&reason=x", headers=headers | FORM)
            if answer.status_code != 403 or "forged-form" not in answer.text:
                wrong.append(f"{name}: {path}: {answer.status_code}")
    assert wrong == []
    assert site.rows() == before


def test_a_form_with_its_token_is_looked_at(site):
    answer = site.ask("POST", "/services", content=f"csrf={site.csrf}", headers=HOME | FORM)
    assert answer.status_code == 400
    assert "forged-form" not in answer.text


def test_reading_changes_nothing(site):
    before, looked = site.rows(), 0
    for path, _ in routes(site, "GET"):
        if STREAMS.search(path):
            continue
        where = site.address(path)
        by = EVERYBODY if path.startswith("/api/") else None
        answer = site.ask("GET", where, **({"by": by} if by else {}))
        assert answer.status_code < 500, (path, answer.text)
        looked += answer.status_code == 200
    assert looked > 100
    after = site.rows()
    assert [name for name in before if before[name] != after[name]] == []


def test_every_answer_bears_the_headers_whoever_asks(site):
    wrong, streams = [], 0
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        for path in sorted({each for each, _ in routes(site, "GET") + routes(site, "POST")}):
            if STREAMS.search(path) and method == "GET":
                streams += 1
                continue
            for by in (None, EVERYBODY):
                if by and method != "GET":
                    continue
                where = site.address(path)
                answer = site.ask(method, where, by=by) if by else site.whole.ask(method, where)
                if [each for each in SECURITY if each not in answer.headers] or "Cache-Control" not in answer.headers:
                    wrong.append(f"{method} {path} {by}: {answer.status_code}")
                policy = answer.headers.get("Content-Security-Policy", "")
                if "unsafe" in policy or "*" in policy or "default-src 'none'" not in policy:
                    wrong.append(f"{method} {path}: {policy}")
    assert wrong == []
    assert streams <= 3


@pytest.mark.parametrize(
    "path", ["/static/wissel.css", "/static/nowhere", "/nowhere", "/static/../main.py", "/%2e%2e/"]
)
def test_files_and_places_that_are_not_there_bear_them_too(site, path):
    answer = site.whole.ask("GET", path)
    assert [each for each in SECURITY if each not in answer.headers] == []


def test_a_stream_bears_them_too(site):
    looked = 0
    for path, _ in routes(site, "GET"):
        if STREAMS.search(path):
            headers = asyncio.run(head_of(site, site.address(path)))
            assert [each for each in SECURITY if each.lower().encode() not in headers] == [], path
            looked += 1
    assert looked


async def head_of(site: Site, path: str) -> dict[bytes, bytes]:
    """The headers of an answer that does not end."""
    begun: asyncio.Future[dict[bytes, bytes]] = asyncio.get_running_loop().create_future()
    cookie = f"{cookie_name(site.whole.settings)}={site.cookie}".encode()
    bearer = f"Bearer {site.whole.tokens[EVERYBODY]}".encode()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"test"), (b"cookie", cookie), (b"authorization", bearer)],
        "client": ("127.0.0.1", 1),
    }

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        if message["type"] == "http.response.start" and not begun.done():
            begun.set_result(dict(message["headers"]))

    task = asyncio.create_task(site.whole.app(scope, receive, send))
    try:
        return await asyncio.wait_for(begun, 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_what_is_downloaded_is_never_opened_as_a_page(site):
    found = []
    for path, _ in routes(site, "GET"):
        if STREAMS.search(path):
            continue
        answer = site.ask("GET", site.address(path), **({"by": EVERYBODY} if path.startswith("/api/") else {}))
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.status_code == 200 and kind not in {"text/html", "application/json", "text/plain", ""}:
            found.append((path, kind, answer.headers.get("content-disposition", "")))
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert found
    assert [each for each in found if not each[2].startswith("attachment")] == []
