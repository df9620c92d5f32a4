"""Each page in a real Chromium: axe finds nothing in light, in dark and on a phone, and no page is wider than it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI

from app.access.rules import Role
from tests.browser import example
from tests.browser.shots import CHROMIUM, PAGES, browsing, served
from tests.browser.site import make_site, sign_in_token

ALSO = (
    "/suppliers/new",
    "/objects/new",
    "/services/new",
    "/plans/PLN-003",
    "/plans/PLN-004",
    "/findings/FND-005",
    "/playbooks/new?copy=switch-sides",
    "/sites/new",
    "/sites/SIT-001/edit",
    "/environments/new?service=SVC-002",
    "/environments/ENV-001/edit",
    "/environment-pairs/new?service=SVC-002",
    "/environment-pairs/PAIR-001/edit",
    "/contracts/new?service=SVC-002",
    "/contracts/CON-001/edit",
    "/measures/new?contract=CON-001",
    "/measures/MEA-001/edit",
    "/mvos/new",
    "/mvos/MVO-001/edit",
    "/plans/PLN-001/attestations/new",
)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

if not Path(CHROMIUM).exists():
    if os.environ.get("CI") == "true":
        raise RuntimeError(f"no Chromium at {CHROMIUM}")
    pytest.skip(f"not run: no Chromium at {CHROMIUM}", allow_module_level=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    folder = tmp_path_factory.mktemp("browser")
    made = make_site(folder)
    with made.state.database.transaction() as session:
        example.fill(session)
    yield made
    made.state.database.dispose()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_axe_finds_nothing_on_any_page(site: FastAPI, look: str) -> None:
    wrong = []
    with served(site) as home, browsing(look, home, sign_in_token(site, "anna@voorbeeld.nl")) as context:
        page = context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
        for path in (*PAGES, *ALSO):
            page.goto(home + path)
            found = Axe().run(page, options=RULES)
            for each in found.response["violations"]:
                wrong.append(f"{look} {path}: {each['id']} {each['nodes'][0]['html'][:160]}")
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wrong.append(f"{look} {path}: wider than the window")
        wrong += refused
    assert wrong == []


def test_the_menu_opens_closes_and_signs_out_by_keyboard(site: FastAPI) -> None:
    with served(site) as home, browsing("light", home, sign_in_token(site, "anna@voorbeeld.nl")) as context:
        page = context.new_page()
        page.goto(f"{home}/services")
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "q"
        page.locator(".menu > summary").focus()
        page.keyboard.press("Enter")
        assert page.locator(".menu").get_attribute("open") is not None
        page.keyboard.press("Escape")
        assert page.locator(".menu").get_attribute("open") is None
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Afmelden").click()
        page.wait_for_url(f"{home}/sign-in")


def test_the_first_page_of_an_empty_installation_says_where_to_begin(tmp_path: Path) -> None:
    empty = make_site(tmp_path)
    with served(empty) as home:
        token = sign_in_token(empty, "eerste@voorbeeld.nl", Role.ADMINISTRATOR)
        with browsing("light", home, token, language="en") as context:
            page = context.new_page()
            for path in (
                *("/", "/services", "/suppliers", "/objects", "/plans", "/coverage", "/findings"),
                *("/sites", "/contracts", "/mvos", "/playbooks"),
            ):
                page.goto(home + path)
                assert page.locator(".empty").count() == 1, path
                assert Axe().run(page, options=RULES).violations_count == 0, path
