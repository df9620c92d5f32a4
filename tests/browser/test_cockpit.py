"""The cockpit in a real browser: it follows the run live, keeps what was typed, and lets the server stop."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from app.playbooks.rules import Mode
from tests.flow.proof import prove_all
from tests.flow.runs_site import link_of, make_world, told_switch
from tests.flow.runs_world import World, passed

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
GRACE = 3
CRISIS = [{"personId": "approver", "role": "crisis-manager"}]

if not Path(CHROMIUM).is_file():
    if os.environ.get("CI") == "true":
        raise RuntimeError("the browser tests need Chromium")
    pytest.skip("not run: Chromium is not installed", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="not run: playwright is not installed")


@dataclass
class Served:
    """The application on a port, with a live run that waits for its first step."""

    world: World
    site: FastAPI
    server: uvicorn.Server
    thread: threading.Thread
    run_id: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def stop(self) -> float:
        """Stop as on SIGTERM; how many seconds it took."""
        since = time.monotonic()
        self.server.should_exit = True
        self.thread.join(20)
        return time.monotonic() - since


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    world, site = make_world(tmp_path, minutes_ago=0.2)
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    more: dict[str, Any] = {"pair_id": "pair", "direction": "over", "inputs": inputs, "participants": CRISIS}
    run_id = world.started(world.drill(told_switch(), Mode.LIVE, **more))
    config = uvicorn.Config(site, port=0, log_level="error", timeout_graceful_shutdown=GRACE)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    made = Served(world, site, server, thread, run_id)
    yield made
    made.stop()


@pytest.fixture
def page(served: Served) -> Iterator[Any]:
    """A browser in which the crisis manager looks at the run."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context()
        context.add_cookies([{"name": "wissel_language", "value": "en", "url": served.address}])
        opened = context.new_page()
        opened.goto(f"{served.address}/sign-in?token={link_of(served.site, 'approver')}&next=/runs/RUN-001")
        opened.click("main form button")
        prove_all(served.world.database)
        opened.goto(f"{served.address}/runs/RUN-001")
        opened.wait_for_selector("#run-clock")
        yield opened
        browser.close()


def test_the_page_follows_the_run_without_a_reload(served: Served, page: Any) -> None:
    told = page.locator("#run-steps")
    page.locator("#text").fill("half a sentence")
    page.evaluate("document.body.dataset.same = 'yes'")
    served.world.do(step="lag")
    sync_api.expect(told).to_contain_text("1 of 7 done", timeout=4000)
    sync_api.expect(page.locator("#run-now")).to_contain_text("Decision needed")
    sync_api.expect(page.locator("#spoken")).to_contain_text("Decision to switch")
    assert page.locator("#text").input_value() == "half a sentence"
    assert page.evaluate("document.body.dataset.same") == "yes"


def test_a_decision_on_the_open_page_moves_the_run_and_a_second_page_sees_it(served: Served, page: Any) -> None:
    served.world.do(step="lag")
    other = page.context.new_page()
    other.goto(f"{served.address}/runs/RUN-001")
    page.get_by_role("button", name="GO", exact=True).click()
    sync_api.expect(other.locator("#run-steps")).to_contain_text("decided: go", timeout=4000)
    served.world.do(passed(final_lsn="1"), step="fence")
    sync_api.expect(other.locator("#run-clock")).to_contain_text("Service away for", timeout=4000)


def test_the_clock_ticks_between_two_messages(page: Any) -> None:
    clock = page.locator("#run-clock [data-clock]")
    first = clock.inner_text()
    page.wait_for_function(
        "([old]) => document.querySelector('#run-clock [data-clock]').textContent !== old", arg=[first]
    )


def test_an_open_page_does_not_keep_the_server_from_stopping_and_tells_that_it_is_lost(
    served: Served, page: Any
) -> None:
    assert not page.locator("#connection").is_visible()
    assert served.stop() < GRACE + 2
    sync_api.expect(page.locator("#connection")).to_be_visible(timeout=8000)


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (1280, "dark"), (420, "light")])
def test_axe_finds_nothing_on_the_pages_of_drills_and_runs(served: Served, page: Any, width: int, look: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="not run: axe is not installed").Axe()
    served.world.do(step="lag")
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=look)
    wrong = []
    for path in ("/runs/RUN-001", "/runs", "/drills", "/drills/DRL-001", "/blackouts"):
        page.goto(f"{served.address}{path}")
        wrong += [f"{path}: {each['id']} {each['nodes'][0]['html'][:120]}" for each in _violations(axe, page)]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append(f"{path}: wider than the window")
    page.context.clear_cookies()
    form = "/drills/new?playbook=told-switch"
    page.goto(f"{served.address}/sign-in?token={link_of(served.site, 'operator')}&next={form}")
    page.click("main form button")
    page.click("main a.button-plain")
    wrong += [f"form: {each['id']} {each['nodes'][0]['html'][:120]}" for each in _violations(axe, page)]
    assert page.url.endswith(form)
    assert not wrong, "\n".join(wrong)


def _violations(axe: Any, page: Any) -> list[Any]:
    found: list[Any] = axe.run(page).response["violations"]
    return found
