"""What works once works once, also where many try it at the same moment; and who is let go meanwhile stays out."""

import threading
from collections.abc import Callable

import pytest

from app.access import passwords
from tests.flow.test_accounts import set_up, sign_in
from tests.flow.whole import ADMINISTRATOR, API, Whole

MANY = 6


def at_once(ask: Callable[[], int]) -> list[int]:
    """The statuses of many requests that begin together."""
    found, begin = [], threading.Barrier(MANY)

    def one() -> None:
        begin.wait(10)
        found.append(ask())

    threads = [threading.Thread(target=one) for _ in range(MANY)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    return sorted(found)


@pytest.fixture
def either(either: Whole) -> Whole:
    """With the folder in which the key of the second factors lies."""
    either.settings.data_dir.mkdir(parents=True, exist_ok=True)
    return either


ONE_OF_THEM = [201, *[401] * (MANY - 1)]


def test_a_link_is_taken_once(either: Whole) -> None:
    link = either.sign_in_token("viewer")
    assert at_once(lambda: either.ask("POST", f"{API}/sessions", body={"signInToken": link}).status_code) == ONE_OF_THEM


def test_a_code_and_a_recovery_code_are_taken_once(either):
    app, codes = set_up(either, "viewer")
    used = app.code()
    assert at_once(lambda: sign_in(either, "viewer", used).status_code) == ONE_OF_THEM
    assert at_once(lambda: sign_in(either, "viewer", codes[0]).status_code) == ONE_OF_THEM


def test_who_is_let_go_while_the_password_is_looked_at_gets_no_session(either, monkeypatch):
    app, _ = set_up(either, "viewer")
    address, slow = f"/people/{either.people['viewer']}", passwords.is_right

    def meanwhile(password, stored):
        either.ok("PATCH", address, {"active": False}, by=ADMINISTRATOR)
        return slow(password, stored)

    monkeypatch.setattr(passwords, "is_right", meanwhile)
    answer = sign_in(either, "viewer", app.code())
    assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-refused")
