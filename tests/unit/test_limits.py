"""Who floods is slowed down; who owns the account is not, wherever the flood comes from."""

from types import SimpleNamespace

import pytest
from starlette.requests import Request

from app.core import limits
from app.core.limits import MOST_KEYS, Budget, Limits, Spent, TooManyTries, place, succeeded, take
from app.core.settings import Settings


def visitor(address: str, kept: Limits, forwarded: str = "") -> Request:
    """A request from this address."""
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    app = SimpleNamespace(state=SimpleNamespace(limits=kept))
    return Request({"type": "http", "client": (address, 1), "headers": headers, "app": app})


def tries(address: str, kept: Limits, account: str | None, count: int) -> int:
    """How many of so many tries were let through."""
    through = 0
    for _ in range(count):
        try:
            take(visitor(address, kept), account=account)
            through += 1
        except TooManyTries:
            pass
    return through


def test_a_flood_on_an_account_leaves_its_owner_alone_elsewhere():
    kept = Limits()
    assert tries("203.0.113.9", kept, "ada@example.nl", 1000) == 10
    assert tries("198.51.100.7", kept, "ada@example.nl", 3) == 3


def test_a_flood_from_many_places_leaves_each_place_a_few_tries():
    kept = Limits()
    through = [tries(f"203.0.{number}.9", kept, "ada@example.nl", 20) for number in range(40)]
    assert through[:10] == [10] * 10
    assert through[10:] == [3] * 30
    assert tries("198.51.100.7", kept, "ada@example.nl", 3) == 3
    assert tries("198.51.100.8", kept, "bo@example.nl", 10) == 10


def test_many_accounts_from_one_place_are_one_budget():
    kept = Limits()
    assert sum(tries("203.0.113.9", kept, f"p{number}@example.nl", 1) for number in range(500)) == 30


def test_the_right_secret_gives_the_tries_back():
    kept = Limits()
    for _ in range(200):
        here = visitor("203.0.113.9", kept)
        take(here, account="ada@example.nl")
        succeeded(here, account="ada@example.nl")
    assert tries("203.0.113.9", kept, "ada@example.nl", 20) == 10


def test_one_who_may_sign_in_cannot_guess_for_others_without_end():
    kept = Limits()
    guessed = 0
    for _ in range(300):
        guessed += tries("203.0.113.9", kept, "victim@example.nl", 1)
        try:
            here = visitor("203.0.113.9", kept)
            take(here, account="mallory@example.nl")
            succeeded(here, account="mallory@example.nl")
        except TooManyTries:
            pass
    assert guessed == 10


@pytest.mark.parametrize("other", ["ADA@example.nl", "  ada@example.nl ", "Ada@Example.NL"])
def test_the_same_account_written_otherwise_is_the_same(other):
    kept = Limits()
    assert tries("203.0.113.9", kept, "ada@example.nl", 10) == 10
    assert tries("203.0.113.9", kept, other, 5) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.9", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.10", False),
        ("nonsense", "other nonsense", True),
    ],
)
def test_a_household_is_one_place(one, other, same):
    kept = Limits()
    assert (place(visitor(one, kept)) == place(visitor(other, kept))) is same


def test_headers_of_a_stranger_move_nobody_elsewhere():
    kept = Limits()
    assert place(visitor("203.0.113.9", kept, forwarded="198.51.100.7")) == "203.0.113.9"


def test_the_memory_of_tries_is_bounded():
    spent = Spent(Budget(10, 600))
    for number in range(MOST_KEYS + 500):
        spent.take(number.to_bytes(16))
    assert len(spent) == MOST_KEYS
    assert not any(len(limits._key("x" * 10_000_000, "y")) != 16 for _ in range(1))


def test_room_comes_back_with_time_and_is_told(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    kept = Limits()
    assert tries("203.0.113.9", kept, "ada@example.nl", 11) == 10
    with pytest.raises(TooManyTries) as caught:
        take(visitor("203.0.113.9", kept), account="ada@example.nl")
    wait = caught.value.extra["retryAfter"]
    now[0] += wait
    assert tries("203.0.113.9", kept, "ada@example.nl", 5) == 1
    assert 55 <= wait <= 61


@pytest.mark.parametrize("bad", ["*", "proxy.example.nl", "10.0.0.1, everybody"])
def test_a_proxy_that_is_not_named_by_address_stops_the_start(bad):
    with pytest.raises(ValueError, match="proxy"):
        Settings(trusted_proxies=bad)
    assert Settings(trusted_proxies="127.0.0.1, 10.0.0.0/8").trusted_proxies
