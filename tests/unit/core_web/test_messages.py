"""Fails on every message that a Dutch reader would see in English, and checks how a language is chosen."""

from dataclasses import dataclass

import pytest

from app.core import extraction, i18n
from app.core.messages import say


@dataclass(frozen=True)
class Words:
    nl: str
    en: str


def test_every_message_has_a_dutch_text_that_nobody_guessed() -> None:
    left = extraction.gaps("nl")
    assert not left, "python -m app.core.i18n update, then translate:\n" + "\n".join(map(str, left))


def test_a_dutch_text_has_the_same_gaps_as_the_message() -> None:
    wrong = [
        message.id
        for message in extraction.stored("nl")
        if message.id
        and isinstance(message.string, str)
        and message.string
        and fields(message.id) != fields(message.string)
    ]
    assert wrong == []


def fields(text: str) -> set[str]:
    import re

    return set(re.findall(r"%\(\w+\)s|\{\w+\}", text if isinstance(text, str) else text[0]))


def test_a_new_message_in_a_template_is_found_as_missing(tmp_path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "new.html").write_text('{{ _("Nobody has translated this") }}')
    (tmp_path / "rules.py").write_text('from app.core.messages import say\nx = say("Nor {this}", this=1)\n')
    found = extraction.found(tmp_path)
    assert {gap.message for gap in extraction.gaps("nl", found)} == {"Nobody has translated this", "Nor {this}"}


@pytest.mark.parametrize(
    ("cookie", "header", "language"),
    [
        (None, None, "nl"),
        (None, "en-GB,en;q=0.9", "en"),
        (None, "nl-NL,nl;q=0.9,en;q=0.8", "nl"),
        (None, "en;q=0.2,nl;q=0.7", "nl"),
        (None, "de,fr;q=0.5", "nl"),
        (None, "de,en;q=0", "nl"),
        (None, "en;q=nonsense", "nl"),
        ("en", "nl", "en"),
        ("de", "en", "en"),
    ],
)
def test_the_cookie_counts_before_what_the_browser_prefers(
    cookie: str | None, header: str | None, language: str
) -> None:
    assert i18n.choose(cookie, header) == language


def test_a_sentence_is_shown_in_the_language_of_the_reader() -> None:
    message = say("There is no {kind} '{key}'. Check the reference.", kind=Words("dienst", "service"), key="SVC-1")
    with i18n.speaking("en"):
        assert i18n.pick(message) == "There is no service 'SVC-1'. Check the reference."
        assert i18n.pick({"nl": "Ja", "en": "Yes"}) == "Yes"
    with i18n.speaking("nl"):
        assert i18n.pick(message) == "Er is geen dienst 'SVC-1'. Controleer de verwijzing."
        assert i18n.pick(Words("Ja", "Yes")) == "Ja"
