"""What a browser gets: strict headers, no inline script or style, forms that cannot be forged, and its language."""

import asyncio
import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from fastapi import Depends, FastAPI
from jinja2 import UndefinedError

from app.core import web
from app.core.browser import Fields, ForgedForm, form, local_path

_spec = importlib.util.spec_from_file_location("gallery", Path(__file__).with_name("gallery.py"))
gallery = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(gallery)
HOME = "http://wissel.test"


def browse(method: str, path: str, *, app: FastAPI | None = None, **sent) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app or gallery.create())
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            return await client.request(method, path, **sent)

    return asyncio.run(ask())


class Reader(HTMLParser):
    """Collects what a strict content policy would refuse, and ids and targets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.ids: list[str] = []
        self.pointed: list[str] = []
        self.forms: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        bad = [name for name in given if name == "style" or name.startswith(("on", "hx-on"))]
        if bad or tag == "style" or (tag == "script" and "src" not in given):
            self.refused.append(f"{tag} {given}")
        self.ids += [given["id"]] if given.get("id") else []
        self.pointed += [given["for"]] if given.get("for") else []
        for name in ("aria-describedby", "aria-labelledby"):
            self.pointed += (given.get(name) or "").split()
        if tag == "form":
            self.forms.append(given)


@pytest.fixture(scope="module")
def page() -> httpx.Response:
    return browse("GET", "/gallery")


def test_the_policy_lets_nothing_run_but_our_own_files(page: httpx.Response) -> None:
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"


def test_no_component_needs_an_inline_script_or_style(page: httpx.Response) -> None:
    assert Reader(page.text).refused == []


def test_ids_are_unique_and_labels_point_to_something(page: httpx.Response) -> None:
    read = Reader(page.text)
    assert sorted({name for name in read.ids if read.ids.count(name) > 1}) == []
    assert set(read.pointed) - set(read.ids) == set()


def test_every_form_has_an_address_or_only_asks(page: httpx.Response) -> None:
    assert all(one.get("method") == "get" or one.get("action") for one in Reader(page.text).forms)


def test_text_from_a_step_stays_text(page: httpx.Response) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<script>alert" not in page.text


def test_files_are_named_by_their_content_and_kept_for_a_year(page: httpx.Response) -> None:
    for address in set(re.findall(r'(?:href|src)="(/static/[^"#]+\?v=[^"#]+)', page.text)):
        found = browse("GET", address)
        assert found.status_code == 200, address
        assert "immutable" in found.headers["cache-control"]
    assert "immutable" not in browse("GET", "/static/wissel.css").headers["cache-control"]


def test_a_page_speaks_dutch_by_default_and_english_on_request() -> None:
    assert '<html lang="nl"' in browse("GET", "/problem").text
    english = browse("GET", "/problem", headers={"Cookie": "wissel_language=en"})
    assert '<html lang="en"' in english.text
    assert "The input is not valid" in english.text


def test_an_error_page_names_each_field_and_what_to_do() -> None:
    answer = browse("GET", "/problem")
    assert answer.status_code == 400
    assert "De invoer klopt niet" in answer.text
    assert "invalid-input" in answer.text


def test_theme_and_language_are_kept_in_a_cookie_and_lead_back_to_the_page() -> None:
    sent = {"theme": "dark", "language": "en", "next": "/services?q=a"}
    answer = browse("POST", "/preferences", data=sent, headers={"Origin": HOME})
    assert (answer.status_code, answer.headers["location"]) == (303, "/services?q=a")
    assert answer.cookies["wissel_theme"] == "dark"
    assert answer.cookies["wissel_language"] == "en"
    assert 'data-theme="dark"' in browse("GET", "/problem", headers={"Cookie": "wissel_theme=dark"}).text
    assert "data-theme" not in browse("GET", "/problem", headers={"Cookie": "wissel_theme=<x>"}).text


@pytest.mark.parametrize(
    "address", ["//evil.test", "https://evil.test", "/\\evil.test", "evil", "", "/a\\b", "/a\r\nb"]
)
def test_a_form_never_leads_to_another_site(address: str) -> None:
    assert local_path(address) == "/"


def forms() -> FastAPI:
    app = gallery.create()

    @app.post("/answers")
    def answers(fields: Fields = Depends(form)) -> dict:
        return dict(fields)

    @app.exception_handler(ForgedForm)
    def forged(request, error):
        return web.problem_page(request, error)

    return app


TOKEN = "a-token-of-this-session"


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        (TOKEN, {"Origin": HOME}, 200),
        (TOKEN, {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}, 200),
        (TOKEN, {"Referer": f"{HOME}/runs/1"}, 200),
        (TOKEN, {"Sec-Fetch-Site": "same-origin"}, 200),
        (TOKEN, {}, 403),
        (TOKEN, {"Origin": "null"}, 403),
        (TOKEN, {"Origin": "http://evil.test"}, 403),
        (TOKEN, {"Origin": "http://wissel.test.evil.test"}, 403),
        (TOKEN, {"Origin": HOME, "Sec-Fetch-Site": "cross-site"}, 403),
        (TOKEN, {"Sec-Fetch-Site": "none"}, 403),
        ("another", {"Origin": HOME}, 403),
        ("é", {"Origin": HOME}, 403),
        ("", {"Origin": HOME}, 403),
    ],
)
def test_a_form_counts_only_from_our_own_page_with_this_sessions_token(token: str, headers: dict, status: int) -> None:
    sent = {"csrf": token, "choice": " go "}
    answer = browse("POST", "/answers", app=forms(), data=sent, headers=headers)
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"choice": "go"}


def test_a_template_that_asks_for_an_unknown_name_fails_instead_of_showing_nothing() -> None:
    with pytest.raises(UndefinedError):
        web.environment().from_string("{{ no_such_name }}").render()


def test_a_region_of_an_open_page_is_one_unnamed_message() -> None:
    assert web.partial("#clock", "<p id='clock'>1</p>") == (
        '<hx-partial hx-target="#clock" hx-swap="outerMorph"><p id=\'clock\'>1</p></hx-partial>'
    )
    stream = browse("GET", "/stream")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert "event:" not in stream.text
    assert "id: 1" in stream.text
