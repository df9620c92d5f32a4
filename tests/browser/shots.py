"""Takes pictures of the pages, to be looked at: `python -m tests.browser.shots FOLDER [PATH …]`."""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import BrowserContext, sync_playwright

from tests.browser import example
from tests.browser.site import make_site, sign_in_token

CHROMIUM = "/usr/bin/chromium"
PAGES = (
    "/",
    "/services",
    "/services/SVC-002",
    "/services/SVC-002/edit",
    "/services/SVC-002/plans",
    "/kits",
    "/suppliers",
    "/suppliers/SUP-002",
    "/objects",
    "/objects/OBJ-001",
    "/plans",
    "/plans/new",
    "/plans/PLN-001",
    "/plans/PLN-002",
    "/plans/PLN-001/versions/1.0",
    "/plans/PLN-004/versions/1.0",
    "/coverage",
    "/mvos",
    "/mvos/MVO-001",
    "/contracts",
    "/contracts/CON-001",
    "/sites",
    "/playbooks",
    "/playbooks/switch-sides",
    "/playbooks/new",
    "/runners",
    "/findings",
    "/findings/FND-001",
    "/findings/new",
    "/people",
    "/people/PER-002",
    "/machine-tokens",
    "/account",
    "/account/set-up",
    "/glossary",
    "/api/v1/docs",
    "/accessibility",
)


@contextmanager
def served(site: FastAPI) -> Iterator[str]:
    """The site on a free port of loopback, for a real browser."""
    server = uvicorn.Server(uvicorn.Config(site, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@contextmanager
def browsing(look: str, home: str, token: str, language: str = "nl") -> Iterator[BrowserContext]:
    """Chromium, signed in, in ``light``, ``dark`` or on a ``phone`` of 420 pixels."""
    wide = 420 if look == "phone" else 1280
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": wide, "height": 900}, color_scheme="dark" if look == "dark" else "light"
        )
        context.add_cookies([{"name": "wissel_language", "value": language, "url": home}])
        page = context.new_page()
        page.goto(f"{home}/sign-in?token={token}")
        page.get_by_role("button", name="Aanmelden" if language == "nl" else "Sign in", exact=True).click()
        page.wait_for_url(f"{home}/account/set-up?next=%2F")  # who is new sets up a password first, or does not
        page.get_by_role("link", name="Nu niet" if language == "nl" else "Not now", exact=True).click()
        page.wait_for_url(f"{home}/")
        page.close()
        yield context
        browser.close()


def main(folder: Path, paths: list[str], looks: tuple[str, ...] = ("light", "dark", "phone")) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    site = make_site(Path(tempfile.mkdtemp()))
    with site.state.database.transaction() as session:
        example.fill(session)
    with served(site) as home:
        for look in looks:
            with browsing(look, home, sign_in_token(site, "anna@voorbeeld.nl")) as context:
                page = context.new_page()
                for path in paths or PAGES:
                    page.goto(home + path)
                    name = path.strip("/").replace("/", "_").replace("?", "_") or "overview"
                    page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
