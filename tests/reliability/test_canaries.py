"""Canary secrets in every place that takes a value; real runs by a service of its own; then the search: 0 found."""

import base64
import gzip
import html
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import pytest

from app.access import service as access
from app.access.rules import SYSTEM
from app.playbooks.rules import Mode
from app.runs import drivers
from runners import registry
from tests.reliability import slow
from tests.reliability.figures import told
from tests.reliability.leaky import Leak, ways
from tests.reliability.processes import Ground, ground, until
from tests.reliability.served import Served

BAO = Path(__file__).parents[1] / "unit" / "runners" / "bao_process.py"
PIECE = 12
"""Characters of which none of a canary may be found either: half of it would be a find."""
STEP = {"timeout": 30, "on_failure": "continue"}


def needles(canary: str) -> set[bytes]:
    """What of a canary, in which encoding, counts as found."""
    raw = canary.encode()
    halves = {raw[:PIECE], raw[-PIECE:]}
    found = set(halves)
    for each in halves:
        found |= {
            each.hex().encode(),
            each.hex().upper().encode(),
            each.hex(":").encode(),
            each.decode().encode("utf-16-le"),
        }
        found |= {b"".join(b"%%%02x" % byte for byte in each), b"".join(b"%%%02X" % byte for byte in each)}
        found |= {"".join(f"\\u{byte:04{x}}" for byte in each).encode() for x in "xX"}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        inner = whole[4 : len(raw) * 4 // 3 - 4]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def opened(content: bytes) -> Iterator[bytes]:
    """The content, and what is packed in it."""
    yield content
    yield html.unescape(content.decode("latin-1")).encode("latin-1", "replace")
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    elif content[:2] == b"PK":
        with zipfile.ZipFile(BytesIO(content)) as packed:
            for name in packed.namelist():
                yield name.encode()
                yield from opened(packed.read(name))


def search(canaries: dict[str, str], places: dict[str, bytes]) -> list[str]:
    """Where a canary was found: its name and the place."""
    wanted = {name: needles(value) for name, value in canaries.items()}
    found = []
    for place, content in places.items():
        texts = [place.encode(), *opened(content)]
        found += [f"{name} in {place}" for name, each in wanted.items() if any(n in t for n in each for t in texts)]
    return found


class Watcher(threading.Thread):
    """Reads the arguments of every process, and the environment of every runner host, while runs go on."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, bytes] = {}
        self.hosts = 0
        self._over = threading.Event()

    def __enter__(self) -> "Watcher":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.02):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    argv = (folder / "cmdline").read_bytes()
                    self.seen.setdefault(f"cmdline of {argv[:60]!r}", argv)
                    if b"runners.host" in argv:
                        self.hosts += 1
                        self.seen[f"environment of host {folder.name}"] = (folder / "environ").read_bytes()
                except OSError:
                    continue


class Site:
    """A world with canaries in it, and the service that runs it."""

    def __init__(self, folder: Path, real: Ground) -> None:
        self.folder, self.real = folder, real
        names = ("env", "file", "creds", "bao", "bao-token", "dsn", "unused")
        self.canaries = {name: f"Canary{name.replace('-', '')}{token_hex(16)}" for name in names}
        self.outside = folder / "outside"
        for name in ("secrets", "credentials"):
            (self.outside / name).mkdir(parents=True, mode=0o700)
        self._put("secrets", "canary-file", self.canaries["file"])
        self._put("secrets", "canary-unused", self.canaries["unused"])
        self._put("secrets", "canary-dsn", f"host=127.0.0.1 port=9 user=x dbname=y password={self.canaries['dsn']}")
        self._put("credentials", "canary-creds", self.canaries["creds"])
        (self.outside / "site.yaml").write_text(
            "commands:\n"
            "  tell:\n    argv: [/usr/bin/env]\n    environment: {CANARY: 'secret://canary-env'}\n"
            f"  other:\n    argv: [/bin/cat, {self.outside / 'secrets' / 'canary-unused'}]\n"
        )
        self.bao = subprocess.Popen(
            [sys.executable, str(BAO), str(self.outside / "port")],
            env={"BAO_VALUE": self.canaries["bao"], "BAO_TOKEN": self.canaries["bao-token"]},
        )
        until((self.outside / "port").exists, "the store answers")
        environment = {
            "WISSEL_DATA_DIR": str(folder / "data"),
            "WISSEL_SECRET_CANARY_ENV": self.canaries["env"],
            "WISSEL_SECRETS_DIR": str(self.outside / "secrets"),
            "CREDENTIALS_DIRECTORY": str(self.outside / "credentials"),
            "WISSEL_OPENBAO_URL": f"http://127.0.0.1:{(self.outside / 'port').read_text()}",
            "WISSEL_OPENBAO_TOKEN": self.canaries["bao-token"],
            "WISSEL_SITE_POLICY": str(self.outside / "site.yaml"),
            "WISSEL_LOG_LEVEL": "debug",
            "PYTHONPATH": f"{slow.install(folder / 'leaky', (Leak,))}:{real.environment['PYTHONPATH']}",
        }
        self.served = Served(real, environment).start()
        self.served.sign_in("operator")
        self.canaries["session"] = self.served.tokens["operator"]

    def _put(self, folder: str, name: str, value: str) -> None:
        file = self.outside / folder / name
        file.touch(0o600)
        file.write_text(value)

    def end(self) -> None:
        self.served.end()
        self.bao.kill()
        self.bao.wait()

    def browser(self) -> httpx.Client:
        """Somebody who looks at pages; the cookie and the link that gave it are canaries too."""
        with self.real.world.database.transaction() as session:
            person = access.find_person(session, "operator")
            link, _ = access.make_link(session, person, actor=SYSTEM, now=datetime.now(UTC))
        browser = httpx.Client(base_url=self.served.url, timeout=60, limits=httpx.Limits(max_keepalive_connections=0))
        asked = browser.get("/sign-in", params={"token": link})
        sent = {"token": link} | dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', asked.text))
        signed_in = browser.post("/sign-in", data=sent, headers={"Origin": self.served.url})
        assert signed_in.status_code == 303, signed_in.text
        self.canaries |= {"link": link} | {name: value for name, value in browser.cookies.items() if len(value) > 30}
        return browser

    def files(self) -> dict[str, bytes]:
        """Everything that lies in the folder of the installation, but for the places where secrets belong."""
        found = {str(p.relative_to(self.folder)): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}
        return {name: content for name, content in found.items() if not name.startswith("outside/")}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, ground(tmp_path))
    drivers.use({**drivers.registry(), **registry.load(), Leak.name: Leak()})
    yield made
    made.end()
    made.real.end()


def answers(site: Site) -> dict[str, bytes]:
    """Every page that links lead to, exports and evidence with them, and every answer of the API that lists."""
    found: dict[str, bytes] = {}
    paths = httpx.get(f"{site.served.url}/api/v1/openapi.json", timeout=60).json()["paths"]
    plain = [path for path, each in paths.items() if "get" in each and "{" not in path]
    runs = [f"/runs/{each['ref']}" for each in site.served.ask("GET", "/runs").json()["items"]]
    drills = [f"/drills/{each['ref']}" for each in site.served.ask("GET", "/drills").json()["items"]]
    wanted = plain + runs + [f"{each}/events" for each in runs] + [f"{each}/preview" for each in runs + drills]
    for path in wanted + [f"{each}/readiness" for each in drills]:
        if "stream" not in path and "openapi" not in path:
            found[f"API {path}"] = site.served.ask("GET", path.removeprefix("/api/v1")).content
    with closing(site.browser()) as browser:
        waiting, seen = ["/", *runs, *drills], set()
        while waiting and len(seen) < 250:
            path = waiting.pop()
            if path in seen or re.search(r"stream|/static/|sign-out", path):
                continue
            seen.add(path)
            answer = browser.get(path)
            found[f"page {path}"] = str(answer.headers).encode() + answer.content
            if "html" in answer.headers.get("content-type", ""):
                waiting += [html.unescape(each) for each in re.findall(r'href="(/[^"#]*)"', answer.text)]
    return found


def run_all(site: Site) -> None:
    """A rehearsal through the API in which every secret is told in every way; a command and a login beside it."""
    secrets = ("canary-env", "canary-file", "canary-creds", "canary-bao")
    tell: list[dict[str, Any]] = [
        {"id": name, "uses": "leaky.tell", "with": {"secret": f"secret://{name}", "end": end}, **STEP}
        for name, end in zip(secrets, ("failed", "raise", "failed", "failed"), strict=True)
    ]
    login = {"id": "login", "uses": "check.sql", "with": {"dsn": "secret://canary-dsn", "query": "select 1"}, **STEP}
    book = {"playbook": "tell", "title": {"nl": "Zeg", "en": "Tell"}, "modes": ["rehearsal"], "steps": [*tell, login]}
    drill = site.real.world.drill(book, Mode.REHEARSAL)

    def held() -> bool:
        lacks = site.served.ask("GET", f"/drills/{drill}/readiness").json()["lacks"]
        return not [each for each in lacks if each["code"].startswith("secret")]

    until(held, "the worker said that it holds all secrets", 30)
    run = site.served.ask("POST", f"/drills/{drill}/runs", {}, headers={"Idempotency-Key": "one"})
    assert run.status_code == 201, run.text
    commands = [
        {"id": name, "uses": "switch.command", "with": {"command": name}, "irreversible": True, **STEP}
        for name in ("tell", "other")
    ]
    other = site.real.begun({"playbook": "do", "title": {"nl": "D", "en": "D"}, "modes": ["live"], "steps": commands})
    for each in (run.json()["id"], other):
        until(lambda each=each: not _at_work(site, each), "its steps were done", 60)


def _at_work(site: Site, run: str) -> bool:
    return bool({"ready", "started", "not started"} & set(site.real.steps(run).values()))


def paste(site: Site, canary: str) -> None:
    """Put a secret in the open wherever somebody might: each is refused by one code, and nothing is kept of it."""
    environment = site.served.ask("GET", "/environments").json()["items"][0]["ref"]
    tried = {
        ("POST", "/suppliers"): {"name": f"Leverancier password={canary}"},
        ("PATCH", f"/environments/{environment}"): {"driver": {"password": canary}},
        ("PATCH", f"/environments/{environment} "): {"driver": {"health": f"https://me:{canary}@host/"}},
        ("POST", "/playbooks"): {"text": f"playbook: x\nsummary: {{nl: 'password={canary}', en: x}}\n"},
    }
    for (method, path), body in tried.items():
        answer = site.served.ask(method, path.strip(), body)
        assert answer.status_code == 400, (path, answer.text)
        assert "secret-inline" in answer.text, (path, answer.text)
        assert canary not in answer.text
    assert site.served.ask("POST", "/sessions", {"signInToken": canary}).status_code in (400, 401, 403, 404)


def test_no_secret_is_found_anywhere(site: Site) -> None:
    with Watcher() as watcher:
        run_all(site)
        paste(site, site.canaries["unused"])
        seen = answers(site)
    places = {**site.files(), **seen, **watcher.seen}
    masked = sum(content.count(b"***") for content in places.values())
    assert search(site.canaries, places) == []
    assert watcher.hosts > 0
    assert masked > 100, "the runs told their secrets, and were masked"
    assert sum("evidence" in place for place in places) >= 6
    told("secrets", f"{len(site.canaries)} canaries in {len(places)} places, told {masked} times: 0 found")


@pytest.mark.parametrize("number", range(len(ways("x"))))
def test_the_search_finds_what_is_planted(number: int, tmp_path: Path) -> None:
    canaries = {"one": f"Canaryone{token_hex(16)}", "other": f"Canaryother{token_hex(16)}"}
    leak = ways(canaries["one"])[number].encode()
    assert search(canaries, {"a log": b"before " + leak + b" after", "clean": b"nothing"}) == ["one in a log"]
    assert search(canaries, {"packed": gzip.compress(leak)}) == ["one in packed"]
