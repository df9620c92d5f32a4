"""What the machine room looks at: does it live, can it do its work, its figures, and where to report a weakness."""

import pytest

from app.core.db import Database
from app.main import create_app
from tests.flow.whole import Whole


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


def test_a_dead_scheduler_makes_it_not_ready(working):
    working.app.state.worker._scheduler.shutdown(wait=True)
    answer = working.ask("GET", "/readyz")
    assert (answer.status_code, answer.json()["clock"]) == (503, "the scheduler thread does not run")
    assert answer.json()["database"] == "ok"
    assert working.ask("GET", "/healthz").status_code == 200


def test_a_clock_that_stands_still_makes_it_not_ready(working):
    working.app.state.worker._scheduler.pause()
    working.app.state.worker._ticked -= 60
    answer = working.ask("GET", "/readyz")
    assert (answer.status_code, "has not run for" in answer.json()["clock"]) == (503, True)


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


def test_who_finds_a_weakness_finds_where_to_report_it(whole):
    answer = whole.ask("GET", "/.well-known/security.txt")
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"].startswith(("mailto:", "https://"))
    # RFC 9116 asks for both.
    assert fields["Expires"].endswith("Z")
