"""What the machine room looks at: does it live, can it do its work, its figures, and where to report a weakness."""

import re
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from tests.flow.whole import Whole
from tests.reliability.figures import told


@pytest.fixture
def working(template, tmp_path):
    """An application with its clock and worker running."""
    copied = template.copy(tmp_path, sites="*", tick_seconds=1)
    copied.database.dispose()
    made = create_app(copied.settings, work=True)
    made.state.worker.start()
    yield Whole(made, copied.settings, copied.tokens, copied.people)
    made.state.worker.stop()
    made.state.database.dispose()


def test_a_living_process_says_so_to_everybody(whole):
    answer = whole.ask("GET", "/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert whole.ask("HEAD", "/healthz").status_code == 200


def test_it_is_ready_when_database_clock_and_worker_are(working):
    answer = working.ask("GET", "/readyz")
    assert answer.status_code == 200, answer.text
    assert {"database", "clock", "sweeper", "lease"} <= set(answer.json())
    assert set(answer.json().values()) == {"ok"}


def wrong_within(working, name, seconds=10.0):
    """What `/readyz` says is wrong with this part, and how long it took to say so."""
    begun = time.monotonic()
    while True:
        answer = working.ask("GET", "/readyz")
        found, took = answer.json()[name], time.monotonic() - begun
        if found != "ok":
            assert (answer.status_code, answer.json()["database"]) == (503, "ok")
            assert working.ask("GET", "/healthz").status_code == 200
            return found, took
        assert took < seconds, f"still ready after {took:.1f} s"
        time.sleep(0.1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", ["clock", "sweeper", "watch", "lease"])
def test_a_dead_thread_makes_it_not_ready_within_ten_seconds(working, monkeypatch, name):
    [dying] = [each for each in working.app.state.worker._rounds._rounds if each.name == name]

    def die():
        raise SystemExit  # what ends a thread and is no bug that the rounds survive

    monkeypatch.setattr(dying, "body", die)
    found, took = wrong_within(working, name)
    assert found == f"the {name} thread does not run"
    if name == "clock":
        told("dead scheduler thread: /readyz red", f"after {took:.1f} s, of which up to 1 s until it died")


def test_a_look_of_the_clock_that_hangs_makes_it_not_ready_within_ten_seconds(working, monkeypatch):
    go = threading.Event()
    [clock] = [each for each in working.app.state.worker._rounds._rounds if each.name == "clock"]
    clock.late = 30.0  # as where it looks every ten seconds, which is how an installation comes
    monkeypatch.setattr("app.worker.service.tick", lambda *_, **__: go.wait(60))
    found, took = wrong_within(working, "clock", 15.0)
    go.set()
    assert found.startswith("has been busy for")
    told("scheduler whose look hangs: /readyz red", f"after {took:.1f} s")


def test_a_clock_whose_looks_all_fail_makes_it_not_ready(working, monkeypatch):
    def fail(*_, **__):
        raise ValueError("a bug")

    monkeypatch.setattr("app.worker.service.tick", fail)
    found, _ = wrong_within(working, "clock", 15.0)
    assert found.startswith("has not run for")


def test_a_database_that_is_gone_makes_it_not_ready_and_the_api_says_try_again(template, tmp_path):
    whole = template.copy(tmp_path)
    gone = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    alive, whole.app.state.database = whole.database, gone
    answer = whole.ask("GET", "/readyz")
    assert (answer.status_code, answer.json()["database"][:30]) == (503, "the database does not answer: ")
    told = whole.call("GET", "/services")
    assert (told.status_code, told.json()["code"], "Retry-After" in told.headers) == (503, "unavailable", True)
    alive.dispose()
    gone.dispose()


def test_figures_are_there_in_the_text_format_of_prometheus(whole):
    answer = whole.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE python_info gauge" in answer.text


FIELD = re.compile(r"(Contact|Expires|Preferred-Languages|Canonical|Policy): (\S.*)")


def told_contact(answer: httpx.Response) -> list[tuple[str, str]]:
    """The fields of RFC 9116: one a line, each line ended, and nothing else."""
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.endswith("\n")
    found = [FIELD.fullmatch(line) for line in answer.text.splitlines()]
    assert all(found), answer.text
    return [(each[1], each[2]) for each in found if each]


def test_who_found_a_weakness_is_told_where_to_report_it(template, tmp_path):
    made = template.copy(
        tmp_path,
        base_url="https://wissel.example.nl/",
        security_contact="https://example.nl/cvd, mailto:security@example.nl",
        security_policy="https://example.nl/cvd-policy",
        language="en",
    )
    fields = told_contact(made.ask("GET", "/.well-known/security.txt", headers={"Host": "wissel.example.nl"}))
    named = dict(fields)
    assert [value for name, value in fields if name == "Contact"] == [
        "https://example.nl/cvd",
        "mailto:security@example.nl",
    ]
    left = datetime.fromisoformat(named["Expires"]) - datetime.now(UTC)
    assert timedelta(days=30) < left < timedelta(days=365)
    assert [name for name, _ in fields].count("Expires") == 1
    assert named["Preferred-Languages"] == "en, nl"
    assert named["Canonical"] == "https://wissel.example.nl/.well-known/security.txt"
    assert named["Policy"] == "https://example.nl/cvd-policy"
    made.database.dispose()


def test_without_settings_it_is_complete_too(whole):
    named = dict(told_contact(whole.ask("GET", "/.well-known/security.txt")))
    assert set(named) == {"Contact", "Expires", "Preferred-Languages"}


@pytest.mark.parametrize("bad", ["", "security@example.nl", "http://example.nl/cvd", "mailto:a b@c", "javascript:x"])
def test_a_contact_that_is_none_stops_the_start(bad):
    with pytest.raises(ValueError, match="no contact"):
        Settings(security_contact=bad)
