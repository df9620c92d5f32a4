"""Passwords: what makes one good enough, and how it is kept and compared without giving memory or time away."""

import re
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.core.errors import FieldError, InvalidInput, Unavailable
from app.core.messages import Message, say

SHORTEST, LONGEST = 12, 200
MEMORY_KIB = 19 * 1024
AT_ONCE = 3
"""Hashes computed at the same time; each takes `MEMORY_KIB`, so all of them stay below 64 MiB."""
PATIENCE_SECONDS = 10
_HASHER = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=MEMORY_KIB, parallelism=1),))
_slots = threading.BoundedSemaphore(AT_ONCE)
COMMON = (
    *("wachtwoord", "welkom", "gemeente", "geheim", "inloggen", "beheerder", "voorbeeld", "wissel", "zomer", "winter"),
    *("lente", "herfst", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag", "hallo"),
    *("januari", "februari", "oktober", "november", "december", "voetbal", "nederland", "amsterdam", "ikhouvanjou"),
    *("password", "passphrase", "letmein", "welcome", "administrator", "admin", "secret", "login", "iloveyou", "hello"),
    *("dragon", "monkey", "football", "baseball", "princess", "sunshine", "shadow", "master", "superman", "changeme"),
    *("default", "trustno", "correcthorsebatterystaple", "spring", "summer", "autumn", "monday", "friday", "company"),
    *("qwertyuiop", "qwerty", "azerty", "asdfghjkl", "asdfgh", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz", "abcdef"),
    *("1234567890", "123456789", "12345678", "123456", "12345", "0987654321", "987654321", "654321", "1q2w3e4r5t"),
    *("1q2w3e4r", "1qaz2wsx", "qazwsx", "000000", "111111", "123123", "696969", "abc123", "pass", "word", "1234"),
)
"""Words and rows of keys that people take most; what is left of a password without them must still be something."""
_SPOKEN = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})
_LEFT = 5
"""Different letters and digits that a password needs beside common words, years and the person's own name."""


class Busy(Unavailable):
    """Too many people sign in at this moment for the memory there is."""

    code = "sign-in-busy"


def normal(password: str) -> str:
    """The password as it is compared: the same letter typed in two ways is one letter."""
    return unicodedata.normalize("NFC", password)


def fault(password: str, *, names: tuple[str, ...] = ()) -> Message | None:
    """Why nobody should take this password; None where it is good enough. `names`: what the person is called."""
    text = normal(password)
    if len(text) < SHORTEST:
        return say("A password has at least {shortest} characters. A sentence works well.", shortest=SHORTEST)
    if len(text) > LONGEST:
        return say("A password has at most {longest} characters.", longest=LONGEST)
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in text):
        return say("A password holds no control characters.")
    parts = {part.casefold() for name in names for part in re.split(r"[^\w]+", name) if len(part) > 2}
    if min(_left(text, parts), _left(text.translate(_SPOKEN), parts)) < _LEFT:
        return say("This password is too easy to guess. Leave out common words, rows of keys, years and your own name.")
    return None


def _left(text: str, names: set[str]) -> int:
    """How many different letters and digits are left without what everybody would try first."""
    left = text.casefold()
    for word in sorted({*COMMON, *names}, key=len, reverse=True):
        left = left.replace(word, " ")
    return len(set(re.sub(r"(19|20)\d\d|[\W_]", "", left)))


def refuse(password: str, *, names: tuple[str, ...] = ()) -> None:
    """Raise `InvalidInput` on the field ``password`` where it is not good enough."""
    if (reason := fault(password, names=names)) is not None:
        raise InvalidInput(reason, errors=[FieldError("password", "weak-password", reason)])


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=PATIENCE_SECONDS):
        raise Busy(say("Many people sign in at this moment. Try again in a few seconds."))
    try:
        yield
    finally:
        _slots.release()


def hashed(password: str) -> str:
    """How a password is kept. Takes tens of milliseconds on purpose: never within a transaction."""
    with _slot():
        return _HASHER.hash(normal(password))


@cache
def nobodys() -> str:
    """A hash that no password has, compared where there is no account, so that the answer takes as long."""
    return hashed("nobody has this one")


def is_right(password: str, kept: str | None) -> bool:
    """Whether `password` is the one that is kept as `kept`; without one the same work is done, and the answer is no."""
    given, nobody = normal(password)[: LONGEST + 1], nobodys()
    with _slot():
        right = _HASHER.verify(given, kept or nobody)
    return right and kept is not None
