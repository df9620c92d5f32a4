"""Fifty scripts, escapes and formulas where a driver, a supplier or a colleague may write, in a browser: none runs.

They go past every check on the way in, straight into the database: what shows them must be safe by itself.
"""

import csv
import io
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import text

from app import serve
from app.catalog.models import Service
from app.core.settings import Settings
from app.playbooks.rules import Mode
from app.runs import steps
from runners.cleaning import plain
from runners.contract import Text
from tests.bad_inputs.output import STRINGS
from tests.browser.test_cockpit import CHROMIUM, CRISIS, sync_api
from tests.flow.proof import prove_all
from tests.flow.runs_site import link_of, make_world, told_switch
from tests.flow.runs_world import World, failed

ALL = " ¶ ".join(STRINGS.values())
SHORT = STRINGS["script"] + STRINGS["image"] + STRINGS["out of an attribute"]
NAMED = (
    "UPDATE service SET name = :short, process_owner = :short, description = :text",
    "UPDATE person SET name = :short",
    "UPDATE plan SET name = :short",
    "UPDATE environment_pair SET name = :short",
    "UPDATE environment SET name = :short || id",
    "UPDATE finding SET title_nl = :short, title_en = :short, description = :text",
)
WATCH = """
window.broken = [];
document.addEventListener('securitypolicyviolation', e => broken.push(e.effectiveDirective + ' ' + e.blockedURI));
"""
MOST_PAGES = 90


@dataclass
class Seen:
    """What a browser did that it should not have."""

    home: str
    wrong: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        page.add_init_script(WATCH)
        page.on("dialog", self._dialog)
        page.on("request", self._request)

    def _dialog(self, dialog: Any) -> None:
        self.wrong.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        if not request.url.startswith((f"{self.home}/", "blob:null", "file:///")):
            self.wrong.append(f"a request to {request.url[:200]}")

    def look(self, page: Any, where: str) -> None:
        """Move over the page as a person does, then see whether anything ran."""
        page.keyboard.press("Tab")
        page.mouse.move(200, 200)
        page.mouse.move(600, 400)
        state = page.evaluate(
            "[window.ran, window.broken, document.querySelectorAll('#stolen, iframe, object').length]"
        )
        if state[0] is not None or state[1] or state[2]:
            self.wrong.append(f"{where}: {state}")


@dataclass
class Served:
    world: World
    address: str
    run_id: str
    site: Any

    def plant(self) -> None:
        """Put the strings wherever a name stands."""
        with self.world.database.transaction() as session:
            for statement in NAMED:
                session.execute(text(statement), {"text": plain(ALL, 20_000), "short": SHORT})
            for number, each in enumerate(STRINGS.values()):
                key, shown = f"hostile-{number}", plain(each, 200)
                if session.get(Service, key) is None:
                    more = {"created_at": self.world.now, "updated_at": self.world.now}
                    session.add(Service(id=key, ref=f"SVC-{number + 100}", name=shown, **more))

    def say(self, step: str, end: bool = True) -> None:
        """A driver of this step says them all, in its log, its progress and its outcome."""
        work = self.world.begin()
        with self.world.database.transaction() as session:
            steps.note(
                session,
                work.step_run_id,
                work.attempt,
                lines=list(STRINGS.values()),
                progress={"done": 1, "total": 2, "text": ALL},
                now=self.world.now,
            )
        told = failed(x=ALL).model_copy(update={"reason": Text(nl=ALL, en=ALL)})
        if end:
            self.world.finish(work, told)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    world, site = make_world(tmp_path_factory.mktemp("hostile"), minutes_ago=0.2)
    playbook = told_switch()
    playbook["title"] = {"nl": ALL, "en": ALL}
    for step in playbook["steps"]:
        step["title"] = {"nl": ALL, "en": ALL}
    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    more: dict[str, Any] = {"pair_id": "pair", "direction": "over", "inputs": inputs, "participants": CRISIS}
    run_id = world.started(world.drill(playbook, Mode.LIVE, **more))
    config = uvicorn.Config(site, **(serve.options(Settings(port=0)) | {"log_level": "error"}))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield Served(world, address, run_id, site)
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def page(served: Served, browser: Any) -> Iterator[Any]:
    context = browser.new_context(accept_downloads=True)
    context.add_cookies([{"name": "wissel_language", "value": "en", "url": served.address}])
    opened = context.new_page()
    opened.goto(f"{served.address}/sign-in?token={link_of(served.site, 'owner')}&next=/runs/RUN-001")
    opened.click("main form button")
    prove_all(served.world.database)
    opened.goto(f"{served.address}/runs/RUN-001")
    opened.wait_for_selector("#run-clock")
    yield opened
    context.close()


def test_there_are_at_least_forty() -> None:
    assert len(STRINGS) >= 40
    assert len(set(STRINGS.values())) == len(STRINGS)


def test_the_open_cockpit_shows_what_a_driver_says_and_runs_none_of_it(served: Served, page: Any) -> None:
    seen = Seen(served.address)
    seen.watch(page)
    served.plant()
    page.reload()
    page.wait_for_selector("#run-clock")
    served.say("lag")
    sync_api.expect(page.locator("#run-steps")).to_contain_text("<script>window.ran=1;alert(1)</script>", timeout=8000)
    seen.look(page, "the cockpit")
    assert page.locator("#run-controls").count() == 1
    assert seen.wrong == []


def test_every_page_shows_them_and_runs_none_of_them(served: Served, page: Any) -> None:
    if served.world.states(served.run_id)["lag"] != "failed":
        served.say("lag")
    with served.world.database.transaction() as session:
        session.execute(text("UPDATE person SET roles = :all"), {"all": ALL_ROLES})
    served.plant()
    seen = Seen(served.address)
    seen.watch(page)
    waiting, opened, shown = ["/", "/runs/RUN-001", "/findings", "/services", "/playbooks", "/drills", "/people"], [], 0
    while waiting and len(opened) < MOST_PAGES:
        path = waiting.pop(0)
        answer = page.goto(f"{served.address}{path}")
        opened.append(path)
        assert answer.status < 500, path
        if "html" not in answer.headers.get("content-type", ""):
            continue
        shown += "window.ran=1" in page.inner_text("body")
        seen.look(page, path)
        waiting += [each for each in links(page) if each not in opened and each not in waiting]
    assert len(opened) > 25, opened
    assert shown > 12
    assert seen.wrong == []


ALL_ROLES = '["viewer", "plan-owner", "facilitator", "operator", "approver", "auditor", "administrator"]'
LEFT_OUT = re.compile(
    r"format=|/kits/|/evidence/|/stream|/static/|/metrics|/text$|\.ics|/exports"
    r"|/audit/log|/audit/verifier|sign-out|download"
)


def links(page: Any) -> list[str]:
    """Where the page leads, one address of each kind."""
    found = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.pathname)")
    return sorted({each for each in found if each.startswith("/") and not LEFT_OUT.search(each)})


def test_a_link_of_theirs_never_runs(served: Served, page: Any) -> None:
    schemes = set()
    for path in ("/", "/runs/RUN-001", "/services/SVC-001", "/plans/PLN-001", "/findings"):
        page.goto(f"{served.address}{path}")
        schemes |= set(
            page.evaluate(
                "[...document.querySelectorAll('a[href], form')].map(a => new URL(a.href || a.action).origin)"
            )
        )
    assert schemes == {served.address}


def test_the_printed_kit_runs_none_of_them(served: Served, page: Any, tmp_path: Path) -> None:
    served.plant()
    answer = page.request.get(f"{served.address}/kits/SVC-001")
    assert answer.status == 200, answer.text()[:500]
    with zipfile.ZipFile(io.BytesIO(answer.body())) as parcel:
        (name,) = [each for each in parcel.namelist() if each.endswith(".html")]
        (tmp_path / "kit.html").write_bytes(parcel.read(name))
        assert [each for each in parcel.namelist() if each.startswith("/") or ".." in each] == []
    seen = Seen(served.address)
    alone = page.context.new_page()
    seen.watch(alone)
    alone.goto(f"file://{tmp_path}/kit.html")
    assert "window.ran=1" in alone.inner_text("body")
    seen.look(alone, "the kit")
    assert seen.wrong == []


@pytest.mark.parametrize("path", ["/services", "/runs", "/findings", "/plans", "/drills"])
def test_a_sheet_holds_no_formula_of_theirs(served: Served, page: Any, path: str) -> None:
    served.plant()
    with served.world.database.transaction() as session:
        for statement in NAMED:
            session.execute(text(statement), {"text": STRINGS["formula"], "short": STRINGS["formula"]})
    answer = page.request.get(f"{served.address}{path}?format=csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    cells = [cell for row in csv.reader(io.StringIO(answer.body().decode("utf-8-sig"))) for cell in row]
    assert len(cells) > 5
    assert [each for each in cells if re.match(r"\s*[=+@|%＝＋－＠]", each)] == []


def test_an_error_page_repeats_them_as_text(served: Served, page: Any) -> None:
    seen = Seen(served.address)
    seen.watch(page)
    for each in STRINGS.values():
        shown = plain(each)
        for path in ("/runs/", "/plans/", "/services?sort=", "/findings?q=", "/sign-in?next=", "/sign-in?token="):
            page.goto(f"{served.address}{path}{page.evaluate('encodeURIComponent', shown)}")
            seen.look(page, path)
    assert seen.wrong == []
