"""Signing in: the first administrator once, a link once for half an hour, a token for the API, a cookie for pages."""

import re
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
import time_machine
from sqlmodel import select

from app.access import service
from app.access.models import SignInLink, UserSession
from app.access.service import AlreadyBootstrapped
from app.access.token_models import MachineToken
from app.core import clock, limits
from app.core.audit import AuditEvent
from tests.flow.whole import ADMINISTRATOR, API, MACHINE

PAGE = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def no_time(monkeypatch):
    """No time passes for the limits: a slow machine would be given tries back meanwhile."""
    now = time.monotonic()
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: now))


def exchange(whole, token):
    return whole.ask("POST", f"{API}/sessions", body={"signInToken": token})


def test_there_is_one_first_administrator(either):
    with pytest.raises(AlreadyBootstrapped), either.database.transaction() as session:
        service.bootstrap(session, name="Second", email="second@example.nl", now=clock.now())
    assert either.ok("GET", "/people?q=Second", by=ADMINISTRATOR)["total"] == 0


def test_a_link_works_once(either):
    token = either.sign_in_token("viewer")
    assert exchange(either, token).status_code == 201
    again = exchange(either, token)
    assert (again.status_code, again.json()["code"]) == (401, "sign-in-link-refused")


def test_a_link_works_for_half_an_hour(whole):
    early, late = whole.sign_in_token("viewer"), whole.sign_in_token("viewer")
    with time_machine.travel(clock.now() + timedelta(minutes=29, seconds=50)):
        assert exchange(whole, early).status_code == 201
    with time_machine.travel(clock.now() + timedelta(minutes=30, seconds=1)):
        assert exchange(whole, late).status_code == 401


def test_a_token_ends_after_its_hours(whole):
    assert whole.call("GET", "/sessions/current", by="viewer").status_code == 200
    with time_machine.travel(clock.now() + timedelta(hours=whole.settings.session_hours, seconds=1)):
        assert whole.refused("GET", "/sessions/current", by="viewer") == (401, "not-signed-in")


def test_a_link_that_never_was_is_refused_like_one_that_was_used(whole):
    answer = exchange(whole, "wsl_" + "x" * 43)
    assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-link-refused")


def test_deactivating_a_person_ends_their_session_and_their_links_at_once(whole):
    link = whole.sign_in_token("viewer")
    whole.ok("PATCH", f"/people/{whole.people['viewer']}", {"active": False}, by=ADMINISTRATOR)
    assert whole.refused("GET", "/services", by="viewer") == (401, "not-signed-in")
    assert exchange(whole, link).status_code == 401
    whole.ok("PATCH", f"/people/{whole.people['viewer']}", {"active": True}, by=ADMINISTRATOR)
    assert whole.call("GET", "/services", by="viewer").status_code == 401


def test_a_role_that_is_taken_away_is_gone_at_once(whole):
    assert whole.call("POST", "/services", {"name": "Eerst"}).status_code == 201
    whole.ok("PATCH", f"/people/{whole.people['author']}", {"roles": ["viewer"]}, by=ADMINISTRATOR)
    assert whole.refused("POST", "/services", {"name": "Daarna"}) == (403, "not-allowed")


def test_signing_out_ends_the_token(whole):
    assert whole.call("DELETE", "/sessions/current", by="viewer").status_code == 204
    assert whole.call("GET", "/services", by="viewer").status_code == 401


def browser(whole, part):
    """The cookie of a browser in which this person signed in."""
    token = whole.sign_in_token(part)
    answer = whole.ask("POST", "/sign-in", content=f"token={token}", headers=PAGE)
    assert answer.status_code == 303, answer.text
    assert {"HttpOnly", "SameSite=lax"} <= set(re.split("; ", answer.headers["Set-Cookie"]))
    return dict([answer.headers["Set-Cookie"].partition(";")[0].split("=", 1)])


def test_a_cookie_does_nothing_on_the_api_and_a_bearer_token_nothing_on_pages(whole):
    cookie = browser(whole, "viewer")
    assert whole.ask("GET", "/services", cookies=cookie).status_code == 200
    assert whole.ask("GET", f"{API}/services", cookies=cookie).status_code == 401
    (value,) = cookie.values()
    assert whole.ask("GET", f"{API}/services", headers={"Authorization": f"Bearer {value}"}).status_code == 401
    bearer = whole.tokens["viewer"]
    assert whole.ask("GET", "/services", headers={"Authorization": f"Bearer {bearer}"}).status_code == 303
    assert whole.ask("GET", "/services", cookies=dict.fromkeys(cookie, bearer)).status_code == 303


def test_opening_a_link_does_not_use_it_up(whole):
    token = whole.sign_in_token("viewer")
    assert whole.ask("GET", f"/sign-in?token={token}").status_code == 200
    assert exchange(whole, token).status_code == 201


def test_after_signing_in_nobody_is_sent_to_another_site(whole):
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        body = f"token={whole.sign_in_token('viewer')}&next={elsewhere}"
        answer = whole.ask("POST", "/sign-in", content=body, headers=PAGE)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/account/set-up?next=%2F")


def test_a_form_of_another_site_signs_nobody_in(whole):
    token = whole.sign_in_token("viewer")
    answer = whole.ask("POST", "/sign-in", content=f"token={token}", headers={**PAGE, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_guessing_sign_in_tokens_is_slowed_down(whole, no_time):
    codes = [exchange(whole, f"wsl_guess{number:040}").status_code for number in range(35)]
    assert codes == [401] * 30 + [429] * 5
    answer = exchange(whole, "wsl_" + "y" * 40)
    assert (answer.json()["code"], "Retry-After" in answer.headers) == ("too-many-tries", True)


def test_a_revoked_machine_token_ends_at_once(whole):
    (row,) = whole.ok("GET", "/machine-tokens", by=ADMINISTRATOR)["items"]
    assert whole.call("GET", "/services", by=MACHINE).status_code == 200
    whole.ok("POST", f"/machine-tokens/{row['id']}/revocations", by=ADMINISTRATOR)
    assert whole.call("GET", "/services", by=MACHINE).status_code == 401


def test_no_secret_is_kept_nor_shown_again(whole):
    link = whole.sign_in_token("viewer")
    secrets = {link, *whole.tokens.values()}
    with whole.database.transaction(write=False) as session:
        rows = [
            str(row.model_dump())
            for table in (SignInLink, UserSession, MachineToken, AuditEvent)
            for row in session.exec(select(table))
        ]
    assert len(rows) > 20
    assert [row for row in rows if any(secret in row for secret in secrets)] == []
    shown = whole.call("GET", "/machine-tokens", by=ADMINISTRATOR).text
    assert whole.tokens[MACHINE] not in shown


def test_every_change_of_access_leaves_its_row(whole):
    whole.ok("PATCH", f"/people/{whole.people['viewer']}", {"roles": ["auditor"]}, by=ADMINISTRATOR)
    with whole.database.transaction(write=False) as session:
        newest = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (newest.action, newest.object_id) == ("person.edited", whole.people["viewer"])
    assert newest.actor == f"person:{whole.people[ADMINISTRATOR]}"
    assert "auditor" in str(newest.detail)


@pytest.mark.parametrize("email", ["AUTHOR@EXAMPLE.NL", "author@example.nl"])
def test_an_address_belongs_to_one_person_whatever_its_case(whole, email):
    given = {"name": "Twin", "email": email, "roles": []}
    assert whole.refused("POST", "/people", given, by=ADMINISTRATOR) == (409, "email-taken")


def test_guessing_bearer_tokens_is_slowed_down_and_holders_of_one_are_not(whole, no_time):
    guesses = [
        whole.ask("GET", f"{API}/services", headers={"Authorization": f"Bearer wsl_guess{number:040}"}).status_code
        for number in range(70)
    ]
    assert guesses == [401] * 60 + [429] * 10
    answer = whole.ask("GET", f"{API}/services", headers={"Authorization": "Bearer wsl_x"})
    assert (answer.json()["code"], "Retry-After" in answer.headers) == ("too-many-tries", True)
    assert answer.headers["Content-Security-Policy"]
    assert whole.call("GET", "/services", by=MACHINE).status_code == 200
    assert whole.ask("GET", f"{API}/services").status_code == 401
